//! What is remembered from tick to tick.

mod back_off;
mod continued;
#[cfg(feature = "__model")]
mod model;

pub(crate) use back_off::BackOff;

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    FleetSnapshot, InstanceId, Timestamp, learned::Learned, operator::Operator, port::Told,
    retirement::Retirement,
};

/// What a decision hands on to the next one: since when each Jibri is idle, how the surplus went, which retirements are under
/// way.
///
/// It is serde data with a version. Its size is bounded by the number of instances, with the [`Learned`] beside them. Losing it never endangers a recording: it
/// delays shrinking by one idle timeout, lets a controller tell nobody directly for a [`tell_interval`](crate::Limits::tell_interval), and may leave
/// an instance running whose Jibri was already told to go. So keep it, in a file for instance.
///
/// What an older release wrote is read with all that it holds. A memory of a later version is refused, since it may hold retirements
/// that this release does not understand. What can't be read of the [`Learned`] alone is left out, and the next decision has a finding
/// that says so.
///
/// ```
/// use jibri_scaler_core::Memory;
///
/// let memory = Memory::default();
/// let text = serde_json::to_string(&memory)?;
/// assert_eq!(serde_json::from_str::<Memory>(&text)?, memory);
/// assert!(serde_json::from_str::<Memory>(r#"{"version": 99}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Memory {
    version: Version,
    /// When the last decision was taken.
    pub(crate) last_tick: Option<Timestamp>,
    /// When there was a gap or a step back in time last.
    pub(crate) broken_at: Option<Timestamp>,
    /// Since when it is known what was done, where that is not always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) known_since: Option<Timestamp>,
    /// The desired capacity that was observed then.
    pub(crate) desired_seen: Option<u32>,
    /// The desired capacity that we set last.
    pub(crate) desired_set: Option<u32>,
    /// Decrements by our own retirements that no observed desired capacity has shown yet.
    pub(crate) decrements_due: u32,
    /// Since when the group has had fewer instances than desired.
    pub(crate) missing_since: Option<Timestamp>,
    /// While blind, how many launches were asked for since sight was lost.
    pub(crate) blind_launches: Option<u32>,
    /// While launches fail, what may be launched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) back_off: Option<BackOff>,
    pub(crate) window: HoldWindow,
    /// By id, in the order of the ids.
    pub(crate) instances: Vec<Trace>,
    pub(crate) retirements: BTreeMap<InstanceId, Retirement>,
    #[serde(skip_serializing_if = "Operator::is_empty")]
    pub(crate) operator: Operator,
    pub(crate) learned: Learned,
}

impl Memory {
    /// What has been learned of the group.
    #[must_use]
    pub const fn learned(&self) -> &Learned {
        &self.learned
    }

    /// The same having learned this: from the recordings of the past, for instance.
    #[must_use]
    pub fn with_learned(mut self, learned: Learned) -> Self {
        self.learned = learned;
        self
    }

    /// What an operator asked for. [`command`](Self::command) puts it in.
    #[must_use]
    pub const fn operator(&self) -> &Operator {
        &self.operator
    }

    /// The retirements that are under way or were given up on, by instance.
    #[must_use]
    pub const fn retirements(&self) -> &BTreeMap<InstanceId, Retirement> {
        &self.retirements
    }

    /// Makes the traces those of the listed instances, one each, in the order of their ids.
    pub(crate) fn align(&mut self, snapshot: &FleetSnapshot, now: Timestamp) {
        // Mostly the same instances are listed as before; then nothing is moved.
        let ids = || snapshot.by_id().map(|rows| &rows[0].id);
        if ids().eq(self.instances.iter().map(|trace| &trace.id)) {
            return;
        }
        let mut before = mem::take(&mut self.instances).into_iter().peekable();
        let trace_of = |id: &InstanceId| {
            while before.next_if(|trace| trace.id < *id).is_some() {}
            before
                .next_if(|trace| trace.id == *id)
                .unwrap_or_else(|| Trace::new(id.clone(), now))
        };
        self.instances = ids().map(trace_of).collect();
    }

    /// Forgets retirements that did not begin after all.
    pub(crate) fn forget_retirements(&mut self, begun: &[InstanceId]) {
        for id in begun {
            let forgotten = self.retirements.remove(id);
            if forgotten.is_some_and(|retirement| !retirement.replace()) {
                self.decrements_due = self.decrements_due.saturating_sub(1);
            }
        }
        self.window.give_back();
    }

    /// Forgets a desired capacity that was not set after all.
    pub(crate) fn forget_launches(&mut self, undo: &Launches) {
        self.desired_set = undo.desired_set;
        self.blind_launches = self.blind_launches.map(|_| undo.while_blind.unwrap_or(0));
        if let Some(back_off) = &mut self.back_off {
            back_off.give_back();
        }
    }

