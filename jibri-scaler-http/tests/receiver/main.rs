//! What is pushed to a controller, through the service and on real sockets.

mod bodies;
mod identity;
mod jibri;
mod prompt;

use std::{
    convert::Infallible,
    sync::{Arc, atomic::AtomicI64, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use jibri_scaler_core::{InstanceId, Timestamp, observe::AgentReports, wake::Wakes};
use jibri_scaler_http::{
    fake,
    receiver::{Access, Expiry, Jwt, Receiver, TokenSecret},
};
use tower_service::Service;

const SHARED: &str = "0123456789abcdef";
const STATUS: &str = "/v1/status";
const SESSION: &str = "/v1/session/status";

fn id(id: &str) -> InstanceId {
    id.parse().unwrap()
}

fn secret() -> TokenSecret {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

/// What the fake Jibris of these tests sign.
fn signed(kid: &str) -> fake::Jwt {
    fake::Jwt::new(kid, "jibri", "jibri-scaler", Duration::from_secs(3600))
}

fn jwt() -> Jwt {
    let pem = fake::Jwt::PUBLIC_KEY;
    let jwt = Jwt::new("jibri", "jibri-scaler")
        .with_key("all", pem)
        .unwrap();
    jwt.with_key_of(id("i-1"), "of i-1", pem).unwrap()
}

fn access() -> Access {
    Access::default()
        .with_token(SHARED.parse().unwrap())
        .with_token_secret(secret())
        .with_jwt(jwt())
}

/// A receiver for i-1 and i-2, and what it has taken in.
struct World {
    receiver: Receiver,
    reports: Arc<AgentReports>,
    wakes: Wakes,
    now: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        Self::with(access())
    }

    fn with(access: Access) -> Self {
        let reports = Arc::new(AgentReports::default());
        reports.list([&id("i-1"), &id("i-2")]);
        let now = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&now);
        Self {
            receiver: Receiver::new(Arc::clone(&reports), access)
                .with_clock(move || Timestamp::from_secs(clock.load(Ordering::SeqCst))),
            wakes: reports.wakes(),
            reports,
            now,
        }
    }

    fn at(&self, secs: i64) {
        self.now.store(secs, Ordering::SeqCst);
    }

    async fn post(&self, token: &str, path: &str, body: &str) -> StatusCode {
        let request = Request::post(path).header("Authorization", format!("Bearer {token}"));
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        self.call(request.body(body).unwrap()).await.status()
    }

    async fn call<B: Send>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        Receiver:
            Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>,
    {
        let mut receiver = self.receiver.clone();
        let Ok(answer) = receiver.call(request).await;
        answer
    }

    /// Whether something woke the next tick since the last look.
    fn woken(&mut self) -> bool {
        self.wakes.next().now_or_never().is_some()
    }

    fn agent(&self, name: &str) -> Option<String> {
        let report = self.reports.newest(&id(name))?;
        Some(report.status.busy.as_str().to_owned())
    }
}

/// The body of a status, by an agent where there is a version.
fn status(id: &str, busy: &str, agent: Option<&str>) -> String {
    let agent = agent.map_or_else(String::new, |version| {
        format!(r#","agent":{{"version":"{version}"}}"#)
    });
    format!(
        r#"{{"jibriId":"{id}","status":{{"busyStatus":"{busy}","health":{{"healthStatus":"HEALTHY","details":{{}}}}}}{agent}}}"#
    )
}

fn session(id: &str, status: &str) -> String {
    format!(
        r#"{{"jibriId":"{id}","session":{{"sessionId":"s","status":"{status}","failure":null}}}}"#
    )
}

/// The token of a process of a fake Jibri that begins at that time.
fn token_of(kid: &str, started_at: i64) -> String {
    let profile = fake::Profile::booted()
        .with_webhooks(fake::WebhookReceiver::Answers)
        .with_jwt(Some(signed(kid)));
    let mut jibri = fake::FakeJibri::new(profile, Timestamp::from_secs(started_at));
    let value = jibri.take_webhooks().remove(0).authorization.unwrap();
    value.strip_prefix("Bearer ").unwrap().to_owned()
}

#[tokio::test]
async fn what_was_refused_says_why_and_how_to_authenticate() {
    let world = World::new();
    let request = Request::post("/nowhere")
        .body(Full::new(Bytes::new()))
        .unwrap();
    let answer = world.call(request).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&*text, b"a bearer token is needed");

    let get = Request::get(STATUS).header("Authorization", format!("Bearer {SHARED}"));
    let answer = world.call(get.body(Full::new(Bytes::new())).unwrap()).await;
    assert_eq!(
        (answer.status(), &answer.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
    );
}

#[tokio::test]
async fn an_expired_token_is_taken_where_that_is_allowed() {
    let body = status("i-1", "BUSY", None);
    let token = token_of("all", 0);
    for (expiry, until) in [
        (Expiry::Enforced, 3660),
        (Expiry::Within(Duration::from_secs(600)), 4200),
        (Expiry::Ignored, i64::MAX),
    ] {
        let world = World::with(Access::default().with_jwt(jwt().with_expiry(expiry)));
        for at in [0, 3600, 3660, 3661, 4200, 4201, 9_000_000] {
            world.at(at);
            let expected = if at <= until { 200 } else { 401 };
            let answer = world.post(&token, STATUS, &body).await;
            assert_eq!(answer, expected, "{expiry:?} at {at}");
        }
    }
}
