//! Moving the retirements under way on, each by at most one phase.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use super::{Controller, Progress, TickReport};
use crate::{
    BusyStatus, DrainPath, FleetSnapshot, Instance, InstanceId, Lifecycle, Limits, Memory,
    Reachability, Timestamp,
    observe::JoinedObserver,
    port::{Decrement, DrainClient, Presence, Target, Told},
    retirement::{Act, Phase, Retirement, Work},
};

/// The hook of an instance that was given back is completed so much later. An agent that is there takes a few seconds to see that its
/// instance ends, and at most five minutes to check whether anything is left.
const LET_GO_AFTER: Duration = Duration::from_secs(600);

impl Controller {
    /// Does for each retirement what is next: tells, looks, or gives the machine back. `before` is the memory before the
    /// decision.
    pub(super) async fn move_retirements(
        &mut self,
        snapshot: &FleetSnapshot,
        before: &Memory,
        report: &mut TickReport,
        now: Timestamp,
    ) {
        // What comes of each act is taken in at once, so that a future that is dropped forgets only what was outstanding.
        let Some(memory) = &mut self.memory else {
            return;
        };
        if memory.retirements.is_empty() {
            return;
        }
        let saved = memory.clone();
        let acts = reported(memory, snapshot, &self.limits, now);
        // Those that the group may end now: gone, or drained by their own agents.
        let mut going = Vec::new();
        let (handed_over, acts): (Vec<_>, Vec<_>) = acts
            .into_iter()
            .partition(|(_, act, ..)| *act == Act::HandOver);
        going.extend(handed_over.into_iter().map(|(id, ..)| id));
        if let Some(drain) = self.drain.as_deref() {
            let acts = acts
                .into_iter()
                .map(|(id, act, target, answered)| async move {
                    (id, perform(drain, act, &target, answered).await)
                });
            let mut acts = stream::iter(acts).buffer_unordered(JoinedObserver::CONCURRENCY);
            while let Some((id, seen)) = acts.next().await {
                if let Some(retirement) = memory.retirements.get_mut(&id)
                    && take_in(retirement, seen, &self.limits, now)
                {
                    going.push(id);
                }
            }
        }
        if !report.stopped() {
            self.give_back(going, snapshot, report, now).await;
            self.let_go(snapshot, report, now).await;
        }
        let Some(memory) = &self.memory else { return };
        let phase = |(id, retirement): (&InstanceId, &Retirement)| {
            // The decision begins retirements, and sees which Jibris finish a recording.
            let begun = Phase::Requested;
            let from = before.retirements.get(id).map_or(begun, Retirement::phase);
            let (id, to) = (id.clone(), retirement.phase());
            (from != to).then_some(Progress { id, from, to })
        };
        report.progress = memory.retirements.iter().filter_map(phase).collect();
        if *memory != saved
            && let Err(error) = self.store.save(memory).await
        {
            report.problems.push(error);
        }
    }

    /// Asks the group to end instances whose Jibris are gone, or whose agents drain them, with a decrement only where the group
    /// stays large enough.
    async fn give_back(
        &mut self,
        mut going: Vec<InstanceId>,
        snapshot: &FleetSnapshot,
        report: &mut TickReport,
        now: Timestamp,
    ) {
        let Some(memory) = &mut self.memory else {
            return;
        };
        // One that can't be given back must not keep the others from it for ever.
        going.sort_by_key(|id| (Some(id) <= self.not_given_back.as_ref(), id.clone()));
        let group = snapshot.group();
        let decision = &report.decision;
        let mut desired = report.capacity_set().unwrap_or(group.desired);
        let launches = desired.saturating_sub(group.desired);
        let coming = decision.coming.saturating_add(launches);
        let mut there = decision.tally.spare.saturating_add(coming);
        for id in going {
            let Some(retirement) = memory.retirements.get_mut(&id) else {
                continue;
            };
            let missing = there < decision.wanted_spare;
            let replace = retirement.replace();
            let decrement = !replace && !missing && desired > group.min_size;
            let how = if decrement {
                Decrement::Yes
            } else {
                Decrement::No
            };
            if let Err(error) = self.control.terminate(&id, how).await {
                report.problems.push(error);
                self.not_given_back = Some(id);
                // The rest waits for the next tick and its fresh listing.
                return;
            }
            if !decrement && !replace {
                memory.decrements_due = memory.decrements_due.saturating_sub(1);
                there = there.saturating_add(1);
            }
            retirement.released(!decrement, now);
            desired -= u32::from(decrement);
        }
        self.not_given_back = None;
    }

