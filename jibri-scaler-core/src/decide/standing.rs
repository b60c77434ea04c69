//! What each instance counts as, and why it may go or not: for people who look.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{
    deliberate,
    shrink::{headroom, slots},
    survey::{Survey, can_be_retired, is_ready},
};
use crate::{
    Class, Decision, FleetSnapshot, Group, Instance, InstanceId, Limits, Memory, Timestamp,
    memory::Trace,
    operator::Direction,
    policy::Policy,
    retirement::{Phase, Retirement},
    time::readable,
};

/// Where one instance stands.
///
/// ```
/// use jibri_scaler_core::{
///     Class, FleetSnapshot, Group, Instance, Lifecycle, Limits, Memory, Timestamp, policy::MinIdle, standings,
/// };
///
/// let rows = vec![Instance::new("i-1".parse()?, Lifecycle::Pending)];
/// let snapshot = FleetSnapshot::new(Group::new(0, 10, 1), rows);
/// let all = standings(&MinIdle::new(1)?, &Limits::default(), &snapshot, Timestamp::from_secs(0), Memory::default());
/// assert_eq!(all[0].class, Class::Booting);
/// assert_eq!(all[0].verdict.to_string(), "stays: nothing can be told yet");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// The instance.
    pub id: InstanceId,
    /// What it counts as.
    pub class: Class,
    /// Whether it may be retired, and why.
    pub verdict: Verdict,
}

/// Whether an instance may be retired now, and why or why not. `Display` says it in a few words.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::Verdict;
///
/// let verdict = Verdict::NotIdleForLong { idle: Duration::from_secs(90), timeout: Duration::from_secs(600) };
/// assert_eq!(verdict.to_string(), "stays: idle for 1m 30s, and 10m are asked for");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It goes now: the decision begins its retirement.
    Goes {
        /// Whether a new one comes in its place.
        replace: bool,
    },
    /// It may go: nothing is missing but a surplus that has lasted for [`surplus_hold`](Limits::surplus_hold).
    WhenSurplus {
        /// How long it has been idle.
        idle: Duration,
    },
    /// It could go, but an operator has paused shrinking.
    Paused {
        /// Until when.
        until: Timestamp,
    },
    /// It could go, but so much of the group can't be seen that nothing is retired
    /// ([`max_unknown_percent`](Limits::max_unknown_percent)).
    Blind,
    /// It could go, but the group would fall below its minimum size.
    AtMinimum {
        /// That size.
        min_size: u32,
    },
    /// It could go, but as many retirements are under way as may be at a time.
    EnoughLeaving {
        /// How many are.
        leaving: u32,
        /// How many may be ([`max_retire`](Limits::max_retire)).
        max_retire: u32,
    },
    /// An operator wants it gone, and it waits.
    AskedToGo {
        /// What the operator gave as the reason.
        reason: String,
        /// Why it does not go yet.
        waits: String,
    },
    /// It is idle, but not for long enough, or in one report only.
    NotIdleForLong {
        /// How long it has been idle.
        idle: Duration,
        /// How long it must be ([`idle_timeout`](Limits::idle_timeout)).
        timeout: Duration,
    },
    /// Its last answer is good, but it did not answer in this tick.
    DidNotAnswer,
    /// It is free, but there is no way to tell it to end.
    CannotBeTold,
    /// An operator keeps it.
    Kept {
        /// What the operator gave as the reason.
        reason: String,
    },
    /// It was given up on: it could not be told to end, or came back each time.
    GivenUp,
    /// It is being retired.
    Leaving {
        /// How far that is, where this controller does it.
        phase: Option<Phase>,
    },
    /// Its class never goes.
    Stays(Class),
}

