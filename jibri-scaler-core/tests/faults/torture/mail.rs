//! What agents report, on its way to a controller.

use std::time::Duration;

use jibri_scaler_core::{
    InstanceId, JibriStatus, Timestamp,
    observe::{AgentReport, AgentReports},
};

use super::{fleet::Inner, kind::Kind, secs};

/// A status that does not change is reported again after so long.
const EVERY: Duration = Duration::from_secs(10);

/// Reports that are to arrive, and when.
#[derive(Debug, Default)]
pub(crate) struct Mail(Vec<(Timestamp, InstanceId, JibriStatus)>);

impl Mail {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Hands over what has arrived until now, to a receiver whose clock is wrong by so many seconds.
    pub(crate) fn deliver(&mut self, now: Timestamp, skew: i64, to: &AgentReports) {
        self.0.sort_by_key(|(at, _, _)| *at);
        let arrived = self.0.partition_point(|(at, _, _)| *at <= now);
        for (at, id, status) in self.0.drain(..arrived) {
            let at = Timestamp::from_micros(at.as_micros() + skew * 1_000_000);
            // One that is not listed yet reports again.
            let _ = to.receive(&id, AgentReport::new(at, status, "0.1.0"));
        }
    }
}

impl Inner {
    /// An agent has read this status, and reports it, as the agent of the examples does: at once when it has changed.
    pub(super) fn report(&mut self, id: &InstanceId, status: &JibriStatus) {
        let now = self.now;
        let Some(place) = self.places.get_mut(id) else {
            return;
        };
        let is_due = place
            .reported
            .as_ref()
            .is_none_or(|(before, at)| before != status || now.since(*at) >= EVERY);
        if !is_due {
            return;
        }
        place.reported = Some((status.clone(), now));
        if place.unreachable {
            self.counts.one(Kind::HalfUnreachable);
            return;
        }
        for side in 0..self.mail.len() {
            if self.occurs(Kind::ReportsLost, 3) {
                continue;
            }
            let mut at = now;
            if self.occurs(Kind::ReportsLate, 2) || self.occurs(Kind::ReportsReordered, 2) {
                at = now + secs(1 + self.chance.below(45));
            }
            let again = self
                .occurs(Kind::ReportsDuplicated, 3)
                .then(|| at + secs(1 + self.chance.below(90)));
            for at in [Some(at), again].into_iter().flatten() {
                self.mail[side].0.push((at, id.clone(), status.clone()));
            }
        }
    }
}
