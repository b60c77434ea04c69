//! The retirement protocol, checked over every interleaving that a small group can have, with the code that runs in production:
//! `decide`, `check`, the course of a tick, `Retirement`, and the agent's `Drain`.
//!
//! | who | where | what it may do |
//! |---|---|---|
//! | Jibri, its supervisor, the dispatcher | `jibri` | each with its quirks |
//! | the group and who else acts on it | `aws` | launch, choose, hold, retain, time out |
//! | the controllers | `controller` | tick, call by call; crash; see old listings |
//! | the agent and its reports | `agent` | drain, step by step; crash |
//! | the whole agent | `driven` | the same by a seed, over hours |
//! | everybody's next steps, the promises | `explore` | |
//! | which situations are equal | `canonical` | |
//! | what controllers may do beside others | `company` | |
//! | one controller in any world, and what that shows; beside it one that forgets nothing | `alone`, `alone::plain`, `plain` | |
//! | the world with nothing made equal, and the same controller in it | `unreduced` | |
//! | that it makes no difference when a report comes in | `hearing` | |
//! | how large the group is, and what two controllers can do to that by accident | `bounds` | |
//! | what must come in the end | `liveness` | |
//! | which of them are put together | `configs` | |
//! | searches breadth first, depth first, and at random | `figures`, `sweep` | |
//! | two retiring sides beside a supervisor that restarts whatever ends | `at_once` | |
//! | that instances do not hang on each other | `instances` | |
//! | what all of this is put together of | `world` | |
//! | what happens without each rule | `mutants` | |
//!
//! Time is counted in units of one tick, and what lies further back than every limit is all the same, so that there are finitely many
//! states. `docs/safety.md` says what was found, and how to repeat it.
#![expect(
    unreachable_pub,
    reason = "the modules of a test are not a public interface"
)]

mod agent;
mod alone;
mod at_once;
mod aws;
mod bounds;
mod canonical;
mod company;
mod configs;
mod controller;
mod driven;
mod explore;
mod figures;
mod hearing;
mod instances;
mod jibri;
mod liveness;
mod mutants;
mod plain;
mod sweep;
mod unreduced;
mod world;

use figures::{Figures, explore, wander};
use liveness::PATIENCE;
use sweep::sweep;
use world::{Config, Faults};

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn keeps_the_promises(figures: &Figures) {
    println!("{figures}");
    for (name, way) in &figures.violations {
        println!("broken: {name}\n{way}");
    }
    assert!(figures.violations.is_empty(), "{figures}");
}

/// The same without faults, and with one session: small enough for every run of the tests.
fn small(config: Config) -> Config {
    Config {
        sessions: 1,
        faults: Faults::default(),
        ..config
    }
}

#[test]
fn a_small_group_keeps_the_promises() {
    let calm = Config {
        restarts: 0,
        ..small(configs::protected())
    };
    let drained = Config {
        restarts: 0,
        patience: PATIENCE,
        ..small(configs::agent())
    };
    for config in [calm, drained] {
        let figures = explore(&config, threads(), None);
        assert!(figures.is_complete);
        keeps_the_promises(&figures);
    }
}

/// A walk at random, with what the seed chooses.
fn walk(config: Config, seed: u64, steps: usize) -> Figures {
    wander(&configs::varied(config, seed), seed, steps)
}

/// Minutes on two cores.
#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_a_group_keeps_the_promises() {
    let direct = Config {
        restarts: 1,
        patience: PATIENCE,
        ..small(configs::direct())
    };
    let alive = |config: Config| Config {
        faults: Faults {
            calls: false,
            agents: false,
            ..config.faults
        },
        patience: PATIENCE,
        ..config
    };
    let (agent, company) = (alive(configs::agent()), alive(configs::agent_in_company()));
    let unhooked = alive(configs::unhooked());
    let unretained = alive(configs::unretained());
    let bounds = Config {
        patience: PATIENCE,
        ..configs::bounds()
    };
    let endless = |config| Config {
        endless: true,
        patience: PATIENCE,
        ..config
    };
    let reporting = Config {
        name: "two Jibris, no session, their agents, the hook, reports of any age, one controller without HTTP: bounds",
        sessions: 0,
        patience: PATIENCE,
        ..configs::reporting_bounds()
    };
    let everybody = Config {
        name: "one Jibri with everybody: one session, its agent that does not crash, reports of any age, one controller with HTTP, any number of others",
        sessions: 1,
        faults: Faults {
            agents: false,
            ..configs::reporting_in_company().faults
        },
        ..configs::reporting_in_company()
    };
    let restarted = Config {
        name: "one Jibri, one controller that crashes, directly, and a supervisor that restarts even after 255",
        patience: PATIENCE,
        faults: Faults {
            controllers: true,
            ..Faults::default()
        },
        ..configs::restarted_whatever()
    };
    let shrinking = [
        endless(configs::shrinking()),
        Config {
            patience: PATIENCE,
            ..configs::agents_shrinking()
        },
    ];
    for config in [
        direct,
        configs::protected(),
        agent,
        company,
        unhooked,
        unretained,
        bounds,
        endless(configs::bounds()),
        Config {
            patience: PATIENCE,
            ..configs::hooked()
        },
        configs::unheard(),
        restarted,
        reporting,
    ]
    .into_iter()
    .chain(shrinking)
    {
        let figures = explore(&config, threads(), None);
        keeps_the_promises(&figures);
    }
    keeps_the_promises(&sweep(&everybody, threads()));
    for seed in 0..4 {
        keeps_the_promises(&walk(configs::three(), seed, 100_000));
        keeps_the_promises(&walk(configs::product(), seed, 100_000));
    }
}

/// Which steps the random walks take hangs on their seeds only. Of four in a row each differs in what there is.
#[test]
fn a_walk_through_the_product_keeps_the_promises() {
    for seed in 0..4 {
        keeps_the_promises(&walk(configs::product(), seed, 5_000));
        keeps_the_promises(&walk(configs::three(), seed, 5_000));
    }
}

/// All actors of one Jibri in one piece.
#[test]
#[ignore = "takes an hour and gigabytes even optimized; run on request"]
fn full_one_jibri_with_everybody_keeps_the_promises() {
    let figures = sweep(&configs::reporting_in_company(), threads());
    keeps_the_promises(&figures);
    assert!(figures.is_complete);
}

/// All actors of one Jibri, and two controllers as they run, each with its own memory.
#[test]
#[ignore = "takes half an hour and gigabytes even optimized; run on request"]
fn full_two_controllers_beside_an_agent_keep_the_promises() {
    let figures = sweep(&configs::two_hand_over(), threads());
    keeps_the_promises(&figures);
    assert!(figures.is_complete);
}

/// All the others. `docs/safety.md` has the last output.
#[test]
#[ignore = "takes minutes and gigabytes even optimized; run on request"]
fn full_a_group_keeps_the_promises() {
    for config in configs::all() {
        keeps_the_promises(&explore(&config, threads(), None));
    }
    for config in configs::largest() {
        let figures = sweep(&config, threads());
        keeps_the_promises(&figures);
        assert!(figures.is_complete);
    }
}

#[test]
#[ignore = "takes minutes even optimized; run on request"]
fn full_walks_keep_the_promises() {
    for seed in 0..20 {
        keeps_the_promises(&walk(configs::three(), seed, 1_000_000));
        keeps_the_promises(&walk(configs::product(), seed, 1_000_000));
    }
}
