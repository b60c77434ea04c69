use std::{collections::BTreeMap, fmt, time::Duration};

use super::{
    group::{Members, counting, is_idle},
    step_scaling::whole,
};
use crate::{
    Timestamp,
    backtest::{Fleet, Scaler},
    port::Decrement,
    time::readable,
};

/// The policy of GitLab Runner's autoscaler: an idle count, or a factor of what is in use where that is more, and an idle time.
///
/// Sources: `docs/configuration/advanced-configuration.md` (`[[runners.autoscaler.policy]]`) and `docs/executors/instance.md` of
/// [GitLab Runner](https://gitlab.com/gitlab-org/gitlab-runner). Instances that are launching count as idle. An instance goes when it has
/// been idle for the idle time since its last job, or since it was provisioned, and more are there than are to be idle.
/// [`Default`] is the example of the executors' documentation: 5 idle, for 20 minutes.
///
/// ```
/// use jibri_scaler_core::backtest::peers::GitlabRunner;
///
/// let mut policy = GitlabRunner::default();
/// (policy.idle_count, policy.scale_factor, policy.scale_factor_limit) = (2, 0.5, 6);
/// assert_eq!([0, 7, 100].map(|in_use| policy.wanted(in_use)), [2, 4, 6]);
/// assert_eq!(policy.to_string(), "2 idle or 0.5 of those in use up to 6, for 20m");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GitlabRunner {
    /// So many are to be idle.
    pub idle_count: u32,
    /// So many times what is in use is to be idle, where that is more.
    pub scale_factor: f64,
    /// The most that the factor makes; 0 is no limit.
    pub scale_factor_limit: u32,
    /// How long an instance is idle before it may go.
    pub idle_time: Duration,
}

impl Default for GitlabRunner {
    fn default() -> Self {
        Self {
            idle_count: 5,
            scale_factor: 0.0,
            scale_factor_limit: 0,
            idle_time: Duration::from_secs(20 * 60),
        }
    }
}

impl GitlabRunner {
    /// How many are to be idle, with so many in use.
    #[must_use]
    pub fn wanted(&self, in_use: u32) -> u32 {
        let scaled = whole(f64::from(in_use) * self.scale_factor - 1e-6);
        let limit = match self.scale_factor_limit {
            0 => u32::MAX,
            limit => limit,
        };
        self.idle_count.max(scaled.min(limit))
    }

    pub(super) fn scaler(&self) -> impl Scaler + 'static {
        Run {
            settings: self.clone(),
            idle_since: BTreeMap::new(),
        }
    }

    pub(super) fn curves() -> Vec<Vec<Self>> {
        let mut curves = Vec::new();
        for idle_time in [0, 300, 1200] {
            for scale_factor in [0.0, 0.25, 0.5, 1.0, 1.5, 2.0] {
                let settings = |idle_count| Self {
                    idle_count,
                    scale_factor,
                    scale_factor_limit: 0,
                    idle_time: Duration::from_secs(idle_time),
                };
                curves.push(super::SPARES.map(settings).to_vec());
            }
        }
        curves
    }
}

impl fmt::Display for GitlabRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} idle", self.idle_count)?;
        if self.scale_factor > 0.0 {
            write!(f, " or {} of those in use", self.scale_factor)?;
            if self.scale_factor_limit > 0 {
                write!(f, " up to {}", self.scale_factor_limit)?;
            }
        }
        write!(f, ", for {}", readable(self.idle_time))
    }
}

struct Run {
    settings: GitlabRunner,
    idle_since: BTreeMap<u32, Timestamp>,
}

impl Scaler for Run {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        let members = Members::look(fleet);
        let now = fleet.now();
        let mut idle: Vec<(Timestamp, u32)> = Vec::new();
        let seen = counting(fleet).filter(is_idle);
        let since = seen.map(|seen| {
            (
                seen.number,
                *self.idle_since.get(&seen.number).unwrap_or(&now),
            )
        });
        self.idle_since = since.collect();
        for (number, since) in &self.idle_since {
            if now.since(*since) >= self.settings.idle_time {
                idle.push((*since, *number));
            }
        }
        let wanted = self.settings.wanted(members.busy);
        let available = members.idle + members.booting;
        if available < wanted {
            fleet.set_desired(members.all() + (wanted - available));
            return;
        }
        // The longest idle first.
        idle.sort_unstable();
        let surplus = usize::try_from(available - wanted).unwrap_or(usize::MAX);
        for (_, number) in idle.into_iter().take(surplus) {
            fleet.drain(number, Decrement::Yes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::peers::tests::sizes;

    #[test]
    fn what_is_to_be_idle_follows_the_documentation() {
        // Idle count, factor, limit, in use, wanted.
        let cases = [
            (5, 0.0, 0, 100, 5),
            (0, 0.5, 0, 0, 0),
            (1, 0.2, 0, 200, 40),
            (1, 0.2, 10, 200, 10),
            (20, 0.2, 10, 200, 20),
            (1, 0.5, 0, 3, 2),
        ];
        for (idle_count, scale_factor, scale_factor_limit, in_use, wanted) in cases {
            let policy = GitlabRunner {
                idle_count,
                scale_factor,
                scale_factor_limit,
                ..GitlabRunner::default()
            };
            assert_eq!(policy.wanted(in_use), wanted, "{policy:?}");
        }
    }

    #[test]
    fn one_that_is_too_many_goes_after_its_own_idle_time() {
        let policy = GitlabRunner {
            idle_count: 1,
            idle_time: Duration::from_secs(300),
            ..GitlabRunner::default()
        };
        // Taken at 200 s and free again at 315 s, while the other one has been idle since 330 s.
        let sizes = sizes(policy.scaler(), [(200, 315), (9000, 9001)], 0, 2000);
        assert_eq!(sizes, [(0, 1), (210, 2), (630, 1)]);
    }
}
