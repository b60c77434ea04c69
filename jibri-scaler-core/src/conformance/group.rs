mod checks;

use std::fmt;

use async_trait::async_trait;

use super::{Checked, Differences, Violation};
use crate::port::{GroupControl, GroupListing};

/// Makes groups for the suite.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use async_trait::async_trait;
/// use jibri_scaler_core::{
///     Timestamp,
///     conformance::{Differences, GroupFixture, GroupPorts, group},
///     sim::{SimGroup, SimGroupConfig},
/// };
///
/// #[derive(Default)]
/// struct Simulated(Mutex<Vec<Arc<SimGroup>>>);
///
/// #[async_trait]
/// impl GroupFixture for Simulated {
///     async fn create(&self, min_size: u32, max_size: u32, desired: u32) -> GroupPorts {
///         let config = SimGroupConfig::new(min_size, max_size, desired).unwrap();
///         let config = config.with_start_in_service(true);
///         let group = Arc::new(SimGroup::new(config, Timestamp::from_secs(0)));
///         self.0.lock().unwrap().push(Arc::clone(&group));
///         GroupPorts::of(group)
///     }
///
///     async fn missing(&self) -> GroupPorts {
///         let group = self.create(0, 1, 0).await;
///         self.0.lock().unwrap().last().unwrap().delete();
///         group
///     }
///
///     async fn settle(&self) {
///         for group in self.0.lock().unwrap().iter() {
///             while let Some(next) = group.next_event() {
///                 group.advance(next);
///             }
///         }
///     }
/// }
///
/// futures_executor::block_on(group(&Simulated::default(), &Differences::none()))?;
/// # Ok::<(), jibri_scaler_core::conformance::Violation>(())
/// ```
#[async_trait]
pub trait GroupFixture: Send + Sync {
    /// Makes a group that no other test uses, with these bounds and `desired` instances in service. Its instances, those that it
    /// launches later included, are not protected from scale-in.
    async fn create(&self, min_size: u32, max_size: u32, desired: u32) -> GroupPorts;

    /// The ports for a group that does not exist.
    async fn missing(&self) -> GroupPorts;

    /// Waits until everything that was asked of the groups so far has happened and shows in their listings: launched instances
    /// are in service, terminated ones are on their way out or gone.
    async fn settle(&self);
}

/// The two ports of one group.
///
/// ```
/// use std::sync::Arc;
/// use jibri_scaler_core::{
///     Timestamp,
///     conformance::GroupPorts,
///     sim::{SimGroup, SimGroupConfig},
/// };
///
/// let group = SimGroup::new(SimGroupConfig::new(1, 4, 2)?, Timestamp::from_secs(0));
/// let ports = GroupPorts::of(Arc::new(group));
/// # let _ = ports;
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
pub struct GroupPorts {
    listing: Box<dyn GroupListing>,
    control: Box<dyn GroupControl>,
}

impl GroupPorts {
    /// The ports of one group that are two things.
    #[must_use]
    pub fn new(listing: impl GroupListing + 'static, control: impl GroupControl + 'static) -> Self {
        Self {
            listing: Box::new(listing),
            control: Box::new(control),
        }
    }

    /// The ports of one group that are one thing; an `Arc` of it will do.
    #[must_use]
    pub fn of(group: impl GroupListing + GroupControl + Clone + 'static) -> Self {
        Self::new(group.clone(), group)
    }
}

impl fmt::Debug for GroupPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupPorts").finish_non_exhaustive()
    }
}

macro_rules! group_rules {
    ($($(#[$doc:meta])* $rule:ident => $check:ident,)+) => {
        /// A rule that listing and control of a group must keep.
        ///
        /// ```
        /// use jibri_scaler_core::conformance::GroupRule;
        ///
        /// assert!(GroupRule::ALL.contains(&GroupRule::ListsAll));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum GroupRule {
            $($(#[$doc])* $rule,)+
        }

        impl GroupRule {
            /// All rules, in the order in which they are checked.
            pub const ALL: &[Self] = &[$(Self::$rule,)+];

            /// Its name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$rule => stringify!($rule),)+
                }
            }

            async fn check(self, fixture: &dyn GroupFixture) -> Checked {
                match self {
                    $(Self::$rule => checks::$check(fixture).await,)+
                }
            }
        }
    };
}

group_rules! {
    /// A listing has the bounds, the desired capacity and every instance once, and says nothing of what only a probe can know.
    ListsAll => lists_all,
    /// A listing has all instances of a group that is larger than one page or chunk of the AWS API.
    ListsMany => lists_many,
    /// Listing changes nothing.
    ListingIsHarmless => listing_is_harmless,
    /// A group that does not exist is a permanent error, not an empty listing.
    ListingMissingGroupFails => listing_missing_group_fails,
    /// Those that are named are protected, no others, and once more changes nothing.
    ProtectsNamed => protects_named,
    /// More can be protected at once than the AWS API takes in one call.
    ProtectsMany => protects_many,
    /// To protect none is done.
    ProtectsNone => protects_none,
    /// An id that the group never had is passed over, and the others are protected.
    ProtectPassesOverUnknown => protect_passes_over_unknown,
    /// A higher capacity launches what is missing and keeps what is there.
    CapacityGrows => capacity_grows,
    /// The same capacity once more changes nothing.
    CapacityIsAbsolute => capacity_is_absolute,
    /// A capacity above the maximum size is a permanent error and changes nothing.
    RefusesAboveMax => refuses_above_max,
    /// A capacity below the minimum size is a permanent error and changes nothing.
    RefusesBelowMin => refuses_below_min,
    /// A lower capacity takes unprotected instances, never a protected one, even where that leaves more than are desired.
    LoweringSparesProtected => lowering_spares_protected,
    /// The capacity of a group that does not exist cannot be set: a permanent error.
    CapacityOfMissingGroupFails => capacity_of_missing_group_fails,
    /// With decrement exactly the named instance goes, even a protected one, and one fewer is desired.
    TerminateTakesNamed => terminate_takes_named,
    /// Without decrement the named instance is replaced, also at the minimum size.
    TerminateReplaces => terminate_replaces,
    /// A decrement below the minimum size is a permanent error and changes nothing.
    TerminateRefusesBelowMin => terminate_refuses_below_min,
    /// To terminate an instance that the group never had is done, and changes nothing.
    TerminateUnknownIsDone => terminate_unknown_is_done,
    /// To terminate an instance once more is done, and lowers the capacity no further.
    TerminateAgainIsDone => terminate_again_is_done,
    /// An id that has left the group is passed over, and the others are protected.
    ProtectPassesOverDeparted => protect_passes_over_departed,
    /// To let an instance go that no hook holds, or that the group never had, is done, and changes nothing.
    CompletesWhereNothingWaits => completes_where_nothing_waits,
}

/// Checks listing and control of a group against [all rules](GroupRule::ALL).
///
/// # Errors
/// The first rule that is broken and not among the differences, or kept although it is among them.
pub async fn group(fixture: &dyn GroupFixture, differences: &Differences) -> Result<(), Violation> {
    for rule in GroupRule::ALL {
        differences.judge(*rule, rule.check(fixture).await)?;
    }
    Ok(())
}
