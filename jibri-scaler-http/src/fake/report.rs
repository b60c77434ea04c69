use jibri_scaler_core::Timestamp;
use serde_json::Value;

/// What became of a session.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{FakeJibri, Profile, SessionEvent};
///
/// let start = Timestamp::from_secs(0);
/// let mut jibri = FakeJibri::new(Profile::booted(), start);
/// jibri.start_session(start, "standup", Some(Duration::from_secs(600)));
/// jibri.kill(start + Duration::from_secs(60));
/// let events: Vec<_> = jibri.take_reports().into_iter().map(|report| report.event).collect();
/// assert_eq!(events, [SessionEvent::Accepted, SessionEvent::Lost]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionReport {
    /// When.
    pub at: Timestamp,
    /// Which session.
    pub session: String,
    /// What happened to it.
    pub event: SessionEvent,
}

impl SessionReport {
    pub(super) fn new(at: Timestamp, session: &str, event: SessionEvent) -> Self {
        Self {
            at,
            session: session.into(),
            event,
        }
    }
}

/// What happened to a session.
///
/// ```
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{FakeJibri, Profile, SessionEvent};
///
/// let now = Timestamp::from_secs(0);
/// let mut jibri = FakeJibri::new(Profile::booted(), now);
/// jibri.start_session(now, "standup", None);
/// jibri.start_session(now, "review", None);
/// let reports = jibri.take_reports();
/// assert_eq!((reports[1].session.as_str(), reports[1].event), ("review", SessionEvent::Refused));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// It was accepted; Chrome is being started. Not yet BUSY.
    Accepted,
    /// It failed by itself: Chrome did not start, an error in the session, a webhook receiver that refused.
    Failed,
    /// It was recorded and its finalize script has returned.
    Finished,
    /// Its process died before it was finished.
    Lost,
    /// It was recorded, and its upload failed or died with the process. Nothing of it shows in health.
    NotUploaded,
    /// It was refused since another one was running: HTTP 412.
    Refused,
}

/// A webhook that Jibri sends: a `POST` to the subscriber's base address followed by `path`.
///
/// ```
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{FakeJibri, Profile, WebhookReceiver};
///
/// let profile = Profile::booted().with_webhooks(WebhookReceiver::Answers);
/// let mut jibri = FakeJibri::new(profile, Timestamp::from_secs(0));
/// let first = &jibri.take_webhooks()[0];
/// assert_eq!((first.path, &first.body["status"]["busyStatus"]), ("/v1/status", &"IDLE".into()));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Webhook {
    /// When it is sent.
    pub at: Timestamp,
    /// `/v1/status`, or `/v1/session/status` for sessions that were started over HTTP.
    pub path: &'static str,
    /// The JSON body.
    pub body: Value,
    /// The value of the header `Authorization`, where the fake has a [`Jwt`](super::Jwt).
    pub authorization: Option<String>,
}
