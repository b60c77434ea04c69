use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use jibri_scaler_core::{
    InstanceId, Timestamp,
    observe::{AgentReport, AgentReports, NotListed},
};
use tokio::time::timeout;

use super::{
    access::{Access, Grant, Role},
    jwt::Rejected,
};
use crate::reports::body::{Body, Hint};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// No id of an instance is longer. What is longer is not looked up.
const LONGEST_ID: usize = 255;

/// Takes in the reports of agents and Jibri's webhooks: a tower service for one group, to be mounted wherever there is HTTP.
///
/// It answers as soon as the body has ended, and waits for nothing else: what is taken in is kept in [`AgentReports`], where the
/// controller finds it in its next tick, and [wakes](AgentReports::wakes) that tick. See the [module](super) for what it answers.
///
/// With axum, `Router::new().nest_service("/hook", receiver)`, and `route_service` after [`with_base`](Self::with_base). With hyper,
/// `hyper_util::service::TowerToHyperService::new(receiver)`. Where there is no server yet, [`Listener`](super::Listener) is one. It
/// must be called inside a tokio runtime with time. It speaks to whoever can reach it: put it behind TLS where the network is not
/// trusted.
///
/// ```
/// use std::sync::Arc;
/// use jibri_scaler_core::observe::AgentReports;
/// use jibri_scaler_http::receiver::{Access, Receiver};
///
/// let reports = Arc::new(AgentReports::default()); // also given to JoinedObserver::with_agents
/// let access = Access::default().with_token("0f8c1d7a5b9e4c2f".parse()?);
/// let receiver = Receiver::new(reports, access);
/// let app: axum::Router = axum::Router::new().nest_service("/hook", receiver);
/// # let _ = app;
/// # Ok::<(), jibri_scaler_http::reports::InvalidToken>(())
/// ```
#[derive(Clone)]
pub struct Receiver(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    reports: Arc<AgentReports>,
    access: Arc<Access>,
    base: Box<str>,
    max_body: usize,
    patience: Duration,
    clock: Clock,
}

#[derive(Clone)]
struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Receiver {
    /// How many bytes a body may have, where nothing else is said. Those that are sent have some hundred.
    pub const MAX_BODY: usize = 16 * 1024;
    /// How long a body may take to arrive, where nothing else is said. Jibri gives up after 2 s.
    pub const PATIENCE: Duration = Duration::from_secs(1);

    /// A receiver for the instances that these reports know, which lets in whom this says.
    #[must_use]
    pub fn new(reports: Arc<AgentReports>, access: Access) -> Self {
        Self(Arc::new(Inner {
            reports,
            access: Arc::new(access),
            base: "".into(),
            max_body: Self::MAX_BODY,
            patience: Self::PATIENCE,
            clock: Clock(Arc::new(|| SystemTime::now().into())),
        }))
    }

    /// The same for paths that begin with this, such as `/hook`, where whoever mounts it does not cut that off.
    #[must_use]
    pub fn with_base(self, base: &str) -> Self {
        self.with(|inner| inner.base = base.trim_end_matches('/').into())
    }

    /// The same for bodies of so many bytes at most.
    #[must_use]
    pub fn with_max_body(self, bytes: usize) -> Self {
        self.with(|inner| inner.max_body = bytes)
    }

    /// The same waiting so long for the end of a body.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        self.with(|inner| inner.patience = patience)
    }

    /// The same with another clock than that of the system: what stamps the reports, and says whether a token has expired.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.with(|inner| inner.clock = Clock(Arc::new(clock)))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Answers one request.
    ///
    /// Cancel-safe: a future that is dropped has taken in nothing.
    pub async fn receive<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: HttpBody,
        B::Error: Into<BoxError>,
    {
        match self.0.take_in(request).await {
            Ok(()) => Response::new(Full::default()),
            Err(refusal) => refusal.response(),
        }
    }
}

impl<B> tower_service::Service<Request<B>> for Receiver
where
    B: HttpBody + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(this.receive(request).await) })
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("access", &self.0.access)
            .field("base", &self.0.base)
            .field("max_body", &self.0.max_body)
            .field("patience", &self.0.patience)
            .finish_non_exhaustive()
    }
}

/// What is posted there.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Status,
    Session,
}

impl Inner {
    async fn take_in<B>(&self, request: Request<B>) -> Result<(), Refusal>
    where
        B: HttpBody,
        B::Error: Into<BoxError>,
    {
        // What a body says is as old as its head, however long it takes to arrive.
        let now = (self.clock.0)();
        // Who is not let in learns nothing, not even which paths there are.
        let grant = self.access.admit(request.headers(), now)?;
        let (in_path, kind) = route(request.uri().path(), &self.base).ok_or(Refusal::NoSuchPath)?;
        if request.method() != Method::POST {
            return Err(Refusal::NotPosted);
        }
        let in_path = in_path.map(str::parse).transpose();
        let in_path = in_path.map_err(|_| Refusal::NoSuchPath)?;
        let body = self.read(request.into_body()).await?;
        match kind {
            Kind::Status => {
                let body = Body::read(&body).ok_or(Refusal::Unreadable)?;
                let id = whose(in_path, body.id, &grant)?;
                match body.agent {
                    Some(_) if grant.role != Role::Agent => return Err(Refusal::NoAgent),
                    Some(version) => {
                        let report = AgentReport::new(now, body.status, &version);
                        self.reports.receive(&id, report)
                    }
                    None => self.reports.receive_from_jibri(&id, body.status, now),
                }
            }
            Kind::Session => {
                let hint = Hint::read(&body).ok_or(Refusal::Unreadable)?;
                self.reports.hint(&whose(in_path, hint.id, &grant)?)
            }
        }?;
        Ok(())
    }

