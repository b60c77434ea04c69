use std::{collections::VecDeque, fmt, time::Duration};

use super::{
    group::{Boots, Members, resize},
    step_scaling::whole,
};
use crate::{
    Timestamp,
    backtest::{Fleet, Scaler},
};

/// openfun's Horizontal Pod Autoscaler for Jibris: the larger of a minimum of idle pods and what keeps a share of all idle.
///
/// Sources: `k8s/base/jibri-hpa.yaml` of [openfun/jitsi-k8s](https://github.com/openfun/jitsi-k8s), and for the algorithm the Kubernetes
/// documentation: ⌈current × metric ÷ target⌉ where that is more than a tenth away, the largest recommendation of the stabilization
/// window on the way down, and what the scaling policies allow within their periods. A busy pod leaves the Deployment, which replaces it
/// at once, so that the replicas are those that are idle or starting; one that is idle again is back in it, and one too many goes at once,
/// those that start first. [`Default`] is what is shipped.
///
/// ```
/// use jibri_scaler_core::backtest::peers::OpenfunHpa;
///
/// let hpa = OpenfunHpa::default();
/// // Two pods wait and 18 record: 90 % are busy, and 2 × 0.9 / 0.8 is 2.25.
/// assert_eq!(hpa.recommended(2, 18, 2), 3);
/// assert_eq!(hpa.to_string(), "2 to 10 idle, 20% of all, 2 more per 2m, 20% fewer per 30s after 1m");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OpenfunHpa {
    /// The fewest pods that wait.
    pub min_replicas: u32,
    /// The most pods that wait.
    pub max_replicas: u32,
    /// The share that is to be idle, in percent.
    pub idle_percent: f64,
    /// At most so many more within [`UP_PERIOD`](Self::UP_PERIOD).
    pub up_pods: u32,
}

impl Default for OpenfunHpa {
    fn default() -> Self {
        Self {
            min_replicas: 2,
            max_replicas: 10,
            idle_percent: 20.0,
            up_pods: 2,
        }
    }
}

const STABILIZATION: Duration = Duration::from_secs(60);
const DOWN_PERIOD: Duration = Duration::from_secs(30);
const DOWN_PERCENT: f64 = 20.0;
const TOLERANCE: f64 = 0.1;

impl OpenfunHpa {
    /// The period of the limit on the way up.
    pub const UP_PERIOD: Duration = Duration::from_secs(120);

    /// How many pods are to wait by the metric, where so many are to wait now, with so many busy and so many idle.
    #[must_use]
    pub fn recommended(&self, replicas: u32, busy: u32, idle: u32) -> u32 {
        let target = (1.0 - self.idle_percent / 100.0).max(0.01);
        let pods = f64::from(busy + idle);
        let share = if pods > 0.0 {
            f64::from(busy) / pods
        } else {
            0.0
        };
        let ratio = share / target;
        let recommended = if (ratio - 1.0).abs() <= TOLERANCE {
            replicas
        } else {
            whole(f64::from(replicas) * ratio - 1e-6)
        };
        recommended.max(self.min_replicas).min(self.max_replicas)
    }

    pub(super) fn scaler(&self) -> impl Scaler + 'static {
        Run {
            settings: self.clone(),
            replicas: self.min_replicas,
            recommended: VecDeque::new(),
            changes: VecDeque::new(),
        }
    }

    pub(super) fn curves() -> Vec<Vec<Self>> {
        let mut curves = Vec::new();
        for idle_percent in [20.0, 40.0, 60.0] {
            for up_pods in [2, 8] {
                let settings = |min_replicas: u32| Self {
                    min_replicas,
                    max_replicas: 100,
                    idle_percent,
                    up_pods,
                };
                curves.push(super::SPARES.map(settings).to_vec());
            }
        }
        curves
    }
}

impl fmt::Display for OpenfunHpa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} to {} idle, {}% of all, {} more per 2m, 20% fewer per 30s after 1m",
            self.min_replicas, self.max_replicas, self.idle_percent, self.up_pods
        )
    }
}

