//! What is read from outside, changed at random on this machine: what can be had of fuzzing without its tools.

use std::io::{self, Write as _};

use crate::cargo_test;

/// What the tests of the corpus begin each line with that has figures.
const FIGURES: &str = "fuzz: ";

/// Reads so many inputs of each kind, prints the figures, and returns whether all was read as it must be.
///
/// # Errors
/// As those of [`cargo_test::run`].
pub(crate) fn read(count: u32) -> io::Result<bool> {
    let (mut inputs, mut kinds) = (0, 0);
    let mut is_kept = true;
    for package in ["jibri-scaler-core", "jibri-scaler-http"] {
        let environment = [("FUZZ_INPUTS", count.to_string())];
        is_kept &= cargo_test::run(package, "corpus", &[], &environment, FIGURES, |line| {
            let number = line.split_whitespace().next().map(str::parse::<u64>);
            inputs += number.and_then(Result::ok).ok_or_else(|| {
                io::Error::other(format!("`{line}` does not begin with how many inputs"))
            })?;
            kinds += 1;
            Ok(())
        })?;
    }
    writeln!(io::stdout(), "inputs read {inputs:>18}, of {kinds} kinds")?;
    Ok(is_kept)
}
