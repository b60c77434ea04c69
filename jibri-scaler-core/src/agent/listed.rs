//! What an agent remembers of the newest listing of its group.

use std::time::Duration;

use crate::{Lifecycle, port::Listing};

/// The newest listing, as far as it matters later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    /// When it was begun.
    at: Duration,
    /// How many were in service.
    pub(super) in_service: u32,
    /// How many were kept for a human.
    pub(super) retained: u32,
    /// Whether the terminating hook holds what ends.
    pub(super) drains: bool,
    /// How long that hook waits for a heartbeat, where it was looked up.
    pub(super) hook_timeout: Option<Duration>,
    /// Whether the group keeps what is abandoned.
    pub(super) retains: bool,
    /// Whether the agents may shrink the group.
    pub(super) shrinks: bool,
}

impl Listed {
    /// What this listing says, which was begun then.
    pub(super) fn new(listing: &Listing, at: Duration) -> Self {
        let count = |state: &Lifecycle| {
            let rows = listing.instances.iter();
            let count = rows.filter(|row| row.lifecycle == *state).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        Self {
            at,
            in_service: count(&Lifecycle::InService),
            retained: count(&Lifecycle::TerminatingRetained),
            drains: listing.drains_on_termination,
            hook_timeout: listing.hook_timeout,
            retains: listing.retains_abandoned,
            shrinks: listing.shrinks(),
        }
    }

    /// How old it is.
    pub(super) const fn age(&self, elapsed: Duration) -> Duration {
        elapsed.saturating_sub(self.at)
    }
}
