//! Whether what is there is what is to be there, whatever AWS adds or orders.

use crate::inspect::{Alarm, Hook, ScalingPolicy, StepAdjustment};

/// The notification target is the operator's.
pub(super) fn hook(left: &Hook, right: &Hook) -> bool {
    left.transition == right.transition
        && left.heartbeat_timeout == right.heartbeat_timeout
        && left.default_result == right.default_result
}

pub(super) fn policy(left: &ScalingPolicy, right: &ScalingPolicy) -> bool {
    let comparable = |policy: &ScalingPolicy| {
        let mut policy = policy.clone();
        (policy.arn, policy.alarms) = (None, Vec::new());
        let lower = |step: &StepAdjustment| step.lower.unwrap_or(f64::MIN);
        policy.steps.sort_by(|a, b| lower(a).total_cmp(&lower(b)));
        policy
    };
    comparable(left) == comparable(right)
}

pub(super) fn alarm(left: &Alarm, right: &Alarm) -> bool {
    let comparable = |alarm: &Alarm| {
        let mut alarm = alarm.clone();
        (alarm.arn, alarm.state) = (None, String::new());
        alarm.queries.sort_by(|a, b| a.id.cmp(&b.id));
        alarm
    };
    comparable(left) == comparable(right)
}
