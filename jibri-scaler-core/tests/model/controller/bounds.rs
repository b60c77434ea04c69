//! The bounds that one controller is held to, by what it has seen and done itself: they hold beside any number of others too.

use jibri_scaler_core::{
    Decision, FleetSnapshot, Lifecycle, Memory,
    controller::course::Call,
    port::Decrement,
    retirement::{Phase, Retirement},
};

use crate::world::{Broken, Config};

/// What a decision that is applied goes beyond. `begun` is the memory with the retirements that begin.
pub(super) fn decided(
    config: &Config,
    decision: &Decision,
    snapshot: &FleetSnapshot,
    begun: &Memory,
) -> Option<Broken> {
    let (tally, group) = (&decision.tally, snapshot.group());
    if let Some(to) = decision.plan.capacity() {
        let free = tally.spare + tally.booting;
        let needed = tally.total - free + config.wanted;
        // Where somebody has lowered it, it is set to what is there.
        let counting = snapshot.instances().iter();
        let counting = counting.filter(|row| row.lifecycle.is_counting());
        let there = u32::try_from(counting.count()).expect("few");
        if to > needed.max(group.min_size).max(there) {
            return Some(Broken::Overgrown);
        }
        if to < group.desired {
            return Some(Broken::Lowered);
        }
    }
    let in_service = |id| {
        let mut rows = snapshot.rows(id).iter();
        rows.any(|row| row.lifecycle == Lifecycle::InService)
    };
    // One that finishes a recording goes at some time, and with a decrement only if the group is large enough then.
    let decrements = |it: &Retirement| {
        !it.replace() && it.phase().is_under_way() && it.phase() != Phase::Finishing
    };
    let leaving = begun.retirements().iter();
    let leaving = leaving.filter(|(id, it)| decrements(it) && in_service(id));
    let leaving = u32::try_from(leaving.count()).expect("few");
    let begins = decision.plan.retires().any(|(_, replace)| !replace);
    let desired = decision.plan.capacity().unwrap_or(group.desired);
    let is_enough = desired >= group.min_size + leaving;
    (begins && !is_enough).then_some(Broken::BelowMin)
}

/// The desired capacity as a tick knows it: what it was shown, and what it has done about it since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Size(pub(super) u32);

impl Size {
    /// What a call goes beyond.
    pub(super) fn asked(self, config: &Config, call: &Call) -> Option<Broken> {
        match call {
            Call::SetCapacity(to) if *to < self.0 => Some(Broken::Lowered),
            Call::Terminate(_, Decrement::Yes) if self.0 <= config.min.into() => {
                Some(Broken::BelowMin)
            }
            _ => None,
        }
    }

    /// The same after a call that worked.
    pub(super) fn after(self, call: &Call) -> Self {
        match call {
            Call::SetCapacity(to) => Self(*to),
            Call::Terminate(_, Decrement::Yes) => Self(self.0.saturating_sub(1)),
            _ => self,
        }
    }
}
