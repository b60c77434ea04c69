//! What the Jibris have published of late.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{MetricDataQuery, MetricDataResult, StatusCode},
};
use jibri_scaler_core::{
    Timestamp,
    agent::port::SignalSum,
    native::metric,
    port::{PortError, PortErrorKind},
};

use super::{Inspector, page};
use crate::{
    failure::Failure,
    metric::{GROUP_NAMESPACE, TERMINATING},
};

/// The shortest period that an alarm can have.
const SHORT: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_mins(1);

/// How far back is read. Points of high resolution are kept for three hours.
const SHORT_WINDOW: Duration = Duration::from_mins(15);
const MINUTE_WINDOW: Duration = Duration::from_hours(2);

/// What has been published of the group's Jibris, by agents or by a controller.
///
/// Periods are closed, aligned to the clock, oldest first; those without a point are left out.
///
/// ```
/// use jibri_scaler_aws::inspect::Signal;
///
/// assert!(Signal::default().minutes.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Signal {
    /// `Idle` in periods of 10 s, over the last 15 minutes. Points of standard resolution are all in the first of a minute.
    pub short: Vec<SignalSum>,
    /// `Idle` in periods of a minute, over the last two hours.
    pub minutes: Vec<SignalSum>,
    /// `InService`, which only agents publish, once with each point of `Idle`: how many points it has in each minute of the last
    /// two hours.
    pub by_agents: Vec<(Timestamp, f64)>,
    /// `WantedSpare`, which only a controller publishes: the average of each minute over the last two hours.
    pub wanted_spare: Vec<(Timestamp, f64)>,
    /// `HookSeconds`, which the agent of an instance whose termination is held publishes with each heartbeat: the most of each minute
    /// over the last two hours.
    pub hook_seconds: Vec<(Timestamp, f64)>,
    /// How many instances were on their way out, as Auto Scaling itself says where it collects `GroupTerminatingInstances`: the
    /// fewest of each minute over the last two hours.
    pub terminating: Vec<(Timestamp, f64)>,
}

impl Inspector {
    pub(super) async fn signal(&self, now: Timestamp) -> Result<Signal, PortError> {
        let idle = |period| {
            vec![
                self.query("idle", metric::IDLE, "Sum", period),
                self.query("n", metric::IDLE, "SampleCount", period),
            ]
        };
        let mut all = idle(MINUTE);
        all.push(self.query("agents", metric::IN_SERVICE, "SampleCount", MINUTE));
        all.push(self.query("wanted", "WantedSpare", "Average", MINUTE));
        all.push(self.query("hook", metric::HOOK_SECONDS, "Maximum", MINUTE));
        let group = (GROUP_NAMESPACE, &self.name);
        all.push(crate::metric::query(
            "terminating",
            group,
            TERMINATING,
            "Minimum",
            MINUTE,
        ));

        let last = |window| (now.before(window), now);
        let short = self.metrics(idle(SHORT), last(SHORT_WINDOW), SHORT).await?;
        let minutes = self.metrics(all, last(MINUTE_WINDOW), MINUTE).await?;
        Ok(Signal {
            short: sums(&short),
            minutes: sums(&minutes),
            by_agents: values(&minutes, "agents").into_iter().collect(),
            wanted_spare: values(&minutes, "wanted").into_iter().collect(),
            hook_seconds: values(&minutes, "hook").into_iter().collect(),
            terminating: values(&minutes, "terminating").into_iter().collect(),
        })
    }

    /// The results of the queries over the closed periods from a time until another.
    pub(super) async fn metrics(
        &self,
        queries: Vec<MetricDataQuery>,
        (from, until): (Timestamp, Timestamp),
        period: Duration,
    ) -> Result<Vec<MetricDataResult>, PortError> {
        let operation = || {
            format!(
                "read the metrics of Auto Scaling group `{}` in namespace `{}`",
                self.name, self.namespace
            )
        };
        let end = floor(until, period);
        let start = floor(from, period);
        let queries = &queries;
        let results = page::all(operation(), self.timeout, |token, left| async move {
            self.cloudwatch
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone()))
                .start_time(DateTime::from_secs(start))
                .end_time(DateTime::from_secs(end))
                .set_next_token(token)
                .customize()
                .config_override(self.cloudwatch_override(left))
                .send()
                .await
                .map(|page| {
                    (
                        page.metric_data_results.unwrap_or_default(),
                        page.next_token,
                    )
                })
                .map_err(|error| {
                    Failure::new("cloudwatch:GetMetricData", error).during(operation())
                })
        })
        .await?;
        let failed = [StatusCode::Forbidden, StatusCode::InternalError];
        if let Some(status) = results
            .iter()
            .filter_map(|result| result.status_code())
            .find(|s| failed.contains(s))
        {
            return Err(PortError::new(PortErrorKind::Transient, operation())
                .with_source(format!("CloudWatch answered {}", status.as_str())));
        }
        Ok(results)
    }

    pub(super) fn query(
        &self,
        id: &str,
        name: &str,
        statistic: &str,
        period: Duration,
    ) -> MetricDataQuery {
        let group = (self.namespace.as_str(), &self.name);
        crate::metric::query(id, group, name, statistic, period)
    }
}

/// The number of idle ones and of points, for each period that has both.
fn sums(results: &[MetricDataResult]) -> Vec<SignalSum> {
    let points = values(results, "n");
    values(results, "idle")
        .into_iter()
        .filter_map(|(at, idle)| Some(SignalSum::new(at, idle, *points.get(&at)?)))
        .collect()
}

/// The values of a query over all pages, by the start of their period.
pub(super) fn values(results: &[MetricDataResult], id: &str) -> BTreeMap<Timestamp, f64> {
    results
        .iter()
        .filter(|result| result.id() == Some(id))
        .flat_map(|result| result.timestamps().iter().zip(result.values()))
        .map(|(at, value)| (Timestamp::from_secs(at.secs()), *value))
        .collect()
}

/// The start of the period that has that moment in it, in seconds since the epoch.
pub(super) fn floor(at: Timestamp, period: Duration) -> i64 {
    let seconds = at.as_micros().div_euclid(1_000_000);
    let period = i64::try_from(period.as_secs()).unwrap_or(i64::MAX).max(1);
    seconds - seconds.rem_euclid(period)
}
