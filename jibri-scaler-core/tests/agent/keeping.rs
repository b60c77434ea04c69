//! What is kept where the group would destroy it.

use jibri_scaler_core::{
    Lifecycle,
    agent::{AgentConfig, port::HookResult},
    port::PortErrorKind,
};

use crate::world::{World, id};

/// An instance whose hook holds it with a recording that was not uploaded, in a group that does not retain.
fn left(change: impl FnOnce(&mut World)) -> World {
    let mut world = World::new(1, AgentConfig::default().with_shrink(false));
    world.state().retention = false;
    change(&mut world);
    world.pass(30);
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.finalize_fails = true;
        member.record(now, 60);
        member.terminate();
    });
    world.pass(3 * 3600);
    world
}

fn is_held(world: &World) -> bool {
    let lifecycle = world.change(&id(0), |member| member.lifecycle.clone());
    let completed = world.change(&id(0), |member| member.completed.clone());
    lifecycle == Lifecycle::TerminatingWait && completed.is_empty() && world.state().lost == 0
}

#[test]
fn without_retention_what_is_left_waits_at_the_hook_and_somebody_hears_of_it() {
    let mut world = left(|_| {});
    assert!(is_held(&world));
    assert_eq!(world.found("critical: i-000: what is left on it would"), 1);
    let beats = world.change(&id(0), |member| member.heartbeats);
    assert!((12..=14).contains(&beats), "{beats}");
    let lists = world.calls(&id(0), "list").len();
    assert!(lists < 110, "one in five minutes: {lists}");
    // With retention ABANDON keeps it.
    world.state().retention = true;
    world.pass(330);
    assert_eq!(
        world.change(&id(0), |member| member.completed.clone()),
        [HookResult::Abandon]
    );
    assert_eq!(
        world.change(&id(0), |member| member.lifecycle.clone()),
        Lifecycle::TerminatingRetained
    );
    assert_eq!(world.state().lost, 0);
}

#[test]
fn what_somebody_saves_while_it_waits_is_let_go() {
    let mut world = left(|_| {});
    world.change(&id(0), |member| member.files_left = false);
    world.pass(700);
    let completed = world.change(&id(0), |member| member.completed.clone());
    assert_eq!(
        (completed, world.state().lost),
        (vec![HookResult::Continue], 0)
    );
}

#[test]
fn whether_the_group_retains_is_not_guessed() {
    let mut world = left(|world| {
        world.state().retention = true;
        world.change(&id(0), |member| {
            member.failing.insert("list", PortErrorKind::Throttled);
        });
    });
    assert!(is_held(&world));
    assert_eq!(world.found("critical: i-000: what is left on it would"), 1);
    world.change(&id(0), |member| member.failing.clear());
    world.pass(500);
    let completed = world.change(&id(0), |member| member.completed.clone());
    assert_eq!(completed, [HookResult::Abandon]);
}

/// Retention that was taken away since the last listing is noticed before anything is abandoned: that listing is older than five minutes
/// then, and the next one for the hook's timeout is due after a quarter of an hour only.
#[test]
fn what_an_old_listing_said_does_not_count() {
    let mut world = World::new(1, AgentConfig::default().with_shrink(false));
    world.pass(30);
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.finalize_fails = true;
        member.record(now, 300);
        member.terminate();
    });
    world.pass(60);
    let listed = world.calls(&id(0), "list").len();
    assert!(listed > 0);
    world.state().retention = false;
    world.pass(200);
    assert_eq!(
        world.calls(&id(0), "list").len(),
        listed,
        "not listed since"
    );
    world.pass(2 * 3600);
    assert!(is_held(&world));
    assert!(world.calls(&id(0), "list").len() > listed);
}

/// The hook must not time out while somebody repairs the disk.
#[test]
fn a_hook_goes_on_waiting_while_the_latch_cannot_be_read() {
    let mut world = World::without_agents(1, AgentConfig::default());
    world.state().retention = false;
    world.change(&id(0), |member| {
        member.failing.insert("load", PortErrorKind::Permanent);
        member.record(0, 5 * 3600);
        member.terminate();
    });
    world.start_agent(&id(0));
    world.pass(3 * 3600);
    assert!(is_held(&world));
    assert_eq!(world.calls(&id(0), "tell"), []);
    world.change(&id(0), |member| member.failing.clear());
    world.pass(3 * 3600);
    let completed = world.change(&id(0), |member| member.completed.clone());
    assert_eq!(
        (completed, world.state().lost),
        (vec![HookResult::Continue], 0)
    );
}

/// To end an instance by its id destroys it once it is retained, and a listing that still shows it in service may be old by a minute:
/// so the five minutes count from when the hook holds it, and not from when its check failed.
#[test]
fn what_was_kept_in_service_waits_at_the_hook_for_as_long_before_it_is_abandoned() {
    let mut world = World::new(1, AgentConfig::default().with_shrink(false));
    world.pass(30);
    world.change(&id(0), |member| {
        member.status = ("EXPIRED", "HEALTHY");
        member.files_left = true;
    });
    world.pass(600);
    let lifecycle = |world: &World| world.change(&id(0), |member| member.lifecycle.clone());
    assert_eq!(lifecycle(&world), Lifecycle::InService);
    assert!(world.found("what is left on it") > 0 || world.calls(&id(0), "check").len() > 5);
    world.change(&id(0), crate::world::Member::terminate);
    world.pass(280);
    assert!(is_held(&world));
    world.pass(60);
    assert_eq!(lifecycle(&world), Lifecycle::TerminatingRetained);
}
