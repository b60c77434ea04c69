//! What a receiver of webhooks does to a Jibri.

use super::*;

fn jibri_with(receiver: WebhookReceiver) -> FakeJibri {
    FakeJibri::new(Profile::booted().with_webhooks(receiver), at(0))
}

/// One that records since second 4 for Jicofo, and whose receiver does this from then on.
fn recording_with(receiver: WebhookReceiver) -> FakeJibri {
    let mut jibri = jibri_with(WebhookReceiver::Answers);
    jibri.start_session(at(0), "a", None);
    jibri.advance(at(10));
    jibri.set_webhook_receiver(receiver);
    jibri
}

#[test]
fn a_refused_webhook_makes_the_start_fail_and_leaves_busy_behind() {
    let mut jibri = jibri_with(WebhookReceiver::Refuses);
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
    let mut stuck = jibri_with(WebhookReceiver::Refuses);
    stuck.request(at(0), start("a"));
    stuck.request(at(10), Request::GracefulShutdown);
    assert_eq!(stuck.exit(), Some(Exit::Retired));
}

#[test]
fn a_silent_webhook_receiver_slows_each_start_and_stop_inside_the_lock() {
    let mut jibri = jibri_with(WebhookReceiver::TimesOut);
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

#[test]
fn metrics_and_presence_follow_only_when_a_silent_receiver_has_timed_out() {
    let mut jibri = jibri_with(WebhookReceiver::TimesOut);
    jibri.start_session(at(0), "a", None);
    jibri.advance(at(5));
    assert_eq!(
        (busy(&jibri).as_str(), jibri.is_selectable()),
        ("BUSY", true)
    );
    jibri.advance(at(6));
    assert!(!jibri.is_selectable());
    jibri.request(at(20), Request::Stop);
    jibri.advance(at(31));
    assert_eq!(
        (busy(&jibri).as_str(), jibri.is_selectable()),
        ("IDLE", false)
    );
    jibri.advance(at(32));
    assert!(jibri.is_selectable());
}

#[test]
fn a_refused_webhook_of_unhealthy_leaves_the_session_running() {
    let mut jibri = recording_with(WebhookReceiver::Refuses);
    jibri.fail_session(at(20), ErrorScope::System);
    jibri.advance(at(1000));
    assert_eq!(
        (busy(&jibri).as_str(), healthy(&jibri).as_str()),
        ("BUSY", "UNHEALTHY"),
        "the exception skips the stop"
    );
    jibri.end_session(at(1000));
    jibri.advance(at(2000));
    assert!(
        jibri.is_session_active(),
        "what has failed does not end by itself"
    );

    // Told to end, it waits for an end that does not come; a stop brings it.
    jibri.request(at(2000), Request::GracefulShutdown);
    assert_eq!(jibri.exit(), None);
    jibri.request(at(2010), Request::Stop);
    jibri.advance(at(2020));
    assert_eq!(jibri.exit(), Some(Exit::Retired));
    assert_eq!(events(&mut jibri).last().unwrap().2, SessionEvent::Failed);
}

#[test]
fn a_second_refused_error_is_no_change_and_ends_the_session() {
    let mut jibri = recording_with(WebhookReceiver::Answers);
    jibri.fail_session(at(20), ErrorScope::System);
    jibri.start_session(at(40), "b", None);
    jibri.advance(at(50));
    jibri.set_webhook_receiver(WebhookReceiver::Refuses);
    jibri.fail_session(at(60), ErrorScope::System);
    jibri.advance(at(70));
    assert_eq!(busy(&jibri), "IDLE");
}

#[test]
fn a_silent_receiver_of_unhealthy_delays_the_stop_outside_the_lock() {
    let mut jibri = recording_with(WebhookReceiver::TimesOut);
    jibri.fail_session(at(20), ErrorScope::System);
    assert_eq!(healthy(&jibri), "UNHEALTHY", "published at once");
    assert_eq!(jibri.next_event(), Some(at(22)));
    let told = jibri.request(at(21), Request::NotifyConfigChanged);
    assert_eq!(
        jibri.take_answers(),
        [(told, Answer::Ok)],
        "the lock is free"
    );
    jibri.advance(at(31));
    assert_eq!(jibri.exit(), None, "finalize began at second 22");
    jibri.advance(at(32));
    assert_eq!(jibri.exit(), Some(Exit::ConfigChanged));
}

#[test]
fn a_refused_webhook_makes_a_stop_fail_that_was_done() {
    let mut jibri = recording_with(WebhookReceiver::Refuses);
    let stopped = jibri.request(at(20), Request::Stop);
    jibri.advance(at(30));
    assert_eq!(jibri.take_answers(), [(stopped, Answer::Failed)]);
    assert_eq!(
        (busy(&jibri).as_str(), jibri.is_session_active()),
        ("IDLE", false)
    );
    assert!(!jibri.is_selectable(), "Jicofo goes on seeing BUSY");
}

#[test]
fn a_refused_webhook_keeps_a_shutdown_from_its_exit() {
    let mut jibri = recording_with(WebhookReceiver::Refuses);
    let ticket = jibri.request(at(20), Request::Shutdown);
    jibri.advance(at(30));
    assert_eq!(jibri.take_answers(), [(ticket, Answer::Ok)]);
    assert_eq!((busy(&jibri).as_str(), jibri.exit()), ("IDLE", None));
    jibri.request(at(31), Request::Shutdown);
    assert_eq!(
        jibri.exit(),
        Some(Exit::Retired),
        "nothing is left to publish"
    );
}

#[test]
fn a_receiver_that_answers_something_else_changes_nothing() {
    let run = |receiver| {
        let mut jibri = jibri_with(receiver);
        jibri.request(at(0), start("a"));
        jibri.advance(at(70));
        jibri.fail_session(at(70), ErrorScope::System);
        jibri.advance(at(100));
        jibri.start_session(at(100), "b", Some(secs(10)));
        jibri.request(at(105), Request::GracefulShutdown);
        jibri.advance(at(200));
        assert_eq!(jibri.exit(), Some(Exit::Retired));
        (
            events(&mut jibri),
            jibri.take_answers(),
            jibri.take_webhooks(),
        )
    };
    let well = run(WebhookReceiver::Answers);
    assert!(well.2.len() > 5);
    assert_eq!(run(WebhookReceiver::AnswersError), well);
}

/// One that records since second 4 for a client of HTTP, and whose receiver does this from then on.
fn recording_over_http_with(receiver: WebhookReceiver) -> FakeJibri {
    let mut jibri = jibri_with(WebhookReceiver::Answers);
    jibri.request(at(0), start("a"));
    jibri.advance(at(10));
    jibri.take_answers();
    jibri.take_webhooks();
    jibri.set_webhook_receiver(receiver);
    jibri
}

/// The paths of what was sent, with when.
fn sent(jibri: &mut FakeJibri) -> Vec<(i64, &'static str)> {
    let hooks = jibri.take_webhooks().into_iter();
    hooks
        .map(|hook| (hook.at.as_micros() / 1_000_000, hook.path))
        .collect()
}

const STATUS: &str = "/v1/status";
const SESSION: &str = "/v1/session/status";

#[test]
fn a_refused_session_webhook_skips_unhealthy_and_the_stop() {
    for scope in [Some(ErrorScope::System), Some(ErrorScope::Session), None] {
        let mut jibri = recording_over_http_with(WebhookReceiver::Refuses);
        match scope {
            Some(scope) => jibri.fail_session(at(20), scope),
            None => jibri.end_session(at(20)),
        }
        assert_eq!(sent(&mut jibri), [(20, SESSION)]);
        jibri.advance(at(1000));
        assert_eq!(
            (busy(&jibri).as_str(), healthy(&jibri).as_str()),
            ("BUSY", "HEALTHY"),
            "{scope:?}"
        );
        assert!(jibri.is_session_active(), "its file waits for a stop");

        // A stop brings it to its end, and does not tell that end again.
        jibri.set_webhook_receiver(WebhookReceiver::Answers);
        jibri.take_webhooks();
        jibri.request(at(1000), Request::Stop);
        jibri.advance(at(1010));
        assert_eq!(busy(&jibri), "IDLE");
        assert_eq!(sent(&mut jibri), [(1010, STATUS)]);
    }
}

#[test]
fn a_silent_receiver_delays_what_comes_after_a_session_webhook() {
    let mut jibri = recording_over_http_with(WebhookReceiver::TimesOut);
    jibri.fail_session(at(20), ErrorScope::System);
    assert_eq!(healthy(&jibri), "HEALTHY", "the webhook comes first");
    jibri.advance(at(22));
    assert_eq!(healthy(&jibri), "UNHEALTHY");
    jibri.advance(at(33));
    assert_eq!(busy(&jibri), "BUSY", "finalize began at second 24");
    jibri.advance(at(34));
    assert_eq!(busy(&jibri), "IDLE");
    assert_eq!(
        sent(&mut jibri),
        [(20, SESSION), (22, STATUS), (34, STATUS)]
    );

    let mut jibri = recording_over_http_with(WebhookReceiver::TimesOut);
    jibri.end_session(at(20));
    jibri.end_session(at(21));
    jibri.fail_session(at(21), ErrorScope::System);
    jibri.advance(at(31));
    assert_eq!(busy(&jibri), "BUSY", "finalize began at second 22");
    jibri.advance(at(32));
    assert_eq!(
        (busy(&jibri).as_str(), healthy(&jibri).as_str()),
        ("IDLE", "HEALTHY")
    );
    assert_eq!(sent(&mut jibri), [(20, SESSION), (32, STATUS)]);
}

#[test]
fn a_failing_receiver_of_session_webhooks_delays_no_start_and_no_stop_by_request() {
    for receiver in [WebhookReceiver::TimesOut, WebhookReceiver::Refuses] {
        let mut jibri = recording_over_http_with(receiver);
        jibri.request(at(20), Request::Stop);
        jibri.advance(at(29));
        assert_eq!(busy(&jibri), "BUSY");
        jibri.advance(at(30));
        assert_eq!(busy(&jibri), "IDLE", "finalize began at once");

        // Silent: the 2 s of BUSY, and none for the session webhook that follows.
        if receiver == WebhookReceiver::TimesOut {
            jibri.advance(at(40));
            jibri.take_answers();
            let started = jibri.request(at(40), start("b"));
            jibri.advance(at(46));
            assert_eq!(jibri.take_answers(), [(started, Answer::Ok)]);
        }
    }
}
