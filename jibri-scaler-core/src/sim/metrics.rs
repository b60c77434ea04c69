use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    OutOfRange, Timestamp,
    agent::port::{DrainPoint, IdleSignal, SignalPoint, SignalSum},
    native::metric,
    port::{PortError, PortErrorKind},
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The metrics of one group in memory, with the semantics of CloudWatch, on virtual time.
///
/// What all have published is one series per metric, whoever published it. A point counts in the clock-aligned period of its own
/// time, from when it arrives; a point that comes twice counts twice. Metrics of standard resolution are kept by the minute,
/// those of high resolution by the second, and periods under a minute can be read for three hours. Times of more than two weeks ago
/// or two hours ahead are refused.
///
/// It implements [`IdleSignal`] for the agents, and is what a [`SimAlarm`](super::SimAlarm) looks at. It is shared by reference or
/// `Arc`. Time goes on only when [`advance`](Self::advance) is called.
///
/// Sources: [concepts](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html),
/// [`PutMetricData`](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html),
/// [`GetMetricData`](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html).
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, native::metric, sim::SimMetrics};
///
/// let metrics = SimMetrics::standard(Timestamp::from_secs(0)).with_delay(Duration::from_secs(5));
/// metrics.put(metric::IDLE, Timestamp::from_secs(0), 1.0);
/// metrics.put(metric::IDLE, Timestamp::from_secs(30), 0.0);
/// let minute = |metrics: &SimMetrics| metrics.period(metric::IDLE, Timestamp::from_secs(0), Duration::from_secs(60));
/// assert_eq!(minute(&metrics), None);
/// metrics.advance(Timestamp::from_secs(5));
/// let seen = minute(&metrics).expect("both have arrived");
/// assert_eq!((seen.sum, seen.samples), (1.0, 2.0));
/// ```
#[derive(Debug)]
pub struct SimMetrics {
    resolution: Duration,
    delay: Duration,
    store: Mutex<Store>,
}

/// The statistics of one period of a metric.
///
/// ```
/// use jibri_scaler_core::{Timestamp, sim::SimStatistics};
///
/// let one = SimStatistics::of(Timestamp::from_secs(0), 7.0);
/// assert_eq!((one.sum, one.samples, one.minimum, one.maximum), (7.0, 1.0, 7.0, 7.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SimStatistics {
    /// The start of the period.
    pub at: Timestamp,
    /// SUM: of all values.
    pub sum: f64,
    /// `SampleCount`: how many points there were.
    pub samples: f64,
    /// The smallest value.
    pub minimum: f64,
    /// The largest value.
    pub maximum: f64,
}

impl SimStatistics {
    /// The statistics of a single value.
    #[must_use]
    pub const fn of(at: Timestamp, value: f64) -> Self {
        Self {
            at,
            sum: value,
            samples: 1.0,
            minimum: value,
            maximum: value,
        }
    }

    fn join(&mut self, other: &Self) {
        self.sum += other.sum;
        self.samples += other.samples;
        self.minimum = self.minimum.min(other.minimum);
        self.maximum = self.maximum.max(other.maximum);
    }
}

impl SimMetrics {
    /// Metrics that are kept by the minute (`StorageResolution` 60), which is the default of CloudWatch.
    #[must_use]
    pub fn standard(start: Timestamp) -> Self {
        Self::new(start, MINUTE)
    }

    /// Metrics that are kept by the second (`StorageResolution` 1), as alarms with a period of 10 s need.
    #[must_use]
    pub fn high_resolution(start: Timestamp) -> Self {
        Self::new(start, Duration::from_secs(1))
    }

    fn new(start: Timestamp, resolution: Duration) -> Self {
        Self {
            resolution,
            delay: Duration::ZERO,
            store: Mutex::new(Store {
                now: start,
                arriving: BTreeMap::new(),
                series: BTreeMap::new(),
                failing: None,
            }),
        }
    }

    /// How long a point is on its way until it counts. Default zero.
    #[must_use]
    pub const fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The time of the metrics.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// Lets time go on until `now`, and points arrive. Time never goes back.
    pub fn advance(&self, now: Timestamp) {
        let mut store = self.lock();
        store.now = store.now.max(now);
        store.arrive(self.resolution);
    }

    /// From now on the calls of agents fail like this and do nothing, or, with `None`, work again.
    pub fn set_failing(&self, kind: Option<PortErrorKind>) {
        self.lock().failing = kind;
    }

    /// Somebody publishes a point of that time.
    pub fn put(&self, name: &'static str, at: Timestamp, value: f64) {
        let mut store = self.lock();
        let arrives = store.now + self.delay;
        let arriving = store.arriving.entry(arrives).or_default();
        arriving.push((name, SimStatistics::of(at, value)));
        store.arrive(self.resolution);
    }

