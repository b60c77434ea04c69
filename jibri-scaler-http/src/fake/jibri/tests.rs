mod ends;
mod jwt;
mod metrics;
mod receivers;
mod statsd;
mod stuck;
mod versions;
mod webhooks;

use super::*;
use crate::fake::{ErrorScope, LinkEvent, SessionEvent, Upload};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Chrome takes 4 s, finalize 10 s.
fn jibri() -> FakeJibri {
    FakeJibri::new(Profile::booted(), at(0))
}

/// One that has recorded since second 4; its session ends at second 104, its finalize script at second 114.
fn recording() -> FakeJibri {
    let mut jibri = jibri();
    assert_eq!(
        jibri.start_session(at(0), "a", Some(secs(100))),
        StartOutcome::Accepted
    );
    jibri.advance(at(10));
    jibri
}

fn start(session: &str) -> Request {
    Request::Start {
        session: session.into(),
        duration: None,
        sink: Sink::File,
        sip_address: None,
    }
}

fn busy(jibri: &FakeJibri) -> String {
    jibri.health()["status"]["busyStatus"]
        .as_str()
        .unwrap()
        .into()
}

fn healthy(jibri: &FakeJibri) -> String {
    jibri.health()["status"]["health"]["healthStatus"]
        .as_str()
        .unwrap()
        .into()
}

fn events(jibri: &mut FakeJibri) -> Vec<(i64, String, SessionEvent)> {
    let reports = jibri.take_reports().into_iter();
    reports
        .map(|report| {
            (
                report.at.as_micros() / 1_000_000,
                report.session,
                report.event,
            )
        })
        .collect()
}

#[test]
fn health_has_the_shape_of_the_real_one() {
    let mut jibri = recording();
    let read = |jibri: &FakeJibri| {
        let body = jibri.health().to_string();
        jibri_scaler_core::JibriStatus::from_body(body.as_bytes()).unwrap()
    };
    assert_eq!(
        read(&jibri).environment.as_deref(),
        Some("fake-xmpp.example")
    );
    jibri.advance(at(200));
    assert_eq!(
        jibri.health(),
        json!({"status": {"busyStatus": "IDLE", "health": {"healthStatus": "HEALTHY", "details": {}}}})
    );
    jibri.request(at(200), start("http"));
    jibri.advance(at(210));
    assert_eq!(busy(&jibri), "BUSY");
    assert_eq!(
        read(&jibri).environment,
        None,
        "a session over HTTP has no environment, busy or not"
    );
}

#[test]
fn an_accepted_session_reads_idle_until_chrome_runs() {
    let mut jibri = jibri();
    jibri.start_session(at(0), "a", Some(secs(100)));
    for (when, expected) in [(0, "IDLE"), (3, "IDLE"), (4, "BUSY"), (104, "BUSY")] {
        jibri.advance(at(when));
        assert_eq!(busy(&jibri), expected, "at {when}");
        assert!(jibri.is_session_active(), "at {when}");
    }
}

#[test]
fn busy_lasts_until_the_finalize_script_has_returned() {
    let mut jibri = recording();
    jibri.advance(at(113));
    assert_eq!(
        (busy(&jibri).as_str(), jibri.is_session_active()),
        ("BUSY", true)
    );
    assert_eq!(jibri.next_event(), Some(at(114)));
    jibri.advance(at(114));
    assert_eq!(
        (busy(&jibri).as_str(), jibri.is_session_active()),
        ("IDLE", false)
    );
    assert_eq!(
        events(&mut jibri),
        [
            (0, "a".into(), SessionEvent::Accepted),
            (114, "a".into(), SessionEvent::Finished)
        ]
    );
    assert_eq!(jibri.next_event(), None);
}

#[test]
fn a_second_start_is_refused_and_one_during_chrome_waits_for_the_lock_first() {
    let mut jibri = jibri();
    let first = jibri.request(at(0), start("a"));
    let second = jibri.request(at(1), start("b"));
    assert_eq!(jibri.take_answers(), [], "both wait for Chrome");
    jibri.advance(at(4));
    assert_eq!(
        jibri.take_answers(),
        [(first, Answer::Ok), (second, Answer::Busy)]
    );
    assert_eq!(
        jibri.start_session(at(5), "c", None),
        StartOutcome::Busy,
        "nor by Jicofo"
    );
    let refused = events(&mut jibri)
        .iter()
        .filter(|event| event.2 == SessionEvent::Refused)
        .count();
    assert_eq!(refused, 2);
}

#[test]
fn a_single_use_jibri_expires_even_after_a_failure_and_still_accepts() {
    let mut jibri = FakeJibri::new(Profile::booted().with_single_use(true), at(0));
    jibri.start_session(at(0), "a", Some(secs(10)));
    jibri.advance(at(24));
    assert_eq!(busy(&jibri), "EXPIRED");
    let ticket = jibri.request(at(30), start("b"));
    jibri.advance(at(34));
    assert_eq!(jibri.take_answers(), [(ticket, Answer::Ok)]);
    assert_eq!(busy(&jibri), "BUSY");
    jibri.fail_session(at(40), ErrorScope::Session);
    jibri.advance(at(50));
    assert_eq!(
        (busy(&jibri).as_str(), healthy(&jibri).as_str()),
        ("EXPIRED", "HEALTHY")
    );
    jibri.crash(at(60));
    jibri.advance(at(61));
    assert_eq!(busy(&jibri), "IDLE", "a restart clears it");
}

