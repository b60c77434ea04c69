//! Publishing to CloudWatch.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_cloudwatch::types::{MetricDatum, StandardUnit};
use aws_types::SdkConfig;
use jibri_scaler_core::{
    native::metric::IDLE,
    port::{FleetMetrics, MetricsSink, PortError},
};

use crate::{
    BuildError, CallBudget, GroupName, Namespace,
    publisher::{METRICS_PER_CALL, Publisher},
};

/// Publishes the numbers of each tick to CloudWatch, as [`MetricsSink`].
///
/// One `PutMetricData` a tick, in the namespace `Jibri` unless told otherwise, with the dimension `AutoScalingGroupName`:
///
/// | metric | unit | meaning |
/// |---|---|---|
/// | `Idle` | Count | 1 for each idle Jibri and 0 for each other that reports: SUM is the number of idle ones, AVERAGE their share |
/// | `Busy`, `Booting`, `Unhealthy`, `Expired`, `Unknown`, `Retiring`, `Total` | Count | instances of that class |
/// | `Desired` | Count | the desired capacity of the group |
/// | `WantedSpare` | Count | how many idle Jibris the policies want |
/// | `IdleShare` | None | 0 to 1; no point where nothing reports |
///
/// The points carry the time of the observation, and are of high resolution where the interval is under a minute. SUM over a
/// period longer than the interval adds up several ticks; AVERAGE is right over any period. CloudWatch's periods begin at multiples
/// of their length, so let the ticks do so too: those that only keep their distance now and then put two points into one period,
/// whose SUM is then twice the number.
///
/// # At most once
/// `PutMetricData` has no idempotency token, and a point that arrives twice counts twice. So nothing is retried: a point that may
/// not have arrived is an error, and a gap in the graph. Two sinks for one group count twice as well, and so does a sink beside
/// agents, which publish [`IDLE`] in the same namespace: leave it to them by [`with_idle`](Self::with_idle).
///
/// ```no_run
/// use std::time::Duration;
/// use jibri_scaler_aws::CloudWatchSink;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let sink = CloudWatchSink::new(&sdk, "jibri-production".parse()?, Duration::from_secs(10))?
///     .with_namespace("Video/Jibri".parse()?);
/// # let _ = sink;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CloudWatchSink {
    publisher: Publisher,
    idle: bool,
}

impl CloudWatchSink {
    /// A sink for the group of this name, which is published once per interval. Nothing is called yet.
    ///
    /// # Errors
    /// Where the configuration lacks a behaviour version or a region.
    pub fn new(sdk: &SdkConfig, group: GroupName, interval: Duration) -> Result<Self, BuildError> {
        let publisher = Publisher::new(sdk, group, interval)?;
        Ok(Self {
            publisher,
            idle: true,
        })
    }

    /// Publishes in this namespace.
    #[must_use]
    pub fn with_namespace(mut self, namespace: Namespace) -> Self {
        self.publisher.namespace = namespace;
        self
    }

    /// Whether `Idle` is published too, as it is unless told otherwise. Where agents publish it in the same namespace it must not be:
    /// SUM would count each idle Jibri twice.
    #[must_use]
    pub const fn with_idle(mut self, idle: bool) -> Self {
        self.idle = idle;
        self
    }

    /// Lets a publication take this long at most; 9 s by default. Less than 100 ms counts as 100 ms.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.publisher.set_timeout(timeout);
        self
    }

    /// Publishes only when it is the turn of this group in a budget that it shares. CloudWatch counts calls apart from Auto Scaling (500
    /// `PutMetricData` a second in an account and region unless raised), so a budget of its own is enough.
    #[must_use]
    pub fn with_budget(mut self, budget: &CallBudget) -> Self {
        self.publisher.set_budget(budget);
        self
    }

    fn data(&self, metrics: &FleetMetrics) -> Vec<MetricDatum> {
        let counts = [
            ("Busy", metrics.busy),
            ("Booting", metrics.booting),
            ("Unhealthy", metrics.unhealthy),
            ("Expired", metrics.expired),
            ("Unknown", metrics.unknown),
            ("Retiring", metrics.retiring),
            ("Total", metrics.total),
            ("Desired", metrics.desired),
            ("WantedSpare", metrics.wanted_spare),
        ];
        let counts = counts.map(|(name, count)| {
            self.publisher
                .datum(name, StandardUnit::Count, metrics.at)
                .value(f64::from(count))
                .build()
        });
        let share = metrics
            .idle_share
            .filter(|share| share.is_finite())
            .map(|share| {
                self.publisher
                    .datum("IdleShare", StandardUnit::None, metrics.at)
                    .value(share)
                    .build()
            });
        let idle = self.idle.then(|| self.idle(metrics)).flatten();
        idle.into_iter().chain(counts).chain(share).collect()
    }

    /// One value for each instance that reports, so that it adds up as if each had published its own. None reports, no point.
    fn idle(&self, metrics: &FleetMetrics) -> Option<MetricDatum> {
        let datum = self.publisher.datum(IDLE, StandardUnit::Count, metrics.at);
        let counted = [(1.0, metrics.idle), (0.0, metrics.others)]
            .into_iter()
            .filter(|(_, count)| *count > 0);
        let (values, counts): (Vec<_>, Vec<_>) = counted
            .map(|(value, count)| (value, f64::from(count)))
            .unzip();
        (!values.is_empty()).then(|| {
            datum
                .set_values(Some(values))
                .set_counts(Some(counts))
                .build()
        })
    }
}

