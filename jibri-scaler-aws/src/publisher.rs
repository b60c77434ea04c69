//! What all that is published in CloudWatch has in common.

use std::time::Duration;

use aws_sdk_cloudwatch::{
    Client, config,
    primitives::DateTime,
    types::{MetricDatum, StandardUnit, builders::MetricDatumBuilder},
};
use aws_types::SdkConfig;
use jibri_scaler_core::Timestamp;

use crate::{
    BuildError, CallBudget, GroupName, Namespace,
    budget::{self, Call, Share},
    build,
    call::{self, Configure as _, DEFAULT_TIMEOUT, SHORTEST_TIMEOUT},
    failure::Failure,
    metric,
};

/// How many metrics one `PutMetricData` may carry
/// ([`PutMetricData`](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html)).
pub(crate) const METRICS_PER_CALL: usize = 1000;

/// CloudWatch keeps points of high resolution by the second, others by the minute.
const HIGH_RESOLUTION: i32 = 1;
const STANDARD_RESOLUTION: i32 = 60;

/// Publishes points of a group in a namespace, at most once.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    pub(crate) group: GroupName,
    pub(crate) namespace: Namespace,
    pub(crate) sdk: SdkConfig,
    pub(crate) client: Client,
    pub(crate) timeout: Duration,
    storage_resolution: i32,
    share: Option<Share>,
}

impl Publisher {
    pub(crate) fn new(
        sdk: &SdkConfig,
        group: GroupName,
        interval: Duration,
    ) -> Result<Self, BuildError> {
        build::check(sdk)?;
        Ok(Self {
            group,
            namespace: Namespace::default(),
            sdk: sdk.clone(),
            client: client(sdk, DEFAULT_TIMEOUT),
            timeout: DEFAULT_TIMEOUT,
            storage_resolution: if interval < Duration::from_mins(1) {
                HIGH_RESOLUTION
            } else {
                STANDARD_RESOLUTION
            },
            share: None,
        })
    }

    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout.max(SHORTEST_TIMEOUT);
        self.client = client(&self.sdk, self.timeout);
    }

    pub(crate) fn set_budget(&mut self, budget: &CallBudget) {
        self.share = Some(budget.share(self.group.as_str(), &self.sdk));
    }

    /// A point of the group at that time, without its value. A metric keeps its unit for ever: CloudWatch adds points of different
    /// units up apart.
    pub(crate) fn datum(
        &self,
        name: &str,
        unit: StandardUnit,
        at: Timestamp,
    ) -> MetricDatumBuilder {
        MetricDatum::builder()
            .metric_name(name)
            .dimensions(metric::dimension(&self.group))
            .timestamp(DateTime::from_millis(at.as_micros().div_euclid(1000)))
            .unit(unit)
            .storage_resolution(self.storage_resolution)
    }

    /// Sends at most [`METRICS_PER_CALL`] points in one request, and never a second: `PutMetricData` has no idempotency token, and a
    /// point that arrives twice counts twice.
    pub(crate) async fn put(&self, data: Vec<MetricDatum>) -> Result<(), Failure> {
        let left = budget::turn(self.share.as_ref(), Call::Read, self.timeout).await?;
        let patience = call::act(&self.sdk, left);
        self.client
            .put_metric_data()
            .namespace(self.namespace.as_str())
            .set_metric_data(Some(data))
            .customize()
            .config_override(config::Builder::new().with_patience(patience))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::new("cloudwatch:PutMetricData", error))
    }
}

fn client(sdk: &SdkConfig, timeout: Duration) -> Client {
    let patience = call::act(sdk, timeout);
    let config = config::Builder::from(sdk)
        .counted()
        .with_patience(patience)
        .build();
    Client::from_conf(config)
}
