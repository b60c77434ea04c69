//! The network between the controllers and the Jibris.

use std::sync::{Arc, MutexGuard};

use async_trait::async_trait;
use jibri_scaler_core::{
    InstanceId,
    port::{DrainClient, HealthProbe, Knock, Presence, ProbeOutcome, Target, Told},
};

use super::{
    fleet::{Fleet, Inner, Port},
    kind::Kind,
    secs,
};

impl Inner {
    /// Whether this fault is to happen now.
    pub(super) fn happens(&mut self, kind: Kind, one_in: u64) -> bool {
        self.wrong.contains(&kind) && self.chance.below(one_in) == 0
    }

    /// The same, and counts it.
    pub(super) fn occurs(&mut self, kind: Kind, one_in: u64) -> bool {
        let happens = self.happens(kind, one_in);
        self.counts.add(kind, u64::from(happens));
        happens
    }

    fn answer(&mut self, id: &InstanceId) -> ProbeOutcome {
        let now = self.now;
        let (lost, late) = (
            self.happens(Kind::ReportsLost, 3),
            self.happens(Kind::ReportsLate, 2),
        );
        let reordered = self.happens(Kind::ReportsReordered, 2);
        let duplicated = self.happens(Kind::ReportsDuplicated, 3);
        let age = secs(5 + self.chance.below(26));
        let Some(place) = self.places.get_mut(id) else {
            return ProbeOutcome::TimedOut;
        };
        if place.unreachable {
            self.counts.one(Kind::HalfUnreachable);
            return ProbeOutcome::TimedOut;
        }
        if place.unheard_until.is_some_and(|until| now < until) {
            return ProbeOutcome::TimedOut;
        }
        if let Some(kind) = place.why_refused(Port::Health, now) {
            self.counts.one(kind);
            return ProbeOutcome::Refused;
        }
        if lost {
            self.counts.one(Kind::ReportsLost);
            return ProbeOutcome::TimedOut;
        }
        if !place.jibri.is_up(now) {
            return ProbeOutcome::Refused;
        }
        let newest = place.jibri.status(now);
        let old = [
            (
                Kind::ReportsReordered,
                place.jibri.said_before(now).filter(|_| reordered),
            ),
            (
                Kind::ReportsLate,
                place.jibri.said(age, now).filter(|_| late),
            ),
            (
                Kind::ReportsDuplicated,
                place.answered.as_ref().filter(|_| duplicated),
            ),
        ];
        let old = old
            .into_iter()
            .find_map(|(kind, said)| Some((kind, said?.clone())));
        let status = match old {
            Some((kind, said)) => {
                self.counts.one(kind);
                said
            }
            None => newest,
        };
        place.answered = Some(status.clone());
        ProbeOutcome::Answered(status)
    }
}

/// The Jibris as the controllers reach them. Where they are bound to loopback, every request is refused.
#[derive(Clone, Debug)]
pub(crate) struct Outside(pub(crate) Arc<Fleet>);

impl Outside {
    /// The Jibris, unless they are bound to loopback.
    fn reached(&self) -> Option<MutexGuard<'_, Inner>> {
        let inner = self.0.lock();
        let reaches = inner.setting.direct || !inner.setting.agents;
        reaches.then_some(inner)
    }
}

#[async_trait]
impl HealthProbe for Outside {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        let inner = self.reached();
        inner.map_or(ProbeOutcome::Refused, |mut inner| inner.answer(&target.id))
    }
}

#[async_trait]
impl DrainClient for Outside {
    async fn is_reachable(&self, target: &Target) -> bool {
        let Some(inner) = self.reached() else {
            return false;
        };
        inner
            .places
            .get(&target.id)
            .is_some_and(|place| !place.unreachable && !place.refuses(Port::Internal, inner.now))
    }

    async fn tell(&self, target: &Target) -> Told {
        let Some(mut inner) = self.reached() else {
            return Told::Refused;
        };
        let now = inner.now;
        let (lost, late) = (
            inner.happens(Kind::RequestsLost, 2),
            inner.happens(Kind::RequestsLate, 2),
        );
        let unanswered = inner.happens(Kind::AnswersOfRequestsLost, 2);
        let moments = 1 + inner.chance.below(8);
        let Inner { places, counts, .. } = &mut *inner;
        let Some(place) = places
            .get_mut(&target.id)
            .filter(|place| !place.unreachable)
        else {
            return Told::Unknown;
        };
        if let Some(kind) = place.why_refused(Port::Internal, now) {
            counts.one(kind);
            return Told::Refused;
        }
        if lost && counts.of(Kind::RequestsLost) > counts.of(Kind::RequestsReset) {
            counts.one(Kind::RequestsReset);
            place.was_told = true;
            return Told::Yes;
        }
        if lost {
            counts.one(Kind::RequestsLost);
            return Told::Unknown;
        }
        place.was_told = true;
        if late {
            counts.one(Kind::RequestsLate);
            place.requests.push(moments);
            return Told::Unknown;
        }
        let told = place.jibri.tell(now);
        if unanswered && told == Told::Yes {
            counts.one(Kind::AnswersOfRequestsLost);
            return Told::Unknown;
        }
        told
    }

    async fn look(&self, target: &Target) -> Presence {
        let Some(inner) = self.reached() else {
            return Presence::BothRefuse;
        };
        let Some(place) = inner.places.get(&target.id) else {
            return Presence::Unclear;
        };
        let knock = |port| match place.refuses(port, inner.now) {
            _ if place.unreachable => Knock::Unclear,
            true => Knock::Refused,
            false => Knock::Opened,
        };
        Presence::of(knock(Port::Health), knock(Port::Internal))
    }
}
