//! The rules of the join, one instance at a time, for the model.

use std::time::Duration;

use super::{
    AgentReport,
    known::{Heard, Known, fill, hear},
};
use crate::{Instance, Timestamp, port::ProbeOutcome};

/// What an observer keeps of one instance between ticks.
#[derive(Clone, Debug, Default)]
pub struct Kept(Known);

impl Kept {
    /// Whether its internal API has answered a harmless request, so that it can be told.
    #[must_use]
    pub const fn is_direct(&self) -> bool {
        self.0.direct
    }

    /// What was kept: the newest report, and whether it can be told.
    #[must_use]
    pub fn new(report: Option<crate::Report>, direct: bool) -> Self {
        Self(Known {
            report,
            direct,
            ..Known::default()
        })
    }

    /// The newest report.
    #[must_use]
    pub const fn report(&self) -> Option<&crate::Report> {
        self.0.report.as_ref()
    }

    /// Fills in what a probe gave in this tick, and whether the Jibri was found to be one that can be told.
    pub fn probed(
        &mut self,
        instance: &mut Instance,
        outcome: Option<(ProbeOutcome, bool)>,
        now: Timestamp,
    ) {
        let heard = outcome.map(|(outcome, direct)| Heard {
            outcome,
            direct,
            asked: false,
        });
        fill(instance, &mut self.0, heard.as_ref(), now);
    }

    /// Fills in what the agent on the instance reported last, where that is not too old.
    pub fn heard(
        &mut self,
        instance: &mut Instance,
        report: AgentReport,
        has_hook: bool,
        report_ttl: Duration,
        now: Timestamp,
    ) {
        fill(instance, &mut self.0, None, now);
        if now.since(report.received_at) <= report_ttl {
            hear(instance, &mut self.0, report, has_hook, report_ttl, now);
        }
    }
}
