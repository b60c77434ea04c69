//! How agents count their group.
//!
//! What a point of the idle signal says of the group is read as the largest of all agents' numbers, so that a few of them suffice to
//! keep it fresh, and no more are to list the group: all Auto Scaling calls of the account share one bucket.

use std::time::Duration;

use super::Agent;
use crate::{
    Timestamp,
    agent::{ActKind, Publish},
};

/// In each such stretch of time some agents list the group to count it.
const EVERY: Duration = Duration::from_secs(300);

/// So many of them, as expected: each with a chance of this many in as many as are in service, so that the number of calls does not
/// grow with the group. That within [`HOLDS`] none does has a chance of e⁻⁹, about one in eight thousand.
const COUNTERS: f64 = 6.0;

/// Who has listed the group for any other reason a shorter time ago does not list it to count.
const RECENT: Duration = Duration::from_secs(120);

/// What was counted is published for so long, which is longer than the time between two lists of an agent that counts each time.
const HOLDS: Duration = Duration::from_secs(450);

/// And for so long where the agent's turn has come and it could not list the group since.
const HOLDS_WHILE_FAILING: Duration = Duration::from_secs(3600);

/// When an agent counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counting {
    /// The newest stretch in which its turn has come or passed.
    done: i64,
    /// Whether it is to list the group, and has not yet.
    is_due: bool,
}

impl Counting {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            done: slot(now) - 1,
            is_due: false,
        }
    }

    pub(super) const fn listed(&mut self) {
        self.is_due = false;
    }
}

fn slot(now: Timestamp) -> i64 {
    let every = i64::try_from(EVERY.as_micros()).unwrap_or(i64::MAX);
    now.as_micros().div_euclid(every)
}

impl Agent {
    /// Lists the group once when it comes into service, and later when it is its turn.
    pub(super) fn count(&mut self) {
        if !self.in_service() || self.drain.is_some() {
            return;
        }
        let Some(listed) = self.listed else {
            self.list(super::LISTED_AGAIN);
            return;
        };
        let now = self.clock.wall;
        let slot = slot(now);
        // Its place inside each stretch is always the same, so that one alone is never without a fresh number.
        let turn = EVERY.mul_f64(self.seed.share(2));
        if slot != self.counting.done && slot == self::slot(now.before(turn)) {
            self.counting.done = slot;
            let chance = COUNTERS / f64::from(listed.in_service.max(1));
            let is_chosen = self.seed.share(slot.unsigned_abs()) < chance;
            self.counting.is_due = is_chosen && listed.age(self.clock.elapsed) >= RECENT;
        }
        // A look whether it is surplus lists anyway.
        if self.counting.is_due && self.looking.is_none() {
            self.list(super::LISTED_AGAIN);
        }
    }

    /// How many are in service at least, and how many are retained, to be published. An agent that has not counted lately knows of
    /// itself: that raises no maximum.
    pub(super) fn counts(&self) -> (Option<u32>, Option<u32>) {
        let Some(listed) = self.listed else {
            return (None, None);
        };
        let is_failing = self.counting.is_due && self.failures(ActKind::List) > 0;
        let holds = if is_failing {
            HOLDS_WHILE_FAILING
        } else {
            HOLDS
        };
        let is_fresh = listed.age(self.clock.elapsed) <= holds;
        let in_service = if is_fresh { listed.in_service } else { 1 };
        // Alarms on batched points would be late, so that they miss the guard without which nothing grows.
        let is_each = self.config.publish() == Publish::Each;
        (
            is_each.then_some(in_service),
            is_fresh.then_some(listed.retained),
        )
    }
}
