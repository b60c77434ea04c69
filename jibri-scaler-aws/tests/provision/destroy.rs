//! Taking away exactly what was made.

use std::time::Duration;

use jibri_scaler_aws::{
    CONTROLLER_TAG,
    inspect::{Alarm, Hook, Member, Tag, Unread, WarmPool},
    provision::{
        Change, Current, ProvisionPlan, ProvisionStep, RECORD_TAG, Refusal, Stage, destroy,
    },
};
use jibri_scaler_core::{
    Lifecycle, Timestamp,
    agent::{
        HOOK_TERMINATING,
        port::{HookResult, Transition},
    },
    native::{SHRINK_ENABLED, SHRINK_TAG},
    port::PortErrorKind,
};

use crate::fixture::{NOW, apply, group, options, provisioned, stages};

/// What agents are given to see that they may no longer end themselves.
const AGENTS_SEE: Duration = Duration::from_mins(20);

/// Takes away what was made, in its two parts.
fn destroyed(mut current: Current) -> Current {
    let first = destroy(&current).unwrap();
    apply(&mut current, &first);
    assert_eq!(
        first.later.is_empty(),
        !current.setup.tags.contains_key(RECORD_TAG)
    );
    current.setup.read_at = current.setup.read_at + AGENTS_SEE;
    let second = destroy(&current).unwrap();
    assert_eq!(second.later, [], "{second}");
    let lets_go = |note: &String| note.starts_with("instances that end from now on are not held");
    assert!(
        first.later.is_empty() || !first.notes.iter().any(lets_go),
        "{first}"
    );
    assert_eq!(
        second.notes.iter().any(lets_go),
        !second.is_empty(),
        "{second}"
    );
    apply(&mut current, &second);
    assert!(destroy(&current).unwrap().is_empty());
    current
}

/// As it was, but for the protection of instances.
fn comparable(mut current: Current) -> Current {
    current.setup.read_at = Timestamp::from_secs(NOW);
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
        let current = destroyed(provisioned(original.clone(), &options()));
        assert_eq!(comparable(current), comparable(original));
    }
}

