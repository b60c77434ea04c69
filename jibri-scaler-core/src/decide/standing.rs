//! What each instance counts as, and why it may go or not: for people who look.

use std::{fmt, time::Duration};

use super::{classify::See, continuity, operator, survey::can_be_retired};
use crate::{
    Class, Explanation, FleetSnapshot, InstanceId, Limits, Memory, Reachability, Timestamp,
    operator::Direction,
    retirement::{Phase, Retirement},
    time::readable,
};

/// Where one instance stands.
///
/// ```
/// use jibri_scaler_core::{Class, FleetSnapshot, Group, Instance, Lifecycle, Limits, Memory, Timestamp, standings};
///
/// let rows = vec![Instance::new("i-1".parse()?, Lifecycle::Pending)];
/// let snapshot = FleetSnapshot::new(Group::new(0, 10, 1), rows);
/// let all = standings(&Limits::default(), &snapshot, Timestamp::from_secs(0), Memory::default());
/// assert_eq!(all[0].class, Class::Booting);
/// assert_eq!(all[0].verdict.to_string(), "stays: nothing can be told yet");
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
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
    /// It may go as soon as there is a surplus that has lasted.
    WhenSurplus {
        /// How long it has been idle.
        idle: Duration,
    },
    /// It is broken or used up, and goes; a new one comes in its place where it is missed.
    Replaced,
    /// It is idle, but not for long enough, or in one report only.
    NotIdleForLong {
        /// How long it has been idle.
        idle: Duration,
        /// How long it must be.
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
    /// It could go, but an operator has paused shrinking.
    Paused {
        /// Until when.
        until: Timestamp,
    },
    /// An operator wants it gone, and it is told as soon as that is safe.
    AskedToGo {
        /// What the operator gave as the reason.
        reason: String,
    },
    /// It was given up on: it came back whenever it was told to end.
    GivenUp,
    /// It is being retired.
    Leaving {
        /// How far that is, where this controller does it.
        phase: Option<Phase>,
    },
    /// Its class never goes.
    Stays(Class),
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
            Self::Replaced => {
                f.write_str("goes as soon as it may, and is replaced where it is missed")
            }
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
            Self::AskedToGo { reason } => {
                write!(f, "goes by hand as soon as it may ({reason})")
            }
            Self::GivenUp => {
                f.write_str("stays: it came back whenever it was told to end, and was given up on")
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
/// It judges as [`decide`](fn@crate::decide) does, with the same memory before a decision or the one it gave back. It costs about as much
/// as a decision. Whether one that may go does go depends on the [surplus](crate::Stage::Surplus).
///
/// ```
/// use jibri_scaler_core::{FleetSnapshot, Group, Limits, Memory, Timestamp, standings};
///
/// let nobody = FleetSnapshot::new(Group::new(0, 10, 1), vec![]);
/// assert!(standings(&Limits::default(), &nobody, Timestamp::from_secs(0), Memory::default()).is_empty());
/// ```
#[must_use]
pub fn standings(
    limits: &Limits,
    snapshot: &FleetSnapshot,
    now: Timestamp,
    mut memory: Memory,
) -> Vec<Standing> {
    let first = memory.last_tick.is_none();
    let broken = continuity::follow(limits, now, &mut memory, &mut Explanation::default());
    operator::follow(now, &mut memory);
    memory.align(snapshot, now);
    let see = See {
        limits,
        now,
        broken,
        first,
    };
    let asks = memory.operator;
    let pause = asks.pause(Direction::Shrinking);
    let mut all = Vec::with_capacity(memory.instances.len());
    for (rows, trace) in snapshot.by_id().zip(&mut memory.instances) {
        let row = &rows[0];
        let retirement = memory.retirements.get(&row.id);
        let seen = see.instance(rows, trace, retirement);
        let kept = asks.kept().get(&row.id);
        let by_hand = asks.retires().get(&row.id);
        let verdict = match (seen.class, kept) {
            (Class::Retiring, _) => Verdict::Leaving {
                phase: retirement.map(Retirement::phase),
            },
            _ if by_hand.is_some() && retirement.is_none() => Verdict::AskedToGo {
                reason: by_hand
                    .map(|asked| asked.reason().as_str().to_owned())
                    .unwrap_or_default(),
            },
            (class, _) if !class.may_be_retired() => Verdict::Stays(class),
            _ if retirement.is_some() => Verdict::GivenUp,
            (_, Some(keep)) => Verdict::Kept {
                reason: keep.reason().as_str().to_owned(),
            },
            _ if !snapshot.group().safe_retirement || !can_be_retired(row) => Verdict::CannotBeTold,
            _ if row.reachability != Reachability::Answered => Verdict::DidNotAnswer,
            (class, _) => {
                let (idle, enough) = match trace.idle {
                    Some((begun, newest)) => {
                        let idle = newest.since(begun);
                        (idle, newest > begun && idle >= limits.idle_timeout())
                    }
                    None => (Duration::ZERO, false),
                };
                match pause {
                    _ if class == Class::Spare && !enough => Verdict::NotIdleForLong {
                        idle,
                        timeout: limits.idle_timeout(),
                    },
                    Some(pause) => Verdict::Paused {
                        until: pause.until(),
                    },
                    None if class == Class::Spare => Verdict::WhenSurplus { idle },
                    None => Verdict::Replaced,
                }
            }
        };
        all.push(Standing {
            id: row.id.clone(),
            class: seen.class,
            verdict,
        });
    }
    all
}
