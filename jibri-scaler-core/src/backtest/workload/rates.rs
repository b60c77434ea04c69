use std::time::Duration;

use crate::Timestamp;

/// The true rate of starts, minute by minute: what a policy could know at best.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, backtest::workload::Rates};
///
/// let at = Timestamp::from_secs;
/// let rates = Rates::new(at(0), vec![60.0, 0.0, 600.0]);
/// assert_eq!((rates.at(at(59)), rates.at(at(60)), rates.at(at(999))), (60.0, 0.0, 0.0));
/// assert!((rates.expected(at(30), at(130)) - (0.5 + 10.0 / 6.0)).abs() < 1e-9);
/// // The two minutes with most starts, of those that begin within the next two minutes.
/// assert!((rates.most_in(Duration::from_secs(120), at(0)) - 10.0).abs() < 1e-9);
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    start: Timestamp,
    per_hour: Vec<f64>,
    /// The expected number of starts before each minute.
    before: Vec<f64>,
}

impl Rates {
    /// These rates, in starts per hour, one for each minute from that time on; zero before and after.
    #[must_use]
    pub fn new(start: Timestamp, per_hour: Vec<f64>) -> Self {
        let mut sum = 0.0;
        let mut before = Vec::with_capacity(per_hour.len() + 1);
        before.push(sum);
        for rate in &per_hour {
            sum += rate / 60.0;
            before.push(sum);
        }
        Self {
            start,
            per_hour,
            before,
        }
    }

    /// The rates, one for each minute.
    #[must_use]
    pub fn per_hour(&self) -> &[f64] {
        &self.per_hour
    }

    /// Starts per hour at that time.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> f64 {
        let minutes = self.minutes(at);
        if minutes < 0.0 {
            return 0.0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and a number of minutes"
        )]
        let minute = minutes as usize;
        self.per_hour.get(minute).copied().unwrap_or(0.0)
    }

    /// How many starts are expected between two times.
    #[must_use]
    pub fn expected(&self, from: Timestamp, until: Timestamp) -> f64 {
        (self.sum(self.minutes(until)) - self.sum(self.minutes(from))).max(0.0)
    }

    /// The largest expected number of starts in any lead time that begins within one lead time from then on: what is launched now is
    /// there one lead later, and must last for another.
    #[must_use]
    pub fn most_in(&self, lead: Duration, now: Timestamp) -> f64 {
        let lead = lead.as_secs_f64() / 60.0;
        let from = self.minutes(now);
        // The sum is linear between whole minutes, so the largest difference has one of its ends there, or begins at an edge.
        let mut most: f64 = 0.0;
        let mut consider = |begin: f64| {
            if (from..=from + lead).contains(&begin) {
                most = most.max(self.sum(begin + lead) - self.sum(begin));
            }
        };
        consider(from);
        consider(from + lead);
        let mut minute = from.floor();
        while minute <= from + 2.0 * lead {
            consider(minute);
            consider(minute - lead);
            minute += 1.0;
        }
        most
    }

    /// How many minutes after the first a time is.
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of a century are exact"
    )]
    fn minutes(&self, at: Timestamp) -> f64 {
        at.as_micros().saturating_sub(self.start.as_micros()) as f64 / 60e6
    }

    /// The expected number of starts in so many minutes from the first on.
    fn sum(&self, minutes: f64) -> f64 {
        let last = self.before.len() - 1;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and a number of minutes"
        )]
        let whole = (minutes.max(0.0) as usize).min(last);
        #[expect(clippy::cast_precision_loss, reason = "a number of minutes")]
        let rest = (minutes - whole as f64).clamp(0.0, 1.0);
        self.before[whole] + rest * self.per_hour.get(whole).copied().unwrap_or(0.0) / 60.0
    }
}
