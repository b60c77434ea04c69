//! The counters that Jibri sends to statsd, each a datagram of its own.

use super::{LinkEvent, Sink};

/// What is counted of sessions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Aspect {
    Start,
    Stop,
    Busy,
    Error,
}

/// A counter of sessions, in the dialect of dogstatsd, which has tags.
pub(super) fn session(aspect: Aspect, sink: Sink) -> String {
    let aspect = match aspect {
        Aspect::Start => "start",
        Aspect::Stop => "stop",
        Aspect::Busy => "busy",
        Aspect::Error => "error",
    };
    let tag = match sink {
        Sink::File => "recording",
        Sink::Stream => "live_stream",
        Sink::Gateway => "sip_gateway",
    };
    datagram(aspect, tag)
}

/// A counter of the link to Jicofo's room.
pub(super) fn link(event: LinkEvent) -> String {
    let aspect = match event {
        LinkEvent::Connected => "xmpp-connected",
        LinkEvent::Reconnecting => "xmpp-reconnecting",
        LinkEvent::ReconnectionFailed => "xmpp-reconnection-failed",
        LinkEvent::PingFailed => "xmpp-ping-failed",
        LinkEvent::Closed => "xmpp-closed",
        LinkEvent::ClosedOnError => "xmpp-closed-on-error",
    };
    of_link(aspect)
}

/// A session was stopped since the link was closed.
pub(super) fn stopped_on_closed() -> String {
    of_link("stopped-on-xmpp-closed")
}

fn of_link(aspect: &str) -> String {
    datagram(aspect, &format!("xmpp_server_host:{}", super::XMPP_HOST))
}

fn datagram(aspect: &str, tag: &str) -> String {
    format!("jibri.{aspect}:1|c|#{tag}")
}
