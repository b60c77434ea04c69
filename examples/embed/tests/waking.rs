//! What is pushed makes a tick come at once.

use clap::Parser as _;
use tokio::time::Instant;

use super::*;
use crate::{arguments::Arguments, keep, ports::World};

const AGENTS: &str = "abcdef0123456789abcdef0123456789";

#[tokio::test(start_paused = true)]
async fn a_push_makes_a_tick_come_at_once_and_many_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let group = format!("--group=one={}", file("policy", "report_ttl = '2m'"));
    let token = format!("--push-token-file={}", file("token", AGENTS));
    // A tick each thirty seconds by both clocks, and each six at most.
    let words = ["embed", "--speed", "1", &group, &token];
    let arguments = Arguments::try_parse_from(words).unwrap();
    let world = World::new(&arguments).await.unwrap();
    let (pushes, mut groups) = keep(arguments, world).await.unwrap();
    let (group, mut keeper) = groups.remove(0);
    let (mut worker, mut ticks) = keeper.begin().await.unwrap();
    let began = Instant::now();

    let first = ticks.next().await.unwrap();
    worker.tick(first).await;
    let id = group.view().instances[0].standing.id.to_string();
    let push = async |busy: &str| {
        let status =
            format!(r#"{{"busyStatus": "{busy}", "health": {{"healthStatus": "HEALTHY"}}}}"#);
        let body = format!(r#"{{"jibriId": "{id}", "status": {status}, "agent": "1"}}"#);
        let request = Request::post("/push/one/v1/status")
            .header(header::AUTHORIZATION, format!("Bearer {AGENTS}"))
            .body(Body::from(body));
        let (status, said) = ask(&pushes, request.unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{said}");
    };
    push("BUSY").await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let at = ticks.next().await.unwrap();
        seen.push(began.elapsed().as_secs());
        // The time of the group goes on by as much as that of this machine.
        assert_eq!(at.since(first).as_secs(), began.elapsed().as_secs());
        if seen.len() == 1 {
            for busy in ["IDLE", "BUSY", "IDLE"] {
                push(busy).await;
            }
        }
    }
    assert_eq!(seen, [6, 12, 30, 60]);
}