    /// What is remembered of launches.
    pub(crate) const fn launches(&self) -> Launches {
        Launches {
            desired_set: self.desired_set,
            while_blind: self.blind_launches,
            back_off: self.back_off,
        }
    }

    /// The same with what was observed since `before`, but without what was to be done.
    pub(crate) fn without_acts_since(mut self, before: &Self) -> Self {
        let begun = self.retirements.keys();
        let begun = begun.filter(|id| !before.retirements.contains_key(*id));
        let begun: Vec<_> = begun.cloned().collect();
        self.forget_launches(&before.launches());
        self.forget_retirements(&begun);
        self
    }

    /// Takes every retirement that was begun as told, or handed over to its agent, at that time. For replays and simulations in which there is no Jibri to
    /// tell: the controller tells the Jibris themselves.
    pub fn assume_told(&mut self, now: Timestamp) {
        for retirement in self.retirements.values_mut() {
            if retirement.is_by_agent() {
                retirement.released(retirement.replace(), now);
            } else {
                retirement.told(Told::Yes, now);
            }
        }
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawMemory::deserialize(deserializer)?;
        if raw.version.0 != VERSION {
            return Err(de::Error::custom(format!(
                "memory of version {} can't be read, only version {VERSION}: \
                 use the release that wrote it, or remove it to start anew (which delays shrinking, and forgets what is paused and kept)",
                raw.version.0
            )));
        }
        let mut instances = raw.instances;
        instances.sort_by(|a, b| a.id.cmp(&b.id));
        instances.dedup_by(|a, b| a.id == b.id);
        Ok(Self {
            version: raw.version,
            last_tick: raw.last_tick,
            broken_at: raw.broken_at,
            known_since: raw.known_since,
            desired_seen: raw.desired_seen,
            desired_set: raw.desired_set,
            decrements_due: raw.decrements_due,
            missing_since: raw.missing_since,
            blind_launches: raw.blind_launches,
            back_off: raw.back_off,
            window: raw.window,
            instances,
            retirements: raw.retirements,
            operator: raw.operator,
            learned: raw.learned,
        })
    }
}

/// What is remembered of launches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Launches {
    desired_set: Option<u32>,
    while_blind: Option<u32>,
    back_off: Option<BackOff>,
}

const VERSION: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
struct Version(u32);

impl Default for Version {
    fn default() -> Self {
        Self(VERSION)
    }
}

#[derive(Deserialize)]
struct RawMemory {
    version: Version,
    #[serde(default)]
    last_tick: Option<Timestamp>,
    #[serde(default)]
    broken_at: Option<Timestamp>,
    #[serde(default)]
    known_since: Option<Timestamp>,
    #[serde(default)]
    desired_seen: Option<u32>,
    #[serde(default)]
    desired_set: Option<u32>,
    #[serde(default)]
    decrements_due: u32,
    #[serde(default)]
    missing_since: Option<Timestamp>,
    #[serde(default)]
    blind_launches: Option<u32>,
    #[serde(default)]
    back_off: Option<BackOff>,
    #[serde(default)]
    window: HoldWindow,
    #[serde(default)]
    instances: Vec<Trace>,
    #[serde(default)]
    retirements: BTreeMap<InstanceId, Retirement>,
    #[serde(default)]
    operator: Operator,
    #[serde(default)]
    learned: Learned,
}

/// What is remembered of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Trace {
    pub(crate) id: InstanceId,
    /// When it was listed first: its age, where the launch time is not known.
    pub(crate) first_seen: Timestamp,
    /// Whether an answer that could be read was ever received.
    pub(crate) heard: bool,
    /// Whether it has been seen ready, or how long it took till then can't be known.
    #[serde(default = "yes")]
    pub(crate) booted: bool,
    /// Whether it was overdue in the last tick.
    #[serde(default)]
    pub(crate) overdue: bool,
    /// The newest report: its own stamp, and when it counts as received (never later than it was first seen).
    pub(crate) report: Option<(Timestamp, Timestamp)>,
    /// The unbroken run of idle reports: the first and the newest.
    pub(crate) idle: Option<(Timestamp, Timestamp)>,
    /// Since when it has been busy.
    pub(crate) busy_since: Option<Timestamp>,
    /// Since when nothing certain has been known of it, and whether it was busy before.
    pub(crate) unknown_since: Option<Timestamp>,
}

impl Trace {
    pub(crate) const fn new(id: InstanceId, now: Timestamp) -> Self {
        Self {
            id,
            first_seen: now,
            heard: false,
            booted: false,
            overdue: false,
            report: None,
            idle: None,
            busy_since: None,
            unknown_since: None,
        }
    }
}

