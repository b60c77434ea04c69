//! How a Jibri ends, and what its supervisor does then.

use super::*;

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
    let s6 = Supervisor::S6 {
        restart_after: after,
    };
    let always = Supervisor::Always {
        restart_after: after,
    };
    let cases = [
        (systemd, retire, false),
        (systemd, reload, true),
        (systemd, crash, true),
        // A container of docker-jitsi-meet, left down and not.
        (s6, retire, false),
        (s6, reload, true),
        (s6, crash, true),
        (always, retire, true),
        (always, reload, true),
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
                    sink: Sink::File,
                    sip_address: None,
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
fn a_failed_finalize_shows_nowhere() {
    let profile = Profile::booted().with_upload(Upload::Fails);
    let mut jibri = FakeJibri::new(profile, at(0));
    jibri.start_session(at(0), "a", Some(secs(100)));
    jibri.request(at(10), Request::GracefulShutdown);
    jibri.advance(at(114));
    assert_eq!(jibri.exit(), Some(Exit::Retired), "as if all were well");
    let kinds: Vec<_> = events(&mut jibri).into_iter().map(|e| e.2).collect();
    assert_eq!(
        kinds,
        [
            SessionEvent::Accepted,
            SessionEvent::Finished,
            SessionEvent::NotUploaded
        ]
    );
}

#[test]
fn a_detached_upload_dies_with_the_process() {
    let profile = Profile::booted().with_upload(Upload::Detached { takes: secs(60) });
    let ended_at = |end: i64| {
        let mut jibri = FakeJibri::new(profile.clone(), at(0));
        jibri.start_session(at(0), "a", Some(secs(100)));
        jibri.advance(at(114));
        assert_eq!(busy(&jibri), "IDLE", "while it is uploading");
        jibri.request(at(end), Request::GracefulShutdown);
        assert_eq!(jibri.exit(), Some(Exit::Retired));
        events(&mut jibri).last().unwrap().2
    };
    assert_eq!(ended_at(173), SessionEvent::NotUploaded);
    assert_eq!(ended_at(174), SessionEvent::Finished);

    // Told before, it ends as soon as the script has returned: the upload has no chance.
    let mut jibri = FakeJibri::new(profile, at(0));
    jibri.start_session(at(0), "a", Some(secs(100)));
    jibri.request(at(10), Request::GracefulShutdown);
    jibri.advance(at(114));
    assert_eq!(
        events(&mut jibri).last().unwrap().2,
        SessionEvent::NotUploaded
    );
}
