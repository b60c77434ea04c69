//! The webhooks of a Jibri as it really sends them, over real sockets.

use jibri_scaler_http::{
    fake::{FakeJibri, Profile, Request as Ask, Sink, Version, Webhook, WebhookReceiver},
    receiver::Listener,
};

use super::*;

#[path = "../common/mod.rs"]
mod common;

/// Two hours of a Jibri that starts a recording over HTTP after ten seconds.
fn webhooks(profile: Profile) -> Vec<Webhook> {
    let mut jibri = FakeJibri::new(profile, Timestamp::from_secs(0));
    let start = Ask::Start {
        session: "a".into(),
        duration: Some(Duration::from_secs(600)),
        sink: Sink::File,
        sip_address: None,
    };
    jibri.request(Timestamp::from_secs(10), start);
    jibri.advance(Timestamp::from_secs(7200));
    jibri.take_webhooks()
}

fn profile(jibri_id: &str, kid: &str) -> Profile {
    Profile::booted()
        .with_jibri_id(jibri_id.to_owned())
        .with_webhooks(WebhookReceiver::Answers)
        .with_jwt(Some(signed(kid)))
}

async fn listening(world: &World) -> String {
    let any = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(any, world.receiver.clone()).await.unwrap();
    let address = listener.address();
    tokio::spawn(listener.serve());
    format!("http://{address}")
}

async fn send(base: &str, webhook: &Webhook) -> u16 {
    let authorization = webhook.authorization.as_deref().unwrap_or("none");
    let header = format!("Content-Type: application/json\r\nAuthorization: {authorization}");
    let url = format!("{base}{}", webhook.path);
    let answer = common::exchange("POST", &url, &header, &webhook.body.to_string()).await;
    answer.unwrap().status
}

#[tokio::test]
async fn every_webhook_is_answered_with_200_and_its_news_wake() {
    // By its id in the body, and by that in the path of the subscriber where `jibri.id` is empty.
    for (jibri_id, path, kid) in [
        ("i-1", "", "all"),
        ("", "/i-1", "all"),
        ("i-1", "/i-1", "of i-1"),
    ] {
        let access = Access::default().with_jwt(jwt().with_expiry(Expiry::Ignored));
        let mut world = World::with(access);
        let base = listening(&world).await + path;
        let sent = webhooks(profile(jibri_id, kid));
        assert!(sent.len() > 120);
        let mut woken = Vec::new();
        for webhook in &sent {
            world.at(webhook.at.as_micros() / 1_000_000);
            assert_eq!(send(&base, webhook).await, 200, "{webhook:?}");
            if world.woken() {
                woken.push(webhook.path);
            }
        }
        // Its first status, BUSY, IDLE again; and all that it says of the session.
        let of_status = woken.iter().filter(|path| **path == STATUS).count();
        let of_session = sent.iter().filter(|sent| sent.path == SESSION).count();
        assert_eq!((of_status, woken.len() - of_status), (3, of_session));
        assert!(of_session >= 2);
        assert_eq!(world.agent("i-1"), None, "no agent speaks");
    }
}

#[tokio::test]
async fn a_jibri_whose_token_expired_is_refused_where_that_is_enforced() {
    let world = World::new();
    let base = listening(&world).await;
    for webhook in webhooks(profile("i-1", "all")) {
        let at = webhook.at.as_micros() / 1_000_000;
        world.at(at);
        let expected = if at <= 3660 { 200 } else { 401 };
        assert_eq!(send(&base, &webhook).await, expected, "at {at}");
    }
    // Until November 2024 it was renewed in time.
    for webhook in webhooks(profile("i-1", "all").with_version(Version::Build(173))) {
        world.at(webhook.at.as_micros() / 1_000_000);
        assert_eq!(send(&base, &webhook).await, 200);
    }
}

#[tokio::test]
async fn a_jibri_with_another_key_audience_or_issuer_is_refused() {
    let world = World::new();
    let base = listening(&world).await;
    let token =
        |kid, issuer, audience| fake::Jwt::new(kid, issuer, audience, Duration::from_secs(3600));
    for (jwt, expected) in [
        (Some(token("all", "jibri", "jibri-scaler")), 200),
        (
            Some(token("all", "jibri", "jibri-scaler").with_plain_audience(true)),
            200,
        ),
        (Some(token("other", "jibri", "jibri-scaler")), 401),
        (Some(token("all", "other", "jibri-scaler")), 401),
        (Some(token("all", "jibri", "other")), 401),
        (None, 401),
    ] {
        let profile = profile("i-1", "all").with_jwt(jwt.clone());
        let mut jibri = FakeJibri::new(profile, Timestamp::from_secs(0));
        let first = jibri.take_webhooks().remove(0);
        assert_eq!(send(&base, &first).await, expected, "{jwt:?}");
    }
}
