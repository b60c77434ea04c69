//! Applying a plan, in order.

use super::{Applied, Controller, TickReport};
use crate::{Effect, InstanceId, Memory};

impl Controller {
    /// Saves the memory, then protects, sets the capacity, and lets the retirements begin. `before` is the memory before the
    /// decision.
    pub(super) async fn apply(&mut self, report: &mut TickReport, before: &Memory) {
        if let Err(error) = self.store.save(&report.decision.memory).await {
            report.lose_memory(error);
        }
        let protect: Vec<InstanceId> = report.decision.plan.protects().cloned().collect();
        let mut going = true;
        if !protect.is_empty() {
            let done = self.control.protect(&protect).await;
            going = noted(report, done, |effect| {
                matches!(effect, Effect::Protect { .. })
            });
        }
        if let Some(to) = report.decision.plan.capacity()
            && going
        {
            let done = self.control.set_capacity(to).await;
            going = noted(report, done, |effect| {
                matches!(effect, Effect::SetCapacity { .. })
            });
        }
        if going && !report.memory_lost() {
            // A retirement has begun when it is written down; what follows is told to the Jibri below.
            report.note(Applied::Done, |effect| {
                matches!(effect, Effect::Retire { .. })
            });
        } else if let Some(memory) = self.memory.take() {
            self.memory = Some(memory.without_retirements_since(before));
        }
    }
}

fn noted(
    report: &mut TickReport,
    done: Result<(), crate::port::PortError>,
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
