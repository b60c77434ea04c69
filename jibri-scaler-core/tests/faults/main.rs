//! Fault injection on the running code: the real controller and the real agents, while everything goes wrong that can.
//!
//! `FAULTS_SEEDS=10000 cargo test --release -p jibri-scaler-core --test faults` lives so many seeds, `FAULTS_SEED=17` that one. Of one
//! that fails the last ticks are printed.

mod mutants;
mod torture;

use std::env;

use torture::Figures;

/// How many seeds where nothing is said: few enough for a build without optimisation.
const SEEDS: u64 = 300;

#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests says how many seeds and which"
)]
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is `{text}`, but must be a whole number")),
    )
}

#[test]
fn nothing_is_lost_whatever_goes_wrong() {
    let mut figures = Figures::default();
    let seeds = match number("FAULTS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("FAULTS_SEEDS").unwrap_or(SEEDS),
    };
    let all = seeds.end - seeds.start >= SEEDS;
    for seed in seeds {
        figures.add(seed);
        assert!(figures.failed.len() < 3, "{}", replay(&figures));
    }
    println!("{figures}");
    assert!(figures.failed.is_empty(), "{}", replay(&figures));
    assert!(
        !all || figures.missing().is_empty(),
        "never occurred: {:?}",
        figures.missing()
    );
    assert!(!all || figures.served > 20 * figures.seeds, "{figures}");
}

fn replay(figures: &Figures) -> String {
    let failed = figures.failed.iter().map(|(seed, what)| {
        format!("{what}\nreplay: FAULTS_SEED={seed} cargo test -p jibri-scaler-core --test faults -- --nocapture\n")
    });
    failed.collect()
}

#[test]
fn a_seed_lives_the_same_life_each_time() {
    let live = || {
        let mut figures = Figures::default();
        for seed in [1, 77, 4242] {
            figures.add(seed);
        }
        figures
    };
    assert_eq!(live(), live());
}
