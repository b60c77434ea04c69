//! What happens by itself, and what each request sets going, under the one lock.

use std::time::Duration;

use jibri_scaler_core::Timestamp;

use super::{
    super::{
        Answer, ErrorScope, Exit, LinkEvent, Request, SessionEvent, Sink, Supervisor, Ticket,
        Upload, Version, WebhookReceiver, statsd::Aspect,
    },
    FakeJibri, Life, WEBHOOK_PERIOD,
    process::{Asker, End, Held, Process, Room, Session, Step, Stopper},
    webhooks::Announced,
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
                        if self.profile.receiver() == WebhookReceiver::Refuses
                            && let Life::Up(process) = &mut self.life
                        {
                            process.webhook_at = None;
                        }
                    } else if process.room == Room::NotYet && process.internal_at <= now {
                        self.on_link(LinkEvent::Connected);
                    } else if let Some(request) = process.take_delayed(now) {
                        process.waiting.push_back((None, request));
                    } else if let Some(held) = process.held.take() {
                        if held.until.is_none_or(|until| until > now) {
                            process.held = Some(held);
                            return;
                        }
                        self.go_on(held.step);
                    } else if let Some((ticket, request)) = process.waiting.pop_front() {
                        self.take_up(ticket, request);
                    } else if process.ends_at().is_some_and(|at| at <= now) {
                        self.go_on_ending();
                    } else {
                        return;
                    }
                }
            }
        }
    }

    /// Executes a request whose turn it is: the lock is free.
    pub(super) fn take_up(&mut self, ticket: Option<Ticket>, request: Request) {
        let Life::Up(process) = &mut self.life else {
            return;
        };
        let is_busy = process.active.is_some();
        match request {
            Request::Start { session, sink, .. } if is_busy => {
                self.refuse(&session, sink);
                self.answer(ticket, Answer::Busy);
            }
            Request::Start {
                session,
                duration,
                sink,
                sip_address,
            } => {
                let session = Session::new(&session, duration, sink, Asker::Http { sip_address });
                self.launch(session, ticket);
            }
            Request::Stop if is_busy => self.stop_by_request(ticket),
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

    pub(super) fn refuse(&mut self, session: &str, sink: Sink) {
        self.report(session, SessionEvent::Refused);
        self.count(Aspect::Busy, sink);
    }

    fn stop_by_request(&mut self, ticket: Option<Ticket>) {
        if self.profile.first_stop_fails
            && let Life::Up(process) = &mut self.life
            && let Some(session) = &mut process.active
            && !std::mem::replace(&mut session.stop_failed, true)
        {
            let sink = session.sink;
            self.count(Aspect::Stop, sink);
            self.answer(ticket, Answer::Failed);
        } else {
            self.stop(Stopper::Request(ticket));
        }
    }

    /// The session is stopped; its finalize script begins.
    pub(super) fn stop(&mut self, stopper: Stopper) {
        if let Life::Up(process) = &mut self.life
            && let Some(session) = &mut process.active
        {
            if self.disk_full {
                session.failure.get_or_insert(ErrorScope::System);
            }
            let session = session.clone();
            self.count(Aspect::Stop, session.sink);
            // An end that was not by request was told when it happened.
            if session.end == End::Tell {
                let _ = self.send_session(&session, "OFF");
            }
            if self.disk_full {
                let _ = self.publish_error(&session);
                return self.hold_until(None, Step::Looping(stopper));
            }
        }
        let finalize = self.profile.finalize;
        self.hold(finalize, Step::Finalizing(stopper));
    }

    pub(super) fn hold(&mut self, span: Duration, step: Step) {
        self.hold_until(Some(self.now + span), step);
    }

    fn hold_until(&mut self, until: Option<Timestamp>, step: Step) {
        if let Life::Up(process) = &mut self.life {
            process.held = Some(Held { until, step });
        }
    }

    /// Goes on after the lock was held for this step.
    pub(super) fn go_on(&mut self, step: Step) {
        match step {
            Step::Launching(session, ticket) => self.launched(session, ticket),
            Step::AnnouncingStart(ticket) => {
                self.show();
                self.started(ticket);
            }
            Step::Finalizing(stopper) => self.finalized(stopper),
            Step::AnnouncingEnd(stopper) => {
                self.show();
                self.stopped(stopper);
            }
            // It is held for ever.
            Step::Looping(_) => {}
        }
    }

    pub(super) fn launched(&mut self, mut session: Session, ticket: Option<Ticket>) {
        let fail = |jibri: &mut Self, session: &Session| {
            jibri.report(&session.name, SessionEvent::Failed);
            jibri.answer(ticket, Answer::Failed);
        };
        if self.chrome_broken {
            // Nothing was published: it goes on looking idle and healthy.
            return fail(self, &session);
        }
        self.count(Aspect::Start, session.sink);
        let announced = self.publish("BUSY");
        if announced == Announced::Never {
            return fail(self, &session);
        }
        session.ends_at = session.duration.map(|duration| self.now + duration);
        if let Life::Up(process) = &mut self.life {
            process.active = Some(session);
        }
        match announced {
            Announced::After(span) => self.hold(span, Step::AnnouncingStart(ticket)),
            Announced::Now | Announced::Never => self.started(ticket),
        }
    }

    pub(super) fn started(&mut self, ticket: Option<Ticket>) {
        self.answer(ticket, Answer::Ok);
        if let Life::Up(process) = &self.life
            && let Some(session) = process.active.clone()
        {
            let _ = self.send_session(&session, "ON");
        }
    }

    /// Publishes what the error of a session says about the machine, if there is one.
    pub(super) fn publish_error(&mut self, session: &Session) -> Announced {
        if session.failure != Some(ErrorScope::System) {
            return Announced::Now;
        }
        self.count(Aspect::Error, session.sink);
        if let Life::Up(process) = &mut self.life
            && std::mem::replace(&mut process.healthy, false)
        {
            self.announce()
        } else {
            Announced::Now
        }
    }

    /// Publishes that it is busy or not, and says so where that is a change.
    fn publish(&mut self, busy: &'static str) -> Announced {
        let changes = match &mut self.life {
            Life::Up(process) => process.publish(busy),
            Life::Down { .. } => false,
        };
        if changes {
            self.announce()
        } else {
            Announced::Now
        }
    }

    pub(super) fn finalized(&mut self, stopper: Stopper) {
        let Life::Up(process) = &mut self.life else {
            return;
        };
        if let Some(session) = process.active.take() {
            let upload = self.profile.upload;
            if let Upload::Detached { takes } = upload {
                let until = self.now + takes;
                process.uploads.push((until, session.name.clone()));
            }
            let event = match session.failure {
                Some(_) => SessionEvent::Failed,
                None => SessionEvent::Finished,
            };
            self.report(&session.name, event);
            if upload == Upload::Fails {
                self.report(&session.name, SessionEvent::NotUploaded);
            }
        }
        let Life::Up(process) = &mut self.life else {
            return;
        };
        if let Some(exit) = process.pending {
            // Before IDLE is published: the last that anybody saw is BUSY.
            self.answer(stopper.ticket(), Answer::Closed);
            return self.end_process(exit);
        }
        let expires = self.profile.single_use && self.profile.version >= Version::SINGLE_USE;
        match self.publish(if expires { "EXPIRED" } else { "IDLE" }) {
            Announced::Now => self.stopped(stopper),
            Announced::After(span) => self.hold(span, Step::AnnouncingEnd(stopper)),
            Announced::Never => self.stopped_by_exception(stopper),
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

    /// A shutdown was answered before the exception, which skips the exit.
    fn stopped_by_exception(&mut self, stopper: Stopper) {
        match stopper {
            Stopper::Session => {}
            Stopper::Request(ticket) => self.answer(ticket, Answer::Failed),
            Stopper::Shutdown(ticket) => self.answer(ticket, Answer::Ok),
        }
    }

    /// The process is gone at once, with its connections and everything it had in hand.
    pub(super) fn end_process(&mut self, exit: Exit) {
        let restart_after = match (self.profile.supervisor, exit) {
            (Supervisor::None, _)
            | (Supervisor::Systemd { .. } | Supervisor::S6 { .. }, Exit::Retired) => None,
            (
                Supervisor::Systemd { restart_after }
                | Supervisor::S6 { restart_after }
                | Supervisor::Always { restart_after },
                _,
            ) => Some(restart_after),
        };
        let Life::Up(process) = &mut self.life else {
            return;
        };
        let lost = process.session().map(|session| session.name.clone());
        let holder = process.held.take().and_then(|held| held.step.ticket());
        let waiting = std::mem::take(&mut process.waiting);
        let uploads = std::mem::take(&mut process.uploads);
        let unanswered = holder
            .into_iter()
            .chain(waiting.into_iter().filter_map(|(ticket, _)| ticket));
        self.answers
            .extend(unanswered.map(|ticket| (ticket, Answer::Closed)));
        if let Some(session) = lost {
            self.report(&session, SessionEvent::Lost);
        }
        for (until, session) in uploads {
            if until > self.now {
                self.report(&session, SessionEvent::NotUploaded);
            }
        }
        self.life = Life::Down {
            exit,
            restart_at: restart_after.map(|after| self.now + after),
        };
    }
}
