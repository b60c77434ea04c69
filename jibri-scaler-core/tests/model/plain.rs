//! A controller as it runs: on a clock that goes on, and with nothing forgotten. Next to it the one of the model makes the same calls, so
//! that what the model forgets, and what it takes for equal, makes no difference.

use std::time::Duration;

use jibri_scaler_core::{
    FleetSnapshot, Group, Instance, Memory, Timestamp,
    controller::course::{Call, Course, Held, Recent, begin},
    decide,
    observe::{AgentReport, model::Kept},
    policy::MinIdle,
    port::PortErrorKind,
    retirement::{Phase, Retirement},
};

use crate::{
    controller::{LET_GO_AFTER, Listing, Outcome, Shown, limits, status},
    jibri::Status,
    world::{Config, NOW, UNIT, id_of},
};

pub struct Plain {
    now: Timestamp,
    pub memory: Memory,
    recent: Recent,
    /// What its observer keeps of each machine, and the newest report of each agent.
    known: Vec<(Kept, Option<(Status, Timestamp)>)>,
    course: Option<Course>,
    pub call: Option<Call>,
    /// What it has just saved.
    pub saves: Vec<Memory>,
    /// What it has saved last.
    last: Memory,
}

impl Plain {
    pub fn new(config: &Config) -> Self {
        Self {
            now: NOW,
            memory: Memory::default(),
            recent: Recent::default(),
            known: vec![(Kept::default(), None); config.machines.into()],
            course: None,
            call: None,
            saves: Vec::new(),
            last: Memory::default(),
        }
    }

    /// How far the retirement of this machine has come.
    pub fn phase(&self, index: usize) -> Option<Phase> {
        let retirement = self.memory.retirements().get(&id_of(index));
        retirement.map(Retirement::phase)
    }

    /// One unit of time passes.
    pub fn pass(&mut self) {
        self.now = self.now + Duration::from_secs(UNIT);
    }

    /// A report came in so many units ago.
    pub fn hear(&mut self, index: usize, said: Status, units: u8) {
        let at = self
            .now
            .before(Duration::from_secs(UNIT * u64::from(units)));
        let newest = &mut self.known[index].1;
        if newest.is_none_or(|(_, newest)| newest <= at) {
            *newest = Some((said, at));
        }
    }

    fn row(&mut self, config: &Config, listing: &Listing, index: usize) -> Option<Instance> {
        let (shown, now): (Shown, _) = (listing.machines[index], self.now);
        let (kept, heard) = &mut self.known[index];
        if !shown.place.is_listed() {
            (*kept, *heard) = (Kept::default(), None);
            return None;
        }
        let mut row = Instance::new(id_of(index), shown.place.lifecycle());
        row.protected = shown.protected;
        let ttl = limits().report_ttl();
        if let Some((said, at)) = heard.filter(|(_, at)| now.since(*at) <= ttl) {
            let report = AgentReport::new(at, status(said), "1");
            kept.heard(&mut row, report, listing.has_hook, ttl, now);
        } else {
            let is_asked = config.direct && shown.place.counts();
            kept.probed(&mut row, is_asked.then(|| shown.probed()), now);
        }
        Some(row)
    }

    /// It observes and decides.
    pub fn tick(&mut self, config: &Config, listing: &Listing, unsaved: bool) {
        let rows = (0..listing.machines.len()).filter_map(|index| self.row(config, listing, index));
        let rows = rows.collect();
        let mut group = Group::new(config.min.into(), config.max.into(), listing.desired.into());
        group.safe_retirement = config.direct || listing.has_hook;
        let snapshot = FleetSnapshot::new(group, rows);
        let before = std::mem::take(&mut self.memory);
        let policy = MinIdle::new(config.wanted).expect("in range");
        let decision = decide(&policy, limits(), &snapshot, self.now, before.clone());
        let mut begun = begin(&decision, &snapshot, limits(), &before, config.direct);
        let mut held = Held {
            memory: &mut begun.memory,
            recent: &mut self.recent,
            limits: limits(),
            let_go_after: LET_GO_AFTER,
        };
        if unsaved && begun.course.next(&mut held) == Call::Save {
            begun.course.done(&mut held, Err(PortErrorKind::Transient));
        }
        self.memory = begun.memory;
        self.go_on(begun.course);
    }

    /// Takes in what came of its call.
    pub fn answer(&mut self, outcome: Outcome) {
        let Some(mut course) = self.course.take() else {
            return;
        };
        let mut held = Held {
            memory: &mut self.memory,
            recent: &mut self.recent,
            limits: limits(),
            let_go_after: LET_GO_AFTER,
        };
        match outcome {
            Outcome::Seen(index, seen) => course.seen(&mut held, &id_of(index), seen),
            Outcome::Done(result) => course.done(&mut held, result),
        }
        self.go_on(course);
    }

    fn go_on(&mut self, mut course: Course) {
        loop {
            let mut held = Held {
                memory: &mut self.memory,
                recent: &mut self.recent,
                limits: limits(),
                let_go_after: LET_GO_AFTER,
            };
            match course.next(&mut held) {
                Call::Save => {
                    course.done(&mut held, Ok(()));
                    self.saves.push(self.memory.clone());
                    self.last = self.memory.clone();
                }
                Call::Done => {
                    (self.course, self.call) = (None, None);
                    return;
                }
                call => {
                    (self.course, self.call) = (Some(course), Some(call));
                    return;
                }
            }
        }
    }

    /// It starts anew with what it has saved last.
    pub fn crash_with_last(&mut self, config: &Config) {
        let last = self.last.clone();
        self.come_back(config, last);
    }

    /// It starts anew without memory.
    pub fn begin_anew(&mut self, config: &Config) {
        self.come_back(config, Memory::anew(self.now));
    }

    /// It starts anew, with what was saved then.
    pub fn come_back(&mut self, config: &Config, memory: Memory) {
        *self = Self {
            now: self.now,
            memory: memory.resumed(self.now, limits()),
            ..Self::new(config)
        };
    }
}
