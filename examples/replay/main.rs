//! What would a policy have done? Reads recorded ticks, writes the decisions.
//!
//! `replay --policy policy.toml < ticks.jsonl > decisions.jsonl`
//!
//! One tick per line in, one decision per line out; the formats are in `schema/`. The ticks are taken as the truth: effects are
//! never fed back, and what is remembered from tick to tick is as if each effect had been accepted. Blank lines are skipped. A
//! malformed line ends it with its number and the reason on standard error and exit code 2, after all decisions before it; so
//! does a bad policy file.
//!
//! `cat audit.jsonl.2 audit.jsonl.1 audit.jsonl | replay --audit > decisions.jsonl`
//!
//! With `--audit` the lines are those of an audit log, each with its policy, its memory and its decision, as the example `controller` writes
//! them. Each decision is computed again, and one that is not the same to the last bit is named on standard error; the exit code is then 1.
//! Without it, an audit log says what another policy would have done, since its lines are ticks.

mod audit;
#[cfg(test)]
#[path = "../support/audit_file.rs"]
mod audit_file;
#[cfg(test)]
mod audit_log;
#[cfg(test)]
#[path = "../support/memory_file.rs"]
mod memory_file;

use std::{
    fmt::Display,
    fs,
    io::{self, BufRead, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use jibri_scaler_core::{Memory, PolicyFile, Tick, decide};

#[derive(Parser)]
#[command(about = "Says what a policy would have done with recorded ticks")]
struct Arguments {
    /// The policy file (TOML). With --audit, the policy of a log that has none in it.
    #[arg(long, required_unless_present = "audit")]
    policy: Option<PathBuf>,
    /// Compute the decisions of an audit log again, and compare.
    #[arg(long)]
    audit: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let policy = match arguments.policy.as_deref().map(read).transpose() {
        Ok(policy) => policy,
        Err(error) => {
            eprintln!("replay: {error}");
            return ExitCode::from(2);
        }
    };
    let (ticks, decisions) = (io::stdin().lock(), BufWriter::new(io::stdout().lock()));
    let end = match policy {
        Some(policy) if !arguments.audit => replay(&policy, ticks, decisions).map(|()| 0),
        policy => audit::replay(policy, ticks, decisions, |number| {
            eprintln!("replay: line {number} was decided otherwise when it was recorded");
        }),
    };
    match end {
        Ok(0) => ExitCode::SUCCESS,
        Ok(differ) => {
            eprintln!("replay: {differ} decisions differ from those that are recorded");
            ExitCode::FAILURE
        }
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

fn read(path: &Path) -> Result<PolicyFile, String> {
    let named = |error: &dyn Display| format!("policy file {}: {error}", path.display());
    let text =
        fs::read_to_string(path).map_err(|error| named(&format!("could not be read: {error}")))?;
    PolicyFile::from_toml(&text).map_err(|error| named(&error))
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
    Audit { number: u64, reason: String },
    Output(io::Error),
}

impl Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line { number, reason } => write!(f, "line {number} is not a tick: {reason}"),
            Self::Audit { number, reason } => write!(f, "line {number}: {reason}"),
            Self::Output(error) => write!(f, "could not write a decision: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
