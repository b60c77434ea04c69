use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, VecDeque},
};

use super::{
    Environment,
    event::{Event, Kind},
    machine::{Machine, Reading, State},
    meter::Meter,
};
use crate::{
    DrainPath, Group, InstanceId, Timestamp,
    port::{Decrement, Presence, Told},
    sim::draws::{Draws, Purpose},
};

/// The simulated group in a tick: what a real scaler could see of it, and what it could do.
///
/// Instances are protected from scale-in for life, so that a lower desired capacity ends none of them. A scaler that is handed a fleet
/// sees the Jibris as they were [`report_delay`](Environment::with_report_delay) ago, and the group as it is.
///
/// ```
/// use jibri_scaler_core::backtest::{Fleet, Reading, Scaler};
///
/// /// Launches one more where nobody is idle, and never ends one.
/// struct OneMore;
///
/// impl Scaler for OneMore {
///     fn tick(&mut self, fleet: &mut Fleet<'_>) {
///         let ready_or_coming = |reading| matches!(reading, Reading::Idle | Reading::Never);
///         if !fleet.instances().any(|instance| ready_or_coming(instance.reading)) {
///             fleet.set_desired(fleet.group().desired + 1);
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Fleet<'e> {
    pub(super) environment: &'e Environment,
    pub(super) draws: Draws,
    pub(super) now: Timestamp,
    pub(super) desired: u32,
    /// By number, which is the order of their launches and of their ids.
    pub(super) machines: Vec<Machine>,
    /// Those whose presence says idle, in Jicofo's order.
    pub(super) listed: BTreeSet<(Timestamp, u32)>,
    pub(super) events: BinaryHeap<Reverse<Event>>,
    /// What will be seen, when and of whom.
    pub(super) in_flight: VecDeque<(Timestamp, u32, Reading)>,
    pub(super) meter: Meter,
    /// How many instances count toward the desired capacity.
    counting: u32,
    /// Launches that failed and are tried again later.
    retrying: u32,
    attempts: u64,
    next_number: u32,
    pub(super) ticks: u64,
    pub(super) launches: u64,
    pub(super) failed_launches: u64,
    pub(super) lost: u64,
    pub(super) all_refused: u64,
    /// How many of them the ticks before this one knew, and this one knows.
    pub(super) told_refused: (u64, u64),
}

/// What a scaler sees of one instance.
///
/// ```
/// use jibri_scaler_core::backtest::{Fleet, Reading};
///
/// fn idle(fleet: &Fleet<'_>) -> usize {
///     fleet.instances().filter(|seen| seen.answered && seen.reading == Reading::Idle).count()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// Its number: that of its launch.
    pub number: u32,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// The newest that its Jibri has said.
    pub reading: Reading,
    /// Whether it said so in this tick.
    pub answered: bool,
    /// Whether it is on its way out.
    pub leaving: bool,
}

impl<'e> Fleet<'e> {
    pub(super) fn new(environment: &'e Environment, now: Timestamp) -> Self {
        let from = now + environment.warm_up;
        Self {
            environment,
            draws: Draws::new(environment.seed),
            now,
            desired: 0,
            machines: Vec::new(),
            listed: BTreeSet::new(),
            events: BinaryHeap::new(),
            in_flight: VecDeque::new(),
            meter: Meter::new(now, from),
            counting: 0,
            retrying: 0,
            attempts: 0,
            next_number: 0,
            ticks: 0,
            launches: 0,
            failed_launches: 0,
            lost: 0,
            all_refused: 0,
            told_refused: (0, 0),
        }
    }

    /// The time of this tick.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The bounds and the desired capacity of the group.
    #[must_use]
    pub fn group(&self) -> Group {
        let environment = self.environment;
        let mut group = Group::new(environment.min_size, environment.max_size, self.desired);
        group.safe_retirement = environment.drain != DrainPath::None;
        group
    }

    /// What is seen of each instance, in the order of their launches.
    pub fn instances(&self) -> impl Iterator<Item = Seen> {
        self.machines.iter().map(|machine| Seen {
            number: machine.number,
            launched_at: machine.launched_at,
            reading: match machine.report {
                _ if machine.reading == Reading::Refused => Reading::Refused,
                Some((_, reading)) => reading,
                None => Reading::Never,
            },
            answered: machine.answered,
            leaving: machine.leaving,
        })
    }

