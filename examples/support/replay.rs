//! What would a policy have done? From recorded ticks to decisions.

use std::io::{self, BufRead, Write};

use jibri_scaler_core::{Memory, PolicyFile, Tick, audit::FailedTick, decide};

/// Decides on each tick in turn. One that failed when it was recorded, and so saw nothing, is passed over.
pub(crate) fn replay(
    policy: &PolicyFile,
    mut ticks: impl BufRead,
    mut decisions: impl Write,
) -> Result<(), Stopped> {
    let rules = policy.policy();
    let mut memory = Memory::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = ticks.read_until(b'\n', &mut line);
        let tick = match read {
            Ok(0) => break,
            Ok(_) if line.trim_ascii().is_empty() => continue,
            Ok(_) => match serde_json::from_slice::<Tick>(line.trim_ascii_end()) {
                Err(_) if serde_json::from_slice::<FailedTick>(&line).is_ok() => continue,
                // It counts lines from the start of this one.
                tick => tick.map_err(|error| {
                    error
                        .to_string()
                        .replace(" at line 1 column ", " at column ")
                }),
            },
            Err(error) => Err(format!("could not be read: {error}")),
        };
        let tick = match tick {
            Ok(tick) => tick,
            Err(reason) => {
                decisions.flush().map_err(Stopped::Output)?;
                let reason = format!("is not a tick: {reason}");
                return Err(Stopped::Line { number, reason });
            }
        };
        let decision = decide(&rules, &policy.limits, &tick.snapshot, tick.at, memory);
        serde_json::to_writer(&mut decisions, &decision)
            .map_err(|error| Stopped::Output(error.into()))?;
        decisions.write_all(b"\n").map_err(Stopped::Output)?;
        memory = decision.memory;
        memory.assume_told(tick.at);
    }
    decisions.flush().map_err(Stopped::Output)
}

/// Why the replay ended before the ticks did.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The line, and what is the matter with it.
    Line {
        number: u64,
        reason: String,
    },
    Output(io::Error),
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line { number, reason } => write!(f, "line {number} {reason}"),
            Self::Output(error) => write!(f, "could not write a decision: {error}"),
        }
    }
}
