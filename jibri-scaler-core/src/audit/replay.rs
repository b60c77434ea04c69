use serde::Deserialize;
use serde_json::value::RawValue;

use super::FailedTick;
use crate::{Decision, Memory, PolicyFile, PolicyFileError, Tick, decide};

/// Computes the decisions of an audit log again, line by line.
///
/// ```
/// use jibri_scaler_core::audit::{AuditError, Replay};
///
/// let mut replay = Replay::default();
/// let line = r#"{"at": "2026-11-22T10:00:00Z", "group": {"min_size": 0, "max_size": 9, "desired": 0, "safe_retirement": true},
///     "instances": [], "policy": "min_idle = 1", "memory": {"version": 1}, "decision": {}}"#;
/// let replayed = replay.line(line)?;
/// assert_eq!(replayed.decision.plan.capacity(), Some(1));
/// assert!(!replayed.is_equal(), "it was recorded as `{{}}`");
/// # Ok::<(), AuditError>(())
/// ```
#[derive(Debug, Default)]
pub struct Replay {
    policy: Option<PolicyFile>,
    memory: Option<Memory>,
}

/// What is recorded beside the tick.
#[derive(Deserialize)]
struct Beside<'a> {
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    memory: Option<Memory>,
    #[serde(borrow)]
    decision: &'a RawValue,
}

impl Replay {
    /// A replay of a log that has no policy file in it, by this one.
    #[must_use]
    pub const fn with_policy(policy: PolicyFile) -> Self {
        Self {
            policy: Some(policy),
            memory: None,
        }
    }

    /// Decides again what was decided in this line.
    ///
    /// # Errors
    /// Where the line can't be read, where something is missing that a line before it has, and where it is that of a tick that
    /// [failed](AuditError::TickFailed). The next line may be tried all the same.
    pub fn line(&mut self, line: &str) -> Result<Replayed, AuditError> {
        let tick: Tick = serde_json::from_str(line).map_err(|error| {
            serde_json::from_str(line).map_or(AuditError::Malformed(error), AuditError::TickFailed)
        })?;
        let beside: Beside<'_> = serde_json::from_str(line)?;
        if let Some(text) = &beside.policy {
            self.policy = Some(PolicyFile::from_toml(text)?);
        }
        let policy = self.policy.as_ref().ok_or(AuditError::NoPolicy)?;
        let memory = beside.memory.or_else(|| self.memory.take());
        let memory = memory.ok_or(AuditError::NoMemory)?;
        let rules = policy.policy();
        let decision = decide(&rules, &policy.limits, &tick.snapshot, tick.at, memory);
        self.memory = Some(decision.memory.clone());
        Ok(Replayed {
            recorded: beside.decision.get().into(),
            decision,
        })
    }
}

/// A decision that was computed again.
///
/// ```
/// use jibri_scaler_core::audit::Replayed;
///
/// fn say(replayed: &Replayed) {
///     if !replayed.is_equal() {
///         println!("{} was decided, and now it is {}", replayed.recorded, replayed.recomputed());
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// The text of the decision that was recorded.
    pub recorded: String,
    /// What is decided now.
    pub decision: Decision,
}

impl Replayed {
    /// The text of what is decided now, as it would be recorded.
    #[must_use]
    pub fn recomputed(&self) -> String {
        // Writing a decision into a text can't fail: it has no map with keys that are no texts.
        serde_json::to_string(&self.decision).unwrap_or_default()
    }

    /// Whether both are the same to the last bit.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.recorded == self.recomputed()
    }
}

/// A line of an audit log that can't be computed again.
///
/// ```
/// use jibri_scaler_core::audit::{AuditError, Replay};
///
/// assert!(matches!(Replay::default().line("{"), Err(AuditError::Malformed(_))));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// It is not a line of an audit log.
    #[error("it is not a line of an audit log")]
    Malformed(#[from] serde_json::Error),
    /// It is that of a tick that failed, so there is no decision. What follows rests on the lines before it.
    #[error("the tick of {} decided nothing: {}", .0.at, .0.failed)]
    TickFailed(FailedTick),
    /// Neither it nor a line before it has the memory.
    #[error("no memory is recorded so far: begin with the first line of a file")]
    NoMemory,
    /// Neither it nor a line before it has the policy.
    #[error(
        "no policy is recorded so far: begin with the first line of a file, or name the policy file"
    )]
    NoPolicy,
    /// The policy that it has can't be read, by this release at least.
    #[error("its policy can't be read")]
    Policy(#[from] PolicyFileError),
}
