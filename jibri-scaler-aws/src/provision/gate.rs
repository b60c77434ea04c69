//! What must be so before alarms may grow the group and agents may shrink it.

use std::time::Duration;

use jibri_scaler_core::Timestamp;

use super::{Options, desired::POLICY};
use crate::{
    CONTROLLER_TAG,
    inspect::{GroupSetup, ScalingPolicy, Signal},
    ownership,
};

/// How far back a minute with all agents in it may lie. CloudWatch shows a new metric after two minutes.
const RECENT: Duration = Duration::from_mins(6);

const MINUTE: Duration = Duration::from_mins(1);

/// So many more points than instances are no chance: somebody else publishes too.
const DOUBLED: f64 = 1.5;

/// Without these nothing is launched, whatever an alarm says.
const NEEDED: [&str; 2] = ["AlarmNotification", "Launch"];

/// The reasons to wait; none where there is nothing to wait for.
pub(super) fn waits(
    setup: &GroupSetup,
    signal: &Signal,
    policies: &[ScalingPolicy],
    options: &Options,
) -> Vec<String> {
    let mark = setup.tags.get(CONTROLLER_TAG);
    let controller = mark
        .and_then(|mark| ownership::fresh(&mark.value, setup.read_at))
        .map(|name| format!("controller `{name}` to be stopped: it works on this group"));
    let shrinking = policies
        .iter()
        .filter(|policy| policy.name != POLICY && policy.enabled && policy.can_shrink())
        .map(|policy| {
            format!(
                "scaling policy `{}` to be deleted or disabled: it can shrink the group, which agents do",
                policy.name
            )
        });
    let suspended = NEEDED
        .iter()
        .filter(|process| setup.is_suspended(process))
        .map(|process| format!("process {process} to be resumed: nothing grows without it"));
    agents(setup, signal, options)
        .into_iter()
        .chain(controller)
        .chain(shrinking)
        .chain(suspended)
        .collect()
}

/// Why not all agents are seen. They are where in some recent minute each instance in service has published in each period.
fn agents(setup: &GroupSetup, signal: &Signal, options: &Options) -> Option<String> {
    let in_service = setup.in_service().count();
    if in_service == 0 {
        return Some("an instance in service, whose agent publishes".into());
    }
    let expected = u32::try_from(in_service).map_or(f64::MAX, f64::from);
    let per_minute = MINUTE.as_secs_f64() / options.period.as_secs_f64();
    let is_recent = |at: Timestamp| (MINUTE..=RECENT).contains(&setup.read_at.since(at));

    let agents = signal.by_agents.iter().filter(|(at, _)| is_recent(*at));
    let most = agents.map(|(_, points)| points / per_minute);
    let most = most.fold(0.0, f64::max);
    if most < expected {
        return Some(format!(
            "agents on all instances: in the last minutes {} of {in_service} have published every {} s",
            most.floor(),
            options.period.as_secs()
        ));
    }
    let points = signal.minutes.iter().filter(|sum| is_recent(sum.at));
    let least = points.map(|sum| sum.publishers / per_minute);
    let least = least.fold(f64::MAX, f64::min);
    (least < f64::MAX && least > DOUBLED * expected).then(|| {
        format!(
            "doubled points to end: {} have published where {in_service} are in service; is there a second agent, a controller, \
             or a shorter period?",
            least.floor()
        )
    })
}
