//! Taking away exactly what was made.

use std::time::Duration;

use jibri_scaler_aws::{
    inspect::{Alarm, Hook, Tag},
    provision::{Change, Current, RECORD_TAG, Refusal, Stage, destroy},
};
use jibri_scaler_core::{
    Lifecycle,
    agent::{
        HOOK_TERMINATING,
        port::{HookResult, Transition},
    },
};

use crate::fixture::{apply, group, options, provisioned, stages};

/// As it was, but for the protection of instances.
fn comparable(mut current: Current) -> Current {
    for member in &mut current.setup.instances {
        member.protected = true;
    }
    current
}

#[test]
fn what_was_there_before_is_there_again_and_nothing_else() {
    type Before = fn(&mut Current);
    let befores: [Before; 6] = [
        |_| {},
        |c| c.setup.health_check_type = "EC2,ELB".into(),
        |c| {
            c.setup.suspended_processes.insert("AZRebalance".into());
            c.setup.new_instances_protected = true;
        },
        |c| {
            c.setup
                .collected_metrics
                .insert("GroupInServiceInstances".into());
            c.setup
                .collected_metrics
                .insert("GroupTotalInstances".into());
            c.setup.retains_abandoned = true;
        },
        |c| {
            let mine = Hook::new(
                "mine",
                Transition::Launching,
                Duration::from_mins(1),
                HookResult::Continue,
            );
            c.setup.hooks.as_mut().unwrap().push(mine);
            c.setup
                .alarms
                .as_mut()
                .unwrap()
                .push(Alarm::new("jibri-scaler-growth-other-jibri"));
            c.setup
                .alarms
                .as_mut()
                .unwrap()
                .push(Alarm::new("jibri-scaler-mine-jibri"));
        },
        |c| {
            c.setup.tags.insert("Name".into(), Tag::new("jibri", true));
        },
    ];
    for before in befores {
        let mut original = group();
        before(&mut original);
        let mut current = provisioned(original.clone(), &options());
        let changes = destroy(&current).unwrap();
        apply(&mut current, &changes);
        assert_eq!(comparable(current.clone()), comparable(original));
        assert!(destroy(&current).unwrap().is_empty());
    }
}

#[test]
fn the_way_back_is_the_reverse_of_the_way_there() {
    let plan = destroy(&provisioned(group(), &options())).unwrap();
    assert_eq!(
        stages(&plan),
        [
            Stage::Shrinking,
            Stage::Growth,
            Stage::GroupProtection,
            Stage::HooksAndRetention,
            Stage::Record,
        ]
    );
    let changes: Vec<_> = plan.steps.iter().map(|step| &step.change).collect();
    let at = |found: fn(&Change) -> bool| changes.iter().position(|c| found(c)).unwrap();
    let alarms = at(|change| matches!(change, Change::DeleteAlarms(_)));
    let policy = at(|change| matches!(change, Change::DeletePolicy(_)));
    let hook = at(|change| *change == Change::DeleteHook(HOOK_TERMINATING.into()));
    let retention = at(|change| *change == Change::SetRetention(false));
    assert!(alarms < policy && policy < hook && hook < retention);
    assert!(
        plan.notes
            .iter()
            .any(|note| note.starts_with("3 instances stay protected"))
    );
}

#[test]
fn nothing_is_deleted_while_an_instance_is_on_its_way_out() {
    for state in [
        "Terminating",
        "Terminating:Wait",
        "Terminating:Proceed",
        "Terminating:Retained",
    ] {
        let mut current = provisioned(group(), &options());
        current.setup.instances[1].lifecycle = Lifecycle::from(state);
        let refusal = destroy(&current).unwrap_err();
        assert_eq!(refusal, Refusal::Leaving(vec!["i-b".parse().unwrap()]));
        let text = refusal.to_string();
        assert!(
            text.starts_with(
                "instance `i-b` is on its way out of this group: to delete a hook lets go"
            ),
            "{text}"
        );
    }
}

#[test]
fn a_hook_that_was_there_before_stays_as_it_was_changed() {
    let mut original = group();
    let theirs = Hook::new(
        HOOK_TERMINATING,
        Transition::Terminating,
        Duration::from_mins(5),
        HookResult::Continue,
    );
    original.setup.hooks = Ok(vec![theirs]);
    let mut current = provisioned(original, &options());
    let changes = destroy(&current).unwrap();
    apply(&mut current, &changes);
    let hooks = current.setup.hooks.unwrap();
    assert_eq!(hooks.len(), 1);
    assert_eq!(hooks[0].name, HOOK_TERMINATING);
    assert_eq!(hooks[0].default_result, HookResult::Abandon);
}

#[test]
fn what_was_deleted_by_hand_is_not_deleted_again() {
    let mut current = provisioned(group(), &options());
    current.setup.policies = Ok(vec![]);
    current.setup.hooks = Ok(vec![]);
    current.dashboard = None;
    let plan = destroy(&current).unwrap();
    let gone = |change: &Change| {
        matches!(
            change,
            Change::DeletePolicy(_) | Change::DeleteHook(_) | Change::DeleteDashboard(_)
        )
    };
    assert!(!plan.steps.iter().any(|step| gone(&step.change)));
}

#[test]
fn a_group_without_a_record_is_left_alone() {
    let mut current = provisioned(group(), &options());
    current.setup.tags.remove(RECORD_TAG);
    let plan = destroy(&current).unwrap();
    assert!(plan.is_empty());
    assert!(plan.notes[0].contains("provisioning has made nothing here"));
    current
        .setup
        .tags
        .insert(RECORD_TAG.into(), Tag::new("v9", false));
    assert!(matches!(destroy(&current), Err(Refusal::Record(_))));
}
