//! What is learned of a group from what is seen of it, tick by tick.

mod boots;
mod cells;
mod demand;
mod estimate;
mod level;
mod lost;

pub use boots::BootTimes;
pub use demand::WeeklyDemand;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use lost::{Lost, Saved};

/// What has been learned of a group: how far apart the looks at it are, how long its instances boot, when recordings start, and
/// whether any were refused.
///
/// It lives in the [`Memory`](crate::Memory), is brought up to date by [`decide`](fn@crate::decide) from the snapshots alone, and no
/// safety rule looks at it: a policy may want more for it, and never less. Its size is bounded; see [`WeeklyDemand`] for the part that
/// counts.
///
/// As a part of a memory that was written by another release it is read as far as it can be: nothing of a memory but what was
/// learned can be learned anew, so what can't be read of it is left out, and the next decision has a finding that says so.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Memory, Timestamp, learned::{Learned, WeeklyDemand}};
///
/// // Recordings of the past teach the same.
/// let mut demand = WeeklyDemand::new("Europe/Berlin".parse()?);
/// let start: Timestamp = "2026-11-23T09:00:00Z".parse()?;
/// demand.observe(start, start + Duration::from_secs(60), 2, 1.0);
/// let memory = Memory::default().with_learned(Learned::default().with_demand(demand));
/// assert_eq!(memory.learned().interval(), None, "two ticks make an interval");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Saved")]
pub struct Learned {
    /// Microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u64>,
    #[serde(skip_serializing_if = "BootTimes::is_empty")]
    boots: BootTimes,
    #[serde(skip_serializing_if = "Option::is_none")]
    demand: Option<WeeklyDemand>,
    /// When recordings were seen to be refused last, and how many then.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<(Timestamp, u32)>,
    /// Whether any Jibri was spare at the last look.
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<bool>,
    /// What could not be read, until a decision has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<Lost>,
}

/// What one look adds to what was seen at the one before.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    pub(crate) now: Timestamp,
    /// The look before; absent where there was none, or where time was not observed without a gap since.
    pub(crate) last: Option<Timestamp>,
    /// Recordings seen to have started since.
    pub(crate) starts: u32,
    /// Recordings known to have been refused since; absent where nobody counts them.
    pub(crate) refused: Option<u32>,
    /// Whether any Jibri is spare.
    pub(crate) open: bool,
    /// How long instances took that were seen ready for the first time.
    pub(crate) boots: &'a [Duration],
}

impl Learned {
    pub(crate) const fn nothing() -> Self {
        Self {
            interval: None,
            boots: BootTimes::nothing(),
            demand: None,
            refusal: None,
            open: None,
            lost: None,
        }
    }

    /// What could not be read, to be said once.
    pub(crate) const fn take_lost(&mut self) -> Option<Lost> {
        self.lost.take()
    }

    /// The same with this demand, in place of what was learned of it.
    #[must_use]
    pub fn with_demand(mut self, demand: WeeklyDemand) -> Self {
        self.demand = Some(demand);
        self
    }

    /// The same with these boot times, in place of those that were learned.
    #[must_use]
    pub fn with_boots(mut self, boots: BootTimes) -> Self {
        self.boots = boots;
        self
    }

