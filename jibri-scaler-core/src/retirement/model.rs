//! What the model of the protocol needs of a retirement, so that there are finitely many situations.

use std::time::Duration;

use super::{Phase, Retirement};
use crate::{Limits, Timestamp};

impl Retirement {
    /// When the Jibri was told, or since when it is to be: a report that is no newer is too old by the time at which this may be given up.
    /// For the model.
    #[must_use]
    pub fn asked_since(&self) -> Timestamp {
        self.told_at.unwrap_or(self.untold_since)
    }

    /// The same with its times moved, and without those that no rule reads, for the model.
    #[must_use]
    pub fn moved(mut self, moved: impl Fn(Timestamp) -> Timestamp) -> Self {
        self.since = moved(Timestamp::MIN);
        self.untold_since = match self.phase {
            Phase::Requested => moved(self.untold_since),
            _ => moved(Timestamp::MIN),
        };
        self.told_at = self.told_at.map(&moved);
        self.refusing_since = self.refusing_since.map(&moved);
        self.refused_at = self.refused_at.map(&moved);
        self.released_at = self.released_at.map(&moved);
        self.unasked_since = self.unasked_since.map(&moved);
        self
    }

    /// The same without what no rule reads in its phase, and with what has lasted for long enough by `now` all the same. What lies before
    /// the horizon is the same to every rule. For the model.
    #[must_use]
    pub fn settled(mut self, limits: &Limits, now: Timestamp, horizon: Timestamp) -> Self {
        let at_least = |age: Duration| move |at: Timestamp| at.max(now.before(age));
        let is_given_back = matches!(self.phase, Phase::Released | Phase::Terminating);
        self.released_at = self.released_at.filter(|_| is_given_back);
        self.released_at = self.released_at.map(|at| at.max(horizon));
        self.untold_since = at_least(self.patience(limits))(self.untold_since);
        self.refusing_since = self.refusing_since.map(at_least(limits.gone_after()));
        self.refused_at = self.refused_at.filter(|_| self.refusing_since.is_some());
        self.refused_at = self.refused_at.map(|at| at.max(horizon));
        self.told_at = if matches!(self.phase, Phase::Told | Phase::Terminating) {
            self.told_at.map(|at| at.max(horizon))
        } else {
            // Only a report of one that answers is compared with it, and that is younger.
            self.told_at.map(at_least(limits.report_ttl()))
        };
        let is_to_be_told = !self.by_agent && self.phase == Phase::Requested;
        self.unasked_since = self
            .unasked_since
            .filter(|_| is_to_be_told && !self.may_be_told(now, limits));
        if self.phase == Phase::GivenUp {
            (self.told_at, self.refusing_since, self.returns) = (None, None, 0);
            self.refused_at = None;
        }
        self
    }
}
