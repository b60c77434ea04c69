//! A controller in any world: whatever listings, reports, probes and calls give it, in whatever order, it ends an instance only on
//! what it has seen itself.
//!
//! Controllers share nothing but the group and the Jibris. What holds for one of them in any world holds for it beside any number of
//! others, agents, operators and crashes. So the product of all actors need not be explored: here a controller meets every world,
//! and in `direct` and `agent` a Jibri meets everything that such controllers do (`Config::company`).

use jibri_scaler_core::{
    controller::course::{Call, Question},
    port::Presence,
    safeguard::Safeguard,
};
use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::{
    configs,
    controller::{Fate, View},
    jibri::{Binding, Busy, Finalize, Jibri, Status, Supervisor},
    world::{Config, Faults, Machine, Place, World},
};

/// In units of time: `report_ttl` and `gone_after` of the model.
const TTL: u8 = 2;
const GONE_AFTER: u8 = 2;
const LONG_AGO: u8 = 3;

/// What a controller has seen, written down by somebody who looks over its shoulder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Evidence {
    /// Whether the Jibri took a request of this controller, as far as that remembers.
    told: bool,
    /// For how long both ports have refused in each look, without a gap.
    refusing: Option<u8>,
    /// How old the newest report of the agent is.
    heard: Option<u8>,
    /// How long ago the newest tick began.
    ticked: u8,
    /// Whether the last look of this tick was refused by both ports.
    refused_now: bool,
    /// Whether the listing of this tick showed it in service, and whether it may be handed over then.
    listed: (bool, bool),
    given_back: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Alone {
    /// Its only machine is another one in each step.
    world: World,
    evidence: Evidence,
    unfounded: Option<&'static str>,
}

/// What the world is like in one step: the machine, by its number in [`machines`], and whether the group has the hook.
type Scene = (u8, bool);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Pass,
    Hear(Status),
    Tick(Scene, View),
    Call(Scene, Fate),
    /// It comes back without its memory.
    Crash,
}

const SEEN: View = View {
    silent: None,
    old: false,
    unsaved: false,
};
const SILENT: View = View {
    silent: Some(0),
    ..SEEN
};
const UNSAVED: View = View {
    unsaved: true,
    ..SEEN
};

struct AnyWorld {
    config: Config,
    machines: Vec<Machine>,
}

/// Jibris in each situation that a controller can tell from the others.
fn jibris() -> Vec<Jibri> {
    let up = |health, internal| {
        let mut jibri = Jibri::new(1);
        jibri.start(Binding { health, internal });
        jibri.open_health();
        jibri
    };
    let busy = || {
        let mut jibri = up(true, true);
        jibri.accept();
        jibri.publish_busy();
        jibri
    };
    let finalizing = |error| {
        let mut jibri = busy();
        jibri.stop(error);
        jibri
    };
    let after = |error, single_use| {
        let mut jibri = finalizing(error);
        jibri.finalized(Finalize::Uploaded, single_use, Supervisor::Systemd, false);
        jibri
    };
    vec![
        Jibri::new(0),
        up(true, true),
        up(true, false),
        up(false, true),
        up(false, false),
        busy(),
        finalizing(false),
        after(true, false),
        after(false, true),
    ]
}

fn machines(config: &Config) -> Vec<Machine> {
    let mut all = Vec::new();
    let mut add = |place, jibri: &Jibri, protected| {
        let mut machine = config.start().machines.remove(0);
        (machine.place, machine.jibri, machine.protected) = (place, *jibri, protected);
        all.push(machine);
    };
    let jibris = jibris();
    for jibri in &jibris {
        add(Place::InService, jibri, true);
    }
    // One that is not in service is not looked at.
    for place in [
        Place::Pending,
        Place::Waiting(0),
        Place::Retained,
        Place::Ended,
    ] {
        add(place, &jibris[0], true);
        add(place, &jibris[1], true);
    }
    add(Place::InService, &jibris[1], false);
    all
}

impl Alone {
    fn set(&mut self, any: &AnyWorld, (machine, hook): Scene) {
        self.world.machines[0] = any.machines[usize::from(machine)].clone();
        self.world.has_hook = hook;
    }

    fn tick(&mut self, any: &AnyWorld, scene: Scene, view: View) {
        self.set(any, scene);
        let machine = &self.world.machines[0];
        let in_service = machine.place == Place::InService;
        let is_heard = self.evidence.heard.is_some_and(|age| age <= TTL);
        let has_answered = match self.evidence.heard {
            Some(age) if age <= TTL => age <= TTL / 2,
            _ => view.silent.is_none() && machine.binds_health(),
        };
        let evidence = &mut self.evidence;
        if evidence.ticked > TTL || !in_service {
            evidence.refusing = None;
        } else if has_answered {
            evidence.answered();
        }
        evidence.ticked = 0;
        evidence.refused_now = false;
        evidence.listed = (in_service, is_heard && scene.1);
        self.world.tick(&any.config, 0, view);
    }

