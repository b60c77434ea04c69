//! What a tick does after it has decided, as a pure state machine: which call comes next, and what its outcome means.
//!
//! The controller makes the calls over its ports; the model of the protocol makes them in a world of its own. Both drive this type,
//! so that there is one copy of the rules. It is public for the model only.
//!
//! | a tick's stage | outcome | next | why |
//! |---|---|---|---|
//! | decide | the plan keeps the rules of `check` | save the memory | what begins is written down before it begins |
//! | decide | it breaks one, but for how it is explained | save whom it is time to tell, if any; ask the Jibris | nothing of the plan is done; what was under way goes on |
//! | save the memory | saved | protect | one that crashes from here on remembers what it began, and whom it may have told |
//! | save the memory | failed | protect, set the capacity, the end | only growth needs no memory; no retirement begins or moves, and the time for which ports refuse begins anew |
//! | protect | done | set the capacity | what is in service is safe from the group's own choice before anything changes |
//! | protect | failed | save, ask the Jibris, save | the rest of the plan waits for a fresh view; what was not begun is taken out of the memory, and nothing is given back |
//! | set the capacity | done | ask the Jibris | growth waits for nobody that is to go |
//! | set the capacity | failed | save, ask the Jibris, save | as where protecting failed |
//! | set the capacity | a larger one was set within `report_ttl` | left out | the listing may be older than that, and lowering lets the group choose |
//! | save whom it is time to tell | failed | ask the Jibris, but for these | one that crashed then would tell them again too soon |
//! | ask the Jibris | told, looked | the next outcome | one phase per tick and instance; whoever answered this tick is there and is not asked |
//! | ask the Jibris | its agent is to drain it | give back | nobody is asked: the group is, and its hook waits for the agent |
//! | ask the Jibris | a last look shows that it is still gone | give back | the process may have come back since the last tick |
//! | give back | done | the next one, then let go | with a decrement only above the minimum size and while nothing is missing |
//! | give back | failed | let go | it is tried again after a fresh listing; the others have their turn first |
//! | let go | done | the next one, then save | the hook's wait is ended only for what this side gave back, ten minutes ago or more, or `gone_after` where that is longer |
//! | let go | failed | save | it is tried again in the next tick |
//! | save | saved, or failed | the end | what is not written down is seen again by the looks of a later tick |

mod call;
#[cfg(feature = "__model")]
mod model;
mod size;

pub use call::{Call, Errand, Question, Seen};

use std::{collections::VecDeque, time::Duration};

use size::Size;

use crate::{
    Breach, Decision, DrainPath, Effect, FleetSnapshot, Instance, InstanceId, Lifecycle, Limits,
    Memory, Timestamp, check,
    memory::Launches,
    port::{Decrement, PortErrorKind, Presence, Target},
    retirement::{Act, Retirement, Sight},
    safeguard::{Safeguard, holds},
};

/// The hook of an instance that was given back is completed so much later. An agent that is there takes a few seconds to see that its
/// instance ends, and at most five minutes to check whether anything is left.
pub const LET_GO_AFTER: Duration = Duration::from_secs(600);

/// What a controller keeps from tick to tick beside its memory, and forgets when it restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Recent {
    /// The desired capacity that was set last, and when.
    pub capacity_set: Option<(u32, Timestamp)>,
    /// The instance that could not be given back last; the others have their turn first.
    pub not_given_back: Option<InstanceId>,
}

/// What the calls of a tick change, and what they hang on.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is how the controller hands over what it holds"
)]
pub struct Held<'a> {
    /// What is remembered.
    pub memory: &'a mut Memory,
    /// What is kept beside it.
    pub recent: &'a mut Recent,
    /// The limits.
    pub limits: &'a Limits,
    /// How long after an instance was given back its hook is completed, or `gone_after` where that is longer: [`LET_GO_AFTER`], or less in
    /// the model, which looks less far ahead.
    pub let_go_after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stage {
    Save,
    Protect,
    SetCapacity,
    SaveWhatWasDone,
    Jibris,
    GiveBack,
    LetGo,
    SaveProgress,
    Done,
}

/// The course of one tick, from the decision to its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says of another thing whether it has happened"
)]
pub struct Course {
    stage: Stage,
    at: Timestamp,
    protect: Vec<InstanceId>,
    capacity: Option<u32>,
    begins: Vec<InstanceId>,
    undo: Launches,
    sights: Vec<(Target, Sight)>,
    /// Whom it is time to tell.
    due: Vec<InstanceId>,
    asking: Vec<Errand>,
    waiting: VecDeque<InstanceId>,
    going: VecDeque<InstanceId>,
    size: Size,
    has_drain: bool,
    is_refused: bool,
    memory_lost: bool,
    /// Whether an effect has failed, so that nothing more of the plan is done.
    stopped: bool,
    /// Whether the group was asked for the capacity, as far as is known.
    asked: bool,
    dirty: bool,
}

