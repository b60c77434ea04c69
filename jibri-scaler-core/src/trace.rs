//! Structured events of a controller, through [`tracing`](https://docs.rs/tracing).
//!
//! Each tick is a span `tick` of target [`TICK`] with the fields `group` and `at`; whatever a port logs in it is inside of it. The
//! targets, levels and fields are part of the public API, messages are not. An event says ids, numbers, names and sentences of this
//! crate; no body of an answer and no address is in any.
//!
//! | target | level | fields | when |
//! |---|---|---|---|
//! | [`TICK`] | ERROR | `group`, `operation`, `kind`, `error` | a tick could not observe, or not load the memory |
//! | [`DECISION`] | INFO where something is to be done, else DEBUG | `group`, `wanted_spare`, `winner`, `spare`, `coming`, `booting`, `overdue`, `busy`, `expired`, `unhealthy`, `unknown`, `retiring`, `other`, `total`, `desired`, `effects`, `dry_run` | once a tick |
//! | [`STEP`] | DEBUG | `group`, `stage`, `before`, `after`, `because` | for each stage of the explanation |
//! | [`EFFECT`] | INFO; WARN where it failed or was skipped | `group`, `kind`, `id` or `to`, `replace`, `applied` | for each effect of the plan |
//! | [`RETIREMENT`] | INFO; WARN where it was given up on | `group`, `id`, `from`, `to`, `age_seconds`, `replace` | for each retirement that came into another phase |
//! | [`FINDING`] | INFO, WARN or ERROR as its severity | `group`, `severity`, `what`, `fix` | in each tick in which it lasts |
//! | [`BREACH`] | ERROR | `group`, `rule`, `what` | for each rule that a decision breaks |
//! | [`PROBLEM`] | WARN | `group`, `operation`, `kind`, `error` | for each call of a port that failed |
//! | [`PROBE`] | DEBUG | `group`, `id`, `outcome` | for each Jibri that did not answer with its health |
//! | [`OPERATOR`] | INFO; WARN where it was refused or not saved | `group`, `command`, `direction`, `id`, `until`, `reason`, `error` | for each command of an operator |
//! | [`POLICY`] | INFO | `group` | when the policy is replaced |
//!
//! ```
//! // With tracing-subscriber, RUST_LOG for what changes and what is wrong: `jibri_scaler=info`, and with each step of each
//! // decision: `jibri_scaler=debug`.
//! assert!(jibri_scaler_core::trace::EFFECT.starts_with("jibri_scaler::"));
//! ```

use tracing::{Level, Span, debug, error, event, info, info_span, warn};

use crate::{
    Effect, Severity, Timestamp,
    controller::{Applied, OperateError, TickError, TickReport},
    operator::OperatorCommand,
    port::PortError,
    retirement::Phase,
};

/// Target of the span of a tick, and of its failure.
pub const TICK: &str = "jibri_scaler::tick";
/// Target of what was decided.
pub const DECISION: &str = "jibri_scaler::decision";
/// Target of each step of an explanation.
pub const STEP: &str = "jibri_scaler::step";
/// Target of what became of an effect.
pub const EFFECT: &str = "jibri_scaler::effect";
/// Target of what moves on in retirements.
pub const RETIREMENT: &str = "jibri_scaler::retirement";
/// Target of findings.
pub const FINDING: &str = "jibri_scaler::finding";
/// Target of rules that a decision breaks.
pub const BREACH: &str = "jibri_scaler::breach";
/// Target of calls that failed.
pub const PROBLEM: &str = "jibri_scaler::problem";
/// Target of probes that were not answered with a health.
pub const PROBE: &str = "jibri_scaler::probe";
/// Target of commands of an operator.
pub const OPERATOR: &str = "jibri_scaler::operator";
/// Target of a change of the policy.
pub const POLICY: &str = "jibri_scaler::policy";

pub(crate) fn span(group: &str, now: Timestamp) -> Span {
    info_span!(target: TICK, "tick", group, at = %now)
}

