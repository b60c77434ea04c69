//! Alarms.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_cloudwatch::types::{
    AlarmType, Dimension, MetricAlarm as Row, MetricDataQuery, Statistic,
};
use jibri_scaler_core::{native::GROUP_DIMENSION, port::PortError};

use super::{Inspector, ScalingPolicy, page};
use crate::failure::Failure;

/// Alarms are listed by so many at most
/// ([`DescribeAlarms`](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html)).
const ALARMS_PER_PAGE: i32 = 100;

/// What a query of an alarm reads.
///
/// ```
/// use std::{collections::BTreeMap, time::Duration};
/// use jibri_scaler_aws::inspect::QuerySource;
///
/// let idle = QuerySource::Metric {
///     namespace: "Jibri".into(),
///     metric: "Idle".into(),
///     dimensions: BTreeMap::from([("AutoScalingGroupName".into(), "jibri".into())]),
///     statistic: "Sum".into(),
///     unit: None,
/// };
/// assert_ne!(idle, QuerySource::Expression("3 - idle".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuerySource {
    /// A metric.
    Metric {
        /// Its namespace.
        namespace: String,
        /// Its name.
        metric: String,
        /// Its dimensions, by name.
        dimensions: BTreeMap<String, String>,
        /// How the points of a period are put together: `Sum`, `Average`, `SampleCount`, `p95` and so on.
        statistic: String,
        /// The unit that points must have, where only some count.
        unit: Option<String>,
    },
    /// Metric math over the other queries.
    Expression(String),
}

/// One of the queries that an alarm is made of.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_aws::inspect::{MetricQuery, QuerySource};
///
/// let query = MetricQuery::new("short", QuerySource::Expression("3 - idle".into()));
/// assert!(query.is_result);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricQuery {
    /// Its id, by which expressions name it; empty where the alarm is over one metric without math.
    pub id: String,
    /// What it reads.
    pub source: QuerySource,
    /// Its period; an expression has none of its own.
    pub period: Option<Duration>,
    /// Whether it is the one that is compared with the threshold.
    pub is_result: bool,
}

impl MetricQuery {
    /// A query without a period whose result is compared with the threshold.
    #[must_use]
    pub fn new(id: impl Into<String>, source: QuerySource) -> Self {
        Self {
            id: id.into(),
            source,
            period: None,
            is_result: true,
        }
    }
}

/// A metric alarm.
///
/// ```
/// use jibri_scaler_aws::inspect::Alarm;
///
/// let alarm = Alarm::new("jibri-grow");
/// assert_eq!(alarm.missing_data, "missing", "the default of AWS");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its ARN, where AWS gave one.
    pub arn: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// What it reads; one query without an id where it is over one metric without math.
    pub queries: Vec<MetricQuery>,
    /// M of M of N: so many of the newest periods must be over the threshold.
    pub datapoints_to_alarm: u32,
    /// N of M of N: so many of the newest periods are looked at.
    pub evaluation_periods: u32,
    /// What the result is compared with; `None` for a band of expected values.
    pub threshold: Option<f64>,
    /// How it is compared, such as `GreaterThanThreshold`.
    pub comparison: String,
    /// What a period without a point is taken for: `missing`, `ignore`, `breaching` or `notBreaching`.
    pub missing_data: String,
    /// Whether it does anything.
    pub actions_enabled: bool,
    /// The ARNs of what it does in alarm.
    pub alarm_actions: Vec<String>,
    /// The ARNs of what it does when all is well again.
    pub ok_actions: Vec<String>,
    /// The ARNs of what it does for want of data.
    pub insufficient_data_actions: Vec<String>,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
}

impl Alarm {
    /// An alarm over nothing that does nothing, with the defaults of AWS.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            arn: None,
            description: None,
            queries: Vec::new(),
            datapoints_to_alarm: 1,
            evaluation_periods: 1,
            threshold: None,
            comparison: String::new(),
            missing_data: "missing".into(),
            actions_enabled: true,
            alarm_actions: Vec::new(),
            ok_actions: Vec::new(),
            insufficient_data_actions: Vec::new(),
            state: "INSUFFICIENT_DATA".into(),
        }
    }

    /// The ARNs of all its actions.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        [
            &self.alarm_actions,
            &self.ok_actions,
            &self.insufficient_data_actions,
        ]
        .into_iter()
        .flatten()
        .map(String::as_str)
    }
}

