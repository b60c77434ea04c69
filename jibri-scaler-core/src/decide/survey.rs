//! One pass over the snapshot: what each instance counts as.

use std::time::Duration;

use super::{
    classify::{See, Seen},
    odd::Odd,
    operator::Asked,
    to_u32,
};
use crate::{
    Class, DrainPath, FleetSnapshot, Instance, InstanceId, Lifecycle, Limits, Memory, Reachability,
    Tally, Timestamp, Zone,
    memory::Trace,
    retirement::{Phase, Retirement, Work},
    safeguard::{Safeguard, holds},
};

/// What the snapshot shows, in the light of what is remembered.
#[derive(Debug, Default)]
pub(super) struct Survey<'a> {
    pub(super) tally: Tally,
    /// The class of each instance, in the order of the ids.
    pub(super) classes: Vec<Class>,
    /// Instances that count toward the desired capacity.
    pub(super) counting: u32,
    /// Of those, the ones that are neither spare, booting nor retiring.
    pub(super) in_use: u32,
    /// Spare ones that answered in this tick.
    pub(super) ready: u32,
    /// What will become spare without anything being done.
    pub(super) coming: u32,
    /// Instances that count and are unknown or overdue.
    pub(super) unseen: u32,
    /// Whether so much of the group can't be seen that nothing may be concluded from the rest.
    pub(super) blind: bool,
    /// Whether there was a gap or a step back in time, and blindness can't be excluded: it hangs on ages, which can't be known
    /// then of those that did not answer.
    pub(super) dazed: bool,
    /// In service, unprotected, neither given back nor handed over.
    pub(super) unprotected: Vec<&'a InstanceId>,
    /// Ready, with the time they have been idle, where there are at least two reports.
    pub(super) idle: Vec<(&'a Instance, Duration)>,
    /// Unhealthy and expired ones that were not given up on.
    pub(super) broken: Vec<&'a Instance>,
    /// Retirements under way that end with a decrement and are still in service, without those that finish a recording: that may take
    /// hours, and where the others have brought the group to its minimum size by then, they are given back without a decrement.
    pub(super) leaving: u32,
    /// Retirements under way, without those that finish a recording and those whose machine was given back.
    pub(super) retiring: u32,
    /// Whether an instance was heard for the first time.
    pub(super) launch_came: bool,
    /// When the youngest of those that have been heard was first seen.
    pub(super) newest_heard: Option<Timestamp>,
    /// The same of those that became overdue before our eyes.
    pub(super) newest_overdue: Option<Timestamp>,
    /// Recordings that were seen to start since the look before.
    pub(super) starts: u32,
    /// How long those took to boot that are up for the first time, in the order of the ids.
    pub(super) boots: Vec<Duration>,
    snapshot: Option<&'a FleetSnapshot>,
    /// How many decrements of ours the desired capacity may yet show.
    pub(super) decrements_possible: u32,
    /// Those that an operator wants to be retired.
    pub(super) asked: Vec<Asked<'a>>,
    /// Those of them that can't be retired yet, and why.
    pub(super) waiting: Vec<(&'a InstanceId, String)>,
    /// Spare ones whose retirement by hand begins now.
    pub(super) spare_by_hand: u32,
    /// Idle for long enough, and kept by an operator.
    pub(super) kept_idle: u32,
    pub(super) odd: Odd<'a>,
}

impl<'a> Survey<'a> {
    /// Looks at every instance once, and brings the memory up to date. `broken` says that time was not observed without a gap.
    pub(super) fn new(
        limits: &Limits,
        snapshot: &'a FleetSnapshot,
        now: Timestamp,
        broken: bool,
        memory: &mut Memory,
    ) -> Self {
        let first = memory.last_tick.is_none();
        memory.align(snapshot, now);
        let see = See {
            limits,
            now,
            broken,
            first,
        };
        let mut survey = Self {
            snapshot: Some(snapshot),
            classes: Vec::with_capacity(snapshot.instances().len()),
            ..Self::default()
        };
        let mut replacements = 0;
        let mut silent = 0;
        let mut listed_retirements = 0;

        // Rows, traces and retirements are all in the order of the ids, so one walk along them finds what belongs together.
        let mut retirements = memory.retirements.iter_mut().peekable();
        for (rows, trace) in snapshot.by_id().zip(&mut memory.instances) {
            let id = &rows[0].id;
            while retirements.next_if(|(other, _)| *other < id).is_some() {}
            let retirement = retirements
                .next_if(|(other, _)| *other == id)
                .map(|(_, retirement)| retirement);
            listed_retirements += usize::from(retirement.is_some());

            let (heard, overdue) = (trace.heard, trace.overdue);
            let seen = see.instance(rows, trace, retirement.as_deref());
            survey.launch_came |= trace.heard && !heard;
            let first_seen = Some(trace.first_seen);
            if trace.heard {
                survey.newest_heard = survey.newest_heard.max(first_seen);
            } else if trace.overdue && !overdue && trace.first_seen < now {
                survey.newest_overdue = survey.newest_overdue.max(first_seen);
            }
            let counting = rows.iter().any(|row| row.lifecycle.is_counting());
            let in_service = rows.iter().any(|row| row.lifecycle == Lifecycle::InService);
            survey.count(rows, trace, &seen, counting, retirement.as_deref());
            if memory.operator.retires().contains_key(id) {
                let (class, answered) = (seen.class, seen.answered);
                let asked = Asked::new(rows, class, answered, retirement.as_deref());
                survey.asked.push(asked);
            }
            survey.starts += u32::from(seen.started);
            survey.boots.extend(seen.boot);
            let broken_down = match seen.class {
                Class::Unhealthy | Class::Expired => true,
                Class::Overdue => !holds(Safeguard::OverdueStays),
                Class::Busy | Class::Unknown => !holds(Safeguard::OnlyTheFree),
                _ => false,
            };
            if broken_down && retirement.is_none() && (seen.answered || !broken) {
                survey.broken.push(&rows[0]);
            }
            survey
                .odd
                .note(limits, now, rows, trace, &seen, retirement.as_deref());
            let dark = matches!(seen.class, Class::Unknown | Class::Overdue);
            survey.unseen += u32::from(counting && dark);
            let quiet = !seen.answered && seen.class != Class::Retiring;
            silent += u32::from(counting && (dark || quiet));
            if let Some(retirement) = retirement {
                if seen.work == Work::Busy
                    && matches!(retirement.phase(), Phase::Told | Phase::Terminating)
                {
                    retirement.reported(Work::Busy, now, limits);
                }
                if retirement.phase().is_under_way() {
                    let told = !matches!(retirement.phase(), Phase::Requested);
                    // Once it is leaving, what is missing shows in the desired capacity, and must not count twice.
                    let comes = retirement.replace() && told && !retirement.seen_busy() && counting;
                    replacements += u32::from(comes);
                    let is_finishing = retirement.phase() == Phase::Finishing;
                    survey.leaving +=
                        u32::from(!retirement.replace() && in_service && !is_finishing);
                    survey.retiring +=
                        u32::from(!retirement.seen_busy() && !retirement.was_released());
                }
            }
        }

        let decrementing = |retirement: &Retirement| !retirement.replace();
        survey.decrements_possible = to_u32(
            memory
                .retirements
                .values()
                .filter(|r| decrementing(r))
                .count(),
        );
        if listed_retirements < memory.retirements.len() {
            memory
                .retirements
                .retain(|id, _| !snapshot.rows(id).is_empty());
        }
        let missing = snapshot.group().desired.saturating_sub(survey.counting);
        survey.coming = survey
            .tally
            .booting
            .saturating_add(missing)
            .saturating_add(replacements);
        let most = |some| is_most(some, survey.counting, limits);
        (survey.blind, survey.dazed) = (most(survey.unseen), broken && most(silent));
        survey
    }

    /// How long it has been idle, where it is ready, was idle in two reports, and is not kept and does not go by hand.
    pub(super) fn idle_for(&self, id: &InstanceId) -> Option<Duration> {
        let at = self.idle.binary_search_by(|(row, _)| row.id.cmp(id));
        at.ok().map(|at| self.idle[at].1)
    }

    /// Whether it is broken, and is not kept and does not go by hand.
    pub(super) fn is_broken(&self, id: &InstanceId) -> bool {
        self.broken.binary_search_by(|row| row.id.cmp(id)).is_ok()
    }

    /// Spare ones, without those whose retirement by hand begins now.
    pub(super) fn spare(&self) -> u32 {
        self.tally.spare.saturating_sub(self.spare_by_hand)
    }

    /// The zone of every instance that counts toward the desired capacity.
    pub(super) fn zones(&self) -> impl Iterator<Item = Option<&'a Zone>> {
        let rows = self.snapshot.into_iter().flat_map(FleetSnapshot::by_id);
        let counting = rows.filter_map(|rows| rows.iter().find(|row| row.lifecycle.is_counting()));
        counting.map(|row| row.zone.as_ref())
    }

    fn count(
        &mut self,
        rows: &'a [Instance],
        trace: &Trace,
        seen: &Seen,
        counting: bool,
        retirement: Option<&Retirement>,
    ) {
        let row = &rows[0];
        let given_up = retirement.is_some();
        self.tally.add(seen.class);
        self.classes.push(seen.class);
        self.counting += u32::from(counting);
        self.in_use += u32::from(
            counting && !matches!(seen.class, Class::Spare | Class::Booting | Class::Retiring),
        );
        if is_ready(seen.class, row) {
            self.ready += 1;
            if let Some((first, newest)) = trace.idle
                && newest > first
                && !given_up
            {
                self.idle.push((row, newest.since(first)));
            }
        }
        let unprotected = |row: &Instance| row.lifecycle == Lifecycle::InService && !row.protected;
        // One that is being retired records until it is gone, and what has begun may have been written down and not been protected.
        let is_going = retirement.is_some_and(|retirement| {
            let is_given_back = retirement.is_by_agent() || retirement.was_released();
            retirement.phase().is_under_way() && is_given_back
        });
        if !is_going && holds(Safeguard::Protect) && rows.iter().any(unprotected) {
            self.unprotected.push(&row.id);
        }
    }
}

/// Whether so many of all that count are more than may be unseen.
fn is_most(some: u32, counting: u32, limits: &Limits) -> bool {
    let allowed = u64::from(counting) * u64::from(limits.max_unknown_percent());
    some >= 2 && u64::from(some) * 100 > allowed && holds(Safeguard::NotBlind)
}

/// Whether it is spare and answered in this tick.
pub(super) fn is_ready(class: Class, row: &Instance) -> bool {
    class == Class::Spare && row.reachability == Reachability::Answered
}

/// Whether there is a way to retire this instance.
pub(super) fn can_be_retired(instance: &Instance) -> bool {
    instance.drain != DrainPath::None || !holds(Safeguard::OnlyTheTellable)
}
