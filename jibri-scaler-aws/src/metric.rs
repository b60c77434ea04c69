//! The metrics of a group, as CloudWatch is asked for them.

use std::time::Duration;

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use jibri_scaler_core::native::GROUP_DIMENSION;

use crate::GroupName;

/// The namespace of the metrics of a group that Auto Scaling itself collects.
pub(crate) const GROUP_NAMESPACE: &str = "AWS/AutoScaling";

/// How many instances of the group are on their way out, once a minute.
pub(crate) const TERMINATING: &str = "GroupTerminatingInstances";

/// The one dimension of every metric.
pub(crate) fn dimension(group: &GroupName) -> Dimension {
    Dimension::builder()
        .name(GROUP_DIMENSION)
        .value(group.as_str())
        .build()
}

/// Asks for a statistic of a metric of the group in each period.
pub(crate) fn query(
    id: &str,
    (namespace, group): (&str, &GroupName),
    name: &str,
    statistic: &str,
    period: Duration,
) -> MetricDataQuery {
    let metric = Metric::builder()
        .namespace(namespace)
        .metric_name(name)
        .dimensions(dimension(group))
        .build();
    let stat = MetricStat::builder()
        .metric(metric)
        .period(i32::try_from(period.as_secs()).unwrap_or(i32::MAX))
        .stat(statistic)
        .build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}
