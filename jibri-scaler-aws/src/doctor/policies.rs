//! Rules about who scales the group.

use super::{
    case::{Case, Sign},
    command,
};
use crate::inspect::ScalingPolicy;

/// A policy lowers the desired capacity, and so lets Auto Scaling choose who ends.
pub(super) fn shrinks(case: &Case<'_>) -> Vec<Sign> {
    case.policies()
        .iter()
        .filter(|policy| policy.enabled && policy.can_shrink())
        .map(|policy| {
            Sign::new(
                format!(
                    "scaling policy `{}` lowers the desired capacity: Auto Scaling chooses who ends, and where all are protected \
                     the next one that loses its protection ends at once",
                    policy.name
                ),
                "delete it, or let it only grow; agents or a controller shrink the group by name",
            )
            .command(delete(case, policy))
        })
        .collect()
}

/// Both a controller and scaling policies change the size.
pub(super) fn two_scalers(case: &Case<'_>) -> Vec<Sign> {
    let policies: Vec<_> = case
        .policies()
        .iter()
        .filter(|policy| policy.enabled)
        .collect();
    if !case.controlled || policies.is_empty() {
        return Vec::new();
    }
    let names: Vec<_> = policies
        .iter()
        .map(|policy| format!("`{}`", policy.name))
        .collect();
    let mut sign = Sign::new(
        format!(
            "the group has a controller and enabled scaling policies ({}): the controller only observes, unless it was told to \
             take over, and then they undo each other's work",
            names.join(", ")
        ),
        "decide for one: stop the controller, or delete the policies",
    );
    sign.commands = policies.iter().map(|policy| delete(case, policy)).collect();
    vec![sign]
}

/// A process is suspended without which the group cannot be kept right.
pub(super) fn suspended(case: &Case<'_>) -> Vec<Sign> {
    let needed = [
        (
            "Launch",
            true,
            "nothing is launched, however short the group is",
        ),
        (
            "Terminate",
            true,
            "nothing that was retired is ended, and nothing broken is replaced",
        ),
        (
            "AlarmNotification",
            case.is_native(),
            "alarms do not grow the group",
        ),
    ];
    needed
        .iter()
        .filter(|(process, needed, _)| *needed && case.setup.is_suspended(process))
        .map(|(process, _, effect)| {
            Sign::new(
                format!("the process {process} is suspended: {effect}"),
                "resume it",
            )
            .command(command::of_group(
                case.setup,
                "resume-processes",
                &["--scaling-processes", process],
            ))
        })
        .collect()
}

fn delete(case: &Case<'_>, policy: &ScalingPolicy) -> String {
    command::of_group(
        case.setup,
        "delete-policy",
        &["--policy-name", &policy.name],
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Doctor, sample};
    use crate::inspect::{PolicyKind, ScalingPolicy, StepAdjustment};

    #[test]
    fn policies_that_shrink_are_found() {
        let mut simple = ScalingPolicy::new("p", PolicyKind::Simple);
        simple.adjustment = Some(-1);
        let mut step = ScalingPolicy::new("p", PolicyKind::Step);
        step.steps = vec![StepAdjustment::new(None, Some(0.0), -1)];
        let mut exact = ScalingPolicy::new("p", PolicyKind::Simple);
        exact.adjustment_type = Some("ExactCapacity".into());
        exact.adjustment = Some(4);
        let tracking = ScalingPolicy::new("p", PolicyKind::TargetTracking);
        for mut policy in [simple, step, exact, tracking] {
            policy.alarms = vec!["jibri-grow".into()];
            let mut setup = sample::native();
            setup.policies.as_mut().unwrap().push(policy.clone());
            assert_eq!(
                sample::only(&setup, "policy_shrinks").commands,
                ["aws autoscaling delete-policy --auto-scaling-group-name jibri --policy-name p"],
                "{policy:?}"
            );
            setup.policies.as_mut().unwrap().last_mut().unwrap().enabled = false;
            assert_eq!(Doctor::default().examine(&setup), []);
        }
    }

    #[test]
    fn a_controller_and_policies_do_not_go_together() {
        let mut setup = sample::controlled();
        setup.policies = sample::native().policies;
        setup.alarms = sample::native().alarms;
        let rules = sample::rules(&setup);
        assert!(rules.contains(&"two_scalers"), "{rules:?}");
        setup.policies.as_mut().unwrap()[0].enabled = false;
        assert!(!sample::rules(&setup).contains(&"two_scalers"));
    }

    #[test]
    fn what_keeps_the_group_right_is_not_to_be_suspended() {
        for (process, native, controlled) in [
            ("Launch", true, true),
            ("Terminate", true, true),
            ("AlarmNotification", true, false),
            ("ScheduledActions", false, false),
        ] {
            for (mut setup, found) in [
                (sample::native(), native),
                (sample::controlled(), controlled),
            ] {
                setup.suspended_processes.insert(process.into());
                if found {
                    let finding = sample::only(&setup, "suspended");
                    assert!(finding.commands[0].ends_with(process));
                } else {
                    assert_eq!(Doctor::default().examine(&setup), [], "{process}");
                }
            }
        }
    }
}