    fn call(&mut self, any: &AnyWorld, scene: Scene, fate: Fate) {
        self.set(any, scene);
        let Some(call) = self.world.controllers[0].call() else {
            return;
        };
        let machine = &self.world.machines[0];
        let evidence = &mut self.evidence;
        match &call {
            Call::Jibris(errands) => match errands[0].question {
                Question::Tell => {
                    let takes = machine.can_be_told() && !machine.jibri.is_finalizing();
                    if takes && fate == Fate::Well {
                        evidence.told = true;
                        evidence.refusing = None;
                    }
                }
                _ => match machine.look() {
                    Presence::BothRefuse if fate == Fate::Well => {
                        let since = evidence.refusing.unwrap_or(evidence.ticked);
                        evidence.refusing = Some(since);
                        evidence.refused_now = true;
                    }
                    Presence::Answers if fate == Fate::Well => evidence.answered(),
                    _ => {
                        evidence.refusing = None;
                        evidence.refused_now = false;
                    }
                },
            },
            Call::Terminate(..) => {
                let (in_service, is_handed_over) = evidence.listed;
                let is_long = evidence.refusing.is_some_and(|age| age >= GONE_AFTER);
                let is_gone = evidence.told && is_long && evidence.refused_now;
                if !(in_service && (is_gone || is_handed_over)) {
                    self.unfounded.get_or_insert("ended");
                }
                evidence.given_back |= is_gone;
            }
            Call::Complete(_) if !evidence.given_back => {
                self.unfounded.get_or_insert("completed");
            }
            _ => {}
        }
        self.world.step(&any.config, 0, 0, fate);
    }
}

impl Evidence {
    fn answered(&mut self) {
        self.refusing = None;
        self.refused_now = false;
    }

    fn pass(&mut self) {
        let older = |age: u8| LONG_AGO.min(age + 1);
        self.refusing = self.refusing.map(older);
        self.heard = self.heard.map(older).filter(|age| *age < LONG_AGO);
        self.ticked = older(self.ticked);
    }
}

impl Model for AnyWorld {
    type State = Alone;
    type Action = Step;

    fn init_states(&self) -> Vec<Alone> {
        vec![Alone {
            world: self.config.start(),
            evidence: Evidence::default(),
            unfounded: None,
        }]
    }

    fn actions(&self, state: &Alone, steps: &mut Vec<Step>) {
        let controller = &state.world.controllers[0];
        if controller.may_wait(false) {
            steps.push(Step::Pass);
        }
        for (busy, healthy) in [
            (Busy::Idle, true),
            (Busy::Idle, false),
            (Busy::Busy, true),
            (Busy::Expired, true),
        ] {
            steps.push(Step::Hear(Status { busy, healthy }));
        }
        steps.push(Step::Crash);
        let numbers = 0..u8::try_from(self.machines.len()).expect("few");
        for scene in numbers.flat_map(|machine| [(machine, true), (machine, false)]) {
            if controller.may_tick() {
                steps.push(Step::Tick(scene, SEEN));
                // Only of one that would answer it shows that it does not.
                if scene.1 && self.machines[usize::from(scene.0)].binds_health() {
                    steps.push(Step::Tick(scene, SILENT));
                }
                if scene.1 {
                    steps.push(Step::Tick(scene, UNSAVED));
                }
            }
            // No call shows where the instance is, or the hook.
            let is_in_service = self.machines[usize::from(scene.0)].place == Place::InService;
            if controller.is_running() && scene.1 && is_in_service {
                steps.push(Step::Call(scene, Fate::Well));
                steps.push(Step::Call(scene, Fate::Nothing));
            }
        }
    }

    fn next_state(&self, state: &Alone, step: Step) -> Option<Alone> {
        let mut next = state.clone();
        Safeguard::without(&self.config.rules, || match step {
            Step::Pass => {
                next.evidence.pass();
                next.world.controllers[0].pass();
            }
            Step::Hear(status) => {
                next.evidence.heard = Some(0);
                next.world.controllers[0].receive(0, status);
            }
            Step::Tick(scene, view) => next.tick(self, scene, view),
            Step::Call(scene, fate) => next.call(self, scene, fate),
            Step::Crash => {
                next.evidence = Evidence::default();
                next.world.controllers[0].crash(false);
            }
        });
        let broken = next.world.broken.take();
        next.world = World {
            controllers: next.world.controllers,
            broken: broken.filter(|it| it.is_by_a_controller()),
            ..self.config.start()
        };
        next.world.controllers[0].canonical(&self.config, false);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("ended only on its own evidence", |_, state: &Alone| {
                state.unfounded != Some("ended")
            }),
            Property::always(
                "the hook ends for what was given back",
                |_, state: &Alone| state.unfounded != Some("completed"),
            ),
            Property::always("only the free are retired", |_, state: &Alone| {
                state.world.broken.is_none()
            }),
        ]
    }
}

/// So many steps are looked at in each run of the tests; mostly they lead to what was seen before.
const IN_CI: usize = 1_500_000;

