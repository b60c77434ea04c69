//! Computing the decisions of an audit log again.

use std::{
    error::Error as _,
    io::{BufRead, Write},
};

use jibri_scaler_core::{
    PolicyFile,
    audit::{AuditError, Replay},
};

use crate::Stopped;

/// What a log held beside decisions that are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Decisions that are others now.
    pub(crate) differ: u64,
    /// Ticks that failed, and decided nothing.
    pub(crate) failed: u64,
}

/// Writes each decision as it is computed now, and says which lines were decided otherwise.
pub(crate) fn replay(
    policy: Option<PolicyFile>,
    log: impl BufRead,
    mut decisions: impl Write,
    mut differs: impl FnMut(u64),
) -> Result<Counts, Stopped> {
    let mut replay = policy.map_or_else(Replay::default, Replay::with_policy);
    let mut counts = Counts::default();
    for (number, line) in (1..).zip(log.lines()) {
        let replayed = match line {
            Ok(line) if line.trim().is_empty() => continue,
            Ok(line) => match replay.line(&line) {
                Err(AuditError::TickFailed(_)) => {
                    counts.failed += 1;
                    continue;
                }
                replayed => replayed.map_err(|error| match error.source() {
                    Some(cause) => format!("{error}: {cause}"),
                    None => error.to_string(),
                }),
            },
            Err(error) => Err(format!("could not be read: {error}")),
        };
        let replayed = match replayed {
            Ok(replayed) => replayed,
            Err(reason) => {
                decisions.flush().map_err(Stopped::Output)?;
                let reason = format!("can't be decided again: {reason}");
                return Err(Stopped::Line { number, reason });
            }
        };
        writeln!(decisions, "{}", replayed.recomputed()).map_err(Stopped::Output)?;
        if !replayed.is_equal() {
            counts.differ += 1;
            differs(number);
        }
    }
    decisions.flush().map_err(Stopped::Output)?;
    Ok(counts)
}
