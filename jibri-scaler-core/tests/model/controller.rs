//! A controller: the decision, the check and the course of the tick that run in production, one call at a time.

mod call;
mod see;

pub use see::status;

use std::{sync::Arc, time::Duration};

use jibri_scaler_core::{
    Limits, Memory, Timestamp,
    controller::course::{Call, Course, Held, Recent},
    retirement::Phase,
};

use crate::{
    jibri::Status,
    world::{Config, NOW, UNIT, aged, id_of},
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
    /// How many more free ones are wanted than the tick has seen and has asked for since.
    missing: u32,
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

    pub fn takes_for_gone(&self, index: usize) -> bool {
        let retirement = self.memory.retirements().get(&id_of(index));
        retirement.is_some_and(|retirement| retirement.phase() == Phase::Gone)
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

    /// What no later step reads is forgotten.
    pub fn canonical(&mut self, config: &Config, is_over: bool) {
        if is_over {
            *self = Self::new(config);
        }
        if config.machines == 1 {
            self.recent.not_given_back = None;
        }
        if !config.faults.old_listing {
            self.old_desired = None;
        }
        if !config.faults.controllers
            && let Some(running) = &mut self.running
        {
            Arc::make_mut(running).saved = Memory::default();
        }
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

/// The ways that a controller knows to retire what it sees, for the properties.
pub fn is_given_up(controller: &Controller, index: usize) -> bool {
    let retirement = controller.memory().retirements().get(&id_of(index));
    retirement.is_some_and(|retirement| !retirement.phase().is_under_way())
}
