//! What a tick has done.

use std::{collections::BTreeMap, fmt};

use crate::{
    Breach, Decision, Effect, Finding, InstanceId, Memory, Tick,
    port::{PortError, ProbeOutcome},
    retirement::Phase,
};

/// What one tick observed, decided and did.
///
/// `Display` prints a line for people.
///
/// ```
/// use jibri_scaler_core::controller::TickReport;
///
/// fn log(report: &TickReport) {
///     println!("{report}");
///     for problem in &report.problems {
///         eprintln!("{}", problem.report());
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use = "it may hold problems that somebody should see"]
#[non_exhaustive]
pub struct TickReport {
    /// What was seen.
    pub tick: Tick,
    /// What was remembered when it was decided. With the policy and the limits, this and the tick give the decision again.
    pub memory_before: Memory,
    /// What was decided, and why.
    pub decision: Decision,
    /// The rules that the decision breaks. With a fatal one among them nothing of the plan was applied.
    pub breaches: Vec<Breach>,
    /// The instances whose health could not be read, and what happened instead.
    pub failures: BTreeMap<InstanceId, ProbeOutcome>,
    /// What became of each effect of the plan, in order.
    pub effects: Vec<(Effect, Applied)>,
    /// The retirements that moved on.
    pub progress: Vec<Progress>,
    /// What failed: an effect, saving the memory, giving an instance back, publishing.
    pub problems: Vec<PortError>,
    /// What was odd beside the findings of the decision.
    pub findings: Vec<Finding>,
    /// Whether this was a dry run, in which nothing is done.
    pub dry_run: bool,
}

impl TickReport {
    pub(super) fn new(
        tick: Tick,
        memory_before: Memory,
        decision: Decision,
        dry_run: bool,
    ) -> Self {
        let not_done = if dry_run {
            Applied::DryRun
        } else {
            Applied::Skipped
        };
        let effects = decision
            .plan
            .effects
            .iter()
            .map(|effect| (effect.clone(), not_done))
            .collect();
        Self {
            tick,
            memory_before,
            decision,
            breaches: Vec::new(),
            failures: BTreeMap::new(),
            effects,
            progress: Vec::new(),
            problems: Vec::new(),
            findings: Vec::new(),
            dry_run,
        }
    }

    /// What was odd: the findings of the decision, and those beside it.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        let decided = &self.decision.explanation.findings;
        decided.iter().chain(&self.findings)
    }

    /// Notes what became of all effects that `which` picks.
    pub(super) fn note(&mut self, applied: Applied, which: impl Fn(&Effect) -> bool) {
        for (effect, became) in &mut self.effects {
            if which(effect) {
                *became = applied;
            }
        }
    }
}

impl fmt::Display for TickReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (decision, tally) = (&self.decision, &self.decision.tally);
        write!(
            f,
            "{} wanted spare {}: {} spare, {} coming, {} busy, {} booting, {} retiring, {} unknown, {} in all",
            decision.at,
            decision.wanted_spare,
            tally.spare,
            decision.coming,
            tally.busy,
            tally.booting,
            tally.retiring,
            tally.unknown + tally.overdue,
            tally.total
        )?;
        for (effect, applied) in &self.effects {
            match effect {
                Effect::Protect { id } => write!(f, "; protect {id}")?,
                Effect::SetCapacity { to } => write!(f, "; set capacity {to}")?,
                Effect::Retire { id, replace: false } => write!(f, "; retire {id}")?,
                Effect::Retire { id, replace: true } => write!(f, "; replace {id}")?,
            }
            match applied {
                Applied::Done => {}
                Applied::DryRun => f.write_str(" (dry run)")?,
                Applied::Failed => f.write_str(" (failed)")?,
                Applied::Skipped => f.write_str(" (skipped)")?,
            }
        }
        for progress in &self.progress {
            write!(f, "; {} {} -> {}", progress.id, progress.from, progress.to)?;
        }
        for problem in &self.problems {
            write!(f, "; {}", problem.report())?;
        }
        for breach in &self.breaches {
            write!(f, "; refused, since this rule is broken: {breach}")?;
        }
        for finding in self.all_findings() {
            write!(f, "; {finding}")?;
        }
        Ok(())
    }
}

/// What became of an effect.
///
/// ```
/// use jibri_scaler_core::controller::Applied;
///
/// assert_ne!(Applied::Done, Applied::DryRun);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Applied {
    /// It was done; a retirement has begun.
    Done,
    /// It would have been done.
    DryRun,
    /// It failed, and may have happened all the same.
    Failed,
    /// It was not tried: an effect before it failed, the memory could not be saved, the plan was refused, or more was set so
    /// recently that the listing may not show it yet.
    Skipped,
}

impl Applied {
    /// The name of what became of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::DryRun => "dry_run",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// A retirement that moved on.
///
/// ```
/// use jibri_scaler_core::{controller::TickReport, retirement::Phase};
///
/// /// How many machines were given back in this tick.
/// fn given_back(report: &TickReport) -> usize {
///     report.progress.iter().filter(|progress| progress.to == Phase::Released).count()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The instance.
    pub id: InstanceId,
    /// The phase it was in.
    pub from: Phase,
    /// The phase it is in now.
    pub to: Phase,
}

/// A tick that could do nothing.
///
/// ```
/// use jibri_scaler_core::{controller::TickError, port::{PortError, PortErrorKind}};
///
/// let throttled = PortError::new(PortErrorKind::Throttled, "list group `jibri`");
/// let error = TickError::Observe(throttled);
/// assert_eq!(error.to_string(), "the group could not be observed, so nothing was decided");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TickError {
    /// The memory could not be loaded. It is not taken for none: that would forget retirements under way.
    #[error("the memory could not be loaded, so nothing was decided")]
    LoadMemory(#[source] PortError),
    /// The group could not be listed.
    #[error("the group could not be observed, so nothing was decided")]
    Observe(#[source] PortError),
}
