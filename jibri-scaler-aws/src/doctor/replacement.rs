//! Rules about what replaces instances by itself.

use super::{
    case::{Case, Sign, span},
    command,
};
use crate::inspect::Treatment;

/// A refresh is under way that does not spare protected instances.
pub(super) fn refresh_kills(case: &Case<'_>) -> Vec<Sign> {
    let Ok(Some(refresh)) = &case.setup.refresh else {
        return Vec::new();
    };
    let how = match (refresh.replaces_root_volumes, &refresh.protected) {
        (true, _) => {
            "replaces the root volumes, and the recordings on them, without a lifecycle hook for termination"
        }
        (false, Treatment::Replace) => {
            "replaces protected instances too (ScaleInProtectedInstances is Refresh)"
        }
        (false, Treatment::Unknown(_)) => {
            "treats protected instances in a way that is not known here"
        }
        (false, _) => return Vec::new(),
    };
    vec![
        Sign::new(
            format!(
                "instance refresh `{}` is under way ({}, {} %) and {how}",
                refresh.id, refresh.status, refresh.percent_complete
            ),
            "cancel it; bring new images in by retiring instances, or by a refresh that ignores protected ones",
        )
        .command(command::of_group(case.setup, "cancel-instance-refresh", &[])),
    ]
}

/// Health checks other than EC2's end instances that serve nobody over HTTP.
pub(super) fn health_check(case: &Case<'_>) -> Vec<Sign> {
    let others: Vec<_> = case
        .setup
        .health_check_type
        .split(',')
        .map(str::trim)
        .filter(|check| !check.is_empty() && *check != "EC2")
        .collect();
    let idle = ["HealthCheck", "ReplaceUnhealthy"]
        .iter()
        .any(|p| case.setup.is_suspended(p));
    if others.is_empty() || idle {
        return Vec::new();
    }
    vec![
        Sign::new(
            format!(
                "the group replaces what fails the health checks of {}: protection does not hold it, and a busy Jibri that \
                 answers late ends with its recording",
                others.join(", ")
            ),
            "leave health to EC2's own checks, and that of Jibri to the agent or the controller",
        )
        .command(command::of_group(
            case.setup,
            "update-auto-scaling-group",
            &["--health-check-type", "EC2"],
        )),
    ]
}

/// Instances are moved between zones.
pub(super) fn az_rebalance(case: &Case<'_>) -> Vec<Sign> {
    if case.setup.is_suspended("AZRebalance") || case.setup.zones.len() < 2 {
        return Vec::new();
    }
    vec![
        Sign::new(
            "AZRebalance is on: after a retirement the group may launch in one zone to end an unprotected instance in another",
            "suspend it",
        )
        .command(command::of_group(
            case.setup,
            "suspend-processes",
            &["--scaling-processes", "AZRebalance"],
        )),
    ]
}

/// Instances are ended at an age.
pub(super) fn max_lifetime(case: &Case<'_>) -> Vec<Sign> {
    let Some(lifetime) = case.setup.max_instance_lifetime else {
        return Vec::new();
    };
    vec![
        Sign::new(
            format!(
                "the group replaces instances that are {} old, as soon as they are unprotected, whatever their Jibris do",
                span(lifetime)
            ),
            "take the maximum instance lifetime away, and retire old instances by name",
        )
        .command(command::of_group(
            case.setup,
            "update-auto-scaling-group",
            &["--max-instance-lifetime", "0"],
        )),
    ]
}

/// Instances wait in a warm pool.
pub(super) fn warm_pool(case: &Case<'_>) -> Vec<Sign> {
    let Ok(Some(pool)) = &case.setup.warm_pool else {
        return Vec::new();
    };
    let what = if pool.reuse_on_scale_in {
        "an instance that was drained returns to the warm pool in place of ending, with its restart latch set. Unless an agent of \
         now clears the latch and starts Jibri when its instance is to be in service, it is launched later with a Jibri that does \
         not start; and one that starts by itself joins Jicofo's choice while still in the pool, where a recording ends when the \
         instance is stopped"
    } else {
        "a Jibri that starts by itself in the warm pool joins Jicofo's choice, and a recording on it ends when its instance is \
         stopped; launching hooks run there too"
    };
    vec![
        Sign::new(
            format!("the group has a warm pool ({}): {what}", pool.state),
            "let nothing but the agent start Jibri (`systemctl disable jibri` in the image; docs/native.md), which can't be seen from \
             here, and accept this finding; or delete the pool",
        )
        .command(command::of_group(case.setup, "delete-warm-pool", &[])),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Doctor, sample};
    use crate::inspect::{Refresh, Treatment, WarmPool};

    #[test]
    fn a_refresh_must_spare_what_is_protected() {
        for (protected, volumes, kills) in [
            (Treatment::Replace, false, true),
            (Treatment::Unknown("Maybe".into()), false, true),
            (Treatment::Wait, false, false),
            (Treatment::Ignore, false, false),
            (Treatment::Ignore, true, true),
        ] {
            let mut setup = sample::native();
            let mut refresh = Refresh::new("r-1");
            refresh.protected = protected.clone();
            refresh.replaces_root_volumes = volumes;
            setup.refresh = Ok(Some(refresh));
            if kills {
                assert_eq!(
                    sample::only(&setup, "refresh_kills").commands,
                    ["aws autoscaling cancel-instance-refresh --auto-scaling-group-name jibri"]
                );
            } else {
                assert_eq!(Doctor::default().examine(&setup), [], "{protected:?}");
            }
        }
    }

    #[test]
    fn only_health_checks_of_ec2_are_safe() {
        let mut setup = sample::native();
        setup.health_check_type = "EC2,ELB".into();
        let finding = sample::only(&setup, "elb_health_check");
        assert!(
            finding.what.contains("health checks of ELB:"),
            "{}",
            finding.what
        );
        setup.suspended_processes.insert("ReplaceUnhealthy".into());
        assert_eq!(Doctor::default().examine(&setup), []);
    }

    #[test]
    fn zones_are_not_to_be_rebalanced_where_there_is_more_than_one() {
        let mut setup = sample::native();
        setup.suspended_processes.clear();
        assert_eq!(
            sample::only(&setup, "az_rebalance").commands,
            [
                "aws autoscaling suspend-processes --auto-scaling-group-name jibri --scaling-processes AZRebalance"
            ]
        );
        setup.zones.truncate(1);
        assert_eq!(Doctor::default().examine(&setup), []);
    }

    #[test]
    fn instances_are_not_to_end_by_age() {
        let mut setup = sample::native();
        setup.max_instance_lifetime = Some(Duration::from_hours(24 * 7));
        let finding = sample::only(&setup, "max_lifetime");
        assert!(finding.what.contains("168 h old"), "{}", finding.what);
    }

    #[test]
    fn warm_pools_are_found_and_reuse_is_worse() {
        let mut setup = sample::native();
        let mut pool = WarmPool::new("Stopped");
        setup.warm_pool = Ok(Some(pool.clone()));
        assert!(
            sample::only(&setup, "warm_pool")
                .what
                .contains("joins Jicofo's choice")
        );
        pool.reuse_on_scale_in = true;
        setup.warm_pool = Ok(Some(pool));
        assert!(
            sample::only(&setup, "warm_pool")
                .what
                .contains("restart latch")
        );
    }
}
