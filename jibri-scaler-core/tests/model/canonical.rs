//! Situations that behave alike are made equal, so that there are fewer of them: what no later step reads is forgotten, and what is
//! the same from either side is put in order.
//!
//! | forgotten, or put in order | why nothing is missed |
//! |---|---|
//! | what controllers know once the only machine has ended | there is nothing left that can be given back, and no slot for another one; the bounds of the group are looked at with two and three machines |
//! | which of two controllers is the first | no step and no promise tells them apart |
//! | a look and a release check of an agent that were under way while its drain moved on | `Drain` takes them for begun before its latch, and so for nothing |
//! | what a crashing controller would come back with, where none crashes | only the crash reads it |
//! | since when those are idle that have been for longer than the horizon | who goes first is drawn (`View::longest`) |
//! | which instance could not be given back last, of one | it orders several |
//! | what an old listing shows, where none is old | only such a listing reads it |
//! | what a report says that is older than `report_ttl` | it counts as unknown; a test shows that nothing else is read of it |
//! | whether a Jibri that is busy is healthy | only findings say so; the same test |
//! | what a stage of a tick needed, once it is over | no later stage reads it (`Course::settled`) |
//! | with which code a process ended, without an agent | only agents see it |
//! | whether there was time to protect what is protected, without an agent | nobody takes the protection away again |
//! | what controllers know of a machine that has ended and is not listed as it was before | the next tick forgets it before it reads it |
//! | what a controller had read before the newest report of an agent | that takes its place |
//! | of what one says whose retirement is under way all but whether it is busy, and that once a tick has read it | it counts as retiring, whatever it says; where it may be given up, the rest is kept for as long as it can be read then |
//! | what a phase of a retirement does not read, and how much longer than it must something has lasted | `Retirement::settled` says of each why |
//! | when a report counted as received, who changed the desired capacity | `Memory::moved` says why |
//! | that the desired capacity was set to 1 | none is set that is lower |
//! | how long a look or a release check takes, how long the hook has waited, and whether an agent that drains knows that it waits, where each Jibri and its agent go one way (`Config::goes_one_way`) | what is shown stays true, and until it is known nothing else is done |
//!
//! That what is forgotten of a controller makes no difference is tested, too: in `alone::plain` and `unreduced` one that forgets nothing makes the same calls.

use std::{hash::Hash, sync::LazyLock};

use ahash::RandomState;

use crate::{
    jibri::{Exit, Process},
    world::{Config, LONG, Place, World},
};

impl World {
    /// The same in the form that stands for all that behave like it.
    pub fn canonical(&mut self, config: &Config) {
        self.canonical_after(config, None);
    }

    /// The same where it was that before, in this form: what has not changed since has it already.
    pub fn canonical_after(&mut self, config: &Config, before: Option<&Self>) {
        for machine in &mut self.machines {
            if let Some(agent) = &mut machine.agent {
                agent.canonical();
                if config.goes_one_way() && matches!(machine.place, Place::Waiting(_)) {
                    machine.place = Place::Waiting(LONG);
                    agent.knows_that_it_waits();
                }
            } else {
                machine.had_time |= machine.protected;
                if let Process::Ended { exit, .. } = &mut machine.jibri.process {
                    *exit = Exit::Told;
                }
            }
        }
        let is_over = self.machines.len() == 1 && self.machines[0].is_over();
        if is_over {
            self.outside = 0;
            self.restarts = 0;
        }
        let over = |world: &Self| world.machines.iter().filter(|it| it.is_over()).count();
        let before = before.filter(|before| over(before) == over(self));
        for (c, controller) in self.controllers.iter_mut().enumerate() {
            if before.is_some_and(|before| before.controllers[c] == *controller) {
                continue;
            }
            for (index, machine) in self.machines.iter().enumerate() {
                if machine.is_over() {
                    controller.forget(index);
                }
            }
            controller.canonical(config, is_over);
        }
        if let [one, other] = &mut self.controllers[..]
            && hash(one) > hash(other)
        {
            std::mem::swap(one, other);
        }
    }
}

/// The same in each run.
pub fn hash(value: &impl Hash) -> u64 {
    // With fixed keys, as stateright has it. Half of what the checker does is hashing.
    static KEYS: LazyLock<RandomState> = LazyLock::new(|| RandomState::with_seeds(1, 2, 3, 4));
    KEYS.hash_one(value)
}
