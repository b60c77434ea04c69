//! What becomes of the calls of a tick.

use std::sync::Arc;

use jibri_scaler_core::{
    controller::course::{Call, Held, Question, Seen},
    port::{Decrement, PortErrorKind, Presence, Told},
};

use super::{Controller, Fate, LET_GO_AFTER, Went, limits};
use crate::{
    alone,
    aws::Answer,
    company,
    jibri::Post,
    world::{Broken, Config, Place, World, id_of, index_of},
};

/// What a controller hears of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Done(Result<(), PortErrorKind>),
    Seen(usize, Seen),
}

impl Controller {
    /// Takes in what came of its call, and goes on to the next.
    pub fn answered(&mut self, call: &Call, outcome: Outcome) -> Went {
        let Some(running) = self.running.take() else {
            return Went::default();
        };
        let mut running = (*running).clone();
        let mut memory = (*self.memory).clone();
        let mut held = Held {
            memory: &mut memory,
            recent: &mut self.recent,
            limits: limits(),
            let_go_after: LET_GO_AFTER,
        };
        match outcome {
            Outcome::Seen(index, seen) => running.course.seen(&mut held, &id_of(index), seen),
            Outcome::Done(result) => running.course.done(&mut held, result),
        }
        let is_done = outcome == Outcome::Done(Ok(()));
        let size = running.size;
        if is_done {
            running.size = size.after(call);
        }
        match call {
            Call::Protect(_) if !is_done => running.unprotected.clear(),
            Call::SetCapacity(to) if is_done => {
                let more = to.saturating_sub(size.0);
                running.missing = running.missing.saturating_sub(more);
            }
            Call::Terminate(_, Decrement::No) if is_done => {
                running.missing = running.missing.saturating_sub(1);
            }
            _ => {}
        }
        self.memory = Arc::new(memory);
        self.go_on(running)
    }

    /// Whether its tick has not yet seen as many free ones as are wanted.
    fn misses_some(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.missing > 0)
    }
}

impl World {
    /// Makes the call that is next, and goes on to the one after. Returns what the controller hears of it.
    pub fn step(&mut self, config: &Config, c: usize, which: usize, fate: Fate) -> Option<Outcome> {
        let call = self.controllers[c].call()?;
        let size = self.controllers[c].running.as_ref().map(|it| it.size);
        if let Some(broken) = size.and_then(|size| size.asked(config, &call)) {
            self.broke(broken);
        }
        let before = self.clone();
        let outcome = self.perform(config, c, &call, which, fate);
        if !alone::may_be_answered(&call, outcome) {
            self.broke(Broken::UnknownInput);
        }
        let went = self.controllers[c].answered(&call, outcome);
        self.had_time(&went.had_time);
        // Without all its rules a controller does other things.
        if config.rules.is_empty() && !company::may_do(config, &before, self) {
            self.broke(Broken::UnknownAct);
        }
        Some(outcome)
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
                if *decrement == Decrement::Yes && self.controllers[c].misses_some() {
                    self.broke(Broken::Gap);
                }
                let before = self.desired;
                let answer = self.terminate(config, index_of(id), *decrement);
                if self.desired != before {
                    self.controllers[c].old_desired = Some((before, false));
                }
                answer
            }
            Call::Complete(id) if acts => {
                self.let_go(config, index_of(id));
                Answer::Done
            }
            Call::Jibris(errands) => {
                let errand = &errands[which];
                let index = index_of(&errand.target.id);
                let seen = match errand.question {
                    Question::Tell => Seen::Told(self.tell(config, c, index, fate)),
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

    /// `gracefulShutdown` over the network, by a client that has one request at a time under way. Where one that it does not know the outcome
    /// of has ended with its connection and the next is refused, it takes it for taken.
    fn tell(&mut self, config: &Config, c: usize, index: usize, fate: Fate) -> Told {
        let asked = &mut self.controllers[c].known[index].asked;
        let machine = &mut self.machines[index];
        if !machine.can_be_told() {
            let was_taken = std::mem::take(asked) && fate == Fate::Well;
            return if was_taken { Told::Yes } else { Told::Refused };
        }
        let acts = matches!(fate, Fate::Well | Fate::ActedUnknown);
        let latch = machine.latch.is_some();
        let took = acts && machine.jibri.post_end(config.supervisor, latch) == Post::Took;
        let told = match fate {
            Fate::Well if took => Told::Yes,
            Fate::Misread => Told::Yes,
            _ => Told::Unknown,
        };
        // Where calls work too one that is told during its finalize script leaves a request; it is left out there, for fewer states.
        *asked = told == Told::Unknown && config.faults.calls;
        told
    }
}
