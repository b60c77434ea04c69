//! What the groups of AWS share, and what wakes them, without AWS.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Instant, SystemTime},
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use clap::Parser as _;
use futures_util::FutureExt as _;
use jibri_scaler_core::{InstanceId, observe::AgentReports, port::GroupListing as _};
use tokio::time::{advance, pause};

use super::{service::server, *};
use crate::{
    arguments::Arguments,
    ports::{DISTANCE, World},
    serve::Stop,
};

async fn sdk(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(endpoint)
        .test_credentials()
        .load()
        .await
}

/// Two groups, whose AWS is there.
async fn world(endpoint: &str) -> World {
    let words = "embed --group one=p.toml --group two=p.toml --push-token-file token";
    let arguments = Arguments::try_parse_from(words.split(' ')).unwrap();
    World::with_sdk(sdk(endpoint).await, &arguments).unwrap()
}

#[tokio::test]
async fn two_groups_share_one_budget_of_calls() {
    let server = server(10).await;
    let endpoint = format!("http://{}", server.address().unwrap());
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let refuses = async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let error = "<Code>ValidationError</Code><Message>it is only counted</Message>";
        let body = format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>");
        (StatusCode::BAD_REQUEST, body)
    };
    tokio::spawn(server.serve(Router::new().fallback(refuses), Stop::default()));
    let world = world(&endpoint).await;
    let reports = Arc::new(AgentReports::default());
    let groups = ["one", "two"].map(|name| world.ports(name, &reports).unwrap().listing);
    let began = Instant::now();
    // Each would have fifteen reads at once, if it were alone.
    while calls.load(Ordering::SeqCst) < 30 {
        for group in &groups {
            let error = group.list().await.unwrap_err();
            assert_eq!(error.kind(), PortErrorKind::Permanent, "{error}");
        }
    }
    let allowed = 20.0 + 8.0 * began.elapsed().as_secs_f64();
    let calls = calls.load(Ordering::SeqCst);
    assert!(f64::from(calls) <= allowed, "{calls} of {allowed}");
}

/// Whether a tick is there at once, after each of these.
async fn ticks_that_come() -> [bool; 6] {
    let world = world("http://127.0.0.1:1").await;
    let (reports, id) = (
        Arc::new(AgentReports::default()),
        "i-a".parse::<InstanceId>(),
    );
    let id = id.unwrap();
    reports.list([&id]);
    let push = || reports.hint(&id).unwrap();
    let mut ticks = world.ports("one", &reports).unwrap().ticks;
    let mut comes = || matches!(ticks.next().now_or_never(), Some(Some(_)));
    let first = comes();
    push();
    let too_soon = comes();
    advance(DISTANCE + Duration::from_millis(1)).await;
    let pushed = comes();
    advance(DISTANCE + Duration::from_millis(1)).await;
    let not_pushed = comes();
    for _ in 0..3 {
        push();
    }
    let pushed_often = comes();
    advance(DISTANCE + Duration::from_millis(1)).await;
    [first, too_soon, pushed, not_pushed, pushed_often, comes()]
}

#[tokio::test]
async fn a_push_makes_a_tick_come_at_once_and_many_make_one() {
    pause();
    // Those that are due by themselves come with the intervals of the clock on the wall.
    let interval = || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.unwrap().as_secs() / INTERVAL.as_secs()
    };
    loop {
        let before = interval();
        let comes = ticks_that_come().await;
        if interval() == before {
            assert_eq!(comes, [true, false, true, false, true, false]);
            break;
        }
    }
}
