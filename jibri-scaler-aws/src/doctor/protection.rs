//! Rules about scale-in protection.

use super::{
    case::{Case, Sign, count},
    command,
};

/// New instances are not protected from scale-in.
pub(super) fn not_born(case: &Case<'_>) -> Vec<Sign> {
    if case.setup.new_instances_protected {
        return Vec::new();
    }
    vec![
        Sign::new(
            "new instances are not protected from scale-in: until somebody protects one, a scale-in may take it with its recording",
            "let new instances be born protected",
        )
        .command(command::of_group(
            case.setup,
            "update-auto-scaling-group",
            &["--new-instances-protected-from-scale-in"],
        )),
    ]
}

/// An instance is unprotected where nobody takes protection away on purpose: with a controller every one is protected for life.
pub(super) fn unprotected(case: &Case<'_>) -> Vec<Sign> {
    if case.is_native() && !case.controlled {
        return Vec::new();
    }
    let ids: Vec<_> = case
        .setup
        .in_service()
        .filter(|member| !member.protected)
        .map(|member| member.id.clone())
        .collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let mut sign = Sign::new(
        format!(
            "{} in service not protected from scale-in: rebalancing, a policy or a lower desired count may take any of them with \
             its recording",
            count(ids.len(), "instance"),
        ),
        "protect them; a running controller does so in its next tick",
    );
    sign.commands = command::protect(case.setup, &ids);
    vec![sign.about(ids)]
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::Memory;

    use super::super::{Doctor, sample};
    use crate::inspect::Signal;

    #[test]
    fn instances_are_to_be_born_protected() {
        for mut setup in [sample::native(), sample::controlled()] {
            setup.new_instances_protected = false;
            assert_eq!(
                sample::only(&setup, "not_born_protected").commands,
                [
                    "aws autoscaling update-auto-scaling-group --auto-scaling-group-name jibri \
                     --new-instances-protected-from-scale-in"
                ]
            );
        }
    }

    #[test]
    fn with_a_controller_an_unprotected_instance_is_in_danger() {
        let mut setup = sample::controlled();
        setup.instances[1].protected = false;
        let finding = sample::only(&setup, "unprotected");
        assert_eq!(finding.instances, [setup.instances[1].id.clone()]);
        assert_eq!(finding.commands.len(), 1);
    }

    #[test]
    fn where_nobody_is_seen_an_unprotected_instance_is_in_danger_too() {
        let mut setup = sample::controlled();
        setup.signal = Ok(Signal::default());
        setup.instances[1].protected = false;
        assert!(sample::rules(&setup).contains(&"unprotected"));
    }

    #[test]
    fn agents_take_the_protection_of_idle_instances_away() {
        let mut setup = sample::native();
        setup.instances[1].protected = false;
        assert_eq!(Doctor::default().examine(&setup), []);
        // Not where a controller protects for life.
        let controlled = Doctor::default().with_memory(Memory::default());
        let findings = controlled.examine(&setup);
        assert!(findings.iter().any(|finding| finding.rule == "unprotected"));
    }
}
