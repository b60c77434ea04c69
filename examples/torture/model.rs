//! The model of the retirement protocol, explored on this machine.
//!
//! It lives in the tests of the core, beside the checker that only they depend on, so that it is run as a test.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

/// What the tests of the model begin each line with that has figures.
const FIGURES: &str = "model: ";

const TEST: &[&str] = &[
    "test",
    "--release",
    "--quiet",
    "-p",
    "jibri-scaler-core",
    "--test",
    "model",
    "--",
    "--ignored",
    "--nocapture",
    "--test-threads",
    "1",
    "keeps_the_promises",
    "--skip",
    "full",
];

/// Explores the size that CI does, prints the figures, and returns whether every promise was kept.
///
/// # Errors
/// Where cargo can't be run, or the output can't be read or written.
pub(crate) fn explore() -> io::Result<bool> {
    // `cargo run` says which cargo it is.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut child = Command::new(cargo)
        .args(TEST)
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut rest = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if let Some((_, figures)) = line.split_once(FIGURES) {
                writeln!(io::stdout(), "  {figures}")?;
            } else {
                rest.push_str(&line);
                rest.push('\n');
            }
        }
    }
    let is_kept = child.wait()?.success();
    if !is_kept {
        eprint!("{rest}");
    }
    Ok(is_kept)
}
