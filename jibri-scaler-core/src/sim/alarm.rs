use std::{fmt, time::Duration};

use super::{SimMetrics, SimStatistics, metrics};
use crate::{
    OutOfRange, Timestamp,
    native::{Growth, metric},
};

const MINUTE: Duration = Duration::from_secs(60);

/// How an alarm treats periods without data.
///
/// Source: [missing data](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html).
///
/// ```
/// use jibri_scaler_core::sim::TreatMissingData;
///
/// assert_eq!(TreatMissingData::default(), TreatMissingData::Missing, "as in CloudWatch");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TreatMissingData {
    /// `breaching`: as beyond the threshold.
    Breaching,
    /// `ignore`: the alarm keeps its state, and *repeats its action* where that is ALARM.
    Ignore,
    /// `missing`: without any data the alarm has `INSUFFICIENT_DATA`.
    #[default]
    Missing,
    /// `notBreaching`: as within the threshold.
    NotBreaching,
}

/// The state of an alarm.
///
/// ```
/// use jibri_scaler_core::sim::AlarmState;
///
/// assert_ne!(AlarmState::Ok, AlarmState::InsufficientData);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlarmState {
    /// Beyond the threshold.
    Alarm,
    /// It cannot be told, as right after it was made.
    InsufficientData,
    /// Within the threshold.
    Ok,
}

/// The math of an alarm: from the statistics of its metrics in one period to the value of that period.
type Expression = Box<dyn Fn(&[SimStatistics]) -> f64 + Send + Sync>;

/// A CloudWatch alarm on a metric math expression, whose action scales a group.
///
/// - It is evaluated every 10 s where its period is shorter than a minute, else every minute, over the newest closed periods as far
///   as their points have arrived; a period in which one of its metrics has no point is missing.
/// - It looks at two periods more than it needs. While there are enough with data, the newest of them decide and missing ones do not
///   matter; only where there are not, the missing ones are filled in as [`TreatMissingData`] says.
/// - With `missing`, a breaching period as old as the number that must breach, with nothing newer but breaching or missing ones, is
///   an ALARM all the same.
/// - Its action is repeated once a minute while it is in ALARM.
///
/// How far beyond the number of evaluated periods CloudWatch looks is not documented; its examples show five for three.
///
/// Sources: [alarms](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html),
/// [missing data](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html),
/// [`PutMetricAlarm`](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html).
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, native::metric, sim::{AlarmState, SimAlarm, SimMetrics}};
///
/// // Two minutes in a row with more than 10 idle ones.
/// let start = Timestamp::from_secs(0);
/// let mut alarm = SimAlarm::new(start, Duration::from_secs(60), 2, 2)?
///     .with_expression([metric::IDLE], |seen| seen[0].sum)
///     .with_threshold(11.0);
/// let metrics = SimMetrics::standard(start);
/// metrics.put(metric::IDLE, Timestamp::from_secs(30), 12.0);
/// metrics.put(metric::IDLE, Timestamp::from_secs(90), 13.0);
/// metrics.advance(Timestamp::from_secs(120));
/// assert_eq!(alarm.evaluate(&metrics), Some(vec![12.0, 13.0]), "it acts");
/// assert_eq!(alarm.state(), AlarmState::Alarm);
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
pub struct SimAlarm {
    period: Duration,
    datapoints_to_alarm: usize,
    evaluation_periods: usize,
    metrics: Vec<&'static str>,
    expression: Expression,
    threshold: f64,
    missing: TreatMissingData,
    state: AlarmState,
    next: Timestamp,
    /// When its action is due, or repeated.
    acts: Option<Timestamp>,
}

impl SimAlarm {
    /// An alarm of which `datapoints_to_alarm` of `evaluation_periods` periods must breach: by default where the SUM of
    /// [`IDLE`](metric::IDLE) is 1 or more, treating missing data as missing.
    ///
    /// # Errors
    /// Where the period is not 10 s, 20 s, 30 s or whole minutes, or not 1 ≤ `datapoints_to_alarm` ≤ `evaluation_periods`.
    pub fn new(
        start: Timestamp,
        period: Duration,
        datapoints_to_alarm: u32,
        evaluation_periods: u32,
    ) -> Result<Self, OutOfRange> {
        metrics::check_period(period)?;
        if period < Duration::from_secs(10) {
            return Err(OutOfRange::new(
                "period",
                format!("{period:?}"),
                "10s, 20s, 30s, or whole minutes",
            ));
        }
        if !(1..=evaluation_periods).contains(&datapoints_to_alarm) {
            return Err(OutOfRange::new(
                "datapoints_to_alarm",
                datapoints_to_alarm.to_string(),
                "1–evaluation_periods",
            ));
        }
        let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let mut alarm = Self {
            period,
            datapoints_to_alarm: count(datapoints_to_alarm),
            evaluation_periods: count(evaluation_periods),
            metrics: vec![metric::IDLE],
            expression: Box::new(|seen| seen.iter().map(|seen| seen.sum).sum()),
            threshold: 1.0,
            missing: TreatMissingData::default(),
            state: AlarmState::InsufficientData,
            next: start,
            acts: None,
        };
        alarm.next = metrics::floor(start, alarm.interval()) + alarm.interval();
        Ok(alarm)
    }

