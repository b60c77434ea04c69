//! What another release has learned, as far as it can be read.

use std::fmt;

use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{BootTimes, Learned, WeeklyDemand};
use crate::Timestamp;

/// What could not be read of what was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lost {
    /// The demand, perhaps of a version that is not ours.
    Demand(Option<u32>),
    /// Something else of it, which is learned anew within days.
    Other,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Demand(Some(version)) => write!(
                f,
                "the demand that was learned is of version {version}, which this release can't read"
            ),
            Self::Demand(None) => f.write_str("the demand that was learned can't be read"),
            Self::Other => f.write_str("a part of what was learned can't be read"),
        }
    }
}

/// What was written.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Saved(Part<Parts>);

#[derive(Deserialize)]
#[serde(default)]
struct Parts {
    interval: Part<Option<u64>>,
    boots: Part<BootTimes>,
    demand: Part<Option<WeeklyDemand>>,
    refusal: Part<Option<(Timestamp, u32)>>,
    open: Part<Option<bool>>,
    lost: Part<Option<Lost>>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            interval: Part::Read(None),
            boots: Part::Read(BootTimes::nothing()),
            demand: Part::Read(None),
            refusal: Part::Read(None),
            open: Part::Read(None),
            lost: Part::Read(None),
        }
    }
}

/// Something that can be read, or else has a version perhaps.
#[derive(Deserialize)]
#[serde(untagged)]
enum Part<T> {
    Read(T),
    Versioned { version: u32 },
    Unread(IgnoredAny),
}

impl<T: Default> Part<T> {
    /// What it says, or nothing where it can't be read.
    fn or_nothing(self, lost: &mut Option<Lost>) -> T {
        match self {
            Self::Read(read) => read,
            Self::Versioned { .. } | Self::Unread(_) => {
                lost.get_or_insert(Lost::Other);
                T::default()
            }
        }
    }
}

impl From<Saved> for Learned {
    fn from(Saved(saved): Saved) -> Self {
        let Part::Read(parts) = saved else {
            return Self {
                lost: Some(Lost::Demand(None)),
                ..Self::nothing()
            };
        };
        let mut lost = parts.lost.or_nothing(&mut None);
        let (demand, version) = match parts.demand {
            Part::Read(demand) => (demand, None),
            Part::Versioned { version } => (None, Some(Some(version))),
            Part::Unread(_) => (None, Some(None)),
        };
        if let Some(version) = version {
            let other = version.filter(|version| *version != WeeklyDemand::VERSION);
            lost = Some(Lost::Demand(other));
        }
        Self {
            interval: parts.interval.or_nothing(&mut lost),
            boots: parts.boots.or_nothing(&mut lost),
            demand,
            refusal: parts.refusal.or_nothing(&mut lost),
            open: parts.open.or_nothing(&mut lost),
            lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Learned {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_can_not_be_read_is_left_out_and_the_rest_is_kept() {
        let mut demand = WeeklyDemand::new("Asia/Kolkata".parse().unwrap());
        let now = Timestamp::from_secs(0);
        demand.observe(now, now + std::time::Duration::from_secs(90), 3, 1.0);
        let demand = serde_json::to_string(&demand).unwrap();
        let with = |demand: &str| {
            format!(r#"{{"interval":30000000,"boots":[90,91],"demand":{demand},"open":true}}"#)
        };
        let whole = read(&with(&demand));
        assert!(whole.demand.is_some() && whole.lost.is_none());
        let without = Learned {
            demand: None,
            ..whole.clone()
        };
        for (unread, lost) in [
            (demand.replace("\"version\":1", "\"version\":2"), Some(2)),
            (r#"{"version":7,"grid":[]}"#.into(), Some(7)),
            (demand.replace("\"cells\":\"", "\"cells\":\"?"), None),
            (demand.replace("Kolkata", "Nowhere"), None),
            ("7".into(), None),
        ] {
            let expected = Learned {
                lost: Some(Lost::Demand(lost)),
                ..without.clone()
            };
            let found = read(&with(&unread));
            assert_eq!(found, expected, "{unread}");
            // It is not forgotten before somebody was told.
            let text = serde_json::to_string(&found).unwrap();
            assert_eq!(read(&text), found);
        }
        let other = read(&with(&demand).replace("[90,91]", "{\"p90\":91}"));
        let expected = Learned {
            boots: BootTimes::default(),
            lost: Some(Lost::Other),
            ..whole
        };
        assert_eq!(other, expected);
        assert_eq!(read("7").lost, Some(Lost::Demand(None)));
        assert_eq!(read("{}"), Learned::default());
        assert_eq!(read(r#"{"lost":"all"}"#), Learned::default());
    }
}
