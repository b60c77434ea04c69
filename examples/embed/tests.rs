//! The service over groups in memory, without sockets.

mod connecting;
mod ending;
mod hanging;
mod keeping;
#[cfg(not(feature = "aws"))]
mod pushing;
#[cfg(feature = "dynamodb")]
mod replicas;
mod service;
#[cfg(feature = "aws")]
mod sharing;
mod starting;
#[cfg(not(feature = "aws"))]
mod waking;

use std::{
    future::pending,
    io::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use futures_util::{StreamExt as _, stream};
use jibri_scaler_core::{
    Controller, Limits, Timestamp,
    metrics::{Kind, METRICS},
    observe::{FleetObserver, JoinedObserver, Observation},
    policy::MinIdle,
    port::{HealthProbe, PortError, PortErrorKind, ProbeOutcome, Target},
    sim::{SimGroup, SimGroupConfig},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tempfile::NamedTempFile;
use tower::ServiceExt as _;

use crate::{
    api,
    disk::Disk,
    group::{Group, Worker},
    policy_source::PolicySource,
};

const TOKEN: &str = "0f8c1d7a5b9e4c2f0f8c1d7a5b9e4c2f";
const NOW: Timestamp = Timestamp::from_secs(1_795_417_200);
const INTERVAL: Duration = Duration::from_secs(10);

/// Every Jibri boots for ever.
struct Silent;

#[async_trait]
impl HealthProbe for Silent {
    async fn probe(&self, _target: &Target) -> ProbeOutcome {
        ProbeOutcome::Refused
    }
}

/// What becomes of a listing of a group.
#[derive(Clone, Copy, Debug)]
enum Listing {
    Works,
    Takes(Duration),
    Fails,
    Hangs,
    Panics,
}

/// A group that is listed as it is told to be.
#[derive(Clone)]
struct Told {
    listing: Arc<Mutex<Listing>>,
    observer: Arc<JoinedObserver>,
}

impl Told {
    fn to(listing: Listing) -> Self {
        Self {
            listing: Arc::new(Mutex::new(listing)),
            observer: Arc::new(observer().1),
        }
    }

    fn set(&self, listing: Listing) {
        *self.listing.lock().unwrap() = listing;
    }
}

#[async_trait]
impl FleetObserver for Told {
    async fn observe(&self, now: Timestamp) -> Result<Observation, PortError> {
        let listing = *self.listing.lock().unwrap();
        match listing {
            Listing::Works => {}
            Listing::Takes(time) => tokio::time::sleep(time).await,
            Listing::Fails => {
                return Err(PortError::new(PortErrorKind::Throttled, "list the group"));
            }
            Listing::Hangs => pending().await,
            Listing::Panics => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                panic!("a defect");
            }
        }
        self.observer.observe(now).await
    }
}

fn sim() -> Arc<SimGroup> {
    let config = SimGroupConfig::new(1, 9, 1).unwrap();
    Arc::new(SimGroup::new(config, NOW))
}

fn observer() -> (Arc<SimGroup>, JoinedObserver) {
    let group = sim();
    let observer = JoinedObserver::new(Arc::clone(&group), Silent, || Box::pin(pending()));
    (group, observer)
}

async fn policy(text: &str) -> (NamedTempFile, PolicySource) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let (source, _) = PolicySource::open(file.path(), Disk::default())
        .await
        .unwrap();
    (file, source)
}

fn controller(observer: impl FleetObserver + 'static, control: Arc<SimGroup>) -> Controller {
    let policy_of_two = MinIdle::new(2).unwrap();
    Controller::new(policy_of_two, Limits::default(), observer, control)
}

/// The group that this controller keeps.
async fn kept(name: &str, controller: Controller) -> (Group, Worker, NamedTempFile) {
    let (file, source) = policy("min_idle = 2\n").await;
    let (group, post) = Group::new(name, INTERVAL);
    let worker = Worker::new(post, controller, source, Box::new(|| NOW));
    (group, worker, file)
}

async fn group(
    name: &str,
    observer: impl FleetObserver + 'static,
) -> (Group, Worker, NamedTempFile) {
    kept(name, controller(observer, sim())).await
}

fn app(groups: Vec<Group>, token: Option<&str>) -> Router {
    let numbers = PrometheusBuilder::new().build_recorder().handle();
    api::routes(groups, token.map(Into::into), numbers)
}

