//! Stops that do not stop.

use super::*;

#[test]
fn the_first_stop_of_a_session_could_fail_and_stop_nothing() {
    let profile = Profile::booted()
        .with_first_stop_fails(true)
        .with_prometheus(true);
    let mut jibri = FakeJibri::new(profile, at(0));
    for (session, begins) in [("a", 0), ("b", 100)] {
        jibri.request(at(begins), start(session));
        jibri.advance(at(begins + 10));
        jibri.take_answers();
        let first = jibri.request(at(begins + 10), Request::Stop);
        assert_eq!(jibri.take_answers(), [(first, Answer::Failed)]);
        jibri.advance(at(begins + 50));
        assert_eq!(
            (busy(&jibri).as_str(), jibri.is_session_active()),
            ("BUSY", true),
            "it records on"
        );
        let second = jibri.request(at(begins + 50), Request::Stop);
        jibri.advance(at(begins + 60));
        assert_eq!(jibri.take_answers(), [(second, Answer::Ok)]);
        assert_eq!(busy(&jibri), "IDLE");
    }
    let again = jibri.request(at(200), Request::Stop);
    assert_eq!(jibri.take_answers(), [(again, Answer::Ok)], "nothing runs");
    assert_eq!(jibri.metrics().unwrap().sessions_stopped, 4);
}

#[test]
fn on_a_full_disk_a_stop_goes_round_for_ever() {
    let mut jibri = recording();
    jibri.set_disk_full(true);
    let stopped = jibri.request(at(20), Request::Stop);
    let told = jibri.request(at(30), Request::GracefulShutdown);
    let started = jibri.request(at(40), start("b"));
    jibri.advance(at(1_000_000));
    assert_eq!(jibri.take_answers(), [], "they wait for the lock");
    assert_eq!(
        (busy(&jibri).as_str(), healthy(&jibri).as_str()),
        ("BUSY", "UNHEALTHY")
    );
    assert_eq!(jibri.exit(), None);
    assert_eq!(jibri.next_event(), None, "and nothing will come");

    // Only the end of the process ends it, with what it recorded.
    jibri.crash(at(1_000_000));
    let unanswered = jibri.take_answers();
    for ticket in [stopped, told, started] {
        assert!(unanswered.contains(&(ticket, Answer::Closed)));
    }
    assert_eq!(events(&mut jibri).last().unwrap().2, SessionEvent::Lost);
}

#[test]
fn on_a_full_disk_a_session_that_ends_by_itself_is_never_over_either() {
    let profile = Profile::booted().with_webhooks(WebhookReceiver::Answers);
    let mut jibri = FakeJibri::new(profile, at(0));
    jibri.request(at(0), start("a"));
    jibri.set_disk_full(true);
    jibri.end_session(at(50));
    jibri.advance(at(10_000));
    assert_eq!(
        (busy(&jibri).as_str(), healthy(&jibri).as_str()),
        ("BUSY", "UNHEALTHY")
    );
    let last = jibri.take_webhooks().pop().unwrap();
    assert_eq!(last.body["status"]["busyStatus"], "BUSY", "every minute");

    // What was told to end before never does.
    let mut told = recording();
    told.set_disk_full(true);
    told.request(at(20), Request::GracefulShutdown);
    told.advance(at(1_000_000));
    assert_eq!((told.exit(), busy(&told).as_str()), (None, "BUSY"));
}