fn any_world(rules: &[Safeguard]) -> AnyWorld {
    let config = Config {
        hook: true,
        retention: true,
        rules: rules.into(),
        faults: Faults::default(),
        ..configs::direct()
    };
    let machines = machines(&config);
    AnyWorld { config, machines }
}

/// Explores a controller in any world without these rules. Returns what it did without evidence.
fn explore(rules: &[Safeguard], at_most: usize) -> Vec<&'static str> {
    let begun = crate::figures::now();
    let checker = any_world(rules)
        .checker()
        .target_state_count(at_most)
        .threads(crate::threads())
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "model: {:>9} states, depth {:>3}, {:>7.1} s  a controller in any world, without {rules:?}",
        checker.unique_state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f64()
    );
    let discoveries = checker.discoveries();
    for (name, path) in &discoveries {
        if rules.is_empty() {
            println!("{name}: {:#?}", path.clone().into_actions());
        }
    }
    discoveries.into_keys().collect()
}

/// The way that the exploration found before such a tick counted as one without a look.
#[test]
fn one_that_answers_while_the_memory_cannot_be_saved_has_not_refused_without_a_gap() {
    const DOWN: Scene = (0, true);
    const IDLE: Scene = (1, true);
    const UNHEALTHY: Scene = (7, true);
    let lived = |rules: &[Safeguard]| {
        let any = any_world(rules);
        let mut state = any.init_states().remove(0);
        for step in [
            Step::Tick(UNHEALTHY, SEEN),
            Step::Call(IDLE, Fate::Well),
            Step::Pass,
            Step::Tick(DOWN, SEEN),
            Step::Call(DOWN, Fate::Well),
            Step::Pass,
            Step::Tick(IDLE, UNSAVED),
            Step::Pass,
            Step::Tick(DOWN, SEEN),
            Step::Call(DOWN, Fate::Well),
            Step::Pass,
            Step::Tick(DOWN, SEEN),
            Step::Call(DOWN, Fate::Well),
            Step::Call(DOWN, Fate::Well),
        ] {
            state = any.next_state(&state, step).unwrap_or(state);
        }
        state.unfounded
    };
    assert_eq!(lived(&[]), None);
    assert_eq!(lived(&[Safeguard::NoGaps]), Some("ended"));
}

/// The way that the exploration found before an answer counted that comes in the very tick in which the act of giving it back is seen to be
/// lost.
#[test]
fn one_that_answers_when_it_is_to_be_given_back_again_has_not_refused_without_a_gap() {
    const DOWN: Scene = (0, true);
    const IDLE: Scene = (1, true);
    const BUSY: Scene = (5, true);
    const UNHEALTHY: Scene = (7, true);
    const EXPIRED: Scene = (8, true);
    let any = any_world(&[]);
    let mut state = any.init_states().remove(0);
    for step in [
        Step::Tick(UNHEALTHY, SEEN),
        Step::Call(IDLE, Fate::Well),
        Step::Pass,
        Step::Tick(BUSY, SEEN),
        Step::Pass,
        Step::Tick(DOWN, SEEN),
        Step::Call(DOWN, Fate::Well),
        Step::Pass,
        Step::Pass,
        Step::Tick(DOWN, SEEN),
        Step::Call(DOWN, Fate::Well),
        Step::Pass,
        Step::Tick(DOWN, SEEN),
        Step::Call(DOWN, Fate::Well),
        Step::Call(DOWN, Fate::Well),
        Step::Pass,
        Step::Pass,
        Step::Tick(DOWN, SEEN),
        Step::Pass,
        Step::Tick(EXPIRED, SEEN),
        Step::Pass,
        Step::Tick(DOWN, SEEN),
        Step::Call(DOWN, Fate::Well),
        Step::Call(DOWN, Fate::Nothing),
    ] {
        state = any.next_state(&state, step).unwrap_or(state);
    }
    assert_eq!(state.unfounded, None);
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_a_controller_keeps_the_promises_in_any_world() {
    let unfounded = explore(&[], IN_CI);
    assert!(unfounded.is_empty(), "{unfounded:?}");
}

#[test]
#[ignore = "explores millions of states; run on request"]
fn full_a_controller_keeps_the_promises_in_any_world() {
    let unfounded = explore(&[], usize::MAX);
    assert!(unfounded.is_empty(), "{unfounded:?}");
}

#[test]
#[ignore = "takes minutes without optimization; .ci/run runs it optimized"]
fn optimized_a_controller_in_any_world_needs_its_rules() {
    use Safeguard as S;
    needs(
        &[S::WaitForGone, S::GoneConfirmed, S::HandOverToTheHeard],
        IN_CI,
    );
}

#[test]
#[ignore = "explores millions of states; run on request"]
fn full_a_controller_in_any_world_needs_its_rules() {
    use Safeguard as S;
    needs(&[S::LastLook, S::NotWhileItAnswers, S::NoGaps], usize::MAX);
}

fn needs(rules: &[Safeguard], at_most: usize) {
    for rule in rules {
        let unfounded = explore(&[*rule], at_most);
        assert!(!unfounded.is_empty(), "without {rule:?}");
    }
}
