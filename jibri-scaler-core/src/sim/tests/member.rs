//! What the agent on an instance can see and do. Each test names the source of what it holds.

use super::*;
use crate::agent::port::{
    HookResult, InstanceMetadata as _, OwnInstance as _, OwnState, TargetState, Transition,
};

fn target(group: &Arc<SimGroup>, id: &InstanceId) -> Result<Option<TargetState>, PortError> {
    block_on(group.member(id).target_state())
}

/// User guide, "Retrieve the target lifecycle state": nothing before the first transition, then where it is to go, not where it is.
#[test]
fn the_target_state_is_that_of_the_transition() {
    let hooks = [Transition::Launching, Transition::Terminating];
    let config = hooks.into_iter().fold(config(0, 9, 1), |config, of| {
        config.with_hook(SimHook::new(of))
    });
    let group = Arc::new(group(config.with_retention(true)));
    let id = group.current().instances[0].id.clone();
    let member = group.member(&id);
    let mut seen = vec![target(&group, &id).unwrap()];
    group.advance(at(60));
    seen.push(target(&group, &id).unwrap());
    block_on(member.complete(Transition::Launching, HookResult::Continue)).unwrap();
    group.advance(at(61));
    seen.push(target(&group, &id).unwrap());
    group.enter_standby(&id, Decrement::Yes).unwrap();
    seen.push(target(&group, &id).unwrap());
    block_on(member.terminate(Decrement::No)).unwrap();
    seen.push(target(&group, &id).unwrap());
    block_on(member.complete(Transition::Terminating, HookResult::Abandon)).unwrap();
    seen.push(target(&group, &id).unwrap());
    let expected = [
        None,
        Some(TargetState::InService),
        Some(TargetState::InService),
        Some(TargetState::Standby),
        Some(TargetState::Terminated),
        Some(TargetState::Terminated),
    ];
    assert_eq!(seen, expected);
    block_on(member.terminate(Decrement::No)).unwrap();
    assert!(target(&group, &id).is_err(), "its machine is being ended");
}

#[test]
fn a_lost_machine_can_read_no_metadata_and_is_listed_until_it_is_noticed() {
    let group = Arc::new(running(0, 9, 1));
    let id = in_service(&group).remove(0);
    group.lose_machine(&id);
    assert!(target(&group, &id).is_err());
    assert!(block_on(group.member(&id).look()).unwrap().is_some());
}

#[test]
fn what_the_host_announces_is_in_its_metadata_only() {
    let group = Arc::new(running(0, 9, 2));
    let all = in_service(&group);
    let notices = Notices {
        spot_ends_at: Some(at(120)),
        ..Notices::default()
    };
    assert!(group.announce(&all[0], notices));
    let read = |id: &InstanceId| block_on(group.member(id).notices()).unwrap();
    assert_eq!(
        (read(&all[0]), read(&all[1])),
        (notices, Notices::default())
    );
    assert!(!group.announce(&"i-unknown".parse().unwrap(), notices));
}

/// `SetInstanceProtection` is refused outside of service and standby (`ValidationError`).
#[test]
fn its_protection_can_be_set_in_service_and_standby_only() {
    let hook = SimHook::new(Transition::Terminating);
    let group = Arc::new(group(
        config(0, 9, 1).with_start_in_service(true).with_hook(hook),
    ));
    let id = in_service(&group).remove(0);
    let member = group.member(&id);
    block_on(member.set_protection(true)).unwrap();
    let own = block_on(member.look()).unwrap();
    assert_eq!(own, Some(OwnState::new(Lifecycle::InService, true)));
    block_on(member.terminate(Decrement::Yes)).unwrap();
    let error = block_on(member.set_protection(false)).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Permanent);
    assert!(error.report().contains("is not in InService"), "{error}");
    let unknown = group.member(&"i-unknown".parse().unwrap());
    assert_eq!(block_on(unknown.look()).unwrap(), None);
    assert!(block_on(unknown.set_protection(true)).is_err());
    assert!(!block_on(unknown.heartbeat(Transition::Terminating)).unwrap());
}

/// Auto Scaling promises no read-after-write.
#[test]
fn its_own_look_lags_like_a_listing() {
    let config = config(0, 9, 1).with_start_in_service(true);
    let group = Arc::new(group(config.with_listing_lag(secs(10))));
    let id = in_service(&group).remove(0);
    group.advance(at(100));
    block_on(group.member(&id).set_protection(true)).unwrap();
    let protected = || {
        block_on(group.member(&id).look())
            .unwrap()
            .unwrap()
            .protected
    };
    assert!(!protected());
    group.advance(at(110));
    assert!(protected());
}

#[test]
fn its_calls_can_be_set_to_fail_too() {
    let group = Arc::new(running(0, 9, 1));
    let id = in_service(&group).remove(0);
    let member = group.member(&id);
    group.fail_next(SimOperation::Look, PortErrorKind::Throttled);
    group.fail_next(SimOperation::Metadata, PortErrorKind::Transient);
    group.lose_next_answer(SimOperation::Protect);
    assert_eq!(
        block_on(member.look()).unwrap_err().kind(),
        PortErrorKind::Throttled
    );
    assert!(block_on(member.notices()).is_err());
    assert!(block_on(member.notices()).is_ok());
    assert!(block_on(member.set_protection(true)).is_err());
    assert!(row(&group, &id).unwrap().protected, "done, but not known");
}
