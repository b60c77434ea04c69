use std::time::Duration;

/// One of the two APIs of a Jibri.
///
/// ```
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{Api, FakeJibri, Profile};
///
/// let jibri = FakeJibri::new(Profile::default(), Timestamp::from_secs(0));
/// assert!(!jibri.listens(Api::External), "it is still starting");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Api {
    /// Health and sessions, by default port 2222.
    External,
    /// Ending the process, by default port 3333.
    Internal,
}

/// A request that takes Jibri's one lock.
///
/// ```
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{Answer, FakeJibri, Profile, Request};
///
/// let now = Timestamp::from_secs(0);
/// let mut jibri = FakeJibri::new(Profile::booted(), now);
/// let ticket = jibri.request(now, Request::GracefulShutdown);
/// assert_eq!(jibri.take_answers(), [(ticket, Answer::Closed)], "an idle Jibri exits at once");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// `POST startService`.
    Start {
        /// The id of the session.
        session: String,
        /// How long it is recorded once Chrome runs; `None`: until it is stopped.
        duration: Option<Duration>,
        /// What is recorded into.
        sink: Sink,
        /// The SIP address, where there is one.
        sip_address: Option<String>,
    },
    /// `POST stopService`.
    Stop,
    /// `POST gracefulShutdown`: exit with 255 when free.
    GracefulShutdown,
    /// `POST notifyConfigChanged`: exit with 0 when free.
    NotifyConfigChanged,
    /// `POST shutdown`: stop the session, then exit with 255.
    Shutdown,
}

impl Request {
    /// Whether it is one of the internal API.
    pub(super) const fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::GracefulShutdown | Self::NotifyConfigChanged | Self::Shutdown
        )
    }
}

/// What a session is recorded into.
///
/// ```
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{Answer, FakeJibri, Profile, Request, Sink};
///
/// let now = Timestamp::from_secs(0);
/// let mut jibri = FakeJibri::new(Profile::booted(), now);
/// let start = Request::Start { session: "standup".into(), duration: None, sink: Sink::Stream, sip_address: None };
/// let ticket = jibri.request(now, start);
/// jibri.advance(Timestamp::from_secs(4));
/// assert_eq!(jibri.take_answers(), [(ticket, Answer::Ok)]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sink {
    /// A file, which the finalize script uploads. What Jicofo asks for here.
    File,
    /// A live stream.
    Stream,
    /// None: a gateway to a SIP device.
    Gateway,
}

/// Which request an [`Answer`] belongs to.
///
/// ```
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{FakeJibri, Profile, Request};
///
/// let now = Timestamp::from_secs(0);
/// let mut jibri = FakeJibri::new(Profile::booted(), now);
/// let first = jibri.request(now, Request::Stop);
/// assert!(first < jibri.request(now, Request::Stop), "numbered in the order they came");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// What a [`Request`] is answered.
///
/// ```
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{Answer, FakeJibri, Profile, Request};
///
/// let now = Timestamp::from_secs(0);
/// let mut jibri = FakeJibri::new(Profile::booted(), now);
/// let ticket = jibri.request(now, Request::Stop);
/// assert_eq!(jibri.take_answers(), [(ticket, Answer::Ok)], "nothing runs, nothing is to be stopped");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// 200.
    Ok,
    /// 412: another session is running.
    Busy,
    /// 500.
    Failed,
    /// 404: this version does not have the request yet.
    NotFound,
    /// None: the process ended, or was not there.
    Closed,
}

/// What became of a session that Jicofo asked for.
///
/// ```
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{FakeJibri, Profile, StartOutcome};
///
/// let now = Timestamp::from_secs(0);
/// let mut jibri = FakeJibri::new(Profile::booted(), now);
/// assert_eq!(jibri.start_session(now, "standup", None), StartOutcome::Accepted);
/// assert_eq!(jibri.start_session(now, "review", None), StartOutcome::Busy);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartOutcome {
    /// It was accepted. Whether it succeeds is told by [`FakeJibri::take_reports`](super::FakeJibri::take_reports).
    Accepted,
    /// Another session is starting, running or being finalized.
    Busy,
    /// The process is not there, or has not joined Jicofo's room yet.
    Absent,
}

/// How the process of a Jibri ended.
///
/// ```
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{Exit, FakeJibri, Profile};
///
/// let now = Timestamp::from_secs(0);
/// let mut jibri = FakeJibri::new(Profile::booted(), now);
/// jibri.crash(now);
/// assert_eq!(jibri.exit(), Some(Exit::Crashed));
/// assert!(jibri.next_event().is_some(), "systemd will restart it");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// With 255: after `gracefulShutdown` or `shutdown`.
    Retired,
    /// With 0: after `notifyConfigChanged`.
    ConfigChanged,
    /// It was killed or crashed.
    Crashed,
}

/// What happens on the link to Jicofo's room.
///
/// ```
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{FakeJibri, LinkEvent, Profile};
///
/// let now = Timestamp::from_secs(0);
/// let mut jibri = FakeJibri::new(Profile::booted(), now);
/// jibri.link(now, LinkEvent::ClosedOnError);
/// assert!(!jibri.is_selectable(), "Jicofo sees it no more");
/// jibri.link(now, LinkEvent::Reconnecting);
/// jibri.link(now, LinkEvent::Connected);
/// assert!(jibri.is_selectable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// It stands, again: the Jibri is in the room.
    Connected,
    /// It is being restored. Only counted.
    Reconnecting,
    /// It could not be restored. Only counted: it is tried again.
    ReconnectionFailed,
    /// The server did not answer a ping. Only counted.
    PingFailed,
    /// It was closed: the Jibri has left the room, and a session that Jicofo asked for ends.
    Closed,
    /// It broke. As [`Closed`](Self::Closed), and counted apart.
    ClosedOnError,
}

/// How far an error in a session reaches.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{ErrorScope, FakeJibri, Profile};
///
/// let now = Timestamp::from_secs(0);
/// let mut jibri = FakeJibri::new(Profile::booted(), now);
/// jibri.start_session(now, "standup", None);
/// jibri.fail_session(now + Duration::from_secs(10), ErrorScope::System);
/// assert_eq!(jibri.health()["status"]["health"]["healthStatus"], "UNHEALTHY");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorScope {
    /// Only the session: nobody spoke, the call could not be joined.
    Session,
    /// The machine: ffmpeg does not start, the disk is full. The Jibri is UNHEALTHY from then on.
    System,
}
