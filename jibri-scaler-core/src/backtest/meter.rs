//! Adds up how long how many instances did what.

use std::time::Duration;

use super::{Outcome, Sample};
use crate::Timestamp;

/// What an instance costs its time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Booting = 0,
    Idle = 1,
    Busy = 2,
    Draining = 3,
}

#[derive(Debug)]
pub(super) struct Meter {
    now: Timestamp,
    /// What is before this time is not counted.
    from: Timestamp,
    counts: [u32; 4],
    /// In microseconds.
    times: [u64; 4],
    none_idle: u64,
    billed: u64,
    peak: u32,
}

impl Meter {
    pub(super) const fn new(now: Timestamp, from: Timestamp) -> Self {
        Self {
            now,
            from,
            counts: [0; 4],
            times: [0; 4],
            none_idle: 0,
            billed: 0,
            peak: 0,
        }
    }

    /// Whether this time counts.
    pub(super) fn counts(&self, at: Timestamp) -> bool {
        at >= self.from
    }

    /// Lets time go on.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let passed = micros(self.now.max(self.from), now);
        if passed > 0 {
            for (time, count) in self.times.iter_mut().zip(self.counts) {
                *time += passed * u64::from(count);
            }
            if self.counts[Use::Idle as usize] == 0 {
                self.none_idle += passed;
            }
            self.peak = self.peak.max(self.counts.iter().sum());
        }
        self.now = now;
    }

    pub(super) fn begin(&mut self, to: Use) {
        self.counts[to as usize] += 1;
    }

    pub(super) fn change(&mut self, from: Use, to: Use) {
        self.counts[from as usize] -= 1;
        self.counts[to as usize] += 1;
    }

    pub(super) fn end(&mut self, from: Use, launched_at: Timestamp) {
        self.counts[from as usize] -= 1;
        self.bill(launched_at);
    }

    /// Adds what an instance that was launched then has cost until now.
    pub(super) fn bill(&mut self, launched_at: Timestamp) {
        self.billed += micros(launched_at.max(self.from), self.now);
    }

    pub(super) const fn sample(&self, at: Timestamp, desired: u32) -> Sample {
        let [booting, idle, busy, draining] = self.counts;
        Sample {
            at,
            desired,
            booting,
            idle,
            busy,
            draining,
        }
    }

    pub(super) fn write(&self, outcome: &mut Outcome) {
        let [booting, idle, busy, draining] = self.times.map(Duration::from_micros);
        outcome.counted = Some((self.from, self.now.max(self.from)));
        (outcome.booting, outcome.idle) = (booting, idle);
        (outcome.busy, outcome.draining) = (busy, draining);
        outcome.billed = Duration::from_micros(self.billed);
        outcome.none_idle = Duration::from_micros(self.none_idle);
        outcome.peak = self.peak;
    }
}

fn micros(from: Timestamp, until: Timestamp) -> u64 {
    u64::try_from(until.as_micros().saturating_sub(from.as_micros())).unwrap_or(0)
}
