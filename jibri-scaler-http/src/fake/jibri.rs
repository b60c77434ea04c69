mod process;
mod webhooks;

use std::time::Duration;

use jibri_scaler_core::Timestamp;
use serde_json::{Value, json};

use super::{
    Answer, Api, ErrorScope, Exit, Profile, Request, SessionEvent, SessionReport, StartOutcome,
    Supervisor, Ticket, Webhook, WebhookReceiver,
};
use process::{Asker, Held, Process, Session, Step, Stopper};

const WEBHOOK_PERIOD: Duration = Duration::from_secs(60);
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// A Jibri as a state machine on virtual time, together with the supervisor that restarts it.
///
/// All times come from the caller; one that is earlier than the last counts as the last. Nothing happens between the calls: a
/// driver that asks [`next_event`](Self::next_event) misses nothing.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{Exit, FakeJibri, Profile, Request, StartOutcome};
///
/// let start = Timestamp::from_secs(0);
/// let mut jibri = FakeJibri::new(Profile::booted(), start);
/// let accepted = jibri.start_session(start, "standup", Some(Duration::from_secs(600)));
/// assert_eq!(accepted, StartOutcome::Accepted);
/// assert_eq!(jibri.health()["status"]["busyStatus"], "IDLE", "Chrome is not up yet");
///
/// jibri.request(start + Duration::from_secs(60), Request::GracefulShutdown);
/// assert_eq!(jibri.health()["status"]["busyStatus"], "BUSY");
/// while let Some(next) = jibri.next_event() {
///     jibri.advance(next);
/// }
/// assert_eq!(jibri.exit(), Some(Exit::Retired), "and systemd leaves it down");
/// ```
#[derive(Debug)]
pub struct FakeJibri {
    profile: Profile,
    now: Timestamp,
    life: Life,
    incarnation: u64,
    chrome_broken: bool,
    next_ticket: u64,
    answers: Vec<(Ticket, Answer)>,
    reports: Vec<SessionReport>,
    webhooks: Vec<Webhook>,
}

#[derive(Debug)]
enum Life {
    Up(Box<Process>),
    Down {
        exit: Exit,
        restart_at: Option<Timestamp>,
    },
}

impl FakeJibri {
    /// A Jibri whose process starts at that time.
    #[must_use]
    pub fn new(profile: Profile, now: Timestamp) -> Self {
        let process = Process::new(&profile, now);
        let mut jibri = Self {
            profile,
            now,
            life: Life::Up(Box::new(process)),
            incarnation: 1,
            chrome_broken: false,
            next_ticket: 0,
            answers: Vec::new(),
            reports: Vec::new(),
            webhooks: Vec::new(),
        };
        jibri.settle();
        jibri
    }