    async fn read<B>(&self, body: B) -> Result<Bytes, Refusal>
    where
        B: HttpBody,
        B::Error: Into<BoxError>,
    {
        // One that says that it is too long is not waited for.
        if body.size_hint().lower() > self.max_body as u64 {
            return Err(Refusal::TooLong);
        }
        match timeout(self.patience, Limited::new(body, self.max_body).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLong),
            Ok(Err(_)) => Err(Refusal::BrokenOff),
            Err(_) => Err(Refusal::TooSlow),
        }
    }
}

/// The instance that a path names, where it does, and what is posted there.
fn route<'a>(path: &'a str, base: &str) -> Option<(Option<&'a str>, Kind)> {
    let path = path.strip_prefix(base)?;
    let (before, kind) = match path.strip_suffix("/v1/status") {
        Some(before) => (before, Kind::Status),
        None => (path.strip_suffix("/v1/session/status")?, Kind::Session),
    };
    // Jibri puts its path after the base address as it is, whatever that ends with.
    let before = before.strip_suffix('/').unwrap_or(before);
    if before.is_empty() {
        return Some((None, kind));
    }
    let id = before.strip_prefix('/')?;
    (!id.is_empty() && !id.contains(['/', '%'])).then_some((Some(id), kind))
}

/// The one instance that is spoken of, where the sender may speak of it.
fn whose(
    in_path: Option<InstanceId>,
    in_body: Option<InstanceId>,
    grant: &Grant,
) -> Result<InstanceId, Refusal> {
    let id = match (in_path, in_body) {
        (Some(one), Some(other)) if one != other => return Err(Refusal::TwoIds),
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => return Err(Refusal::NoId),
    };
    if id.as_str().len() > LONGEST_ID || id.as_str().chars().any(char::is_control) {
        return Err(Refusal::NoId);
    }
    if grant.only.as_ref().is_some_and(|only| *only != id) {
        return Err(Refusal::OfAnother);
    }
    Ok(id)
}

/// Why nothing was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    BrokenOff,
    Expired,
    NoAgent,
    NoId,
    NoSuchPath,
    NotLetIn,
    NotListed,
    NotPosted,
    OfAnother,
    TooLong,
    TooSlow,
    TwoIds,
    Unreadable,
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Expired => Self::Expired,
            Rejected::Wrong => Self::NotLetIn,
        }
    }
}

impl From<NotListed> for Refusal {
    fn from(_: NotListed) -> Self {
        Self::NotListed
    }
}

impl Refusal {
    const fn says(self) -> (StatusCode, &'static str) {
        match self {
            Self::BrokenOff => (StatusCode::BAD_REQUEST, "the body broke off"),
            Self::Expired => (
                StatusCode::UNAUTHORIZED,
                "the token has expired: restart Jibri, or allow expired tokens",
            ),
            Self::NoAgent => (
                StatusCode::FORBIDDEN,
                "the token is that of a Jibri, and none of an agent",
            ),
            Self::NoId => (
                StatusCode::BAD_REQUEST,
                "whose status it is must be in `jibriId` or in the path: set `jibri.id`",
            ),
            Self::NoSuchPath => (
                StatusCode::NOT_FOUND,
                "statuses go to /v1/status and /v1/session/status",
            ),
            Self::NotLetIn => (StatusCode::UNAUTHORIZED, "a bearer token is needed"),
            Self::NotListed => (
                StatusCode::NOT_FOUND,
                "the instance is not in the group, as it was listed last",
            ),
            Self::NotPosted => (StatusCode::METHOD_NOT_ALLOWED, "statuses are posted"),
            Self::OfAnother => (
                StatusCode::FORBIDDEN,
                "the token is that of another instance",
            ),
            Self::TooLong => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "a status has a few hundred bytes",
            ),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body did not end in time"),
            Self::TwoIds => (
                StatusCode::BAD_REQUEST,
                "path and body name different instances",
            ),
            Self::Unreadable => (StatusCode::BAD_REQUEST, "the body is no status of a Jibri"),
        }
    }

    fn response(self) -> Response<Full<Bytes>> {
        let (status, text) = self.says();
        let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *answer.status_mut() = status;
        let more = match self {
            Self::NotLetIn | Self::Expired => Some((header::WWW_AUTHENTICATE, "Bearer")),
            Self::NotPosted => Some((header::ALLOW, "POST")),
            _ => None,
        };
        if let Some((name, value)) = more {
            let value = header::HeaderValue::from_static(value);
            answer.headers_mut().insert(name, value);
        }
        answer
    }
}
