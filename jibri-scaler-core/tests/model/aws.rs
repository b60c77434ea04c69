//! The Auto Scaling group: asynchronous, with scale-in protection, the terminating hook, retention, and a desired capacity that it
//! follows in its own way.

use std::sync::atomic::Ordering;

use jibri_scaler_core::{
    port::Decrement,
    safeguard::{Safeguard, holds},
};

use crate::world::{Broken, Config, LONG, Left, Place, World};

/// What the API answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    /// A `ValidationError`: not done, and not to be repeated as it is.
    Refused,
}

impl World {
    /// `TerminateInstanceInAutoScalingGroup`. It ignores scale-in protection. "No such instance" is success.
    pub fn terminate(&mut self, config: &Config, index: usize, decrement: Decrement) -> Answer {
        let place = self.machines[index].place;
        if place == Place::Retained {
            self.give_back(config, index, false);
            return Answer::Done;
        }
        if !place.counts() {
            return Answer::Done;
        }
        if decrement == Decrement::Yes {
            if self.desired == config.min {
                return Answer::Refused;
            }
            self.desired -= 1;
        }
        self.leave(config, index);
        Answer::Done
    }

    /// The instance is to end: the hook holds it, where there is one.
    pub fn leave(&mut self, config: &Config, index: usize) {
        let machine = &mut self.machines[index];
        machine.left = config.faults.lagging.then_some(Left {
            protected: machine.protected,
            is_last: false,
        });
        if self.has_hook {
            self.machines[index].place = Place::Waiting(0);
        } else {
            self.give_back(config, index, false);
        }
    }

    /// `SetDesiredCapacity`.
    pub fn set_capacity(&mut self, config: &Config, to: u32) -> Answer {
        let to = u8::try_from(to).unwrap_or(u8::MAX);
        if to > config.max {
            self.broke(Broken::AboveMax);
            // Without the rule nobody has it, the group neither.
            if holds(Safeguard::MaxSize) {
                return Answer::Refused;
            }
        }
        if to < self.desired && self.controllers.len() == 1 {
            self.broke(Broken::Lowered);
        }
        self.desired = to.max(config.min);
        Answer::Done
    }

    /// `CompleteLifecycleAction`. Returns whether anything waited.
    pub fn complete(&mut self, config: &Config, index: usize, abandon: bool) -> bool {
        if !matches!(self.machines[index].place, Place::Waiting(_)) {
            return false;
        }
        if abandon && config.retention {
            self.machines[index].place = Place::Retained;
        } else {
            self.give_back(config, index, false);
        }
        true
    }

    /// The same by a controller, for an instance that it has given back. Once that is long ago, a controller that
    /// does not hear its agent knows as much of what was uploaded as where there is none.
    pub fn let_go(&mut self, config: &Config, index: usize) {
        let machine = &mut self.machines[index];
        if !matches!(machine.place, Place::Waiting(_)) {
            return;
        }
        if machine.place == Place::Waiting(LONG) {
            machine.jibri.unsaved = false;
        }
        self.give_back(config, index, false);
    }

    /// The machine and its disk are no more. `forced` is whether somebody took it who is none of ours.
    pub fn give_back(&mut self, config: &Config, index: usize, forced: bool) {
        let machine = &mut self.machines[index];
        machine.place = Place::Ended;
        let jibri = &machine.jibri;
        let broken = if jibri.is_working() {
            Some(Broken::Lost)
        } else if jibri.unsaved && config.agents {
            Some(Broken::Unsaved)
        } else {
            None
        };
        // Nothing of it matters any more.
        machine.jibri = crate::jibri::Jibri::new(0);
        machine.latch = None;
        machine.agent = None;
        machine.channel.clear();
        (machine.protected, machine.had_time) = (false, false);
        match broken {
            Some(_) if forced => {
                config.forced.fetch_add(1, Ordering::Relaxed);
            }
            Some(broken) => self.broke(broken),
            None => {}
        }
    }

    /// An instance that the group may end, since more are in service than desired: it takes none that is protected.
    pub fn is_surplus(&self, config: &Config, index: usize) -> bool {
        let machine = &self.machines[index];
        machine.place == Place::InService
            && !machine.protected
            && (machine.had_time || config.controllers == 0)
            && self.count(Place::counts) > self.desired
    }

    /// The slot of the next instance to launch.
    pub fn to_launch(&self) -> Option<usize> {
        let is_due = self.count(Place::counts) < self.desired;
        let absent = |machine: &crate::world::Machine| machine.place == Place::Absent;
        self.machines.iter().position(absent).filter(|_| is_due)
    }
}
