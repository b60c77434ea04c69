//! What comes in from agents is drawn when a tick begins ([`ANY`]). Nothing is missed by that: after whatever tick with reports that are under
//! way one by one a controller and its world are as they are after one that draws.

use stateright::Model as _;

use crate::{
    canonical::hash,
    configs,
    explore::{Action, Exploration},
    sweep::Hashes,
    world::{ANY, Config, Faults},
};

/// All that there is right after a tick has begun, but for what is still under way then. And how many states that takes.
fn ticked(config: &Config) -> (Hashes, usize) {
    let model = Exploration(config.clone());
    let (mut ticked, mut seen) = (Hashes::default(), Hashes::default());
    let (mut left, mut actions) = (model.init_states(), Vec::new());
    while let Some(world) = left.pop() {
        assert_eq!(world.broken, None, "{}", config.name);
        actions.clear();
        model.actions(&world, &mut actions);
        for action in actions.iter().copied() {
            let Some(next) = model.next_state(&world, action) else {
                continue;
            };
            if matches!(action, Action::Tick(..)) {
                let mut next = next.clone();
                for machine in &mut next.machines {
                    machine.channel.clear();
                }
                ticked.insert(hash(&next));
            }
            if seen.insert(hash(&next)) {
                left.push(next);
            }
        }
    }
    (ticked, seen.len())
}

fn misses_nothing(config: &Config, channels: &[u8]) {
    let with = |channel| {
        let config = Config {
            channel,
            ..config.clone()
        };
        let (ticked, states) = ticked(&config);
        println!(
            "hearing: {} after a tick, {states} states, channel {channel}: {}",
            ticked.len(),
            config.name
        );
        ticked
    };
    let any = with(ANY);
    for channel in channels {
        let missed = with(*channel).difference(&any).count();
        assert_eq!(missed, 0, "with {channel} under way: {}", config.name);
    }
}

/// Reports are delayed, come in any order and more than once, or are lost.
const CHANNEL: Faults = Faults {
    channel: true,
    ..configs::NONE
};

fn one() -> Config {
    Config {
        direct: false,
        outside: 0,
        faults: CHANNEL,
        ..configs::reporting()
    }
}

#[test]
fn what_is_under_way_is_drawn_when_it_is_read() {
    let wanted = Config { wanted: 1, ..one() };
    misses_nothing(&wanted, &[1]);
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_what_is_under_way_is_drawn_when_it_is_read() {
    misses_nothing(&one(), &[1, 2]);
    let direct = Config {
        direct: true,
        ..one()
    };
    misses_nothing(&direct, &[1]);
    let faults = Faults {
        agents: true,
        slow: true,
        ..CHANNEL
    };
    let unsteady = Config {
        sessions: 0,
        faults,
        ..direct.clone()
    };
    misses_nothing(&unsteady, &[1]);
    let crashing = Config {
        direct: false,
        faults: Faults {
            controllers: true,
            ..CHANNEL
        },
        ..direct
    };
    misses_nothing(&crashing, &[1]);
}

#[test]
#[ignore = "takes minutes even optimized; run on request"]
fn full_what_is_under_way_is_drawn_when_it_is_read() {
    let two = Config {
        sessions: 0,
        faults: CHANNEL,
        ..configs::reporting_bounds()
    };
    misses_nothing(&two, &[1]);
}