/// A tick that has decided.
#[derive(Debug)]
#[non_exhaustive]
pub struct Begun {
    /// What is remembered from now on.
    pub memory: Memory,
    /// The rules that the decision breaks.
    pub breaches: Vec<Breach>,
    /// What is done about it.
    pub course: Course,
}

/// Checks the decision, and begins to carry it out. `before` is the memory before it; `has_drain` says whether Jibris can be spoken
/// to at all.
#[must_use]
pub fn begin(
    decision: &Decision,
    snapshot: &FleetSnapshot,
    limits: &Limits,
    before: &Memory,
    has_drain: bool,
) -> Begun {
    let breaches = check(snapshot, limits, decision);
    let mut course = Course::new(decision, snapshot, before, has_drain);
    let mut memory = decision.memory.clone();
    if breaches.iter().any(Breach::is_fatal) && holds(Safeguard::Check) {
        course = course.without_plan();
        memory = memory.without_acts_since(before);
    }
    course.note_who_is_due(&mut memory, limits);
    Begun {
        memory,
        breaches,
        course,
    }
}

impl Course {
    /// The course that begins with this decision. `before` is the memory before it; `has_drain` says whether Jibris can be spoken
    /// to at all.
    fn new(
        decision: &Decision,
        snapshot: &FleetSnapshot,
        before: &Memory,
        has_drain: bool,
    ) -> Self {
        let effects = &decision.plan.effects;
        let begins = effects.iter().filter_map(|effect| match effect {
            Effect::Retire { id, .. } => Some(id.clone()),
            _ => None,
        });
        let retirements = decision.memory.retirements.iter();
        let sights = retirements.map(|(id, _)| {
            let rows = snapshot.rows(id);
            let target = rows
                .first()
                .map_or_else(|| Target::new(id.clone()), Target::from);
            (target, Sight::of(rows))
        });
        let waits = |rows: &&[Instance]| {
            let waits = |row: &Instance| {
                row.lifecycle == Lifecycle::TerminatingWait && row.drain != DrainPath::Agent
            };
            rows.iter().any(waits)
        };
        let waiting = snapshot.by_id().filter(waits);
        let waiting = waiting.map(|rows| rows[0].id.clone()).collect();
        let group = snapshot.group();
        let size = Size {
            min: group.min_size,
            listed: group.desired,
            desired: group.desired,
            there: decision.tally.spare.saturating_add(decision.coming),
            wanted: decision.wanted_spare,
        };
        Self {
            stage: Stage::Save,
            at: decision.at,
            protect: decision.plan.protects().cloned().collect(),
            capacity: decision.plan.capacity(),
            begins: begins.collect(),
            undo: before.launches(),
            sights: sights.collect(),
            due: Vec::new(),
            asking: Vec::new(),
            waiting,
            going: VecDeque::new(),
            size,
            has_drain,
            is_refused: false,
            memory_lost: false,
            stopped: false,
            asked: false,
            dirty: false,
        }
    }

    /// Whether the retirements of the plan have begun.
    #[must_use]
    pub const fn has_begun_retirements(&self) -> bool {
        !self.stopped && !self.memory_lost && !self.is_refused
    }

    /// The same where the plan breaks a rule: nothing of it is done, and what was under way before goes on.
    const fn without_plan(mut self) -> Self {
        self.stage = Stage::SaveWhatWasDone;
        self.is_refused = true;
        self
    }

    /// Writes down whom it will tell, before it does.
    fn note_who_is_due(&mut self, memory: &mut Memory, limits: &Limits) {
        let here = self
            .sights
            .iter()
            .filter(|(_, sight)| sight.is_in_service());
        for (target, _) in here {
            let retirement = memory.retirements.get_mut(&target.id);
            let is_due = |it: &&mut Retirement| it.next(self.at, limits) == Act::Tell;
            if let Some(retirement) = retirement.filter(is_due) {
                retirement.asking(self.at);
                self.due.push(target.id.clone());
            }
        }
        // A plan that is not done is not saved before.
        self.dirty |= self.is_refused && !self.due.is_empty();
    }

    /// Nobody is told in this tick after all.
    fn leave_untold(&mut self, memory: &mut Memory) {
        for id in self.due.drain(..) {
            if let Some(retirement) = memory.retirements.get_mut(&id) {
                retirement.not_asked();
            }
        }
    }

