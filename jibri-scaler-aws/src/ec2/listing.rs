//! A listing with launch times and private addresses.

use std::time::Duration;

use async_trait::async_trait;
use aws_types::SdkConfig;
use jibri_scaler_core::port::{GroupListing, Listing, PortError};

use super::{details::DetailCache, request::Ec2};
use crate::{
    BuildError, CallBudget, GroupName, build,
    call::{Deadline, SHORTEST_TIMEOUT},
};

/// Short enough to fit, beside the listing, into the shortest usual control interval of 10 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(4);

/// A [`GroupListing`], such as [`AutoScalingGroup`](crate::AutoScalingGroup), completed with what EC2 knows of its instances:
/// [`launched_at`](jibri_scaler_core::Instance::launched_at), the time of the last launch, and
/// [`private_ip`](jibri_scaler_core::Instance::private_ip), the primary private IPv4 address, or the IPv6 address where there is
/// none. What the listing says itself stays. Needs the feature `ec2`.
///
/// # What it costs
/// `DescribeInstances` is asked by id, zone by zone and up to 200 ids at a time, and what it says is kept as long as the instance is
/// listed (also the first launch time of one that is stopped and started in standby); so a steady group costs no request, and a new instance one. An instance that EC2 does not know, or knows without an
/// address (just launched, or just ended), is asked for again in the next listing.
///
/// # Failures
/// They never fail the listing, which has then a finding that says why, and what was known before. Ages count from when an
/// instance was first seen, and an address template with `{private_ip}` has no value for it. An id that EC2 does not know fails the
/// whole request; it is repeated once without the ids that the refusal names, which is no finding. Reads are tried up to three
/// times, all within the [timeout](Self::with_timeout), after the time that the listing takes. Each zone has its share of what is
/// left, so that one that hangs does not keep the others from an answer.
///
/// # Errors
/// Those of the listing. Cancel-safe: what was learned until then is kept.
///
/// Calls need a tokio runtime with timers, as the AWS SDK does.
///
/// ```no_run
/// use jibri_scaler_aws::{AutoScalingGroup, Ec2Listing};
/// use jibri_scaler_core::port::GroupListing;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let group = AutoScalingGroup::new(&sdk, "jibri-production".parse()?)?;
/// let listing = Ec2Listing::new(&sdk, group.clone())?.list().await?;
/// for instance in &listing.instances {
///     println!("{}: {:?}, launched {:?}", instance.id, instance.private_ip, instance.launched_at);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Ec2Listing<L> {
    listing: L,
    details: DetailCache<Ec2>,
    timeout: Duration,
}

impl<L: GroupListing> Ec2Listing<L> {
    /// The listing, completed from EC2 in the account and region of the configuration. Nothing is called yet.
    ///
    /// # Errors
    /// Where the configuration lacks a behaviour version or a region.
    pub fn new(sdk: &SdkConfig, listing: L) -> Result<Self, BuildError> {
        build::check(sdk)?;
        Ok(Self {
            listing,
            details: DetailCache::new(Ec2::new(sdk)),
            timeout: DEFAULT_TIMEOUT,
        })
    }

    /// Lets EC2 take this long at most in each listing, all requests and retries included; 4 s by default. It comes on top of the
    /// time of the listing itself. Less than 100 ms counts as 100 ms.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(SHORTEST_TIMEOUT);
        self
    }

    /// Asks EC2 only when it is the turn of this group in a budget that it shares with others. EC2 counts calls apart from Auto Scaling.
    #[must_use]
    pub fn with_budget(mut self, budget: &CallBudget, group: &GroupName) -> Self {
        self.details.ec2_mut().set_budget(budget, group);
        self
    }
}

#[async_trait]
impl<L: GroupListing> GroupListing for Ec2Listing<L> {
    async fn list(&self) -> Result<Listing, PortError> {
        let mut listing = self.listing.list().await?;
        let deadline = Deadline::after(self.timeout);
        self.details.complete(&mut listing, deadline).await;
        Ok(listing)
    }
}