impl Verdict {
    /// Whether the instance goes, or would if the group had a surplus that has lasted: nothing else stands in the way.
    ///
    /// ```
    /// use jibri_scaler_core::Verdict;
    ///
    /// assert!(Verdict::Goes { replace: false }.may_go());
    /// assert!(!Verdict::Blind.may_go());
    /// ```
    #[must_use]
    pub const fn may_go(&self) -> bool {
        matches!(self, Self::Goes { .. } | Self::WhenSurplus { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WhenSurplus { idle } => {
                write!(
                    f,
                    "may go when there is a surplus: idle for {}",
                    readable(*idle)
                )
            }
            Self::Goes { replace: false } => f.write_str("goes now"),
            Self::Goes { replace: true } => f.write_str("goes now, and is replaced"),
            Self::Blind => f.write_str(
                "stays: too little of the group can be seen, and nothing is retired until it can be",
            ),
            Self::AtMinimum { min_size } => write!(
                f,
                "stays: the group would fall below its minimum size of {min_size}"
            ),
            Self::EnoughLeaving {
                leaving,
                max_retire,
            } => write!(
                f,
                "waits: {leaving} of at most {max_retire} retirements are under way"
            ),
            Self::NotIdleForLong { idle, timeout } => write!(
                f,
                "stays: idle for {}, and {} are asked for",
                readable(*idle),
                readable(*timeout)
            ),
            Self::DidNotAnswer => f.write_str("stays: it did not answer in this tick"),
            Self::CannotBeTold => f.write_str("stays: there is no way to tell it to end"),
            Self::Kept { reason } => write!(f, "stays: kept by hand ({reason})"),
            Self::Paused { until } => write!(f, "stays: shrinking is paused until {until}"),
            Self::AskedToGo { reason, waits } => {
                write!(f, "is to go by hand ({reason}), but waits: {waits}")
            }
            Self::GivenUp => {
                f.write_str("stays: it could not be told to end, or came back each time, and was given up on")
            }
            Self::Leaving { phase: Some(phase) } => write!(f, "is leaving: {}", phase.as_str()),
            Self::Leaving { phase: None } => f.write_str("is leaving"),
            Self::Stays(class) => f.write_str(match class {
                Class::Busy => "stays: it records",
                Class::Booting => "stays: nothing can be told yet",
                Class::Overdue => "stays: it never answered, and may run under a wrong address",
                Class::Unknown => "stays: it may be recording",
                Class::Other => "stays: its state is none that is scaled",
                Class::Retiring | Class::Unhealthy | Class::Expired | Class::Spare => "stays",
            }),
        }
    }
}

/// What each instance counts as and why it may be retired or not, in the order of the ids.
///
/// It is what [`decide`](fn@crate::decide) goes by with the same arguments: whoever goes in that decision is [`Verdict::Goes`] here, and nobody
/// else is. With the memory that a decision gave back, those are on their way ([`Verdict::Leaving`]). It costs a little more than a decision.
///
/// ```
/// use jibri_scaler_core::{FleetSnapshot, Group, Limits, Memory, Timestamp, policy::MinIdle, standings};
///
/// let nobody = FleetSnapshot::new(Group::new(0, 10, 1), vec![]);
/// assert!(standings(&MinIdle::new(1)?, &Limits::default(), &nobody, Timestamp::from_secs(0), Memory::default()).is_empty());
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[must_use]
pub fn standings(
    policy: &dyn Policy,
    limits: &Limits,
    snapshot: &FleetSnapshot,
    now: Timestamp,
    memory: Memory,
) -> Vec<Standing> {
    let (decision, survey) = deliberate(policy, limits, snapshot, now, memory);
    let judge = Judge::new(limits, snapshot.group(), &survey, &decision);
    let each = snapshot.by_id().zip(&survey.classes);
    each.zip(&decision.memory.instances)
        .map(|((rows, class), trace)| Standing {
            id: rows[0].id.clone(),
            class: *class,
            verdict: judge.verdict(&rows[0], *class, trace),
        })
        .collect()
}

/// Says of each instance why the decision did with it what it did. It has no rule of its own: who may go is what the decision chose from.
struct Judge<'a> {
    limits: &'a Limits,
    group: &'a Group,
    survey: &'a Survey<'a>,
    decision: &'a Decision,
    /// Who goes, and whether a new one comes.
    going: BTreeMap<&'a InstanceId, bool>,
    /// How many more could go with a decrement.
    headroom: u32,
    /// How many more retirements could begin.
    slots: u32,
    /// How many are under way with those that go.
    leaving: u32,
}