    /// The call to make next. It is the same until its outcome is handed in.
    #[must_use]
    pub fn next(&mut self, held: &mut Held<'_>) -> Call {
        loop {
            match self.stage {
                Stage::Save => return Call::Save,
                Stage::Protect if !self.protect.is_empty() => {
                    return Call::Protect(self.protect.clone());
                }
                Stage::Protect => self.stage = Stage::SetCapacity,
                Stage::SetCapacity => match self.capacity {
                    Some(to) if !self.stopped && !self.has_just_set_more_than(to, held) => {
                        return Call::SetCapacity(to);
                    }
                    _ => self.settle(held),
                },
                Stage::SaveWhatWasDone if self.dirty && !self.memory_lost => return Call::Save,
                Stage::SaveWhatWasDone => {
                    self.dirty = false;
                    if self.memory_lost {
                        // Who answers meanwhile is not noted, so that the time of the refusals begins anew.
                        let retirements = held.memory.retirements.values_mut();
                        retirements.for_each(Retirement::unwatched);
                        self.leave_untold(held.memory);
                        self.stage = Stage::Done;
                    } else {
                        self.stage = Stage::Jibris;
                        self.asking = self.observe(held);
                    }
                }
                Stage::Jibris if !self.asking.is_empty() => {
                    return Call::Jibris(self.asking.clone());
                }
                Stage::Jibris => self.order(held),
                Stage::GiveBack => {
                    let Some(id) = self.going.front() else {
                        held.recent.not_given_back = None;
                        self.let_go(held);
                        continue;
                    };
                    if let Some(retirement) = held.memory.retirements.get(id) {
                        let how = if self.size.decrements(retirement) {
                            Decrement::Yes
                        } else {
                            Decrement::No
                        };
                        return Call::Terminate(id.clone(), how);
                    }
                    self.going.pop_front();
                }
                Stage::LetGo => match self.waiting.front() {
                    Some(id) => return Call::Complete(id.clone()),
                    None => self.stage = Stage::SaveProgress,
                },
                Stage::SaveProgress if self.dirty => return Call::Save,
                Stage::SaveProgress => self.stage = Stage::Done,
                Stage::Done => return Call::Done,
            }
        }
    }

    /// Takes in what came of the call.
    pub fn done(&mut self, held: &mut Held<'_>, result: Result<(), PortErrorKind>) {
        let failed = result.is_err();
        match self.stage {
            Stage::Save => {
                self.memory_lost = failed;
                self.stage = Stage::Protect;
            }
            Stage::Protect => {
                self.stopped |= failed;
                self.stage = Stage::SetCapacity;
            }
            Stage::SetCapacity => {
                // What was refused was not done. Whether anything else that failed was done is not known.
                self.asked = !failed || result == Err(PortErrorKind::Transient);
                self.stopped |= failed;
                if let Some(to) = self.capacity {
                    if self.asked {
                        held.recent.capacity_set = Some((to, self.at));
                    }
                    if !failed {
                        let launches = to.saturating_sub(self.size.listed);
                        self.size.desired = to;
                        self.size.there = self.size.there.saturating_add(launches);
                    }
                }
                self.settle(held);
            }
            Stage::SaveWhatWasDone => {
                self.dirty = false;
                if failed && self.is_refused {
                    self.leave_untold(held.memory);
                }
            }
            Stage::Jibris => self.asking.clear(),
            Stage::GiveBack => self.given_back(held, failed),
            Stage::LetGo => {
                self.waiting.pop_front();
                if failed {
                    self.waiting.clear();
                }
            }
            Stage::SaveProgress => self.stage = Stage::Done,
            Stage::Done => {}
        }
    }

    /// Takes in what came of asking one Jibri.
    pub fn seen(&mut self, held: &mut Held<'_>, id: &InstanceId, seen: Seen) {
        let (limits, now) = (held.limits, self.at);
        let Some(retirement) = held.memory.retirements.get_mut(id) else {
            return;
        };
        let before = retirement.clone();
        let mut is_going = false;
        match seen {
            Seen::Told(told) => {
                retirement.told(told, now);
                retirement.give_up_untold(now, limits);
            }
            Seen::Looked(presence) => retirement.looked(presence, now, limits),
            Seen::LookedLast(presence) => {
                retirement.looked(presence, now, limits);
                is_going = retirement.is_still_gone(presence, now, limits);
            }
        }
        self.dirty |= *retirement != before;
        self.asking.retain(|errand| errand.target.id != *id);
        if is_going {
            self.going.push_back(id.clone());
        }
    }

