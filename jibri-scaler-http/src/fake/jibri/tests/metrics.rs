//! What the metrics count.

use super::*;

fn jibri_with_metrics() -> FakeJibri {
    FakeJibri::new(Profile::booted().with_prometheus(true), at(0))
}

/// The gauges: healthy and recording.
fn gauges(jibri: &FakeJibri) -> (bool, bool) {
    let metrics = jibri.metrics().unwrap();
    (metrics.healthy, metrics.recording)
}

/// The counters: started, stopped, errors, busy.
fn counters(jibri: &FakeJibri) -> [u64; 4] {
    let metrics = jibri.metrics().unwrap();
    [
        metrics.sessions_started,
        metrics.sessions_stopped,
        metrics.errors,
        metrics.busy,
    ]
}

#[test]
fn healthy_starts_at_zero_and_follows_the_first_change() {
    let mut jibri = jibri_with_metrics();
    jibri.advance(at(3600));
    assert_eq!(gauges(&jibri), (false, false), "though it is healthy");
    jibri.start_session(at(3600), "a", Some(secs(60)));
    jibri.advance(at(3604));
    assert_eq!(gauges(&jibri), (true, true));
    jibri.advance(at(3700));
    assert_eq!(gauges(&jibri), (true, false));
    jibri.start_session(at(3700), "b", None);
    jibri.fail_session(at(3710), ErrorScope::System);
    assert_eq!(gauges(&jibri), (false, true));
}

#[test]
fn sessions_errors_of_the_machine_and_refused_starts_are_counted() {
    let mut jibri = jibri_with_metrics();
    jibri.start_session(at(0), "a", None);
    jibri.advance(at(3));
    assert_eq!(counters(&jibri), [0, 0, 0, 0], "Chrome is not up yet");
    jibri.advance(at(4));
    jibri.request(at(5), start("b"));
    assert_eq!(counters(&jibri), [1, 0, 0, 1]);
    jibri.fail_session(at(10), ErrorScope::Session);
    assert_eq!(counters(&jibri), [1, 1, 0, 1]);
    jibri.start_session(at(30), "c", None);
    jibri.fail_session(at(40), ErrorScope::System);
    assert_eq!(counters(&jibri), [2, 2, 1, 1]);
    jibri.crash(at(60));
    jibri.advance(at(61));
    assert_eq!(counters(&jibri), [0; 4], "they die with the process");
}

#[test]
fn a_refused_webhook_keeps_a_change_from_the_gauges() {
    let profile = Profile::booted()
        .with_prometheus(true)
        .with_webhooks(WebhookReceiver::Refuses);
    let mut jibri = FakeJibri::new(profile, at(0));
    jibri.start_session(at(0), "a", None);
    jibri.advance(at(4));
    assert_eq!(busy(&jibri), "BUSY");
    assert_eq!(gauges(&jibri), (false, false));
    assert_eq!(counters(&jibri)[0], 1);
}

/// The counters of the link: connected, reconnecting, reconnection failed, ping failed, closed, closed on error, and the sessions
/// that were stopped by it.
fn link_counters(jibri: &FakeJibri) -> [u64; 7] {
    let counters: Vec<u64> = jibri.metrics().unwrap().counters()[4..]
        .iter()
        .map(|(_, count)| *count)
        .collect();
    counters.try_into().unwrap()
}

#[test]
fn a_lost_link_to_jicofo_stops_its_session_and_is_counted() {
    for (event, counted) in [
        (LinkEvent::Closed, [1, 0, 0, 0, 1, 0, 1]),
        (LinkEvent::ClosedOnError, [1, 0, 0, 0, 0, 1, 1]),
    ] {
        let mut jibri = jibri_with_metrics();
        jibri.start_session(at(0), "a", None);
        jibri.advance(at(10));
        jibri.link(at(20), event);
        jibri.advance(at(30));
        assert_eq!(busy(&jibri), "IDLE");
        assert_eq!(events(&mut jibri).last().unwrap().2, SessionEvent::Finished);
        assert!(!jibri.is_selectable());
        assert_eq!(jibri.start_session(at(31), "b", None), StartOutcome::Absent);
        assert_eq!(link_counters(&jibri), counted);
        jibri.crash(at(40));
        jibri.advance(at(41));
        assert!(jibri.is_selectable());

        // A session over HTTP does not need the link.
        jibri.request(at(50), start("c"));
        jibri.advance(at(60));
        jibri.link(at(60), event);
        jibri.advance(at(600));
        assert_eq!(busy(&jibri), "BUSY");
        assert_eq!(link_counters(&jibri)[6], 0);
    }
}

#[test]
fn a_link_that_is_being_restored_is_counted_and_ends_nothing() {
    let mut jibri = jibri_with_metrics();
    assert_eq!(link_counters(&jibri), [1, 0, 0, 0, 0, 0, 0]);
    jibri.start_session(at(0), "a", None);
    jibri.advance(at(10));
    for event in [
        LinkEvent::PingFailed,
        LinkEvent::Reconnecting,
        LinkEvent::ReconnectionFailed,
        LinkEvent::Reconnecting,
        LinkEvent::Connected,
    ] {
        jibri.link(at(20), event);
    }
    jibri.advance(at(600));
    assert_eq!(busy(&jibri), "BUSY");
    assert_eq!(link_counters(&jibri), [2, 2, 1, 1, 0, 0, 0]);
}

#[test]
fn a_restored_link_brings_it_back_into_the_room() {
    let mut jibri = jibri_with_metrics();
    jibri.link(at(10), LinkEvent::ClosedOnError);
    assert!(!jibri.is_selectable());
    jibri.link(at(20), LinkEvent::Reconnecting);
    assert!(!jibri.is_selectable());
    jibri.link(at(30), LinkEvent::Connected);
    assert_eq!(
        jibri.start_session(at(31), "a", None),
        StartOutcome::Accepted
    );
}

#[test]
fn before_it_has_joined_nothing_happens_on_the_link() {
    let mut jibri = FakeJibri::new(Profile::default().with_prometheus(true), at(0));
    jibri.link(at(1), LinkEvent::Connected);
    assert_eq!(jibri.start_session(at(1), "a", None), StartOutcome::Absent);
    assert_eq!(link_counters(&jibri), [0; 7]);
    jibri.advance(at(3));
    assert_eq!(link_counters(&jibri), [1, 0, 0, 0, 0, 0, 0]);
}
