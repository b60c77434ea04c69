//! What comes out of it: answers, reports and counters.

use super::{
    super::{
        Answer, SessionEvent, SessionReport, Sink, Ticket,
        statsd::{self, Aspect},
    },
    FakeJibri, Life,
};

impl FakeJibri {
    /// Without a ticket there is nobody to answer: Jicofo, or a client that got its answer before.
    pub(super) fn answer(&mut self, ticket: Option<Ticket>, answer: Answer) {
        self.answers.extend(ticket.map(|ticket| (ticket, answer)));
    }

    /// Counts something of a session, in the metrics and for statsd.
    pub(super) fn count(&mut self, aspect: Aspect, sink: Sink) {
        if let Life::Up(process) = &mut self.life {
            let metrics = &mut process.metrics;
            *match aspect {
                Aspect::Start => &mut metrics.sessions_started,
                Aspect::Stop => &mut metrics.sessions_stopped,
                Aspect::Busy => &mut metrics.busy,
                Aspect::Error => &mut metrics.errors,
            } += 1;
        }
        self.send_statsd(statsd::session(aspect, sink));
    }

    pub(super) fn send_statsd(&mut self, datagram: String) {
        if self.profile.statsd.is_some() {
            self.statsd.push(datagram);
        }
    }

    pub(super) fn report(&mut self, session: &str, event: SessionEvent) {
        self.reports
            .push(SessionReport::new(self.now, session, event));
    }
}
