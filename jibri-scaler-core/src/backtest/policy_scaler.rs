use std::{fmt, mem};

use super::{Fleet, Scaler};
use crate::{
    Decision, Limits, Memory, Tick,
    controller::course::{self, Call, Errand, Held, Question, Recent, Seen},
    decide,
    policy::Policy,
    port::{Presence, Told},
    retirement::Retirement,
};

/// What a controller of this crate does with a policy: [`decide`](fn@decide) in each tick, and then what the controller does about it, by
/// the very rules that it has, with a group that takes each request.
///
/// ```
/// use jibri_scaler_core::{Limits, Timestamp, backtest::{Environment, PolicyScaler, Session, Trace, simulate}, policy::MinIdle};
///
/// let trace = Trace::new([Session::new(Timestamp::from_secs(0), Timestamp::from_secs(600))?]);
/// let mut decisions = 0;
/// let mut scaler = PolicyScaler::new(MinIdle::new(1)?, Limits::default()).observed(|tick, decision| {
///     assert_eq!(tick.at, decision.at);
///     decisions += 1;
/// });
/// simulate(&trace, &Environment::new(0, 9)?, &mut scaler);
/// drop(scaler);
/// assert_eq!(decisions, 4200 / 30 + 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PolicyScaler<'o> {
    policy: Box<dyn Policy>,
    limits: Limits,
    memory: Memory,
    recent: Recent,
    observer: Option<Observer<'o>>,
}

type Observer<'o> = Box<dyn FnMut(&Tick, &Decision) + 'o>;

impl<'o> PolicyScaler<'o> {
    /// A scaler that decides by this policy inside these limits, and remembers nothing yet.
    pub fn new(policy: impl Policy + 'static, limits: Limits) -> Self {
        Self {
            policy: Box::new(policy),
            limits,
            memory: Memory::default(),
            recent: Recent::default(),
            observer: None,
        }
    }

    /// The same with what was remembered before.
    #[must_use]
    pub fn with_memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// The same showing what each tick saw and what was decided, before it is done. A replay of these ticks gives these decisions.
    #[must_use]
    pub fn observed(mut self, observer: impl FnMut(&Tick, &Decision) + 'o) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// What is remembered.
    #[must_use]
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }
}

impl Scaler for PolicyScaler<'_> {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        let tick = Tick::new(fleet.now(), fleet.snapshot());
        let before = mem::take(&mut self.memory);
        let memory = before.clone();
        let mut decision = decide(&*self.policy, &self.limits, &tick.snapshot, tick.at, memory);
        if let Some(observer) = &mut self.observer {
            observer(&tick, &decision);
        }
        if decision.plan.is_empty() && decision.memory.retirements().is_empty() {
            self.memory = mem::take(&mut decision.memory);
            return;
        }
        let begun = course::begin(&decision, &tick.snapshot, &self.limits, &before, true);
        self.memory = begun.memory;
        let mut course = begun.course;
        let mut held = Held {
            memory: &mut self.memory,
            recent: &mut self.recent,
            limits: &self.limits,
            let_go_after: course::LET_GO_AFTER,
        };
        loop {
            match course.next(&mut held) {
                Call::Done => break,
                Call::SetCapacity(to) => fleet.set_desired(to),
                Call::Jibris(errands) => {
                    for errand in errands {
                        let seen = ask(&errand, fleet);
                        course.seen(&mut held, &errand.target.id, seen);
                    }
                }
                Call::Terminate(id, how) => {
                    let retirement = held.memory.retirements().get(&id);
                    let by_agent = retirement.is_some_and(Retirement::is_by_agent);
                    match id.number() {
                        Some(number) if by_agent => fleet.drain(number, how),
                        Some(number) => fleet.terminate(number, how),
                        None => {}
                    }
                }
                // Nothing is lost here, all are protected, and no hook waits for a controller.
                Call::Save | Call::Protect(_) | Call::Complete(_) => {}
            }
            course.done(&mut held, Ok(()));
        }
    }
}

/// Asks one Jibri.
fn ask(errand: &Errand, fleet: &mut Fleet<'_>) -> Seen {
    let number = errand.target.id.number();
    let look = |fleet: &Fleet<'_>| number.map_or(Presence::Unclear, |number| fleet.look(number));
    match errand.question {
        Question::Tell => Seen::Told(number.map_or(Told::Unknown, |number| fleet.tell(number))),
        Question::Look => Seen::Looked(look(fleet)),
        Question::LookLast => Seen::LookedLast(look(fleet)),
    }
}

impl fmt::Debug for PolicyScaler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyScaler")
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
