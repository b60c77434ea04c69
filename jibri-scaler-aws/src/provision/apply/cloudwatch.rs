//! Alarms and the dashboard.

use std::time::Duration;

use aws_sdk_cloudwatch::{
    Client, config,
    types::{ComparisonOperator, Dimension, Metric, MetricDataQuery, MetricStat, Tag},
};
use aws_types::SdkConfig;
use jibri_scaler_core::port::PortError;

use super::{Provisioner, patience};
use crate::{
    call::Configure as _,
    failure::Failure,
    inspect::{Alarm, MetricQuery, QuerySource},
};

/// The tag that marks the alarms of provisioning.
const MADE: (&str, &str) = ("jibri-scaler", "provisioned");

/// The codes with which CloudWatch says that there is no such dashboard or alarm.
const ABSENT: [&str; 3] = [
    "ResourceNotFound",
    "ResourceNotFoundException",
    "DashboardNotFoundError",
];

pub(super) fn client(sdk: &SdkConfig, timeout: Duration) -> Client {
    let patience = patience(sdk, timeout);
    let config = config::Builder::from(sdk)
        .counted()
        .with_patience(patience)
        .build();
    Client::from_conf(config)
}

impl Provisioner {
    pub(super) async fn put_alarm(&self, alarm: &Alarm) -> Result<(), PortError> {
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let (key, value) = MADE;
        self.cloudwatch
            .put_metric_alarm()
            .alarm_name(&alarm.name)
            .set_alarm_description(alarm.description.clone())
            .set_metrics(Some(alarm.queries.iter().map(query).collect()))
            .evaluation_periods(number(alarm.evaluation_periods))
            .datapoints_to_alarm(number(alarm.datapoints_to_alarm))
            .set_threshold(alarm.threshold)
            .comparison_operator(ComparisonOperator::from(&*alarm.comparison))
            .treat_missing_data(&alarm.missing_data)
            .actions_enabled(alarm.actions_enabled)
            .set_alarm_actions(Some(alarm.alarm_actions.clone()))
            .tags(Tag::builder().key(key).value(value).build())
            .send()
            .await
            .map_err(|error| {
                Failure::new("cloudwatch:PutMetricAlarm", error)
                    .during(format!("put alarm `{}`", alarm.name))
            })?;
        Ok(())
    }

    pub(super) async fn delete_alarms(&self, names: &[String]) -> Result<(), PortError> {
        let result = self
            .cloudwatch
            .delete_alarms()
            .set_alarm_names(Some(names.to_vec()))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::new("cloudwatch:DeleteAlarms", error));
        or_absent(result, || format!("delete alarms {}", names.join(", ")))
    }

    /// The body of the dashboard, if there is one of that name.
    pub(super) async fn dashboard(&self, name: &str) -> Result<Option<String>, PortError> {
        let result = self
            .cloudwatch
            .get_dashboard()
            .dashboard_name(name)
            .send()
            .await
            .map_err(|error| Failure::new("cloudwatch:GetDashboard", error));
        match result {
            Ok(answer) => Ok(answer.dashboard_body),
            Err(failure) if failure.has_code(&ABSENT) => Ok(None),
            Err(failure) => Err(failure.during(format!("read dashboard `{name}`"))),
        }
    }

    pub(super) async fn put_dashboard(&self, name: &str, body: &str) -> Result<(), PortError> {
        self.cloudwatch
            .put_dashboard()
            .dashboard_name(name)
            .dashboard_body(body)
            .send()
            .await
            .map_err(|error| {
                Failure::new("cloudwatch:PutDashboard", error)
                    .during(format!("put dashboard `{name}`"))
            })?;
        Ok(())
    }

    pub(super) async fn delete_dashboard(&self, name: &str) -> Result<(), PortError> {
        let result = self
            .cloudwatch
            .delete_dashboards()
            .dashboard_names(name)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::new("cloudwatch:DeleteDashboards", error));
        or_absent(result, || format!("delete dashboard `{name}`"))
    }
}

fn query(query: &MetricQuery) -> MetricDataQuery {
    let built = MetricDataQuery::builder()
        .id(&query.id)
        .return_data(query.is_result);
    match &query.source {
        QuerySource::Expression(text) => built.expression(text).build(),
        QuerySource::Metric {
            namespace,
            metric,
            dimensions,
            statistic,
            ..
        } => {
            let dimensions = dimensions
                .iter()
                .map(|(name, value)| Dimension::builder().name(name).value(value).build());
            let metric = Metric::builder()
                .namespace(namespace)
                .metric_name(metric)
                .set_dimensions(Some(dimensions.collect()))
                .build();
            let period = query.period.unwrap_or(Duration::from_mins(1));
            let stat = MetricStat::builder()
                .metric(metric)
                .period(i32::try_from(period.as_secs()).unwrap_or(i32::MAX))
                .stat(statistic);
            built.metric_stat(stat.build()).build()
        }
    }
}

/// What is not there is deleted.
fn or_absent(
    result: Result<(), Failure>,
    operation: impl FnOnce() -> String,
) -> Result<(), PortError> {
    match result {
        Err(failure) if !failure.has_code(&ABSENT) => Err(failure.during(operation())),
        _ => Ok(()),
    }
}
