//! Time that also passes while the machine sleeps.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// The two clocks of a machine, by which a replica knows how long it leads.
///
/// A clock of one's own is for tests: without one the [`Instant`] and the [`SystemTime`] of the machine are taken.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use jibri_scaler_aws::Clock;
///
/// /// Always the same time.
/// #[derive(Debug)]
/// struct Stopped;
///
/// impl Clock for Stopped {
///     fn monotonic(&self) -> Duration {
///         Duration::ZERO
///     }
///
///     fn wall(&self) -> SystemTime {
///         SystemTime::UNIX_EPOCH
///     }
/// }
/// ```
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time since some fixed moment, by a clock that nobody sets. It may stand still while the machine is suspended, as
    /// `CLOCK_MONOTONIC` does on Linux.
    fn monotonic(&self) -> Duration;

    /// The time of day, which may be wrong and may be set. It goes on while the machine is suspended.
    fn wall(&self) -> SystemTime;
}

/// The clocks of this machine.
#[derive(Debug)]
pub(super) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A moment, as it is counted by who waits and by who leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// For how long another must be seen unchanged: a wall clock that is set must not make that shorter.
    pub(super) waiting: Duration,
    /// For how long this one leads: whichever clock has gone further counts, so that it never leads for longer than it thinks.
    pub(super) leading: Duration,
}

/// Reads the clocks. What has passed for who leads is added up from look to look, so that a wall clock which is set forth and back
/// takes nothing away again.
#[derive(Debug)]
pub(super) struct Watch {
    clock: Box<dyn Clock>,
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    monotonic: Duration,
    wall: SystemTime,
    leading: Duration,
}

impl Watch {
    pub(super) fn new(clock: Box<dyn Clock>) -> Self {
        let last = Last {
            monotonic: clock.monotonic(),
            wall: clock.wall(),
            leading: Duration::ZERO,
        };
        Self {
            clock,
            last: Mutex::new(last),
        }
    }

    pub(super) fn now(&self) -> Moment {
        let mut last = self.last();
        // Read under the lock, so that the looks of two threads are in one order.
        let (monotonic, wall) = (self.clock.monotonic(), self.clock.wall());
        let by_monotonic = monotonic.saturating_sub(last.monotonic);
        let by_wall = wall.duration_since(last.wall).unwrap_or_default();
        last.leading = last.leading.saturating_add(by_monotonic.max(by_wall));
        last.monotonic = last.monotonic.max(monotonic);
        last.wall = wall;
        Moment {
            waiting: last.monotonic,
            leading: last.leading,
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        // Nothing panics while it is held.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Debug)]
    struct Hands(Arc<Mutex<(Duration, SystemTime)>>);

    impl Clock for Hands {
        fn monotonic(&self) -> Duration {
            self.0.lock().unwrap().0
        }

        fn wall(&self) -> SystemTime {
            self.0.lock().unwrap().1
        }
    }

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn who_leads_counts_the_clock_that_went_further_and_who_waits_the_one_that_nobody_sets() {
        let hands = Hands(Arc::new(Mutex::new((HOUR, SystemTime::UNIX_EPOCH + HOUR))));
        let watch = Watch::new(Box::new(hands.clone()));
        let start = watch.now();
        let passed = || {
            let now = watch.now();
            let since = |now: Duration, start: Duration| now.as_secs() - start.as_secs();
            (
                since(now.waiting, start.waiting),
                since(now.leading, start.leading),
            )
        };
        let second = Duration::from_secs(1);
        hands.0.lock().unwrap().0 += second;
        assert_eq!(passed(), (1, 1), "the wall clock stands");
        // Suspended.
        hands.0.lock().unwrap().1 += HOUR;
        assert_eq!(passed(), (1, 3601));
        // Set back again: what has passed has passed.
        hands.0.lock().unwrap().1 -= HOUR;
        assert_eq!(passed(), (1, 3601));
        hands.0.lock().unwrap().0 += second;
        assert_eq!(passed(), (2, 3602));
    }
}
