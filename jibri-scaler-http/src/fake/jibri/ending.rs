//! How a session ends other than by a request: by itself, by an error, or with the link to Jicofo's room.

use jibri_scaler_core::Timestamp;

use super::{
    super::{ErrorScope, LinkEvent, WebhookReceiver, statsd},
    FakeJibri, Life,
    process::{Asker, End, Room, Stopper},
    webhooks::Announced,
};

impl FakeJibri {
    /// The meeting is over: the running session ends by itself. Nothing where none is running, or it is ending already.
    ///
    /// Where the webhook of its end is refused, the exception skips the stop: the session stays, and with it BUSY, until somebody
    /// stops it.
    pub fn end_session(&mut self, now: Timestamp) {
        self.advance(now);
        self.begin_end(None);
    }

    /// An error ends the running session. Nothing where none is running, or it is ending already.
    ///
    /// The webhook of a session over HTTP comes first, and then, where the error is one of the machine, UNHEALTHY. Where one of these
    /// webhooks is refused, the exception skips all that is left: the session stays, and with it BUSY, until somebody stops it.
    pub fn fail_session(&mut self, now: Timestamp, scope: ErrorScope) {
        self.advance(now);
        self.begin_end(Some(scope));
    }

    /// Something happens on the link to Jicofo's room. Nothing before the process has joined it, and while it is down.
    pub fn link(&mut self, now: Timestamp, event: LinkEvent) {
        self.advance(now);
        if matches!(&self.life, Life::Up(process) if process.room != Room::NotYet) {
            self.on_link(event);
            self.settle();
        }
    }

    pub(super) fn on_link(&mut self, event: LinkEvent) {
        self.send_statsd(statsd::link(event));
        let Life::Up(process) = &mut self.life else {
            return;
        };
        process.metrics.count_link(event);
        match event {
            LinkEvent::Connected => process.room = Room::Joined,
            LinkEvent::Reconnecting | LinkEvent::ReconnectionFailed | LinkEvent::PingFailed => {}
            LinkEvent::Closed | LinkEvent::ClosedOnError => {
                process.room = Room::Left;
                let session = process.active.as_mut();
                if let Some(session) = session.filter(|session| session.asker == Asker::Jicofo) {
                    // Stopped from outside: nothing is published first.
                    session.end = End::Stop;
                    session.ends_at = Some(self.now);
                    process.metrics.stopped_on_xmpp_closed += 1;
                    self.send_statsd(statsd::stopped_on_closed());
                }
            }
        }
    }

    fn begin_end(&mut self, failure: Option<ErrorScope>) {
        if let Life::Up(process) = &mut self.life
            && !process.is_stopping()
            && let Some(session) = &mut process.active
            && session.end == End::Tell
            && session.failure.is_none()
        {
            session.failure = failure;
            session.ends_at = Some(self.now);
            self.settle();
        }
    }

    /// Does the next step of the end of the running session, which is due.
    pub(super) fn go_on_ending(&mut self) {
        let session = match &self.life {
            Life::Up(process) => process.active.clone(),
            Life::Down { .. } => None,
        };
        let Some(session) = session else {
            return;
        };
        let (next, announced) = match session.end {
            End::Tell => (End::Publish, self.send_session(&session, "OFF")),
            End::Publish => (End::Stop, self.publish_error(&session)),
            End::Stop => {
                // A change that was under way when the session failed has timed out by now.
                if self.profile.receiver() == WebhookReceiver::TimesOut {
                    self.show();
                }
                return self.stop(Stopper::Session);
            }
        };
        let ends_at = match announced {
            Announced::Now => Some(self.now),
            Announced::After(span) => Some(self.now + span),
            Announced::Never => None,
        };
        if let Life::Up(process) = &mut self.life
            && let Some(session) = &mut process.active
        {
            session.end = next;
            session.ends_at = ends_at;
        }
    }
}
