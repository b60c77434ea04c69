//! Why a decision is what it is, as data.

mod because;
mod sentence;

pub use because::Because;
pub(crate) use sentence::{LaunchBudget, Seen, Sentence};

use std::fmt;

use serde::{Deserialize, Serialize};

/// The stages of a decision, in their order. Up to [`LaunchBudget`](Self::LaunchBudget) the numbers of a step are capacities,
/// after it numbers of retirements.
///
/// ```
/// use jibri_scaler_core::Stage;
///
/// assert_eq!(Stage::ALL[0].as_str(), "wanted_spare");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// The capacity that the largest vote of the policies asks for.
    WantedSpare,
    /// The same inside the bounds of the group.
    Bounds,
    /// The same inside what may be launched at once.
    LaunchBudget,
    /// How many idle Jibris have been more than wanted, for the whole of the hold window.
    Surplus,
    /// How many of those have been idle for long enough.
    Eligible,
    /// How many of those the minimum size and the limit of retirements allow.
    Headroom,
    /// How many of those there is a safe way for.
    SafeRetirement,
    /// All retirements that begin now, those of broken Jibris included.
    Plan,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Self; 8] = [
        Self::WantedSpare,
        Self::Bounds,
        Self::LaunchBudget,
        Self::Surplus,
        Self::Eligible,
        Self::Headroom,
        Self::SafeRetirement,
        Self::Plan,
    ];

    /// The name of the stage, as it is serialized.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WantedSpare => "wanted_spare",
            Self::Bounds => "bounds",
            Self::LaunchBudget => "launch_budget",
            Self::Surplus => "surplus",
            Self::Eligible => "eligible",
            Self::Headroom => "headroom",
            Self::SafeRetirement => "safe_retirement",
            Self::Plan => "plan",
        }
    }
}

/// What one stage made of the number that it was given.
///
/// ```
/// use jibri_scaler_core::{FleetSnapshot, Group, Limits, Memory, Stage, Timestamp, decide, policy::MinIdle};
///
/// let snapshot = FleetSnapshot::new(Group::new(0, 10, 0), vec![]);
/// let decision = decide(&MinIdle::new(2)?, &Limits::default(), &snapshot, Timestamp::from_secs(0), Memory::default());
/// let step = decision.explanation.step(Stage::WantedSpare).expect("each stage is explained");
/// assert_eq!((step.before, step.after), (0, 2));
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// The stage.
    pub stage: Stage,
    /// The number that went in.
    pub before: u32,
    /// The number that came out.
    pub after: u32,
    /// Why, in one sentence with the numbers.
    pub because: Because,
}

/// How bad a finding is.
///
/// ```
/// use jibri_scaler_core::Severity;
///
/// assert!(Severity::Critical > Severity::Warning);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// Good to know; nothing needs to be done.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Recordings are refused or in danger, or money is burnt, until somebody acts.
    Critical,
}

impl Severity {
    /// The name, as it is serialized.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something odd that was seen while deciding.
///
/// ```
/// use jibri_scaler_core::{Finding, Severity};
///
/// let finding = Finding::new(Severity::Warning, "i-1: busy for longer than max_busy", "look at it");
/// assert_eq!(finding.to_string(), "warning: i-1: busy for longer than max_busy (fix: look at it)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was seen.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

impl Finding {
    /// A finding.
    ///
    /// ```
    /// use jibri_scaler_core::{Finding, Severity};
    ///
    /// let finding = Finding::new(Severity::Info, "the clock stepped back", "nothing, if it was once");
    /// assert_eq!(finding.to_string(), "info: the clock stepped back (fix: nothing, if it was once)");
    /// ```
    pub fn new(severity: Severity, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            severity,
            what: what.into(),
            fix: fix.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.severity.as_str();
        write!(f, "{severity}: {} (fix: {})", self.what, self.fix)
    }
}

/// Why a decision is what it is: one step per [`Stage`], and what was odd. `Display` prints it for people, a line a step.
///
/// ```
/// use jibri_scaler_core::Explanation;
///
/// assert_eq!(Explanation::default().to_string(), "");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "an unread explanation explains nothing"]
#[non_exhaustive]
pub struct Explanation {
    /// One step per stage, in the order of the stages.
    pub steps: Vec<Step>,
    /// What was odd.
    pub findings: Vec<Finding>,
}

impl Explanation {
    /// The step of one stage.
    #[must_use]
    pub fn step(&self, stage: Stage) -> Option<&Step> {
        self.steps.iter().find(|step| step.stage == stage)
    }

    pub(crate) fn push(&mut self, stage: Stage, before: u32, after: u32, because: Sentence) {
        self.steps.push(Step {
            stage,
            before,
            after,
            because: because.into(),
        });
    }

    pub(crate) fn find(
        &mut self,
        severity: Severity,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.findings.push(Finding::new(severity, what, fix));
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(
                f,
                "{:<15} {:>5} → {:<5} {}",
                step.stage.as_str(),
                step.before,
                step.after,
                step.because
            )?;
        }
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        Ok(())
    }
}
