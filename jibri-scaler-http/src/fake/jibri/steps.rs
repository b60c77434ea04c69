//! What happens by itself, and what each request sets going, under the one lock.

use std::time::Duration;

use super::{
    super::{
        Answer, Exit, Request, SessionEvent, SessionReport, Supervisor, Ticket, WebhookReceiver,
    },
    FakeJibri, Life, WEBHOOK_PERIOD, WEBHOOK_TIMEOUT,
    process::{Asker, Held, Process, Session, Step, Stopper},
};

impl FakeJibri {
    /// Does everything that is due now.
    pub(super) fn settle(&mut self) {
        loop {
            let now = self.now;
            match &mut self.life {
                Life::Down { restart_at, .. } => {
                    if restart_at.is_none_or(|at| at > now) {
                        return;
                    }
                    self.incarnation += 1;
                    self.life = Life::Up(Box::new(Process::new(&self.profile, now)));
                }
                Life::Up(process) => {
                    if process.webhook_at.is_some_and(|at| at <= now) {
                        process.webhook_at = Some(now + WEBHOOK_PERIOD);
                        self.send_status();
                        // An exception ends the schedule of the real one for good.
                        if self.profile.webhooks == WebhookReceiver::Refuses
                            && let Life::Up(process) = &mut self.life
                        {
                            process.webhook_at = None;
                        }
                    } else if let Some(held) = process.held.take() {
                        if held.until > now {
                            process.held = Some(held);
                            return;
                        }
                        self.go_on(held.step);
                    } else if let Some((ticket, request)) = process.waiting.pop_front() {
                        self.take_up(ticket, request);
                    } else if process.ends_at().is_some_and(|at| at <= now) {
                        self.stop(Stopper::Session);
                    } else {
                        return;
                    }
                }
            }
        }
    }

    /// Executes a request whose turn it is: the lock is free.
    pub(super) fn take_up(&mut self, ticket: Ticket, request: Request) {
        let Life::Up(process) = &mut self.life else {
            return;
        };
        let is_busy = process.active.is_some();
        match request {
            Request::Start { session, .. } if is_busy => {
                self.report(&session, SessionEvent::Refused);
                self.answer(ticket, Answer::Busy);
            }
            Request::Start { session, duration } => {
                let session = Session::new(&session, duration, Asker::Http);
                self.launch(session, Some(ticket));
            }
            Request::Stop if is_busy => self.stop(Stopper::Request(ticket)),
            Request::Stop => self.answer(ticket, Answer::Ok),
            Request::Shutdown if is_busy => self.stop(Stopper::Shutdown(ticket)),
            Request::GracefulShutdown if is_busy => {
                process.pending = Some(Exit::Retired);
                self.answer(ticket, Answer::Ok);
            }
            Request::NotifyConfigChanged if is_busy => {
                process.pending = Some(Exit::ConfigChanged);
                self.answer(ticket, Answer::Ok);
            }
            Request::GracefulShutdown | Request::Shutdown => {
                self.answer(ticket, Answer::Closed);
                self.end_process(Exit::Retired);
            }
            Request::NotifyConfigChanged => {
                self.answer(ticket, Answer::Closed);
                self.end_process(Exit::ConfigChanged);
            }
        }
    }

    pub(super) fn launch(&mut self, session: Session, ticket: Option<Ticket>) {
        self.report(&session.name, SessionEvent::Accepted);
        let chrome_start = self.profile.chrome_start;
        self.hold(chrome_start, Step::Launching(session, ticket));
    }

    pub(super) fn stop(&mut self, stopper: Stopper) {
        let finalize = self.profile.finalize;
        self.hold(finalize, Step::Finalizing(stopper));
    }

    pub(super) fn hold(&mut self, span: Duration, step: Step) {
        let until = self.now + span;
        if let Life::Up(process) = &mut self.life {
            process.held = Some(Held { until, step });
        }
    }

    /// Goes on after the lock was held for this step.
    pub(super) fn go_on(&mut self, step: Step) {
        match step {
            Step::Launching(session, ticket) => self.launched(session, ticket),
            Step::AnnouncingStart(ticket) => self.started(ticket),
            Step::Finalizing(stopper) => self.finalized(stopper),
            Step::AnnouncingEnd(stopper) => self.stopped(stopper),
        }
    }

