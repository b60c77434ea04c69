//! What is pushed to the service: by agents with their token, and by Jibris with the tokens that they sign.

use std::path::Path;

use clap::Parser as _;
use jibri_scaler_http::{
    fake::{FakeJibri, Jwt, Profile, WebhookReceiver},
    receiver::TokenSecret,
};

use super::*;
use crate::{arguments::Arguments, keep, ports::World};

const AGENTS: &str = "abcdef0123456789abcdef0123456789";
const HOUR: Duration = Duration::from_hours(1);

/// The service with these words on its command line, after some ticks, with its time and one of its instances.
struct Service {
    pushes: Router,
    now: Timestamp,
    id: String,
}

impl Service {
    #[allow(clippy::future_not_send, reason = "it is never spawned")]
    async fn new(folder: &Path, words: &[&str]) -> Self {
        let policy = folder.join("policy");
        std::fs::write(&policy, "report_ttl = '2m'").unwrap();
        let group = format!("--group=one={}", policy.display());
        let words = ["embed", "--speed", "600", &group]
            .into_iter()
            .chain(words.iter().copied());
        let arguments = Arguments::try_parse_from(words).unwrap();
        let world = World::new(&arguments).await.unwrap();
        let (pushes, mut groups) = keep(arguments, world).await.unwrap();
        let (group, mut keeper) = groups.remove(0);
        let (worker, ticks) = keeper.begin().await.unwrap();
        worker.run(ticks.take(3)).await;
        let view = group.view();
        Self {
            pushes,
            now: view.at.unwrap(),
            id: view.instances[0].standing.id.to_string(),
        }
    }

    /// The answer to a status, of an agent or as Jibri says it itself.
    async fn push(&self, authorization: &str, is_agent: bool) -> StatusCode {
        let agent = if is_agent { r#", "agent": "1""# } else { "" };
        let status = r#"{"busyStatus": "BUSY", "health": {"healthStatus": "HEALTHY"}}"#;
        let body = format!(r#"{{"jibriId": "{}", "status": {status}{agent}}}"#, self.id);
        let request = Request::post("/push/one/v1/status")
            .header(header::AUTHORIZATION, authorization)
            .body(Body::from(body));
        ask(&self.pushes, request.unwrap()).await.0
    }

    /// What a Jibri shows that began so long ago, and whose token is good for an hour.
    fn signed(&self, audience: &str, ago: Duration) -> String {
        let jwt = Jwt::new("jitsi/jibri", "jibri", audience, HOUR);
        let profile = Profile::booted()
            .with_webhooks(WebhookReceiver::Answers)
            .with_jwt(Some(jwt));
        let began =
            Timestamp::from_micros(self.now.as_micros() - i64::try_from(ago.as_micros()).unwrap());
        let mut webhooks = FakeJibri::new(profile, began).take_webhooks();
        webhooks.remove(0).authorization.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_taken_by_the_token_that_its_jibri_signs_while_that_has_not_expired() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, Jwt::PUBLIC_KEY).unwrap();
    let key = format!("--webhook-key={}", key.display());
    let webhooks = [&*key, "--webhook-kid=jitsi/jibri"];
    let service = Service::new(folder.path(), &webhooks).await;
    for (audience, ago, expected) in [
        ("jibri-scaler", Duration::ZERO, StatusCode::OK),
        ("jibri-scaler", 3 * HOUR, StatusCode::UNAUTHORIZED),
        ("another", Duration::ZERO, StatusCode::UNAUTHORIZED),
    ] {
        let token = service.signed(audience, ago);
        assert_eq!(
            service.push(&token, false).await,
            expected,
            "{audience}, {ago:?}"
        );
    }
    let token = service.signed("jibri-scaler", Duration::ZERO);
    assert_eq!(
        service.push(&token, true).await,
        StatusCode::FORBIDDEN,
        "it is no agent"
    );
    let agents = format!("Bearer {AGENTS}");
    assert_eq!(service.push(&agents, true).await, StatusCode::UNAUTHORIZED);

    // With the token of agents beside it, for another audience, and as today's Jibris need it.
    let file = folder.path().join("token");
    std::fs::write(&file, AGENTS).unwrap();
    let more = [
        &*format!("--push-token-file={}", file.display()),
        "--webhook-audience=another",
        "--webhook-expired=3h",
    ];
    let service = Service::new(folder.path(), &[&webhooks[..], &more].concat()).await;
    for (audience, ago, expected) in [
        ("another", 3 * HOUR, StatusCode::OK),
        ("another", 5 * HOUR, StatusCode::UNAUTHORIZED),
        ("jibri-scaler", Duration::ZERO, StatusCode::UNAUTHORIZED),
    ] {
        let token = service.signed(audience, ago);
        assert_eq!(
            service.push(&token, false).await,
            expected,
            "{audience}, {ago:?}"
        );
    }
    assert_eq!(service.push(&agents, true).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_where_nobody_may_push() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path(), &[]).await;
    let token = service.signed("jibri-scaler", Duration::ZERO);
    for shown in [&*token, &format!("Bearer {AGENTS}")] {
        assert_eq!(service.push(shown, false).await, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_with_a_token_of_its_own_reports_for_its_instance_and_for_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let secret = "a secret that is on no instance at all";
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    let words = [&*format!("--push-secret-file={}", file.display())];
    let service = Service::new(folder.path(), &words).await;
    let secret: TokenSecret = secret.parse().unwrap();
    let token = |id: &str| {
        let token = secret.token_of(&id.parse().unwrap()).unwrap();
        format!("Bearer {}", token.expose_secret())
    };
    assert_eq!(
        service.push(&token(&service.id), true).await,
        StatusCode::OK
    );
    // As what it says is of another instance.
    for other in ["i-another", &format!("{}0", service.id)] {
        let answer = service.push(&token(other), true).await;
        assert_eq!(answer, StatusCode::FORBIDDEN, "{other}");
    }
    let forged = token("i-another").replace("i-another", &service.id);
    for none in [&*forged, &format!("Bearer {AGENTS}")] {
        let answer = service.push(none, true).await;
        assert_eq!(answer, StatusCode::UNAUTHORIZED, "{none}");
    }
}
