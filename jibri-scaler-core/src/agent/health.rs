//! What the Jibris of this machine say, all together and over time.

use std::time::Duration;

use crate::{BusyStatus, HealthStatus, JibriStatus, port::ProbeOutcome};

/// What the Jibris of one machine say, taken together.
///
/// ```
/// use jibri_scaler_core::{BusyStatus, HealthStatus, JibriStatus, agent::Reading, port::ProbeOutcome};
///
/// let says = |busy| ProbeOutcome::Answered(JibriStatus::new(busy, HealthStatus::Healthy));
/// assert_eq!(Reading::of(&[says(BusyStatus::Idle)]), Reading::Idle);
/// // Busy while any is, and idle only when all are.
/// assert_eq!(Reading::of(&[ProbeOutcome::Refused, says(BusyStatus::Busy)]), Reading::Busy);
/// assert_eq!(Reading::of(&[says(BusyStatus::Idle), ProbeOutcome::Refused]), Reading::Unknown);
/// assert_eq!(Reading::of(&[]), Reading::Unknown);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reading {
    /// All are IDLE and HEALTHY.
    Idle,
    /// One has done its single recording, and the others are idle.
    Expired,
    /// One is UNHEALTHY, and none is busy or unknown.
    Unhealthy,
    /// One did not answer, or not in a way that is known here, and none is busy.
    Unknown,
    /// One is BUSY.
    Busy,
}

impl Reading {
    /// What these attempts say, one for each Jibri. No attempt says nothing.
    #[must_use]
    pub fn of(outcomes: &[ProbeOutcome]) -> Self {
        let worst = outcomes.iter().map(|outcome| match outcome {
            ProbeOutcome::Answered(status) => Self::of_one(status),
            _ => Self::Unknown,
        });
        worst.max().unwrap_or(Self::Unknown)
    }

    /// Whether it is an answer without BUSY in it.
    #[must_use]
    pub const fn is_free(self) -> bool {
        matches!(self, Self::Idle | Self::Expired | Self::Unhealthy)
    }

    fn of_one(status: &JibriStatus) -> Self {
        match (&status.busy, &status.health) {
            (BusyStatus::Busy, _) => Self::Busy,
            (BusyStatus::Unknown(_), _) | (_, HealthStatus::Unknown(_)) => Self::Unknown,
            (_, HealthStatus::Unhealthy) => Self::Unhealthy,
            (BusyStatus::Expired, HealthStatus::Healthy) => Self::Expired,
            (BusyStatus::Idle, HealthStatus::Healthy) => Self::Idle,
        }
    }
}

/// The readings of an agent, and what has lasted over them.
#[derive(Clone, Debug)]
pub(super) struct Health {
    freshness: Duration,
    /// The newest reading, and when it was begun.
    newest: Option<(Reading, Duration)>,
    /// Whether all have answered since the agent was started.
    pub(super) answered: bool,
    /// The first and the newest reading of an unbroken run of idle ones.
    idle: Option<(Duration, Duration)>,
    busy_since: Option<Duration>,
    /// For how long it was busy before that, as an agent before this one saw it.
    busy_before: Duration,
    /// When anything was last heard.
    heard_at: Duration,
    /// Self checks that have failed in a row.
    failed_checks: u32,
}

/// So many self checks that fail in a row make a Jibri count as unhealthy.
const FAILED_CHECKS: u32 = 2;

impl Health {
    pub(super) const fn new(freshness: Duration) -> Self {
        Self {
            freshness,
            newest: None,
            answered: false,
            idle: None,
            busy_since: None,
            busy_before: Duration::ZERO,
            heard_at: Duration::ZERO,
            failed_checks: 0,
        }
    }

    /// Takes in a reading that was begun then.
    pub(super) fn read(&mut self, reading: Reading, begun: Duration) {
        let unbroken = |newest: Duration| begun.saturating_sub(newest) <= self.freshness;
        self.idle = match (reading, self.idle) {
            (Reading::Idle, Some((first, newest))) if unbroken(newest) => Some((first, begun)),
            (Reading::Idle, _) => Some((begun, begun)),
            _ => None,
        };
        if reading == Reading::Busy {
            self.busy_since = self.busy_since.or(Some(begun));
        } else if reading.is_free() {
            self.busy_since = None;
            self.busy_before = Duration::ZERO;
        }
        if reading != Reading::Unknown {
            self.heard_at = begun;
            self.answered |= true;
        }
        self.newest = Some((reading, begun));
    }

    /// Takes in whether the self check has passed.
    pub(super) const fn checked(&mut self, passed: bool) {
        self.failed_checks = if passed {
            0
        } else {
            self.failed_checks.saturating_add(1)
        };
    }

    pub(super) const fn has_failed_a_check(&self) -> bool {
        self.failed_checks > 0
    }

    /// What is known now: a reading that is too old says nothing, and one that fails its self check is not healthy.
    pub(super) fn now(&self, elapsed: Duration) -> Reading {
        match self.newest {
            Some((reading, begun)) if elapsed.saturating_sub(begun) <= self.freshness => {
                if reading == Reading::Idle && self.failed_checks >= FAILED_CHECKS {
                    Reading::Unhealthy
                } else {
                    reading
                }
            }
            _ => Reading::Unknown,
        }
    }

