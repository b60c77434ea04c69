//! A controller: the decision, the check and the course of the tick that run in production, one call at a time. It takes in only what
//! it is shown and answered, so that the same controller lives in the world and alone.

mod bounds;
mod call;
mod canonical;
mod see;
mod tick;

pub use call::Outcome;
pub use canonical::{as_read, as_read_of_the_retired, settled_by};
pub use see::{Listing, Probe, Shown, status};

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use jibri_scaler_core::{
    Limits, Memory, Timestamp,
    controller::course::{Call, Course, Held, Question, Recent},
    retirement::{MAX_RETURNS, Phase, Retirement},
};

use crate::{
    jibri::{Busy, Status},
    world::{Config, NOW, UNIT, aged, id_of, settled, units_before},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Controller {
    memory: Arc<Memory>,
    /// What one that crashes now comes back with.
    saved: Arc<Memory>,
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
    /// Whether its client has sent a request to end that has no answer yet, as far as anybody knows. It is not saved.
    asked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Running {
    course: Course,
    /// How many units have passed since it began.
    late: u8,
    unprotected: Vec<usize>,
    /// How many more free ones are wanted than the tick has seen and has asked for since.
    missing: u32,
    size: bounds::Size,
}

/// What a tick did by itself on its way to the next call.
#[derive(Debug, Default)]
#[must_use]
pub struct Went {
    /// What it has saved.
    pub saves: Vec<Arc<Memory>>,
    /// The machines that it has had the time to protect: it has come to its end.
    pub had_time: Vec<usize>,
}

/// What becomes of a call or a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    Well,
    /// It has acted, and that is not known.
    ActedUnknown,
    /// It has not acted, and that is not known.
    Nothing,
    /// It has not acted, and it looks as if it had: a request to end whose connection was reset after it had come about, as by an idle Jibri
    /// that exits.
    Misread,
}

/// What a tick hears of a machine that the tick before it has not: which of all that its Jibri has ever said, and how many units ago
/// that came in.
pub type Heard = (u8, u8);

/// How a tick sees the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// The machine whose Jibri does not answer in time.
    pub silent: Option<u8>,
    /// Whether the listing is older than the last change of the desired capacity.
    pub old: bool,
    /// The machine of which the listing shows what it was in service.
    pub lagging: Option<u8>,
    /// Whether the memory can't be saved.
    pub unsaved: bool,
    /// What came in since the last tick, where anything may at any time, of at most three machines.
    pub heard: [Option<Heard>; 3],
    /// Who has been idle for longest, of those that have been for so long that since when is forgotten; of several others the order is that
    /// of their ids.
    pub longest: Option<u8>,
}

/// How long after it was given back the hook of an instance is completed: after the tick that did that has begun, which may take a unit, the
/// hook waits for [`LONG`](crate::world::LONG).
pub const LET_GO_AFTER: Duration = Duration::from_secs(3 * UNIT);

/// The memory of one that remembers nothing.
static NOTHING: LazyLock<Arc<Memory>> = LazyLock::new(Arc::default);

static LIMITS: LazyLock<Limits> = LazyLock::new(|| {
    let unit = Duration::from_secs(UNIT);
    Limits::default()
        .with_idle_timeout(Duration::ZERO)
        .and_then(|limits| limits.with_report_ttl(2 * unit))
        .and_then(|limits| limits.with_boot_deadline(2 * unit))
        .and_then(|limits| limits.with_gone_after(2 * unit))
        .expect("inside their ranges")
});

pub fn limits() -> &'static Limits {
    &LIMITS
}

