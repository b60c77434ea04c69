//! Applying a plan, in order.

use super::{Applied, Controller, TickReport};
use crate::{
    Effect, InstanceId, Memory, Timestamp,
    port::{PortError, PortErrorKind},
};

impl Controller {
    /// Saves the memory, then protects, sets the capacity, and lets the retirements begin. `before` is the memory before the
    /// decision.
    pub(super) async fn apply(&mut self, report: &mut TickReport, before: &Memory) {
        if let Err(error) = self.store.save(&report.decision.memory).await {
            report.lose_memory(error);
        }
        let mut going = true;
        // Whether the group was asked for the capacity, as far as is known.
        let mut asked = false;
        let protect: Vec<InstanceId> = report.decision.plan.protects().cloned().collect();
        if !protect.is_empty() {
            let done = self.control.protect(&protect).await;
            going = noted(report, done, |effect| {
                matches!(effect, Effect::Protect { .. })
            });
        }
        if let Some(to) = report.decision.plan.capacity()
            && going
            && !self.has_just_set_more_than(to, report.decision.at)
        {
            let done = self.control.set_capacity(to).await;
            // What was refused was not done. Whether anything else that failed was done is not known.
            asked = !matches!(&done, Err(error) if error.kind() != PortErrorKind::Transient);
            if asked {
                self.capacity_set = Some((to, report.decision.at));
            }
            going = noted(report, done, |effect| {
                matches!(effect, Effect::SetCapacity { .. })
            });
        }
        let mut memory = report.decision.memory.clone();
        if !asked {
            memory = memory.without_launches_since(before);
        }
        if going && !report.memory_lost() {
            // A retirement has begun when it is written down; what follows is told to the Jibri below.
            report.note(Applied::Done, |effect| {
                matches!(effect, Effect::Retire { .. })
            });
        } else {
            memory = memory.without_retirements_since(before);
        }
        let memory = self.memory.insert(memory);
        // What was saved above says that it has been done, and a controller that restarts would go on with it.
        if !report.memory_lost()
            && *memory != report.decision.memory
            && let Err(error) = self.store.save(memory).await
        {
            report.problems.push(error);
        }
    }

    /// Whether a larger capacity was set so recently that the listing may not show it yet. Setting this one would lower it, and
    /// the group would choose what goes.
    fn has_just_set_more_than(&self, to: u32, now: Timestamp) -> bool {
        self.capacity_set
            .is_some_and(|(set, at)| to < set && now.since(at) <= self.limits.report_ttl())
    }
}

fn noted(
    report: &mut TickReport,
    done: Result<(), PortError>,
    which: impl Fn(&Effect) -> bool,
) -> bool {
    match done {
        Ok(()) => report.note(Applied::Done, which),
        Err(error) => {
            report.note(Applied::Failed, which);
            report.problems.push(error);
            return false;
        }
    }
    true
}
