//! Instance metadata that are slow, absent or wrong.

use std::time::Duration;

use jibri_scaler_core::agent::Ending;
use jibri_scaler_http::fake::SessionEvent;
use tokio::time::sleep;

use super::{TOLD, imds::FakeImds, world::World};

const WHOLE: [SessionEvent; 2] = [SessionEvent::Accepted, SessionEvent::Finished];
const TARGET: &str = "autoscaling/target-lifecycle-state";

/// An agent that serves.
async fn serving(group: &str) -> World {
    let mut world = World::new(group).await;
    world.start_agent().await;
    world.until_protected(false).await;
    world
}

/// The group ends an instance whose metadata do not say so.
async fn ends_without(group: &str, breaks: impl Fn(&FakeImds)) -> World {
    let mut world = serving(group).await;
    breaks(&world.imds);
    world.record("standup", Some(Duration::from_mins(1)));
    world.until_protected(true).await;
    world.aws.terminate();
    world
        .until("let go", |world| !world.aws.completed().is_empty())
        .await;
    assert_eq!(world.aws.completed(), ["CONTINUE"]);
    assert_eq!(world.events("standup"), WHOLE);
    assert_eq!(world.ending().await, Ending::InstanceEnded);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn the_group_is_asked_where_the_metadata_are_gone() {
    let world = ends_without("agent-imds-404", FakeImds::forget).await;
    assert!(world.heard("the group is asked instead"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_group_is_asked_where_nobody_answers_for_the_metadata() {
    let world = ends_without("agent-imds-refuses", FakeImds::refuse).await;
    assert!(world.heard("the group is asked instead"));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_hang_delay_nothing() {
    let world = ends_without("agent-imds-hangs", FakeImds::hang).await;
    assert!(world.heard("the group is asked instead"));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_miss_the_end_are_found_out_before_the_hook_gives_up() {
    // They say InService to the last.
    let world = ends_without("agent-imds-stays", |_| ()).await;
    assert!(!world.heard("the group is asked instead"));
    assert!(world.aws.heartbeats() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_starts_without_metadata_waits_for_them() {
    let mut world = World::new("agent-imds-late").await;
    let (imds, instance) = (world.imds.clone(), world.aws.instance.clone());
    imds.forget();
    let comes = async {
        sleep(Duration::from_millis(300)).await;
        imds.set("instance-id", &instance);
        imds.set("placement/region", "eu-central-1");
        imds.set("tags/instance/aws:autoscaling:groupName", "agent-imds-late");
        imds.set(TARGET, "InService");
    };
    tokio::join!(world.start_agent(), comes);
    world.until_protected(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_restarts_in_the_middle_of_a_drain_needs_no_metadata() {
    let mut world = serving("agent-imds-restart").await;
    world.record("standup", Some(Duration::from_mins(10)));
    world.terminate();
    world
        .until("told", |world| world.jibri.received(TOLD) > 0)
        .await;
    world.imds.refuse();
    world.crash_agent().await;
    let told = world.jibri.received(TOLD);
    world
        .until("told again", |world| world.jibri.received(TOLD) > told)
        .await;
    world
        .until("let go", |world| !world.aws.completed().is_empty())
        .await;
    assert_eq!(world.aws.completed(), ["CONTINUE"]);
    let beats = world.aws.heartbeats();
    assert!(beats > 15, "a quarter of the hook's two minutes: {beats}");
    assert_eq!(world.events("standup"), WHOLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_wrongly_say_the_end_cost_a_jibri_and_no_recording() {
    let mut world = serving("agent-imds-lies").await;
    world.record("standup", Some(Duration::from_mins(1)));
    world.until_protected(true).await;
    world.imds.set(TARGET, "Terminated");
    world.until("ended", |world| world.aws.ended() > 0).await;
    assert_eq!(world.events("standup"), WHOLE, "first");
    assert_eq!(world.aws.completed(), [""; 0], "no hook holds it");
    assert_eq!(world.ending().await, Ending::InstanceEnded);
}
