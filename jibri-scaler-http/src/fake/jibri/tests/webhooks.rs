//! What a Jibri sends to its subscribers, and what a subscriber does to it.

use super::*;

#[test]
fn webhooks_come_at_the_start_every_minute_and_at_each_change() {
    let profile = Profile::booted()
        .with_jibri_id("i-0abc".into())
        .with_webhooks(WebhookReceiver::Answers);
    let mut jibri = FakeJibri::new(profile, at(0));
    jibri.request(
        at(90),
        Request::Start {
            session: "a".into(),
            duration: Some(secs(10)),
            sink: Sink::File,
            sip_address: None,
        },
    );
    jibri.advance(at(125));
    let sent: Vec<_> = jibri
        .take_webhooks()
        .into_iter()
        .map(|hook| {
            assert_eq!(hook.authorization, None, "no token is configured");
            assert_eq!(hook.body["jibriId"], "i-0abc");
            let what = match hook.path {
                "/v1/status" => hook.body["status"]["busyStatus"].clone(),
                "/v1/session/status" => hook.body["session"]["status"].clone(),
                other => panic!("{other}"),
            };
            (hook.at, what.as_str().unwrap().to_owned())
        })
        .collect();
    let expected = [
        (0, "IDLE"),
        (60, "IDLE"),
        (94, "BUSY"),
        (94, "ON"),
        (104, "OFF"),
        (114, "IDLE"),
        (120, "IDLE"),
    ];
    assert_eq!(
        sent,
        expected.map(|(when, what)| (at(when), what.to_owned()))
    );
}

#[test]
fn a_session_by_jicofo_sends_no_session_webhook_and_nobody_subscribed_gets_none() {
    let mut jibri = FakeJibri::new(
        Profile::booted().with_webhooks(WebhookReceiver::Answers),
        at(0),
    );
    jibri.start_session(at(0), "a", Some(secs(10)));
    jibri.advance(at(30));
    assert!(
        jibri
            .take_webhooks()
            .iter()
            .all(|hook| hook.path == "/v1/status")
    );

    let mut silent = recording();
    silent.advance(at(200));
    assert_eq!(silent.take_webhooks(), []);
}

#[test]
fn the_first_webhook_comes_before_any_api_listens() {
    let profile = Profile::default().with_webhooks(WebhookReceiver::Answers);
    let mut jibri = FakeJibri::new(profile, at(0));
    assert!(!jibri.listens(Api::Internal) && !jibri.listens(Api::External));
    let sent = jibri.take_webhooks();
    assert_eq!((sent.len(), sent[0].at), (1, at(0)));
}

#[test]
fn a_status_webhook_has_the_status_of_health_and_nothing_else() {
    let profile = Profile::booted().with_webhooks(WebhookReceiver::Answers);
    let mut jibri = FakeJibri::new(profile, at(0));
    jibri.start_session(at(0), "a", None);
    jibri.fail_session(at(10), ErrorScope::System);
    let last = jibri.take_webhooks().pop().unwrap();
    let health = jibri.health();
    assert!(health.get("environmentContext").is_some());
    assert_eq!(
        last.body,
        json!({ "jibriId": "", "status": health["status"] }),
        "the id is empty unless it is set"
    );
}

/// The session webhooks of a session over HTTP, each with when it was sent.
fn session_webhooks(jibri: &mut FakeJibri) -> Vec<(i64, Value)> {
    let hooks = jibri.take_webhooks().into_iter();
    hooks
        .filter(|hook| hook.path == "/v1/session/status")
        .map(|hook| {
            (
                hook.at.as_micros() / 1_000_000,
                hook.body["session"].clone(),
            )
        })
        .collect()
}

#[test]
fn a_session_webhook_says_on_and_off_and_for_a_gateway_its_address() {
    let profile = Profile::booted().with_webhooks(WebhookReceiver::Answers);
    let mut jibri = FakeJibri::new(profile, at(0));
    let gateway = Request::Start {
        session: "a".into(),
        duration: None,
        sink: Sink::Gateway,
        sip_address: Some("room@sip.example".into()),
    };
    jibri.request(at(0), gateway);
    jibri.request(at(50), Request::Stop);
    jibri.advance(at(60));
    jibri.request(at(60), start("b"));
    jibri.advance(at(64));
    let session = |id: &str, status: &str, sip: Option<&str>| {
        json!({
            "sessionId": id, "status": status, "sipAddress": sip, "failure": null, "shouldRetry": null,
        })
    };
    let sip = Some("room@sip.example");
    assert_eq!(
        session_webhooks(&mut jibri),
        [
            (4, session("a", "ON", sip)),
            // It is over, and the finalize script has 10 s to go.
            (50, session("a", "OFF", sip)),
            (64, session("b", "ON", None)),
        ]
    );
}

#[test]
fn a_session_webhook_tells_the_failure_when_it_happens_and_only_then() {
    for (scope, name, detail) in [
        (ErrorScope::Session, "SESSION", "Failed to join the call"),
        (ErrorScope::System, "SYSTEM", "Ffmpeg failed to start"),
    ] {
        let profile = Profile::booted().with_webhooks(WebhookReceiver::Answers);
        let mut jibri = FakeJibri::new(profile, at(0));
        jibri.request(at(0), start("a"));
        jibri.fail_session(at(20), scope);
        jibri.advance(at(100));
        let failure = json!({ "reason": "ERROR", "error": { "scope": name, "detail": detail } });
        let off = json!({
            "sessionId": "a", "status": "OFF", "sipAddress": null, "failure": failure, "shouldRetry": true,
        });
        let sent = session_webhooks(&mut jibri);
        assert_eq!(sent[1..], [(20, off)]);
    }
}

#[test]
fn an_error_of_the_machine_is_told_before_unhealthy_and_that_before_the_end() {
    let profile = Profile::booted().with_webhooks(WebhookReceiver::Answers);
    let mut jibri = FakeJibri::new(profile, at(0));
    jibri.request(at(0), start("a"));
    jibri.advance(at(10));
    jibri.take_webhooks();
    jibri.fail_session(at(20), ErrorScope::System);
    jibri.advance(at(59));
    let sent: Vec<String> = jibri
        .take_webhooks()
        .into_iter()
        .map(|hook| {
            let status = &hook.body["status"];
            format!(
                "{}{}{}",
                hook.body["session"]["status"],
                status["busyStatus"],
                status["health"]["healthStatus"]
            )
        })
        .collect();
    assert_eq!(
        sent,
        [
            r#""OFF"nullnull"#,
            r#"null"BUSY""UNHEALTHY""#,
            r#"null"IDLE""UNHEALTHY""#
        ]
    );
}

#[test]
fn a_start_that_fails_sends_no_session_webhook() {
    let profile = Profile::booted().with_webhooks(WebhookReceiver::Answers);
    let mut jibri = FakeJibri::new(profile, at(0));
    jibri.set_chrome_broken(true);
    jibri.request(at(0), start("a"));
    jibri.advance(at(10));
    assert_eq!(session_webhooks(&mut jibri), []);
}