    /// The statistics of the period that starts then, with what has arrived until now. `None` where there is no point.
    #[must_use]
    pub fn period(&self, name: &str, start: Timestamp, period: Duration) -> Option<SimStatistics> {
        let store = self.lock();
        let series = store.series.get(name)?;
        let mut joined: Option<SimStatistics> = None;
        for part in series.range(start..start + period).map(|(_, part)| part) {
            match &mut joined {
                Some(joined) => joined.join(part),
                None => joined = Some(*part),
            }
        }
        joined.map(|joined| SimStatistics {
            at: start,
            ..joined
        })
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        // What a panicking thread left is whole: the store changes in calls that do not panic.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call of an agent, which may be set to fail.
    fn reach(&self, doing: &str) -> Result<(), PortError> {
        match self.lock().failing {
            Some(kind) => Err(PortError::new(kind, doing).with_source("it was set to fail")),
            None => Ok(()),
        }
    }

    /// Refuses a time that CloudWatch refuses.
    fn check_time(&self, at: Timestamp) -> Result<(), PortError> {
        let now = self.now();
        if (now.before(14 * 24 * HOUR)..=now + 2 * HOUR).contains(&at) {
            return Ok(());
        }
        let why = format!("the time {at} must be within the past two weeks or the next two hours");
        Err(PortError::new(PortErrorKind::Permanent, PUBLISH).with_source(why))
    }
}

const PUBLISH: &str = "publish the idle signal";
const READ: &str = "read the idle signal of the group";

#[async_trait]
impl IdleSignal for SimMetrics {
    async fn publish(&self, points: &[SignalPoint]) -> Result<(), PortError> {
        if points.is_empty() {
            return Ok(());
        }
        self.reach(PUBLISH)?;
        for point in points {
            self.check_time(point.at)?;
        }
        for point in points {
            let besides = [
                (metric::IN_SERVICE, point.in_service.map(f64::from)),
                (metric::RETAINED, point.retained.map(f64::from)),
                (
                    metric::BUSY_SECONDS,
                    point.busy_for.map(|span| span.as_secs_f64()),
                ),
            ];
            self.put(metric::IDLE, point.at, f64::from(u8::from(point.idle)));
            for (name, value) in besides {
                if let Some(value) = value {
                    self.put(name, point.at, value);
                }
            }
        }
        Ok(())
    }

    async fn publish_drain(&self, point: DrainPoint) -> Result<(), PortError> {
        self.reach(PUBLISH)?;
        self.check_time(point.at)?;
        self.put(metric::HOOK_SECONDS, point.at, point.held_for.as_secs_f64());
        if point.release_check_failed {
            self.put(metric::RELEASE_CHECK_FAILED, point.at, 1.0);
        }
        Ok(())
    }

    async fn sums(
        &self,
        from: Timestamp,
        to: Timestamp,
        period: Duration,
    ) -> Result<Vec<SignalSum>, PortError> {
        self.reach(READ)?;
        check_period(period)
            .map_err(|error| PortError::new(PortErrorKind::Permanent, READ).with_source(error))?;
        let now = self.now();
        let mut sums = Vec::new();
        // The start is rounded down.
        let mut start = floor(from, period);
        while start < to {
            let kept = period >= MINUTE || now.since(start) <= 3 * HOUR;
            if let Some(seen) = self.period(metric::IDLE, start, period).filter(|_| kept) {
                sums.push(SignalSum::new(start, seen.sum, seen.samples));
            }
            start = start + period;
        }
        Ok(sums)
    }
}

/// The start of the clock-aligned period in which this time lies.
pub(super) fn floor(at: Timestamp, period: Duration) -> Timestamp {
    let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX).max(1);
    let micros = at.as_micros();
    Timestamp::from_micros(micros - micros.rem_euclid(period))
}

/// Refuses a period that CloudWatch does not know: 1, 5, 10, 20 and 30 s, and whole minutes.
pub(super) fn check_period(period: Duration) -> Result<(), OutOfRange> {
    let secs = period.as_secs();
    let known = matches!(secs, 1 | 5 | 10 | 20 | 30) || (secs > 0 && secs.is_multiple_of(60));
    if known && period.subsec_nanos() == 0 {
        return Ok(());
    }
    Err(OutOfRange::new(
        "period",
        format!("{period:?}"),
        "1s, 5s, 10s, 20s, 30s, or whole minutes",
    ))
}

#[derive(Debug)]
struct Store {
    now: Timestamp,
    /// Points that were published and do not count yet, by when they will.
    arriving: BTreeMap<Timestamp, Vec<(&'static str, SimStatistics)>>,
    /// By metric and by the start of what can be told apart.
    series: BTreeMap<&'static str, BTreeMap<Timestamp, SimStatistics>>,
    failing: Option<PortErrorKind>,
}

impl Store {
    fn arrive(&mut self, resolution: Duration) {
        while let Some(entry) = self.arriving.first_entry() {
            if *entry.key() > self.now {
                return;
            }
            for (name, mut point) in entry.remove() {
                point.at = floor(point.at, resolution);
                let series = self.series.entry(name).or_default();
                series
                    .entry(point.at)
                    .and_modify(|kept| kept.join(&point))
                    .or_insert(point);
            }
        }
    }
}

#[cfg(test)]
mod tests;