#[test]
fn unhealthy_is_published_first_and_lasts_until_a_restart() {
    let mut jibri = recording();
    jibri.fail_session(at(20), ErrorScope::System);
    assert_eq!(
        (busy(&jibri).as_str(), healthy(&jibri).as_str()),
        ("BUSY", "UNHEALTHY")
    );
    jibri.advance(at(30));
    assert_eq!(
        (busy(&jibri).as_str(), healthy(&jibri).as_str()),
        ("IDLE", "UNHEALTHY")
    );
    assert_eq!(
        jibri.health()["status"]["health"]["details"],
        json!({"JibriManager": {"healthStatus": "UNHEALTHY", "detail": ""}})
    );
    assert_eq!(events(&mut jibri).last().unwrap().2, SessionEvent::Failed);
    jibri.start_session(at(40), "b", Some(secs(10)));
    jibri.advance(at(100));
    assert_eq!(
        healthy(&jibri),
        "UNHEALTHY",
        "a good session does not clear it"
    );
    jibri.crash(at(110));
    jibri.advance(at(111));
    assert_eq!(healthy(&jibri), "HEALTHY");
}

#[test]
fn the_internal_api_comes_first_and_a_session_may_come_before_the_external_one() {
    let mut jibri = FakeJibri::new(Profile::default().with_chrome_start(secs(1)), at(0));
    let listening =
        |jibri: &FakeJibri| (jibri.listens(Api::Internal), jibri.listens(Api::External));
    assert_eq!(listening(&jibri), (false, false));
    assert_eq!(jibri.start_session(at(2), "a", None), StartOutcome::Absent);
    assert_eq!(jibri.next_event(), Some(at(3)));
    jibri.advance(at(3));
    assert_eq!(listening(&jibri), (true, false));
    assert_eq!(
        jibri.start_session(at(3), "a", None),
        StartOutcome::Accepted
    );
    jibri.advance(at(4));
    assert_eq!(
        (busy(&jibri).as_str(), listening(&jibri)),
        ("BUSY", (true, false))
    );
    jibri.advance(at(5));
    assert_eq!(listening(&jibri), (true, true));
}

#[test]
fn a_chrome_that_does_not_start_leaves_a_healthy_black_hole() {
    let mut jibri = jibri();
    jibri.set_chrome_broken(true);
    let ticket = jibri.request(at(0), start("a"));
    jibri.advance(at(100));
    assert_eq!(jibri.take_answers(), [(ticket, Answer::Failed)]);
    assert_eq!(
        (busy(&jibri).as_str(), healthy(&jibri).as_str()),
        ("IDLE", "HEALTHY")
    );
    assert_eq!(
        events(&mut jibri).last(),
        Some(&(4, "a".into(), SessionEvent::Failed))
    );
    jibri.set_chrome_broken(false);
    assert_eq!(
        jibri.start_session(at(101), "b", None),
        StartOutcome::Accepted
    );
}

#[test]
fn a_step_back_in_time_changes_nothing() {
    let mut jibri = recording();
    jibri.advance(at(2));
    assert_eq!((jibri.now(), busy(&jibri).as_str()), (at(10), "BUSY"));
}

#[test]
fn one_long_step_is_the_same_as_many_short_ones() {
    let run = |step: usize| {
        let profile = Profile::booted().with_webhooks(WebhookReceiver::Answers);
        let mut jibri = FakeJibri::new(profile, at(0));
        jibri.start_session(at(0), "a", Some(secs(100)));
        jibri.request(at(1), Request::NotifyConfigChanged);
        for when in (1..=600).step_by(step) {
            jibri.advance(at(when));
        }
        jibri.advance(at(600));
        (
            events(&mut jibri),
            jibri.take_webhooks(),
            jibri.take_answers(),
        )
    };
    assert_eq!(run(1), run(599));
}

#[test]
fn an_ended_session_goes_through_finalize() {
    let mut jibri = jibri();
    jibri.start_session(at(0), "a", None);
    jibri.end_session(at(50));
    assert_eq!(jibri.next_event(), Some(at(60)));
    jibri.advance(at(60));
    assert_eq!(busy(&jibri), "IDLE");
}

#[test]
fn jicofo_selects_what_its_presence_offers() {
    let mut jibri = FakeJibri::new(Profile::default().with_single_use(true), at(0));
    assert!(!jibri.is_selectable(), "not in the room yet");
    jibri.advance(at(3));
    assert!(jibri.is_selectable(), "before its health can be read");
    jibri.start_session(at(10), "a", Some(secs(10)));
    assert!(jibri.is_selectable(), "Chrome is starting");
    jibri.advance(at(14));
    assert!(!jibri.is_selectable());
    jibri.advance(at(34));
    assert_eq!(busy(&jibri), "EXPIRED");
    assert!(!jibri.is_selectable(), "Jicofo goes on seeing BUSY");

    let mut unhealthy = recording();
    unhealthy.fail_session(at(20), ErrorScope::System);
    unhealthy.advance(at(30));
    assert!(!unhealthy.is_selectable());

    // The exception skips the presence: Jicofo sees it idle while health says BUSY.
    let profile = Profile::booted().with_webhooks(WebhookReceiver::Refuses);
    let mut stuck = FakeJibri::new(profile, at(0));
    stuck.start_session(at(0), "a", None);
    stuck.advance(at(4));
    assert_eq!(
        (busy(&stuck).as_str(), stuck.is_selectable()),
        ("BUSY", true)
    );
}
