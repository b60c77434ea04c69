//! Lifecycle hooks and retention. Each test names the source of what it holds.

use super::*;
use crate::agent::port::{HookResult, OwnInstance as _, Transition};

/// `Terminating` and `Launching` with a timeout of 100 s.
fn hook(transition: Transition) -> SimHook {
    let hook = SimHook::new(transition);
    hook.with_heartbeat_timeout(secs(100)).unwrap()
}

fn draining(config: SimGroupConfig) -> Arc<SimGroup> {
    let config = config
        .with_start_in_service(true)
        .with_hook(hook(Transition::Terminating));
    Arc::new(group(config))
}

fn launching(config: SimGroupConfig) -> Arc<SimGroup> {
    Arc::new(group(config.with_hook(hook(Transition::Launching))))
}

fn complete(group: &Arc<SimGroup>, id: &InstanceId, of: Transition, result: HookResult) -> bool {
    block_on(group.member(id).complete(of, result)).unwrap()
}

fn heartbeat(group: &Arc<SimGroup>, id: &InstanceId, of: Transition) -> bool {
    block_on(group.member(id).heartbeat(of)).unwrap()
}

fn state(group: &SimGroup, id: &InstanceId) -> Option<Lifecycle> {
    row(group, id).map(|row| row.lifecycle)
}

/// Ends one of the instances in service, and returns which.
fn end_one(group: &SimGroup) -> InstanceId {
    let id = in_service(group).remove(0);
    block_on(group.terminate(&id, Decrement::Yes)).unwrap();
    id
}

/// User guide, "How lifecycle hooks work": Pending, Pending:Wait, Pending:Proceed, `InService`.
#[test]
fn a_launching_hook_holds_the_instance_until_it_is_completed() {
    let group = launching(config(0, 9, 1));
    let id = group.current().instances[0].id.clone();
    assert_eq!(state(&group, &id), Some(Lifecycle::Pending));
    let mut events = kinds(group.advance(at(60)));
    assert_eq!(state(&group, &id), Some(Lifecycle::PendingWait));
    assert!(!complete(
        &group,
        &id,
        Transition::Terminating,
        HookResult::Continue
    ));
    assert!(complete(
        &group,
        &id,
        Transition::Launching,
        HookResult::Continue
    ));
    assert_eq!(state(&group, &id), Some(Lifecycle::PendingProceed));
    events.extend(kinds(group.advance(at(100))));
    assert_eq!(state(&group, &id), Some(Lifecycle::InService));
    assert_eq!(
        events,
        [
            SimEventKind::HookWaits {
                id: id.clone(),
                transition: Transition::Launching
            },
            SimEventKind::HookEnded {
                id: id.clone(),
                transition: Transition::Launching,
                result: HookResult::Continue,
                how: HookEnd::Completed
            },
            SimEventKind::InService { id: id.clone() },
        ],
    );
    assert!(
        !complete(&group, &id, Transition::Launching, HookResult::Abandon),
        "nothing waits any more"
    );
}

/// User guide, "Lifecycle hooks": an abandoned launch is terminated and replaced; so is one whose hook times out by default.
#[test]
fn an_abandoned_launch_is_ended_and_replaced() {
    for times_out in [false, true] {
        let group = launching(config(1, 9, 1));
        let id = group.current().instances[0].id.clone();
        group.advance(at(60));
        let mut events = Vec::new();
        if times_out {
            group.advance(at(159));
            assert_eq!(state(&group, &id), Some(Lifecycle::PendingWait));
            events.extend(group.advance(at(160)));
        } else {
            assert!(complete(
                &group,
                &id,
                Transition::Launching,
                HookResult::Abandon
            ));
        }
        assert_eq!(state(&group, &id), Some(Lifecycle::Terminating));
        events.extend(group.advance(group.now()));
        let gone = terminations(&events);
        assert_eq!(gone, [(id.clone(), TerminationCause::LaunchAbandoned)]);
        assert_eq!(ids(&group, &Lifecycle::Pending).len(), 1, "the replacement");
        assert_eq!(group.current().group.desired, 1);
    }
}