pub(crate) fn tick(group: &str, result: &Result<TickReport, TickError>) {
    let report = match result {
        Ok(report) => report,
        Err(failure) => {
            let (TickError::LoadMemory(cause) | TickError::Observe(cause)) = failure;
            let (operation, kind, error) = parts(cause);
            error!(target: TICK, group, operation, kind, error, "{failure}");
            return;
        }
    };
    decision(group, report);
    for step in &report.decision.explanation.steps {
        let stage = step.stage.as_str();
        // Text is made only where somebody listens.
        let because = || step.because.to_string();
        debug!(target: STEP, group, stage, before = step.before, after = step.after, because = because());
    }
    for (effect, applied) in &report.effects {
        self::effect(group, effect, *applied);
    }
    retirements(group, report);
    for finding in report.all_findings() {
        let (severity, what, fix) = (finding.severity.as_str(), &*finding.what, &*finding.fix);
        match finding.severity {
            Severity::Info => info!(target: FINDING, group, severity, what, fix),
            Severity::Warning => warn!(target: FINDING, group, severity, what, fix),
            Severity::Critical => error!(target: FINDING, group, severity, what, fix),
        }
    }
    for breach in &report.breaches {
        error!(target: BREACH, group, rule = %breach.rule, what = &*breach.what);
    }
    for problem in &report.problems {
        let (operation, kind, error) = parts(problem);
        warn!(target: PROBLEM, group, operation, kind, error);
    }
    for (id, outcome) in &report.failures {
        debug!(target: PROBE, group, id = id.as_str(), outcome = outcome.as_str());
    }
}

fn parts(error: &PortError) -> (&'static str, &'static str, String) {
    let operation = error.call().unwrap_or("other");
    (operation, error.kind().as_str(), error.report())
}

fn decision(group: &str, report: &TickReport) {
    let (decision, tally) = (&report.decision, &report.decision.tally);
    // The level of an event is part of its place in the source.
    macro_rules! say {
        ($level:expr) => {
            event!(
                target: DECISION,
                $level,
                group,
                wanted_spare = decision.wanted_spare,
                winner = &*decision.winner,
                spare = tally.spare,
                coming = decision.coming,
                booting = tally.booting,
                overdue = tally.overdue,
                busy = tally.busy,
                expired = tally.expired,
                unhealthy = tally.unhealthy,
                unknown = tally.unknown,
                retiring = tally.retiring,
                other = tally.other,
                total = tally.total,
                desired = report.tick.snapshot.group().desired,
                effects = decision.plan.effects.len(),
                dry_run = report.dry_run,
            )
        };
    }
    if decision.plan.is_empty() {
        say!(Level::DEBUG);
    } else {
        say!(Level::INFO);
    }
}

fn effect(group: &str, effect: &Effect, applied: Applied) {
    let (kind, is_well) = (
        effect.kind(),
        matches!(applied, Applied::Done | Applied::DryRun),
    );
    let (id, to, replace) = match effect {
        Effect::Protect { id } => (Some(id.as_str()), None, None),
        Effect::SetCapacity { to } => (None, Some(*to), None),
        Effect::Retire { id, replace } => (Some(id.as_str()), None, Some(*replace)),
    };
    let applied = applied.as_str();
    if is_well {
        info!(target: EFFECT, group, kind, id, to, replace, applied);
    } else {
        warn!(target: EFFECT, group, kind, id, to, replace, applied);
    }
}

fn retirements(group: &str, report: &TickReport) {
    for progress in &report.progress {
        let (id, from, to) = (progress.id.as_str(), progress.from.as_str(), progress.to);
        let known = report.decision.memory.retirements().get(&progress.id);
        let age_seconds = known.map(|r| report.tick.at.since(r.since()).as_secs());
        let replace = known.map(crate::retirement::Retirement::replace);
        if to == Phase::GivenUp {
            warn!(target: RETIREMENT, group, id, from, to = to.as_str(), age_seconds, replace);
        } else {
            info!(target: RETIREMENT, group, id, from, to = to.as_str(), age_seconds, replace);
        }
    }
}

pub(crate) fn command(group: &str, command: &OperatorCommand, result: &Result<(), OperateError>) {
    use OperatorCommand::{CancelRetire, Keep, Pause, Resume, Retire, Unkeep};
    let direction = match command {
        Pause { direction, .. } | Resume { direction } => Some(direction.as_str()),
        _ => None,
    };
    let id = match command {
        Keep { id, .. } | Unkeep { id } | Retire { id, .. } | CancelRetire { id } => {
            Some(id.as_str())
        }
        _ => None,
    };
    let until = match command {
        Pause { until, .. } => Some(*until),
        Keep { until, .. } => *until,
        _ => None,
    };
    let until = until.map(|until| until.to_string());
    let reason = match command {
        Pause { reason, .. } | Keep { reason, .. } | Retire { reason, .. } => Some(reason.as_str()),
        _ => None,
    };
    let command = command.kind();
    match result {
        Ok(()) => info!(target: OPERATOR, group, command, direction, id, until, reason),
        Err(error) => {
            // With the cause: what failed is in the port's error.
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
            let error = format!("{error}{}", cause.unwrap_or_default());
            warn!(target: OPERATOR, group, command, direction, id, until, reason, error);
        }
    }
}

pub(crate) fn policy(group: &str) {
    info!(target: POLICY, group, "the policy was replaced");
}
