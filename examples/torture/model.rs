//! The model of the retirement protocol, explored on this machine.
//!
//! It lives in the tests of the core, beside the checker that only they depend on, so that it is run as a test.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
};

use crate::cargo_test;

/// What the tests of the model begin each line with that has figures.
const FIGURES: &str = "model: ";
/// And each that says what was found without a rule.
const MUTANT: &str = "mutant: ";

/// Which of them, but for what takes longer than CI may.
const TEST: [&str; 3] = ["--ignored", "--skip", "full"];

/// Explores the size that CI does, prints the figures, and returns whether every promise was kept.
///
/// # Errors
/// Where cargo can't be run, or the output can't be read or written.
pub(crate) fn explore() -> io::Result<bool> {
    run("the_promises", FIGURES, |_| Ok(()))
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
        Ok(())
    })?;
    let count = rules.len();
    writeln!(
        io::stdout(),
        "mutants killed {killed:>13} of {all}, without {count} rules by themselves or together"
    )?;
    Ok(is_kept)
}

/// Runs those tests of the model whose names have that in them, and hands on what they say on lines that begin so.
fn run(names: &str, begin: &str, each: impl FnMut(&str) -> io::Result<()>) -> io::Result<bool> {
    let arguments = [&[names], &TEST[..]].concat();
    cargo_test::run("jibri-scaler-core", "model", &arguments, &[], begin, each)
}
