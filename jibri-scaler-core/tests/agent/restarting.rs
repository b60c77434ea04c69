//! What an agent knows over its own restart beside the latch.

use jibri_scaler_core::{
    Timestamp,
    agent::{AgentConfig, port::SavedState},
    port::PortErrorKind,
};

use crate::world::{START, World, id, secs};

/// A world with a Jibri that has been recording for `since` seconds, and its agent.
fn recording(since: i64) -> World {
    let config = AgentConfig::default().with_shrink(false);
    let mut world = World::new(1, config.with_max_busy(secs(3600)).unwrap());
    world.pass(30);
    let now = world.state().now;
    world.change(&id(0), |member| member.record(now, 20_000));
    world.pass(since);
    world
}

fn restart(world: &mut World) {
    world.kill_agent(&id(0));
    world.pass(10);
    world.start_agent(&id(0));
}

fn busy_for(world: &World) -> Option<u64> {
    let state = world.state();
    let newest = state.points.last().and_then(|(_, point)| point.busy_for);
    newest.map(|busy| busy.as_secs())
}

#[test]
fn how_long_it_is_busy_outlasts_restarts_of_its_agent() {
    let mut world = recording(2000);
    for _ in 0..3 {
        restart(&mut world);
        world.pass(100);
    }
    let busy = busy_for(&world).unwrap();
    assert!((2290..=2330).contains(&busy), "{busy}");
    world.pass(1200);
    assert_eq!(world.found("busy for longer than max_busy"), 0);
    world.pass(200);
    assert_eq!(world.found("busy for longer than max_busy"), 1);
    assert_eq!(world.calls(&id(0), "save").len(), 1, "when it has changed");
    // The next recording begins with its own beginning.
    world.change(&id(0), |member| member.session = None);
    world.pass(30);
    assert_eq!(busy_for(&world), None);
    let now = world.state().now;
    world.change(&id(0), |member| member.record(now, 1000));
    world.pass(100);
    assert!(busy_for(&world).unwrap() <= 100);
}

#[test]
fn what_was_saved_of_a_recording_that_has_ended_says_nothing_of_the_next_one() {
    let mut world = recording(2000);
    world.kill_agent(&id(0));
    world.change(&id(0), |member| member.session = None);
    world.start_agent(&id(0));
    world.pass(30);
    assert_eq!(
        world.change(&id(0), |member| member.saved),
        Some(SavedState::default())
    );
    let now = world.state().now;
    world.change(&id(0), |member| member.record(now, 1000));
    world.pass(100);
    assert!(busy_for(&world).unwrap() <= 100);
}

#[test]
fn a_silent_jibri_is_not_taken_for_a_free_one() {
    let mut world = recording(2000);
    world.change(&id(0), |member| {
        member.failing.insert("probe", PortErrorKind::Transient);
    });
    restart(&mut world);
    world.pass(300);
    world.change(&id(0), |member| member.failing.clear());
    world.pass(30);
    assert!(busy_for(&world).unwrap() >= 2300);
}

#[test]
fn what_cannot_be_loaded_or_saved_or_is_nonsense_costs_only_the_time() {
    let mut world = recording(2000);
    world.change(&id(0), |member| {
        member.failing.insert("restore", PortErrorKind::Permanent);
        member.failing.insert("save", PortErrorKind::Permanent);
    });
    restart(&mut world);
    world.pass(100);
    assert!(busy_for(&world).unwrap() <= 100);
    world.pass(3600);
    let saves = world.calls(&id(0), "save").len();
    assert!((4..40).contains(&saves), "it does not insist: {saves}");
    // A clock that was set back since: that lies ahead.
    world.change(&id(0), |member| {
        member.failing.clear();
        let ahead = Timestamp::from_secs(START + 1_000_000);
        member.saved = Some(SavedState::new(Some(ahead)));
    });
    restart(&mut world);
    world.pass(100);
    assert!(busy_for(&world).unwrap() <= 100);
}
