//! What may be launched after launches that did not come.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Limits, Timestamp};

/// A token bucket of launches, kept only while launches fail: each failure leaves half as many in it as the one before, of
/// [`max_launch`](Limits::max_launch) at first, down to none, and from then on it fills by one launch after a pause that grows from
/// failure to failure. With the first launch that comes it is thrown away, and nothing holds launches back.
///
/// With `d` for the boot deadline, the pause is `d`/2, `d`, 2 `d` and then always 3 `d`, so that a launch is tried again within
/// 3 `d` however much has failed. It holds at most `max_launch`. A failure is forgotten after 18 `d`. With
/// the default of ten minutes that is five to thirty minutes and three hours, the times of the Kubernetes Cluster Autoscaler for
/// node groups that fail (`initial-node-group-backoff-duration`, `max-node-group-backoff-duration`,
/// `node-group-backoff-reset-timeout`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct BackOff {
    /// How many failures there were in a row.
    failures: u32,
    failed_at: Timestamp,
    /// How many launches are left.
    left: u32,
    /// Since when the next one fills in.
    filling_since: Timestamp,
    /// How many the last decision took out.
    taken: u32,
}

impl BackOff {
    /// What is left after one more failure.
    pub(crate) fn after(before: Option<Self>, limits: &Limits, now: Timestamp) -> Self {
        let failures = before.map_or(0, |before| before.failures).saturating_add(1);
        Self {
            failures,
            failed_at: now,
            left: limits.max_launch().checked_shr(failures).unwrap_or(0),
            filling_since: now,
            taken: 0,
        }
    }

    /// Lets it fill until `now`; nothing is left of it where the last failure is long ago.
    pub(crate) fn filled(mut self, limits: &Limits, now: Timestamp) -> Option<Self> {
        const FORGOTTEN_AFTER: u32 = 18;
        let forgotten_after = limits.boot_deadline() * FORGOTTEN_AFTER;
        if now.since(self.failed_at) >= forgotten_after {
            return None;
        }
        let pause = self.pause(limits);
        let filled = now.since(self.filling_since).as_micros() / pause.as_micros().max(1);
        // At most 18 deadlines have passed, and a pause is half of one at least, so the number is small.
        let filled = u32::try_from(filled).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(filled).min(limits.max_launch());
        self.filling_since = self.filling_since + pause.saturating_mul(filled);
        Some(self)
    }

    pub(crate) const fn failures(self) -> u32 {
        self.failures
    }

    pub(crate) const fn failed_at(self) -> Timestamp {
        self.failed_at
    }

    pub(crate) const fn left(self) -> u32 {
        self.left
    }

    /// How long it takes until there is one launch more.
    pub(crate) fn pause(self, limits: &Limits) -> Duration {
        let deadline = limits.boot_deadline();
        match self.failures {
            0 | 1 => deadline / 2,
            2 => deadline,
            3 => deadline * 2,
            _ => deadline * 3,
        }
    }

    /// Takes out so many launches.
    pub(crate) const fn take(&mut self, launches: u32) {
        self.left = self.left.saturating_sub(launches);
        self.taken = launches;
    }

    /// Puts back what the last decision took out, where it was not carried out.
    pub(super) const fn give_back(&mut self) {
        self.left = self.left.saturating_add(self.taken);
        self.taken = 0;
    }

    /// Takes in that time stepped back by so much.
    pub(crate) fn stepped_back(&mut self, by: Duration) {
        self.failed_at = self.failed_at.before(by);
        self.filling_since = self.filling_since.before(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: i64 = 600;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn failed(times: u32, limits: &Limits) -> BackOff {
        let mut back_off = None;
        for _ in 0..times {
            back_off = Some(BackOff::after(back_off, limits, at(0)));
        }
        back_off.unwrap()
    }

    /// Whatever the failures, with nothing left.
    fn emptied(failures: u32) -> BackOff {
        let mut back_off = failed(1, &Limits::default());
        back_off.failures = failures;
        back_off.left = 0;
        back_off
    }

    fn left(back_off: BackOff, secs: i64) -> Option<u32> {
        let filled = back_off.filled(&Limits::default(), at(secs));
        filled.map(BackOff::left)
    }

    #[test]
    fn it_fills_more_slowly_with_each_failure_but_never_more_slowly_than_the_longest_pause() {
        let pauses = [
            (1, 300),
            (2, 600),
            (3, 1200),
            (4, 1800),
            (5, 1800),
            (u32::MAX, 1800),
        ];
        for (times, pause) in pauses {
            let back_off = emptied(times);
            assert_eq!(left(back_off, pause - 1), Some(0), "{times}");
            assert_eq!(left(back_off, pause), Some(1), "{times}");
            assert_eq!(left(back_off, 3 * pause), Some(3), "{times}");
        }
    }

    #[test]
    fn each_failure_leaves_half_as_many_and_in_the_end_none() {
        let limits = Limits::default();
        let left: Vec<_> = (1..=6).map(|n| failed(n, &limits).left()).collect();
        assert_eq!(left, [10, 5, 2, 1, 0, 0]);
        let limits = limits.with_max_launch(1).unwrap();
        assert_eq!(failed(1, &limits).left(), 0);
        let limits = limits.with_max_launch(10_000).unwrap();
        let many = BackOff {
            failures: u32::MAX - 1,
            ..emptied(1)
        };
        let more = BackOff::after(Some(many), &limits, at(0));
        assert_eq!((more.failures(), more.left()), (u32::MAX, 0));
    }

    #[test]
    fn what_has_filled_in_stays_and_the_rest_of_a_pause_is_not_lost() {
        let mut back_off = emptied(1);
        for secs in (0..=900).step_by(10) {
            back_off = back_off.filled(&Limits::default(), at(secs)).unwrap();
        }
        assert_eq!(back_off.left(), 3);
        back_off.take(2);
        assert_eq!(left(back_off, 900), Some(1));
        back_off.give_back();
        assert_eq!(left(back_off, 1199), Some(3));
    }

    #[test]
    fn it_holds_no_more_than_max_launch_and_is_forgotten() {
        let limits = Limits::default().with_max_launch(2).unwrap();
        let filled = failed(1, &limits).filled(&limits, at(5000)).unwrap();
        assert_eq!(filled.left(), 2);
        assert_eq!(left(emptied(9), 18 * DEADLINE - 1), Some(5));
        assert_eq!(left(emptied(9), 18 * DEADLINE), None);
    }

    #[test]
    fn extreme_values_do_not_overflow() {
        let limits = Limits::default()
            .with_boot_deadline(Duration::from_secs(86_400))
            .unwrap();
        for failed_at in [Timestamp::MIN, at(0), Timestamp::MAX] {
            for filling_since in [Timestamp::MIN, at(0), Timestamp::MAX] {
                let mut odd = BackOff {
                    failures: u32::MAX,
                    failed_at,
                    left: u32::MAX,
                    filling_since,
                    taken: u32::MAX,
                };
                odd.give_back();
                odd.stepped_back(Duration::MAX);
                for now in [Timestamp::MIN, at(0), Timestamp::MAX] {
                    let filled = odd.filled(&limits, now);
                    assert!(filled.is_none_or(|filled| filled.left() <= limits.max_launch()));
                }
            }
        }
    }
}
