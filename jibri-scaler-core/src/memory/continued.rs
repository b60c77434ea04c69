//! How a controller goes on from a memory.

use super::Memory;
use crate::{Limits, Timestamp};

impl Memory {
    /// One that begins now, of which what it did before may be forgotten: a Jibri may have been told to end just before, and is told
    /// directly only [`tell_interval`](Limits::tell_interval) later.
    ///
    /// ```
    /// use jibri_scaler_core::{Memory, Timestamp};
    ///
    /// let memory = Memory::anew(Timestamp::from_secs(0));
    /// assert!(memory.retirements().is_empty());
    /// ```
    #[must_use]
    pub fn anew(now: Timestamp) -> Self {
        Self {
            known_since: Some(now),
            ..Self::default()
        }
    }

    /// The same for a controller that goes on from it at that time. Where the last tick that it remembers is longer ago than `report_ttl`,
    /// or lies ahead, what was done since then may not be in it: then nobody is told directly for
    /// [`tell_interval`](Limits::tell_interval), as after [`anew`](Self::anew).
    ///
    /// ```
    /// use jibri_scaler_core::{Limits, Memory, Timestamp};
    ///
    /// let (now, limits) = (Timestamp::from_secs(0), Limits::default());
    /// let memory = Memory::default();
    /// assert_eq!(memory.resumed(now, &limits), Memory::anew(now), "it remembers no tick");
    /// ```
    #[must_use]
    pub fn resumed(mut self, now: Timestamp, limits: &Limits) -> Self {
        let is_recent = |last: Timestamp| last <= now && now.since(last) <= limits.report_ttl();
        if !self.last_tick.is_some_and(is_recent) {
            self.known_since = Some(now);
            for retirement in self.retirements.values_mut() {
                *retirement = retirement.clone().known_since(now, limits);
            }
        }
        self
    }

    /// The same for one that goes on from what another has saved, whose clock says little here.
    pub(crate) fn taken_over(mut self, now: Timestamp, limits: &Limits) -> Self {
        let ttl = limits.report_ttl();
        // That clock may be ahead, which is no step back of this one.
        let is_ahead = |last: &Timestamp| *last > now && last.since(now) <= ttl;
        if self.last_tick.as_ref().is_some_and(is_ahead) {
            self.last_tick = Some(now);
        }
        // Nor does it say how long ago by this one the other began to know, looked, or asked.
        let may_be_recent = |since: Timestamp| now.since(since) <= limits.tell_interval() + ttl;
        let by_this_clock = |since| if may_be_recent(since) { now } else { since };
        self.known_since = self.known_since.map(by_this_clock);
        for retirement in self.retirements.values_mut() {
            retirement.unwatched();
            retirement.asked_by_another(now, limits);
        }
        self.resumed(now, limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a clock that is behind by no more than `report_ttl` it began to know a `tell_interval` ago, or later.
    #[test]
    fn what_another_began_to_know_just_before_counts_from_now() {
        let (limits, now) = (Limits::default(), Timestamp::from_secs(1000));
        let taken_over = |since| {
            let memory = Memory {
                known_since: Some(Timestamp::from_secs(since)),
                last_tick: Some(now),
                ..Memory::default()
            };
            memory.taken_over(now, &limits).known_since
        };
        for since in [1030, 1000, 900, 790] {
            assert_eq!(taken_over(since), Some(now), "{since}");
        }
        assert_eq!(taken_over(789), Some(Timestamp::from_secs(789)));
    }
}
