//! What native mode rests on beside the [agent](crate::agent): the growth that CloudWatch alarms do, and the names by which agents,
//! alarms and provisioning find each other.
//!
//! In native mode alarms grow the group and agents shrink it. [`Growth`] is the policy as an alarm and a step policy; [`metric`]
//! names what the agents publish; [`SHRINK_TAG`] is how agents know that they may end themselves.

mod growth;
pub mod metric;
mod step;

pub use growth::{Growth, NotByAlarm};
pub use step::Step;

/// The namespace of all metrics, unless told otherwise.
pub const NAMESPACE: &str = "Jibri";

/// The one dimension of all metrics; its value is the name of the group.
///
/// CloudWatch does not aggregate custom metrics over dimensions, so this is what makes the points of all agents one metric.
pub const GROUP_DIMENSION: &str = "AutoScalingGroupName";

/// The tag of the group that says whether agents may end themselves when they are surplus: they may where its value is
/// [`SHRINK_ENABLED`], and only there.
///
/// Provisioning sets it as its last step, when hooks, retention and protection are in place and all agents were seen, and takes it
/// away first. Agents read it in the listing of the group that they make anyway before they end themselves. Draining, replacing
/// and holding protection do not depend on it.
pub const SHRINK_TAG: &str = "jibri-scaler:shrink";

/// The value of [`SHRINK_TAG`] that lets agents end themselves.
pub const SHRINK_ENABLED: &str = "enabled";
