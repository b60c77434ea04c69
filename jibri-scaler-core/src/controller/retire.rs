//! Moving the retirements under way on, each by at most one phase.

use futures_util::{StreamExt as _, stream};

use super::{Controller, Progress, TickReport};
use crate::{
    FleetSnapshot, Instance, InstanceId, Lifecycle, Limits, Memory, Reachability, Timestamp,
    observe::JoinedObserver,
    port::{Decrement, DrainClient, Presence, Target, Told},
    retirement::{Act, Retirement, Work},
};

impl Controller {
    /// Does for each retirement what is next: tells, looks, or gives the machine back.
    pub(super) async fn move_retirements(
        &mut self,
        snapshot: &FleetSnapshot,
        report: &mut TickReport,
        now: Timestamp,
    ) {
        let Some(mut memory) = self.memory.clone() else {
            return;
        };
        let began: Vec<_> = memory
            .retirements
            .iter()
            .map(|(id, r)| (id.clone(), r.phase()))
            .collect();
        let acts = reported(&mut memory, snapshot, &self.limits, now);
        let mut gone = Vec::new();
        if let Some(drain) = &self.drain {
            let acts = stream::iter(acts).map(|(id, act, target, answered)| {
                let drain = &**drain;
                async move { (id, perform(drain, act, &target, answered).await) }
            });
            let mut seen: Vec<_> = acts
                .buffer_unordered(JoinedObserver::CONCURRENCY)
                .collect()
                .await;
            seen.sort_by(|a, b| a.0.cmp(&b.0));
            for (id, seen) in seen {
                let Some(retirement) = memory.retirements.get_mut(&id) else {
                    continue;
                };
                let may_go = take_in(retirement, seen, &self.limits, now);
                if may_go {
                    gone.push(id);
                }
            }
        }
        if !report.stopped() {
            self.give_back(&gone, &mut memory, snapshot, report, now)
                .await;
        }
        for (id, from) in began {
            let Some(to) = memory.retirements.get(&id).map(Retirement::phase) else {
                continue;
            };
            if from != to {
                report.progress.push(Progress { id, from, to });
            }
        }
        if !report.progress.is_empty()
            && let Err(error) = self.store.save(&memory).await
        {
            report.problems.push(error);
        }
        self.memory = Some(memory);
    }

    /// Gives the machines of Jibris that are gone back, with a decrement only where the group stays large enough.
    async fn give_back(
        &self,
        gone: &[InstanceId],
        memory: &mut Memory,
        snapshot: &FleetSnapshot,
        report: &mut TickReport,
        now: Timestamp,
    ) {
        let group = snapshot.group();
        let decision = &report.decision;
        let raised = decision.plan.capacity().unwrap_or(group.desired);
        let launches = raised.saturating_sub(group.desired);
        let there = decision
            .tally
            .spare
            .saturating_add(decision.coming)
            .saturating_add(launches);
        let missing = there < decision.wanted_spare;
        let mut desired = raised;
        for id in gone {
            let Some(retirement) = memory.retirements.get_mut(id) else {
                continue;
            };
            let decrement = !retirement.replace() && !missing && desired > group.min_size;
            let how = if decrement {
                Decrement::Yes
            } else {
                Decrement::No
            };
            if let Err(error) = self.control.terminate(id, how).await {
                report.problems.push(error);
                // The rest waits for the next tick and its fresh listing.
                return;
            }
            if !decrement && !retirement.replace() {
                memory.decrements_due = memory.decrements_due.saturating_sub(1);
            }
            retirement.released(!decrement, now);
            desired -= u32::from(decrement);
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
        let [row] = snapshot.rows(id) else { continue };
        if row.lifecycle != Lifecycle::InService {
            continue;
        }
        let phase = retirement.phase();
        retirement.still_in_service(now, limits.report_ttl());
        retirement.reported(work(row, retirement), now, limits.gone_after());
        retirement.give_up_untold(now, limits.boot_deadline());
        if retirement.phase() == phase {
            let answered = row.reachability == Reachability::Answered;
            acts.push((id.clone(), retirement.next(), Target::from(row), answered));
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
    match since_told.and_then(|report| report.status.as_ref()) {
        Some(status) if answered && status.is_busy() => Work::Busy,
        Some(_) if answered => Work::Free,
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
        Act::Wait => Seen::Nothing,
    }
}

/// Takes in what came of an act; returns whether the machine may be given back now.
fn take_in(retirement: &mut Retirement, seen: Seen, limits: &Limits, now: Timestamp) -> bool {
    match seen {
        Seen::Told(told) => retirement.told(told, now),
        Seen::Looked(presence) => retirement.looked(presence, now, limits.gone_after()),
        Seen::LookedLast(presence) => {
            retirement.looked(presence, now, limits.gone_after());
            return presence == Presence::BothRefuse;
        }
        Seen::Nothing => {}
    }
    false
}
