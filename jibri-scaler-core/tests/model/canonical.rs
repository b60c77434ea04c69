//! Situations that behave alike are made equal, so that there are fewer of them: what no later step reads is forgotten, and what is
//! the same from either side is put in order.
//!
//! | forgotten, or put in order | why nothing is missed |
//! |---|---|
//! | what controllers know once the only machine has ended | there is nothing left that can be given back, and no slot for another one; the bounds of the group are looked at with two and three machines |
//! | which of two controllers is the first | no step and no promise tells them apart |
//! | a look and a release check of an agent that were under way while its drain moved on | `Drain` takes them for begun before its latch, and so for nothing |
//! | what a crashing controller would come back with, where none crashes | only the crash reads it |
//! | which instance could not be given back last, of one | it orders several |
//! | what an old listing shows, where none is old | only such a listing reads it |
//! | what a report says that is older than `report_ttl` | it counts as unknown; a test shows that nothing else is read of it |
//! | whether a Jibri that is busy is healthy | only findings say so; the same test |
//! | what a stage of a tick needed, once it is over | no later stage reads it (`Course::settled`) |
//! | with which code a process ended, without an agent | only agents see it |
//! | whether there was time to protect what is protected, without an agent | nobody takes the protection away again |

use std::hash::{DefaultHasher, Hash, Hasher as _};

use crate::{
    jibri::{Exit, Process},
    world::{Config, Place, World},
};

impl World {
    /// The same in the form that stands for all that behave like it.
    pub fn canonical(&mut self, config: &Config) {
        for machine in &mut self.machines {
            if let Some(agent) = &mut machine.agent {
                agent.canonical();
            } else {
                machine.had_time |= machine.protected;
                if let Process::Ended { exit, .. } = &mut machine.jibri.process {
                    *exit = Exit::Told;
                }
            }
        }
        let is_over = self.machines.len() == 1 && self.machines[0].place == Place::Ended;
        if is_over {
            self.outside = 0;
            self.restarts = 0;
        }
        for controller in &mut self.controllers {
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
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
