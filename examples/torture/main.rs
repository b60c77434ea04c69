//! Everything that can go wrong goes wrong, in virtual time, and no recording may be lost.
//!
//! `cargo run --release --example torture -- --seeds 1000`
//!
//! Each seed is an hour of a group in memory under the real controller, in every second one with the real agent on each instance, with
//! faults drawn from the seed, and the time until it has recovered. At the end it prints what was done and what came of it. Then it
//! explores the model of the retirement protocol and prints how many states that has; and it removes one safety rule after the other, and
//! prints what the model finds then. Last it reads what may come from outside, changed at random, and prints how much. `--without-mutants`
//! leaves out the mutants, `--without-model` the model and them, `--inputs 0` the inputs, and a single seed all of it. It exits
//! with 1 where a promise was broken, a removed rule was not missed or an input was read as it must not be, and prints what shows how.

#[expect(
    clippy::duration_suboptimal_units,
    clippy::enum_glob_use,
    reason = "these are the files of a test of the core, which an older Rust builds too"
)]
#[path = "../../jibri-scaler-core/tests/faults/torture/mod.rs"]
mod torture;

mod cargo_test;
mod inputs;
mod model;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;

use crate::torture::Figures;

/// How often it says how far it has come.
const PROGRESS: Duration = Duration::from_secs(2);
/// In so many seeds every kind of fault occurs.
const MANY: u64 = 300;
/// After so many seeds that failed it stops.
const ENOUGH: usize = 5;

#[derive(Debug, Parser)]
#[command(
    about = "Injects faults into the running controller and agents, and counts lost recordings"
)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Only this seed.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Leave out the model of the retirement protocol, which takes minutes, and with it its mutants.
    #[arg(long)]
    without_model: bool,
    /// Leave out the mutants: the model without one safety rule after the other, which takes minutes too.
    #[arg(long)]
    without_mutants: bool,
    /// How many inputs of each kind that is read from outside; 100,000 take some seconds. Deeper fuzzing has tools of its own: `fuzz/`.
    #[arg(long, default_value_t = 100_000)]
    inputs: u32,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seeds = match arguments.seed {
        Some(seed) => seed..=seed,
        None => 0..=arguments.seeds - 1,
    };
    let all = seeds.end() - seeds.start() + 1;
    let (start, mut said) = (Instant::now(), Instant::now());
    let mut figures = Figures::default();
    for seed in seeds {
        figures.add(seed);
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            let (done, failed) = (figures.seeds, figures.failed.len());
            eprintln!("{done} of {all} seeds, {failed} failed");
        }
        if figures.failed.len() >= ENOUGH {
            break;
        }
    }
    // Whoever reads the figures may have seen enough.
    let _ = writeln!(
        io::stdout(),
        "{figures}time {:>25.1} s",
        start.elapsed().as_secs_f64()
    );
    // Few seeds can't bring everything.
    let missing = if figures.seeds < MANY {
        Vec::new()
    } else {
        figures.missing()
    };
    for kind in missing {
        eprintln!("never occurred: {}", kind.name());
    }
    for (seed, what) in &figures.failed {
        eprintln!("\n{what}\nreplay: cargo run --release --example torture -- --seed {seed}");
    }
    let mut is_kept = figures.failed.is_empty();
    if !arguments.without_model && arguments.seed.is_none() {
        is_kept &= gives("model of the retirement protocol", model::explore);
        if !arguments.without_mutants {
            is_kept &= gives("the same without one rule after the other", model::mutate);
        }
    }
    if arguments.inputs > 0 && arguments.seed.is_none() {
        let read = || inputs::read(arguments.inputs);
        is_kept &= gives("what is read from outside, changed at random", read);
    }
    if is_kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Whether these tests give what they must.
fn gives(title: &str, run: impl FnOnce() -> io::Result<bool>) -> bool {
    let _ = writeln!(io::stdout(), "{title}");
    run().unwrap_or_else(|error| {
        eprintln!(
            "could not run this: {error}. It takes cargo and the sources; --without-model and --inputs 0 leave it out"
        );
        false
    })
}