impl Inspector {
    /// The alarms that run a policy of the group, or are over a metric with its name as a dimension. Math alarms cannot be asked
    /// for by metric, so all alarms are looked at.
    pub(super) async fn alarms(&self, policies: &[ScalingPolicy]) -> Result<Vec<Alarm>, PortError> {
        let operation = || self.of_group("the alarms");
        let rows = page::all(operation(), self.timeout, |token, left| async move {
            self.cloudwatch
                .describe_alarms()
                .alarm_types(AlarmType::MetricAlarm)
                .max_records(ALARMS_PER_PAGE)
                .set_next_token(token)
                .customize()
                .config_override(self.cloudwatch_override(left))
                .send()
                .await
                .map(|page| (page.metric_alarms.unwrap_or_default(), page.next_token))
                .map_err(|error| {
                    Failure::new("cloudwatch:DescribeAlarms", error).during(operation())
                })
        })
        .await?;
        let named: BTreeSet<_> = policies.iter().flat_map(|policy| &policy.alarms).collect();
        // The ARN of each policy of the group has this in it.
        let acts_on_group = format!(":autoScalingGroupName/{}:policyName/", self.name);
        let mut alarms: Vec<_> = rows.into_iter().map(alarm).collect();
        alarms.retain(|alarm| {
            named.contains(&alarm.name)
                || alarm.actions().any(|arn| arn.contains(&acts_on_group))
                || alarm
                    .queries
                    .iter()
                    .any(|query| self.is_ours(&query.source))
        });
        alarms.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(alarms)
    }

    fn is_ours(&self, source: &QuerySource) -> bool {
        match source {
            QuerySource::Metric { dimensions, .. } => {
                dimensions.get(GROUP_DIMENSION).map(String::as_str) == Some(self.name.as_str())
            }
            QuerySource::Expression(_) => false,
        }
    }
}

fn alarm(row: Row) -> Alarm {
    let mut alarm = Alarm::new(row.alarm_name.clone().unwrap_or_default());
    alarm.queries = match row.metrics.as_deref() {
        Some(queries) if !queries.is_empty() => queries.iter().filter_map(query).collect(),
        _ => vec![single(&row)],
    };
    alarm.arn = row.alarm_arn;
    alarm.description = row.alarm_description;
    alarm.evaluation_periods = count(row.evaluation_periods).unwrap_or(1);
    alarm.datapoints_to_alarm = count(row.datapoints_to_alarm).unwrap_or(alarm.evaluation_periods);
    alarm.threshold = row.threshold;
    alarm.comparison = row
        .comparison_operator
        .map_or_else(String::new, |c| c.as_str().into());
    if let Some(treatment) = row.treat_missing_data {
        alarm.missing_data = treatment;
    }
    alarm.actions_enabled = row.actions_enabled != Some(false);
    alarm.alarm_actions = row.alarm_actions.unwrap_or_default();
    alarm.ok_actions = row.ok_actions.unwrap_or_default();
    alarm.insufficient_data_actions = row.insufficient_data_actions.unwrap_or_default();
    if let Some(state) = row.state_value {
        alarm.state = state.as_str().into();
    }
    alarm
}

/// The one query of an alarm without math.
fn single(row: &Row) -> MetricQuery {
    let statistic = row.statistic.as_ref().map(Statistic::as_str);
    let statistic = statistic
        .or(row.extended_statistic.as_deref())
        .unwrap_or_default();
    MetricQuery {
        id: String::new(),
        source: QuerySource::Metric {
            namespace: row.namespace.clone().unwrap_or_default(),
            metric: row.metric_name.clone().unwrap_or_default(),
            dimensions: dimensions(row.dimensions()),
            statistic: statistic.into(),
            unit: row.unit.as_ref().map(|unit| unit.as_str().into()),
        },
        period: period(row.period),
        is_result: true,
    }
}

fn query(row: &MetricDataQuery) -> Option<MetricQuery> {
    let source = if let Some(stat) = row.metric_stat() {
        let metric = stat.metric()?;
        QuerySource::Metric {
            namespace: metric.namespace.clone().unwrap_or_default(),
            metric: metric.metric_name.clone().unwrap_or_default(),
            dimensions: dimensions(metric.dimensions()),
            statistic: stat.stat.clone().unwrap_or_default(),
            unit: stat.unit.as_ref().map(|unit| unit.as_str().into()),
        }
    } else {
        QuerySource::Expression(row.expression.clone()?)
    };
    Some(MetricQuery {
        id: row.id.clone().unwrap_or_default(),
        source,
        period: period(row.metric_stat().map_or(row.period, |stat| stat.period)),
        // The default of AWS.
        is_result: row.return_data != Some(false),
    })
}

fn dimensions(rows: &[Dimension]) -> BTreeMap<String, String> {
    rows.iter()
        .filter_map(|row| Some((row.name.clone()?, row.value.clone()?)))
        .collect()
}

fn period(seconds: Option<i32>) -> Option<Duration> {
    count(seconds).map(|seconds| Duration::from_secs(seconds.into()))
}

fn count(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}