    pub(super) fn launched(&mut self, mut session: Session, ticket: Option<Ticket>) {
        let fail = |jibri: &mut Self, session: &Session| {
            jibri.report(&session.name, SessionEvent::Failed);
            if let Some(ticket) = ticket {
                jibri.answer(ticket, Answer::Failed);
            }
        };
        if self.chrome_broken {
            // Nothing was published: it goes on looking idle and healthy.
            return fail(self, &session);
        }
        let Life::Up(process) = &mut self.life else {
            return;
        };
        let changes = process.publish("BUSY");
        if changes && self.profile.webhooks == WebhookReceiver::Refuses {
            self.announce();
            return fail(self, &session);
        }
        session.ends_at = session.duration.map(|duration| self.now + duration);
        let over_http = (session.asker == Asker::Http).then(|| session.name.clone());
        process.active = Some(session);
        if changes {
            self.announce();
        }
        if let Some(session) = over_http {
            self.send_session(&session, "ON");
        }
        if changes && self.profile.webhooks == WebhookReceiver::TimesOut {
            self.hold(WEBHOOK_TIMEOUT, Step::AnnouncingStart(ticket));
        } else {
            self.started(ticket);
        }
    }

    pub(super) fn started(&mut self, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket {
            self.answer(ticket, Answer::Ok);
        }
    }

    pub(super) fn finalized(&mut self, stopper: Stopper) {
        let busy = if self.profile.single_use {
            "EXPIRED"
        } else {
            "IDLE"
        };
        let Life::Up(process) = &mut self.life else {
            return;
        };
        if let Some(session) = process.active.take() {
            let event = if session.failed {
                SessionEvent::Failed
            } else {
                SessionEvent::Finished
            };
            self.report(&session.name, event);
            if session.asker == Asker::Http {
                self.send_session(&session.name, "OFF");
            }
        }
        let Life::Up(process) = &mut self.life else {
            return;
        };
        if let Some(exit) = process.pending {
            // Before IDLE is published: the last that anybody saw is BUSY.
            stopper
                .ticket()
                .into_iter()
                .for_each(|ticket| self.answer(ticket, Answer::Closed));
            return self.end_process(exit);
        }
        let changes = process.publish(busy);
        if changes {
            self.announce();
        }
        if changes && self.profile.webhooks == WebhookReceiver::TimesOut {
            self.hold(WEBHOOK_TIMEOUT, Step::AnnouncingEnd(stopper));
        } else {
            self.stopped(stopper);
        }
    }

    pub(super) fn stopped(&mut self, stopper: Stopper) {
        match stopper {
            Stopper::Session => {}
            Stopper::Request(ticket) => self.answer(ticket, Answer::Ok),
            Stopper::Shutdown(ticket) => {
                self.answer(ticket, Answer::Closed);
                self.end_process(Exit::Retired);
            }
        }
    }

    /// The process is gone at once, with its connections and everything it had in hand.
    pub(super) fn end_process(&mut self, exit: Exit) {
        let restart_after = match (self.profile.supervisor, exit) {
            (Supervisor::None, _) | (Supervisor::Systemd { .. }, Exit::Retired) => None,
            (Supervisor::Systemd { restart_after } | Supervisor::Always { restart_after }, _) => {
                Some(restart_after)
            }
        };
        let Life::Up(process) = &mut self.life else {
            return;
        };
        let lost = process.session().map(|session| session.name.clone());
        let holder = process.held.take().and_then(|held| held.step.ticket());
        let waiting = std::mem::take(&mut process.waiting);
        let unanswered = holder
            .into_iter()
            .chain(waiting.into_iter().map(|(ticket, _)| ticket));
        self.answers
            .extend(unanswered.map(|ticket| (ticket, Answer::Closed)));
        if let Some(session) = lost {
            self.report(&session, SessionEvent::Lost);
        }
        self.life = Life::Down {
            exit,
            restart_at: restart_after.map(|after| self.now + after),
        };
    }

    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.answers.push((ticket, answer));
    }

    pub(super) fn report(&mut self, session: &str, event: SessionEvent) {
        self.reports
            .push(SessionReport::new(self.now, session, event));
    }
}
