use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;

use super::{PortError, forward};
use crate::{
    Finding, Group, Instance,
    native::{SHRINK_ENABLED, SHRINK_TAG},
};

/// The group and its instances as its owner lists them.
///
/// ```
/// use jibri_scaler_core::{Group, Instance, Lifecycle, port::Listing};
///
/// let instance = Instance::new("i-0abc".parse()?, Lifecycle::InService);
/// let listing = Listing::new(Group::new(1, 4, 1), vec![instance]);
/// assert_eq!(listing.instances.len(), 1);
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// Bounds and desired capacity. A listing does not say whether retirement is safe; the join of listing and drain does.
    pub group: Group,
    /// The instances, in any order. Report, reachability and drain path are as [`Instance::new`] leaves them.
    pub instances: Vec<Instance>,
    /// Whether this project's lifecycle hook holds an instance that is to end, so that the agent on it can drain it. `false`
    /// where that was not looked up.
    pub drains_on_termination: bool,
    /// How long that hook waits for a heartbeat; `None` where that was not looked up, or there is no such hook.
    pub hook_timeout: Option<Duration>,
    /// Whether the instance lifecycle policy of the group keeps an instance whose termination is abandoned, as
    /// `Terminating:Retained`. Without it ABANDON destroys the instance just as CONTINUE does. `false` where that was not looked
    /// up.
    ///
    /// Source: [instance lifecycle policy](https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-lifecycle-policy.html).
    pub retains_abandoned: bool,
    /// The tags of the group, such as [`SHRINK_TAG`](crate::native::SHRINK_TAG).
    pub tags: BTreeMap<String, String>,
    /// What is missing although the listing is complete, such as launch times; the report of the tick carries it on.
    pub findings: Vec<Finding>,
}

impl Listing {
    /// A listing of these instances, in a group without the hook, without retention and without tags, and without findings.
    #[must_use]
    pub const fn new(group: Group, instances: Vec<Instance>) -> Self {
        Self {
            group,
            instances,
            drains_on_termination: false,
            hook_timeout: None,
            retains_abandoned: false,
            tags: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    /// Whether the agents of this group may end themselves when they are surplus.
    #[must_use]
    pub fn shrinks(&self) -> bool {
        self.tags
            .get(SHRINK_TAG)
            .is_some_and(|value| value == SHRINK_ENABLED)
    }
}

/// Lists the group.
///
/// # Contract
/// - Complete or an error: a listing with pages missing is an error, since an instance that is not listed counts as gone. A
///   group that does not exist is a [`Permanent`](super::PortErrorKind::Permanent) error, never an empty listing.
/// - Complete are its rows, not what is optional in them: a launch time or an address that could not be had is a finding, since a
///   controller that sees no group is worse off.
/// - Instances on their way out are listed as long as the group lists them.
/// - It may be a little old (Auto Scaling promises no read-after-write); nothing may rely on it being current.
/// - Harmless and cancel-safe.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::{Group, port::{GroupListing, Listing, PortError}};
///
/// /// A group that has nothing and wants nothing.
/// struct Empty;
///
/// #[async_trait]
/// impl GroupListing for Empty {
///     async fn list(&self) -> Result<Listing, PortError> {
///         Ok(Listing::new(Group::new(0, 0, 0), vec![]))
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait GroupListing: Send + Sync {
    /// Lists the group and all its instances.
    ///
    /// # Errors
    /// Where the group could not be listed whole.
    async fn list(&self) -> Result<Listing, PortError>;
}

forward!(GroupListing { list() -> Result<Listing, PortError>; });
