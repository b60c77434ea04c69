//! How an agent keeps the terminating hook waiting.

use std::time::Duration;

use super::{Agent, LISTED_AGAIN, Latched};
use crate::agent::{
    Act, ActKind, Place,
    port::{DrainPoint, TargetState, Transition},
};

const SECOND: Duration = Duration::from_secs(1);

/// As long as nothing has said how long the hook waits, it is taken to wait no longer than this: a heartbeat too many costs a call, and
/// one that comes too late the hold on the machine.
const CAUTIOUS: Duration = Duration::from_secs(240);

/// How long the hook waits is read again after so long while it holds the instance: somebody may change it in place.
const TIMEOUT_HOLDS: Duration = Duration::from_secs(900);

impl Agent {
    /// How long the terminating hook waits for a heartbeat: as the group was last listed, else as was configured.
    pub(super) fn hook_timeout(&self) -> Duration {
        let listed = self.listed.and_then(|listed| listed.hook_timeout);
        listed.unwrap_or_else(|| self.config.hook_timeout())
    }

    /// How far apart heartbeats are.
    pub(super) fn heartbeat_every(&self) -> Duration {
        let timeout = self.hook_timeout();
        // Nobody has said how long it is where the group may not be listed either.
        let timeout = if self.listed.is_some() {
            timeout
        } else {
            timeout.min(CAUTIOUS)
        };
        timeout / 4
    }

    /// Keeps the hook waiting, whether or not it is certain that it does.
    pub(super) fn prolong(&mut self, place: Place, to_pool: bool) {
        let elapsed = self.clock.elapsed;
        let to_pool = to_pool && self.target_is(&TargetState::Warmed);
        let is_leaving = to_pool || self.whereabouts.is_ending(elapsed);
        let may_wait = matches!(place, Place::Held | Place::Unknown | Place::Leaving);
        if !(is_leaving && may_wait) {
            return;
        }
        let has_hook = self.listed.is_some_and(|listed| listed.drains);
        if self.config.terminating_hook() || has_hook {
            let every = self.heartbeat_every();
            let beats = self.begin(Act::Heartbeat(Transition::Terminating), every);
            if beats {
                self.publish_drain();
            }
            // After the heartbeat, which must not wait for it.
            let is_fresh = |age: Duration| age < TIMEOUT_HOLDS;
            if !self
                .listed
                .is_some_and(|listed| is_fresh(listed.age(elapsed)))
            {
                self.list(LISTED_AGAIN);
            }
        }
        if place != Place::Held {
            self.look(60 * SECOND);
        }
    }

    /// Takes in how long the hook waits: the next heartbeat is no later than that asks for.
    pub(super) fn hasten_heartbeat(&mut self) {
        let (elapsed, every) = (self.clock.elapsed, self.heartbeat_every());
        if let Some(pace) = self.paces.get_mut(&ActKind::Heartbeat) {
            pace.hasten(elapsed + every);
        }
    }

    /// Says that the instance is held, and once that it is kept.
    pub(super) fn publish_drain(&mut self) {
        let Latched::Yes(latch) = &self.latch else {
            return;
        };
        let wall = self.clock.wall;
        let mut point = DrainPoint::new(wall, wall.since(latch.since));
        point.release_check_failed = self.says_kept;
        if self.begin(Act::PublishDrain(point), SECOND) {
            self.says_kept = false;
        }
    }
}
