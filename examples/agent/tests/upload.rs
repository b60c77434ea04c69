//! A finalize script that fails.

use std::{fs, time::Duration};

use jibri_scaler_http::fake::{Exit, Profile, SessionEvent, Upload};

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_recording_was_not_uploaded_is_kept_and_an_alert_is_raised() {
    let profile = Profile::booted().with_upload(Upload::Fails);
    let mut world = World::with("agent-keeps", profile).await;
    world.start_agent().await;
    world.until_protected(false).await;
    world.record("standup", Some(Duration::from_mins(1)));
    world.until_protected(true).await;
    world.terminate();
    world
        .until("abandoned", |world| !world.aws.completed().is_empty())
        .await;
    assert_eq!(world.aws.completed(), ["ABANDON"]);
    assert_eq!(world.exit(), Some(Exit::Retired), "Jibri minds it not");
    assert_eq!(
        world.events("standup"),
        [
            SessionEvent::Accepted,
            SessionEvent::Finished,
            SessionEvent::NotUploaded
        ]
    );
    world.until("alert", |world| world.aws.alerts() > 0).await;
    assert!(world.heard("critical: ") && world.heard("the release check has failed"));
    for _ in 0..120 {
        world.second().await;
    }
    assert_eq!(world.aws.ended(), 0, "nobody ends it");
    assert!(world.holds("standup"));
    assert_eq!(world.aws.alerts(), 1, "one alert for one failure");

    // Somebody saves it: the next check passes, and the instance goes.
    fs::remove_file(world.recordings().join("standup")).unwrap();
    world.until("ended", |world| world.aws.ended() > 0).await;
}
