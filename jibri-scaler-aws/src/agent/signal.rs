mod sums;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_cloudwatch::{
    config,
    primitives::DateTime,
    types::{MetricDataQuery, MetricDataResult, MetricDatum, ScanBy, StandardUnit},
};
use aws_types::SdkConfig;
use jibri_scaler_core::{
    Timestamp,
    agent::port::{DrainPoint, IdleSignal, SignalPoint, SignalSum},
    native::metric::{
        BUSY_SECONDS, HOOK_SECONDS, IDLE, IN_SERVICE, RELEASE_CHECK_FAILED, RETAINED,
    },
    port::{PortError, PortErrorKind},
};

use self::sums::{Series, Window};
use crate::{
    BuildError, GroupName, Namespace,
    call::{self, Configure as _},
    failure::Failure,
    metric, page,
    publisher::{METRICS_PER_CALL, Publisher},
};

/// The idle signal of a group in CloudWatch, as [`IdleSignal`].
///
/// The metrics are those of [`native::metric`](jibri_scaler_core::native::metric), in the namespace `Jibri` unless told otherwise, with
/// the group as their one dimension. The points of all instances make one metric `Idle`: SUM over a period is the number of idle
/// instances, `SampleCount` the number of those that have published, AVERAGE the idle share; the same numbers as those of
/// [`CloudWatchSink`](crate::CloudWatchSink), so let either publish for a group, not both. The points are of high resolution where
/// the period is under a minute. CloudWatch keeps sums over less than a minute for three hours.
///
/// # Publishing
/// All that belongs to some points goes in one request, each with its own time, 1000 metrics at most. Nothing is sent twice: a point
/// that may not have arrived is an error and is lost. The README says what the requests cost.
///
/// # Reading
/// SUM and `SampleCount` in one `GetMetricData`, page after page, tried up to three times. An answer that CloudWatch itself calls
/// partial is an error.
///
/// # Errors of its port
/// `Throttled` for the throttling codes of AWS; `Permanent` for what AWS refuses, for more than 1000 metrics and for a period that
/// CloudWatch does not have (1, 5, 10, 20, 30 s and whole minutes are had); `Transient` for all else.
///
/// ```no_run
/// use std::time::{Duration, SystemTime};
/// use jibri_scaler_aws::agent::CloudWatchIdle;
/// use jibri_scaler_core::{Timestamp, agent::port::{IdleSignal, SignalPoint}};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let period = Duration::from_secs(10);
/// let signal = CloudWatchIdle::new(&sdk, "jibri-production".parse()?, period)?;
/// let now = Timestamp::from(SystemTime::now());
/// signal.publish(&[SignalPoint::new(now, true)]).await?;
/// for sum in signal.sums(now.before(Duration::from_mins(5)), now, period).await? {
///     println!("{}: {} of {} idle", sum.at, sum.idle, sum.publishers);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CloudWatchIdle {
    publisher: Publisher,
}

impl CloudWatchIdle {
    /// The signal of the group of this name, of which each instance makes one point per period. Nothing is called yet.
    ///
    /// # Errors
    /// Where the configuration lacks a behaviour version or a region.
    pub fn new(sdk: &SdkConfig, group: GroupName, period: Duration) -> Result<Self, BuildError> {
        let publisher = Publisher::new(sdk, group, period)?;
        Ok(Self { publisher })
    }

    /// Publishes and reads in this namespace.
    #[must_use]
    pub fn with_namespace(mut self, namespace: Namespace) -> Self {
        self.publisher.namespace = namespace;
        self
    }

