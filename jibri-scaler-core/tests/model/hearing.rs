//! What comes in from agents is drawn when a tick begins ([`ANY`]). That makes no difference: with reports that are under way one by one,
//! in a channel of whatever depth, the very same is reached.

use stateright::Model as _;

use crate::{
    canonical::hash,
    configs,
    explore::Exploration,
    sweep::Hashes,
    world::{ANY, Config, Faults, World},
};

/// The world without what of the reports is still under way, or has not been read yet.
fn as_read(mut world: World) -> World {
    for machine in &mut world.machines {
        machine.channel.clear();
    }
    for controller in &mut world.controllers {
        controller.forget_reports();
    }
    world
}

/// All that is reached, as far as it has been read, and how many states that takes.
fn reached(config: &Config) -> (Hashes, usize) {
    let model = Exploration(config.clone());
    let (mut reached, mut seen) = (Hashes::default(), Hashes::default());
    let (mut left, mut actions) = (model.init_states(), Vec::new());
    while let Some(world) = left.pop() {
        assert_eq!(world.broken, None, "{}", config.name);
        actions.clear();
        model.actions(&world, &mut actions);
        let next = actions
            .iter()
            .filter_map(|action| model.next_state(&world, *action));
        left.extend(next.filter(|next| seen.insert(hash(next))));
        reached.insert(hash(&as_read(world)));
    }
    (reached, seen.len())
}

fn makes_no_difference(config: &Config, channels: &[u8]) {
    let (any, states) = reached(&Config {
        channel: ANY,
        ..config.clone()
    });
    println!("hearing: any: {} in {states} states", any.len());
    for channel in channels {
        let (some, states) = reached(&Config {
            channel: *channel,
            ..config.clone()
        });
        println!("hearing: {channel}: {} in {states} states", some.len());
        assert!(some == any, "with {channel} under way: {}", config.name);
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
    let config = Config {
        sessions: 0,
        ..one()
    };
    makes_no_difference(&config, &[1, 2]);
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_what_is_under_way_is_drawn_when_it_is_read() {
    makes_no_difference(&one(), &[1, 2]);
    let direct = Config {
        direct: true,
        ..one()
    };
    makes_no_difference(&direct, &[1]);
}

#[test]
#[ignore = "takes minutes even optimized; run on request"]
fn full_what_is_under_way_is_drawn_when_it_is_read() {
    let two = Config {
        sessions: 0,
        faults: CHANNEL,
        ..configs::reporting_bounds()
    };
    makes_no_difference(&two, &[1]);
}
