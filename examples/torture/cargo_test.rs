//! Runs tests of the workspace, for what only they can show.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

/// Runs this test of this crate, optimised, one after the other, and prints and hands on what it says on lines that begin so. Returns
/// whether it passed and said anything; what it has said besides is printed where it did not.
///
/// # Errors
/// Where cargo can't be run, or the output can't be read, written or understood.
pub(crate) fn run(
    package: &str,
    test: &str,
    arguments: &[&str],
    environment: &[(&str, String)],
    begin: &str,
    mut each: impl FnMut(&str) -> io::Result<()>,
) -> io::Result<bool> {
    // `cargo run` says which cargo it is.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut child = Command::new(cargo)
        .args([
            "test",
            "--release",
            "--quiet",
            "-p",
            package,
            "--test",
            test,
        ])
        .args(["--", "--nocapture", "--test-threads", "1"])
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let (mut rest, mut has_figures) = (String::new(), false);
    if let Some(stdout) = child.stdout.take() {
        let take_in = || {
            for line in BufReader::new(stdout).lines() {
                let line = line?;
                if let Some((_, said)) = line.split_once(begin) {
                    each(said)?;
                    writeln!(io::stdout(), "  {said}")?;
                    has_figures = true;
                } else {
                    rest.push_str(&line);
                    rest.push('\n');
                }
            }
            Ok(())
        };
        if let Err(error) = take_in() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
    }
    let has_passed = child.wait()?.success() && has_figures;
    if !has_passed {
        eprint!("{rest}");
    }
    Ok(has_passed)
}