    /// The alarm that grows a group.
    ///
    /// # Errors
    /// Where the period is not 10 s, 20 s, 30 s or whole minutes.
    pub fn of_growth(
        growth: Growth,
        start: Timestamp,
        period: Duration,
    ) -> Result<Self, OutOfRange> {
        let alarm = Self::new(start, period, Growth::PERIODS, Growth::PERIODS)?;
        let names = [metric::IDLE, metric::IN_SERVICE];
        Ok(alarm
            .with_expression(names, move |seen| {
                growth.value(seen[0].sum, seen[0].samples, seen[1].maximum)
            })
            .with_threshold(Growth::THRESHOLD)
            .with_missing_data(TreatMissingData::NotBreaching))
    }

    /// What it watches: the expression is given the statistics of these metrics in a period, in this order.
    #[must_use]
    pub fn with_expression(
        mut self,
        metrics: impl IntoIterator<Item = &'static str>,
        expression: impl Fn(&[SimStatistics]) -> f64 + Send + Sync + 'static,
    ) -> Self {
        self.metrics = metrics.into_iter().collect();
        self.expression = Box::new(expression);
        self
    }

    /// A period breaches where its value is this or more (`GreaterThanOrEqualToThreshold`).
    #[must_use]
    pub const fn with_threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// How it treats periods without data.
    #[must_use]
    pub const fn with_missing_data(mut self, missing: TreatMissingData) -> Self {
        self.missing = missing;
        self
    }

    /// Its state.
    #[must_use]
    pub const fn state(&self) -> AlarmState {
        self.state
    }

    /// From what value on a period breaches.
    #[must_use]
    pub const fn threshold(&self) -> f64 {
        self.threshold
    }

    /// When it is evaluated next.
    #[must_use]
    pub const fn next_evaluation(&self) -> Timestamp {
        self.next
    }

    /// Evaluates it, if that is due at the time of the metrics, once. Where it acts then, these are the values of the periods that
    /// were evaluated, oldest first; none where all were missing.
    pub fn evaluate(&mut self, metrics: &SimMetrics) -> Option<Vec<f64>> {
        let now = metrics.now();
        if now < self.next {
            return None;
        }
        let tick = metrics::floor(now, self.interval());
        self.next = tick + self.interval();
        let seen = self.look(metrics, metrics::floor(tick, self.period));
        self.state = self.judge(&seen);
        if self.state != AlarmState::Alarm {
            self.acts = None;
            return None;
        }
        if self.acts.is_some_and(|acts| now < acts) {
            return None;
        }
        self.acts = Some(tick + MINUTE);
        let values: Vec<f64> = seen.into_iter().flatten().collect();
        let old = values.len().saturating_sub(self.evaluation_periods);
        Some(values[old..].to_vec())
    }

    fn interval(&self) -> Duration {
        if self.period < MINUTE {
            Duration::from_secs(10)
        } else {
            MINUTE
        }
    }

    /// The values of the periods of its range that end by then, oldest first.
    fn look(&self, metrics: &SimMetrics, end: Timestamp) -> Vec<Option<f64>> {
        let range = u32::try_from(self.evaluation_periods + 2).unwrap_or(u32::MAX);
        let starts = (1..=range).rev().map(|back| end.before(self.period * back));
        starts
            .map(|start| {
                let of = |name: &&str| metrics.period(name, start, self.period);
                let seen: Option<Vec<_>> = self.metrics.iter().map(of).collect();
                seen.map(|seen| (self.expression)(&seen))
            })
            .collect()
    }

    fn judge(&self, range: &[Option<f64>]) -> AlarmState {
        let breaches = |value: &f64| *value >= self.threshold;
        let real: Vec<bool> = range.iter().flatten().map(breaches).collect();
        let (needed, periods) = (self.datapoints_to_alarm, self.evaluation_periods);
        let of = |breaching: usize| {
            if breaching >= needed {
                AlarmState::Alarm
            } else {
                AlarmState::Ok
            }
        };
        let count = |points: &[bool]| points.iter().filter(|breaches| **breaches).count();
        if real.len() >= periods {
            return of(count(&real[real.len() - periods..]));
        }
        let filled = periods - real.len();
        match self.missing {
            TreatMissingData::Breaching => of(count(&real) + filled),
            TreatMissingData::NotBreaching => of(count(&real)),
            // What is there decides, if it can.
            _ if count(&real) >= needed || real.contains(&false) => of(count(&real)),
            TreatMissingData::Ignore => self.state,
            TreatMissingData::Missing => {
                let oldest = range.iter().position(Option::is_some);
                let age = oldest.map_or(0, |oldest| range.len() - oldest);
                if age >= needed {
                    AlarmState::Alarm
                } else {
                    AlarmState::InsufficientData
                }
            }
        }
    }
}

impl fmt::Debug for SimAlarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimAlarm")
            .field("state", &self.state)
            .field("period", &self.period)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