/// `PutLifecycleHook`: `DefaultResult` is what is done when the timeout elapses.
#[test]
fn a_launch_goes_on_where_that_is_the_default_result() {
    let hook = hook(Transition::Launching).with_default_result(HookResult::Continue);
    let group = group(config(0, 9, 1).with_hook(hook));
    group.advance(at(161));
    assert_eq!(in_service(&group).len(), 1);
}

/// `LifecycleState`: every `Pending*` is a launch that counts; lowering the capacity never takes one that waits.
#[test]
fn an_instance_that_waits_to_come_into_service_counts() {
    let group = launching(config(0, 9, 2));
    group.advance(at(100));
    assert_eq!(ids(&group, &Lifecycle::PendingWait).len(), 2, "no more");
    set(&group, 1);
    assert_eq!(ids(&group, &Lifecycle::PendingWait).len(), 2);
}

/// User guide, "How lifecycle hooks work": `Terminating:Wait`, `Terminating:Proceed`, gone; of every termination: by id, by scale-in, by
/// a health check. An instance that waits to end counts no more.
#[test]
fn a_terminating_hook_holds_every_termination() {
    let group = draining(config(0, 9, 3));
    let asked = end_one(&group);
    set(&group, 1);
    let lost = in_service(&group).remove(0);
    group.lose_machine(&lost);
    group.advance(at(60));
    assert_eq!(ids(&group, &Lifecycle::TerminatingWait).len(), 3);
    assert_eq!(
        ids(&group, &Lifecycle::Pending).len(),
        1,
        "for the lost one"
    );
    assert!(group.is_running(&asked) && !group.is_running(&lost));
    group.advance(at(99));
    assert!(complete(
        &group,
        &asked,
        Transition::Terminating,
        HookResult::Continue
    ));
    assert_eq!(state(&group, &asked), Some(Lifecycle::TerminatingProceed));
    assert!(!group.is_running(&asked));
    group.advance(at(129));
    assert_eq!(state(&group, &asked), None);
    group.advance(at(200));
    assert_eq!(ids(&group, &Lifecycle::TerminatingWait), []);
}

/// User guide, "Lifecycle hooks": ABANDON and CONTINUE both end in termination.
#[test]
fn an_abandoned_termination_ends_like_a_completed_one() {
    let group = draining(config(0, 9, 1));
    let id = end_one(&group);
    assert!(complete(
        &group,
        &id,
        Transition::Terminating,
        HookResult::Abandon
    ));
    assert_eq!(state(&group, &id), Some(Lifecycle::TerminatingProceed));
}

/// `RecordLifecycleActionHeartbeat`: extends the timeout by the hook's heartbeat timeout, from the time of the call.
#[test]
fn a_heartbeat_begins_the_timeout_anew() {
    let group = draining(config(0, 9, 1));
    let id = end_one(&group);
    group.advance(at(99));
    assert!(heartbeat(&group, &id, Transition::Terminating));
    assert!(!heartbeat(&group, &id, Transition::Launching));
    group.advance(at(198));
    assert_eq!(state(&group, &id), Some(Lifecycle::TerminatingWait));
    group.advance(at(199));
    assert_eq!(state(&group, &id), Some(Lifecycle::TerminatingProceed));
    assert!(!heartbeat(&group, &id, Transition::Terminating));
}

/// `PutLifecycleHook`: at most 48 hours or 100 times the heartbeat timeout, whichever is smaller.
#[test]
fn no_heartbeat_holds_an_instance_beyond_the_longest_wait() {
    for (timeout, longest) in [(30, 3000), (7200, 48 * 3600)] {
        let hook = SimHook::new(Transition::Terminating);
        let hook = hook.with_heartbeat_timeout(secs(timeout)).unwrap();
        let config = config(0, 9, 1).with_start_in_service(true).with_hook(hook);
        let group = Arc::new(group(config));
        let id = end_one(&group);
        let step = i64::try_from(timeout).unwrap() / 2;
        let mut now = 0;
        while heartbeat(&group, &id, Transition::Terminating) {
            now += step;
            group.advance(at(now));
        }
        assert_eq!(now, longest);
    }
}