    /// Whether a larger capacity was set so recently that the listing may not show it yet. Setting this one would lower it, and
    /// the group would choose what goes.
    fn has_just_set_more_than(&self, to: u32, held: &mut Held<'_>) -> bool {
        let ttl = held.limits.report_ttl();
        let is_lower = held.recent.capacity_set.as_mut().is_some_and(|(set, at)| {
            // Of a clock that stepped back it counts from now on, and not until the clock is there again.
            *at = self.at.min(*at);
            to < *set && self.at.since(*at) <= ttl
        });
        is_lower && holds(Safeguard::NoLoweringOfOurOwn)
    }

    /// Takes out of the memory what was not done after all.
    fn settle(&mut self, held: &mut Held<'_>) {
        let memory = &mut *held.memory;
        if !self.asked {
            let before = memory.launches();
            memory.forget_launches(&self.undo);
            self.dirty |= memory.launches() != before;
        }
        if !self.has_begun_retirements() {
            self.dirty |= !self.begins.is_empty();
            memory.forget_retirements(&self.begins);
        }
        self.stage = Stage::SaveWhatWasDone;
    }

    /// Takes in what the reports of this tick say, and returns whom to ask for those retirements that did not move by that.
    fn observe(&mut self, held: &mut Held<'_>) -> Vec<Errand> {
        let mut errands = Vec::new();
        for (target, sight) in &self.sights {
            let Some(retirement) = held.memory.retirements.get_mut(&target.id) else {
                continue;
            };
            let before = retirement.clone();
            let is_due = self.due.contains(&target.id);
            let act = retirement.observed(sight, is_due, held.limits, self.at);
            self.dirty |= *retirement != before;
            let question = match act {
                Some(Act::Release) if !holds(Safeguard::LastLook) => {
                    self.going.push_back(target.id.clone());
                    continue;
                }
                Some(Act::HandOver) => {
                    self.going.push_back(target.id.clone());
                    continue;
                }
                Some(Act::Tell) => Question::Tell,
                Some(Act::Look) => Question::Look,
                Some(Act::Release) => Question::LookLast,
                Some(Act::Wait) | None => continue,
            };
            errands.push((target.clone(), sight.answered(), question));
        }
        if !self.has_drain {
            return Vec::new();
        }
        let mut asked = Vec::new();
        for (target, answered, question) in errands {
            match question {
                // Whoever answered is there.
                Question::Look if answered => {
                    self.seen(held, &target.id, Seen::Looked(Presence::Answers));
                }
                Question::LookLast if answered => {
                    self.seen(held, &target.id, Seen::LookedLast(Presence::Answers));
                }
                _ => asked.push(Errand { target, question }),
            }
        }
        asked
    }

    /// Orders what the group may end now.
    fn order(&mut self, held: &Held<'_>) {
        if self.stopped {
            self.stage = Stage::SaveProgress;
            return;
        }
        // One that can't be given back must not keep the others from it for ever.
        let last = held.recent.not_given_back.as_ref();
        let going = self.going.make_contiguous();
        going.sort_by_key(|id| (Some(id) <= last, id.clone()));
        self.stage = Stage::GiveBack;
    }

    fn given_back(&mut self, held: &mut Held<'_>, failed: bool) {
        let Some(id) = self.going.pop_front() else {
            return;
        };
        if failed {
            held.recent.not_given_back = Some(id);
            // The rest waits for the next tick and its fresh listing.
            self.going.clear();
            self.let_go(held);
            return;
        }
        let Some(retirement) = held.memory.retirements.get_mut(&id) else {
            return;
        };
        let decrement = self.size.decrements(retirement);
        if !decrement && !retirement.replace() {
            held.memory.decrements_due = held.memory.decrements_due.saturating_sub(1);
            self.size.there = self.size.there.saturating_add(1);
        }
        retirement.released(!decrement, self.at);
        self.size.desired = self.size.desired.saturating_sub(u32::from(decrement));
        self.dirty = true;
    }

    /// The hook is completed for those only that were given back: their Jibris are gone. Where an agent was heard it is left to that;
    /// one that is not heard has some time to find out that something is left, and to keep the machine.
    fn let_go(&mut self, held: &Held<'_>) {
        let (retirements, now) = (&held.memory.retirements, self.at);
        let grace = held.limits.gone_after().max(held.let_go_after);
        let is_due = |r: &Retirement| r.released_at().is_some_and(|at| now.since(at) >= grace);
        let may_go = |id: &InstanceId| {
            let released = retirements
                .get(id)
                .is_some_and(|r| r.was_released() && is_due(r));
            released || !holds(Safeguard::CompleteAfterGone)
        };
        self.waiting.retain(may_go);
        self.stage = Stage::LetGo;
    }
}
