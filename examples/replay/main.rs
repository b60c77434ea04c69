//! What would a policy have done? Reads recorded ticks, writes the decisions.
//!
//! `replay --policy policy.toml < ticks.jsonl > decisions.jsonl`
//!
//! One tick per line in, one decision per line out; the formats are in `schema/`. The ticks are taken as the truth: effects are
//! never fed back, and what is remembered from tick to tick is as if each effect had been accepted. Blank lines are skipped. A
//! malformed line ends it with its number and the reason on standard error and exit code 2, after all decisions before it; so
//! does a bad policy file.

use std::{
    io::{self, BufRead, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use jibri_scaler_core::{Memory, PolicyFile, Tick, decide};

#[derive(Parser)]
#[command(about = "Says what a policy would have done with recorded ticks")]
struct Arguments {
    /// The policy file (TOML).
    #[arg(long)]
    policy: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let policy = match std::fs::read_to_string(&arguments.policy) {
        Ok(text) => PolicyFile::from_toml(&text).map_err(|error| error.to_string()),
        Err(error) => Err(format!("could not be read: {error}")),
    };
    let policy = match policy {
        Ok(policy) => policy,
        Err(error) => {
            eprintln!(
                "replay: policy file {}: {error}",
                arguments.policy.display()
            );
            return ExitCode::from(2);
        }
    };
    match replay(
        &policy,
        io::stdin().lock(),
        BufWriter::new(io::stdout().lock()),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the decisions has seen enough.
        Err(Stopped::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(stopped) => {
            eprintln!("replay: {stopped}");
            ExitCode::from(2)
        }
    }
}

/// Decides on each tick in turn.
fn replay(
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
            Ok(_) => serde_json::from_slice::<Tick>(line.trim_ascii_end()).map_err(|error| {
                // It counts lines from the start of this one.
                error
                    .to_string()
                    .replace(" at line 1 column ", " at column ")
            }),
            Err(error) => Err(format!("could not be read: {error}")),
        };
        let tick = match tick {
            Ok(tick) => tick,
            Err(reason) => {
                decisions.flush().map_err(Stopped::Output)?;
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
enum Stopped {
    Line { number: u64, reason: String },
    Output(io::Error),
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line { number, reason } => write!(f, "line {number} is not a tick: {reason}"),
            Self::Output(error) => write!(f, "could not write a decision: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
