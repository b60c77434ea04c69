//! How many instances run, and what two controllers at once can do to the size of the group by accident.

use jibri_scaler_core::{controller::course::Call, port::Decrement, safeguard::Safeguard};

use crate::{
    configs,
    controller::{Fate, View},
    explore::Action,
    jibri::Binding,
    world::{Broken, Config, Faults, Place, World},
};

/// Instances that run are those whose machine is there. One that has left service drains, or is kept for a human.
pub fn runs_no_more_than_it_may(config: &Config, world: &World) -> bool {
    let draining = |place| matches!(place, Place::Waiting(_) | Place::Retained);
    let at_most = config.max.max(config.launched) + world.count(draining);
    world.count(Place::is_listed) <= at_most
}

/// One way through the model, step by step.
struct Way {
    config: Config,
    world: World,
}

impl Way {
    fn new(config: Config) -> Self {
        let world = config.start();
        Self { config, world }
    }

    fn go(&mut self, action: Action) {
        let mut actions = Vec::new();
        self.world.actions(&self.config, &mut actions);
        assert!(actions.contains(&action), "{action:?} in {actions:?}");
        self.world.act(&self.config, action);
    }

    fn boot(&mut self, m: u8) {
        self.go(Action::Start(m, Binding::OPEN));
        self.go(Action::OpenHealth(m));
    }

    fn launch_and_record(&mut self, m: u8) {
        self.go(Action::Launch(m));
        self.go(Action::EnterService(m));
        self.record(m);
    }

    fn record(&mut self, m: u8) {
        self.boot(m);
        self.go(Action::Accept(m));
        self.go(Action::PublishBusy(m));
    }

    fn tick(&mut self, c: u8) {
        let view = View::default();
        self.go(Action::Tick(c, view));
    }

    fn finish(&mut self, c: u8) {
        while self.world.controllers[usize::from(c)].is_running() {
            self.go(Action::Step(c, 0, Fate::Well));
        }
    }

    fn call(&self, c: usize) -> Option<Call> {
        self.world.controllers[c].call()
    }
}

fn two_at_once(config: Config) -> Config {
    Config {
        machines: 3,
        controllers: 2,
        faults: Faults {
            slow: true,
            ..Faults::default()
        },
        ..config
    }
}

/// Where neither a controller nor the group knows a maximum, more runs than may: else that it never does would say nothing.
#[test]
fn without_a_maximum_more_runs_than_may() {
    let config = Config {
        max: 1,
        rules: [Safeguard::MaxSize, Safeguard::Check].into(),
        ..configs::bounds()
    };
    let mut way = Way::new(config.clone());
    Safeguard::without(&config.rules, || {
        way.record(0);
        way.tick(0);
        way.finish(0);
        assert_eq!(way.world.broken, Some(Broken::AboveMax));
        assert!(runs_no_more_than_it_may(&config, &way.world));
        way.go(Action::Launch(1));
    });
    assert!(!runs_no_more_than_it_may(&config, &way.world));
}

/// What one controller has raised, the other may lower with what it has decided on an older listing. Who is protected is not chosen.
#[test]
fn two_controllers_may_lower_what_the_other_has_raised() {
    let mut way = Way::new(Config {
        max: 3,
        ..two_at_once(configs::bounds())
    });
    way.record(0);
    way.tick(0);
    assert_eq!(way.call(0), Some(Call::SetCapacity(2)));
    way.tick(1);
    way.finish(1);
    way.launch_and_record(1);
    way.go(Action::Pass);
    way.tick(1);
    way.finish(1);
    assert_eq!(way.world.desired, 3);
    way.finish(0);
    assert_eq!((way.world.desired, way.world.broken), (2, None));
}

/// Each of two controllers may retire another one, with the same place above the minimum in view. The group refuses the second
/// decrement, and that one is replaced.
#[test]
fn two_controllers_may_ask_for_a_decrement_at_the_minimum_and_the_group_refuses() {
    let mut way = Way::new(two_at_once(configs::shrinking()));
    (0..2).for_each(|m| way.boot(m));
    for _ in 0..2 {
        for c in 0..2 {
            way.tick(c);
            way.finish(c);
        }
        way.go(Action::Pass);
    }
    let mut asked_at_the_minimum = 0;
    for _ in 0..6 {
        way.tick(1);
        way.tick(0);
        way.finish(0);
        while let Some(call) = way.call(1) {
            let decrements = matches!(call, Call::Terminate(_, Decrement::Yes));
            asked_at_the_minimum += u32::from(decrements && way.world.desired == 1);
            way.go(Action::Step(1, 0, Fate::Well));
            assert_eq!(way.world.desired.max(1), way.world.desired);
        }
        way.go(Action::Pass);
    }
    assert_eq!(asked_at_the_minimum, 1);
    let ended = way.world.count(|place| place == Place::Ended);
    assert_eq!((ended, way.world.desired, way.world.broken), (2, 1, None));
    way.go(Action::Launch(2));
}

/// What is broken where one of two controllers gives back while the other Jibri has taken a recording, and a free one is wanted.
fn gives_back_while_spare_is_missing() -> Option<Broken> {
    let mut way = Way::new(Config {
        launched: 2,
        ..two_at_once(configs::bounds())
    });
    (0..2).for_each(|m| way.boot(m));
    let unit = |way: &mut Way| {
        way.tick(0);
        way.finish(0);
        way.go(Action::Pass);
    };
    (0..2).for_each(|_| unit(&mut way));
    way.go(Action::Accept(1));
    way.go(Action::PublishBusy(1));
    (0..5).for_each(|_| unit(&mut way));
    assert!(!way.world.machines[0].place.counts());
    way.world.broken
}

#[test]
fn each_of_two_controllers_is_held_to_the_spare_that_it_sees() {
    assert_eq!(gives_back_while_spare_is_missing(), None);
    let without = [Safeguard::ReplaceWhatIsMissing];
    let broken = Safeguard::without(&without, gives_back_while_spare_is_missing);
    assert_eq!(broken, Some(Broken::Gap));
}
