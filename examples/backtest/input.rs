//! The recordings, wherever they come from.

use std::{fmt::Write as _, fs::File, io, path::Path};

use jibri_scaler_core::backtest::{Session, Trace};

use crate::{arguments::Arguments, cloudwatch, sessions};

/// Four weeks of meetings, drawn from a seed as `data/README.md` says.
const SAMPLE: &str = include_str!("../data/sessions.csv");

/// Recordings, and what must be known of them.
pub(crate) struct Input {
    pub(crate) trace: Trace,
    pub(crate) origin: String,
    pub(crate) notes: Vec<String>,
}

/// Reads them, with the upload added.
pub(crate) fn read(arguments: &Arguments) -> Result<Input, String> {
    let Input {
        trace,
        origin,
        mut notes,
    } = match (&arguments.sessions, &arguments.from_cloudwatch) {
        (Some(path), _) if path == Path::new("-") => {
            Input::of("standard input", sessions::read(io::stdin()))?
        }
        (Some(path), _) => {
            let name = path.display().to_string();
            let file = File::open(path)
                .map_err(|error| format!("sessions {name}: could not be read: {error}"))?;
            Input::of(&name, sessions::read(file))?
        }
        (None, Some(group)) => cloudwatch::read(group, arguments)?,
        (None, None) => Input::of(
            "the built-in sample (give your own with --sessions)",
            sessions::read(SAMPLE.as_bytes()),
        )?,
    };
    if trace.sessions().is_empty() {
        return Err(format!("{origin}: there is no recording in it"));
    }
    notes.extend(trace.imputation());
    Ok(Input {
        trace: longer(trace, arguments),
        origin,
        notes,
    })
}

impl Input {
    fn of(origin: &str, read: Result<Trace, sessions::Unreadable>) -> Result<Self, String> {
        Ok(Self {
            trace: read.map_err(|error| format!("sessions {origin}: {error}"))?,
            origin: origin.to_owned(),
            notes: Vec::new(),
        })
    }
}

/// Each recording holds its Jibri for the upload, too.
fn longer(trace: Trace, arguments: &Arguments) -> Trace {
    if arguments.upload.is_zero() {
        return trace;
    }
    let longer = trace.sessions().iter().filter_map(|s| {
        // A later end is never before the start.
        Session::new(s.start(), s.end() + arguments.upload).ok()
    });
    Trace::new(longer)
}

/// Recordings as `--sessions` reads them.
pub(crate) fn csv(trace: &Trace) -> String {
    let mut text = String::from("start,end\n");
    for session in trace.sessions() {
        let _ = writeln!(text, "{},{}", session.start(), session.end());
    }
    text
}
