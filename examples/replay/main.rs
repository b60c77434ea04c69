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
//! Ticks that failed, and so decided nothing, are passed over, and with `--audit` counted on standard error.
//! Without it, an audit log says what another policy would have done, since its other lines are ticks.

mod audit;
#[cfg(test)]
#[path = "../support/audit_file.rs"]
mod audit_file;
#[cfg(test)]
mod audit_log;
#[cfg(test)]
#[path = "../support/disk.rs"]
mod disk;
#[cfg(test)]
#[path = "../support/memory_file.rs"]
mod memory_file;

#[path = "../support/replay.rs"]
mod replay;

use std::{
    fmt::Display,
    fs,
    io::{self, BufWriter},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use jibri_scaler_core::PolicyFile;

use audit::Counts;
use replay::{Stopped, replay};

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
        Some(policy) if !arguments.audit => {
            replay(&policy, ticks, decisions).map(|()| Counts::default())
        }
        policy => audit::replay(policy, ticks, decisions, |number| {
            eprintln!("replay: line {number} was decided otherwise when it was recorded");
        }),
    };
    if let Ok(Counts { failed, .. }) = end
        && failed > 0
    {
        eprintln!("replay: {failed} ticks had failed, and decided nothing");
    }
    match end {
        Ok(Counts { differ: 0, .. }) => ExitCode::SUCCESS,
        Ok(Counts { differ, .. }) => {
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

#[cfg(test)]
mod tests;
