//! When something is tried again, without a clock and without chance.

use std::time::Duration;

use crate::{InstanceId, Timestamp};

/// Time as an agent feels it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// What the clock shows; it may step.
    pub(super) wall: Timestamp,
    /// How long the agent has run; never less than before.
    pub(super) elapsed: Duration,
}

impl Clock {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            wall: now,
            elapsed: Duration::ZERO,
        }
    }

    /// Takes in the time. Returns how far the clock stepped back.
    pub(super) fn advance(&mut self, now: Timestamp) -> Duration {
        self.elapsed += now.since(self.wall);
        let back = self.wall.since(now);
        self.wall = now;
        back
    }
}

/// A number that is the same for the same instance, whoever asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn new(id: &InstanceId) -> Self {
        Self(hash(id.as_str().as_bytes()))
    }

    /// One of the numbers from 0 to below 1, the same for the same `salt`.
    #[expect(
        clippy::cast_precision_loss,
        reason = "32 bits fit into an f64 exactly"
    )]
    pub(super) fn share(self, salt: u64) -> f64 {
        let bits = mix(self.0 ^ mix(salt)) >> 32;
        bits as f64 / (1_u64 << 32) as f64
    }
}

/// FNV-1a, well mixed.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    mix(hash)
}

/// The finalizer of splitmix64.
const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// When one kind of act may be begun again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    not_before: Duration,
    failures: u32,
}

impl Pace {
    pub(super) fn is_due(&self, elapsed: Duration) -> bool {
        elapsed >= self.not_before
    }

    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Not before so long from now.
    pub(super) fn wait(&mut self, elapsed: Duration, pause: Duration) {
        self.not_before = elapsed + pause;
    }

    /// No later than then.
    pub(super) fn hasten(&mut self, at: Duration) {
        self.not_before = self.not_before.min(at);
    }

    /// At once.
    pub(super) const fn now(&mut self) {
        self.not_before = Duration::ZERO;
    }

    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Twice as long as after the failure before, up to `cap`, give or take a half, so that instances that failed together do not
    /// try again together.
    pub(super) fn failed(&mut self, elapsed: Duration, first: Duration, cap: Duration, seed: Seed) {
        let pause = first.saturating_mul(1 << self.failures.min(16)).min(cap);
        self.failures = self.failures.saturating_add(1);
        let jitter = 0.5 + seed.share(u64::from(self.failures));
        self.not_before = elapsed + pause.mul_f64(jitter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(id: &str) -> Seed {
        Seed::new(&id.parse().unwrap())
    }

    const FIRST: Duration = Duration::from_secs(5);
    const CAP: Duration = Duration::from_secs(300);

    #[test]
    fn pauses_grow_are_bounded_and_differ_between_instances() {
        let pauses = |id| {
            let mut pace = Pace::default();
            (0..40)
                .map(|_| {
                    pace.failed(Duration::ZERO, FIRST, CAP, seed(id));
                    pace.not_before
                })
                .collect::<Vec<_>>()
        };
        let (a, b) = (pauses("i-a"), pauses("i-b"));
        assert_eq!(a, pauses("i-a"), "the same instance, the same pauses");
        assert_ne!(a, b);
        for (n, pause) in a.iter().enumerate() {
            let plain = FIRST.saturating_mul(1 << n.min(16)).min(CAP);
            assert!(
                (plain.mul_f64(0.5)..plain.mul_f64(1.5)).contains(pause),
                "{n}: {pause:?}"
            );
        }
    }

    #[test]
    fn shares_are_spread() {
        let shares: Vec<f64> = (0..1000)
            .map(|n| seed(&format!("i-{n}")).share(0))
            .collect();
        for tenth in 0..10 {
            let from = f64::from(tenth) / 10.0;
            let inside = |share: &&f64| (from..from + 0.1).contains(*share);
            let count = shares.iter().filter(inside).count();
            assert!((60..140).contains(&count), "{tenth}: {count}");
        }
    }

    #[test]
    fn the_clock_never_feels_a_step_back() {
        let at = Timestamp::from_secs;
        let mut clock = Clock::new(at(1000));
        assert_eq!(clock.advance(at(1010)), Duration::ZERO);
        assert_eq!(clock.advance(at(410)), Duration::from_secs(600));
        assert_eq!(clock.advance(at(411)), Duration::ZERO);
        assert_eq!(clock.elapsed, Duration::from_secs(11));
    }
}