async fn ask(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let answer = app.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn read(app: &Router, path: &str) -> (StatusCode, String) {
    ask(app, Request::get(path).body(Body::empty()).unwrap()).await
}

/// What `/healthz` says of the groups that are not well.
async fn troubles(app: &Router) -> Vec<(String, String)> {
    let (status, said) = read(app, "/healthz").await;
    let said: Value = serde_json::from_str(&said).unwrap();
    let is_well = status == StatusCode::OK;
    assert!(
        is_well || status == StatusCode::SERVICE_UNAVAILABLE,
        "{status}"
    );
    assert_eq!(said["ok"], is_well, "{said}");
    let groups = said["groups"].as_object().unwrap().iter();
    let unwell = groups.filter(|(_, group)| group["ok"] != true);
    let unwell: Vec<_> = unwell
        .map(|(name, group)| (name.clone(), group["why"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(unwell.is_empty(), is_well, "{said}");
    unwell
}

async fn command(
    app: &Router,
    path: &str,
    authorization: &str,
    body: &str,
) -> (StatusCode, String) {
    let request = Request::post(path)
        .header(header::AUTHORIZATION, authorization)
        .body(Body::from(body.to_owned()));
    ask(app, request.unwrap()).await
}

const PAUSE: &str = r#"{"kind": "pause", "direction": "growing", "until": "2026-11-23T09:00:00Z", "reason": "the subnet is full"}"#;

/// The ticks at these seconds, and then the group is kept on for commands.
fn ticks(secs: &'static [i64]) -> impl futures_util::Stream<Item = Timestamp> + Send {
    let times = secs
        .iter()
        .map(|secs| Timestamp::from_secs(NOW.as_micros() / 1_000_000 + secs));
    stream::iter(times).chain(stream::pending())
}

/// Waits until it is so, on a clock that stands still too.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_mins(1), "never: {what}");
        tokio::task::yield_now().await;
    }
}

/// It is to be read by whoever embeds the scaler.
#[test]
fn main_is_shown_in_less_than_150_lines() {
    let lines = include_str!("main.rs").lines().count();
    assert!(lines < 150, "{lines}");
}

/// Each histogram is served as buckets, and as those that fit it.
#[test]
fn each_histogram_has_its_own_buckets() {
    let recorder = crate::serve::builder().unwrap().build_recorder();
    let histograms = || METRICS.iter().filter(|m| m.kind == Kind::Histogram);
    metrics::with_local_recorder(&recorder, || {
        for metric in histograms() {
            metrics::histogram!(metric.name).record(1.0);
        }
    });
    let served = recorder.handle().render();
    for metric in histograms() {
        let start = format!("{}_bucket{{le=\"", metric.name);
        let bounds = served.lines().filter_map(|line| line.strip_prefix(&start));
        let bounds: Vec<_> = bounds.map(|rest| rest.split('"').next().unwrap()).collect();
        let expected = metric.buckets.iter().map(ToString::to_string);
        let expected: Vec<_> = expected.chain(["+Inf".into()]).collect();
        assert_eq!(bounds, expected, "{served}");
    }
}

/// Waits until the group was seen.
async fn until_seen(group: &Group) {
    until("seen", || group.view().at.is_some()).await;
}

#[tokio::test]
async fn only_who_shows_the_token_may_ask_for_anything() {
    let (one, worker, _file) = group("one", observer().1).await;
    tokio::spawn(worker.run(ticks(&[0])));
    let path = "/groups/one/commands";
    let without = app(vec![one.clone()], None);
    let (status, said) = command(&without, path, &format!("Bearer {TOKEN}"), PAUSE).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(said.contains("--token-file"), "{said}");
    let app = app(vec![one], Some(TOKEN));
    let shortened = &TOKEN[..TOKEN.len() - 1];
    for wrong in [
        "",
        TOKEN,
        "Bearer ",
        &format!("Bearer {shortened}"),
        &format!("Bearer {TOKEN}0"),
        &format!("bearer {TOKEN}"),
        &format!("Basic {TOKEN}"),
    ] {
        let (status, _) = command(&app, path, wrong, PAUSE).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let (status, said) = command(&app, path, &format!("Bearer {TOKEN}"), PAUSE).await;
    assert_eq!((status, &*said), (StatusCode::OK, r#"{"taken":true}"#));
}

#[tokio::test]
async fn what_cannot_be_taken_says_why() {
    let (one, worker, _file) = group("one", observer().1).await;
    tokio::spawn(worker.run(ticks(&[0])));
    let app = app(vec![one], Some(TOKEN));
    let past = PAUSE.replace("2026-11-23", "2020-11-23");
    let long = PAUSE.replace("the subnet", &"x".repeat(5000));
    for (path, body, status, why) in [
        (
            "/groups/two/commands",
            PAUSE,
            StatusCode::NOT_FOUND,
            "no group `two`",
        ),
        (
            "/groups/one/commands",
            "{",
            StatusCode::BAD_REQUEST,
            "no command",
        ),
        (
            "/groups/one/commands",
            r#"{"kind": "kill"}"#,
            StatusCode::BAD_REQUEST,
            "kill",
        ),
        (
            "/groups/one/commands",
            &past,
            StatusCode::CONFLICT,
            "to come",
        ),
        (
            "/groups/one/commands",
            &long,
            StatusCode::PAYLOAD_TOO_LARGE,
            "",
        ),
    ] {
        let answer = command(&app, path, &format!("Bearer {TOKEN}"), body).await;
        assert_eq!(answer.0, status, "{body}");
        assert!(answer.1.contains(why), "{answer:?}");
    }
}

#[tokio::test]
async fn a_pause_is_shown_while_it_lasts() {
    let (one, worker, _file) = group("one", observer().1).await;
    let (send, more) = tokio::sync::mpsc::unbounded_channel();
    let ticks = stream::unfold(
        more,
        |mut more| async move { Some((more.recv().await?, more)) },
    );
    let worker = tokio::spawn(worker.run(ticks));
    let app = app(vec![one.clone()], Some(TOKEN));
    let path = "/groups/one/commands";
    command(&app, path, &format!("Bearer {TOKEN}"), PAUSE).await;
    send.send(NOW).unwrap();
    until_seen(&one).await;
    let (status, page) = read(&app, "/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("the subnet is full"), "{page}");
    send.send(NOW + Duration::from_hours(3)).unwrap();
    drop(send);
    worker.await.unwrap();
    let (_, page) = read(&app, "/").await;
    assert!(!page.contains("the subnet is full"), "{page}");
}

#[tokio::test]
async fn a_group_that_hangs_or_fails_holds_up_nothing_else() {
    let (good, worker, _a) = group("good", observer().1).await;
    let (hangs, hanging, _b) = group("hangs", Told::to(Listing::Hangs)).await;
    let (fails, failing, _c) = group("fails", Told::to(Listing::Fails)).await;
    for worker in [hanging, failing, worker] {
        tokio::spawn(worker.run(ticks(&[0, 10, 20])));
    }
    until_seen(&good).await;
    until("a problem", || !fails.view().problems.is_empty()).await;
    let app = app(vec![good, hangs, fails], None);
    let (status, page) = read(&app, "/").await;
    assert_eq!(status, StatusCode::OK);
    for shown in [
        "id=\"good\"",
        "id=\"hangs\"",
        "list the group",
        "not looked at yet",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let unseen = |name: &str| (name.to_owned(), "not seen lately".to_owned());
    assert_eq!(troubles(&app).await, [unseen("fails"), unseen("hangs")]);
}

#[tokio::test]
async fn a_bad_policy_file_keeps_the_policy_and_is_named() {
    let (one, mut worker, file) = group("one", observer().1).await;
    worker.tick(NOW).await;
    assert_eq!((one.view().wanted, one.view().said.clone()), (2, None));
    let path = file.path();
    std::fs::write(path, "min_idle = -1\n").unwrap();
    worker.tick(NOW + Duration::from_secs(10)).await;
    let said = one.view().said.clone().unwrap();
    assert!(said.contains("the policy stays as it was"), "{said}");
    assert_eq!(one.view().wanted, 2);
    std::fs::write(path, "min_idle = 5\n").unwrap();
    worker.tick(NOW + Duration::from_secs(20)).await;
    let said = one.view().said.clone().unwrap();
    assert!(said.contains("followed from now on"), "{said}");
    assert_eq!(one.view().wanted, 5);
    std::fs::write(path, "min_idle = 6\nreport_ttl = '2m'\n").unwrap();
    worker.tick(NOW + Duration::from_secs(30)).await;
    assert_eq!(one.view().wanted, 6, "also one with another report_ttl");
}

#[tokio::test]
async fn nothing_that_the_page_loads_comes_from_elsewhere() {
    let (one, _worker, _file) = group("one", observer().1).await;
    let app = app(vec![one], None);
    let request = Request::get("/").body(Body::empty()).unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    let policy = &answer.headers()[header::CONTENT_SECURITY_POLICY];
    assert!(policy.to_str().unwrap().starts_with("default-src 'none'"));
    for (path, kind) in [
        ("/style.css", "text/css"),
        ("/refresh.js", "text/javascript"),
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
    }
    assert_eq!(read(&app, "/metrics").await.0, StatusCode::OK);
}
