//! How many recordings were refused, where nobody counts them.
//!
//! Jicofo counts them since August 2026 ([jitsi/jicofo#1310](https://github.com/jitsi/jicofo/pull/1310)), in `jibri_no_instance_failures`.
//! An older one hides them among failed recordings. What can be seen in any case is *when* no Jibri was idle. A recording that is asked for
//! then is refused, so that refusals are the starts that are expected in that time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// An estimate of refused recordings: the time without an idle Jibri, weighted with the starts that are expected in it.
///
/// It is fed with what each tick sees. The state between two ticks is taken as half that of the one and half that of the other. It rests
/// on the rate of starts that it is given, which must have the refused ones in it. Its state has a fixed size.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, refusals::RefusalEstimate};
///
/// let at = Timestamp::from_secs;
/// let mut estimate = RefusalEstimate::new(Duration::from_secs(90));
/// // Ten starts are expected in each half minute of a rush, one at other times; in the rush nobody is idle.
/// for (secs, idle, expected) in [(0, 2, 0.0), (30, 1, 1.0), (60, 0, 10.0), (90, 0, 10.0), (120, 1, 1.0), (150, 1, 1.0)] {
///     estimate.observe(at(secs), idle, expected);
/// }
/// assert_eq!(estimate.expected_refusals(), 5.0 + 10.0 + 0.5);
/// assert_eq!(estimate.refused_share(5), Some(15.5 / 20.5), "beside five that were served");
/// assert_eq!(estimate.misleading_share_of_time(), Some(60.0 / 150.0));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusalEstimate {
    longest_gap: Duration,
    newest: Option<(Timestamp, bool)>,
    observed: Duration,
    none_idle: Duration,
    refusals: f64,
}

impl RefusalEstimate {
    /// An estimate of nothing yet. Ticks that are further apart than this gap tell nothing of the time between them.
    #[must_use]
    pub const fn new(longest_gap: Duration) -> Self {
        Self {
            longest_gap,
            newest: None,
            observed: Duration::ZERO,
            none_idle: Duration::ZERO,
            refusals: 0.0,
        }
    }

    /// Takes in a tick: how many Jibris are idle, and how many starts are expected in the time since the tick before. A number of starts
    /// that is negative or no number counts as none, and a step back in time as a gap.
    pub fn observe(&mut self, now: Timestamp, idle: u32, expected_starts: f64) {
        let none_idle = idle == 0;
        let before = self.newest.replace((now, none_idle));
        let Some((then, was_none_idle)) = before.filter(|(then, _)| *then <= now) else {
            return;
        };
        let passed = now.since(then);
        if passed > self.longest_gap {
            return;
        }
        let expected_starts = if expected_starts > 0.0 {
            expected_starts
        } else {
            0.0
        };
        let halves = u32::from(none_idle) + u32::from(was_none_idle);
        self.observed += passed;
        self.none_idle += passed * halves / 2;
        self.refusals += expected_starts * f64::from(halves) / 2.0;
    }

    /// How many recordings were refused, as is to be expected.
    #[must_use]
    pub const fn expected_refusals(&self) -> f64 {
        self.refusals
    }

    /// The share of all recordings that was refused, as is to be expected, 0 to 1, where so many were served in the same time; absent
    /// where there were none at all.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 recordings")]
    pub fn refused_share(&self, served: u64) -> Option<f64> {
        let all = self.refusals + served as f64;
        (all > 0.0).then(|| self.refusals / all)
    }

    /// The share of the time without an idle Jibri: **wrong as a measure of refusals**, and here to be compared only. Most of the time
    /// nobody asks, and Jibris run out when many do: it says three times too little for a day in an office, and thirteen times too little where
    /// meetings begin on the hour.
    #[must_use]
    pub fn misleading_share_of_time(&self) -> Option<f64> {
        let observed = self.observed.as_secs_f64();
        (observed > 0.0).then(|| self.none_idle.as_secs_f64() / observed)
    }

    /// How much time the estimate is about.
    #[must_use]
    pub const fn observed(&self) -> Duration {
        self.observed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(ticks: &[(i64, u32, f64)]) -> RefusalEstimate {
        let mut estimate = RefusalEstimate::new(Duration::from_secs(90));
        for (secs, idle, expected) in ticks {
            estimate.observe(Timestamp::from_secs(*secs), *idle, *expected);
        }
        estimate
    }

    #[test]
    fn gaps_and_steps_back_tell_nothing() {
        let gap = fed(&[(0, 0, 1.0), (91, 0, 5.0)]);
        assert_eq!(
            (gap.expected_refusals(), gap.observed()),
            (0.0, Duration::ZERO)
        );
        let back = fed(&[(100, 0, 1.0), (50, 0, 5.0), (60, 0, 2.0)]);
        assert_eq!(
            (back.expected_refusals(), back.observed()),
            (2.0, Duration::from_secs(10))
        );
        assert_eq!(fed(&[]).refused_share(0), None);
        assert_eq!(fed(&[(0, 0, 9.0)]).misleading_share_of_time(), None);
    }

    #[test]
    fn odd_numbers_of_starts_count_as_none() {
        for odd in [f64::NAN, -1.0] {
            assert_eq!(
                fed(&[(0, 0, 0.0), (10, 0, odd)]).refused_share(3),
                Some(0.0)
            );
        }
    }

    #[test]
    fn it_can_be_kept() {
        let estimate = fed(&[(0, 0, 0.0), (10, 1, 3.0)]);
        let kept = serde_json::to_string(&estimate).unwrap();
        assert_eq!(
            serde_json::from_str::<RefusalEstimate>(&kept).unwrap(),
            estimate
        );
    }
}
