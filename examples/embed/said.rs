//! What the service says on standard error, and as it ends.

use std::{error::Error, fmt::Display, io::Write as _, process::ExitCode};

/// Writes a line to standard error. (`eprintln!` panics where nobody reads it any more.)
pub(crate) fn say(what: impl Display) {
    let _ = writeln!(std::io::stderr(), "embed: {what}");
}

/// Says why it has ended, where that was no success.
pub(crate) fn exit_code(ended: Result<(), Box<dyn Error>>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(chain(&*error));
            ExitCode::from(2)
        }
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
