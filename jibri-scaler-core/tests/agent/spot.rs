use jibri_scaler_core::{
    Lifecycle, Timestamp,
    agent::{AgentConfig, OnSpot},
    port::PortErrorKind,
};

use crate::world::{START, World, id, secs};

fn config() -> AgentConfig {
    AgentConfig::default().with_shrink(false)
}

fn notice(world: &World) {
    let at = Timestamp::from_secs(START + world.state().now + 120);
    world.change(&id(0), |member| member.notices.spot_ends_at = Some(at));
}

fn recording(config: AgentConfig) -> World {
    let mut world = World::new(1, config);
    world.pass(30);
    let now = world.state().now;
    world.change(&id(0), |member| member.record(now, 3600));
    world.pass(30);
    world
}

#[test]
fn a_busy_one_stops_at_once_and_keeps_what_there_is() {
    let mut world = recording(config());
    notice(&world);
    world.pass(10);
    assert_eq!(world.calls(&id(0), "stop").len(), 1);
    let (latch, stop) = (
        world.calls(&id(0), "latch")[0].0,
        world.calls(&id(0), "stop")[0].0,
    );
    assert!(latch <= stop && stop <= 66, "latch {latch}, stop {stop}");
    assert_eq!(
        world.found("in the middle of a recording"),
        1,
        "reported as the loss it is"
    );
    world.pass(50);
    assert_eq!(
        (
            world.change(&id(0), |m| m.lifecycle.clone()),
            world.state().lost
        ),
        (Lifecycle::Terminated, 0)
    );
}

#[test]
fn it_is_stopped_also_when_the_latch_cannot_be_set() {
    let mut world = recording(config());
    world.change(&id(0), |member| {
        member.failing.insert("latch", PortErrorKind::Permanent)
    });
    notice(&world);
    world.pass(10);
    assert_eq!(world.calls(&id(0), "stop").len(), 1);
}

#[test]
fn a_busy_one_may_be_left_to_record() {
    let mut world = recording(config().with_on_spot(OnSpot::Drain));
    notice(&world);
    world.pass(100);
    assert_eq!(world.calls(&id(0), "stop"), []);
    assert_eq!(world.calls(&id(0), "tell").len(), 1);
}

#[test]
fn an_idle_one_is_only_told() {
    let mut world = World::new(1, config());
    world.pass(30);
    notice(&world);
    world.pass(60);
    assert_eq!(world.calls(&id(0), "stop"), []);
    assert_eq!(
        world.change(&id(0), |m| m.lifecycle.clone()),
        Lifecycle::Terminated
    );
    assert_eq!(world.calls(&id(0), "end")[0].1, "end No");
}

#[test]
fn one_that_drains_already_is_stopped_too() {
    let mut world = recording(config());
    world.change(&id(0), crate::world::Member::terminate);
    world.pass(30);
    assert_eq!(world.calls(&id(0), "stop"), []);
    notice(&world);
    world.pass(10);
    assert_eq!(world.calls(&id(0), "stop").len(), 1);
}

#[test]
fn a_scheduled_event_drains_early_and_stops_nothing() {
    let config = config().with_event_lead(secs(7200)).unwrap();
    let mut world = recording(config);
    let at = Timestamp::from_secs(START + world.state().now + 3 * 3600);
    world.change(&id(0), |member| member.notices.event_at = Some(at));
    world.pass(3500);
    assert_eq!(world.calls(&id(0), "tell"), [], "it is far off");
    world.pass(200);
    assert_eq!(world.calls(&id(0), "stop"), []);
    assert_eq!(
        (
            world.change(&id(0), |m| m.lifecycle.clone()),
            world.state().lost
        ),
        (Lifecycle::Terminated, 0)
    );
    assert_eq!(world.calls(&id(0), "end")[0].1, "end No");
}

/// Whether an agent before this one has told it to end does not matter then.
#[test]
fn it_is_stopped_also_when_the_latch_cannot_be_read() {
    let mut world = World::without_agents(1, config());
    world.change(&id(0), |member| {
        member.failing.insert("load", PortErrorKind::Permanent);
        member.record(0, 3600);
    });
    world.start_agent(&id(0));
    world.pass(30);
    assert_eq!(world.calls(&id(0), "stop"), []);
    notice(&world);
    world.pass(10);
    assert_eq!(world.calls(&id(0), "stop").len(), 1);
    assert_eq!(world.found("in the middle of a recording"), 1);
    assert_eq!(world.calls(&id(0), "tell"), [], "and nothing else");
}
