//! What a tick sees of an instance under retirement.

use super::{Act, Retirement, Work};
use crate::{
    BusyStatus, DrainPath, Instance, Lifecycle, Limits, Reachability, Timestamp,
    safeguard::{Safeguard, holds},
};

/// What one tick sees of an instance whose Jibri is being retired. Part of the machinery of the controller, and public for the
/// model that checks it only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sight {
    /// Listed exactly once, and in service: only then is it watched.
    in_service: bool,
    /// Whether it answered in this tick.
    answered: bool,
    /// What its newest report says, and when that was received.
    report: Option<(Timestamp, Work)>,
    /// Whether its agent is heard and the group has the hook.
    by_agent: bool,
}

impl Sight {
    /// What the rows of one instance show.
    #[must_use]
    pub fn of(rows: &[Instance]) -> Self {
        let [row] = rows else {
            return Self {
                in_service: false,
                answered: false,
                report: None,
                by_agent: false,
            };
        };
        let report = row.report.as_ref().and_then(|report| {
            let work = match report.status.as_ref()?.busy {
                BusyStatus::Busy => Work::Busy,
                BusyStatus::Idle | BusyStatus::Expired => Work::Free,
                _ => Work::Unknown,
            };
            Some((report.received_at, work))
        });
        Self {
            in_service: row.lifecycle == Lifecycle::InService,
            answered: row.reachability == Reachability::Answered,
            report,
            by_agent: row.drain == DrainPath::Agent,
        }
    }

    /// Whether the Jibri answered in this tick, so that nobody needs to look whether it is there.
    #[must_use]
    pub const fn answered(&self) -> bool {
        self.answered
    }

    /// Whether it is in service, so that it may be told.
    pub(crate) const fn is_in_service(&self) -> bool {
        self.in_service
    }

    /// Whether it answered BUSY in this tick.
    fn is_busy_now(&self) -> bool {
        self.answered && self.report.is_some_and(|(_, work)| work == Work::Busy)
    }

    /// The same with all times moved by `moved`, for the model.
    #[cfg(feature = "__model")]
    #[must_use]
    pub fn moved(mut self, moved: impl Fn(Timestamp) -> Timestamp) -> Self {
        self.report = self.report.map(|(at, work)| (moved(at), work));
        self
    }

    /// The same without what no rule reads, for the model. There one that did not answer was not heard since the last look: an agent that
    /// does not count as answering was heard before any look that still counts.
    #[cfg(feature = "__model")]
    #[must_use]
    pub const fn settled(mut self) -> Self {
        self.answered &= self.in_service;
        self.by_agent &= self.in_service;
        if !self.answered {
            self.report = None;
        }
        self
    }

    /// What the report of this tick says of the Jibri, if it was received after the Jibri was told. An older one describes the time
    /// before, and says nothing of what came of the request.
    fn work(&self, told: Option<Timestamp>) -> Work {
        match (self.report, told) {
            (Some((received, work)), Some(told))
                if self.answered && (received > told || !holds(Safeguard::ReportsSinceTold)) =>
            {
                work
            }
            _ => Work::Unknown,
        }
    }
}

impl Retirement {
    /// Takes in what this tick shows, and returns what is to be done now, if anything: a retirement moves at most one phase per
    /// tick. `is_due` says whether it is time to tell it, so that it is not given up on before that is tried.
    #[doc(hidden)]
    pub fn observed(
        &mut self,
        sight: &Sight,
        is_due: bool,
        limits: &Limits,
        now: Timestamp,
    ) -> Option<Act> {
        if !sight.in_service {
            self.unwatched();
            return None;
        }
        // What an answer in this tick says is taken in below, and by the look.
        if let Some((heard, _)) = sight.report.filter(|_| !sight.answered) {
            self.heard(heard);
        }
        let phase = self.phase;
        self.still_in_service(now, limits.report_ttl());
        if self.phase == phase {
            self.reported(sight.work(self.told_at), now, limits);
        }
        if self.phase == phase {
            if sight.is_busy_now() {
                self.busy_untold(now);
            }
            if !is_due {
                self.give_up_untold(now, limits);
            }
        }
        let next = self.act();
        // Without its agent and the hook nobody would drain it.
        let is_possible =
            next != Act::HandOver || sight.by_agent || !holds(Safeguard::HandOverToTheHeard);
        let is_time = is_due || next != Act::Tell;
        (self.phase == phase && is_possible && is_time && next != Act::Wait).then_some(next)
    }
}
