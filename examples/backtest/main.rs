//! What would policies have done with the recordings of the past? What they refuse, what they cost, and how far they are from the best.
//!
//! ```sh
//! cargo run --release --example backtest -- --sessions sessions.csv --policy a.toml --policy b.toml --html report.html
//! ```
//!
//! The recordings are played through a simulated group with the very code that runs in production. Without `--sessions` a built-in sample
//! is played. How to get recordings out of Jitsi, how to read what is printed, and what is presumed: `docs/backtest.md`.

mod arguments;
mod bootstrap;
mod candidate;
mod cloudwatch;
mod compare;
mod day;
mod html;
mod input;
mod json;
mod oracle;
mod progress;
mod record;
mod report;
mod scatter;
mod sessions;
mod text;
#[path = "../support/timeline.rs"]
mod timeline;
mod tune;

use std::{
    fs::{self, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
    process::ExitCode,
};

use clap::Parser;
use jibri_scaler_core::{
    Timestamp,
    backtest::{Environment, Trace},
};

use arguments::Arguments;
use candidate::Candidate;
use report::Report;

/// What `--tune` writes where no setting will do. It is no policy file.
const NOTHING_FOUND: &[u8] = b"no setting of the search refuses as little as --slo asks for\n";

fn main() -> ExitCode {
    match run(&Arguments::parse(), &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads it has seen enough.
        Err(Stopped::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(stopped) => {
            // (`eprintln!` panics where nobody reads it any more.)
            let _ = writeln!(io::stderr(), "backtest: {stopped}");
            ExitCode::from(2)
        }
    }
}

/// Why there is no result.
#[derive(Debug)]
enum Stopped {
    Input(String),
    Output(io::Error),
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Input(what) => f.write_str(what),
            Self::Output(error) => write!(f, "could not write the results: {error}"),
        }
    }
}

impl From<String> for Stopped {
    fn from(what: String) -> Self {
        Self::Input(what)
    }
}

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Stopped> {
    let interval = arguments.interval;
    let environment = arguments.environment().map_err(|error| error.to_string())?;
    let mut candidates = match arguments.policy.as_slice() {
        [] => Candidate::built_in(interval)?,
        files => files
            .iter()
            .map(|file| Candidate::read(file))
            .collect::<Result<_, _>>()?,
    };
    for candidate in &candidates {
        candidate.check(interval)?;
    }
    // Better now than after a long run.
    for file in arguments.outputs() {
        writable(file)?;
    }
    let input = input::read(arguments)?;
    let trace = &input.trace;
    if let Some(file) = &arguments.write_sessions {
        write(file, input::csv(trace).as_bytes())?;
    }
    if let Some(file) = &arguments.ticks {
        record(arguments, &candidates, trace, &environment, file)?;
    }
    let peers = arguments.baselines();
    let mut search = None;
    let mut tuned = None;
    if let Some(file) = &arguments.tune {
        let found = tune::search(
            &tune::families(),
            trace,
            &environment,
            (interval, arguments.slo),
        )?;
        if let Some(best) = &found.best {
            candidates.push(best.setting.candidate(interval)?);
            write(file, found.to_toml(arguments, &input.origin).as_bytes())?;
            tuned = Some(file.display().to_string());
        } else {
            // No policy file, so that nobody takes an old or an empty one for the result.
            write(file, NOTHING_FOUND)?;
        }
        search = Some(found.curves);
    }
    candidates.extend(
        peers
            .iter()
            .map(|peer| Candidate::baseline(peer.documented(), false)),
    );
    if arguments.tune.is_some() {
        candidates.extend(tune::baselines(
            &peers,
            trace,
            &environment,
            (interval, arguments.slo),
        )?);
    }
    let boot = arguments.boot.mean();
    let found = compare::compare(
        &candidates,
        trace,
        &environment,
        (boot, interval),
        arguments.seed,
    )?;
    if found.bounds.recordings == 0 {
        return Err(Stopped::Input(
            "no recording is counted: --warm-up is longer than the log; give a shorter one".into(),
        ));
    }
    let mut notes = input.notes;
    notes.extend(refusals_untold(arguments, &candidates));
    notes.extend(bootstrap::caution(found.weeks));
    let mut report = Report::new(input.origin, notes, arguments, trace, found);
    (report.curves, report.tuned) = (search, tuned);
    if arguments.svg.is_some() || arguments.html.is_some() {
        let from = report.counted.map_or(Timestamp::MIN, |(from, _)| from);
        if let Some(day) = day::busiest(trace, from) {
            report.days = day::pictures(&candidates, trace, &environment, (day, interval));
        }
    }
    writeln!(out, "{report}").map_err(Stopped::Output)?;
    files(arguments, &report)
}

/// Writes the files that were asked for.
fn files(arguments: &Arguments, report: &Report) -> Result<(), Stopped> {
    if let Some(file) = &arguments.json {
        let mut text =
            serde_json::to_vec_pretty(&json::value(report)).map_err(|error| error.to_string())?;
        text.push(b'\n');
        write(file, &text)?;
    }
    let picture = scatter::picture(report);
    if let Some(file) = &arguments.svg {
        write(file, scatter::with_day(&picture, report).as_bytes())?;
    }
    if let Some(file) = &arguments.html {
        write(file, html::page(report, &picture).as_bytes())?;
    }
    Ok(())
}

/// Writes the ticks, and perhaps the decisions, of the one policy.
fn record(
    arguments: &Arguments,
    candidates: &[Candidate],
    trace: &Trace,
    environment: &Environment,
    file: &Path,
) -> Result<(), Stopped> {
    let [candidate] = candidates else {
        return Err(Stopped::Input(
            "--ticks is about one policy: give exactly one with --policy".into(),
        ));
    };
    let Some(policy) = candidate.policy() else {
        return Ok(());
    };
    let create = |file: &Path| {
        fs::File::create(file)
            .map(BufWriter::new)
            .map_err(|error| named(file, &error))
    };
    let mut ticks = create(file)?;
    let mut decisions: Box<dyn Write> = match &arguments.decisions {
        Some(file) => Box::new(create(file)?),
        None => Box::new(io::sink()),
    };
    record::record(policy, trace, environment, &mut ticks, &mut decisions)
        .map_err(|error| named(file, &error).into())
}

/// Policies that wait for what nobody tells them are worth a word.
fn refusals_untold(arguments: &Arguments, candidates: &[Candidate]) -> Option<String> {
    let waits = |candidate: &&Candidate| {
        candidate
            .policy()
            .is_some_and(|policy| policy.refusal_step.is_some())
    };
    let waiting = candidates.iter().find(waits)?;
    (!arguments.count_refusals).then(|| {
        format!(
            "{} has a `refusal_step`, which does nothing where nobody counts refusals: give --count-refusals if the controller is to have \
             --jicofo",
            waiting.name
        )
    })
}

/// Whether a file can be written. What is there stays until then.
fn writable(file: &Path) -> Result<(), String> {
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened.map(drop).map_err(|error| named(file, &error))
}

fn write(file: &Path, content: &[u8]) -> Result<(), String> {
    fs::write(file, content).map_err(|error| named(file, &error))
}

fn named(file: &Path, error: &dyn std::fmt::Display) -> String {
    format!("could not write {}: {error}", file.display())
}

#[cfg(test)]
mod tests;