    /// Ends the wait of the group's hook for instances that were given back: their Jibris are gone. Where an agent was heard it is
    /// left to that; one that is not heard has some time to find out that something is left, and to keep the machine.
    async fn let_go(&self, snapshot: &FleetSnapshot, report: &mut TickReport, now: Timestamp) {
        let Some(memory) = &self.memory else { return };
        let grace = self.limits.gone_after().max(LET_GO_AFTER);
        let is_due = |r: &Retirement| r.released_at().is_some_and(|at| now.since(at) >= grace);
        let released = memory.retirements.iter();
        let released = released.filter(|(_, r)| r.was_released() && is_due(r));
        for (id, _) in released {
            let waits = |row: &Instance| {
                row.lifecycle == Lifecycle::TerminatingWait && row.drain != DrainPath::Agent
            };
            if snapshot.rows(id).iter().any(waits)
                && let Err(error) = self.control.complete_termination(id).await
            {
                report.problems.push(error);
                return;
            }
        }
    }
}

/// Takes in what this tick's reports say, and returns what is to be done for those that did not move by that.
fn reported(
    memory: &mut Memory,
    snapshot: &FleetSnapshot,
    limits: &Limits,
    now: Timestamp,
) -> Vec<(InstanceId, Act, Target, bool)> {
    let mut acts = Vec::new();
    for (id, retirement) in &mut memory.retirements {
        let [row] = snapshot.rows(id) else {
            retirement.unwatched();
            continue;
        };
        if row.lifecycle != Lifecycle::InService {
            retirement.unwatched();
            continue;
        }
        let phase = retirement.phase();
        retirement.still_in_service(now, limits.report_ttl());
        if retirement.phase() == phase {
            retirement.reported(work(row, retirement), now, limits.gone_after());
        }
        if retirement.phase() == phase {
            if row.reachability == Reachability::Answered
                && row
                    .status()
                    .is_some_and(|status| status.busy == BusyStatus::Busy)
            {
                retirement.busy_untold(now);
            }
            retirement.give_up_untold(now, limits.boot_deadline());
        }
        let (next, heard) = (retirement.next(), row.drain == DrainPath::Agent);
        // Without its agent and the hook nobody would drain it.
        let possible = next != Act::HandOver || heard;
        if retirement.phase() == phase && possible {
            let answered = row.reachability == Reachability::Answered;
            acts.push((id.clone(), next, Target::from(row), answered));
        }
    }
    acts
}

/// What the report of this tick says of the Jibri, if it was received after the Jibri was told.
fn work(row: &Instance, retirement: &Retirement) -> Work {
    let told = retirement.told_at();
    let since_told = row
        .report
        .as_ref()
        .filter(|report| told.is_some_and(|told| report.received_at > told));
    let answered = row.reachability == Reachability::Answered;
    let status = since_told.and_then(|report| report.status.as_ref());
    match status.filter(|_| answered).map(|status| &status.busy) {
        Some(BusyStatus::Busy) => Work::Busy,
        Some(BusyStatus::Idle | BusyStatus::Expired) => Work::Free,
        _ => Work::Unknown,
    }
}

/// What came of an act at the Jibri.
#[derive(Clone, Copy)]
enum Seen {
    Told(Told),
    Looked(Presence),
    /// A last look before the machine is given back.
    LookedLast(Presence),
    Nothing,
}

async fn perform(drain: &dyn DrainClient, act: Act, target: &Target, answered: bool) -> Seen {
    let look = async || {
        if answered {
            Presence::Answers
        } else {
            drain.look(target).await
        }
    };
    match act {
        Act::Tell => Seen::Told(drain.tell(target).await),
        Act::Look => Seen::Looked(look().await),
        Act::Release => Seen::LookedLast(look().await),
        Act::HandOver | Act::Wait => Seen::Nothing,
    }
}

/// Takes in what came of an act; returns whether the machine may be given back now.
fn take_in(retirement: &mut Retirement, seen: Seen, limits: &Limits, now: Timestamp) -> bool {
    match seen {
        Seen::Told(told) => retirement.told(told, now),
        Seen::Looked(presence) => retirement.looked(presence, now, limits.gone_after()),
        Seen::LookedLast(presence) => {
            retirement.looked(presence, now, limits.gone_after());
            return retirement.is_still_gone(presence, now, limits.gone_after());
        }
        Seen::Nothing => {}
    }
    false
}
