//! A controller in any world: whatever listings, reports, probes and calls give it, in whatever order, it ends an instance only on
//! what it has seen itself.
//!
//! Controllers share nothing but the group and the Jibris. What holds for one of them in any world holds for it beside any number of
//! others, agents, operators and crashes. So the product of all actors need not be explored: here a controller meets every world,
//! and in `direct_in_company` and `agent_in_company` a Jibri meets everything that such controllers do (`company`). What any world shows and answers is
//! written down once, here, and wherever a controller takes part it is compared with what that one is shown and answered.

mod evidence;

use std::sync::{Arc, LazyLock};

use evidence::{Evidence, Lasting, is_leaving};
use jibri_scaler_core::{
    Memory,
    controller::course::{Call, Question, Seen},
    port::{PortErrorKind, Presence, Told},
    safeguard::Safeguard,
};
use stateright::{Model, Property};

use crate::{
    configs,
    controller::{
        Controller, Listing, Outcome, Probe, Shown, View, as_read, as_read_of_the_retired,
        settled_by,
    },
    jibri::{Busy, Status},
    world::{Broken, Config, Faults, NOW, Place, aged, index_of},
};

/// What Jibris say, to whoever asks and in reports.
static SAID: LazyLock<Vec<Status>> = LazyLock::new(|| {
    let of = |busy| [true, false].map(|healthy| Status { busy, healthy });
    [Busy::Idle, Busy::Busy, Busy::Expired]
        .into_iter()
        .flat_map(of)
        .collect()
});

/// What a tick is shown of a machine.
static SHOWN: LazyLock<Vec<Shown>> = LazyLock::new(|| {
    let answered = |said: &Status| [true, false].map(|direct| Probe::Answered(*said, direct));
    let mut probes = vec![Probe::Refused, Probe::Silent];
    probes.extend(SAID.iter().flat_map(answered));
    let places = [
        Place::InService,
        Place::Pending,
        Place::Waiting(0),
        Place::Retained,
        Place::Ended,
        Place::Absent,
    ];
    let mut shown = Vec::new();
    for place in places {
        for protected in [true, false] {
            for probe in &probes {
                // Nobody is asked who does not count.
                if place.counts() || *probe == Probe::Refused {
                    shown.push(Shown {
                        place,
                        protected,
                        probe: *probe,
                    });
                }
            }
        }
    }
    shown
});

/// Whether any world shows that. Of several machines each is looked at: for a controller they are one another's world but for counts.
pub fn may_be_shown(listing: &Listing) -> bool {
    let desired = listing.machines.len() > 1 || listing.desired <= 1;
    desired && listing.machines.iter().all(|it| SHOWN.contains(it))
}

pub fn may_be_heard(status: Status) -> bool {
    SAID.contains(&status)
}

/// What may become of a call.
fn answers(call: &Call, index: usize) -> Vec<Outcome> {
    let looks = [Presence::Answers, Presence::BothRefuse, Presence::Unclear];
    let Call::Jibris(errands) = call else {
        let results = [
            Ok(()),
            Err(PortErrorKind::Permanent),
            Err(PortErrorKind::Throttled),
            Err(PortErrorKind::Transient),
        ];
        return results.map(Outcome::Done).to_vec();
    };
    let of = |question| match question {
        Question::Tell => [Told::Yes, Told::Refused, Told::Unknown].map(Seen::Told),
        Question::Look => looks.map(Seen::Looked),
        _ => looks.map(Seen::LookedLast),
    };
    let of_this = errands.iter().filter(|it| index_of(&it.target.id) == index);
    let seen = of_this.flat_map(|it| of(it.question));
    seen.map(|seen| Outcome::Seen(index, seen)).collect()
}

/// Whether any world answers a call like that.
pub fn may_be_answered(call: &Call, outcome: Outcome) -> bool {
    let index = match outcome {
        Outcome::Seen(index, _) => index,
        Outcome::Done(_) => 0,
    };
    answers(call, index).contains(&outcome)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Alone {
    controller: Controller,
    evidence: Evidence,
    unfounded: Option<&'static str>,
    broken: Option<Broken>,
    /// What it has just saved, with what it had seen then: it may crash now.
    saves: Vec<(Arc<Memory>, Lasting)>,
    /// What a tick that is under way has saved last, with what it had seen then: it may crash while it tells the Jibri.
    last: Option<(Arc<Memory>, Lasting)>,
    /// How long ago the tick began in which the Jibri may have been told to end last, whatever is remembered of that.
    asked: Option<u8>,
}

/// In units of time: how far apart two requests to a Jibri are.
const TELL_INTERVAL: u8 = 4;

/// What a tick is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Scene {
    machine: Shown,
    desired: u8,
    has_hook: bool,
    unsaved: bool,
}

impl Scene {
    fn listing(self) -> Listing {
        Listing {
            desired: self.desired,
            has_hook: self.has_hook,
            machines: vec![self.machine],
        }
    }