    /// How far apart ticks are, on a moving average over about eight of them; gaps do not count. Absent before the second tick.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.interval.map(Duration::from_micros)
    }

    /// How long instances of the group take to boot.
    #[must_use]
    pub const fn boots(&self) -> &BootTimes {
        &self.boots
    }

    /// When recordings start, by the minute of the week; absent where no policy asks for it.
    #[must_use]
    pub const fn demand(&self) -> Option<&WeeklyDemand> {
        self.demand.as_ref()
    }

    /// When recordings were seen to be refused last, and how many then.
    #[must_use]
    pub const fn last_refusal(&self) -> Option<(Timestamp, u32)> {
        self.refusal
    }

    /// Takes in what one look shows.
    pub(crate) fn look(&mut self, look: &Look<'_>) {
        for boot in look.boots {
            self.boots.record(*boot);
        }
        if let Some(refused) = look.refused.filter(|refused| *refused > 0) {
            self.refusal = Some((look.now, refused));
        }
        let was_open = self.open.replace(look.open);
        // Whoever looks twice at one instant must learn once.
        let Some(last) = look.last.filter(|last| *last < look.now) else {
            return;
        };
        let spacing = u64::try_from(look.now.since(last).as_micros()).unwrap_or(u64::MAX);
        self.interval = Some(self.interval.map_or(spacing, |before| {
            if spacing >= before {
                before + (spacing - before) / 8
            } else {
                before - (before - spacing) / 8
            }
        }));
        if let Some(demand) = &mut self.demand {
            let (starts, open) = if let Some(refused) = look.refused {
                (look.starts.saturating_add(refused), 1.0)
            } else {
                // Nobody says how many came while nothing was spare, so that time counts by the share in which something was.
                let ends = u8::from(was_open.unwrap_or(look.open)) + u8::from(look.open);
                (look.starts, f64::from(ends) / 2.0)
            };
            demand.observe(last, look.now, starts, open);
        }
    }

    /// Makes the demand that of the week in this zone, starting anew where another was learned. Returns the zone of what was dropped.
    pub(crate) fn learn_demand_in(&mut self, zone: &crate::TimeZone) -> Option<crate::TimeZone> {
        let before = self.demand.as_ref().map(|demand| demand.zone().clone());
        if before.as_ref() != Some(zone) {
            self.demand = Some(WeeklyDemand::new(zone.clone()));
        }
        before.filter(|before| before != zone)
    }

    /// The same seen after a step back in time by so much.
    pub(crate) fn aged(&mut self, back: Duration) {
        self.refusal = self.refusal.map(|(at, count)| (at.before(back), count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn looks(look: impl Fn(i64) -> Look<'static>) -> Learned {
        let mut learned =
            Learned::default().with_demand(WeeklyDemand::new(crate::TimeZone::default()));
        for minute in 0..600 {
            learned.look(&look(minute));
        }
        learned
    }

    fn quiet(minute: i64) -> Look<'static> {
        let now = Timestamp::from_secs(minute * 60);
        Look {
            now,
            last: Some(now.before(MINUTE)),
            starts: 0,
            refused: None,
            open: true,
            boots: &[],
        }
    }

    fn rate(learned: &Learned) -> f64 {
        let demand = learned.demand().unwrap();
        demand.expected_starts(Timestamp::from_secs(600), Timestamp::from_secs(30_000))
    }

    #[test]
    fn refused_starts_are_put_back() {
        // One start a minute, of which each second is refused while nothing is spare.
        let all = looks(|minute| Look {
            starts: 1,
            ..quiet(minute)
        });
        let blocked = |minute: i64| minute % 4 >= 2;
        let censored = looks(|minute| Look {
            starts: u32::from(!blocked(minute)),
            open: !blocked(minute),
            ..quiet(minute)
        });
        let counted = looks(|minute| Look {
            starts: u32::from(!blocked(minute)),
            refused: Some(u32::from(blocked(minute))),
            open: !blocked(minute),
            ..quiet(minute)
        });
        let naive = looks(|minute| Look {
            starts: u32::from(!blocked(minute)),
            ..quiet(minute)
        });
        assert!(
            (rate(&censored) / rate(&all) - 1.0).abs() < 0.05,
            "{} and {}",
            rate(&censored),
            rate(&all)
        );
        assert!(
            (rate(&counted) / rate(&all) - 1.0).abs() < 0.01,
            "{} and {}",
            rate(&counted),
            rate(&all)
        );
        assert!(rate(&naive) < rate(&all) * 0.6);
    }

    #[test]
    fn the_interval_follows_the_ticks() {
        let mut learned = looks(quiet);
        assert_eq!(learned.interval(), Some(MINUTE));
        let now = Timestamp::from_secs(36_000);
        for _ in 0..3 {
            learned.look(&Look {
                now,
                last: Some(now),
                ..quiet(0)
            });
        }
        assert_eq!(
            learned.interval(),
            Some(MINUTE),
            "the same instant again is no interval"
        );
        for tick in 0..60 {
            let now = now + Duration::from_secs(10) * tick;
            learned.look(&Look {
                now,
                last: Some(now.before(Duration::from_secs(10))),
                ..quiet(0)
            });
        }
        assert!(
            learned
                .interval()
                .is_some_and(|interval| interval.as_secs() == 10)
        );
    }

    #[test]
    fn the_last_refusal_is_remembered() {
        let mut learned = looks(quiet);
        assert_eq!(learned.last_refusal(), None);
        let now = Timestamp::from_secs(40_000);
        learned.look(&Look {
            now,
            refused: Some(3),
            ..quiet(0)
        });
        learned.look(&Look {
            now: now + MINUTE,
            refused: Some(0),
            ..quiet(0)
        });
        assert_eq!(learned.last_refusal(), Some((now, 3)));
        learned.aged(MINUTE);
        assert_eq!(learned.last_refusal(), Some((now.before(MINUTE), 3)));
    }
}