    /// The time it was last told.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets everything happen that is due until that time, in order.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(next) = self.next_event().filter(|next| *next <= now) {
            self.now = next;
            self.settle();
        }
        self.now = self.now.max(now);
    }

    /// When something will next change by itself: always later than [`now`](Self::now).
    #[must_use]
    pub fn next_event(&self) -> Option<Timestamp> {
        let next = match &self.life {
            Life::Up(process) => process.next_event(self.now),
            Life::Down { restart_at, .. } => *restart_at,
        };
        // A moment that is due was settled before; only a saturated time can be left.
        next.filter(|next| *next > self.now)
    }

    /// Whether this API accepts connections.
    #[must_use]
    pub fn listens(&self, api: Api) -> bool {
        match (&self.life, api) {
            (Life::Up(process), Api::External) => process.external_at <= self.now,
            (Life::Up(process), Api::Internal) => process.internal_at <= self.now,
            (Life::Down { .. }, _) => false,
        }
    }

    /// How often its process was started; a connection belongs to one incarnation.
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// How its process ended, while it is down.
    #[must_use]
    pub const fn exit(&self) -> Option<Exit> {
        match &self.life {
            Life::Up(_) => None,
            Life::Down { exit, .. } => Some(*exit),
        }
    }

    /// Whether a session is starting, running or being finalized: ending the process now would lose it.
    #[must_use]
    pub fn is_session_active(&self) -> bool {
        matches!(&self.life, Life::Up(process) if process.session().is_some())
    }

    /// Whether Jicofo would give it a session: its process is in Jicofo's room, and its presence there says free and healthy.
    ///
    /// Like health, the presence lags behind: while Chrome starts, it still offers itself.
    #[must_use]
    pub fn is_selectable(&self) -> bool {
        let offers = matches!(&self.life, Life::Up(process) if process.offers_itself);
        offers && self.listens(Api::Internal)
    }

    /// The body of the health endpoint. It waits for no lock. Without a process it is `null`.
    #[must_use]
    pub fn health(&self) -> Value {
        let Life::Up(process) = &self.life else {
            return Value::Null;
        };
        let mut body = json!({ "status": process.status() });
        // The context is stored after BUSY was published, which a webhook can delay.
        let running = process.active.as_ref().filter(|_| !process.is_announcing());
        if running.is_some_and(|session| session.asker == Asker::Jicofo) {
            body["environmentContext"] = json!({ "name": "fake-xmpp.example" });
        }
        body
    }

    /// Sends a request that takes the lock. It is answered, now or later, through [`take_answers`](Self::take_answers).
    pub fn request(&mut self, now: Timestamp, request: Request) -> Ticket {
        self.advance(now);
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        match &mut self.life {
            Life::Up(process) => process.waiting.push_back((ticket, request)),
            Life::Down { .. } => self.answers.push((ticket, Answer::Closed)),
        }
        self.settle();
        ticket
    }

    /// The answers that have come since the last call.
    pub fn take_answers(&mut self) -> Vec<(Ticket, Answer)> {
        std::mem::take(&mut self.answers)
    }

    /// Jicofo asks for a session that is recorded for that long once Chrome runs; `None`: until it is stopped.
    ///
    /// The answer comes at once: where a finalize script holds the lock, a real Jibri would answer after it, but Jicofo asks
    /// none that shows BUSY.
    pub fn start_session(
        &mut self,
        now: Timestamp,
        session: &str,
        duration: Option<Duration>,
    ) -> StartOutcome {
        self.advance(now);
        if !self.listens(Api::Internal) {
            return StartOutcome::Absent;
        }
        let Life::Up(process) = &mut self.life else {
            return StartOutcome::Absent;
        };
        if process.session().is_some() || process.held.is_some() {
            self.report(session, SessionEvent::Refused);
            return StartOutcome::Busy;
        }
        let session = Session::new(session, duration, Asker::Jicofo);
        self.launch(session, None);
        self.settle();
        StartOutcome::Accepted
    }

    /// The meeting is over: the running session ends as by itself. Nothing where none is running.
    pub fn end_session(&mut self, now: Timestamp) {
        self.advance(now);
        if let Life::Up(process) = &mut self.life
            && let Some(session) = &mut process.active
        {
            session.ends_at = Some(self.now);
            self.settle();
        }
    }

    /// An error ends the running session. Nothing where none is running or it is being finalized.
    pub fn fail_session(&mut self, now: Timestamp, scope: ErrorScope) {
        self.advance(now);
        let Life::Up(process) = &mut self.life else {
            return;
        };
        let Some(session) = &mut process.active else {
            return;
        };
        if matches!(
            process.held,
            Some(Held {
                step: Step::Finalizing(_),
                ..
            })
        ) {
            return;
        }
        session.failed = true;
        session.ends_at = Some(self.now);
        if scope == ErrorScope::System && process.healthy {
            process.healthy = false;
            self.announce();
        }
        self.settle();
    }

    /// Whether Chrome cannot be started from now on, until this is called again.
    pub const fn set_chrome_broken(&mut self, broken: bool) {
        self.chrome_broken = broken;
    }

    /// Who receives the webhooks from now on. The webhooks of every minute begin with a process, not here.
    pub const fn set_webhook_receiver(&mut self, receiver: WebhookReceiver) {
        self.profile.webhooks = receiver;
    }

    /// The process dies, by a crash or `SIGTERM`. A session in progress is lost. The supervisor acts.
    pub fn crash(&mut self, now: Timestamp) {
        self.advance(now);
        self.end_process(Exit::Crashed);
        self.settle();
    }

    /// The instance is terminated. A session in progress is lost, and nothing ever starts again.
    pub fn kill(&mut self, now: Timestamp) {
        self.profile.supervisor = Supervisor::None;
        self.advance(now);
        self.end_process(Exit::Crashed);
        if let Life::Down { restart_at, .. } = &mut self.life {
            *restart_at = None;
        }
    }

    /// What became of sessions since the last call.
    pub fn take_reports(&mut self) -> Vec<SessionReport> {
        std::mem::take(&mut self.reports)
    }

    /// The webhooks sent since the last call, whoever received them.
    pub fn take_webhooks(&mut self) -> Vec<Webhook> {
        std::mem::take(&mut self.webhooks)
    }

    /// Does everything that is due now.
    fn settle(&mut self) {
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
    fn take_up(&mut self, ticket: Ticket, request: Request) {
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

    fn launch(&mut self, session: Session, ticket: Option<Ticket>) {
        self.report(&session.name, SessionEvent::Accepted);
        let chrome_start = self.profile.chrome_start;
        self.hold(chrome_start, Step::Launching(session, ticket));
    }

    fn stop(&mut self, stopper: Stopper) {
        let finalize = self.profile.finalize;
        self.hold(finalize, Step::Finalizing(stopper));
    }

    fn hold(&mut self, span: Duration, step: Step) {
        let until = self.now + span;
        if let Life::Up(process) = &mut self.life {
            process.held = Some(Held { until, step });
        }
    }

    /// Goes on after the lock was held for this step.
    fn go_on(&mut self, step: Step) {
        match step {
            Step::Launching(session, ticket) => self.launched(session, ticket),
            Step::AnnouncingStart(ticket) => self.started(ticket),
            Step::Finalizing(stopper) => self.finalized(stopper),
            Step::AnnouncingEnd(stopper) => self.stopped(stopper),
        }
    }

    fn launched(&mut self, mut session: Session, ticket: Option<Ticket>) {
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

    fn started(&mut self, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket {
            self.answer(ticket, Answer::Ok);
        }
    }

    fn finalized(&mut self, stopper: Stopper) {
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

    fn stopped(&mut self, stopper: Stopper) {
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
    fn end_process(&mut self, exit: Exit) {
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

    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.answers.push((ticket, answer));
    }

    fn report(&mut self, session: &str, event: SessionEvent) {
        self.reports
            .push(SessionReport::new(self.now, session, event));
    }
}

#[cfg(test)]
mod tests;
