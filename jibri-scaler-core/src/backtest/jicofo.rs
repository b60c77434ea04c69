//! How Jicofo hands recordings to Jibris.
//!
//! Source: `JibriDetector.kt` and `JibriSession.java` of [jitsi/jicofo](https://github.com/jitsi/jicofo). It selects among those whose
//! presence says idle and healthy, that were not selected in the last 200 ms and have not failed in the last minute, the one that failed
//! least recently; the order is stable, without packing or turns. With none it refuses at once: there is no queue. The presence of a
//! Jibri says idle until its Chrome has started, so that one that is taken can be selected again; it answers that it is busy, which
//! counts as a failure, and another is tried, up to five times.

use std::time::Duration;

use super::{
    event::Kind,
    fleet::Fleet,
    machine::{Reading, State},
};
use crate::Timestamp;

const SELECTED: Duration = Duration::from_millis(200);
const FAILED: Duration = Duration::from_secs(60);
const RETRIES: u32 = 5;

impl Fleet<'_> {
    /// A recording is asked for now; whether a Jibri took it.
    pub(super) fn request(&mut self, end: Timestamp) -> bool {
        for _ in 0..=RETRIES {
            let Some(at) = self.select() else { break };
            self.machines[at].selected_at = self.now;
            if self.machines[at].state == State::Free {
                self.accept(at, end);
                return true;
            }
            self.unlist(at);
            self.machines[at].failed_at = self.now;
            self.list(at);
        }
        self.all_refused += 1;
        false
    }

    fn select(&self) -> Option<usize> {
        let now = self.now;
        let failed_long_ago = |at: Timestamp| at == Timestamp::MIN || now.since(at) >= FAILED;
        self.listed
            .iter()
            // Those that failed last come last.
            .take_while(|(failed_at, _)| failed_long_ago(*failed_at))
            .filter_map(|(_, number)| self.find(*number))
            .find(|at| now.since(self.machines[*at].selected_at) >= SELECTED)
    }

    fn accept(&mut self, at: usize, end: Timestamp) {
        self.set_state(at, State::Recording);
        let machine = &mut self.machines[at];
        machine.epoch += 1;
        let (number, epoch) = (machine.number, machine.epoch);
        self.schedule(end, Kind::SessionEnd, number, epoch);
        let delay = self.environment.chrome_delay;
        if delay.is_zero() {
            self.publish_busy(at);
        } else {
            self.schedule(self.now + delay, Kind::Busy, number, epoch);
        }
    }

    pub(super) fn publish_busy(&mut self, at: usize) {
        self.unlist(at);
        self.publish(at, Reading::Busy);
    }

    /// A recording is done.
    pub(super) fn finish(&mut self, at: usize) {
        // A recording shorter than the start of Chrome is never seen as busy.
        self.machines[at].epoch += 1;
        if self.machines[at].told {
            self.exit(at);
        } else if self.environment.single_use {
            self.set_state(at, State::Expired);
            self.unlist(at);
            self.publish(at, Reading::Expired);
        } else {
            self.free(at);
        }
    }

    /// It can take a recording from now on.
    pub(super) fn free(&mut self, at: usize) {
        self.set_state(at, State::Free);
        self.list(at);
        self.publish(at, Reading::Idle);
    }
}
