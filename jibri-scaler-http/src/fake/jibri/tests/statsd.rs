//! What is sent to statsd.

use super::*;
use crate::fake::Sink;

fn jibri_with_statsd() -> FakeJibri {
    let profile = Profile::booted().with_statsd(Some(([127, 0, 0, 1], 8125).into()));
    FakeJibri::new(profile, at(0))
}

#[test]
fn sessions_are_counted_for_statsd_with_what_they_are() {
    for (sink, tag) in [
        (Sink::File, "recording"),
        (Sink::Stream, "live_stream"),
        (Sink::Gateway, "sip_gateway"),
    ] {
        let mut jibri = jibri_with_statsd();
        jibri.take_statsd();
        let start = |session: &str| Request::Start {
            session: session.into(),
            duration: None,
            sink,
            sip_address: None,
        };
        jibri.request(at(0), start("a"));
        assert_eq!(jibri.take_statsd(), [""; 0], "Chrome is not up yet");
        jibri.advance(at(4));
        jibri.request(at(5), start("b"));
        jibri.fail_session(at(10), ErrorScope::System);
        let sent =
            ["start", "busy", "error", "stop"].map(|what| format!("jibri.{what}:1|c|#{tag}"));
        assert_eq!(jibri.take_statsd(), sent);
    }
}

#[test]
fn the_link_is_counted_for_statsd_with_its_server() {
    let mut jibri = jibri_with_statsd();
    jibri.start_session(at(0), "a", None);
    jibri.advance(at(10));
    for event in [
        LinkEvent::PingFailed,
        LinkEvent::Reconnecting,
        LinkEvent::ReconnectionFailed,
        LinkEvent::Closed,
        LinkEvent::ClosedOnError,
    ] {
        jibri.link(at(20), event);
    }
    let sent: Vec<_> = jibri
        .take_statsd()
        .into_iter()
        .filter_map(|sent| {
            let sent = sent.strip_suffix(":1|c|#xmpp_server_host:fake-xmpp.example")?;
            Some(sent.strip_prefix("jibri.")?.to_owned())
        })
        .collect();
    assert_eq!(
        sent,
        [
            "xmpp-connected",
            "xmpp-ping-failed",
            "xmpp-reconnecting",
            "xmpp-reconnection-failed",
            "xmpp-closed",
            "stopped-on-xmpp-closed",
            // It is being finalized, and still that session.
            "xmpp-closed-on-error",
            "stopped-on-xmpp-closed",
        ]
    );
}

#[test]
fn nothing_is_kept_for_statsd_where_it_is_off() {
    let mut jibri = recording();
    jibri.advance(at(200));
    assert_eq!(jibri.take_statsd(), [""; 0]);
}
