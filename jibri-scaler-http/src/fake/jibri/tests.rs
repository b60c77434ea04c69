use super::*;
use crate::fake::Supervisor;

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
fn an_idle_jibri_told_to_end_is_gone_without_an_answer() {
    let mut jibri = jibri();
    let ticket = jibri.request(at(1), Request::GracefulShutdown);
    assert_eq!(jibri.take_answers(), [(ticket, Answer::Closed)]);
    assert_eq!(jibri.exit(), Some(Exit::Retired));
    assert!(!jibri.listens(Api::External) && !jibri.listens(Api::Internal));
    assert_eq!(
        jibri.next_event(),
        None,
        "systemd leaves an exit with 255 down"
    );
    assert_eq!(jibri.start_session(at(2), "a", None), StartOutcome::Absent);
    let late = jibri.request(at(3), Request::GracefulShutdown);
    assert_eq!(jibri.take_answers(), [(late, Answer::Closed)]);
}

#[test]
fn a_recording_jibri_told_to_end_answers_at_once_and_exits_before_idle_is_seen() {
    let profile = Profile::booted().with_webhooks(WebhookReceiver::Answers);
    let mut jibri = FakeJibri::new(profile, at(0));
    jibri.start_session(at(0), "a", Some(secs(20)));
    let ticket = jibri.request(at(10), Request::GracefulShutdown);
    assert_eq!(jibri.take_answers(), [(ticket, Answer::Ok)]);
    jibri.advance(at(33));
    assert_eq!(busy(&jibri), "BUSY");
    jibri.advance(at(34));
    assert_eq!(jibri.exit(), Some(Exit::Retired));
    let last = jibri.take_webhooks().pop().unwrap();
    assert_eq!(last.body["status"]["busyStatus"], "BUSY", "then silence");
    assert_eq!(
        events(&mut jibri).last().unwrap().2,
        SessionEvent::Finished,
        "nothing is lost"
    );
}

#[test]
fn a_start_and_an_end_never_both_win() {
    // The start comes first: the end is put off to the end of its session.
    let mut jibri = jibri();
    jibri.start_session(at(0), "a", Some(secs(100)));
    let told = jibri.request(at(1), Request::GracefulShutdown);
    assert_eq!(jibri.take_answers(), [], "Chrome's start holds the lock");
    jibri.advance(at(4));
    assert_eq!(jibri.take_answers(), [(told, Answer::Ok)]);
    assert_eq!(jibri.exit(), None);
    jibri.advance(at(114));
    assert_eq!(jibri.exit(), Some(Exit::Retired));
    let kinds: Vec<_> = events(&mut jibri).into_iter().map(|e| e.2).collect();
    assert_eq!(kinds, [SessionEvent::Accepted, SessionEvent::Finished]);

    // The end comes first: nothing is accepted.
    let mut jibri = FakeJibri::new(Profile::booted(), at(0));
    jibri.request(at(0), Request::GracefulShutdown);
    assert_eq!(jibri.start_session(at(0), "a", None), StartOutcome::Absent);
}

#[test]
fn an_end_during_finalize_waits_for_it() {
    let mut jibri = recording();
    jibri.advance(at(105));
    let told = jibri.request(at(105), Request::GracefulShutdown);
    jibri.advance(at(113));
    assert_eq!(jibri.take_answers(), []);
    jibri.advance(at(114));
    assert_eq!(jibri.take_answers(), [(told, Answer::Closed)]);
    assert_eq!(jibri.exit(), Some(Exit::Retired));
    assert_eq!(events(&mut jibri).last().unwrap().2, SessionEvent::Finished);
}

#[test]
fn who_waits_for_the_lock_comes_in_order() {
    let mut jibri = recording();
    jibri.advance(at(105));
    let started = jibri.request(at(105), start("b"));
    let told = jibri.request(at(106), Request::GracefulShutdown);
    jibri.advance(at(118));
    assert_eq!(
        jibri.take_answers(),
        [(started, Answer::Ok), (told, Answer::Ok)],
        "the start won: the end waits for its session"
    );
    assert!(jibri.is_session_active());
}

#[test]
fn there_is_one_pending_end_and_the_last_writer_wins() {
    let mut jibri = recording();
    jibri.request(at(10), Request::GracefulShutdown);
    jibri.request(at(11), Request::NotifyConfigChanged);
    jibri.advance(at(114));
    assert_eq!(jibri.exit(), Some(Exit::ConfigChanged));
    jibri.advance(at(115));
    assert_eq!(
        (jibri.exit(), busy(&jibri).as_str()),
        (None, "IDLE"),
        "restarted: the drain is lost"
    );

    let mut jibri = recording();
    jibri.request(at(10), Request::NotifyConfigChanged);
    jibri.request(at(11), Request::GracefulShutdown);
    jibri.advance(at(115));
    assert_eq!(jibri.exit(), Some(Exit::Retired));
}

