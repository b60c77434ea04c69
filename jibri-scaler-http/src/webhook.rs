//! A listener for Jibri's status webhooks, which are taken as hints that its health should be read now.
//!
//! Jibri sends `POST {subscriber}/v1/status` when its status changes and once a minute, if
//! `jibri.webhook.subscribers = ["http://127.0.0.1:6000"]` says so. An agent that reads health every second does not need it.
//!
//! **Leave it off unless that second matters.** Jibri sends its webhooks inside the lock under which it starts and stops
//! recordings, and catches nothing but a timeout. While nobody listens at the subscriber's address, the next recording fails to
//! start and its Jibri reads BUSY with nothing running, and the webhooks of every minute end until Jibri is restarted. So with a
//! subscriber configured, the listener must be up before Jibri starts, and for as long as it runs.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{sleep, timeout},
};

/// The ends of the paths that Jibri posts to. What comes before them is the subscriber's base address.
const PATHS: [&str; 2] = ["/v1/status", "/v1/session/status"];
/// How long the answer waits for the end of the body. Jibri itself gives up after 2 s.
const BODY_PATIENCE: Duration = Duration::from_millis(500);
/// How long a connection may last, whatever is sent on it.
const CONNECTION_LIMIT: Duration = Duration::from_secs(10);
const MAX_CONNECTIONS: usize = 16;
/// Where the process is out of file descriptors, so that it does not ask again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens for Jibri's webhooks on a loopback address.
///
/// It answers every request with 200 as soon as its body has ended, at the latest half a second after its head, whatever it
/// holds, and closes the connection, so that Jibri never sends on one that an ended listener has closed. Nothing of a body is
/// kept or believed: health is what the health endpoint says.
///
/// ```
/// use futures_util::StreamExt as _;
/// use jibri_scaler_http::webhook::WebhookListener;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = WebhookListener::bind("127.0.0.1:0".parse()?).await?;
/// let subscriber = format!("http://{}", listener.address());
/// let mut hints = Box::pin(listener.hints());
/// tokio::spawn(listener.serve());
///
/// // What Jibri does.
/// let answer = reqwest::Client::new().post(subscriber + "/v1/status").send().await?;
/// assert_eq!(answer.status(), 200);
/// assert!(hints.next().await.is_some(), "read its health now");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WebhookListener {
    listener: TcpListener,
    address: SocketAddr,
    hint: Arc<Notify>,
}

impl WebhookListener {
    /// Listens at this address from now on. Port 0 takes a free one. Must be called inside a tokio runtime with I/O.
    /// Cancel-safe: where the future is dropped, nobody listens.
    ///
    /// # Errors
    /// Where the address is not one of the loopback, or cannot be had.
    pub async fn bind(address: SocketAddr) -> Result<Self, WebhookError> {
        if !address.ip().is_loopback() {
            return Err(WebhookError::NotLoopback(address));
        }
        let cannot = |source| WebhookError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        Ok(Self {
            listener,
            address,
            hint: Arc::default(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The hints: one for any number of webhooks since the last. It never ends, and waits for ever once the listener is dropped.
    pub fn hints(&self) -> impl Stream<Item = ()> + Send + use<> {
        stream::unfold(Arc::clone(&self.hint), |hint| async move {
            hint.notified().await;
            Some(((), hint))
        })
    }

    /// Answers until the future is dropped, which closes its connections and the port.
    pub async fn serve(self) {
        let Self { listener, hint, .. } = self;
        let connections = stream::unfold(listener, |listener| async move {
            Some((accept(&listener).await, listener))
        });
        connections
            .for_each_concurrent(MAX_CONNECTIONS, |stream| serve(stream, &hint))
            .await;
    }
}

/// Why webhooks cannot be listened for.
///
/// ```
/// use jibri_scaler_http::webhook::WebhookListener;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let error = WebhookListener::bind("0.0.0.0:6000".parse()?).await.unwrap_err();
/// assert!(error.to_string().starts_with("webhooks are not listened for at 0.0.0.0:6000"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// Others than this machine could reach it.
    #[error(
        "webhooks are not listened for at {0}, where other machines could send them: name a loopback address such as \
         127.0.0.1:6000"
    )]
    NotLoopback(SocketAddr),
    /// The operating system refused.
    #[error(
        "could not listen for webhooks at {address}: name another port, in `jibri.webhook.subscribers` too"
    )]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, hint: &Notify) {
    let service = service_fn(|request| answer(request, hint));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks is the sender's business.
    let _ = timeout(CONNECTION_LIMIT, connection).await;
}

async fn answer(
    request: Request<Incoming>,
    hint: &Notify,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let path = request.uri().path();
    if request.method() == Method::POST && PATHS.iter().any(|end| path.ends_with(end)) {
        // Keeps one that nobody waits for yet, and never more than one.
        hint.notify_one();
    }
    // Closing a connection on which something is left to read resets it, and the answer may be lost.
    let mut body = request.into_body();
    let to_its_end = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = timeout(BODY_PATIENCE, to_its_end).await;
    Ok(Response::new(Empty::new()))
}
