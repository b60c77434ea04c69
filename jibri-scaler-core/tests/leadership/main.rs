//! Two replicas of which one leads, with all that lies between them, on virtual time: the real controllers over the real lease, one table,
//! one memory, one group and its Jibris, while processes freeze in the middle of a tick, die and start anew, the table can't be reached,
//! calls fail, and no two clocks show the same.
//!
//! What must hold: no recording is lost, the group keeps its bounds, at no instant two believe that they lead, nothing is begun by one
//! that does not, and of what was begun before at most one call arrives later. Afterwards one leads, and the group comes down.
//!
//! `LEADERSHIP_SEEDS=10000 cargo test --release -p jibri-scaler-core --test leadership` lives so many seeds, `LEADERSHIP_SEED=17` that one.

#[path = "../native/chance.rs"]
#[allow(dead_code, reason = "only a part of it is used here")]
mod chance;
#[path = "../controller/jibris.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod jibris;
#[path = "../controller/world.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod world;

mod figures;
mod life;
mod ports;
mod process;
mod replica;
mod time;

use std::env;

use jibri_scaler_core::safeguard::Safeguard;

use figures::Figures;
use life::live;

/// How many seeds where nothing is said: few enough for a build without optimisation.
const SEEDS: u64 = 200;

#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests says how many seeds and which"
)]
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is `{text}`, but must be a whole number")))
}

#[test]
fn nothing_is_lost_and_never_two_lead_whatever_goes_wrong() {
    let seeds = match number("LEADERSHIP_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LEADERSHIP_SEEDS").unwrap_or(SEEDS),
    };
    let all = seeds.end - seeds.start >= SEEDS;
    let mut figures = Figures::default();
    for seed in seeds {
        match live(seed) {
            Ok(lived) => figures += lived,
            Err(what) => panic!(
                "{what}\nreplay: LEADERSHIP_SEED={seed} cargo test -p jibri-scaler-core --test leadership"
            ),
        }
    }
    println!("{figures:#?}");
    assert!(!all || figures.has_everything(), "{figures:#?}");
}

#[test]
fn a_seed_lives_the_same_life_each_time() {
    for seed in [1, 4242] {
        assert_eq!(live(seed), live(seed));
    }
}

/// Rules that these faults need, each with the first seed that loses a recording without it. `Protect` is needed since a capacity that
/// was set by a leader of before may arrive late, and be lower than that of the next one.
const NEEDED: [(Safeguard, u64); 2] = [(Safeguard::WaitForGone, 0), (Safeguard::Protect, 117)];

/// Whether a recording is lost in that seed without that rule.
fn is_lost(rule: Safeguard, seed: u64) -> bool {
    let lived = Safeguard::without(&[rule], || live(seed));
    lived.is_err_and(|what| what.contains("lost: ["))
}

#[test]
fn a_recording_is_lost_without_a_rule() {
    for (rule, seed) in NEEDED {
        assert!(
            is_lost(rule, seed),
            "without {rule:?} nothing is lost in seed {seed}: find another one with \
             `cargo test --release -p jibri-scaler-core --test leadership -- --ignored --nocapture first`"
        );
    }
}

#[test]
#[ignore = "takes minutes; it says which seeds the test above needs"]
fn the_first_seeds_that_lose_a_recording_without_a_rule() {
    for (rule, _) in NEEDED {
        let mut seeds = 0..number("LEADERSHIP_SEEDS").unwrap_or(2_000);
        println!("{rule:?}: {:?}", seeds.find(|seed| is_lost(rule, *seed)));
    }
}