impl<'a> Judge<'a> {
    fn new(
        limits: &'a Limits,
        group: &'a Group,
        survey: &'a Survey<'a>,
        decision: &'a Decision,
    ) -> Self {
        let going: BTreeMap<_, _> = decision.plan.retires().collect();
        let grown = Group {
            desired: decision.plan.capacity().unwrap_or(group.desired),
            ..*group
        };
        let (mut headroom, mut slots) = (headroom(&grown, survey), slots(limits, survey));
        let mut leaving = survey.retiring;
        // Those that go by hand are counted in the survey.
        let chosen = |id: &InstanceId| survey.is_broken(id) || survey.idle_for(id).is_some();
        for (_, replace) in going.iter().filter(|(id, _)| chosen(id)) {
            headroom = headroom.saturating_sub(u32::from(!replace));
            slots = slots.saturating_sub(1);
            leaving = leaving.saturating_add(1);
        }
        Self {
            limits,
            group,
            survey,
            decision,
            going,
            headroom,
            slots,
            leaving,
        }
    }

    fn verdict(&self, row: &Instance, class: Class, trace: &Trace) -> Verdict {
        let memory = &self.decision.memory;
        let (id, asks) = (&row.id, &memory.operator);
        let retirement = memory.retirements.get(id);
        if let Some(&replace) = self.going.get(id) {
            return Verdict::Goes { replace };
        }
        if class == Class::Retiring {
            let phase = retirement.map(Retirement::phase);
            return Verdict::Leaving { phase };
        }
        let waiting = self.survey.waiting.iter().find(|(other, _)| *other == id);
        if let (Some((_, why)), Some(wish)) = (waiting, asks.retires().get(id)) {
            return Verdict::AskedToGo {
                reason: wish.reason().as_str().to_owned(),
                waits: why.clone(),
            };
        }
        if !class.may_be_retired() {
            return Verdict::Stays(class);
        }
        if retirement.is_some() {
            return Verdict::GivenUp;
        }
        if let Some(keep) = asks.kept().get(id) {
            let reason = keep.reason().as_str().to_owned();
            return Verdict::Kept { reason };
        }
        if !self.group.safe_retirement || !can_be_retired(row) {
            return Verdict::CannotBeTold;
        }
        let timeout = self.limits.idle_timeout();
        match self.survey.idle_for(id) {
            Some(idle) if idle >= timeout => self.held(Some(idle)),
            Some(idle) => Verdict::NotIdleForLong { idle, timeout },
            None if self.survey.is_broken(id) => self.held(None),
            None if is_ready(class, row) => Verdict::NotIdleForLong {
                idle: trace
                    .idle
                    .map_or(Duration::ZERO, |(begun, newest)| newest.since(begun)),
                timeout,
            },
            None => Verdict::DidNotAnswer,
        }
    }

    /// Why one that could go does not: an idle one for so long, or a broken one.
    fn held(&self, idle: Option<Duration>) -> Verdict {
        let survey = self.survey;
        let pause = self.decision.memory.operator.pause(Direction::Shrinking);
        match (pause, idle) {
            (Some(pause), _) => Verdict::Paused {
                until: pause.until(),
            },
            _ if survey.blind || survey.dazed => Verdict::Blind,
            (None, Some(_)) if self.headroom == 0 => Verdict::AtMinimum {
                min_size: self.group.min_size,
            },
            (None, Some(idle)) if self.slots > 0 => Verdict::WhenSurplus { idle },
            _ => Verdict::EnoughLeaving {
                leaving: self.leaving,
                max_retire: self.limits.max_retire(),
            },
        }
    }
}
