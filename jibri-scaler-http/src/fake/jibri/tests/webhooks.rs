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
        },
    );
    jibri.advance(at(125));
    let sent: Vec<_> = jibri
        .take_webhooks()
        .into_iter()
        .map(|hook| {
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
        (114, "OFF"),
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
fn a_refused_webhook_makes_the_start_fail_and_leaves_busy_behind() {
    let profile = Profile::booted().with_webhooks(WebhookReceiver::Refuses);
    let mut jibri = FakeJibri::new(profile, at(0));
    let ticket = jibri.request(at(10), start("a"));
    jibri.advance(at(14));
    assert_eq!(jibri.take_answers(), [(ticket, Answer::Failed)]);
    assert_eq!(
        (busy(&jibri).as_str(), jibri.is_session_active()),
        ("BUSY", false)
    );
    assert_eq!(
        jibri.take_webhooks().len(),
        2,
        "the first one, and that of the start"
    );
    jibri.advance(at(1000));
    assert_eq!(
        jibri.take_webhooks(),
        [],
        "the schedule died with the first refusal"
    );
    let again = jibri.request(at(1000), start("b"));
    jibri.advance(at(1004));
    assert_eq!(
        jibri.take_answers(),
        [(again, Answer::Ok)],
        "BUSY to BUSY is no change"
    );
    assert!(jibri.is_session_active());

    // With nothing running, it can be told to end although it reads BUSY.
    let profile = Profile::booted().with_webhooks(WebhookReceiver::Refuses);
    let mut stuck = FakeJibri::new(profile, at(0));
    stuck.request(at(0), start("a"));
    stuck.request(at(10), Request::GracefulShutdown);
    assert_eq!(stuck.exit(), Some(Exit::Retired));
}

#[test]
fn a_silent_webhook_receiver_slows_each_start_and_stop_inside_the_lock() {
    let profile = Profile::booted().with_webhooks(WebhookReceiver::TimesOut);
    let mut jibri = FakeJibri::new(profile, at(0));
    let started = jibri.request(at(0), start("a"));
    jibri.advance(at(5));
    assert_eq!(busy(&jibri), "BUSY", "published");
    assert_eq!(jibri.take_answers(), [], "not yet delivered");
    jibri.advance(at(6));
    assert_eq!(jibri.take_answers(), [(started, Answer::Ok)]);
    let stopped = jibri.request(at(20), Request::Stop);
    jibri.advance(at(31));
    assert_eq!(
        (busy(&jibri).as_str(), jibri.take_answers().len()),
        ("IDLE", 0)
    );
    jibri.advance(at(32));
    assert_eq!(jibri.take_answers(), [(stopped, Answer::Ok)]);

    jibri.start_session(at(40), "b", None);
    let has_context = |jibri: &FakeJibri| jibri.health().get("environmentContext").is_some();
    jibri.advance(at(45));
    assert_eq!(
        (busy(&jibri).as_str(), has_context(&jibri)),
        ("BUSY", false)
    );
    jibri.advance(at(46));
    assert!(has_context(&jibri));
}
