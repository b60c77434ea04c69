use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration, time::SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as HttpBody, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use jibri_scaler_core::{
    Timestamp,
    observe::{AgentReport, AgentReports},
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use super::{body::Body, token::Token};

const PATH: &str = "/v1/status";
const MAX_BODY: usize = 64 * 1024;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(2);
/// Agents keep their connections open between reports.
const MAX_CONNECTIONS: usize = 20_000;
/// Where the process is out of file descriptors, so that it does not ask again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Takes in the reports of agents.
///
/// It answers at once: a report is kept, nothing else is done with it. It speaks plain HTTP; put it behind something that
/// speaks TLS where the network is not trusted.
///
/// ```
/// use std::sync::Arc;
/// use jibri_scaler_core::{BusyStatus, HealthStatus, JibriStatus, observe::AgentReports};
/// use jibri_scaler_http::reports::{ReportReceiver, ReportSender, Token};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let token: Token = "0f8c1d7a5b9e4c2f".parse()?;
/// let reports = Arc::new(AgentReports::default());
/// let receiver = ReportReceiver::bind("127.0.0.1:0".parse()?, reports.clone(), token.clone()).await?;
/// let url = format!("http://{}", receiver.address()).parse()?;
/// tokio::spawn(receiver.serve());
///
/// // The controller has listed the instance; its agent reports.
/// let id = "i-0abc".parse()?;
/// reports.list([&id]);
/// let status = JibriStatus::new(BusyStatus::Idle, HealthStatus::Healthy);
/// ReportSender::new(&url, token)?.send(&id, &status, "0.1.0").await?;
/// assert_eq!(reports.newest(&id).unwrap().status, status);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ReportReceiver {
    listener: TcpListener,
    address: SocketAddr,
    inbox: Inbox,
}

#[derive(Clone, Debug)]
struct Inbox {
    reports: Arc<AgentReports>,
    token: Token,
}

impl ReportReceiver {
    /// Listens at this address from now on, for agents that have this token. Port 0 takes a free one. Must be called inside a
    /// tokio runtime with I/O.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub async fn bind(
        address: SocketAddr,
        reports: Arc<AgentReports>,
        token: Token,
    ) -> Result<Self, ReceiveError> {
        let cannot = |source| ReceiveError { address, source };
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        Ok(Self {
            listener,
            address,
            inbox: Inbox { reports, token },
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes in reports until the future is dropped, which closes its connections and the port.
    pub async fn serve(self) {
        let Self {
            listener, inbox, ..
        } = self;
        let connections = stream::unfold(listener, |listener| async move {
            Some((accept(&listener).await, listener))
        });
        connections
            .for_each_concurrent(MAX_CONNECTIONS, |stream| serve(stream, &inbox))
            .await;
    }
}

/// The address for the reports of agents could not be had.
///
/// ```
/// use jibri_scaler_http::reports::ReceiveError;
///
/// fn explain(error: &ReceiveError) -> String {
///     format!("{error}: {}", std::error::Error::source(error).unwrap())
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[error("could not listen for the reports of agents at {address}: name another address or port")]
pub struct ReceiveError {
    address: SocketAddr,
    source: io::Error,
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, inbox: &Inbox) {
    let service = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(inbox.answer(request, SystemTime::now().into()).await)
    });
    // A connection that breaks is the agent's business. Between reports it may be idle for as long as the agent likes.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Inbox {
    async fn answer<B>(&self, request: Request<B>, now: Timestamp) -> Response<Full<Bytes>>
    where
        B: HttpBody,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Who has no token learns nothing, not even which paths there are.
        let authorization = request.headers().get(header::AUTHORIZATION);
        if !authorization.is_some_and(|value| self.token.is(value.as_bytes())) {
            let mut answer = say(StatusCode::UNAUTHORIZED, "a bearer token is needed");
            let scheme = header::HeaderValue::from_static("Bearer");
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
            return answer;
        }
        if request.uri().path() != PATH {
            return say(StatusCode::NOT_FOUND, "reports go to /v1/status");
        }
        if request.method() != Method::POST {
            return say(StatusCode::METHOD_NOT_ALLOWED, "reports are posted");
        }
        let body = Limited::new(request.into_body(), MAX_BODY).collect();
        let body = match timeout(PATIENCE, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                return say(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "a report has a few hundred bytes",
                );
            }
            Ok(Err(_)) => return say(StatusCode::BAD_REQUEST, "the body broke off"),
            Err(_) => return say(StatusCode::REQUEST_TIMEOUT, "the body did not end in time"),
        };
        let Some(body) = Body::read(&body) else {
            return say(StatusCode::BAD_REQUEST, "the body is no report of an agent");
        };
        let report = AgentReport::new(now, body.status, &body.version);
        match self.reports.receive(&body.id, report) {
            Ok(()) => say(StatusCode::OK, ""),
            Err(error) => say(StatusCode::NOT_FOUND, &error.to_string()),
        }
    }
}

fn say(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *answer.status_mut() = status;
    answer
}
