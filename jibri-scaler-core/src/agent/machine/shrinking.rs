//! How an agent sees whether its instance is surplus, and ends it.

use std::time::Duration;

use super::{Agent, LISTED_AGAIN};
use crate::{
    Timestamp,
    agent::{
        Act, SurplusWindow,
        concern::Concern,
        is_surplus,
        port::{Latch, SignalSum},
        surplus::{is_in_time, is_time_to_act, surplus},
        wanted_idle,
    },
    port::{Decrement, Listing},
};

const SECOND: Duration = Duration::from_secs(1);

/// A look whether the instance is surplus, under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looking {
    /// The multiple of the cadence that it is for.
    boundary: Timestamp,
    window: SurplusWindow,
    /// When it was begun.
    since: Duration,
    found: Found,
}

/// How far such a look has come.
#[derive(Clone, Copy, Debug)]
enum Found {
    /// The sums are being read.
    Nothing,
    /// So many may go, and so many have published last; the group is being listed.
    Surplus(u32, f64),
    /// The instance is among those that go, and whether the hook is known to hold it then.
    Chosen { is_held: bool },
}

impl Agent {
    /// Whether nothing speaks against ending the instance, as far as it alone is concerned. Where no hook holds what ends, it is
    /// protected for life, and drains before it ends.
    fn may_be_surplus(&self) -> bool {
        let has_hook = self.listed.is_none_or(|listed| listed.drains);
        self.config.shrink()
            && !self.config.keep_protected()
            && self.drain.is_none()
            && self.in_service()
            && (self.protection.is_off() || !has_hook)
            && self.is_idle_for_long()
    }

    /// Looks after each multiple of the cadence whether this instance is surplus, if it may be: reads the sums, and only where they
    /// show a surplus lists the group, once.
    pub(super) fn look_whether_surplus(&mut self) {
        self.end_if_chosen();
        if let Some(Looking {
            found: Found::Surplus(..),
            ..
        }) = self.looking
        {
            self.list(LISTED_AGAIN);
        }
        let Some(boundary) = self.cadence.due(self.clock.wall) else {
            return;
        };
        let (period, hold) = (self.config.period(), self.config.surplus_hold());
        let window = SurplusWindow::before(boundary, period, hold);
        let (from, to) = (window.from, window.to);
        if self.may_be_surplus() && self.begin(Act::ReadSums { from, to, period }, SECOND) {
            self.looking = Some(Looking {
                boundary,
                window,
                since: self.clock.elapsed,
                found: Found::Nothing,
            });
        }
    }

    pub(super) fn summed(&mut self, sums: Option<&[SignalSum]>) {
        if let (Some(sums), Some(looking)) = (sums, self.looking.take())
            && matches!(looking.found, Found::Nothing)
        {
            let (min, share) = (self.config.min_idle(), self.config.percent_idle());
            let wanted = |idle, publishers| wanted_idle(min, share, idle, publishers);
            let count = surplus(sums, &looking.window, wanted).unwrap_or(0);
            let publishers = sums.last().map_or(0.0, |sum| sum.publishers);
            if count > 0 && self.may_be_surplus() {
                let found = Found::Surplus(count, publishers);
                self.looking = Some(Looking { found, ..looking });
            }
        }
    }

    /// Takes in a listing, for a look that waits for it.
    pub(super) fn look_at_rank(&mut self, listing: Option<&Listing>) {
        let looking = self.looking.take();
        let Some(listing) = listing else { return };
        let Some(looking) = looking else { return };
        match looking.found {
            // It was begun before, to count or for the protection: the next one counts.
            Found::Surplus(..) if self.begun.list < looking.since => self.looking = Some(looking),
            Found::Surplus(count, publishers) => {
                if self.is_chosen(looking.boundary, listing, count, publishers) {
                    // What was not looked up is not relied on.
                    let is_held = self.config.terminating_hook() && listing.drains_on_termination;
                    let found = Found::Chosen { is_held };
                    self.looking = Some(Looking { found, ..looking });
                }
            }
            Found::Nothing | Found::Chosen { .. } => self.looking = Some(looking),
        }
    }

    fn is_chosen(
        &mut self,
        boundary: Timestamp,
        listing: &Listing,
        count: u32,
        publishers: f64,
    ) -> bool {
        let listed = u32::try_from(listing.instances.len()).unwrap_or(u32::MAX);
        let is_doubled = publishers > f64::from(listed);
        // A few more than are listed may have left just now.
        self.note(
            Concern::DoubledPoints,
            publishers >= 2.0 * f64::from(listed),
        );
        listing.shrinks()
            && !is_doubled
            && is_in_time(boundary, self.clock.wall)
            && is_surplus(&self.id, listing, count, boundary)
    }

    /// Ends the instance where it was chosen, once all others have read what there was.
    fn end_if_chosen(&mut self) {
        let Some(Looking {
            boundary,
            found: Found::Chosen { is_held },
            ..
        }) = self.looking
        else {
            return;
        };
        let is_time = is_time_to_act(boundary, self.clock.wall);
        if is_time == Some(false) {
            return;
        }
        self.looking = None;
        if is_time.is_none() || !self.may_be_surplus() {
            return;
        }
        if is_held {
            self.end(Decrement::Yes);
        } else {
            // Nothing would hold it: it drains first.
            let latch = Latch::new(self.clock.wall, "it is surplus", false);
            self.begin_drain(latch);
        }
    }
}
