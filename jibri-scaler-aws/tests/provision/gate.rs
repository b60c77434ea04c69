//! What growth and shrinking wait for.

use jibri_scaler_aws::{
    CONTROLLER_TAG,
    inspect::{PolicyKind, ScalingPolicy, Tag},
    provision::{Current, Stage, plan},
};
use jibri_scaler_core::{Timestamp, native::SHRINK_TAG};

use crate::fixture::{NOW, apply, group, options, provisioned, publishing, stages};

fn waits(disturb: impl FnOnce(&mut Current)) -> String {
    let mut current = group();
    disturb(&mut current);
    let plan = plan(&current, &options()).unwrap();
    // What keeps recordings is made at once.
    assert!(stages(&plan).contains(&Stage::HooksAndRetention));
    assert!(stages(&plan).contains(&Stage::GroupProtection));
    assert!(plan.steps.iter().all(|step| step.stage < Stage::Growth));
    assert!(plan.later.iter().all(|step| step.stage >= Stage::Growth));
    let [reason] = &plan.waits_for[..] else {
        panic!("not one reason: {:?}", plan.waits_for);
    };
    reason.clone()
}

#[test]
fn agents_must_be_seen_on_all_instances() {
    assert_eq!(
        waits(|current| current.setup.signal = Ok(publishing(2.0))),
        "agents on all instances: in the last minutes 2 of 3 have published every 10 s"
    );
    assert!(waits(|c| c.setup.signal = Ok(publishing(0.0))).contains("0 of 3"));
    // What they said an hour ago does not count.
    let old = |current: &mut Current| {
        current.setup.read_at = Timestamp::from_secs(NOW + 3600);
    };
    assert!(waits(old).contains("0 of 3"));
    assert!(waits(|c| c.setup.instances.clear()).contains("an instance in service"));
}

#[test]
fn what_a_controller_publishes_is_no_agent() {
    let silent = |current: &mut Current| {
        current.setup.signal.as_mut().unwrap().by_agents.clear();
    };
    assert!(waits(silent).contains("0 of 3"));
}

#[test]
fn one_full_minute_is_enough_since_the_newest_may_be_partial() {
    let mut current = group();
    let minutes = &mut current.setup.signal.as_mut().unwrap().by_agents;
    minutes.last_mut().unwrap().1 = 4.0;
    minutes[0].1 = 9.0;
    assert!(plan(&current, &options()).unwrap().waits_for.is_empty());
}

#[test]
fn points_that_are_doubled_would_hide_what_is_missing() {
    let reason = waits(|current| {
        for sum in &mut current.setup.signal.as_mut().unwrap().minutes {
            sum.publishers *= 2.0;
        }
    });
    assert!(reason.starts_with("doubled points to end: 6"), "{reason}");
}

#[test]
fn a_controller_at_work_must_be_stopped() {
    let mark = |seconds| {
        let at = Timestamp::from_secs(NOW - seconds);
        Tag::new(format!("scaler-a {at}"), false)
    };
    let fresh = |current: &mut Current| {
        current.setup.tags.insert(CONTROLLER_TAG.into(), mark(30));
    };
    assert!(waits(fresh).starts_with("controller `scaler-a` to be stopped"));
    let mut current = group();
    current.setup.tags.insert(CONTROLLER_TAG.into(), mark(600));
    assert!(plan(&current, &options()).unwrap().waits_for.is_empty());
}

#[test]
fn a_policy_that_shrinks_the_group_must_go() {
    let other = ScalingPolicy::new("cpu", PolicyKind::TargetTracking);
    let reason = waits(|c| c.setup.policies.as_mut().unwrap().push(other.clone()));
    assert!(reason.starts_with("scaling policy `cpu` to be deleted or disabled"));
    let mut current = group();
    let mut disabled = other;
    disabled.enabled = false;
    current.setup.policies.as_mut().unwrap().push(disabled);
    assert!(plan(&current, &options()).unwrap().waits_for.is_empty());
}

#[test]
fn processes_that_growth_needs_must_run() {
    for process in ["AlarmNotification", "Launch"] {
        let reason = waits(|current| {
            current.setup.suspended_processes.insert(process.into());
        });
        assert!(reason.starts_with(&format!("process {process} to be resumed")));
    }
}

#[test]
fn what_waits_is_made_by_the_next_plan_and_not_recorded_before() {
    let mut current = group();
    current.setup.signal = Ok(publishing(0.0));
    let changes = plan(&current, &options()).unwrap();
    apply(&mut current, &changes);
    assert!(!current.setup.tags.contains_key(SHRINK_TAG));
    let record = &current.setup.tags["jibri-scaler:provisioned"].value;
    assert_eq!(
        record,
        "v1 hook-launching hook-terminating retention protection rebalance"
    );
    // Until then nothing is left to be done at once.
    let waiting = plan(&current, &options()).unwrap();
    assert!(waiting.steps.is_empty() && !waiting.later.is_empty());

    current.setup.signal = Ok(publishing(3.0));
    let current = provisioned(current, &options());
    assert_eq!(current.setup.tags[SHRINK_TAG].value, "enabled");
}

#[test]
fn an_agent_that_falls_silent_later_takes_nothing_away() {
    let mut current = provisioned(group(), &options());
    current.setup.signal = Ok(publishing(1.0));
    let plan = plan(&current, &options()).unwrap();
    assert!(plan.is_empty() && plan.waits_for.is_empty(), "{plan}");
}
