//! What goes wrong.

use std::{fmt, ops};

macro_rules! kinds {
    ($($kind:ident: $name:literal,)+) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($kind,)+
        }

        impl Kind {
            pub(crate) const ALL: [Self; [$(Self::$kind),+].len()] = [$(Self::$kind),+];

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    ReportsLate: "reports late",
    ReportsLost: "reports lost",
    ReportsDuplicated: "reports duplicated",
    ReportsReordered: "reports out of order",
    HalfUnreachable: "half the group unreachable, probes that got no answer",
    OnePortRefuses: "one port refuses, answers",
    OutOfSight: "both ports of one that was never told refuse, answers",
    Blips: "both ports refuse for a moment",
    RequestsLost: "requests to end lost",
    RequestsReset: "requests to end reset before they were read, which look taken",
    RequestsLate: "requests to end late",
    AnswersOfRequestsLost: "answers to such requests lost",
    ClockForward: "clock jumps forward",
    ClockBack: "clock jumps back",
    Throttled: "calls of the group throttled",
    ThrottledThroughout: "hours in which they were throttled from beginning to end",
    PlanBroken: "calls that failed in the middle of a plan",
    AnswersLost: "calls that failed after having acted",
    ListingLags: "listings that lagged",
    LaunchesFail: "launches failed",
    NeverBoots: "launched, and never heard",
    ZoneShort: "launches while a zone had no capacity",
    ZoneLost: "machines lost with their zone",
    SpotWave: "machines taken by a spot wave",
    Restarts: "controller restarted",
    OldMemory: "controller restarted with old memory",
    NoMemory: "controller restarted without memory",
    TwoControllers: "ticks of a second controller",
    StoreFails: "calls of the memory store failed",
    Crashes: "Jibris crashed",
    Resurrects: "Jibris restarted although told to end",
    StartedByHand: "Jibris started by hand after they had ended",
    ConfigChanged: "pending ends overwritten by a change of config",
    Unhealthy: "Jibris unhealthy for good",
    SingleUse: "Jibris expired after one recording",
    BackAtTheLast: "Jibris that record again just when their end was confirmed",
    HookTimesOut: "hooks that timed out",
    EndedAgain: "instances ended again by id, by somebody with an old view",
    AgentsKilled: "agents killed in the middle of an act",
    AgentsFail: "calls of agents failed",
    AgentsUnanswered: "calls of agents that failed after having acted",
    AgentsWait: "calls of agents answered late",
    NoMetadata: "reads of the metadata failed",
    NoHeartbeat: "heartbeats failed",
    LocalFails: "requests of agents to their own Jibri without an answer",
    LatchFails: "latches that could not be set or read",
    ChecksHang: "release checks without a result",
    UploadsFail: "uploads failed, or done in the background",
}

/// How often each kind has occurred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts([u64; Kind::ALL.len()]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; Kind::ALL.len()])
    }
}

impl Counts {
    pub(crate) fn add(&mut self, kind: Kind, times: u64) {
        self.0[kind as usize] += times;
    }

    pub(crate) fn one(&mut self, kind: Kind) {
        self.add(kind, 1);
    }

    pub(crate) fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }
}

impl ops::AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        for kind in Kind::ALL {
            self.add(kind, other.of(kind));
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kind in Kind::ALL {
            writeln!(f, "  {:>10}  {}", self.of(kind), kind.name())?;
        }
        Ok(())
    }
}
