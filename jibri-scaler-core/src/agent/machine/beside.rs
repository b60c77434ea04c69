//! What an agent publishes beside the idle signal, for alarms and for people.

use std::time::Duration;

use super::{Agent, Latched};
use crate::{
    Lifecycle,
    agent::{
        Act, DrainPhase, Keep, Place, Reading,
        port::{DrainPoint, SignalPoint},
    },
    port::Listing,
};

const SECOND: Duration = Duration::from_secs(1);

/// What the newest listing of the group has shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupSeen {
    in_service: u32,
    retained: u32,
}

impl GroupSeen {
    pub(super) fn new(listing: &Listing) -> Self {
        let count = |state: &Lifecycle| {
            let rows = listing.instances.iter();
            let rows = rows.filter(|row| row.lifecycle == *state);
            u32::try_from(rows.count()).unwrap_or(u32::MAX)
        };
        Self {
            in_service: count(&Lifecycle::InService),
            retained: count(&Lifecycle::TerminatingRetained),
        }
    }
}

impl Agent {
    /// What there is to say now.
    pub(super) fn point(&self) -> SignalPoint {
        let reading = self.reading();
        let mut point = SignalPoint::new(self.clock.wall, reading == Reading::Idle);
        point.in_service = self.group_seen.map(|seen| seen.in_service);
        point.retained = self.group_seen.map(|seen| seen.retained);
        let busy = self.health.busy_for(self.clock.elapsed);
        point.busy_for = busy.filter(|_| reading == Reading::Busy);
        point
    }

    /// Lists the group, whose size is published: growth by alarm needs it.
    pub(super) fn see_group(&mut self) {
        if self.in_service() && self.drain.is_none() {
            self.begin(Act::List, SECOND);
        }
    }

    /// The same where it was not listed yet, so that growth need not wait for the first look whether there is a surplus.
    pub(super) fn see_group_once(&mut self) {
        if self.group_seen.is_none() && self.health.answered {
            self.see_group();
        }
    }

    /// Says how long the instance has been held, about as often as it prolongs the wait, and at once that its release check has
    /// failed.
    pub(super) fn publish_drain(&mut self) {
        let (Some(drain), Latched::Yes(latch)) = (&self.drain, &self.latch) else {
            self.failure_told = false;
            return;
        };
        let (wall, elapsed) = (self.clock.wall, self.clock.elapsed);
        let failed = drain.phase() == DrainPhase::Kept(Keep::CheckFailed);
        let is_held = self.whereabouts.place(latch.to_pool, elapsed) == Place::Held;
        let news = failed && !self.failure_told;
        if !(is_held || news) {
            return;
        }
        let mut point = DrainPoint::new(wall, wall.since(latch.since));
        point.release_check_failed = news;
        if news {
            self.paces
                .entry(super::ActKind::PublishDrain)
                .or_default()
                .now();
        }
        let often = (self.config.hook_timeout() / 4).min(Duration::from_secs(900));
        if self.begin(Act::PublishDrain(point), often) {
            self.failure_told = failed;
        }
    }
}
