//! How many Jibris were busy in the past.

use std::{collections::BTreeMap, time::Duration};

use jibri_scaler_core::{Timestamp, native::metric, port::PortError};

use super::{Inspector, signal::values};

/// How long CloudWatch keeps points in periods of which length
/// ([`GetMetricStatistics`](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html)), an hour less for
/// the first two, since what is on the edge may be gone by the time it is asked for.
const KEPT: [(Duration, Duration); 3] = [
    (Duration::from_hours(15 * 24 - 1), Duration::from_mins(1)),
    (Duration::from_hours(63 * 24 - 1), Duration::from_mins(5)),
    (Duration::from_hours(455 * 24), Duration::from_hours(1)),
];

/// The number of busy Jibris over time.
///
/// ```
/// use jibri_scaler_aws::inspect::BusyHistory;
///
/// assert!(BusyHistory::default().periods.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BusyHistory {
    /// Oldest first, those without a point left out.
    pub periods: Vec<BusyAverage>,
    /// For how many of the periods the number was estimated from what agents publish, since no controller published `Busy` then: all
    /// Jibris that are not idle count as busy, those that boot or are unhealthy too.
    pub estimated: usize,
}

/// How many Jibris were busy on average in a period.
///
/// ```
/// use jibri_scaler_aws::inspect::BusyHistory;
///
/// let recorded = |history: &BusyHistory| -> f64 {
///     history.periods.iter().map(|period| period.busy * period.length.as_secs_f64()).sum()
/// };
/// assert_eq!(recorded(&BusyHistory::default()), 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BusyAverage {
    /// When the period begins.
    pub at: Timestamp,
    /// How long it is: a minute, five minutes, or an hour.
    pub length: Duration,
    /// The average.
    pub busy: f64,
}

impl Inspector {
    /// Reads how many Jibris were busy from a time on until now, in the shortest periods that CloudWatch still has: by the minute for 15
    /// days, by five minutes for 63, by the hour for 455; what is older is gone.
    ///
    /// A controller publishes the number as `Busy`. In periods without a point of it, it is estimated from what agents publish: `InService`,
    /// times the share that is not `Idle`.
    ///
    /// Harmless and cancel-safe. The timeout is that of each of the three parts. Priced by CloudWatch as up to nine metrics requested.
    ///
    /// # Errors
    /// Where a part could not be read.
    ///
    /// ```no_run
    /// use std::time::{Duration, SystemTime};
    /// use jibri_scaler_aws::inspect::Inspector;
    /// use jibri_scaler_core::Timestamp;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    /// let now = Timestamp::from(SystemTime::now());
    /// let inspector = Inspector::new(&sdk, "jibri-production".parse()?)?;
    /// for period in inspector.busy_history(now.before(Duration::from_hours(24)), now).await?.periods {
    ///     println!("{}: {}", period.at, period.busy);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn busy_history(
        &self,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<BusyHistory, PortError> {
        let mut history = BusyHistory::default();
        for (from, until, length) in parts(from, now) {
            let queries = vec![
                self.query("busy", "Busy", "Average", length),
                // Agents that have not counted of late publish 1, so that an average would be far too low.
                self.query("inservice", metric::IN_SERVICE, "Maximum", length),
                self.query("idle", metric::IDLE, "Average", length),
            ];
            let results = self.metrics(queries, (from, until), length).await?;
            let published = values(&results, "busy");
            let idle = values(&results, "idle");
            let in_service = values(&results, "inservice").into_iter();
            let mut busy: BTreeMap<Timestamp, f64> = in_service
                .filter(|(at, _)| !published.contains_key(at))
                .filter_map(|(at, number)| {
                    Some((at, number * (1.0 - idle.get(&at)?).clamp(0.0, 1.0)))
                })
                .collect();
            history.estimated += busy.len();
            busy.extend(published);
            let average = |(at, busy)| BusyAverage { at, length, busy };
            history.periods.extend(busy.into_iter().map(average));
        }
        Ok(history)
    }
}

/// From when until when which period is to be asked for, oldest first.
fn parts(from: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp, Duration)> {
    let mut parts = Vec::new();
    let mut until = now;
    for (kept, length) in KEPT {
        // Parts meet where all periods begin.
        let oldest = floor(now.before(kept), Duration::from_hours(1));
        let start = from.max(oldest);
        if start < until {
            parts.push((start, until, length));
            until = start;
        }
    }
    parts.reverse();
    parts
}

fn floor(at: Timestamp, period: Duration) -> Timestamp {
    Timestamp::from_secs(super::signal::floor(at, period))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_is_read_in_longer_periods() {
        let now: Timestamp = "2026-11-22T10:17:33Z".parse().unwrap();
        let days = |days: u64| Duration::from_hours(24 * days);
        let lengths = |back: Duration| {
            let parts = parts(now.before(back), now);
            for pair in parts.windows(2) {
                assert_eq!(pair[0].1, pair[1].0, "no gap and no overlap");
                assert_eq!(pair[0].1, floor(pair[0].1, Duration::from_hours(1)));
            }
            assert!(parts.last().is_none_or(|part| part.1 == now));
            parts
                .iter()
                .map(|part| part.2.as_secs())
                .collect::<Vec<_>>()
        };
        assert_eq!(lengths(days(1)), [60]);
        assert_eq!(lengths(days(30)), [300, 60]);
        assert_eq!(lengths(days(400)), [3600, 300, 60]);
        assert_eq!(lengths(days(4000)), [3600, 300, 60]);
        assert_eq!(lengths(Duration::ZERO), [0_u64; 0]);
        let oldest = parts(Timestamp::MIN, now)[0].0;
        assert!(now.since(oldest) < days(456));
    }
}
