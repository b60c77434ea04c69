//! Lifecycle actions: what waits, and how a wait ends.

use std::time::Duration;

use super::{Stage, State};
use crate::{
    InstanceId, Timestamp,
    agent::port::{HookResult, Transition},
    sim::{HookEnd, SimEventKind, SimHook, TerminationCause},
};

/// How long a launch that may go on is `Pending:Proceed`.
pub(super) const PROCEED: Duration = Duration::from_secs(1);

/// A lifecycle action that waits, with the hook as it was when the wait began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Wait {
    hook: SimHook,
    /// When it times out unless there is a heartbeat.
    until: Timestamp,
    /// When it times out whatever there is.
    cap: Timestamp,
}

impl Wait {
    pub(super) const fn until(self) -> Timestamp {
        self.until
    }
}

impl State {
    /// Sets the hook of its transition. What waits already goes on waiting as it began.
    pub(in crate::sim) fn put_hook(&mut self, hook: SimHook) {
        *self.hook_of(hook.transition()) = Some(hook);
        self.show();
    }

    /// Removes the hook. What waits for it is ended first: launches are abandoned, terminations go on.
    pub(in crate::sim) fn delete_hook(&mut self, transition: Transition) {
        *self.hook_of(transition) = None;
        let result = match transition {
            Transition::Launching => HookResult::Abandon,
            Transition::Terminating => HookResult::Continue,
        };
        for index in 0..self.members.len() {
            if self.waiting(index, transition).is_some() {
                self.end_wait(index, transition, result, HookEnd::Deleted);
            }
        }
        self.settle();
    }

    pub(in crate::sim) fn set_retention(&mut self, retains: bool) {
        self.retains = retains;
        self.show();
    }

    /// Prolongs the wait. Returns whether there was one.
    pub(in crate::sim) fn heartbeat(&mut self, id: &InstanceId, transition: Transition) -> bool {
        let Some((index, wait)) = self.waiting_for(id, transition) else {
            return false;
        };
        let until = wait.cap.min(self.now + wait.hook.heartbeat_timeout());
        let wait = Wait { until, ..wait };
        self.members[index].stage = Self::wait_stage(wait);
        true
    }

    /// Ends the wait. Returns whether there was one.
    pub(in crate::sim) fn complete(
        &mut self,
        id: &InstanceId,
        transition: Transition,
        result: HookResult,
    ) -> bool {
        let Some((index, _)) = self.waiting_for(id, transition) else {
            return false;
        };
        self.end_wait(index, transition, result, HookEnd::Completed);
        self.settle();
        true
    }

    pub(super) fn wait(&mut self, index: usize, hook: SimHook) {
        let cap = self.now + hook.longest_wait();
        let until = cap.min(self.now + hook.heartbeat_timeout());
        let member = &mut self.members[index];
        member.stage = Self::wait_stage(Wait { hook, until, cap });
        let (id, transition) = (member.id.clone(), hook.transition());
        self.happened(SimEventKind::HookWaits { id, transition });
    }

    pub(super) fn time_out(&mut self, index: usize, wait: Wait) {
        let result = wait.hook.default_result();
        self.end_wait(index, wait.hook.transition(), result, HookEnd::TimedOut);
    }

    fn end_wait(&mut self, index: usize, transition: Transition, result: HookResult, how: HookEnd) {
        let member = &self.members[index];
        let id = member.id.clone();
        // A machine that is gone can't be kept.
        let retained = self.retains && member.is_running();
        self.happened(SimEventKind::HookEnded {
            id: id.clone(),
            transition,
            result,
            how,
        });
        match (transition, result) {
            (Transition::Launching, HookResult::Continue) => {
                let until = self.now + PROCEED;
                self.members[index].stage = Stage::PendingProceed { until };
            }
            (Transition::Launching, HookResult::Abandon) => {
                self.begin_termination(index, TerminationCause::LaunchAbandoned);
            }
            (Transition::Terminating, HookResult::Abandon) if retained => {
                self.members[index].stage = Stage::Retained;
                self.happened(SimEventKind::Retained { id });
            }
            (Transition::Terminating, _) => {
                let until = self.now + self.config.termination_delay;
                self.members[index].stage = Stage::TerminatingProceed { until };
            }
        }
    }

    const fn hook_of(&mut self, transition: Transition) -> &mut Option<SimHook> {
        match transition {
            Transition::Launching => &mut self.launching_hook,
            Transition::Terminating => &mut self.terminating_hook,
        }
    }

    const fn wait_stage(wait: Wait) -> Stage {
        match wait.hook.transition() {
            Transition::Launching => Stage::PendingWait(wait),
            Transition::Terminating => Stage::TerminatingWait(wait),
        }
    }

    fn waiting(&self, index: usize, transition: Transition) -> Option<Wait> {
        match self.members[index].stage {
            Stage::PendingWait(wait) | Stage::TerminatingWait(wait)
                if wait.hook.transition() == transition =>
            {
                Some(wait)
            }
            _ => None,
        }
    }

    fn waiting_for(&self, id: &InstanceId, transition: Transition) -> Option<(usize, Wait)> {
        let index = self.members.iter().position(|member| member.id == *id)?;
        Some((index, self.waiting(index, transition)?))
    }
}