#[async_trait]
impl MetricsSink for CloudWatchSink {
    async fn publish(&self, metrics: &FleetMetrics) -> Result<(), PortError> {
        // A tick has at most 11 metrics, so this is one request.
        for part in self.data(metrics).chunks(METRICS_PER_CALL) {
            self.publisher.put(part.to_vec()).await.map_err(|failure| {
                failure.during(format!(
                    "publish the metrics of Auto Scaling group `{}` in namespace `{}`; the points of this tick are lost, since \
                     sending them again could count them twice",
                    self.publisher.group, self.publisher.namespace
                ))
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};
    use aws_sdk_cloudwatch::primitives::DateTime;
    use jibri_scaler_core::{Tally, Timestamp};

    use super::*;

    fn sink(interval: Duration) -> CloudWatchSink {
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .build();
        CloudWatchSink::new(&sdk, "jibri".parse().unwrap(), interval).unwrap()
    }

    fn metrics(spare: u32, busy: u32) -> FleetMetrics {
        let mut tally = Tally::default();
        (tally.spare, tally.busy, tally.total) = (spare, busy, spare + busy);
        FleetMetrics::new(Timestamp::from_micros(1_763_800_000_123_456), &tally, 9, 2)
    }

    fn idle(spare: u32, busy: u32) -> Option<(Vec<f64>, Vec<f64>)> {
        let data = sink(Duration::from_secs(10)).data(&metrics(spare, busy));
        let idle = data
            .into_iter()
            .find(|datum| datum.metric_name() == Some("Idle"))?;
        Some((idle.values.unwrap(), idle.counts.unwrap()))
    }

    #[test]
    fn idle_is_ones_and_zeros_with_their_counts() {
        assert_eq!(idle(3, 4), Some((vec![1.0, 0.0], vec![3.0, 4.0])));
        assert_eq!(idle(3, 0), Some((vec![1.0], vec![3.0])));
        assert_eq!(idle(0, 4), Some((vec![0.0], vec![4.0])));
        assert_eq!(idle(0, 0), None);
    }

    #[test]
    fn beside_agents_all_but_idle_is_published() {
        let names = |sink: &CloudWatchSink| -> Vec<String> {
            let data = sink.data(&metrics(3, 4));
            data.into_iter()
                .filter_map(|datum| datum.metric_name)
                .collect()
        };
        let mut all = names(&sink(Duration::from_secs(10)));
        all.retain(|name| name != "Idle");
        let rest = sink(Duration::from_secs(10)).with_idle(false);
        assert_eq!(names(&rest), all);
        assert_eq!(all.len(), 10);
    }

    #[test]
    fn every_point_has_the_group_and_the_time_of_the_observation() {
        let data = sink(Duration::from_secs(10)).data(&metrics(3, 4));
        assert_eq!(data.len(), 11);
        for datum in &data {
            let [dimension] = datum.dimensions() else {
                panic!("{datum:?}");
            };
            assert_eq!(dimension.name(), Some("AutoScalingGroupName"));
            assert_eq!(dimension.value(), Some("jibri"));
            assert_eq!(
                datum.timestamp(),
                Some(&DateTime::from_millis(1_763_800_000_123))
            );
            let unit = match datum.metric_name() {
                Some("IdleShare") => StandardUnit::None,
                _ => StandardUnit::Count,
            };
            assert_eq!(datum.unit(), Some(&unit));
            // One of the two ways to give a value, never both.
            assert_ne!(datum.value().is_some(), datum.values.is_some());
        }
    }

    #[test]
    fn points_are_kept_by_the_second_where_the_interval_is_under_a_minute() {
        for (interval, resolution) in [
            (Duration::from_secs(10), 1),
            (Duration::from_millis(59_999), 1),
            (Duration::from_mins(1), 60),
            (Duration::from_mins(5), 60),
        ] {
            for datum in sink(interval).data(&metrics(1, 1)) {
                assert_eq!(datum.storage_resolution(), Some(resolution), "{interval:?}");
            }
        }
    }

    #[test]
    fn a_share_that_is_no_number_is_left_out() {
        for share in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            let mut metrics = metrics(1, 1);
            metrics.idle_share = share;
            let data = sink(Duration::from_secs(10)).data(&metrics);
            let names: Vec<_> = data.iter().filter_map(MetricDatum::metric_name).collect();
            assert!(!names.contains(&"IdleShare"), "{share:?}");
            assert_eq!(names.len(), 10);
        }
    }
}
