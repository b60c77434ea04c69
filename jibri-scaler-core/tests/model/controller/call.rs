//! What becomes of the calls of a tick.

use std::sync::Arc;

use jibri_scaler_core::{
    controller::course::{Call, Held, Question, Seen},
    port::{Decrement, PortErrorKind, Presence, Told},
};

use super::{Fate, Running, limits};
use crate::{
    aws::Answer,
    jibri::Post,
    world::{Broken, Config, Place, World, id_of, index_of, settled},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done(Result<(), PortErrorKind>),
    Seen(usize, Seen),
}

impl World {
    /// Makes the call that is next, and goes on to the one after.
    pub fn step(&mut self, config: &Config, c: usize, which: usize, fate: Fate) {
        let Some(call) = self.controllers[c].call() else {
            return;
        };
        let desired = u32::from(self.desired);
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
        let is_done = result == Outcome::Done(Ok(()));
        match call {
            Call::Protect(_) if !is_done => running.unprotected.clear(),
            Call::SetCapacity(to) if is_done => {
                let more = to.saturating_sub(desired);
                running.missing = running.missing.saturating_sub(more);
            }
            Call::Terminate(_, Decrement::No) if is_done => {
                running.missing = running.missing.saturating_sub(1);
            }
            _ => {}
        }
        controller.memory = Arc::new(memory);
        self.go_on(c, running);
    }

    /// Saves what is to be saved, up to the next call to the world.
    pub(super) fn go_on(&mut self, c: usize, mut running: Running) {
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
                    memory = memory.moved(settled);
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
                let running = self.controllers[c].running.as_ref();
                let is_missing = running.is_some_and(|running| running.missing > 0);
                if *decrement == Decrement::Yes && is_missing {
                    self.broke(Broken::Gap);
                }
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