/// Whoever is remembered from before boots were watched has booted.
const fn yes() -> bool {
    true
}

/// The surplus over the hold window: only its minimum matters, so only the samples that can still become the minimum are kept.
///
/// Their surpluses rise strictly from the oldest to the newest, so there are never more of them than instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct HoldWindow {
    /// Since when time has been observed without a gap.
    pub(crate) since: Option<Timestamp>,
    /// Times, and the surplus then.
    lows: VecDeque<(Timestamp, u32)>,
    /// How many the last decision took out.
    #[serde(default)]
    taken: u32,
}

impl HoldWindow {
    /// Starts the window anew at this time.
    pub(crate) fn restart(&mut self, now: Timestamp) {
        self.since = Some(now);
        self.lows.clear();
    }

    /// Adds the surplus of this tick, and forgets what is older than `start`.
    pub(crate) fn add(&mut self, now: Timestamp, surplus: u32, start: Timestamp) {
        while self.lows.back().is_some_and(|(_, low)| *low >= surplus) {
            self.lows.pop_back();
        }
        self.lows.push_back((now, surplus));
        while self.lows.front().is_some_and(|(at, _)| *at < start) {
            self.lows.pop_front();
        }
    }

    /// Takes out of the window what goes now, so that an old surplus does not let as many others go in its place. No more than
    /// the lowest surplus may go.
    pub(crate) fn take(&mut self, going: u32) {
        for (_, low) in &mut self.lows {
            *low = low.saturating_sub(going);
        }
        self.taken = going;
    }

    /// Puts back what the last decision took out, where it was not carried out.
    fn give_back(&mut self) {
        for (_, low) in &mut self.lows {
            *low = low.saturating_add(self.taken);
        }
        self.taken = 0;
    }

    /// The smallest surplus since `start`, if time has been observed without a gap since then.
    pub(crate) fn lowest(&self, start: Timestamp) -> Option<u32> {
        if self.since.is_some_and(|since| since <= start) {
            self.lows.front().map(|(_, low)| *low)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn the_window_knows_the_smallest_surplus_of_the_closed_interval() {
        let at = Timestamp::from_secs;
        let surpluses = [5, 3, 4, 4, 2, 6, 6, 6, 0, 7];
        let mut window = HoldWindow::default();
        window.restart(at(0));
        for (i, surplus) in (0..).zip(surpluses) {
            let start = at(i - 3);
            window.add(at(i), surplus, start);
            let covered = i >= 3;
            let first = usize::try_from(i).unwrap().saturating_sub(3);
            let expected = surpluses[first..=usize::try_from(i).unwrap()]
                .iter()
                .min()
                .copied();
            assert_eq!(window.lowest(start), expected.filter(|_| covered), "at {i}");
        }
    }

    #[test]
    fn what_was_not_done_is_given_back_to_the_window() {
        let at = Timestamp::from_secs;
        let mut memory = Memory::default();
        memory.window.restart(at(0));
        memory.window.add(at(0), 2, at(0));
        memory.window.add(at(1), 5, at(0));
        let before = memory.clone();
        memory.window.take(2);
        assert_eq!(memory.window.lowest(at(0)), Some(0));
        assert_eq!(memory.without_acts_since(&before), before);
    }

    #[test]
    fn what_was_not_launched_may_be_launched_later() {
        let limits = Limits::default().with_max_launch(4).unwrap();
        let mut back_off = BackOff::after(None, &limits, Timestamp::from_secs(0));
        let mut memory = Memory {
            back_off: Some(back_off),
            ..Memory::default()
        };
        let before = memory.clone();
        back_off.take(2);
        memory.back_off = Some(back_off);
        let left = |memory: Memory| memory.back_off.map(BackOff::left);
        assert_eq!(left(memory.clone()), Some(0));
        memory.forget_launches(&before.launches());
        assert_eq!(left(memory), Some(2));
    }

    #[test]
    fn the_window_is_bounded_by_the_largest_surplus() {
        let mut window = HoldWindow::default();
        for i in 0..10_000 {
            window.add(
                Timestamp::from_secs(i),
                u32::try_from(i % 7).unwrap(),
                Timestamp::MIN,
            );
        }
        assert!(window.lows.len() <= 7);
    }

    #[test]
    fn memory_of_another_version_is_refused_with_the_way_out() {
        let error = serde_json::from_str::<Memory>(r#"{"version":2,"instances":7}"#)
            .unwrap_err()
            .to_string();
        assert!(!error.is_empty());
        let error = serde_json::from_str::<Memory>(r#"{"version":2}"#)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("version 2") && error.contains("remove it"),
            "{error}"
        );
    }
}
