use std::ops::Range;

use jibri_scaler_core::safeguard::Safeguard as S;

use super::*;
use crate::{configs, figures::say_without, world::Broken};

/// So many things happen while there are faults.
const LIFE: usize = 3000;
/// And after so many seconds without them everything must have come to its end.
const PATIENCE: usize = 3 * 3600;

fn world() -> Config {
    Config {
        sessions: 3,
        outside: 2,
        restarts: 3,
        ..configs::agent()
    }
}

/// Beside a supervisor that restarts even after 255.
fn stubborn() -> Config {
    Config {
        supervisor: configs::stubborn().supervisor,
        name: configs::stubborn().name,
        ..world()
    }
}

/// In a group without the hook.
fn unhooked() -> Config {
    let config = configs::unhooked();
    Config {
        name: config.name,
        hook: config.hook,
        retention: config.retention,
        born_protected: config.born_protected,
        ..world()
    }
}

/// What became of a seed.
#[derive(Debug)]
struct Lived {
    broken: Option<Broken>,
    /// Whether the instance was given back, or is kept for a human; or stays, since somebody has lowered the desired capacity by hand to the minimum:
    /// below that no agent ends its own, and where no hook would hold one all are protected.
    came_to_an_end: bool,
    phases: Vec<DrainPhase>,
    crashes: u32,
}

fn live(seed: u64, config: &Config, rules: &[S]) -> Lived {
    S::without(rules, || {
        let mut dice = Dice::new(seed);
        let mut driven = Driven::new(config, &mut dice);
        for _ in 0..LIFE {
            if driven.is_over() {
                break;
            }
            driven.happen(&mut dice);
        }
        driven.settle(&mut dice, PATIENCE);
        let is_kept = matches!(driven.phase(), Some(DrainPhase::Kept(_)));
        let is_lowered = driven.world.desired == config.min;
        let stays = !config.hook && is_lowered && driven.drain().is_none();
        Lived {
            broken: driven.world.broken,
            came_to_an_end: driven.is_over() || is_kept || stays,
            phases: driven.phases,
            crashes: driven.crashes,
        }
    })
}

/// Lives these seeds.
fn keeps_the_promises(seeds: Range<u64>, config: &Config) {
    let count = seeds.end - seeds.start;
    let (mut released, mut kept, mut crashes, mut phases) = (0, 0, 0, Vec::new());
    for seed in seeds {
        let lived = live(seed, config, &[]);
        assert_eq!(lived.broken, None, "seed {seed}: {lived:?}");
        assert!(lived.came_to_an_end, "seed {seed}: {lived:?}");
        let was = |phase| lived.phases.contains(&phase);
        released += u64::from(was(DrainPhase::Releasing));
        kept += u64::from(
            lived
                .phases
                .iter()
                .any(|it| matches!(it, DrainPhase::Kept(_))),
        );
        crashes += u64::from(lived.crashes);
        for phase in lived.phases {
            if !phases.contains(&phase) {
                phases.push(phase);
            }
        }
    }
    println!(
        "model: {count:>9} seeds of the whole agent, {}, {released} released, {kept} kept, {crashes} crashes",
        config.name
    );
    // Without that it would prove nothing.
    assert!(released > count / 4 && kept > count / 20 && crashes > count / 2);
    assert!(phases.len() >= 8, "{phases:?}");
}

#[test]
fn the_whole_agent_keeps_the_promises() {
    keeps_the_promises(0..100, &world());
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_the_whole_agent_keeps_the_promises() {
    keeps_the_promises(0..5_000, &world());
    keeps_the_promises(5_000..10_000, &stubborn());
    keeps_the_promises(10_000..15_000, &unhooked());
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_the_whole_agent_needs_each_of_its_rules() {
    let broken: [(&[S], Broken); 7] = [
        (&[S::AgentWaitsForGone], Broken::Lost),
        (&[S::ConfirmGone], Broken::Lost),
        (&[S::BegunInPhase], Broken::Lost),
        (&[S::ReleaseCheck], Broken::Unsaved),
        (&[S::KeptIsAbandoned], Broken::Unsaved),
        (&[S::AbandonedLate], Broken::Unsaved),
        // Each of the two covers the other one where a Jibri has crashed.
        (&[S::Only255, S::ReleaseCheck], Broken::Unsaved),
    ];
    let seeds = 0..20_000;
    let first = |rules: &[S], what: &str, is_found: &dyn Fn(&Lived) -> bool| {
        let found = seeds
            .clone()
            .find(|seed| is_found(&live(*seed, &stubborn(), rules)));
        let what = found.map(|_| what);
        let seeds = found.map_or(0, |seed| seed + 1);
        let how = format!("(after {seeds} seeds of the whole agent)");
        say_without(rules, what.as_slice(), &how);
        assert!(found.is_some(), "without {rules:?}");
    };
    for (rules, what) in broken {
        let name = format!("{what:?}");
        first(rules, &name, &|lived| lived.broken == Some(what));
    }
    let rule = [S::ProtectedWithoutHook];
    let lost = |seed: &u64| live(*seed, &unhooked(), &rule).broken == Some(Broken::Lost);
    let found = seeds.clone().find(lost);
    let seeds_lived = found.map_or(0, |seed| seed + 1);
    let how = format!("(after {seeds_lived} seeds of the whole agent, without a hook)");
    say_without(&rule, found.map(|_| "Lost").as_slice(), &how);
    assert!(found.is_some());
    let stays = |lived: &Lived| !lived.came_to_an_end;
    first(&[S::BackIsToldAgain], "it never goes", &stays);
}
