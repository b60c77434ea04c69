//! Instances interact only through counts: what becomes of one is the same whatever happens to another, as long as the numbers of the
//! group allow both. So it is enough to look at one Jibri with every actor, and at two for the counts.

use jibri_scaler_core::Memory;

use crate::{
    configs,
    controller::{Fate, View},
    explore::Action,
    world::{Config, Faults, World, id_of},
};

/// A tick to its end.
fn tick(world: &mut World, config: &Config) {
    let view = View::default();
    world.tick(config, 0, view);
    while world.controllers[0].is_running() {
        world.step(config, 0, 0, Fate::Well);
    }
}

/// Which machine an action is about.
fn machine(action: Action) -> Option<u8> {
    match action {
        Action::Start(m, _)
        | Action::OpenHealth(m)
        | Action::Accept(m)
        | Action::PublishBusy(m)
        | Action::Stop(m, _)
        | Action::Finalized(m, _)
        | Action::Uploaded(m)
        | Action::Reconfigure(m)
        | Action::Crash(m)
        | Action::ByHand(m)
        | Action::HookTimesOut(m)
        | Action::EndedByOthers(m)
        | Action::Force(m)
        | Action::Agent(m, _)
        | Action::Deliver(m, ..)
        | Action::Lose(m, _) => Some(m),
        _ => None,
    }
}

fn retirement(memory: &Memory) -> Option<&jibri_scaler_core::retirement::Retirement> {
    memory.retirements().get(&id_of(0))
}

/// Lives the same life with both and with the first alone, and compares what becomes of that. Returns how often it was seen to have
/// been given back.
fn lives_alike(pair: &Config, seed: u64) -> u32 {
    let alone = Config {
        machines: 1,
        launched: 1,
        max: 1,
        ..pair.clone()
    };
    let (mut both, mut one) = (pair.start(), alone.start());
    let (mut released, mut actions) = (0, Vec::new());
    let mut draw = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..150 {
        draw ^= draw << 13;
        draw ^= draw >> 7;
        draw ^= draw << 17;
        actions.clear();
        both.actions(pair, &mut actions);
        actions.retain(|action| machine(*action).is_some());
        // Sometimes time passes, as it does for all.
        if actions.is_empty() || draw.is_multiple_of(3) {
            tick(&mut both, pair);
            tick(&mut one, &alone);
            both.act(pair, Action::Pass);
            one.act(&alone, Action::Pass);
            let memories = [both.controllers[0].memory(), one.controllers[0].memory()];
            let [of_both, of_one] = memories.map(retirement);
            assert_eq!(of_both, of_one, "seed {seed}: {}", pair.name);
            let is_back =
                |it: &jibri_scaler_core::retirement::Retirement| it.released_at().is_some();
            released += u32::from(of_one.is_some_and(is_back));
        } else {
            let index = usize::try_from(draw >> 8).unwrap() % actions.len();
            let action = actions[index];
            both.act(pair, action);
            if machine(action) == Some(0) {
                one.act(&alone, action);
            }
            // These are for all.
            (one.restarts, one.outside) = (both.restarts, both.outside);
        }
        assert_eq!(
            both.machines[0], one.machines[0],
            "seed {seed}: {}",
            pair.name
        );
    }
    released
}

#[test]
fn what_becomes_of_one_instance_does_not_hang_on_another() {
    let direct = Config {
        machines: 2,
        launched: 2,
        max: 2,
        sessions: 2,
        restarts: 3,
        ..configs::direct()
    };
    let with_agents = Config {
        machines: 2,
        launched: 2,
        max: 2,
        sessions: 2,
        channel: 1,
        outside: 2,
        faults: Faults {
            agents: true,
            channel: true,
            finalize: true,
            ended: true,
            timeout: true,
            ..configs::NONE
        },
        ..configs::reporting()
    };
    for pair in [direct, with_agents] {
        let released: u32 = (0..500).map(|seed| lives_alike(&pair, seed)).sum();
        assert!(released > 100, "{}: most of them go: {released}", pair.name);
    }
}