#[test]
fn the_way_back_is_the_reverse_of_the_way_there() {
    let plan = destroy(&provisioned(group(), &options())).unwrap();
    assert_eq!(
        stages(&plan),
        [
            Stage::Record,
            Stage::Shrinking,
            Stage::Growth,
            Stage::GroupProtection,
        ]
    );
    let later: Vec<_> = plan.later.iter().map(|step| step.stage).collect();
    assert!(later.starts_with(&[Stage::HooksAndRetention]) && later.ends_with(&[Stage::Record]));
    let steps = plan.steps.iter().chain(&plan.later);
    let changes: Vec<_> = steps.map(|step| &step.change).collect();
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
fn a_controller_at_work_keeps_the_hooks() {
    let mut current = provisioned(group(), &options());
    let first = destroy(&current).unwrap();
    apply(&mut current, &first);
    current.setup.read_at = current.setup.read_at + AGENTS_SEE;
    let mark = |current: &Current, age| {
        let at = current.setup.read_at.before(Duration::from_secs(age));
        Tag::new(format!("scaler-a {at}"), false)
    };
    for (age, waits) in [(30, true), (1199, true), (1200, false)] {
        let mut marked = current.clone();
        let mark = mark(&current, age);
        marked.setup.tags.insert(CONTROLLER_TAG.into(), mark);
        let plan = destroy(&marked).unwrap();
        let (now, later) = deletions(&plan);
        assert_eq!((now == 0, later > 0), (waits, waits), "{age}: {plan}");
        let is_said = |why: &String| why.starts_with("controller `scaler-a` to be stopped");
        assert_eq!(plan.waits_for.iter().any(is_said), waits, "{plan}");
    }
    // Its clock is ahead.
    let mut marked = current.clone();
    let mut ahead = current;
    ahead.setup.read_at = ahead.setup.read_at + Duration::from_hours(1);
    marked
        .setup
        .tags
        .insert(CONTROLLER_TAG.into(), mark(&ahead, 0));
    assert_eq!(deletions(&destroy(&marked).unwrap()).0, 0);
}

#[test]
fn a_controller_that_looked_on_because_of_the_policy_is_seen_before_the_hooks_go() {
    let mut current = provisioned(group(), &options());
    // Agents never shrank this group.
    current.setup.tags.remove(SHRINK_TAG);
    let record = current.setup.tags[RECORD_TAG].value.clone();
    let unshrunk = record.replace(" shrink", "");
    assert_ne!(record, unshrunk);
    let tag = Tag::new(unshrunk, false);
    current.setup.tags.insert(RECORD_TAG.into(), tag);
    let first = destroy(&current).unwrap();
    assert_eq!(deletions(&first), (0, 2), "{first}");
    assert!(
        first.waits_for[0].contains("controllers that the scaling policy is"),
        "{first}"
    );
    apply(&mut current, &first);
    let start = current.setup.read_at;
    for (after, deleted) in [(0, (0, 2)), (1199, (0, 2)), (1200, (2, 0))] {
        current.setup.read_at = start + Duration::from_secs(after);
        assert_eq!(deletions(&destroy(&current).unwrap()), deleted, "{after}");
    }
}

/// The steps that delete a hook, now and later.
fn deletions(plan: &ProvisionPlan) -> (usize, usize) {
    let count = |steps: &[ProvisionStep]| {
        let deletes = |step: &&ProvisionStep| matches!(step.change, Change::DeleteHook(_));
        steps.iter().filter(deletes).count()
    };
    (count(&plan.steps), count(&plan.later))
}

#[test]
fn the_hooks_stay_until_no_agent_can_be_about_to_end_its_instance() {
    let mut current = provisioned(group(), &options());
    let first = destroy(&current).unwrap();
    assert_eq!(deletions(&first), (0, 2));
    assert!(
        first.waits_for[0].ends_with("do the same again in 20m"),
        "{first}"
    );
    apply(&mut current, &first);
    assert!(!current.setup.tags.contains_key(SHRINK_TAG));
    let start = current.setup.read_at;
    for (after, deleted) in [(0, (0, 2)), (105, (0, 2)), (1199, (0, 2)), (1200, (2, 0))] {
        current.setup.read_at = start + Duration::from_secs(after);
        let plan = destroy(&current).unwrap();
        assert_eq!(deletions(&plan), deleted, "{after} s:\n{plan}");
        // What waits stays as it is noted.
        assert!(deleted == (2, 0) || plan.steps.is_empty(), "{plan}");
    }
    // A clock that was ahead does not make it wait for ever.
    current.setup.read_at = start.before(Duration::from_hours(1));
    assert_eq!(deletions(&destroy(&current).unwrap()), (0, 2));
}

#[test]
fn what_is_interrupted_before_the_tag_was_taken_away_begins_again() {
    let mut current = provisioned(group(), &options());
    let mut first = destroy(&current).unwrap();
    first.steps.truncate(1);
    apply(&mut current, &first);
    current.setup.read_at = current.setup.read_at + AGENTS_SEE;
    let again = destroy(&current).unwrap();
    assert_eq!(deletions(&again), (0, 2));
    apply(&mut current, &again);
    assert_eq!(deletions(&destroy(&current).unwrap()), (0, 2));
    destroyed(current);
}

#[test]
fn a_tag_that_was_taken_away_by_hand_may_just_have_gone() {
    let mut current = provisioned(group(), &options());
    current.setup.tags.remove(SHRINK_TAG);
    let plan = destroy(&current).unwrap();
    assert_eq!(deletions(&plan), (0, 2));
    destroyed(current);
}

#[test]
fn with_a_tag_of_somebody_else_the_hooks_stay() {
    let mut current = group();
    let theirs = Tag::new(SHRINK_ENABLED, false);
    current.setup.tags.insert(SHRINK_TAG.into(), theirs);
    let mut current = provisioned(current, &options());
    for _ in 0..2 {
        let plan = destroy(&current).unwrap();
        assert_eq!(deletions(&plan), (0, 2));
        assert!(
            plan.waits_for[0].contains("by whoever has set it"),
            "{plan}"
        );
        apply(&mut current, &plan);
        current.setup.read_at = current.setup.read_at + AGENTS_SEE;
    }
    // It goes the moment after.
    current.setup.read_at = current.setup.read_at.before(AGENTS_SEE);
    current.setup.tags.remove(SHRINK_TAG);
    assert_eq!(deletions(&destroy(&current).unwrap()), (0, 2));
    destroyed(current);
}

#[test]
fn a_group_that_is_provisioned_again_meanwhile_is_whole_again() {
    let mut current = provisioned(group(), &options());
    let whole = current.clone();
    let first = destroy(&current).unwrap();
    apply(&mut current, &first);
    let current = provisioned(current, &options());
    assert_eq!(current.setup.tags, whole.setup.tags);
    destroyed(current);
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
fn nothing_is_deleted_while_the_warm_pool_holds_an_instance() {
    for (state, held) in [
        ("Warmed:Pending", true),
        ("Warmed:Pending:Wait", true),
        ("Warmed:Terminating:Wait", true),
        ("Warmed:Terminating:Retained", true),
        ("Warmed:Stopped", false),
        ("Warmed:Running", false),
        ("Warmed:Terminated", false),
    ] {
        let mut current = provisioned(group(), &options());
        let mut pool = WarmPool::new("Stopped");
        pool.instances = vec![Member::new("i-p".parse().unwrap(), Lifecycle::from(state))];
        current.setup.warm_pool = Ok(Some(pool));
        let leaving = Refusal::Leaving(vec!["i-p".parse().unwrap()]);
        let expected = held.then_some(leaving);
        assert_eq!(destroy(&current).err(), expected, "{state}");
    }
    let mut current = provisioned(group(), &options());
    current.setup.warm_pool = Err(Unread::new(PortErrorKind::Permanent, "AccessDenied"));
    assert!(matches!(destroy(&current), Err(Refusal::Unread { .. })));
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
    let current = destroyed(provisioned(original, &options()));
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
    assert_eq!(plan.later, [], "without hooks there is nothing to wait for");
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