    /// Whether it says that it is idle and healthy, whatever its self check gave.
    pub(super) fn is_resting(&self, elapsed: Duration) -> bool {
        self.newest.is_some_and(|(reading, begun)| {
            reading == Reading::Idle && elapsed.saturating_sub(begun) <= self.freshness
        })
    }

    /// For how long it has been idle without a gap; `None` where it is not idle now, or was read only once.
    pub(super) fn idle_for(&self, elapsed: Duration) -> Option<Duration> {
        let (first, newest) = self.idle?;
        (self.now(elapsed) == Reading::Idle && newest > first).then(|| newest.saturating_sub(first))
    }

    /// For how long it has been busy.
    pub(super) fn busy_for(&self, elapsed: Duration) -> Option<Duration> {
        let seen = elapsed.saturating_sub(self.busy_since?);
        Some(seen.saturating_add(self.busy_before))
    }

    /// When it was first seen busy by this agent.
    pub(super) const fn busy_since(&self) -> Option<Duration> {
        self.busy_since
    }

    /// Takes in that it was busy for so long before it was first seen.
    pub(super) const fn was_busy_before(&mut self, duration: Duration) {
        self.busy_before = duration;
    }

    /// Whether the newest reading is an answer without BUSY in it.
    pub(super) fn is_free(&self) -> bool {
        self.newest.is_some_and(|(reading, _)| reading.is_free())
    }

    /// For how long nothing has been heard.
    pub(super) const fn silent_for(&self, elapsed: Duration) -> Duration {
        elapsed.saturating_sub(self.heard_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::from_secs(5);

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn says(busy: &str, health: &str) -> ProbeOutcome {
        ProbeOutcome::Answered(JibriStatus::new(busy.into(), health.into()))
    }

    #[test]
    fn the_worst_of_all_jibris_counts() {
        let idle = || says("IDLE", "HEALTHY");
        let cases = [
            (vec![idle(), idle()], Reading::Idle),
            (vec![idle(), says("EXPIRED", "HEALTHY")], Reading::Expired),
            (
                vec![says("IDLE", "UNHEALTHY"), says("EXPIRED", "HEALTHY")],
                Reading::Unhealthy,
            ),
            (vec![says("EXPIRED", "UNHEALTHY")], Reading::Unhealthy),
            (
                vec![says("IDLE", "UNHEALTHY"), ProbeOutcome::TimedOut],
                Reading::Unknown,
            ),
            (
                vec![ProbeOutcome::TimedOut, says("BUSY", "UNHEALTHY"), idle()],
                Reading::Busy,
            ),
            (vec![says("BUSY", "")], Reading::Busy),
            (vec![says("IDLE", "")], Reading::Unknown),
            (vec![says("idle", "HEALTHY")], Reading::Unknown),
            (vec![ProbeOutcome::Garbage], Reading::Unknown),
            (vec![ProbeOutcome::HttpStatus(503)], Reading::Unknown),
        ];
        for (outcomes, reading) in cases {
            assert_eq!(Reading::of(&outcomes), reading, "{outcomes:?}");
        }
    }

    #[test]
    fn idle_time_is_an_unbroken_run_of_at_least_two_readings() {
        let mut health = Health::new(FRESH);
        health.read(Reading::Idle, secs(10));
        assert_eq!(health.idle_for(secs(10)), None, "one reading is no run");
        health.read(Reading::Idle, secs(15));
        assert_eq!(health.idle_for(secs(20)), Some(secs(5)));
        assert_eq!(health.idle_for(secs(21)), None, "the newest is too old");
        for broken in [
            Reading::Busy,
            Reading::Unknown,
            Reading::Unhealthy,
            Reading::Expired,
        ] {
            let mut health = health.clone();
            health.read(broken, secs(16));
            health.read(Reading::Idle, secs(17));
            health.read(Reading::Idle, secs(18));
            assert_eq!(health.idle_for(secs(18)), Some(secs(1)), "{broken:?}");
        }
        health.read(Reading::Idle, secs(21));
        health.read(Reading::Idle, secs(22));
        assert_eq!(
            health.idle_for(secs(22)),
            Some(secs(1)),
            "a gap begins it anew"
        );
    }

    #[test]
    fn busy_time_outlasts_readings_that_fail() {
        let mut health = Health::new(FRESH);
        health.read(Reading::Busy, secs(10));
        health.read(Reading::Unknown, secs(20));
        health.read(Reading::Busy, secs(30));
        assert_eq!(health.busy_for(secs(40)), Some(secs(30)));
        health.was_busy_before(secs(100));
        assert_eq!(health.busy_for(secs(40)), Some(secs(130)));
        health.read(Reading::Idle, secs(41));
        assert_eq!(health.busy_for(secs(42)), None);
        health.read(Reading::Busy, secs(43));
        assert_eq!(health.busy_for(secs(44)), Some(secs(1)));
    }

    #[test]
    fn two_self_checks_that_fail_make_it_unhealthy() {
        let mut health = Health::new(FRESH);
        health.read(Reading::Idle, secs(1));
        health.checked(false);
        assert_eq!(health.now(secs(1)), Reading::Idle);
        health.checked(false);
        assert_eq!(health.now(secs(1)), Reading::Unhealthy);
        health.read(Reading::Busy, secs(2));
        assert_eq!(
            health.now(secs(2)),
            Reading::Busy,
            "what records is left alone"
        );
        health.read(Reading::Idle, secs(3));
        health.checked(true);
        assert_eq!(health.now(secs(3)), Reading::Idle);
    }
}