impl Controller {
    pub fn new(config: &Config) -> Self {
        let machines = usize::from(config.machines);
        let memory = Arc::<Memory>::default();
        Self {
            saved: Arc::clone(&memory),
            memory,
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

    /// How many units ago its last tick began, as far as that matters; or many.
    pub fn units_since_tick(&self) -> u8 {
        let last = self.memory.last_tick().unwrap_or(Timestamp::MIN);
        u8::try_from(NOW.since(last).as_secs() / UNIT).unwrap_or(u8::MAX)
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

    /// The call that is under way.
    pub fn call(&self) -> Option<Call> {
        let mut running = (**self.running.as_ref()?).clone();
        let (mut memory, mut recent) = ((*self.memory).clone(), self.recent.clone());
        Some(running.course.next(&mut Held {
            memory: &mut memory,
            recent: &mut recent,
            limits: limits(),
            let_go_after: LET_GO_AFTER,
        }))
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether an agent's report of this machine is there, and how it is read hangs on the hook and not on a probe.
    pub fn has_heard(&self, index: usize) -> bool {
        self.inbox[index].is_some()
    }

    /// Whether it believes that it has told this one to end.
    pub fn has_told(&self, index: usize) -> bool {
        let retirement = self.memory.retirements().get(&id_of(index));
        retirement.is_some_and(|retirement| retirement.told_at().is_some())
    }

    /// Whether a request to end may be under way to this one.
    pub fn has_asked(&self, index: usize) -> bool {
        self.known[index].asked
    }

    /// Whether that question of the call that is under way tells a Jibri to end.
    pub fn tells(&self, which: usize) -> bool {
        match self.call() {
            Some(Call::Jibris(errands)) => errands[which].question == Question::Tell,
            _ => false,
        }
    }

    pub fn is_retiring(&self, index: usize) -> bool {
        self.memory.retirements().contains_key(&id_of(index))
    }

    /// Whether it has given this one back, and completes its hook in the end.
    pub fn has_given_back(&self, index: usize) -> bool {
        let retirement = self.memory.retirements().get(&id_of(index));
        retirement.is_some_and(Retirement::was_released)
    }

    pub fn takes_for_gone(&self, index: usize) -> bool {
        let retirement = self.memory.retirements().get(&id_of(index));
        retirement.is_some_and(|retirement| retirement.phase() == Phase::Gone)
    }

    /// It starts anew, with what it had saved or without.
    pub fn crash(&mut self, with_memory: bool) {
        if with_memory {
            self.come_back(Arc::clone(&self.saved));
        } else {
            self.begin_anew();
        }
    }

    /// It starts anew without memory.
    pub fn begin_anew(&mut self) {
        self.come_back(Arc::new(Memory::anew(NOW)));
    }

    /// It starts anew with that.
    pub fn come_back(&mut self, saved: Arc<Memory>) {
        self.memory = Arc::new((*saved).clone().resumed(NOW, limits()));
        self.saved = saved;
        self.recent = Recent::default();
        self.known.fill(Known::default());
        self.inbox.fill(None);
        self.running = None;
    }

    /// A report of this machine came in so many units ago.
    pub fn receive(&mut self, index: usize, status: Status, units: u8) {
        let at = units_before(NOW, units.into());
        let newest = &mut self.inbox[index];
        if newest.is_none_or(|(_, newest)| newest <= at) {
            *newest = Some((status, at));
        }
    }

    pub fn forget(&mut self, index: usize) {
        self.known[index] = Known::default();
        self.inbox[index] = None;
    }

    /// Whether it may turn out that a retirement that it remembers has not begun.
    pub fn may_undo(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.course.may_undo())
    }

    /// Whether it knows a way to tell this one.
    pub fn knows_a_way(&self, index: usize) -> bool {
        self.known[index].direct
    }

    /// The same of what it hears now.
    pub fn hears_work_only(&self, index: usize) -> bool {
        self.reads_work_only(index) && self.begun() == NOW
    }

    /// Whether of what this one says now only matters whether it is busy: its retirement is under way, and is not given up before that is
    /// too old.
    pub fn reads_work_only(&self, index: usize) -> bool {
        let retirement = self.memory.retirements().get(&id_of(index));
        retirement.is_some_and(|retirement| {
            let may_be_given_up =
                retirement.phase() == Phase::Requested || retirement.returns() + 1 >= MAX_RETURNS;
            retirement.phase().is_under_way() && !may_be_given_up
        }) && !self.may_undo()
    }

    pub fn pass(&mut self) {
        self.ticked = false;
        self.old_desired = self
            .old_desired
            .filter(|(_, is_last)| !is_last)
            .map(|(desired, _)| (desired, true));
        let older = |memory: &Arc<Memory>| Arc::new((**memory).clone().moved(aged));
        self.memory = older(&self.memory);
        self.saved = older(&self.saved);
        if let Some(running) = &mut self.running {
            let running = Arc::make_mut(running);
            running.late += 1;
            running.course = running.course.clone().moved(aged);
        }
        self.recent.capacity_set = self.recent.capacity_set.map(|(to, at)| (to, aged(at)));
        // What is too old for the rule that reads it is forgotten, so that situations that behave alike are equal.
        let (begun, ttl) = (self.begun(), limits().report_ttl());
        let is_fresh = |(_, at): &(u32, Timestamp)| begun.since(*at) <= ttl;
        self.recent.capacity_set = self.recent.capacity_set.filter(is_fresh);
        for known in &mut self.known {
            known.report = known.report.map(|(status, at)| (status, aged(at)));
        }
        for newest in &mut self.inbox {
            *newest = newest
                .map(|(status, at)| (status, aged(at)))
                .filter(|(_, at)| NOW.since(*at) <= ttl);
        }
    }

    /// When the tick that is under way began, or the next one may.
    fn begun(&self) -> Timestamp {
        let late = self.running.as_ref().map_or(0, |running| running.late);
        units_before(NOW, late.into())
    }

    /// Saves what is to be saved, up to the next call to the world.
    fn go_on(&mut self, mut running: Running) -> Went {
        let mut memory = (*self.memory).clone();
        let mut went = Went::default();
        loop {
            let mut held = Held {
                memory: &mut memory,
                recent: &mut self.recent,
                limits: limits(),
                let_go_after: LET_GO_AFTER,
            };
            match running.course.next(&mut held) {
                Call::Save => {
                    running.course.done(&mut held, Ok(()));
                    self.saved = Arc::new(memory.clone().moved(settled));
                    went.saves.push(Arc::clone(&self.saved));
                }
                Call::Done => {
                    memory = memory.moved(settled);
                    went.had_time = running.unprotected;
                    break;
                }
                _ => {
                    running.course = running.course.settled();
                    self.running = Some(Arc::new(running));
                    break;
                }
            }
        }
        self.memory = Arc::new(memory);
        went
    }
}

/// The ways that a controller knows to retire what it sees, for the properties.
pub fn is_given_up(controller: &Controller, index: usize) -> bool {
    let retirement = controller.memory().retirements().get(&id_of(index));
    retirement.is_some_and(|retirement| !retirement.phase().is_under_way())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{configs, world::Place};

    const BUSY: Status = Status {
        busy: Busy::Busy,
        healthy: true,
    };

    /// A controller that knows of an idle Jibri, a retirement of which may be under way, after so many units: what a tick makes of that
    /// where the newest report says this instead.
    fn ticked(
        first: Status,
        units: u8,
        report: Status,
        by_agent: bool,
        probe: Probe,
    ) -> Controller {
        let config = configs::reporting();
        let shown = |probe| Listing {
            desired: 1,
            has_hook: true,
            machines: vec![Shown {
                place: Place::InService,
                protected: true,
                probe,
            }],
        };
        let mut controller = Controller::new(&config);
        let first = shown(Probe::Answered(first, true));
        let _ = controller.tick(&config, &first, View::default(), false);
        if let Some(call @ Call::Jibris(_)) = controller.call() {
            let told = jibri_scaler_core::port::Told::Yes;
            let seen = jibri_scaler_core::controller::course::Seen::Told(told);
            let _ = controller.answered(&call, Outcome::Seen(0, seen));
        }
        for _ in 0..units {
            controller.pass();
        }
        let (_, at) = controller.known[0].report.expect("it has answered");
        controller.known[0].report = Some((report, at));
        if by_agent {
            controller.inbox[0] = Some((report, at));
        }
        let _ = controller.tick(&config, &shown(probe), View::default(), false);
        controller.canonical(&config, false);
        controller
    }

    #[test]
    fn of_what_is_old_and_of_who_is_busy_nothing_more_is_read() {
        let all = [Busy::Idle, Busy::Busy, Busy::Expired]
            .map(|busy| [true, false].map(|healthy| Status { busy, healthy }));
        let all = all.as_flattened();
        let unhealthy = Status {
            healthy: false,
            ..BUSY
        };
        for first in all {
            for probe in [Probe::Silent, Probe::Refused, Probe::Answered(BUSY, true)] {
                let old = |report| ticked(*first, 3, report, false, probe);
                for said in all {
                    assert_eq!(
                        old(*said),
                        old(Status::IDLE),
                        "{first:?} {said:?} {probe:?}"
                    );
                }
                for (units, by_agent) in [(1, false), (1, true), (2, false), (2, true)] {
                    let busy = |report| ticked(*first, units, report, by_agent, probe);
                    assert_eq!(busy(unhealthy), busy(BUSY), "{first:?} {probe:?}");
                }
            }
        }
        // Else it would show nothing.
        let fresh = |report| ticked(Status::IDLE, 1, report, false, Probe::Silent);
        assert_ne!(fresh(BUSY), fresh(Status::IDLE));
    }
}
