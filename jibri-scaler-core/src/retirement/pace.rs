//! How often a Jibri is told to end.
//!
//! A supervisor may start a Jibri again that was told to end. Were it told again at once, each time, it could be down in each look of another
//! controller, and record in between. So two requests to one Jibri are further apart than it must refuse before it counts as gone: at most
//! one of them ends it meanwhile, and the process that is started after that is seen.

use std::time::Duration;

use super::{Phase, Retirement};
use crate::{
    Limits, Timestamp,
    safeguard::{Safeguard, holds},
};

impl Retirement {
    /// The same where this side knows only since then whether it has asked the Jibri to end. What it did before may be forgotten.
    ///
    /// ```
    /// use jibri_scaler_core::{Limits, Timestamp, retirement::{Act, Retirement}};
    ///
    /// let (limits, start) = (Limits::default(), Timestamp::from_secs(0));
    /// let retirement = Retirement::new(start, false).known_since(start, &limits);
    /// assert_eq!(retirement.next(start, &limits), Act::Wait);
    /// let later = start + limits.tell_interval();
    /// assert_eq!(retirement.next(later, &limits), Act::Tell);
    /// ```
    #[must_use]
    pub fn known_since(mut self, since: Timestamp, limits: &Limits) -> Self {
        self.waits_anew(since, limits);
        self
    }

    /// Takes in that who has asked it, and has said when, has another clock.
    pub(crate) fn asked_by_another(&mut self, now: Timestamp, limits: &Limits) {
        if self.unasked_since.is_some() {
            self.waits_anew(now, limits);
        }
    }

    pub(super) fn waits_anew(&mut self, since: Timestamp, limits: &Limits) {
        if self.phase == Phase::Requested && !self.by_agent {
            self.unasked_since = Some(since);
            self.untold_since = self.untold_since.max(since + limits.tell_interval());
        }
    }

    /// Takes in that the Jibri is about to be told. It is saved before that is done, so that one who crashes meanwhile does not tell it again
    /// too soon.
    ///
    /// ```
    /// use jibri_scaler_core::{Limits, Timestamp, retirement::{Act, Retirement}};
    ///
    /// let (limits, start) = (Limits::default(), Timestamp::from_secs(0));
    /// let mut retirement = Retirement::new(start, false);
    /// retirement.asking(start);
    /// assert_eq!(retirement.next(start, &limits), Act::Wait);
    /// ```
    pub fn asking(&mut self, now: Timestamp) {
        if self.phase == Phase::Requested && !self.by_agent {
            self.unasked_since = Some(now);
        }
    }

    /// Takes in that one that it was time to tell was not told after all.
    pub(crate) const fn not_asked(&mut self) {
        self.unasked_since = None;
    }

    /// Whether the last request to end is long enough ago.
    pub(super) fn may_be_told(&self, now: Timestamp, limits: &Limits) -> bool {
        let is_early = |since: Timestamp| now.since(since) < limits.tell_interval();
        !self.unasked_since.is_some_and(is_early) || !holds(Safeguard::TellSeldom)
    }

    /// For how long it is tried to tell it, or to hand it over: at least until it may be told once more.
    pub(super) fn patience(&self, limits: &Limits) -> Duration {
        let until_again = if self.by_agent {
            Duration::ZERO
        } else {
            limits.tell_interval()
        };
        limits.boot_deadline().max(until_again)
    }

    /// From when on it may be told.
    pub(crate) fn may_be_told_from(&self, now: Timestamp, limits: &Limits) -> Timestamp {
        let again = self.unasked_since.map(|at| at + limits.tell_interval());
        again.map_or(now, |again| again.max(now))
    }
}
