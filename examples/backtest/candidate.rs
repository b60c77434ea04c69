//! What is compared.

use std::{path::Path, time::Duration};

use jibri_scaler_core::{
    Limits, PolicyFile,
    backtest::{
        Environment, Outcome, PolicyScaler, Scaler, Trace, bound::RateOracle, peers::Baseline,
        simulate,
    },
};
use serde::Serialize;

use crate::progress::{Progress, Watched};

/// Something that keeps a group at the right size, under a name.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) source: Source,
    rules: Rules,
}

/// Where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    File,
    BuiltIn,
    Tuned,
    Baseline,
    TunedBaseline,
    RateOracle,
}

#[derive(Clone, Debug)]
enum Rules {
    Policy(Box<PolicyFile>),
    Oracle(RateOracle, Box<Limits>),
    Baseline(Baseline),
}

/// Policies to begin with, where none are given.
const BUILT_IN: [(&str, &str); 3] = [
    ("min_idle 3", "min_idle = 3\nidle_timeout = '3m'"),
    (
        "min_idle 2, 40 %",
        "min_idle = 2\npercent_idle = 40\nidle_timeout = '3m'",
    ),
    (
        "refuse_at_most 1 %",
        "refuse_at_most = '1%'\nidle_timeout = '3m'",
    ),
];

/// What the policy file has where it says nothing.
const REPORT_TTL: Duration = Duration::from_secs(45);

impl Candidate {
    pub(crate) fn new(name: impl Into<String>, source: Source, policy: PolicyFile) -> Self {
        Self {
            name: name.into(),
            source,
            rules: Rules::Policy(Box::new(policy)),
        }
    }

    /// Reads a policy file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let named =
            |error: &dyn std::fmt::Display| format!("policy file {}: {error}", path.display());
        let text = std::fs::read_to_string(path)
            .map_err(|error| named(&format_args!("could not be read: {error}")))?;
        let policy = PolicyFile::from_toml(&text).map_err(|error| named(&error))?;
        Ok(Self::new(path.display().to_string(), Source::File, policy))
    }

    /// Three to begin with, for a controller with that interval.
    pub(crate) fn built_in(interval: Duration) -> Result<Vec<Self>, String> {
        let report_ttl = report_ttl(interval);
        let all = BUILT_IN.iter().map(|(name, text)| {
            let policy = PolicyFile::from_toml(&format!("{text}\n{report_ttl}"))
                .map_err(|error| format!("{name}: {error}"))?;
            Ok(Self::new(*name, Source::BuiltIn, policy))
        });
        all.collect()
    }

    /// Another autoscaler, as it is documented or tuned.
    pub(crate) fn baseline(baseline: Baseline, tuned: bool) -> Self {
        let (how, source) = if tuned {
            ("tuned", Source::TunedBaseline)
        } else {
            ("documented", Source::Baseline)
        };
        Self {
            name: format!("{}, {how}: {baseline}", baseline.peer()),
            source,
            rules: Rules::Baseline(baseline),
        }
    }

    /// Who knows the rate, with ticks that far apart.
    pub(crate) fn oracle(name: String, oracle: RateOracle, interval: Duration) -> Self {
        Self {
            name,
            source: Source::RateOracle,
            rules: Rules::Oracle(oracle, Box::new(quick(interval))),
        }
    }

    /// The policy, where it is one of this crate.
    pub(crate) fn policy(&self) -> Option<&PolicyFile> {
        match &self.rules {
            Rules::Policy(policy) => Some(policy),
            Rules::Oracle(..) | Rules::Baseline(_) => None,
        }
    }

    /// Whether a controller with that interval would take it.
    ///
    /// # Errors
    /// Where its reports would be too old, as the controller says.
    pub(crate) fn check(&self, interval: Duration) -> Result<(), String> {
        let Some(policy) = self.policy() else {
            return Ok(());
        };
        let report_ttl = policy.limits.report_ttl();
        if report_ttl < 2 * interval {
            return Err(format!(
                "policy {}: report_ttl is {report_ttl:?}, and must be at least twice the interval of {interval:?}: set it in the policy, \
                 or give a shorter --interval",
                self.name
            ));
        }
        Ok(())
    }

    /// Plays the recordings.
    pub(crate) fn simulate(
        &self,
        trace: &Trace,
        environment: &Environment,
        progress: &Progress,
    ) -> Outcome {
        let mut scaler = Watched::new(self.scaler(), progress);
        simulate(trace, environment, &mut scaler)
    }

    fn scaler(&self) -> Box<dyn Scaler> {
        match &self.rules {
            Rules::Policy(file) => Box::new(PolicyScaler::new(file.policy(), file.limits.clone())),
            Rules::Baseline(baseline) => baseline.scaler(),
            Rules::Oracle(oracle, limits) => {
                Box::new(PolicyScaler::new(oracle.clone(), Limits::clone(limits)))
            }
        }
    }
}

/// The line of a policy file that lets a controller with a long interval take it; empty where the default will do.
pub(crate) fn report_ttl(interval: Duration) -> String {
    if 2 * interval <= REPORT_TTL {
        return String::new();
    }
    // In whole seconds, upward.
    let seconds = (2 * interval + Duration::from_nanos(999_999_999)).as_secs();
    format!("report_ttl = \"{seconds}s\"\n")
}

/// Limits that hold little back, for who knows.
fn quick(interval: Duration) -> Limits {
    let minute = Duration::from_mins(1);
    let quick = Limits::default()
        .with_idle_timeout(minute)
        .and_then(|limits| limits.with_report_ttl(REPORT_TTL.max(2 * interval)))
        .and_then(|limits| limits.with_surplus_hold(minute))
        .and_then(|limits| limits.with_max_launch(10_000))
        .and_then(|limits| limits.with_max_retire(10_000));
    // They are in their ranges.
    quick.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_controller_would_refuse_is_refused() {
        let policy = PolicyFile::from_toml("report_ttl = '45s'").unwrap();
        let candidate = Candidate::new("a.toml", Source::File, policy);
        assert_eq!(candidate.check(Duration::from_millis(22_500)), Ok(()));
        let error = candidate.check(Duration::from_secs(23)).unwrap_err();
        assert!(
            error.contains("a.toml") && error.contains("twice the interval"),
            "{error}"
        );
    }

    #[test]
    fn the_built_in_ones_are_policies() {
        for seconds in [10, 23, 1800] {
            let interval = Duration::from_secs(seconds);
            let all = Candidate::built_in(interval).unwrap();
            assert_eq!(all.len(), BUILT_IN.len());
            assert!(
                all.iter()
                    .all(|candidate| candidate.check(interval).is_ok())
            );
        }
        let limits = quick(Duration::from_mins(5));
        assert_eq!(limits.report_ttl(), Duration::from_mins(10));
        assert_eq!(limits.idle_timeout(), Duration::from_mins(1));
    }

    #[test]
    fn mistakes_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.toml");
        assert!(
            Candidate::read(&path)
                .unwrap_err()
                .contains("p.toml: could not be read")
        );
        std::fs::write(&path, "min_idel = 2").unwrap();
        assert!(
            Candidate::read(&path)
                .unwrap_err()
                .contains("p.toml: line 1: unknown key")
        );
    }
}