    fn view(self) -> View {
        View {
            unsaved: self.unsaved,
            ..View::default()
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Pass,
    Hear(Status),
    Tick(Scene),
    Answer(Outcome),
    /// It crashes before it does anything else, and comes back with what it has just saved so and so often.
    CrashAfterSave(u8),
    /// It does not.
    GoOn,
    /// It crashes while it tells the Jibri, which may hear it, and comes back with what it has saved last.
    CrashWhileTelling,
    /// It comes back without its memory.
    Crash,
}

struct AnyWorld {
    config: Config,
}

impl Alone {
    fn tick(&mut self, config: &Config, scene: Scene) {
        self.evidence.ticks(config, scene.machine, scene.has_hook);
        if !scene.machine.place.is_listed() {
            // An id that is no longer listed does not come back: the next one is another machine.
            self.asked = None;
        }
        self.last = None;
        let before = self.evidence.lasting().clone();
        let decided = self
            .controller
            .tick(config, &scene.listing(), scene.view(), false);
        self.broken = decided.wrong();
        self.goes_on(&before, decided.went.saves);
    }

    fn answer(&mut self, config: &Config, outcome: Outcome) {
        let Some(call) = self.controller.call() else {
            return;
        };
        if matches!(call, Call::SetCapacity(to) if to > config.max.into()) {
            self.broken.get_or_insert(Broken::AboveMax);
        }
        let unfounded = self.evidence.calls(&call, outcome);
        self.unfounded = self.unfounded.or(unfounded);
        if matches!(outcome, Outcome::Seen(_, Seen::Told(told)) if told != Told::Refused) {
            self.asks();
        }
        let before = self.evidence.lasting().clone();
        // How many it misses is not asked here.
        let went = self.controller.answered(&call, outcome);
        self.goes_on(&before, went.saves);
    }

    /// What it saves before it looks at the Jibris says nothing of them.
    fn goes_on(&mut self, before: &Lasting, saves: Vec<Arc<Memory>>) {
        self.evidence.goes_on(self.controller.call().as_ref());
        let after = self.evidence.lasting().clone();
        let now = self.controller.memory().retirements();
        let seen = |saved: Arc<Memory>| {
            let is_after = saved.retirements() == now;
            let lasting = if is_after { &after } else { before };
            (saved, lasting.clone())
        };
        self.saves = saves.into_iter().map(seen).collect();
        self.last = self.saves.last().cloned().or_else(|| self.last.take());
    }

    /// The same in the form that stands for all that behave like it.
    fn canonical(&mut self, config: &Config) {
        self.controller.canonical(config, false);
        self.controller.alone();
        let last = self.last.take().filter(|_| self.controller.is_running());
        self.last = last.map(|(memory, lasting)| settled_save(&memory, &lasting));
        let saves = std::mem::take(&mut self.saves);
        for (memory, lasting) in &saves {
            let save = settled_save(memory, lasting);
            if !self.saves.contains(&save) {
                self.saves.push(save);
            }
        }
    }

    /// The Jibri may have been told to end in this tick.
    fn asks(&mut self) {
        let begun = self.evidence.lasting().ticked();
        let is_early = |asked: u8| asked - begun < TELL_INTERVAL;
        if self.asked.is_some_and(is_early) {
            self.unfounded.get_or_insert("told");
        }
        self.asked = Some(begun);
    }

    /// Whether it is under way to tell the Jibri.
    fn is_telling(&self) -> bool {
        let Some(Call::Jibris(errands)) = self.controller.call() else {
            return false;
        };
        errands.iter().any(|it| it.question == Question::Tell)
    }

    fn crash(&mut self, saved: Arc<Memory>, lasting: Lasting) {
        self.controller.come_back(saved);
        self.evidence = Evidence::of(lasting);
    }
}

/// What is saved, in the form that stands for all that one who comes back with it takes for the same.
fn settled_save(memory: &Arc<Memory>, lasting: &Lasting) -> (Arc<Memory>, Lasting) {
    let mut lasting = lasting.clone();
    lasting.canonical(is_leaving(memory), false);
    (settled_by(memory, NOW), lasting)
}

impl AnyWorld {
    /// What such a tick is shown, in the form that stands for all that it takes for the same.
    fn alike(&self, controller: &Controller, mut shown: Shown) -> Shown {
        // Only what is in service is protected, and what is not there is not there.
        shown.protected |= shown.place != Place::InService;
        if !shown.place.is_listed() {
            shown.place = Place::Ended;
        }
        shown.probe = match shown.probe {
            // Where its agent is heard nobody asks the Jibri.
            _ if !self.is_asked(controller) => Probe::Refused,
            Probe::Answered(said, _) if controller.reads_work_only(0) => {
                Probe::Answered(as_read_of_the_retired(said), true)
            }
            Probe::Answered(said, direct) => Probe::Answered(
                as_read(said),
                direct || controller.knows_a_way(0) || controller.is_retiring(0),
            ),
            other => other,
        };
        shown
    }

    /// The same of what it hears.
    fn heard_alike(controller: &Controller, said: Status) -> Status {
        if controller.hears_work_only(0) {
            as_read_of_the_retired(said)
        } else {
            as_read(said)
        }
    }

    fn is_asked(&self, controller: &Controller) -> bool {
        self.config.direct && !controller.has_heard(0)
    }

    fn scenes(&self, controller: &Controller, steps: &mut Vec<Step>) {
        // Where nobody has heard its agent nobody asks for the hook.
        let hooks: &[bool] = if self.is_asked(controller) {
            &[true]
        } else {
            &[true, false]
        };
        let mut machines = Vec::new();
        for shown in &*SHOWN {
            let shown = self.alike(controller, *shown);
            if !machines.contains(&shown) {
                machines.push(shown);
            }
        }
        for machine in machines {
            for has_hook in hooks {
                for (desired, unsaved) in [(1, false), (0, false), (0, true), (1, true)] {
                    steps.push(Step::Tick(Scene {
                        machine,
                        desired,
                        has_hook: *has_hook,
                        unsaved,
                    }));
                }
            }
        }
    }

    /// What comes of a step.
    fn step(&self, state: &Alone, step: Step) -> Alone {
        let mut next = state.clone();
        match step {
            Step::Pass => {
                next.evidence.pass();
                next.controller.pass();
                if let Some((memory, lasting)) = &mut next.last {
                    *memory = Arc::new((**memory).clone().moved(aged));
                    lasting.pass();
                }
                // A tick may have begun a unit ago.
                next.asked = next.asked.map(|age| age + 1);
                next.asked = next.asked.filter(|age| *age <= TELL_INTERVAL);
            }
            Step::Hear(status) => {
                next.evidence.hears();
                next.controller.receive(0, status, 0);
            }
            Step::Tick(scene) => next.tick(&self.config, scene),
            Step::Answer(outcome) => next.answer(&self.config, outcome),
            Step::CrashAfterSave(which) => {
                let (saved, lasting) = next.saves.swap_remove(which.into());
                next.saves.clear();
                next.crash(saved, lasting);
            }
            Step::GoOn => next.saves.clear(),
            Step::CrashWhileTelling => {
                next.asks();
                if let Some((saved, lasting)) = next.last.take() {
                    next.crash(saved, lasting);
                }
            }
            Step::Crash => {
                if next.is_telling() {
                    next.asks();
                }
                next.crash(Arc::new(Memory::anew(NOW)), Lasting::default());
            }
        }
        next.evidence.canonical(&next.controller);
        next
    }
}

impl Model for AnyWorld {
    type State = Alone;
    type Action = Step;

    fn init_states(&self) -> Vec<Alone> {
        vec![Alone {
            controller: Controller::new(&self.config),
            evidence: Evidence::default(),
            unfounded: None,
            broken: None,
            saves: Vec::new(),
            last: None,
            asked: None,
        }]
    }

    fn actions(&self, state: &Alone, steps: &mut Vec<Step>) {
        let controller = &state.controller;
        if !state.saves.is_empty() {
            let saves = 0..u8::try_from(state.saves.len()).expect("few");
            steps.extend(saves.map(Step::CrashAfterSave));
            steps.push(Step::GoOn);
            return;
        }
        if controller.may_wait(self.config.faults.slow) {
            steps.push(Step::Pass);
        }
        let mut said = Vec::new();
        for status in &*SAID {
            let status = Self::heard_alike(controller, *status);
            if !said.contains(&status) {
                said.push(status);
            }
        }
        steps.extend(said.into_iter().map(Step::Hear));
        steps.push(Step::Crash);
        if state.is_telling() && state.last.is_some() {
            steps.push(Step::CrashWhileTelling);
        }
        if controller.may_tick() {
            self.scenes(controller, steps);
        }
        if let Some(call) = controller.call() {
            steps.extend(answers(&call, 0).into_iter().map(Step::Answer));
        }
    }

    fn next_state(&self, state: &Alone, step: Step) -> Option<Alone> {
        let next = Safeguard::without(&self.config.rules, || {
            let mut next = self.step(state, step);
            next.canonical(&self.config);
            next
        });
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
            Property::always("told only seldom", |_, state: &Alone| {
                state.unfounded != Some("told")
            }),
            Property::always("only the free are retired", |_, state: &Alone| {
                state.broken.is_none()
            }),
        ]
    }
}

fn any_world(rules: &[Safeguard]) -> AnyWorld {
    let config = Config {
        hook: true,
        retention: true,
        rules: rules.into(),
        faults: Faults {
            slow: true,
            ..Faults::default()
        },
        ..configs::direct()
    };
    AnyWorld { config }
}

#[cfg(test)]
mod plain;
#[cfg(test)]
mod tests;
