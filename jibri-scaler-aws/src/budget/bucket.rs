//! Who may call next, as a pure state machine.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::Call;

/// The part that is for acts alone.
const FOR_ACTS: f64 = 0.25;

/// Nobody looks again sooner, so that rounding makes no busy loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Calls that may be made.
#[derive(Debug)]
struct Tokens {
    left: f64,
    most: f64,
}

impl Tokens {
    const fn full(most: f64) -> Self {
        Self { left: most, most }
    }

    /// Returns what does not fit in.
    fn add(&mut self, more: f64) -> f64 {
        let all = self.left + more;
        self.left = all.min(self.most);
        all - self.left
    }

    fn is_there(&self) -> bool {
        self.left >= 1.0
    }
}

/// What one group waits for.
#[derive(Debug, Default)]
struct Lane {
    acts: VecDeque<u64>,
    reads: VecDeque<u64>,
    /// Retries that were made without waiting, and are paid for before the next read.
    owes: u32,
    /// The number of the last turn it had.
    last: u64,
}

/// The bucket, with the lanes of the groups before it. Lanes take turns: next is the one whose last turn is longest ago. Times are
/// those of a clock that never goes back.
///
/// A quarter of the calls is for acts alone, and what of that is not needed goes to all. So no number of reads keeps an act from
/// being made, and no number of acts a read.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    for_all: Tokens,
    for_acts: Tokens,
    at: Duration,
    lanes: BTreeMap<Arc<str>, Lane>,
    turns: u64,
    tickets: u64,
    granted: BTreeSet<u64>,
}

impl Bucket {
    pub(super) fn new(per_second: f64, burst: u32) -> Self {
        let burst = f64::from(burst);
        let for_acts = (burst * FOR_ACTS).max(1.0);
        Self {
            per_second,
            for_all: Tokens::full(burst - for_acts),
            for_acts: Tokens::full(for_acts),
            at: Duration::ZERO,
            lanes: BTreeMap::new(),
            turns: 0,
            tickets: 0,
            granted: BTreeSet::new(),
        }
    }

    /// The lane of that name; those that nobody has any more are forgotten.
    pub(super) fn lane(&mut self, name: &str) -> Arc<str> {
        self.lanes.retain(|name, _| Arc::strong_count(name) > 1);
        if let Some((name, _)) = self.lanes.get_key_value(name) {
            return Arc::clone(name);
        }
        let name: Arc<str> = name.into();
        self.lanes.insert(Arc::clone(&name), Lane::default());
        name
    }

    /// Goes to the end of a lane. The ticket is to be given back by [`leave`](Self::leave).
    pub(super) fn enter(&mut self, lane: &str, call: Call) -> u64 {
        self.tickets += 1;
        let lane = self.lanes.entry(lane.into()).or_default();
        match call {
            Call::Act => lane.acts.push_back(self.tickets),
            Call::Read => lane.reads.push_back(self.tickets),
        }
        self.tickets
    }

    /// Whether this one may call now; if not, after what time to look again.
    pub(super) fn look(&mut self, ticket: u64, call: Call, now: Duration) -> Result<(), Duration> {
        self.refill(now);
        while self.serve_act() || self.serve_any() {}
        if self.granted.contains(&ticket) {
            return Ok(());
        }
        // The soonest it can be, where the whole rate goes there. Nothing of that is whole now, or it would have been given away.
        let fullest = match call {
            Call::Read => self.for_all.left,
            Call::Act => self.for_all.left.max(self.for_acts.left),
        };
        let wait = Duration::from_secs_f64((1.0 - fullest).max(0.0) / self.per_second);
        Err(wait.max(SHORTEST_WAIT))
    }

    /// Gives the ticket back, used or not.
    pub(super) fn leave(&mut self, lane: &str, ticket: u64) {
        if self.granted.remove(&ticket) {
            return;
        }
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.acts.retain(|waiting| *waiting != ticket);
            lane.reads.retain(|waiting| *waiting != ticket);
        }
    }

    /// A call was made without waiting.
    pub(super) fn owe(&mut self, lane: &str) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.owes = lane.owes.saturating_add(1);
        }
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        let more = passed.as_secs_f64() * self.per_second;
        let spilt = self.for_acts.add(more * FOR_ACTS);
        self.for_all.add(more - more * FOR_ACTS + spilt);
    }

    /// An act from what is for acts alone.
    fn serve_act(&mut self) -> bool {
        if !self.for_acts.is_there() {
            return false;
        }
        let Some(lane) = next(&mut self.lanes, |lane| !lane.acts.is_empty()) else {
            return false;
        };
        self.granted.extend(lane.acts.pop_front());
        self.turns += 1;
        lane.last = self.turns;
        self.for_acts.left -= 1.0;
        true
    }

    /// Whatever waits, acts of a lane before its reads.
    fn serve_any(&mut self) -> bool {
        if !self.for_all.is_there() {
            return false;
        }
        let waits = |lane: &Lane| !lane.acts.is_empty() || !lane.reads.is_empty();
        let Some(lane) = next(&mut self.lanes, waits) else {
            return false;
        };
        if let Some(act) = lane.acts.pop_front() {
            self.granted.insert(act);
        } else if lane.owes > 0 {
            lane.owes -= 1;
        } else {
            self.granted.extend(lane.reads.pop_front());
        }
        self.turns += 1;
        lane.last = self.turns;
        self.for_all.left -= 1.0;
        true
    }
}

fn next(lanes: &mut BTreeMap<Arc<str>, Lane>, waits: impl Fn(&Lane) -> bool) -> Option<&mut Lane> {
    let waiting = lanes.values_mut().filter(|lane| waits(lane));
    waiting.min_by_key(|lane| lane.last)
}

#[cfg(test)]
mod tests;
