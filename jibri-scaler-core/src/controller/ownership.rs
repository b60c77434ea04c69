//! Only observing while somebody else changes the size of the group.

use std::time::Duration;

use super::{Controller, TickReport};
use crate::{Finding, Severity, Timestamp, port::GroupOwnership};

/// How far apart the looks at who else is there are. Well under the time after which a mark is stale.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Who else changes the size of the group, as far as was seen.
pub(super) struct Ownership {
    port: Box<dyn GroupOwnership>,
    take_over: bool,
    looked_at: Option<Timestamp>,
    /// Absent until a look succeeded.
    others: Option<Vec<String>>,
}

impl Ownership {
    pub(super) fn new(port: impl GroupOwnership + 'static, take_over: bool) -> Self {
        Self {
            port: Box::new(port),
            take_over,
            looked_at: None,
            others: None,
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        // A clock that went back must not put the next look off for as long.
        !self
            .looked_at
            .is_some_and(|at| at <= now && now.since(at) < LOOK_EVERY)
    }
}

impl Controller {
    /// Looks who else is there, where that is due, and leaves the mark of this controller where the group is its own. Returns
    /// whether it may act.
    pub(super) async fn may_act(&mut self, report: &mut TickReport, now: Timestamp) -> bool {
        let dry_run = self.dry_run;
        let Some(ownership) = &mut self.ownership else {
            return true;
        };
        if ownership.is_due(now) {
            match ownership.port.others(now).await {
                Ok(others) => {
                    ownership.looked_at = Some(now);
                    ownership.others = Some(others);
                }
                Err(error) => report.problems.push(error.in_call("others")),
            }
            let free = ownership.others.as_ref().is_some_and(Vec::is_empty);
            if !dry_run
                && (free || ownership.take_over)
                && let Err(error) = ownership.port.mark(now).await
            {
                report.problems.push(error.in_call("mark"));
            }
        }
        let Some(others) = &ownership.others else {
            report.findings.push(Finding::new(
                Severity::Warning,
                "it is not known whether anybody else changes the size of this group, so it is only observed",
                "give the controller the right to look (autoscaling:DescribePolicies, autoscaling:DescribeTags)",
            ));
            return ownership.take_over;
        };
        if others.is_empty() {
            return true;
        }
        let (what, fix) = if ownership.take_over {
            (
                "changes the size of this group too, and was taken over from",
                "remove it: what one adds, the other takes",
            )
        } else {
            (
                "changes the size of this group, so it is only observed",
                "remove it, or take over from it (--take-over)",
            )
        };
        report.findings.push(Finding::new(
            Severity::Warning,
            format!("{} {what}", others.join(", ")),
            fix,
        ));
        ownership.take_over
    }
}
