//! Growth by a step policy. Each test names the source of what it holds.

use super::*;
use crate::{
    agent::port::{HookResult, OwnInstance as _, Transition},
    native::{Growth, Step},
    policy::MinIdle,
};

/// One more from the threshold on, three more from 20 beyond it; 120 s to warm up.
fn policy() -> SimStepPolicy {
    let steps = vec![Step::new(0, Some(20), 1), Step::new(20, None, 3)];
    SimStepPolicy::new(steps, secs(120))
}

fn scale(group: &SimGroup, value: f64) -> Option<u32> {
    group.scale_out(&policy(), &[value], 50.0)
}

/// User guide, "Step scaling", the example under "Instance warm-up": 10 instances; the same breach again adds none while the new one
/// warms up, and a larger one the difference only.
#[test]
fn what_warms_up_counts_toward_the_step() {
    let group = running(0, 50, 10);
    assert_eq!(scale(&group, 60.0), Some(11));
    assert_eq!(scale(&group, 62.0), None);
    assert_eq!(scale(&group, 70.0), Some(13));
    group.advance(at(60));
    assert_eq!(in_service(&group).len(), 13);
    group.advance(at(179));
    assert_eq!(scale(&group, 70.0), None, "in service, and not warm yet");
    group.advance(at(180));
    assert_eq!(scale(&group, 60.0), Some(14));
}

/// User guide, "Default instance warmup": the warm-up begins when the instance comes into service, after its hook.
#[test]
fn the_warm_up_begins_after_the_launching_hook() {
    let config = config(0, 9, 1).with_start_in_service(true);
    let group = Arc::new(group(config.with_hook(SimHook::new(Transition::Launching))));
    assert_eq!(scale(&group, 60.0), Some(2));
    group.advance(at(600));
    assert_eq!(scale(&group, 60.0), None, "it waits for its hook");
    let id = ids(&group, &Lifecycle::PendingWait).remove(0);
    let member = group.member(&id);
    block_on(member.complete(Transition::Launching, HookResult::Continue)).unwrap();
    group.advance(at(720));
    assert_eq!(scale(&group, 60.0), None);
    group.advance(at(721));
    assert_eq!(scale(&group, 60.0), Some(3));
}

/// User guide, "Step scaling": within the maximum size.
#[test]
fn growth_ends_at_the_maximum_size() {
    let group = running(0, 11, 10);
    assert_eq!(scale(&group, 90.0), Some(11));
    assert_eq!(scale(&group, 90.0), None);
}

/// User guide, "Step scaling": the lower bound is inclusive, the upper exclusive; below the first step nothing is done.
#[test]
fn the_step_is_chosen_by_how_far_the_value_is_beyond_the_threshold() {
    let by = |value| policy().adjustment(&[value], 50.0);
    assert_eq!([49.9, 50.0, 69.9, 70.0].map(by), [0, 1, 1, 3]);
    assert_eq!(policy().adjustment(&[], 50.0), 1, "as at the threshold");
    let group = running(0, 50, 10);
    assert_eq!(scale(&group, 49.0), None);
}

/// `PutScalingPolicy`, `MetricAggregationType`.
#[test]
fn several_values_are_made_one_as_the_policy_says() {
    let by = |aggregation| {
        let policy = policy().with_aggregation(aggregation);
        policy.adjustment(&[55.0, 85.0], 50.0)
    };
    assert_eq!([Aggregation::Minimum, Aggregation::Average].map(by), [1, 3]);
    assert_eq!(by(Aggregation::Maximum), 3);
}

/// The policy of the growth rule takes the smaller of its two periods, and adds what is short.
#[test]
fn growth_adds_what_the_smaller_shortfall_says() {
    let growth = Growth::new(&MinIdle::new(5).unwrap(), 20, 1).unwrap();
    let policy = SimStepPolicy::of_growth(&growth, secs(120));
    let group = running(0, 50, 10);
    let threshold = Growth::THRESHOLD;
    assert_eq!(group.scale_out(&policy, &[3.0, 5.0], threshold), Some(13));
}

/// A replacement is on its way already: it is no warm instance, and part of the desired capacity.
#[test]
fn a_replacement_counts_as_coming() {
    let group = running(0, 50, 10);
    block_on(group.terminate(&in_service(&group)[0], Decrement::No)).unwrap();
    assert_eq!(scale(&group, 60.0), None, "9 warm ones and 1 are 10");
    assert_eq!(scale(&group, 70.0), Some(12));
}
