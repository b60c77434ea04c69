use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use futures_util::{StreamExt as _, stream};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use super::Receiver;

/// Agents keep their connections open between reports.
const MAX_CONNECTIONS: usize = 20_000;
/// How long a connection may be silent. Longer than anybody keeps one open who reports now and then: one that is closed just when it is
/// used again fails a request.
const SILENCE: Duration = Duration::from_secs(300);
/// Where the process is out of file descriptors, so that it does not ask again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server for a [`Receiver`], over plain HTTP, for whoever has none.
///
/// ```
/// use std::sync::Arc;
/// use jibri_scaler_core::{BusyStatus, HealthStatus, JibriStatus, observe::AgentReports};
/// use jibri_scaler_http::receiver::{Access, Listener, Receiver};
/// use jibri_scaler_http::reports::{ReportSender, Token};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let token: Token = "0f8c1d7a5b9e4c2f".parse()?;
/// let reports = Arc::new(AgentReports::default());
/// let receiver = Receiver::new(reports.clone(), Access::default().with_token(token.clone()));
/// let listener = Listener::bind("127.0.0.1:0".parse()?, receiver).await?;
/// let url = format!("http://{}", listener.address()).parse()?;
/// tokio::spawn(listener.serve());
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
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    receiver: Receiver,
}

impl Listener {
    /// Listens at this address from now on. Port 0 takes a free one. Must be called inside a tokio runtime with I/O and time.
    /// Cancel-safe: where the future is dropped, nobody listens.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub async fn bind(address: SocketAddr, receiver: Receiver) -> Result<Self, ListenError> {
        let cannot = |source| ListenError { address, source };
        let socket = TcpListener::bind(address).await.map_err(cannot)?;
        let address = socket.local_addr().map_err(cannot)?;
        Ok(Self {
            socket,
            address,
            receiver,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the future is dropped, which closes its connections and the port.
    pub async fn serve(self) {
        let Self {
            socket, receiver, ..
        } = self;
        let connections = stream::unfold(socket, |socket| async move {
            Some((accept(&socket).await, socket))
        });
        connections
            .for_each_concurrent(MAX_CONNECTIONS, |stream| serve(stream, &receiver))
            .await;
    }
}

/// The address for what is pushed could not be had.
///
/// ```
/// use jibri_scaler_http::receiver::ListenError;
///
/// fn explain(error: &ListenError) -> String {
///     format!("{error}: {}", std::error::Error::source(error).unwrap())
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[error("could not listen for reports and webhooks at {address}: name another address or port")]
pub struct ListenError {
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

async fn serve(stream: TcpStream, receiver: &Receiver) {
    let service = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(receiver.receive(request).await)
    });
    // A connection that breaks is the business of whoever opened it.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
