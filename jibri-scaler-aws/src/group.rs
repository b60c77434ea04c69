//! The Auto Scaling group.

mod control;
mod listing;

use std::time::Duration;

use aws_sdk_autoscaling::{Client, config};
use aws_types::SdkConfig;

pub(crate) use listing::retains_abandoned;

use crate::{
    BuildError, CallBudget, GroupName,
    budget::{self, Call, CountRetries, Share},
    build,
    call::{self, Configure as _, DEFAULT_TIMEOUT, SHORTEST_TIMEOUT},
    failure::Failure,
};

/// An EC2 Auto Scaling group, as [`GroupListing`](jibri_scaler_core::port::GroupListing) and
/// [`GroupControl`](jibri_scaler_core::port::GroupControl).
///
/// # Reading
/// Every listing asks `DescribeAutoScalingGroups` and follows its tokens to the end. Listings know no launch times and no
/// addresses; `Ec2Listing` (feature `ec2`) adds them. Auto Scaling promises no read-after-write: a desired capacity that was just set, or an instance that was just
/// ended, may look as before for a while.
///
/// # Acting
/// Every act is tried once: a retry is the business of the next tick, which has a fresh view. [`terminate`] without decrement is
/// not idempotent, since the group launches a replacement for each success; after a failure that may have happened anyway (a
/// timeout, a broken connection), repeat it only when a later listing still shows the instance in service. It ignores scale-in
/// protection, and is only a request: the instance stays listed as `Terminating` while its lifecycle hooks run.
///
/// # Errors of its ports
/// `Throttled` for the throttling codes of AWS; `Permanent` for what AWS refuses (rights, names, bounds) and for a missing HTTP
/// client; `Transient` for all else. The text names the operation, the group or instance, and what to do.
///
/// Calls need a tokio runtime with timers, as the AWS SDK does.
///
/// ```no_run
/// use jibri_scaler_aws::AutoScalingGroup;
/// use jibri_scaler_core::port::GroupListing;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let group = AutoScalingGroup::new(&sdk, "jibri-production".parse()?)?;
/// let listing = group.list().await?;
/// println!("{} instances, desired {}", listing.instances.len(), listing.group.desired);
/// # Ok(())
/// # }
/// ```
///
/// [`terminate`]: jibri_scaler_core::port::GroupControl::terminate
#[derive(Clone, Debug)]
pub struct AutoScalingGroup {
    name: GroupName,
    pub(crate) sdk: SdkConfig,
    pub(crate) client: Client,
    pub(crate) timeout: Duration,
    agents: bool,
    share: Option<Share>,
}

impl AutoScalingGroup {
    /// The group of this name in the account and region of the configuration. Nothing is called yet.
    ///
    /// # Errors
    /// Where the configuration lacks a behaviour version or a region.
    pub fn new(sdk: &SdkConfig, name: GroupName) -> Result<Self, BuildError> {
        build::check(sdk)?;
        Ok(Self {
            name,
            sdk: sdk.clone(),
            client: client(sdk, DEFAULT_TIMEOUT, None),
            timeout: DEFAULT_TIMEOUT,
            agents: false,
            share: None,
        })
    }

    /// Lets each port call take this long at most, all its requests and retries included; 9 s by default. Less than 100 ms counts
    /// as 100 ms.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(SHORTEST_TIMEOUT);
        self.client = client(&self.sdk, self.timeout, self.share.as_ref());
        self
    }

    /// Calls only when it is this group's turn in a budget that it shares with other groups. What waits for its turn does so within its
    /// timeout.
    #[must_use]
    pub fn with_budget(mut self, budget: &CallBudget) -> Self {
        self.share = Some(budget.share(self.name.as_str(), &self.sdk));
        self.client = client(&self.sdk, self.timeout, self.share.as_ref());
        self
    }

    /// Looks in every listing whether the group has the hook [`HOOK_TERMINATING`](jibri_scaler_core::agent::HOOK_TERMINATING), by
    /// which the agents on the instances drain them, and how long it waits: one more call, `DescribeLifecycleHooks`. Without this, no listing says so.
    #[must_use]
    pub const fn with_agents(mut self, agents: bool) -> Self {
        self.agents = agents;
        self
    }

    /// The name of the group.
    #[must_use]
    pub const fn name(&self) -> &GroupName {
        &self.name
    }

    /// Waits until it may call. Returns what is then left of the time.
    pub(crate) async fn turn(&self, call: Call, time: Duration) -> Result<Duration, Failure> {
        budget::turn(self.share.as_ref(), call, time).await
    }

    /// Waits until it may act. Returns what holds the act to the time that is then left.
    pub(crate) async fn turn_to_act(&self, time: Duration) -> Result<config::Builder, Failure> {
        let left = self.turn(Call::Act, time).await?;
        let patience = call::act(&self.sdk, left);
        Ok(config::Builder::new().with_patience(patience))
    }
}

fn client(sdk: &SdkConfig, timeout: Duration, share: Option<&Share>) -> Client {
    let patience = call::act(sdk, timeout);
    let mut config = config::Builder::from(sdk).counted().with_patience(patience);
    if let Some(share) = share {
        config = config.interceptor(CountRetries(share.clone()));
    }
    Client::from_conf(config.build())
}
