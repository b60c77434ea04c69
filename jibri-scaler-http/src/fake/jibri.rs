mod ending;
mod outputs;
mod process;
mod steps;
mod webhooks;

use std::{net::SocketAddr, time::Duration};

use jibri_scaler_core::Timestamp;
use serde_json::{Value, json};

use super::{
    Answer, Api, Exit, Profile, Request, SessionReport, Sink, StartOutcome, Supervisor, Ticket,
    Version, Webhook, WebhookReceiver, XMPP_HOST, metrics::Metrics,
};
use process::{Asker, Process, Room, Session};

const WEBHOOK_PERIOD: Duration = Duration::from_secs(60);
/// How long versions with Jersey waited between an answer of the internal API and what it does.
const JERSEY_DELAY: Duration = Duration::from_secs(1);

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
    disk_full: bool,
    next_ticket: u64,
    answers: Vec<(Ticket, Answer)>,
    reports: Vec<SessionReport>,
    webhooks: Vec<Webhook>,
    statsd: Vec<String>,
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
            disk_full: false,
            next_ticket: 0,
            answers: Vec::new(),
            reports: Vec::new(),
            webhooks: Vec::new(),
            statsd: Vec::new(),
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
        matches!(&self.life, Life::Up(process) if process.offers_itself && process.room == Room::Joined)
    }

    /// The body of the health endpoint. It waits for no lock. Without a process it is `null`.
    #[must_use]
    pub fn health(&self) -> Value {
        let Life::Up(process) = &self.life else {
            return Value::Null;
        };
        let mut body = process.health(self.profile.version);
        // The context is stored after BUSY was published, which a webhook can delay.
        let running = process.active.as_ref().filter(|_| !process.is_announcing());
        if running.is_some_and(|session| session.asker == Asker::Jicofo) {
            body["environmentContext"] = json!({ "name": XMPP_HOST });
        }
        body
    }

    /// What `/metrics` shows; `None` where it is not served.
    pub(super) fn metrics(&self) -> Option<&Metrics> {
        let served = self.profile.prometheus && self.profile.version >= Version::METRICS;
        match &self.life {
            Life::Up(process) if served => Some(&process.metrics),
            _ => None,
        }
    }

    pub(super) const fn statsd_address(&self) -> Option<SocketAddr> {
        self.profile.statsd
    }

    pub(super) const fn version(&self) -> Version {
        self.profile.version
    }

    /// Sends a request that takes the lock. It is answered, now or later, through [`take_answers`](Self::take_answers).
    pub fn request(&mut self, now: Timestamp, request: Request) -> Ticket {
        self.advance(now);
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        let version = self.profile.version;
        match &mut self.life {
            Life::Down { .. } => self.answers.push((ticket, Answer::Closed)),
            Life::Up(_)
                if request == Request::NotifyConfigChanged && version < Version::CONFIG_CHANGED =>
            {
                self.answers.push((ticket, Answer::NotFound));
            }
            Life::Up(process) if request.is_internal() && version < Version::KTOR => {
                self.answers.push((ticket, Answer::Ok));
                let due = self.now + JERSEY_DELAY;
                process.delayed.push_back((due, request));
            }
            Life::Up(process) => process.waiting.push_back((Some(ticket), request)),
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
        let process = match &self.life {
            Life::Up(process) if process.room == Room::Joined => process,
            _ => return StartOutcome::Absent,
        };
        if process.session().is_some() || process.held.is_some() {
            self.refuse(session, Sink::File);
            return StartOutcome::Busy;
        }
        let session = Session::new(session, duration, Sink::File, Asker::Jicofo);
        self.launch(session, None);
        self.settle();
        StartOutcome::Accepted
    }

    /// Whether Chrome cannot be started from now on, until this is called again.
    pub const fn set_chrome_broken(&mut self, broken: bool) {
        self.chrome_broken = broken;
    }

    /// Whether the disk is full from now on, until this is called again: a stop can't write what belongs to the recording, and the
    /// Jibri is UNHEALTHY. As its source implies, that error makes the stop begin anew, without end: it holds the lock and shows
    /// BUSY until the process dies.
    pub const fn set_disk_full(&mut self, full: bool) {
        self.disk_full = full;
    }

    /// Who receives the webhooks from now on. The webhooks of every minute begin with a process, not here.
    pub const fn set_webhook_receiver(&mut self, receiver: WebhookReceiver) {
        self.profile.webhooks = receiver;
    }

    /// What happens from now on after its process has ended. A restart that is due already comes.
    pub const fn set_supervisor(&mut self, supervisor: Supervisor) {
        self.profile.supervisor = supervisor;
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

    /// What it sent to statsd since the last call, in datagrams; nothing where [`Profile::statsd`] names no receiver. A
    /// [`FakeServer`](super::FakeServer) takes them itself, and sends them there.
    pub fn take_statsd(&mut self) -> Vec<String> {
        std::mem::take(&mut self.statsd)
    }
}

#[cfg(test)]
mod tests;
