//! The audit log: one JSON line per tick, from which every decision can be computed again.
//!
//! A line is a [`Tick`] with more members, so that whatever reads ticks reads it too:
//!
//! | member | what | absent |
//! |---|---|---|
//! | those of a tick | what was seen | never |
//! | `policy` | the text of the policy file | where it is that of the line before, and where there is no file |
//! | `memory` | what was remembered, with what an operator asked for | where it is what the decision of the line before has left |
//! | `decision` | the decision | never |
//! | `applied` | what became of each of its effects, in order: `done`, `failed`, `skipped`, `dry_run` | where it has none |
//! | `progress` | retirements that moved on: `id`, `from`, `to` | where none did |
//! | `findings`, `breaches`, `problems` | what was odd beside the decision, the rules that it breaks, the calls that failed | where there are none |
//!
//! A tick that failed has a line too, a [`FailedTick`] of the two members `at` and `failed`, so that a time without decisions is told from
//! one without a controller. It is no tick, and what follows it rests on the line before it.
//!
//! A [`Recorder`] says what a line must hold, a `Replay` (feature `toml`) computes the decisions again. The first decision of a file
//! comes with everything, so that a file can be read without those before it.
//!
//! A replica that [does not lead](crate::Controller::with_leadership) goes on from what another one remembers, so that each line of its log
//! has the memory.
//!
//! How large a line is: about 400 bytes for each instance, some 3 KB for the decision, and the memory where it is there: 200 bytes for each
//! instance, and what has been [learned](crate::learned).

#[cfg(feature = "toml")]
mod replay;

#[cfg(feature = "toml")]
pub use replay::{AuditError, Replay, Replayed};

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    Decision, Finding, InstanceId, Memory, Tick, Timestamp,
    controller::{TickError, TickReport},
    port::PortError,
    retirement::Phase,
};

/// Says what the next line of an audit log must hold.
///
/// The line of a tick that failed is a [`FailedTick`]. Where a line could not be written, and where a new file begins, [`begin_anew`](Self::begin_anew) makes the next line hold
/// everything.
///
/// ```
/// use std::io::{self, Write};
/// use jibri_scaler_core::{audit::Recorder, controller::TickReport};
///
/// /// Appends a line.
/// fn record(recorder: &mut Recorder, mut file: impl Write, report: &TickReport, policy: &str) -> io::Result<()> {
///     let mut line = serde_json::to_vec(&recorder.entry(report, Some(policy)))?;
///     line.push(b'\n');
///     recorder.begin_anew();
///     file.write_all(&line)?;
///     recorder.written(report, Some(policy));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    before: Option<Written>,
}

#[derive(Clone, Debug)]
struct Written {
    policy: Option<String>,
    memory: Memory,
}

impl Recorder {
    /// The line of this tick, to be serialized. `policy` is the text of the policy file by which it was decided, where there is one.
    #[must_use]
    pub fn entry<'a>(&self, report: &'a TickReport, policy: Option<&'a str>) -> Entry<'a> {
        let before = self.before.as_ref();
        let is_known = |before: &Written| before.policy.as_deref() == policy;
        let follows = |before: &Written| before.memory == report.memory_before;
        Entry {
            policy: policy.filter(|_| !before.is_some_and(is_known)),
            memory: Some(&report.memory_before).filter(|_| !before.is_some_and(follows)),
            report,
        }
    }

    /// Takes in that the line of this tick was written.
    pub fn written(&mut self, report: &TickReport, policy: Option<&str>) {
        self.before = Some(Written {
            policy: policy.map(Into::into),
            memory: report.decision.memory.clone(),
        });
    }

    /// Lets the next line hold everything.
    pub fn begin_anew(&mut self) {
        self.before = None;
    }
}

/// A line of an audit log, as it is written.
///
/// ```
/// use jibri_scaler_core::{audit::Recorder, controller::TickReport};
///
/// fn line(report: &TickReport) -> serde_json::Result<String> {
///     serde_json::to_string(&Recorder::default().entry(report, None))
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    policy: Option<&'a str>,
    memory: Option<&'a Memory>,
    report: &'a TickReport,
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.report;
        let applied = report.effects.iter().map(|(_, applied)| applied.as_str());
        let progress = report.progress.iter().map(|progress| Moved {
            id: &progress.id,
            from: progress.from,
            to: progress.to,
        });
        Line {
            tick: &report.tick,
            policy: self.policy,
            memory: self.memory,
            decision: &report.decision,
            applied: applied.collect(),
            progress: progress.collect(),
            findings: &report.findings,
            breaches: report.breaches.iter().map(ToString::to_string).collect(),
            problems: report.problems.iter().map(PortError::report).collect(),
        }
        .serialize(serializer)
    }
}

/// The line of a tick that decided nothing, since the group could not be observed or the memory not be loaded.
///
/// It needs no [`Recorder`], and changes nothing of what the next line must hold.
///
/// ```
/// use jibri_scaler_core::{
///     Timestamp, audit::FailedTick, controller::TickError, port::{PortError, PortErrorKind},
/// };
///
/// let error = TickError::Observe(PortError::new(PortErrorKind::Throttled, "list group `jibri`"));
/// let line = serde_json::to_string(&FailedTick::new(Timestamp::from_secs(0), &error))?;
/// assert_eq!(
///     line,
///     r#"{"at":"1970-01-01T00:00:00Z","failed":"the group could not be observed, so nothing was decided: could not list group `jibri` (throttled)"}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailedTick {
    /// When it was.
    pub at: Timestamp,
    /// What failed, and why.
    pub failed: String,
}

impl FailedTick {
    /// The line of a tick of that time that failed so.
    #[must_use]
    pub fn new(at: Timestamp, error: &TickError) -> Self {
        let (TickError::LoadMemory(cause) | TickError::Observe(cause)) = error;
        let failed = format!("{error}: {}", cause.report());
        Self { at, failed }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    tick: &'a Tick,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<&'a Memory>,
    decision: &'a Decision,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    applied: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    progress: Vec<Moved<'a>>,
    #[serde(skip_serializing_if = "<[Finding]>::is_empty")]
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    breaches: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Moved<'a> {
    id: &'a InstanceId,
    from: Phase,
    to: Phase,
}
