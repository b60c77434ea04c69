use std::fmt;

use super::group::{Boots, Members, resize};
use crate::backtest::{Fleet, Scaler};

/// The buffer policy of Agones' `FleetAutoscaler`: so many ready game servers beyond the allocated ones, as a number or as a share of all.
///
/// Sources: `pkg/fleetautoscalers/fleetautoscalers.go` and `site/content/en/docs/Reference/fleetautoscaler.md` of
/// [Agones](https://github.com/googleforgames/agones). No cooldown; it looks every 30 s; game servers that are not ready yet are ended
/// first, and allocated ones never. [`Default`] is the example of the reference: a buffer of 5, and at least 10 replicas.
///
/// ```
/// use jibri_scaler_core::backtest::peers::{Agones, Buffer};
///
/// let mut autoscaler = Agones::default();
/// assert_eq!((autoscaler.replicas(2), autoscaler.replicas(20)), (10, 25));
/// autoscaler.buffer = Buffer::Percent(20.0);
/// assert_eq!(autoscaler.replicas(20), 25);
/// assert_eq!(autoscaler.to_string(), "a buffer of 20% of all, at least 10");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Agones {
    /// How many are to be ready.
    pub buffer: Buffer,
    /// The smallest size that it sets, busy ones included.
    pub min_replicas: u32,
}

/// A buffer of Agones.
///
/// ```
/// use jibri_scaler_core::backtest::peers::Buffer;
///
/// assert_ne!(Buffer::Count(20), Buffer::Percent(20.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Buffer {
    /// So many.
    Count(u32),
    /// So many percent of all, 1 to 99; a fraction is rounded up.
    Percent(f64),
}

impl Default for Agones {
    fn default() -> Self {
        Self {
            buffer: Buffer::Count(5),
            min_replicas: 10,
        }
    }
}

impl Agones {
    /// How many are to be there, with so many busy.
    #[must_use]
    pub fn replicas(&self, allocated: u32) -> u32 {
        let replicas = match self.buffer {
            Buffer::Count(count) => allocated.saturating_add(count),
            Buffer::Percent(percent) => {
                let share = super::step_scaling::whole(percent).clamp(1, 99);
                allocated.saturating_mul(100).div_ceil(100 - share)
            }
        };
        replicas.max(self.min_replicas)
    }

    pub(super) fn scaler(&self) -> impl Scaler + 'static {
        Run(self.clone())
    }

    pub(super) fn curves() -> Vec<Vec<Self>> {
        let count = |count| Self {
            buffer: Buffer::Count(count),
            min_replicas: 0,
        };
        let mut curves = vec![super::SPARES.map(count).to_vec()];
        for min_replicas in [2, 4, 8, 12, 16, 24] {
            let share = |percent| Self {
                buffer: Buffer::Percent(percent),
                min_replicas,
            };
            curves.push(super::SHARES.map(share).to_vec());
        }
        curves
    }
}

impl fmt::Display for Agones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.min_replicas;
        match self.buffer {
            Buffer::Count(count) => write!(f, "a buffer of {count}, at least {least}"),
            Buffer::Percent(percent) => {
                write!(f, "a buffer of {percent}% of all, at least {least}")
            }
        }
    }
}

struct Run(Agones);

impl Scaler for Run {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        let members = Members::look(fleet);
        resize(fleet, self.0.replicas(members.busy), Boots::EndedFirst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::peers::tests::sizes;

    #[test]
    fn the_replicas_are_those_of_the_reference() {
        let percent = |percent, allocated| {
            let autoscaler = Agones {
                buffer: Buffer::Percent(percent),
                min_replicas: 1,
            };
            autoscaler.replicas(allocated)
        };
        // ⌈100·A / (100 − p)⌉, a fraction of a percent rounded up, and never stuck at none.
        let cases = [
            (20.0, 0, 1),
            (20.0, 1, 2),
            (20.0, 4, 5),
            (20.0, 5, 7),
            (19.1, 4, 5),
            (50.0, 7, 14),
            (99.0, 1, 100),
            (150.0, 1, 100),
        ];
        for (share, allocated, replicas) in cases {
            assert_eq!(
                percent(share, allocated),
                replicas,
                "{share} of {allocated}"
            );
        }
    }

    #[test]
    fn each_that_is_taken_is_replaced_at_once_and_each_that_returns_is_one_too_many_at_once() {
        let autoscaler = Agones {
            buffer: Buffer::Count(2),
            min_replicas: 0,
        };
        let sizes = sizes(autoscaler.scaler(), [(200, 305), (9000, 9001)], 0, 2000);
        assert_eq!(sizes, [(0, 2), (210, 3), (330, 2)]);
    }
}
