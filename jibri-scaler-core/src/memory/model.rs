//! What the model of the protocol needs of a memory, so that there are finitely many situations.

use super::{Learned, Memory};
use crate::{InstanceId, Limits, Timestamp};

impl Memory {
    /// The same with all times moved, and without those that no rule reads or that no decision after `now` can read, so that
    /// situations that behave alike are equal. In the model a surplus need not last.
    #[doc(hidden)]
    #[must_use]
    pub fn moved(mut self, moved: impl Fn(Timestamp) -> Timestamp) -> Self {
        self.last_tick = self.last_tick.map(&moved);
        // It is compared with the time of the next tick only, which is later.
        self.broken_at = None;
        self.missing_since = None;
        self.known_since = self.known_since.map(&moved);
        // It holds growth back for longer than the model looks ahead.
        self.back_off = None;
        // No rule of safety looks at it.
        self.learned = Learned::default();
        // They only say whether the surplus is measured anew.
        (self.desired_seen, self.desired_set, self.decrements_due) = (None, None, 0);
        self.window.since = self.window.since.map(|_| moved(Timestamp::MIN));
        self.window.lows.clear();
        self.window.taken = 0;
        let is_alone = self.instances.len() == 1;
        for trace in &mut self.instances {
            trace.first_seen = if trace.heard {
                moved(Timestamp::MIN)
            } else {
                moved(trace.first_seen)
            };
            // It says when a report of another clock counts as received. Here there is one clock, and the report has that itself.
            trace.report = None;
            trace.idle = trace
                .idle
                .map(|(first, newest)| (moved(first), moved(newest)));
            if is_alone {
                // Who has been idle for longest goes first: of one there is no order, and only whether there were two reports is asked.
                trace.idle = trace.idle.map(|(first, newest)| {
                    let is_one = first == newest;
                    (
                        if is_one {
                            newest
                        } else {
                            moved(Timestamp::MIN)
                        },
                        newest,
                    )
                });
            }
            trace.busy_since = None;
            trace.unknown_since = None;
            trace.booted = true;
        }
        for retirement in self.retirements.values_mut() {
            *retirement = retirement.clone().moved(&moved);
        }
        self
    }

    /// The same where what lies before the horizon is the same to every rule.
    #[doc(hidden)]
    #[must_use]
    pub fn within(mut self, limits: &Limits, now: Timestamp, horizon: Timestamp) -> Self {
        let is_read = |since: &Timestamp| now.since(*since) < limits.tell_interval();
        self.known_since = self.known_since.filter(is_read);
        self.last_tick = self.last_tick.map(|at| at.max(horizon));
        for trace in &mut self.instances {
            trace.first_seen = trace.first_seen.max(horizon);
            trace.idle = trace
                .idle
                .map(|(first, newest)| (first.max(horizon), newest.max(horizon)));
        }
        self
    }

    /// The same, and without what no rule reads of an instance whose retirement has begun: it counts as retiring, whatever it says, until
    /// it is no longer listed. Not for a retirement that may turn out not to have begun.
    #[doc(hidden)]
    #[must_use]
    pub fn settled(self, limits: &Limits, now: Timestamp, horizon: Timestamp) -> Self {
        let mut memory = self.within(limits, now, horizon);
        for (id, retirement) in &mut memory.retirements {
            *retirement = retirement.clone().settled(limits, now, horizon);
            if let Some(trace) = memory.instances.iter_mut().find(|trace| trace.id == *id) {
                trace.idle = None;
            }
        }
        memory
    }

    /// When the last tick began.
    #[doc(hidden)]
    #[must_use]
    pub const fn last_tick(&self) -> Option<Timestamp> {
        self.last_tick
    }

    /// Since when an instance has been idle, as far as that is remembered.
    #[doc(hidden)]
    #[must_use]
    pub fn idle_since(&self, id: &InstanceId) -> Option<Timestamp> {
        let trace = self.instances.iter().find(|trace| trace.id == *id)?;
        trace.idle.map(|(first, _)| first)
    }

    /// The same where it has been idle since then.
    #[doc(hidden)]
    #[must_use]
    pub fn with_idle_since(mut self, id: &InstanceId, since: Timestamp) -> Self {
        let trace = self.instances.iter_mut().find(|trace| trace.id == *id);
        if let Some((first, _)) = trace.and_then(|trace| trace.idle.as_mut()) {
            *first = since;
        }
        self
    }
}