    /// Lets each port call take this long at most, all its requests and retries included; 9 s by default. Less than 100 ms counts
    /// as 100 ms.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.publisher.set_timeout(timeout);
        self
    }

    /// What one point is in CloudWatch: as many metrics as it has parts.
    fn data(&self, point: &SignalPoint) -> impl Iterator<Item = MetricDatum> {
        let count = |name, count| self.datum(name, StandardUnit::Count, point.at, count);
        let idle = count(IDLE, if point.idle { 1.0 } else { 0.0 });
        let beside = [
            point.in_service.map(|n| count(IN_SERVICE, f64::from(n))),
            point.retained.map(|n| count(RETAINED, f64::from(n))),
            point
                .busy_for
                .map(|busy| self.seconds(BUSY_SECONDS, point.at, busy)),
        ];
        std::iter::once(idle).chain(beside.into_iter().flatten())
    }

    fn seconds(&self, name: &str, at: Timestamp, duration: Duration) -> MetricDatum {
        self.datum(name, StandardUnit::Seconds, at, duration.as_secs_f64())
    }

    fn datum(&self, name: &str, unit: StandardUnit, at: Timestamp, value: f64) -> MetricDatum {
        self.publisher.datum(name, unit, at).value(value).build()
    }

    /// Sends them in one request. `what` they are completes the sentence "could not publish …".
    async fn put(&self, what: &str, data: Vec<MetricDatum>) -> Result<(), PortError> {
        let operation = || {
            format!(
                "publish {what} of Auto Scaling group `{}` in namespace `{}`; what was not published is lost, since sending it again \
                 could count it twice",
                self.publisher.group, self.publisher.namespace
            )
        };
        if data.len() > METRICS_PER_CALL {
            return Err(
                PortError::new(PortErrorKind::Permanent, operation()).with_source(format!(
                    "these are {} metrics, and a request may carry {METRICS_PER_CALL}",
                    data.len()
                )),
            );
        }
        let sent = self.publisher.put(data).await;
        sent.map_err(|failure| failure.during(operation()))
    }

    /// What both statistics are over all pages.
    async fn results(&self, window: Window) -> Result<Vec<MetricDataResult>, PortError> {
        let publisher = &self.publisher;
        let queries = &Series::ALL.map(|series| self.query(series, window.period));
        page::all(
            self.reading(),
            publisher.timeout,
            |token, left| async move {
                let patience = call::read(&publisher.sdk, left);
                let page = publisher
                    .client
                    .get_metric_data()
                    .set_metric_data_queries(Some(queries.to_vec()))
                    .start_time(DateTime::from_secs(window.start))
                    .end_time(DateTime::from_secs(window.end))
                    .scan_by(ScanBy::TimestampAscending)
                    .set_next_token(token)
                    .customize()
                    .config_override(config::Builder::new().with_patience(patience))
                    .send()
                    .await
                    .map_err(|error| {
                        Failure::new("cloudwatch:GetMetricData", error).during(self.reading())
                    })?;
                Ok((
                    page.metric_data_results.unwrap_or_default(),
                    page.next_token,
                ))
            },
        )
        .await
    }

    fn query(&self, series: Series, period: Duration) -> MetricDataQuery {
        let group = (self.publisher.namespace.as_str(), &self.publisher.group);
        metric::query(series.id(), group, IDLE, series.statistic(), period)
    }

    fn reading(&self) -> String {
        format!(
            "read the sums of the idle signal of Auto Scaling group `{}` in namespace `{}`",
            self.publisher.group, self.publisher.namespace
        )
    }

    fn unread(&self, (kind, why): (PortErrorKind, String)) -> PortError {
        PortError::new(kind, self.reading()).with_source(why)
    }
}

#[async_trait]
impl IdleSignal for CloudWatchIdle {
    async fn publish(&self, points: &[SignalPoint]) -> Result<(), PortError> {
        if points.is_empty() {
            return Ok(());
        }
        let what = match points.len() {
            1 => "a point of the idle signal".to_owned(),
            n => format!("{n} points of the idle signal"),
        };
        let data = points.iter().flat_map(|point| self.data(point)).collect();
        self.put(&what, data).await
    }

    async fn publish_drain(&self, point: DrainPoint) -> Result<(), PortError> {
        let mut data = vec![self.seconds(HOOK_SECONDS, point.at, point.held_for)];
        if point.release_check_failed {
            data.push(self.datum(RELEASE_CHECK_FAILED, StandardUnit::Count, point.at, 1.0));
        }
        self.put("how long the termination of an instance is held", data)
            .await
    }

    async fn sums(
        &self,
        from: Timestamp,
        to: Timestamp,
        period: Duration,
    ) -> Result<Vec<SignalSum>, PortError> {
        let window = Window::new(from, to, period)
            .map_err(|why| self.unread((PortErrorKind::Permanent, why)))?;
        if window.is_empty() {
            return Ok(Vec::new());
        }
        let results = self.results(window).await?;
        sums::of(&results).map_err(|why| self.unread(why))
    }
}
