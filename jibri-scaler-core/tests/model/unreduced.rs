//! The world with nothing made equal, beside the one of the model: whatever happens in the first is what happens in the second, and a
//! controller that forgets nothing makes the same calls in it.

use std::collections::BTreeSet;

use jibri_scaler_core::retirement::{Phase, Retirement};

use crate::{
    configs,
    controller::View,
    driven::Dice,
    explore::Action,
    plain::Plain,
    world::{Config, Faults, World, id_of},
};

/// The worlds and the controller.
struct Both {
    config: Config,
    raw: World,
    equal: World,
    plain: Plain,
}

impl Both {
    fn new(config: Config) -> Self {
        let raw = config.start();
        let mut equal = raw.clone();
        equal.canonical(&config);
        let plain = Plain::new(&config);
        Self {
            config,
            raw,
            equal,
            plain,
        }
    }

    /// What may happen. Who has been idle for longest is known once the controller has decided.
    fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        self.raw.actions(&self.config, &mut actions);
        actions.retain(|action| !matches!(action, Action::Tick(_, view) if view.longest.is_some()));
        actions
    }

    fn act(&mut self, mut action: Action) {
        let config = self.config.clone();
        match &mut action {
            Action::Pass => self.plain.pass(),
            Action::Deliver(m, report, ..) => {
                let said = self.raw.machines[usize::from(*m)].channel[usize::from(*report)];
                self.plain.hear((*m).into(), said, 0);
            }
            Action::Tick(c, view) => {
                self.tick((*c).into(), *view);
                view.longest = self.longest(&self.raw, *c, *view);
            }
            Action::Step(c, which, fate) => {
                let mut next = self.raw.clone();
                let outcome = next.step(&config, (*c).into(), (*which).into(), *fate);
                self.plain.answer(outcome.expect("a call is under way"));
            }
            Action::ControllerCrash(..) => unreachable!("none crashes here"),
            _ => {}
        }
        self.raw.act(&config, action);
        if let Action::Tick(c, view) = &mut action {
            view.longest = self.longest(
                &self.equal,
                *c,
                View {
                    longest: None,
                    ..*view
                },
            );
        }
        // What of the raw one is forgotten in the other makes no difference.
        let mut possible = Vec::new();
        self.equal.actions(&config, &mut possible);
        if possible.contains(&action) {
            self.equal.act(&config, action);
            self.equal.canonical(&config);
        }
    }

    fn tick(&mut self, c: usize, view: View) {
        for (index, heard) in view.heard.into_iter().enumerate() {
            if let Some((which, units)) = heard {
                let said = self.raw.machines[index].channel[usize::from(which)];
                self.plain.hear(index, said, units);
            }
        }
        let listing = self.raw.listing(&self.config, c, view);
        self.plain.tick(&self.config, &listing, view.unsaved);
    }

    /// Whom this world is to take for the one that has been idle for longest, so that its controller decides as the plain one has: it has
    /// to be able to.
    fn longest(&self, world: &World, c: u8, view: View) -> Option<u8> {
        let mut actions = Vec::new();
        world.actions(&self.config, &mut actions);
        let others = actions.into_iter().filter_map(|action| match action {
            Action::Tick(of, other) if of == c => Some(other),
            _ => None,
        });
        let same = |other: &View| {
            View {
                longest: None,
                ..*other
            } == view
        };
        let decides_so = |other: &View| {
            let mut next = world.clone();
            next.tick(&self.config, c.into(), *other);
            self.is_as_far(&next)
        };
        let found = others.filter(same).find(decides_so);
        found
            .unwrap_or_else(|| panic!("{view:?} in {world:?}"))
            .longest
    }

    /// Whether the controller of that world makes the same call as the plain one, and has come as far with each retirement.
    fn is_as_far(&self, world: &World) -> bool {
        let controller = &world.controllers[0];
        let phase = |index| {
            let retirement = controller.memory().retirements().get(&id_of(index));
            retirement.map(Retirement::phase)
        };
        let mut machines = 0..world.machines.len();
        self.plain.call == controller.call()
            && machines.all(|index| self.plain.phase(index) == phase(index))
    }
}

/// Returns the phases that the retirements were seen in.
fn walk(config: &Config, seed: u64, steps: usize) -> BTreeSet<&'static str> {
    let mut dice = Dice::new(seed);
    let (mut phases, mut lived) = (BTreeSet::new(), Vec::new());
    let mut both = Both::new(config.clone());
    for _ in 0..steps {
        let actions = both.actions();
        if actions.is_empty() {
            break;
        }
        let action = actions[dice.below(actions.len())];
        lived.push(action);
        both.act(action);
        let mut made_equal = both.raw.clone();
        made_equal.canonical(config);
        let way = || format!("{}, seed {seed}: {lived:#?}", config.name);
        assert_eq!(made_equal, both.equal, "{}", way());
        assert_eq!(both.raw.broken, None, "{}", way());
        let is_over = both.raw.machines.len() == 1 && !both.raw.machines[0].place.is_listed();
        if is_over {
            break;
        }
        assert!(both.is_as_far(&both.equal), "{}", way());
        let machines = 0..usize::from(config.machines);
        phases.extend(
            machines
                .filter_map(|index| both.plain.phase(index))
                .map(Phase::as_str),
        );
    }
    phases
}

fn behaves_alike(seeds: u64) {
    let mut phases = BTreeSet::new();
    let faults = Faults {
        calls: true,
        slow: true,
        ..configs::bounds().faults
    };
    for config in [
        configs::bounds(),
        Config {
            faults,
            ..configs::shrinking()
        },
        configs::shrinking(),
        configs::draining_beside(),
        configs::reporting_bounds(),
        configs::reporting_without_a_crash(),
    ] {
        for seed in 0..seeds {
            phases.extend(walk(&config, seed, 300));
        }
    }
    // Else it would say nothing.
    for phase in Phase::ALL {
        let is_reached = phases.contains(phase.as_str());
        assert!(
            is_reached || phase == Phase::GivenUp,
            "{phase} of {phases:?}"
        );
    }
}

#[test]
fn what_is_made_equal_behaves_alike_for_several() {
    behaves_alike(60);
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_what_is_made_equal_behaves_alike_for_several() {
    behaves_alike(2_000);
}
