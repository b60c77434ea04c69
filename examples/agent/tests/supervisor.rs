//! A supervisor that minds no latch.

use std::time::Duration;

use jibri_scaler_core::agent::Ending;
use jibri_scaler_http::fake::{Profile, SessionEvent, Supervisor};

use super::{TOLD, world::World};

const MINUTE: Option<Duration> = Some(Duration::from_mins(1));
const WHOLE: [SessionEvent; 2] = [SessionEvent::Accepted, SessionEvent::Finished];

#[tokio::test(flavor = "multi_thread")]
async fn a_jibri_that_is_started_again_whatever_is_told_again_until_it_stays_down() {
    let restart_after = Duration::from_secs(1);
    let profile = Profile::booted().with_supervisor(Supervisor::Always { restart_after });
    let mut world = World::with("agent-restarts", profile).await;
    world.start_agent().await;
    world.until_protected(false).await;

    world.record("standup", MINUTE);
    world.terminate();
    world
        .until("finished", |world| world.events("standup") == WHOLE)
        .await;
    let (told, beats) = (world.jibri.received(TOLD), world.aws.heartbeats());
    world
        .until("told again", |world| world.jibri.received(TOLD) >= told + 5)
        .await;
    assert!(world.heard("was started again while it drains"));

    // Between two times it is as free as any, and what it then accepts it finishes.
    world
        .until("free", |world| world.jibri.is_selectable())
        .await;
    world.record("review", MINUTE);
    world
        .until("finished", |world| world.events("review") == WHOLE)
        .await;
    for _ in 0..60 {
        world.second().await;
    }
    assert!(world.aws.heartbeats() > beats, "the hook waits");
    assert_eq!(world.aws.completed(), [""; 0], "nothing is given back");
    assert_eq!(world.aws.ended(), 0);

    // Somebody stops that supervisor, or a human ends the instance: the agent alone never does.
    let systemd = Supervisor::Systemd { restart_after };
    world
        .jibri
        .act(|jibri| jibri.set_supervisor(systemd))
        .unwrap();
    world
        .until("let go", |world| !world.aws.completed().is_empty())
        .await;
    assert_eq!(world.aws.completed(), ["CONTINUE"]);
    assert_eq!(world.ending().await, Ending::InstanceEnded);
}
