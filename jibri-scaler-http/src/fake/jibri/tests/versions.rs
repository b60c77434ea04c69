//! What older versions did differently.

use super::*;

fn jibri_of(version: Version, profile: Profile) -> FakeJibri {
    FakeJibri::new(profile.with_version(version), at(0))
}

#[test]
fn before_6_5_health_was_one_boolean() {
    let mut jibri = jibri_of(Version::BeforeV6_5, Profile::booted());
    assert_eq!(jibri.health(), json!({ "busy": false }));
    jibri.start_session(at(0), "a", None);
    jibri.advance(at(4));
    assert_eq!(
        jibri.health(),
        json!({ "busy": true, "environmentContext": { "name": "fake-xmpp.example" } })
    );
    let read = jibri_scaler_core::JibriStatus::from_json(&jibri.health()).unwrap();
    assert!(read.is_busy());
}

#[test]
fn single_use_came_with_v8_0_8() {
    for (build, expected) in [(7, "IDLE"), (8, "EXPIRED")] {
        let profile = Profile::booted().with_single_use(true);
        let mut jibri = jibri_of(Version::Build(build), profile);
        jibri.start_session(at(0), "a", Some(secs(1)));
        jibri.advance(at(60));
        assert_eq!(busy(&jibri), expected);
    }
}

#[test]
fn notify_config_changed_came_with_v8_0_6() {
    for (build, expected) in [(5, Answer::NotFound), (6, Answer::Ok)] {
        let mut jibri = jibri_of(Version::Build(build), Profile::booted());
        let ticket = jibri.request(at(0), Request::NotifyConfigChanged);
        assert_eq!(jibri.take_answers(), [(ticket, expected)]);
        jibri.advance(at(1));
        assert_eq!(jibri.exit().is_some(), expected == Answer::Ok);
    }
}

#[test]
fn webhooks_came_with_v8_0_42_and_those_of_sessions_with_126() {
    for (build, status, session) in [
        (41, false, false),
        (42, true, false),
        (125, true, false),
        (126, true, true),
    ] {
        let profile = Profile::booted().with_webhooks(WebhookReceiver::Answers);
        let mut jibri = jibri_of(Version::Build(build), profile);
        jibri.request(at(0), start("a"));
        jibri.advance(at(10));
        let sent = jibri.take_webhooks();
        let has = |path| sent.iter().any(|hook| hook.path == path);
        assert_eq!(
            (has("/v1/status"), has("/v1/session/status")),
            (status, session),
            "{build}"
        );
    }
}

#[test]
fn metrics_came_with_v8_0_168() {
    for (build, prometheus, expected) in
        [(167, true, false), (168, true, true), (168, false, false)]
    {
        let profile = Profile::booted().with_prometheus(prometheus);
        let jibri = jibri_of(Version::Build(build), profile);
        assert_eq!(jibri.metrics().is_some(), expected, "{build}");
    }
}

#[test]
fn before_ktor_the_internal_api_acted_a_second_after_its_answer() {
    let mut jibri = jibri_of(Version::Build(42), Profile::booted());
    let told = jibri.request(at(0), Request::GracefulShutdown);
    assert_eq!(jibri.take_answers(), [(told, Answer::Ok)]);
    assert_eq!((jibri.exit(), jibri.next_event()), (None, Some(at(1))));
    jibri.advance(at(1));
    assert_eq!(jibri.exit(), Some(Exit::Retired));
    assert_eq!(jibri.take_answers(), []);

    // So a start within that second wins.
    let mut jibri = jibri_of(Version::Build(42), Profile::booted());
    jibri.request(at(0), Request::GracefulShutdown);
    jibri.start_session(at(0), "a", Some(secs(100)));
    jibri.advance(at(113));
    assert_eq!((busy(&jibri).as_str(), jibri.exit()), ("BUSY", None));
    jibri.advance(at(114));
    assert_eq!(jibri.exit(), Some(Exit::Retired));

    let mut jibri = jibri_of(Version::Build(42), Profile::booted());
    jibri.start_session(at(0), "a", None);
    let ticket = jibri.request(at(10), Request::Shutdown);
    jibri.advance(at(20));
    assert_eq!(jibri.take_answers(), [(ticket, Answer::Ok)]);
    assert_eq!(jibri.exit(), None, "finalize began at second 11");
    jibri.advance(at(21));
    assert_eq!(jibri.exit(), Some(Exit::Retired));
}

#[test]
fn before_2026_a_dead_chrome_could_hold_a_stop_for_three_hours() {
    let mut jibri = FakeJibri::new(Profile::booted().with_finalize(secs(3 * 3600)), at(0));
    jibri.start_session(at(0), "a", Some(secs(100)));
    jibri.advance(at(104 + 3 * 3600 - 1));
    assert_eq!(busy(&jibri), "BUSY");
    jibri.advance(at(104 + 3 * 3600));
    assert_eq!(busy(&jibri), "IDLE");
}
