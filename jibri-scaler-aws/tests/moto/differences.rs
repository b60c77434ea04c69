//! What moto 5.2.5 does differently from Auto Scaling, each with its reason. What Auto Scaling does is in `wire`, in its own
//! words.

use jibri_scaler_core::conformance::{Differences, GroupRule};

/// For the suite of listing and control of a group.
pub(crate) fn differences() -> Differences {
    const NO_BOUNDS: &str = "moto takes any capacity, within the bounds of the group or not";
    const NO_REFUSALS: &str = "moto answers HTTP 500 and a page of HTML where Auto Scaling answers 400 and ValidationError";
    const NO_ACTIONS: &str = "moto has no CompleteLifecycleAction";
    Differences::none()
        .with(GroupRule::RefusesAboveMax, NO_BOUNDS)
        .with(GroupRule::RefusesBelowMin, NO_BOUNDS)
        .with(GroupRule::TerminateRefusesBelowMin, NO_BOUNDS)
        .with(GroupRule::CapacityOfMissingGroupFails, NO_REFUSALS)
        .with(GroupRule::TerminateUnknownIsDone, NO_REFUSALS)
        .with(GroupRule::TerminateAgainIsDone, NO_REFUSALS)
        .with(GroupRule::CompletesWhereNothingWaits, NO_ACTIONS)
}
