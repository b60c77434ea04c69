//! Peers and the `slo` policy on the same recordings: what each needs to refuse at most 5 %, 1 % and 0.1 %.
//!
//! `cargo bench --bench frontier` plays kind of demand by kind of demand. What came of one goes into `docs/frontier/` as JSON with its
//! picture, and the figures of all kinds that are there into `docs/frontier.md`: kinds can be played one at a time.
//! After `--`: `--quick` plays briefly, on two kinds, and writes into `target/frontier`; `--report` plays nothing, and writes the document
//! from what is there; `--threads N` kinds at a time (1 unless told); `--seeds N` of the long run (20 unless told); `--peak N` starts in a
//! peak hour (30 unless told); names of kinds play these alone, in this order. Progress goes to standard error.

mod contest;
mod picture;
mod report;
mod results;
mod score;
mod search;

use std::{
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use contest::{Load, Result};
use jibri_scaler_core::{Timestamp, backtest::workload::Scenario};
use report::GOAL_LOADS;
use results::{Results, Setup};

/// The day on which Central Europe goes over to winter time is in the middle of what is played.
const MIDDLE: &str = "2026-10-25T00:00:00Z";
/// So many times the starts where the demand grows by a fifth each week.
const GROWS_FROM: f64 = 0.25;

struct Options {
    setup: Setup,
    quick: bool,
    report: bool,
    threads: usize,
    kinds: Vec<String>,
}

fn main() -> Result<()> {
    let options = options()?;
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let docs = root.join("docs");
    let out = if options.quick {
        root.join("target/frontier")
    } else {
        docs.clone()
    };
    let pictures = out.join("frontier");
    fs::create_dir_all(&pictures)
        .map_err(|error| format!("making {}: {error}", pictures.display()))?;

    let every = all_names()?;
    let rewrite = || -> Result<()> {
        let mut all = Vec::new();
        for name in &every {
            all.extend(Results::read(&file(&pictures, name, "json"))?);
        }
        for results in &all {
            write(
                &file(&pictures, &results.name, "svg"),
                &picture::svg(results),
            )?;
        }
        let document = read(&docs.join("frontier.md"))?;
        let text = report::put_between_markers(&document, &report::markdown(&all))
            .ok_or("docs/frontier.md has lost the markers between which the figures stand")?;
        write(&out.join("frontier.md"), &text)
    };
    if options.report {
        return rewrite();
    }
    let names = names(&options, &every)?;
    let waiting = Mutex::new(names.iter());
    let begun = Instant::now();
    let (done, finished) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..options.threads {
            let (done, waiting, setup) = (done.clone(), &waiting, &options.setup);
            scope.spawn(move || {
                let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
                while let Some(name) = next() {
                    let played = play(name, setup, begun);
                    if done.send(played).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        for results in finished {
            let results = results?;
            results.write(&file(&pictures, &results.name, "json"))?;
            rewrite()?;
        }
        Ok(())
    })
}

/// Searches and plays one kind of demand.
fn play(name: &'static str, setup: &Setup, begun: Instant) -> Result<Results> {
    let mut note = |text: &str| eprintln!("{:>5} s  {name}: {text}", begun.elapsed().as_secs());
    let load = |(weeks, seeds): (u32, RangeInclusive<u64>)| -> Result<Load> {
        let days = 7 * weeks;
        let middle: Timestamp = MIDDLE.parse()?;
        let start = middle.before(Duration::from_secs(86_400) * (days / 2));
        let all = Scenario::all(peak_of(name, setup.peak), start, days)?;
        let scenario = all.into_iter().find(|scenario| scenario.name == name);
        let scenario = scenario.ok_or("a kind of demand is gone")?;
        Load::new(&scenario, start, days, seeds)
    };
    let short = load((setup.short.0, 1..=setup.short.1))?;
    note("learned, for the search");
    let entries = results::enter(&short, &mut note)?;
    // Other seeds, so that what was chosen was not chosen for its luck.
    let long = load((setup.long.0, 101..=100 + setup.long.1))?;
    note("learned, for the long run");
    let setup = Setup {
        peak: peak_of(name, setup.peak),
        ..setup.clone()
    };
    results::play(name, &setup, entries, &long, &mut note)
}

/// How many starts a peak hour has in the beginning.
fn peak_of(name: &str, peak: f64) -> f64 {
    if name == "growth" {
        peak * GROWS_FROM
    } else {
        peak
    }
}

/// Where something of one kind of demand is kept.
fn file(directory: &Path, name: &str, extension: &str) -> PathBuf {
    directory.join(format!("{}.{extension}", report::file_name(name)))
}

/// All kinds of demand, in the order of the document.
fn all_names() -> Result<Vec<&'static str>> {
    let all = Scenario::all(1.0, MIDDLE.parse()?, 1)?;
    let mut names: Vec<_> = all.into_iter().map(|scenario| scenario.name).collect();
    // What has a goal comes first.
    names.sort_by_key(|name| !GOAL_LOADS.contains(name));
    Ok(names)
}

/// The kinds of demand to play.
fn names(options: &Options, every: &[&'static str]) -> Result<Vec<&'static str>> {
    let known = |kind: &String| {
        let found = every.iter().copied().find(|name| name == kind);
        found.ok_or_else(|| {
            let every = every.join(", ");
            format!("there is no demand of the kind `{kind}`; there are {every}").into()
        })
    };
    if !options.kinds.is_empty() {
        return options.kinds.iter().map(known).collect();
    }
    let mut names = every.to_vec();
    names.retain(|name| !options.quick || GOAL_LOADS.contains(name));
    Ok(names)
}

fn options() -> Result<Options> {
    let mut options = Options {
        setup: Setup {
            short: (2, 4),
            long: (8, 20),
            peak: 30.0,
        },
        quick: false,
        report: false,
        threads: 1,
        kinds: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a number"))
        };
        match argument.as_str() {
            // Cargo says so to each bench.
            "--bench" => {}
            "--quick" => {
                options.quick = true;
                (options.setup.short, options.setup.long) = ((1, 1), (1, 2));
            }
            "--report" => options.report = true,
            "--threads" => options.threads = number()?.parse::<usize>()?.max(1),
            "--seeds" => {
                options.setup.long.1 = number()?.parse::<u64>()?.max(1);
            }
            "--peak" => options.setup.peak = number()?.parse()?,
            other if other.starts_with('-') => {
                return Err(format!("there is no option {other}").into());
            }
            kind => options.kinds.push(kind.to_owned()),
        }
    }
    Ok(options)
}

fn read(path: &Path) -> Result<String> {
    Ok(fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?)
}

fn write(path: &Path, text: &str) -> Result<()> {
    Ok(fs::write(path, text).map_err(|error| format!("writing {}: {error}", path.display()))?)
}
