//! Next to a controller that forgets nothing, and in any world, the one of the model makes the same calls.

use std::collections::BTreeSet;

use jibri_scaler_core::retirement::Phase;

use super::*;
use crate::{driven::Dice, plain::Plain};

fn live(config: &Config, plain: &mut Plain, step: Step) {
    match step {
        Step::Pass => plain.pass(),
        Step::Hear(said) => plain.hear(0, said, 0),
        Step::Tick(scene) => plain.tick(config, &scene.listing(), scene.unsaved),
        Step::Answer(outcome) => plain.answer(outcome),
        Step::CrashAfterSave(which) => {
            let saved = plain.saves.swap_remove(which.into());
            plain.come_back(config, saved);
        }
        Step::GoOn => plain.saves.clear(),
        Step::CrashWhileTelling => plain.crash_with_last(config),
        Step::Crash => plain.begin_anew(config),
    }
}

/// All that may happen, nothing taken for the same as anything else.
fn steps(any: &AnyWorld, state: &Alone) -> Vec<Step> {
    let mut steps = Vec::new();
    any.actions(state, &mut steps);
    if !state.saves.is_empty() {
        return steps;
    }
    steps.retain(|step| !matches!(step, Step::Hear(_) | Step::Tick(_)));
    steps.extend(SAID.iter().copied().map(Step::Hear));
    if state.controller.may_tick() {
        for machine in &*SHOWN {
            let machine = *machine;
            for has_hook in [true, false] {
                for (desired, unsaved) in [(1, false), (0, false), (0, true), (1, true)] {
                    steps.push(Step::Tick(Scene {
                        machine,
                        desired,
                        has_hook,
                        unsaved,
                    }));
                }
            }
        }
    }
    steps
}

/// Whether it leads on: few walks would come far by chance alone.
fn leads_on(step: &Step, is_retiring: bool, is_heard: bool) -> bool {
    match step {
        Step::Pass | Step::GoOn => true,
        Step::Hear(said) => is_heard && said.is_idle(),
        Step::Tick(scene) => {
            let shown = scene.machine;
            let is_plain = shown.place == Place::InService && shown.protected && scene.has_hook;
            let refuses = shown.probe == Probe::Refused;
            is_plain && !scene.unsaved && refuses == (is_retiring && !is_heard)
        }
        Step::Answer(outcome) => match outcome {
            Outcome::Done(result) => result.is_ok(),
            Outcome::Seen(_, Seen::Told(told)) => *told == Told::Yes,
            Outcome::Seen(_, Seen::Looked(seen) | Seen::LookedLast(seen)) => {
                *seen == Presence::BothRefuse
            }
            Outcome::Seen(..) => false,
        },
        Step::Crash | Step::CrashAfterSave(_) | Step::CrashWhileTelling => false,
    }
}

/// What stands for this step where the state is one that stands for others.
fn in_place_of(any: &AnyWorld, state: &Alone, raw: &Alone, step: Step) -> Step {
    match step {
        Step::Tick(scene) => {
            let machine = any.alike(&state.controller, scene.machine);
            let mut steps = Vec::new();
            let all = |has_hook| {
                Step::Tick(Scene {
                    machine,
                    has_hook,
                    ..scene
                })
            };
            any.scenes(&state.controller, &mut steps);
            let same = [scene.has_hook, true].map(all);
            let same = same.into_iter().find(|step| steps.contains(step));
            same.unwrap_or_else(|| panic!("{scene:?} in {state:?}"))
        }
        Step::Hear(said) => {
            let said = AnyWorld::heard_alike(&state.controller, said);
            Step::Hear(said)
        }
        Step::CrashAfterSave(which) => {
            let (memory, lasting) = &raw.saves[usize::from(which)];
            let save = settled_save(memory, lasting);
            let which = state.saves.iter().position(|it| *it == save);
            Step::CrashAfterSave(which.expect("saved").try_into().expect("few"))
        }
        step => step,
    }
}

/// Returns the phases that the retirements were seen in.
fn walk(any: &AnyWorld, seed: u64) -> BTreeSet<&'static str> {
    let config = &any.config;
    let mut dice = Dice::new(seed);
    let (mut phases, mut lived) = (BTreeSet::new(), Vec::new());
    let mut plain = Plain::new(config);
    let mut raw = any.init_states().remove(0);
    let mut equal = raw.clone();
    let phase = |memory: &Memory| {
        let mut all = memory.retirements().values();
        all.next()
            .map(|it| (it.phase(), it.is_by_agent(), it.replace()))
    };
    for _ in 0..120 {
        let mut steps = steps(any, &raw);
        // In the model there may be one more save, of the same, where the capacity was not set after all.
        if plain.saves.len() != raw.saves.len() {
            steps.retain(|step| !matches!(step, Step::CrashAfterSave(_)));
        }
        if dice.below(8) > 0 {
            let is_retiring = raw.controller.is_retiring(0);
            steps.retain(|step| leads_on(step, is_retiring, seed.is_multiple_of(4)));
        }
        if steps.is_empty() {
            continue;
        }
        let step = steps[dice.below(steps.len())];
        lived.push(step);
        let same = in_place_of(any, &equal, &raw, step);
        live(config, &mut plain, step);
        raw = any.step(&raw, step);
        equal = any.step(&equal, same);
        equal.canonical(config);
        let mut made_equal = raw.clone();
        made_equal.canonical(config);
        assert_eq!(made_equal, equal, "seed {seed}: {lived:#?}");
        let memory = equal.controller.memory();
        assert_eq!(
            phase(&plain.memory),
            phase(memory),
            "seed {seed}: {lived:#?}"
        );
        assert_eq!(
            plain.call,
            equal.controller.call(),
            "seed {seed}: {lived:#?}"
        );
        phases.extend(phase(memory).map(|(phase, ..)| phase.as_str()));
        // What is saved after a step may be crashed with before the next one only.
        if raw.saves.is_empty() {
            plain.saves.clear();
        }
    }
    phases
}

fn behaves_alike(seeds: u64) {
    let mut without_http = any_world(&[]);
    without_http.config.direct = false;
    for any in [any_world(&[]), without_http] {
        let mut phases = BTreeSet::new();
        for seed in 0..seeds {
            phases.extend(walk(&any, seed));
        }
        // Else it would say nothing.
        let all = if any.config.direct {
            Phase::ALL.to_vec()
        } else {
            vec![Phase::Requested, Phase::Terminating, Phase::GivenUp]
        };
        for phase in all {
            assert!(phases.contains(phase.as_str()), "{phase} of {phases:?}");
        }
    }
}

#[test]
fn what_is_made_equal_behaves_alike() {
    behaves_alike(40);
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_what_is_made_equal_behaves_alike() {
    behaves_alike(5_000);
}
