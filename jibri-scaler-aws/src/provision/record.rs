//! What provisioning has made, kept in a tag of the group.

use std::{collections::BTreeSet, fmt, str::FromStr};

use jibri_scaler_core::Timestamp;

/// The tag of the group in which provisioning keeps what it has made or changed there, so that it takes away exactly that.
pub const RECORD_TAG: &str = "jibri-scaler:provisioned";

/// The version of what is in the tag.
const VERSION: &str = "v1";

/// Something that provisioning makes or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Made {
    LaunchingHook,
    TerminatingHook,
    Retention,
    Protection,
    Rebalance,
    Policy,
    Alarms,
    Dashboard,
    Shrink,
}

impl Made {
    const ALL: [Self; 9] = [
        Self::LaunchingHook,
        Self::TerminatingHook,
        Self::Retention,
        Self::Protection,
        Self::Rebalance,
        Self::Policy,
        Self::Alarms,
        Self::Dashboard,
        Self::Shrink,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::LaunchingHook => "hook-launching",
            Self::TerminatingHook => "hook-terminating",
            Self::Retention => "retention",
            Self::Protection => "protection",
            Self::Rebalance => "rebalance",
            Self::Policy => "policy",
            Self::Alarms => "alarms",
            Self::Dashboard => "dashboard",
            Self::Shrink => "shrink",
        }
    }
}

/// What was made, and what was there before where something was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) made: BTreeSet<Made>,
    /// The health checks that were there before.
    pub(super) health_check: Option<String>,
    /// The group metrics that were not collected before.
    pub(super) metrics: BTreeSet<String>,
    /// Until when, at least, the group's tag has let agents end themselves, once it is being taken apart.
    pub(super) shrank_until: Option<Timestamp>,
}

impl Record {
    pub(super) fn has(&self, made: Made) -> bool {
        self.made.contains(&made)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)?;
        for made in &self.made {
            write!(f, " {}", made.word())?;
        }
        // Tags take no commas.
        if let Some(before) = &self.health_check {
            write!(f, " health={}", before.replace(',', "+"))?;
        }
        if !self.metrics.is_empty() {
            let metrics: Vec<_> = self.metrics.iter().map(String::as_str).collect();
            write!(f, " metrics={}", metrics.join("+"))?;
        }
        if let Some(until) = self.shrank_until {
            write!(f, " shrank-until={until}")?;
        }
        Ok(())
    }
}

impl FromStr for Record {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = |word: &str| {
            format!(
                "the tag `{RECORD_TAG}` of the group has the word `{word}`, which this version does not know; use the version \
                 that wrote it"
            )
        };
        let mut words = text.split_whitespace();
        match words.next() {
            Some(VERSION) => {}
            other => return Err(unknown(other.unwrap_or_default())),
        }
        let mut record = Self::default();
        for word in words {
            match word.split_once('=') {
                Some(("health", before)) => record.health_check = Some(before.replace('+', ",")),
                Some(("metrics", names)) => {
                    record.metrics = names.split('+').map(str::to_owned).collect();
                }
                Some(("shrank-until", until)) => {
                    record.shrank_until = Some(until.parse().map_err(|_| unknown(word))?);
                }
                _ => {
                    let made = Made::ALL.into_iter().find(|made| made.word() == word);
                    record.made.insert(made.ok_or_else(|| unknown(word))?);
                }
            }
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::desired::GROUP_METRICS, *};

    fn full() -> Record {
        Record {
            made: Made::ALL.into(),
            health_check: Some("ELB,EBS,VPC_LATTICE".into()),
            metrics: GROUP_METRICS.map(str::to_owned).into(),
            shrank_until: Some(Timestamp::from_secs(1_763_800_000)),
        }
    }

    #[test]
    fn what_is_written_is_read_and_fits_into_a_tag() {
        for record in [Record::default(), full()] {
            let text = record.to_string();
            assert_eq!(text.parse(), Ok(record));
            assert!(text.len() <= 256, "{text}");
            let allowed = |c: char| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c);
            assert!(text.chars().all(allowed), "{text}");
        }
        assert_eq!(Record::default().to_string(), "v1");
    }

    #[test]
    fn what_a_later_version_wrote_is_refused() {
        for (text, word) in [
            ("v2 protection", "`v2`"),
            ("v1 moon", "`moon`"),
            ("v1 shrank-until=x", "`shrank-until=x`"),
            ("", "``"),
        ] {
            let error = text.parse::<Record>().unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