struct Run {
    settings: OpenfunHpa,
    replicas: u32,
    recommended: VecDeque<(Timestamp, u32)>,
    /// When the replicas were changed by how many.
    changes: VecDeque<(Timestamp, i64)>,
}

impl Run {
    /// Sets the number of pods that wait.
    fn follow(&mut self, now: Timestamp, recommended: u32) {
        let window = now.before(STABILIZATION);
        self.recommended.push_back((now, recommended));
        self.recommended.retain(|(at, _)| *at > window);
        let longest = now.before(OpenfunHpa::UP_PERIOD);
        self.changes.retain(|(at, _)| *at > longest);
        let stable = self.recommended.iter().map(|(_, count)| *count).max();
        let (current, stable) = (self.replicas, stable.unwrap_or(recommended));
        let to = if recommended > current {
            let added = self.changed(longest, |change| change > 0);
            let most = i64::from(current) - added + i64::from(self.settings.up_pods);
            u32::try_from(most).unwrap_or(0).clamp(current, recommended)
        } else if stable < current {
            let removed = -self.changed(now.before(DOWN_PERIOD), |change| change < 0);
            let start = f64::from(current) + whole_of(removed);
            let least = whole((start * (1.0 - DOWN_PERCENT / 100.0)).floor());
            stable.max(least).min(current)
        } else {
            current
        };
        if to != current {
            self.changes
                .push_back((now, i64::from(to) - i64::from(current)));
        }
        self.replicas = to;
    }

    fn changed(&self, since: Timestamp, which: impl Fn(i64) -> bool) -> i64 {
        let recent = self.changes.iter().filter(|(at, _)| *at > since);
        recent
            .map(|(_, change)| *change)
            .filter(|c| which(*c))
            .sum()
    }
}

fn whole_of(count: i64) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from)
}

impl Scaler for Run {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        let members = Members::look(fleet);
        let recommended = self
            .settings
            .recommended(self.replicas, members.busy, members.idle);
        self.follow(fleet.now(), recommended);
        let to = members.busy.saturating_add(self.replicas);
        resize(fleet, to, Boots::EndedFirst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::peers::tests::sizes;

    #[test]
    fn the_recommendation_is_that_of_the_documented_formula() {
        let hpa = OpenfunHpa::default();
        // Replicas, busy, idle, recommended.
        let cases = [
            (2, 0, 2, 2),
            (2, 18, 2, 3),
            (4, 16, 4, 4),
            (5, 17, 3, 5),   // 85 % are inside the tolerance of a tenth
            (6, 3, 6, 3),    // 33 % are far below: ⌈6 × 0.4167⌉
            (10, 90, 1, 10), // the maximum
            (2, 0, 0, 2),
        ];
        for (replicas, busy, idle, recommended) in cases {
            let found = hpa.recommended(replicas, busy, idle);
            assert_eq!(found, recommended, "{replicas}, {busy}, {idle}");
        }
    }

    #[test]
    fn it_grows_by_two_in_two_minutes_and_shrinks_by_a_fifth_after_a_minute() {
        let mut run = Run {
            settings: OpenfunHpa::default(),
            replicas: 2,
            recommended: VecDeque::new(),
            changes: VecDeque::new(),
        };
        let mut seen = Vec::new();
        for (number, recommended) in [9, 9, 9, 9, 9, 9, 3, 3, 3, 3, 3].into_iter().enumerate() {
            let now = Timestamp::from_secs(i64::try_from(number * 30).unwrap());
            run.follow(now, recommended);
            seen.push(run.replicas);
        }
        assert_eq!(seen, [4, 4, 4, 4, 6, 6, 6, 4, 3, 3, 3]);
    }

    #[test]
    fn a_busy_pod_is_replaced_at_once() {
        let sizes = sizes(
            OpenfunHpa::default().scaler(),
            [(200, 305), (9000, 9001)],
            0,
            2000,
        );
        assert_eq!(sizes, [(0, 2), (210, 3), (330, 2)]);
    }
}