#[test]
fn an_idle_jibri_whose_configuration_changed_is_restarted() {
    let mut jibri = jibri();
    jibri.request(at(1), Request::NotifyConfigChanged);
    assert_eq!(jibri.exit(), Some(Exit::ConfigChanged));
    jibri.advance(at(2));
    assert_eq!((jibri.exit(), jibri.incarnation()), (None, 2));
}

#[test]
fn shutdown_finalizes_first_and_exits_with_255() {
    let mut jibri = recording();
    let ticket = jibri.request(at(20), Request::Shutdown);
    jibri.advance(at(29));
    assert_eq!((busy(&jibri).as_str(), jibri.exit()), ("BUSY", None));
    jibri.advance(at(30));
    assert_eq!(jibri.take_answers(), [(ticket, Answer::Closed)]);
    assert_eq!(jibri.exit(), Some(Exit::Retired));
    assert_eq!(events(&mut jibri).last().unwrap().2, SessionEvent::Finished);

    let mut idle = FakeJibri::new(Profile::booted(), at(0));
    idle.request(at(1), Request::Shutdown);
    assert_eq!(idle.exit(), Some(Exit::Retired));
}

#[test]
fn a_stop_is_answered_after_finalize_and_at_once_where_nothing_runs() {
    let mut jibri = recording();
    let ticket = jibri.request(at(20), Request::Stop);
    jibri.advance(at(29));
    assert_eq!(jibri.take_answers(), []);
    jibri.advance(at(30));
    assert_eq!(jibri.take_answers(), [(ticket, Answer::Ok)]);
    assert_eq!(busy(&jibri), "IDLE");
    let again = jibri.request(at(40), Request::Stop);
    assert_eq!(jibri.take_answers(), [(again, Answer::Ok)]);
}

#[test]
fn each_supervisor_restarts_what_it_restarts() {
    let after = secs(3);
    let restarts = |supervisor, exit: fn(&mut FakeJibri)| {
        let profile = Profile::booted().with_supervisor(supervisor);
        let mut jibri = FakeJibri::new(profile, at(0));
        exit(&mut jibri);
        assert!(jibri.exit().is_some());
        jibri.advance(at(12));
        assert!(jibri.exit().is_some(), "not yet restarted");
        jibri.advance(at(13));
        jibri.exit().is_none()
    };
    let retire: fn(&mut FakeJibri) = |jibri| {
        jibri.request(at(10), Request::GracefulShutdown);
    };
    let reload: fn(&mut FakeJibri) = |jibri| {
        jibri.request(at(10), Request::NotifyConfigChanged);
    };
    let crash: fn(&mut FakeJibri) = |jibri| jibri.crash(at(10));
    let systemd = Supervisor::Systemd {
        restart_after: after,
    };
    let always = Supervisor::Always {
        restart_after: after,
    };
    let cases = [
        (systemd, retire, false),
        (systemd, reload, true),
        (systemd, crash, true),
        (always, retire, true),
        (always, crash, true),
        (Supervisor::None, reload, false),
        (Supervisor::None, crash, false),
    ];
    for (supervisor, exit, expected) in cases {
        assert_eq!(restarts(supervisor, exit), expected, "{supervisor:?}");
    }
}

#[test]
fn a_crash_or_a_terminated_instance_loses_the_session() {
    for when in [1, 10, 110] {
        // While Chrome starts, while it records, and while it finalizes.
        for terminated in [false, true] {
            let mut jibri = jibri();
            let asked = jibri.request(
                at(0),
                Request::Start {
                    session: "a".into(),
                    duration: Some(secs(100)),
                },
            );
            jibri.advance(at(when));
            let _ = jibri.take_answers();
            let waiting = jibri.request(at(when), Request::Stop);
            if terminated {
                jibri.kill(at(when));
            } else {
                jibri.crash(at(when));
            }
            assert_eq!(events(&mut jibri).last().unwrap().2, SessionEvent::Lost);
            let unanswered = jibri.take_answers();
            assert!(unanswered.contains(&(waiting, Answer::Closed)));
            assert_eq!(unanswered.contains(&(asked, Answer::Closed)), when == 1);
            assert_eq!(jibri.next_event().is_some(), !terminated);
        }
    }
}

#[test]
fn a_terminated_instance_is_not_restarted_though_a_restart_was_due() {
    let mut jibri = jibri();
    jibri.request(at(10), Request::NotifyConfigChanged);
    jibri.kill(at(10));
    jibri.advance(at(1000));
    assert_eq!(
        (jibri.exit(), jibri.next_event()),
        (Some(Exit::ConfigChanged), None)
    );
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