    /// How many recordings found no Jibri so far, as the counters of Jicofo tell.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.all_refused
    }

    /// Sets the desired capacity, brought inside the bounds. Raising it launches; lowering it ends nothing.
    pub fn set_desired(&mut self, to: u32) {
        let environment = self.environment;
        self.desired = to.min(environment.max_size).max(environment.min_size);
        self.launch_missing();
    }

    /// Tells a Jibri to end when it is free, which shares a lock with the start of a recording: one that is free ends at once, one
    /// that records when it is done.
    pub fn tell(&mut self, number: u32) -> Told {
        let Some(at) = self.find(number) else {
            return Told::Refused;
        };
        match self.machines[at].state {
            State::Booting | State::Gone => return Told::Refused,
            State::Recording => self.machines[at].told = true,
            State::Free | State::Expired => self.exit(at),
        }
        Told::Yes
    }

    /// Whether the process of a Jibri is there.
    #[must_use]
    pub fn look(&self, number: u32) -> Presence {
        let state = self.find(number).map(|at| self.machines[at].state);
        match state {
            None => Presence::Unclear,
            Some(State::Booting | State::Gone) => Presence::BothRefuse,
            Some(_) => Presence::Answers,
        }
    }

    /// Asks the group to end an instance whose agent drains it first: its Jibri is told, and the machine goes when that has ended.
    pub fn drain(&mut self, number: u32, decrement: Decrement) {
        let Some(at) = self.find(number).filter(|at| !self.machines[*at].leaving) else {
            return;
        };
        self.machines[at].leaving = true;
        self.leave(decrement);
        match self.machines[at].state {
            // It is told as soon as there is a Jibri to tell.
            State::Booting | State::Recording => self.machines[at].told = true,
            State::Free | State::Expired => self.exit(at),
            State::Gone => self.release_soon(number),
        }
        self.launch_missing();
    }

    /// Ends an instance at once. A recording that it is making is lost.
    pub fn terminate(&mut self, number: u32, decrement: Decrement) {
        let Some(at) = self.find(number) else { return };
        if self.machines[at].state == State::Recording && self.meter.counts(self.now) {
            self.lost += 1;
        }
        if !self.machines[at].leaving {
            self.leave(decrement);
        }
        self.remove(at);
        self.launch_missing();
    }

    pub(super) fn find(&self, number: u32) -> Option<usize> {
        self.machines
            .binary_search_by_key(&number, |machine| machine.number)
            .ok()
    }

    /// One instance fewer counts toward the desired capacity.
    fn leave(&mut self, decrement: Decrement) {
        self.counting -= 1;
        if decrement == Decrement::Yes {
            self.desired = self
                .desired
                .saturating_sub(1)
                .max(self.environment.min_size);
        }
    }

    pub(super) fn remove(&mut self, at: usize) {
        let machine = self.machines.remove(at);
        self.listed.remove(&(machine.failed_at, machine.number));
        self.meter
            .end(machine.state.counts_as(), machine.launched_at);
    }

    pub(super) fn set_state(&mut self, at: usize, state: State) {
        let machine = &mut self.machines[at];
        self.meter
            .change(machine.state.counts_as(), state.counts_as());
        machine.state = state;
    }

    /// The process ends.
    pub(super) fn exit(&mut self, at: usize) {
        self.set_state(at, State::Gone);
        self.unlist(at);
        self.publish(at, Reading::Refused);
        if self.machines[at].leaving {
            self.release_soon(self.machines[at].number);
        }
    }

    fn release_soon(&mut self, number: u32) {
        self.schedule(
            self.now + self.environment.release_delay,
            Kind::Released,
            number,
            0,
        );
    }

    /// Its presence no longer says idle.
    pub(super) fn unlist(&mut self, at: usize) {
        let machine = &self.machines[at];
        self.listed.remove(&(machine.failed_at, machine.number));
    }

    pub(super) fn list(&mut self, at: usize) {
        let machine = &self.machines[at];
        self.listed.insert((machine.failed_at, machine.number));
    }

    pub(super) fn publish(&mut self, at: usize, reading: Reading) {
        let seen_at = self.now + self.environment.report_delay;
        self.in_flight
            .push_back((seen_at, self.machines[at].number, reading));
    }

    pub(super) fn schedule(&mut self, at: Timestamp, kind: Kind, number: u32, epoch: u32) {
        self.events.push(Reverse(Event {
            at,
            kind,
            number,
            epoch,
        }));
    }

    /// A launch that failed is tried again.
    pub(super) fn retry(&mut self) {
        self.retrying = self.retrying.saturating_sub(1);
        self.launch_missing();
    }

    /// Launches until as many are there, or waited for, as are desired.
    fn launch_missing(&mut self) {
        let environment = self.environment;
        while self.counting + self.retrying < self.desired {
            let attempt = self.attempts;
            self.attempts += 1;
            let (purpose, probability) = (Purpose::LaunchFailure, environment.launch_failure);
            if probability > 0.0 && self.draws.chance(purpose, attempt, probability) {
                self.failed_launches += u64::from(self.meter.counts(self.now));
                self.retrying += 1;
                self.schedule(self.now + environment.launch_retry, Kind::Retry, 0, 0);
            } else {
                self.launch();
            }
        }
    }

    fn launch(&mut self) {
        let number = self.next_number;
        self.next_number += 1;
        let environment = self.environment;
        let mut boot = environment.boot.draw(self.draws, u64::from(number));
        if let Some(times) = environment.slowness(self.now) {
            boot = boot.mul_f64(times);
        }
        self.launches += u64::from(self.meter.counts(self.now));
        let id = InstanceId::numbered(number);
        self.machines.push(Machine::new(number, id, self.now));
        self.counting += 1;
        self.meter.begin(State::Booting.counts_as());
        self.schedule(self.now + boot, Kind::Ready, number, 0);
    }
}
