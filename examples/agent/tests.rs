//! The agent as the command line builds it, with moto, an instance metadata service and a Jibri on real sockets.

mod aws;
mod http;
mod imds;
mod metadata;
#[path = "../../jibri-scaler-aws/tests/moto/server.rs"]
mod moto_server;
mod publishing;
mod supervisor;
mod upload;
mod world;

use std::time::Duration;

use jibri_scaler_core::agent::Ending;
use jibri_scaler_http::fake::{Exit, SessionEvent};

use world::World;

const TOLD: &str = "/gracefulShutdown";
const TEN_MINUTES: Option<Duration> = Some(Duration::from_mins(10));

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_protected_unless_its_jibri_is_idle_for_long() {
    let mut world = World::new("agent-protects").await;
    let start = world.now;
    assert!(world.aws.is_protected().await, "born so");
    world.start_agent().await;
    world.until_protected(false).await;
    assert!(
        world.now.since(start) >= Duration::from_secs(20),
        "the idle timeout"
    );

    world.record("standup", TEN_MINUTES);
    let recording = world.now;
    world.until_protected(true).await;
    let seen = world.now.since(recording);
    assert!(
        seen < Duration::from_secs(10),
        "BUSY was seen after {seen:?}"
    );
    world.until_protected(false).await;
    assert!(world.now.since(recording) > Duration::from_mins(10));

    let at = |time: jibri_scaler_core::Timestamp| time.as_micros().div_euclid(10_000_000) * 10;
    let sums = world.aws.sums(at(start), at(world.now) + 10).await;
    assert!(
        sums.iter().all(|(_, points)| (points - 1.0).abs() < 0.01),
        "one point in each period: {sums:?}"
    );
    let idle = sums.iter().filter(|(sum, _)| *sum > 0.5).count();
    let busy = sums.len() - idle;
    assert!(
        (60..64).contains(&busy),
        "it was busy for ten minutes and a bit: {sums:?}"
    );
    assert!(idle >= 3, "{sums:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_begins_as_its_instance_is_to_end_is_finished_and_uploaded_first() {
    let mut world = World::new("agent-drains").await;
    world.start_agent().await;
    world.until_protected(false).await;

    // Chrome starts, so that the Jibri reads IDLE, and in the same second the group chooses its instance.
    let start = world.now;
    world.record("standup", TEN_MINUTES);
    world.terminate();
    world
        .until("told", |world| world.jibri.received(TOLD) > 0)
        .await;
    assert!(world.path("latch").exists(), "set before it is told");
    assert!(world.jibri.is_session_active());

    // An agent that crashes goes on from the latch: here, while it records, and after it has ended.
    world.crash_agent().await;
    world
        .until("told again", |world| world.jibri.received(TOLD) > 1)
        .await;
    for _ in 0..60 {
        world.second().await;
        assert_eq!(world.aws.completed(), [""; 0], "it is recording");
    }
    // The meeting is over after Chrome's 4 s and the ten minutes, and the finalize script uploads for 10 s more.
    let uploading = start + Duration::from_secs(4 + 600 + 5);
    world
        .until("uploading", |world| world.now >= uploading)
        .await;
    assert!(world.holds("standup") && world.jibri.is_session_active());
    assert_eq!(world.aws.completed(), [""; 0], "it is uploading");
    world
        .until("ended", |world| !world.jibri.is_session_active())
        .await;
    assert!(!world.holds("standup"));
    world.crash_agent().await;
    world
        .until("let go", |world| !world.aws.completed().is_empty())
        .await;
    assert_eq!(world.aws.completed(), ["CONTINUE"]);
    assert!(world.aws.heartbeats() > 0);
    assert_eq!(world.ending().await, Ending::InstanceEnded);

    assert_eq!(world.exit(), Some(Exit::Retired));
    assert_eq!(
        world.events("standup"),
        [SessionEvent::Accepted, SessionEvent::Finished]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_crashes_again_and_again_gives_nothing_back_too_early() {
    let mut world = World::new("agent-crashes").await;
    world.start_agent().await;
    world.until_protected(false).await;
    world.record("standup", Some(Duration::from_mins(2)));
    world.terminate();
    // Each agent lives a second longer than the one before: one crashes before it has set the latch, the next before it has
    // told, and so on.
    let mut lives = 0;
    while world.aws.completed().is_empty() {
        world.crash_agent().await;
        for _ in 0..lives {
            world.second().await;
        }
        lives += 1;
        assert!(lives < 60, "never let go");
    }
    assert_eq!(world.aws.completed(), ["CONTINUE"]);
    assert_eq!(
        world.events("standup"),
        [SessionEvent::Accepted, SessionEvent::Finished]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spot_notice_stops_the_recording_so_that_what_exists_is_uploaded() {
    let mut world = World::new("agent-spot").await;
    world.start_agent().await;
    world.until_protected(false).await;
    world.record("standup", None);
    world.until_protected(true).await;
    let notice = world.now;
    let ends = notice + Duration::from_mins(2);
    world.imds.set(
        "spot/instance-action",
        &format!("{{\"action\":\"terminate\",\"time\":\"{ends}\"}}"),
    );
    world.until("stopped", |world| world.exit().is_some()).await;
    assert!(world.now < ends, "before it is too late");
    assert_eq!(
        world.events("standup"),
        [SessionEvent::Accepted, SessionEvent::Finished],
        "finalized"
    );
    assert!(!world.holds("standup"), "what exists is uploaded");
}
