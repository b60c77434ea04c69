//! A controller: the decision, the check and the course of the tick that run in production, one call at a time.

use std::{sync::Arc, time::Duration};

use jibri_scaler_core::{
    BusyStatus, DrainPath, FleetSnapshot, Group, HealthStatus, Instance, JibriStatus, Limits,
    Memory, Reachability, Report, Timestamp,
    controller::course::{Call, Course, Held, Question, Recent, Seen, begin},
    decide,
    observe::{AgentReport, model::Kept},
    policy::MinIdle,
    port::{Knock, PortErrorKind, Presence, ProbeOutcome, Told},
};

use crate::{
    aws::Answer,
    jibri::{Busy, Post, Status},
    world::{Broken, Config, Machine, NOW, Place, UNIT, World, aged, id_of, index_of},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Controller {
    memory: Arc<Memory>,
    recent: Recent,
    /// What its observer keeps of each machine.
    known: Vec<Known>,
    /// The newest report of each agent that has arrived.
    inbox: Vec<Option<(Status, Timestamp)>>,
    /// The tick that is under way.
    running: Option<Arc<Running>>,
    /// Whether it has begun a tick in this unit of time.
    ticked: bool,
    /// What an old listing would still show as the desired capacity, and whether that is so for the last unit.
    old_desired: Option<(u8, bool)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Known {
    report: Option<(Status, Timestamp)>,
    direct: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Running {
    course: Course,
    /// What a controller that crashes now comes back with.
    saved: Memory,
    /// How many units have passed since it began.
    late: u8,
    unprotected: Vec<usize>,
}

/// What becomes of a call or a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    Well,
    /// It has acted, and that is not known.
    ActedUnknown,
    /// It has not acted, and that is not known.
    Nothing,
}

/// How a tick sees the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// The machine whose Jibri does not answer in time.
    pub silent: Option<u8>,
    /// Whether the listing is older than the last change of the desired capacity.
    pub old: bool,
    /// Whether the memory can't be saved.
    pub unsaved: bool,
}

pub fn limits() -> Limits {
    let unit = Duration::from_secs(UNIT);
    Limits::default()
        .with_idle_timeout(Duration::ZERO)
        .and_then(|limits| limits.with_report_ttl(2 * unit))
        .and_then(|limits| limits.with_boot_deadline(2 * unit))
        .and_then(|limits| limits.with_gone_after(2 * unit))
        .expect("inside their ranges")
}

fn status(status: Status) -> JibriStatus {
    let busy = match status.busy {
        Busy::Idle => BusyStatus::Idle,
        Busy::Busy => BusyStatus::Busy,
        Busy::Expired => BusyStatus::Expired,
    };
    let health = if status.healthy {
        HealthStatus::Healthy
    } else {
        HealthStatus::Unhealthy
    };
    JibriStatus::new(busy, health)
}

fn compact(report: &Report) -> Option<(Status, Timestamp)> {
    let read = report.status.as_ref()?;
    let busy = match read.busy {
        BusyStatus::Busy => Busy::Busy,
        BusyStatus::Expired => Busy::Expired,
        _ => Busy::Idle,
    };
    let healthy = read.health == HealthStatus::Healthy;
    Some((Status { busy, healthy }, report.received_at))
}

impl Controller {
    pub fn new(config: &Config) -> Self {
        let machines = usize::from(config.machines);
        Self {
            memory: Arc::default(),
            recent: Recent::default(),
            known: vec![Known::default(); machines],
            inbox: vec![None; machines],
            running: None,
            ticked: false,
            old_desired: None,
        }
    }

    pub fn may_tick(&self) -> bool {
        !self.ticked && self.running.is_none()
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub fn has_old_listing(&self) -> bool {
        self.old_desired.is_some()
    }

    /// Whether time may pass: a tick takes no longer than a unit.
    pub fn may_wait(&self, slow: bool) -> bool {
        self.running
            .as_ref()
            .is_none_or(|running| slow && running.late == 0)
    }

    /// How many questions are open in the call that is under way, at least one.
    pub fn open(&self) -> usize {
        match self.call() {
            Some(Call::Jibris(errands)) => errands.len(),
            _ => 1,
        }
    }

    /// Whether a question is open, or the call that is under way only shows what is there.
    pub fn call(&self) -> Option<Call> {
        let mut running = (**self.running.as_ref()?).clone();
        let (mut memory, mut recent) = ((*self.memory).clone(), self.recent.clone());
        Some(running.course.next(&mut Held {
            memory: &mut memory,
            recent: &mut recent,
            limits: &limits(),
        }))
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether it believes that it has told this one to end.
    pub fn has_told(&self, index: usize) -> bool {
        let retirement = self.memory.retirements().get(&id_of(index));
        retirement.is_some_and(|retirement| retirement.told_at().is_some())
    }

    pub fn is_retiring(&self, index: usize) -> bool {
        self.memory.retirements().contains_key(&id_of(index))
    }

    /// It starts anew, with what it had saved or without.
    pub fn crash(&mut self, with_memory: bool) {
        let saved = match &self.running {
            Some(running) => Arc::new(running.saved.clone()),
            None => Arc::clone(&self.memory),
        };
        self.memory = if with_memory { saved } else { Arc::default() };
        self.recent = Recent::default();
        self.known.fill(Known::default());
        self.inbox.fill(None);
        self.running = None;
    }

    pub fn receive(&mut self, index: usize, status: Status) {
        self.inbox[index] = Some((status, NOW));
    }

    pub fn forget(&mut self, index: usize) {
        self.known[index] = Known::default();
        self.inbox[index] = None;
    }

    pub fn pass(&mut self) {
        self.ticked = false;
        self.old_desired = self
            .old_desired
            .filter(|(_, is_last)| !is_last)
            .map(|(desired, _)| (desired, true));
        let memory = (*self.memory).clone();
        self.memory = Arc::new(memory.moved(aged));
        self.recent.capacity_set = self.recent.capacity_set.map(|(to, at)| (to, aged(at)));
        // What is too old for the rule that reads it is forgotten, so that situations that behave alike are equal.
        let is_fresh = |at: Timestamp| NOW.since(at) <= limits().report_ttl();
        self.recent.capacity_set = self.recent.capacity_set.filter(|(_, at)| is_fresh(*at));
        for known in &mut self.known {
            known.report = known.report.map(|(status, at)| (status, aged(at)));
        }
        for newest in &mut self.inbox {
            *newest = newest
                .map(|(status, at)| (status, aged(at)))
                .filter(|(_, at)| is_fresh(*at));
        }
        if let Some(running) = &mut self.running {
            let running = Arc::make_mut(running);
            running.late += 1;
            running.course = running.course.clone().moved(aged);
            running.saved = running.saved.clone().moved(aged);
        }
    }
}

impl Machine {
    /// What a controller that asks over HTTP gets.
    fn probe(&self) -> ProbeOutcome {
        match self.jibri.health() {
            Some(shown) if self.jibri.binding.health => ProbeOutcome::Answered(status(shown)),
            _ => ProbeOutcome::Refused,
        }
    }

    fn can_be_told(&self) -> bool {
        self.jibri.is_up() && self.jibri.binding.internal
    }

    fn look(&self) -> Presence {
        let knock = |open: bool| {
            if open { Knock::Opened } else { Knock::Refused }
        };
        let health = self.jibri.health().is_some() && self.jibri.binding.health;
        Presence::of(knock(health), knock(self.can_be_told()))
    }
}

impl World {
    fn see(&mut self, config: &Config, c: usize, view: View) -> FleetSnapshot {
        let has_hook = self.has_hook && config.retention;
        let (machines, controller) = (&self.machines, &mut self.controllers[c]);
        let mut rows = Vec::new();
        for (index, machine) in machines.iter().enumerate() {
            if !machine.place.is_listed() {
                controller.forget(index);
                continue;
            }
            let mut row = Instance::new(id_of(index), machine.place.lifecycle());
            row.protected = machine.protected;
            let known = &mut controller.known[index];
            let report = known
                .report
                .map(|(it, at)| Report::new(at, Some(status(it))));
            let mut kept = Kept::new(report, known.direct);
            let heard = controller.inbox[index];
            let is_silent = view.silent == u8::try_from(index).ok();
            if let Some((it, at)) = heard {
                let report = AgentReport::new(at, status(it), "1");
                kept.heard(&mut row, report, has_hook, limits().report_ttl(), NOW);
            } else if config.direct && machine.place.counts() {
                let outcome = if is_silent {
                    ProbeOutcome::TimedOut
                } else {
                    machine.probe()
                };
                let answered = outcome.status().is_some();
                let direct = known.direct || (answered && machine.can_be_told());
                kept.probed(&mut row, Some((outcome, direct)), NOW);
            } else {
                kept.probed(&mut row, None, NOW);
            }
            known.report = kept.report().and_then(compact);
            known.direct = kept.is_direct();
            rows.push(row);
        }
        let desired = controller.old_desired.filter(|_| view.old);
        let desired = desired.map(|(desired, _)| desired);
        let desired = u32::from(desired.unwrap_or(self.desired));
        let mut group = Group::new(config.min.into(), config.max.into(), desired);
        group.safe_retirement = config.direct || has_hook;
        FleetSnapshot::new(group, rows)
    }

    /// It observes and decides. What it does about it comes after, call by call.
    pub fn tick(&mut self, config: &Config, c: usize, view: View) {
        let snapshot = self.see(config, c, view);
        let before = Arc::clone(&self.controllers[c].memory);
        let policy = MinIdle::new(config.wanted).expect("in range");
        let limits = limits();
        let decision = decide(&policy, &limits, &snapshot, NOW, (*before).clone());
        let begun = begin(&decision, &snapshot, &limits, &before, config.direct);
        let is_done = begun.breaches.is_empty();
        let (tally, group) = (&decision.tally, snapshot.group());

        if self.controllers.len() == 1 && !view.old {
            let applied = is_done || jibri_scaler_core::safeguard::holds(CHECK).eq(&false);
            if let Some(to) = decision.plan.capacity().filter(|_| applied) {
                let free = tally.spare + tally.booting;
                let needed = tally.total - free + config.wanted;
                if to > needed.max(group.min_size) {
                    self.broke(Broken::Overgrown);
                }
            }
            let in_service = |index: usize| self.machines[index].place == Place::InService;
            let leaving = begun
                .memory
                .retirements()
                .iter()
                .filter(|(id, retirement)| {
                    !retirement.replace()
                        && retirement.phase().is_under_way()
                        && in_service(index_of(id))
                });
            let left = group
                .desired
                .checked_sub(u32::try_from(leaving.count()).unwrap_or(9));
            let begins = decision.plan.retires().any(|(_, replace)| !replace);
            if begins && applied && left.is_none_or(|left| left < group.min_size) {
                self.broke(Broken::BelowMin);
            }
        }
        for (id, _) in decision.plan.retires() {
            // What the tick itself has seen: a fresh report that says that it is free.
            let rows = snapshot.rows(id);
            let report = rows[0].report.as_ref();
            let is_fresh =
                report.is_some_and(|report| NOW.since(report.received_at) <= limits.report_ttl());
            let is_free = rows[0].status().is_some_and(|status| !status.is_busy());
            let is_begun = begun.memory.retirements().contains_key(id);
            let has_refused = rows[0].reachability == Reachability::Refused;
            if is_begun && rows[0].drain == DrainPath::None {
                self.broke(Broken::NoWay);
            }
            if is_begun && !(is_fresh && is_free && !has_refused) {
                self.broke(Broken::NotFree);
            }
        }
        let unprotected = self.machines.iter().enumerate();
        let unprotected = unprotected
            .filter(|(_, machine)| machine.place == Place::InService && !machine.protected)
            .map(|(index, _)| index)
            .collect();
        let mut running = Running {
            course: begun.course,
            saved: (*before).clone(),
            late: 0,
            unprotected,
        };
        let controller = &mut self.controllers[c];
        controller.ticked = true;
        controller.memory = Arc::new(begun.memory);
        if view.unsaved {
            let mut memory = (*controller.memory).clone();
            let mut held = Held {
                memory: &mut memory,
                recent: &mut controller.recent,
                limits: &limits,
            };
            if running.course.next(&mut held) == Call::Save {
                running
                    .course
                    .done(&mut held, Err(PortErrorKind::Transient));
            }
            controller.memory = Arc::new(memory);
        }
        self.go_on(c, running);
    }

    /// Makes the call that is next, and goes on to the one after.
    pub fn step(&mut self, config: &Config, c: usize, which: usize, fate: Fate) {
        let Some(call) = self.controllers[c].call() else {
            return;
        };
        let result = self.perform(config, c, &call, which, fate);
        let controller = &mut self.controllers[c];
        let Some(running) = controller.running.take() else {
            return;
        };
        let mut running = (*running).clone();
        let mut memory = (*controller.memory).clone();
        let limits = limits();
        let mut held = Held {
            memory: &mut memory,
            recent: &mut controller.recent,
            limits: &limits,
        };
        match result {
            Outcome::Seen(index, seen) => running.course.seen(&mut held, &id_of(index), seen),
            Outcome::Done(result) => running.course.done(&mut held, result),
        }
        if matches!(call, Call::Protect(_)) && result != Outcome::Done(Ok(())) {
            running.unprotected.clear();
        }
        controller.memory = Arc::new(memory);
        self.go_on(c, running);
    }

    /// Saves what is to be saved, up to the next call to the world.
    fn go_on(&mut self, c: usize, mut running: Running) {
        let controller = &mut self.controllers[c];
        let mut memory = (*controller.memory).clone();
        let limits = limits();
        loop {
            let mut held = Held {
                memory: &mut memory,
                recent: &mut controller.recent,
                limits: &limits,
            };
            match running.course.next(&mut held) {
                Call::Save => {
                    running.course.done(&mut held, Ok(()));
                    running.saved = memory.clone();
                }
                Call::Done => {
                    for index in running.unprotected {
                        self.machines[index].had_time = true;
                    }
                    break;
                }
                _ => {
                    controller.running = Some(Arc::new(running));
                    break;
                }
            }
        }
        controller.memory = Arc::new(memory);
    }

    fn perform(
        &mut self,
        config: &Config,
        c: usize,
        call: &Call,
        which: usize,
        fate: Fate,
    ) -> Outcome {
        let acts = fate != Fate::Nothing;
        let answer = match call {
            Call::Protect(ids) => {
                for id in ids.iter().filter(|_| acts) {
                    let machine = &mut self.machines[index_of(id)];
                    machine.protected |= machine.place == Place::InService;
                }
                Answer::Done
            }
            Call::SetCapacity(to) if acts => {
                let before = self.desired;
                let answer = self.set_capacity(config, *to);
                self.controllers[c].old_desired = Some((before, false));
                answer
            }
            Call::Terminate(id, decrement) if acts => {
                self.terminate(config, index_of(id), *decrement)
            }
            Call::Complete(id) if acts => {
                self.complete(config, index_of(id), false);
                Answer::Done
            }
            Call::Jibris(errands) => {
                let errand = &errands[which];
                let index = index_of(&errand.target.id);
                let seen = match errand.question {
                    Question::Tell => Seen::Told(self.tell(config, index, fate)),
                    question => {
                        let presence = if fate == Fate::Well {
                            self.machines[index].look()
                        } else {
                            Presence::Unclear
                        };
                        match question {
                            Question::Look => Seen::Looked(presence),
                            _ => Seen::LookedLast(presence),
                        }
                    }
                };
                return Outcome::Seen(index, seen);
            }
            _ => Answer::Done,
        };
        Outcome::Done(match (answer, fate) {
            (Answer::Refused, _) => Err(PortErrorKind::Permanent),
            (Answer::Done, Fate::Well) => Ok(()),
            (Answer::Done, _) => Err(PortErrorKind::Transient),
        })
    }

    /// `gracefulShutdown` over the network.
    fn tell(&mut self, config: &Config, index: usize, fate: Fate) -> Told {
        let machine = &mut self.machines[index];
        if !machine.can_be_told() {
            return Told::Refused;
        }
        if fate == Fate::Nothing {
            return Told::Unknown;
        }
        let latch = machine.latch.is_some();
        match (machine.jibri.post_end(config.supervisor, latch), fate) {
            (Post::Took, Fate::Well) => Told::Yes,
            _ => Told::Unknown,
        }
    }
}

const CHECK: jibri_scaler_core::safeguard::Safeguard =
    jibri_scaler_core::safeguard::Safeguard::Check;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done(Result<(), PortErrorKind>),
    Seen(usize, Seen),
}

/// The ways that a controller knows to retire what it sees, for the properties.
pub fn is_given_up(controller: &Controller, index: usize) -> bool {
    let retirement = controller.memory().retirements().get(&id_of(index));
    retirement.is_some_and(|retirement| !retirement.phase().is_under_way())
}
