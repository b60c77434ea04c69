//! What all peers share: how they see the group, and how they bring it to a size.

use crate::{
    Timestamp,
    backtest::{Fleet, Reading, Seen},
    port::{Decrement, Presence},
};

/// The instances that count toward the desired capacity, by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Members {
    pub(super) idle: u32,
    pub(super) booting: u32,
    /// Busy, or silent in this tick: not to be touched.
    pub(super) busy: u32,
}

impl Members {
    /// Looks at the group. A Jibri of single use that is used up ends itself, as its systemd unit or pod would.
    pub(super) fn look(fleet: &mut Fleet<'_>) -> Self {
        let mut members = Self::default();
        let mut expired = Vec::new();
        for seen in counting(fleet) {
            match seen.reading {
                Reading::Never => members.booting += 1,
                Reading::Idle if seen.answered => members.idle += 1,
                Reading::Expired => expired.push(seen.number),
                _ => members.busy += 1,
            }
        }
        for number in expired {
            fleet.drain(number, Decrement::Yes);
        }
        members
    }

    pub(super) const fn all(&self) -> u32 {
        self.idle + self.booting + self.busy
    }
}

/// Whether a scaler may call off a launch that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boots {
    /// Kubernetes deletes pods that are not ready before those that are.
    EndedFirst,
    /// An Auto Scaling group ends what is in service.
    LeftAlone,
}

/// Brings the group to a size: launches what is missing at once, and ends what is too many as far as it is idle. The rest follows in
/// later ticks, as long as the desired capacity stays: a group whose busy instances are protected does the same.
pub(super) fn resize(fleet: &mut Fleet<'_>, to: u32, boots: Boots) {
    fleet.set_desired(to);
    let desired = fleet.group().desired;
    let members: Vec<Seen> = counting(fleet).collect();
    let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
    let mut excess = count.saturating_sub(desired);
    if boots == Boots::EndedFirst {
        let boots = |seen: &&Seen| seen.reading == Reading::Never;
        for seen in members.iter().rev().filter(boots) {
            // One that is up and was not heard yet may record.
            if excess > 0 && fleet.look(seen.number) == Presence::BothRefuse {
                fleet.terminate(seen.number, Decrement::No);
                excess -= 1;
            }
        }
    }
    for seen in members.iter().rev().filter(|seen| is_idle(seen)) {
        if excess > 0 {
            fleet.drain(seen.number, Decrement::No);
            excess -= 1;
        }
    }
}

/// How many instances were launched less than so long ago.
pub(super) fn warming(fleet: &Fleet<'_>, since: Timestamp) -> u32 {
    let count = counting(fleet).filter(|seen| seen.launched_at > since);
    u32::try_from(count.count()).unwrap_or(u32::MAX)
}

pub(super) fn is_idle(seen: &Seen) -> bool {
    seen.answered && seen.reading == Reading::Idle
}

pub(super) fn counting(fleet: &Fleet<'_>) -> impl Iterator<Item = Seen> {
    fleet.instances().filter(|seen| !seen.leaving)
}
