//! A metric as CloudWatch has it: one value for each period.

use std::{collections::VecDeque, time::Duration};

use crate::Timestamp;

/// The newest values of a metric, one for each whole period: the last that was published in it.
#[derive(Clone, Debug)]
pub(super) struct Periods {
    period: i64,
    current: Option<(i64, f64)>,
    /// The newest last.
    whole: VecDeque<f64>,
    kept: usize,
}

impl Periods {
    /// Periods of that length, of which so many are looked at.
    pub(super) fn new(period: Duration, kept: u32) -> Self {
        let micros = i64::try_from(period.as_micros()).unwrap_or(i64::MAX);
        Self {
            period: micros.max(1),
            current: None,
            whole: VecDeque::new(),
            kept: usize::try_from(kept).unwrap_or(usize::MAX).max(1),
        }
    }

    /// A value is published; whether a period is over, so that alarms look.
    pub(super) fn publish(&mut self, now: Timestamp, value: f64) -> bool {
        let number = now.as_micros().div_euclid(self.period);
        let before = self.current.replace((number, value));
        match before {
            Some((old, value)) if old != number => {
                self.whole.push_back(value);
                while self.whole.len() > self.kept {
                    self.whole.pop_front();
                }
                true
            }
            _ => false,
        }
    }

    /// Whether the newest so many values all breach.
    pub(super) fn all(&self, count: u32, breaches: impl Fn(f64) -> bool) -> bool {
        let count = usize::try_from(count).unwrap_or(usize::MAX).max(1);
        self.whole.len() >= count && self.whole.iter().rev().take(count).all(|v| breaches(*v))
    }

    /// The value of the newest whole period.
    pub(super) fn newest(&self) -> Option<f64> {
        self.whole.back().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_its_last_value_and_an_alarm_looks_when_it_is_over() {
        let mut periods = Periods::new(Duration::from_secs(60), 2);
        let mut over = Vec::new();
        for (secs, value) in [(0, 1.0), (30, 2.0), (60, 3.0), (90, 4.0), (120, 5.0)] {
            if periods.publish(Timestamp::from_secs(secs), value) {
                over.push((secs, periods.newest()));
            }
        }
        assert_eq!(over, [(60, Some(2.0)), (120, Some(4.0))]);
        assert!(periods.all(2, |value| value >= 2.0));
        assert!(!periods.all(2, |value| value > 2.0));
        assert!(!periods.all(3, |_| true), "there are two");
    }
}
