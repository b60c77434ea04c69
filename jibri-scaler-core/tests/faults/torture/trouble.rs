//! What is drawn for a seed, and when it happens.

use super::{
    chance::Chance,
    kind::Kind::{self, *},
};

/// How many ticks things go wrong for: an hour.
pub(crate) const TROUBLE: u64 = 240;

/// In one of so many seeds the calls of the group are throttled for the whole hour, which the times that are drawn hardly give.
const THROUGHOUT: u64 = 25;

/// A fault, from one tick to just before another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) kind: Kind,
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// All faults of a seed.
#[derive(Clone, Debug)]
pub(crate) struct Trouble(pub(crate) Vec<Window>);

impl Trouble {
    /// About a fifth of all kinds, at random times.
    pub(crate) fn draw(seed: u64, chance: &mut Chance) -> Self {
        let mut windows = Vec::new();
        for kind in Kind::ALL {
            if kind == ThrottledThroughout {
                let throughout = Window {
                    kind,
                    from: 0,
                    until: TROUBLE,
                };
                windows.extend((seed % THROUGHOUT == THROUGHOUT - 1).then_some(throughout));
                continue;
            }
            if chance.below(5) > 0 {
                continue;
            }
            let from = chance.below(TROUBLE - 10);
            let longest = longest(kind).min(TROUBLE - from);
            let until = match chance.below(3) {
                // The group has to come back from it.
                0 if TROUBLE - from <= longest => TROUBLE,
                _ => from + 1 + chance.below(longest),
            };
            windows.push(Window { kind, from, until });
        }
        Self(windows)
    }

    pub(crate) fn window(&self, kind: Kind) -> Option<Window> {
        self.0.iter().find(|window| window.kind == kind).copied()
    }

    pub(crate) fn is_on(&self, kind: Kind, tick: u64) -> bool {
        self.window(kind)
            .is_some_and(|window| (window.from..window.until).contains(&tick))
    }

    /// Whether at any time the first controller may not know what was set last.
    pub(crate) fn forgets(&self) -> bool {
        let kinds = [
            TwoControllers,
            Restarts,
            OldMemory,
            NoMemory,
            ClockForward,
            ClockBack,
        ];
        kinds.into_iter().any(|kind| self.window(kind).is_some())
    }

    pub(crate) fn begins(&self, kind: Kind, tick: u64) -> bool {
        self.window(kind).is_some_and(|window| window.from == tick)
    }

    /// Those of these kinds that are on.
    pub(crate) fn on(&self, kinds: &[Kind], tick: u64) -> Vec<Kind> {
        let kinds = kinds.iter().copied();
        kinds.filter(|kind| self.is_on(*kind, tick)).collect()
    }
}

/// What may be wrong between the controllers and the machines, and on these.
pub(crate) const OF_FLEET: [Kind; 20] = [
    ReportsLate,
    ReportsLost,
    ReportsDuplicated,
    ReportsReordered,
    HalfUnreachable,
    OnePortRefuses,
    OutOfSight,
    RequestsLost,
    RequestsLate,
    AnswersOfRequestsLost,
    BackAtTheLast,
    AgentsFail,
    AgentsUnanswered,
    AgentsWait,
    NoMetadata,
    NoHeartbeat,
    LocalFails,
    LatchFails,
    ChecksHang,
    UploadsFail,
];

/// What may be wrong with the calls of a controller.
pub(crate) const OF_CALLS: [Kind; 6] = [
    Throttled,
    ThrottledThroughout,
    PlanBroken,
    AnswersLost,
    ListingLags,
    StoreFails,
];

/// How many ticks it takes at most.
const fn longest(kind: Kind) -> u64 {
    match kind {
        Throttled | ReportsLate | ReportsReordered | ReportsDuplicated | AnswersLost
        | PlanBroken => TROUBLE,
        HalfUnreachable | ZoneLost | OnePortRefuses | OutOfSight => 60,
        _ => 120,
    }
}
