//! From pages of `GetMetricData` to sums.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{MetricDataResult, StatusCode},
};
use jibri_scaler_core::{Timestamp, agent::port::SignalSum, port::PortErrorKind};

/// The two statistics that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Series {
    Idle,
    Publishers,
}

impl Series {
    pub(super) const ALL: [Self; 2] = [Self::Idle, Self::Publishers];

    /// Its id in the request, and in the answer.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Publishers => "n",
        }
    }

    pub(super) const fn statistic(self) -> &'static str {
        match self {
            Self::Idle => "Sum",
            Self::Publishers => "SampleCount",
        }
    }
}

/// Whole periods, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) period: Duration,
}

impl Window {
    /// The periods that lie in `from..to` as a whole. CloudWatch's begin at multiples of their length.
    pub(super) fn new(from: Timestamp, to: Timestamp, period: Duration) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{period:?} is no period of CloudWatch: take 1, 5, 10, 20 or 30 s, or whole minutes"
            )
        };
        let seconds = i32::try_from(period.as_secs()).map_err(|_| wrong())?;
        let known = matches!(seconds, 1 | 5 | 10 | 20 | 30) || seconds > 0 && seconds % 60 == 0;
        if !known || period.subsec_nanos() > 0 {
            return Err(wrong());
        }
        let length = i64::from(seconds) * 1_000_000;
        let first = -(-from.as_micros()).div_euclid(length);
        let last = to.as_micros().div_euclid(length);
        Ok(Self {
            start: first * i64::from(seconds),
            end: last * i64::from(seconds),
            period,
        })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}

/// Why there are no sums.
type Unread = (PortErrorKind, String);

/// The sums that all pages say, oldest first.
pub(super) fn of(results: &[MetricDataResult]) -> Result<Vec<SignalSum>, Unread> {
    let idle = values(Series::Idle, results)?;
    let publishers = values(Series::Publishers, results)?;
    // Two views of the same points; they differ where one came in between.
    if !idle.keys().eq(publishers.keys()) {
        let why = "the two statistics are not of the same periods".to_owned();
        return Err((PortErrorKind::Transient, why));
    }
    let sums = idle.into_iter().zip(publishers.into_values());
    Ok(sums
        .map(|((at, idle), publishers)| SignalSum::new(Timestamp::from_secs(at), idle, publishers))
        .collect())
}

/// The values of one statistic over all pages, by the second in which their period begins.
fn values(series: Series, results: &[MetricDataResult]) -> Result<BTreeMap<i64, f64>, Unread> {
    let id = series.id();
    let mut all = BTreeMap::new();
    let mut last = None;
    for result in results.iter().filter(|result| result.id() == Some(id)) {
        let status = result.status_code();
        match status {
            // Partial is what every page but the last may be.
            Some(StatusCode::Complete | StatusCode::PartialData) => last = status,
            Some(StatusCode::Forbidden) => {
                let why = format!("CloudWatch forbids to read `{id}`");
                return Err((PortErrorKind::Permanent, why));
            }
            other => {
                let why = format!("the status of `{id}` is {}", name(other));
                return Err((PortErrorKind::Transient, why));
            }
        }
        let (times, values) = (result.timestamps(), result.values());
        if times.len() != values.len() {
            let (times, values) = (times.len(), values.len());
            let why = format!("`{id}` has {times} times and {values} values");
            return Err((PortErrorKind::Transient, why));
        }
        all.extend(times.iter().map(DateTime::secs).zip(values.iter().copied()));
    }
    if last != Some(&StatusCode::Complete) {
        let why = format!(
            "the answer for `{id}` is not whole, its status is {}",
            name(last)
        );
        return Err((PortErrorKind::Transient, why));
    }
    Ok(all)
}

fn name(status: Option<&StatusCode>) -> &str {
    status.map_or("none", StatusCode::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn only_whole_periods_are_in_the_window() {
        let minute = at("2026-11-22T10:00:00Z");
        let seconds = minute.as_micros() / 1_000_000;
        let micro = Duration::from_micros(1);
        let ten = Duration::from_secs(10);
        for (from, to, start, end) in [
            (minute, minute + ten * 3, 0, 30),
            (minute + micro, minute + ten * 3, 10, 30),
            (minute.before(micro), minute + ten * 3, 0, 30),
            (minute, (minute + ten * 3).before(micro), 0, 20),
            (minute, minute + ten * 3 + micro, 0, 30),
        ] {
            let window = Window::new(from, to, ten).unwrap();
            assert_eq!(
                (window.start - seconds, window.end - seconds),
                (start, end),
                "{from} to {to}"
            );
            assert!(!window.is_empty());
        }
        for (from, to) in [
            (minute, minute),
            (minute + ten, minute),
            (minute + micro, minute + ten + micro),
            (minute, (minute + ten).before(micro)),
        ] {
            assert!(Window::new(from, to, ten).unwrap().is_empty());
        }
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        for period in [1, 86_400, 60 * (i32::MAX as u64 / 60)] {
            let period = Duration::from_secs(period);
            assert!(Window::new(Timestamp::MIN, Timestamp::MAX, period).is_ok());
            let none = Window::new(Timestamp::MAX, Timestamp::MIN, period).unwrap();
            assert!(none.is_empty());
        }
    }

    #[test]
    fn only_periods_of_cloudwatch_are_taken() {
        let now = at("2026-11-22T10:00:00Z");
        let window = |period| Window::new(now, now + Duration::from_hours(1), period);
        for seconds in [1, 5, 10, 20, 30, 60, 120, 3600] {
            assert!(window(Duration::from_secs(seconds)).is_ok(), "{seconds}");
        }
        for period in [
            Duration::ZERO,
            Duration::from_millis(500),
            Duration::from_secs(2),
            Duration::from_secs(15),
            Duration::from_secs(90),
            Duration::from_millis(10_500),
            Duration::from_secs(u64::from(u32::MAX) * 60),
        ] {
            let why = window(period).unwrap_err();
            assert!(why.contains("no period of CloudWatch"), "{period:?}");
        }
    }
}