/// User guide, "Control instance retention": an abandoned or timed-out termination is retained, runs on, is outside the desired capacity, and
/// stays until `TerminateInstanceInAutoScalingGroup`.
#[test]
fn an_abandoned_termination_is_retained_where_the_policy_says_so() {
    for times_out in [false, true] {
        let group = draining(config(1, 9, 2).with_retention(true));
        let id = end_one(&group);
        if !times_out {
            assert!(complete(
                &group,
                &id,
                Transition::Terminating,
                HookResult::Abandon
            ));
        }
        let events = kinds(group.advance(at(200_000)));
        assert!(events.contains(&SimEventKind::Retained { id: id.clone() }));
        assert_eq!(state(&group, &id), Some(Lifecycle::TerminatingRetained));
        assert!(group.is_running(&id));
        assert_eq!(group.current().group.desired, 1);
        assert_eq!(ids(&group, &Lifecycle::Pending), []);
        block_on(group.terminate(&id, Decrement::Yes)).unwrap();
        assert_eq!(state(&group, &id), Some(Lifecycle::Terminating));
        assert_eq!(group.current().group.desired, 1, "no decrement for it");
        group.advance(at(200_030));
        assert_eq!(state(&group, &id), None);
    }
}

/// User guide, "Control instance retention": a termination completed with CONTINUE is never retained.
#[test]
fn a_completed_termination_is_not_retained() {
    let group = draining(config(0, 9, 1).with_retention(true));
    let id = end_one(&group);
    assert!(complete(
        &group,
        &id,
        Transition::Terminating,
        HookResult::Continue
    ));
    assert_eq!(state(&group, &id), Some(Lifecycle::TerminatingProceed));
}

/// Of a machine that has ended there is nothing to retain. (Not documented.)
#[test]
fn a_lost_machine_is_not_retained() {
    let group = draining(config(0, 9, 1).with_retention(true));
    let id = end_one(&group);
    assert!(group.lose_machine(&id));
    group.advance(at(100));
    assert_eq!(state(&group, &id), Some(Lifecycle::TerminatingProceed));
}

/// `DeleteLifecycleHook`: outstanding actions are completed first, ABANDON for launching instances, CONTINUE for terminating ones. The
/// last is what ends a draining instance in the middle of its recording, whatever the group retains.
#[test]
fn deleting_a_hook_completes_what_waits_for_it() {
    let group = draining(config(0, 9, 1).with_retention(true));
    let id = end_one(&group);
    group.delete_hook(Transition::Launching);
    assert_eq!(state(&group, &id), Some(Lifecycle::TerminatingWait));
    group.delete_hook(Transition::Terminating);
    assert_eq!(state(&group, &id), Some(Lifecycle::TerminatingProceed));

    let group = launching(config(0, 9, 1));
    group.advance(at(60));
    let id = ids(&group, &Lifecycle::PendingWait).remove(0);
    group.delete_hook(Transition::Launching);
    assert_eq!(state(&group, &id), Some(Lifecycle::Terminating));
}

/// A changed hook holds what comes after. (What it does to what waits is not documented; here nothing.)
#[test]
fn a_changed_hook_leaves_alone_what_waits() {
    let group = draining(config(0, 9, 2));
    let first = end_one(&group);
    let longer = SimHook::new(Transition::Terminating);
    group.put_hook(longer.with_heartbeat_timeout(secs(200)).unwrap());
    group.set_retention(true);
    let second = end_one(&group);
    group.advance(at(100));
    assert_eq!(state(&group, &first), Some(Lifecycle::TerminatingRetained));
    assert_eq!(state(&group, &second), Some(Lifecycle::TerminatingWait));
}

