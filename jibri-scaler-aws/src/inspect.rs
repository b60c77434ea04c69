//! Everything about how a group is set up, read into plain data.
//!
//! [`Inspector`] reads; [`GroupSetup`] is what it read, without a type of the AWS SDK in it. What could not be read (a right is
//! missing, an emulator lacks the call) is an [`Unread`] in its place, so that the rest can still be used.

mod alarm;
mod group;
mod history;
mod hook;
mod market;
mod policy;
mod refresh;
mod section;
mod setup;
mod signal;
mod spot;
mod warm_pool;

use std::time::Duration;

use aws_sdk_autoscaling as autoscaling;
use aws_sdk_cloudwatch as cloudwatch;
use aws_types::SdkConfig;
use jibri_scaler_core::{Timestamp, port::PortError};

use crate::{
    BuildError, GroupName, Namespace, build,
    call::{self, Configure as _, SHORTEST_TIMEOUT},
    page,
};

pub use alarm::{Alarm, MetricQuery, QuerySource};
pub use history::{BusyAverage, BusyHistory};
pub use hook::Hook;
pub use market::{LaunchSource, LaunchedFrom, Market};
pub use policy::{PolicyKind, ScalingPolicy, StepAdjustment};
pub use refresh::{Refresh, Treatment};
pub use section::{Section, Unread};
pub use setup::{DeletionProtection, GroupSetup, MaintenancePolicy, Member, MixedInstances, Tag};
pub use signal::Signal;
pub(crate) use spot::{Reason, Spot, Unknown};
pub use warm_pool::WarmPool;

/// An account can have thousands of alarms, all of which must be looked at, a hundred to a page.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// Reads how an Auto Scaling group is set up. It changes nothing.
///
/// | section | call |
/// |---|---|
/// | the group and its instances | `autoscaling:DescribeAutoScalingGroups` |
/// | [`hooks`](GroupSetup::hooks) | `autoscaling:DescribeLifecycleHooks` |
/// | [`policies`](GroupSetup::policies) | `autoscaling:DescribePolicies` |
/// | [`refresh`](GroupSetup::refresh) | `autoscaling:DescribeInstanceRefreshes` |
/// | [`warm_pool`](GroupSetup::warm_pool) | `autoscaling:DescribeWarmPool` |
/// | [`alarms`](GroupSetup::alarms) | `cloudwatch:DescribeAlarms` |
/// | [`signal`](GroupSetup::signal) | `cloudwatch:GetMetricData` |
/// | the terms of [`launch_sources`](GroupSetup::launch_sources) | with the feature `ec2` `ec2:DescribeLaunchTemplateVersions`; of a launch configuration `autoscaling:DescribeLaunchConfigurations` |
/// | the terms of the [instances](Member::market) | with the feature `ec2` `ec2:DescribeInstances` |
///
/// The calls are made one after the other, since all Auto Scaling calls of an account share one rate limit; each is tried up to
/// three times. What cannot be read from these: when an instance was launched.
///
/// ```no_run
/// use jibri_scaler_aws::inspect::Inspector;
/// use jibri_scaler_core::Timestamp;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let inspector = Inspector::new(&sdk, "jibri-production".parse()?)?;
/// let setup = inspector.inspect(Timestamp::from(std::time::SystemTime::now())).await?;
/// match &setup.hooks {
///     Ok(hooks) => println!("{} hooks", hooks.len()),
///     Err(unread) => println!("hooks: {unread}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Inspector {
    name: GroupName,
    namespace: Namespace,
    sdk: SdkConfig,
    autoscaling: autoscaling::Client,
    cloudwatch: cloudwatch::Client,
    #[cfg(feature = "ec2")]
    ec2: aws_sdk_ec2::Client,
    timeout: Duration,
}

impl Inspector {
    /// Reads the group of this name in the account and region of the configuration. Nothing is called yet.
    ///
    /// # Errors
    /// Where the configuration lacks a behaviour version or a region.
    pub fn new(sdk: &SdkConfig, name: GroupName) -> Result<Self, BuildError> {
        build::check(sdk)?;
        Ok(Self {
            name,
            namespace: Namespace::default(),
            sdk: sdk.clone(),
            autoscaling: autoscaling::Client::from_conf(
                autoscaling::config::Builder::from(sdk).counted().build(),
            ),
            cloudwatch: cloudwatch::Client::from_conf(
                cloudwatch::config::Builder::from(sdk).counted().build(),
            ),
            #[cfg(feature = "ec2")]
            ec2: aws_sdk_ec2::Client::from_conf(
                aws_sdk_ec2::config::Builder::from(sdk).counted().build(),
            ),
            timeout: DEFAULT_TIMEOUT,
        })
    }

    /// Looks for the metrics, and the alarms over them, in this namespace; in [`Namespace::default`] unless told otherwise.
    #[must_use]
    pub fn with_namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = namespace;
        self
    }

    /// Lets each section take this long at most, all its requests and retries included; 20 s by default. Less than 100 ms counts
    /// as 100 ms.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(SHORTEST_TIMEOUT);
        self
    }

    /// Reads the group. `now` says up to when the metrics are read, and becomes [`GroupSetup::read_at`].
    ///
    /// Harmless and cancel-safe.
    ///
    /// # Errors
    /// Where the group itself could not be read; [`Permanent`](jibri_scaler_core::port::PortErrorKind::Permanent) where there is
    /// none of this name. What else could not be read is an [`Unread`] in its section.
    pub async fn inspect(&self, now: Timestamp) -> Result<GroupSetup, PortError> {
        let mut setup = self.group(now).await?;
        setup.hooks = section::of(self.hooks().await);
        setup.policies = section::of(self.policies().await);
        setup.refresh = section::of(self.refresh().await);
        setup.warm_pool = section::of(self.warm_pool().await);
        self.markets(&mut setup).await;
        let policies = setup.policies.as_deref().unwrap_or_default();
        setup.alarms = section::of(self.alarms(policies).await);
        setup.signal = section::of(self.signal(now).await);
        Ok(setup)
    }

    fn of_group(&self, what: &str) -> String {
        format!("read {what} of Auto Scaling group `{}`", self.name)
    }

    fn autoscaling_override(&self, left: Duration) -> autoscaling::config::Builder {
        let patience = call::read(&self.sdk, left);
        autoscaling::config::Builder::new().with_patience(patience)
    }

    fn cloudwatch_override(&self, left: Duration) -> cloudwatch::config::Builder {
        let patience = call::read(&self.sdk, left);
        cloudwatch::config::Builder::new().with_patience(patience)
    }
}
