//! The model of the retirement protocol, explored on this machine.
//!
//! It lives in the tests of the core, beside the checker that only they depend on, so that it is run as a test.

use std::{
    collections::BTreeSet,
    env,
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

/// What the tests of the model begin each line with that has figures.
const FIGURES: &str = "model: ";
/// And each that says what was found without a rule.
const MUTANT: &str = "mutant: ";

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
    // What takes longer than CI may.
    "--skip",
    "full",
];

/// Explores the size that CI does, prints the figures, and returns whether every promise was kept.
///
/// # Errors
/// Where cargo can't be run, or the output can't be read or written.
pub(crate) fn explore() -> io::Result<bool> {
    run("keeps_the_promises", FIGURES, |_| {})
}

/// Removes one safety rule after the other, prints what the model finds, and returns whether it finds what each prevents.
///
/// # Errors
/// As [`explore`].
pub(crate) fn mutate() -> io::Result<bool> {
    let (mut killed, mut all, mut rules) = (0, 0, BTreeSet::new());
    let is_kept = run("need", MUTANT, |line| {
        let mut words = line.split([' ', ':']);
        let is_killed = words.next() == Some("killed");
        all += 1;
        killed += u32::from(is_killed);
        let removed = words.next().filter(|_| is_killed).unwrap_or_default();
        rules.extend(
            removed
                .split('+')
                .filter(|it| !it.is_empty())
                .map(String::from),
        );
    })?;
    let count = rules.len();
    writeln!(
        io::stdout(),
        "mutants killed {killed:>13} of {all}, without {count} rules by themselves or together"
    )?;
    Ok(is_kept)
}

/// Runs those tests of the model whose names have that in them, and prints and hands on what they say on lines that begin so.
fn run(names: &str, begin: &str, mut each: impl FnMut(&str)) -> io::Result<bool> {
    // `cargo run` says which cargo it is.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut child = Command::new(cargo)
        .args(TEST)
        .arg(names)
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut rest = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if let Some((_, said)) = line.split_once(begin) {
                each(said);
                writeln!(io::stdout(), "  {said}")?;
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