/// User guide, "Lifecycle hooks": hooks do not run for a group that is deleted by force.
#[test]
fn deleting_the_group_by_force_runs_no_hook() {
    let group = draining(config(0, 9, 3).with_retention(true));
    let (waits, retained) = (end_one(&group), end_one(&group));
    assert!(complete(
        &group,
        &retained,
        Transition::Terminating,
        HookResult::Abandon
    ));
    group.delete();
    assert!(!group.is_running(&waits) && !group.is_running(&retained));
    group.advance(at(30));
    assert_eq!(group.current().instances, []);
}

/// `TerminateInstanceInAutoScalingGroup` on one that already waits to end changes nothing; on one that waits to come into service it
/// begins a termination, which the hook holds.
#[test]
fn ending_what_waits() {
    let config = config(0, 9, 1).with_hook(hook(Transition::Launching));
    let group = Arc::new(group(config.with_hook(hook(Transition::Terminating))));
    group.advance(at(60));
    let id = ids(&group, &Lifecycle::PendingWait).remove(0);
    block_on(group.terminate(&id, Decrement::Yes)).unwrap();
    assert_eq!(group.current().group.desired, 0);
    assert_eq!(state(&group, &id), Some(Lifecycle::TerminatingWait));
    assert!(!complete(
        &group,
        &id,
        Transition::Launching,
        HookResult::Continue
    ));
    block_on(group.terminate(&id, Decrement::No)).unwrap();
    assert_eq!(state(&group, &id), Some(Lifecycle::TerminatingWait));
    assert_eq!(ids(&group, &Lifecycle::Pending), []);
}

/// User guide, "Instance scale-in protection": the debt of a lowered capacity is paid by the first that loses its protection, hook or not.
#[test]
fn the_protection_debt_is_paid_through_the_hook() {
    let group = draining(config(0, 9, 2));
    let all = in_service(&group);
    group.set_protection(&all, true);
    set(&group, 1);
    assert_eq!(in_service(&group), all);
    group.set_protection(&all[1..], false);
    assert_eq!(state(&group, &all[1]), Some(Lifecycle::TerminatingWait));
    group.set_protection(&all[1..], true);
    assert!(!row(&group, &all[1]).unwrap().protected, "too late");
}

/// A group without hooks never shows a wait, and says nothing of hooks.
#[test]
fn without_hooks_nothing_waits() {
    let group = Arc::new(running(0, 9, 1));
    let id = end_one(&group);
    assert_eq!(state(&group, &id), Some(Lifecycle::Terminating));
    assert!(!group.is_running(&id));
    assert!(!heartbeat(&group, &id, Transition::Terminating));
    assert_eq!(group.advance(at(0)).len(), 1);
}

/// What a listing says of draining by agents: whether a hook holds what ends, and whether what is abandoned is kept.
#[test]
fn a_listing_says_whether_agents_can_drain_and_whether_the_group_retains() {
    let group = draining(config(0, 9, 1));
    let says = || {
        let listing = block_on(group.list()).unwrap();
        (listing.drains_on_termination, listing.retains_abandoned)
    };
    assert_eq!(says(), (true, false));
    group.set_retention(true);
    assert_eq!(says(), (true, true));
    group.delete_hook(Transition::Terminating);
    assert_eq!(says(), (false, true));
    group.put_hook(hook(Transition::Terminating));
    assert_eq!(says(), (true, true));
}

#[test]
fn a_controller_can_let_go_what_waits() {
    let group = draining(config(0, 9, 1));
    let id = end_one(&group);
    block_on(group.complete_termination(&id)).unwrap();
    assert_eq!(state(&group, &id), Some(Lifecycle::TerminatingProceed));
    block_on(group.complete_termination(&id)).unwrap();
}

#[test]
fn tags_are_listed() {
    let group = running(0, 9, 1);
    assert!(!group.current().shrinks());
    group.set_tag(crate::native::SHRINK_TAG, crate::native::SHRINK_ENABLED);
    assert!(block_on(group.list()).unwrap().shrinks());
}
