use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::{BodyExt as _, Limited};
use hyper::{
    Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jibri_scaler_core::Timestamp;
use tokio::{
    net::TcpStream,
    runtime::Handle,
    sync::{oneshot, watch},
};

use super::{
    Answer, Api, FakeJibri, Fault, Request, StartOutcome, Ticket,
    port::Port,
    routes::{self, Body, Route},
    start_params::{self, Refusal},
};
use crate::addresses::{ApiBases, InvalidUrl};

const MAX_BODY: usize = 64 * 1024;

/// A [`FakeJibri`] on two real loopback ports.
///
/// Time is what the driver says and nothing else: the ports open, close and answer as the state machine is after the last call.
/// While its Jibri is down the ports refuse, and stay reserved, so that no other process gets their numbers. An end of the
/// process ends its connections before the call that caused it returns; requests that wait for the lock are answered when the
/// driver has advanced far enough. Dropping it frees the ports. Where [`Profile::statsd`](super::Profile::statsd) names a
/// receiver, which must be one on loopback, the counters are sent to it.
///
/// It spawns its tasks on the runtime it was started in.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, port::{DrainClient as _, Presence, Target, Told}};
/// use jibri_scaler_http::{DrainConfig, HttpDrain, addresses::LiveAddresses};
/// use jibri_scaler_http::fake::{FakeJibri, FakeServer, Profile};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let start = Timestamp::from_secs(0);
/// let fake = FakeServer::start(FakeJibri::new(Profile::booted(), start))?;
/// fake.start_session(start, "standup", Some(Duration::from_secs(600)))?;
/// fake.advance(start + Duration::from_secs(60))?;
///
/// let target = Target::new("i-0abc".parse()?);
/// let book = LiveAddresses::default();
/// book.insert(target.id.clone(), fake.bases().clone());
/// let drain = HttpDrain::new(book, &DrainConfig::default())?;
/// assert_eq!(drain.tell(&target).await, Told::Yes);
/// assert_eq!(drain.look(&target).await, Presence::Answers, "it finishes its recording first");
///
/// fake.advance(start + Duration::from_secs(3600))?;
/// assert_eq!(drain.look(&target).await, Presence::BothRefuse);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FakeServer {
    shared: Arc<Shared>,
    bases: ApiBases,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    external: Port,
    internal: Port,
    /// What sends to statsd, and whereto.
    statsd: Option<(UdpSocket, SocketAddr)>,
    runtime: Handle,
}

#[derive(Debug)]
struct State {
    jibri: FakeJibri,
    /// The process that the connections belong to.
    incarnation: u64,
    unanswered: BTreeMap<Ticket, oneshot::Sender<Answer>>,
    external_fault: Option<Fault>,
    internal_fault: Option<Fault>,
    received: BTreeMap<String, u64>,
}

impl FakeServer {
    /// Puts this Jibri on two free loopback ports. Must be called inside a tokio runtime with I/O.
    ///
    /// # Errors
    /// Where no ports can be had.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(jibri: FakeJibri) -> io::Result<Self> {
        let (external, internal) = (Port::reserve()?, Port::reserve()?);
        let base = |port: &Port| {
            let url = format!("http://{}", port.address());
            url.parse()
                .map_err(|error: InvalidUrl| io::Error::other(error))
        };
        let bases = ApiBases::new(base(&external)?, base(&internal)?);
        let statsd = match jibri.statsd_address() {
            Some(to) => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                socket.set_nonblocking(true)?;
                Some((socket, to))
            }
            None => None,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                incarnation: jibri.incarnation(),
                jibri,
                unanswered: BTreeMap::new(),
                external_fault: None,
                internal_fault: None,
                received: BTreeMap::new(),
            }),
            external,
            internal,
            statsd,
            runtime: Handle::current(),
        });
        let server = Self { shared, bases };
        server.act(|_| ())?;
        for api in [Api::External, Api::Internal] {
            tokio::spawn(listen(Arc::clone(&server.shared), api));
        }
        Ok(server)
    }

    /// Where its two APIs are; the same through all restarts.
    #[must_use]
    pub const fn bases(&self) -> &ApiBases {
        &self.bases
    }

    /// Does something with the state machine, then opens and closes the ports and answers waiting requests accordingly.
    ///
    /// # Errors
    /// Where a port that should listen cannot; it is tried again at the next call.
    pub fn act<R>(&self, act: impl FnOnce(&mut FakeJibri) -> R) -> io::Result<R> {
        let mut state = self.shared.lock();
        let result = act(&mut state.jibri);
        self.shared.bring_in_line(&mut state)?;
        Ok(result)
    }

    /// As [`FakeJibri::advance`].
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub fn advance(&self, now: Timestamp) -> io::Result<()> {
        self.act(|jibri| jibri.advance(now))
    }

    /// As [`FakeJibri::start_session`].
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub fn start_session(
        &self,
        now: Timestamp,
        session: &str,
        duration: Option<Duration>,
    ) -> io::Result<StartOutcome> {
        self.act(|jibri| jibri.start_session(now, session, duration))
    }

    /// As [`FakeJibri::kill`].
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub fn kill(&self, now: Timestamp) -> io::Result<()> {
        self.act(|jibri| jibri.kill(now))
    }

    /// As [`FakeJibri::next_event`].
    #[must_use]
    pub fn next_event(&self) -> Option<Timestamp> {
        self.shared.lock().jibri.next_event()
    }

    /// As [`FakeJibri::is_selectable`].
    #[must_use]
    pub fn is_selectable(&self) -> bool {
        self.shared.lock().jibri.is_selectable()
    }

    /// As [`FakeJibri::is_session_active`].
    #[must_use]
    pub fn is_session_active(&self) -> bool {
        self.shared.lock().jibri.is_session_active()
    }

    /// Gives one port a fault, or takes it away. Open connections of both ports end.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub fn set_fault(&self, api: Api, fault: Option<Fault>) -> io::Result<()> {
        let mut state = self.shared.lock();
        match api {
            Api::External => state.external_fault = fault,
            Api::Internal => state.internal_fault = fault,
        }
        self.shared.external.close();
        self.shared.internal.close();
        self.shared.bring_in_line(&mut state)
    }

    /// How many requests whose path ends so were received.
    #[must_use]
    pub fn received(&self, path_end: &str) -> u64 {
        let state = self.shared.lock();
        let counts = state.received.iter();
        counts
            .filter(|(path, _)| path.ends_with(path_end))
            .map(|(_, count)| count)
            .sum()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.shared.external.give_back();
        self.shared.internal.give_back();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    const fn port(&self, api: Api) -> &Port {
        match api {
            Api::External => &self.external,
            Api::Internal => &self.internal,
        }
    }

    /// Makes the sockets what the state machine says.
    fn bring_in_line(&self, state: &mut State) -> io::Result<()> {
        let restarted = state.incarnation != state.jibri.incarnation();
        state.incarnation = state.jibri.incarnation();
        for api in [Api::External, Api::Internal] {
            let port = self.port(api);
            let open = state.jibri.listens(api) && state.fault(api) != Some(Fault::Refuse);
            if !open || restarted {
                port.close();
            }
        }
        for datagram in state.jibri.take_statsd() {
            if let Some((socket, to)) = &self.statsd {
                // As with the real one, what nobody takes is lost.
                let _ = socket.send_to(datagram.as_bytes(), to);
            }
        }
        // Closed first: who sees the connection end finds the ports refusing.
        for (ticket, answer) in state.jibri.take_answers() {
            if let Some(unanswered) = state.unanswered.remove(&ticket) {
                // The client may have gone; the request has had its effect all the same.
                let _ = unanswered.send(answer);
            }
        }
        let _inside = self.runtime.enter();
        for api in [Api::External, Api::Internal] {
            if state.jibri.listens(api) && state.fault(api) != Some(Fault::Refuse) {
                self.port(api).open()?;
            }
        }
        Ok(())
    }

    fn request(&self, request: Request) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.lock();
        let now = state.jibri.now();
        let ticket = state.jibri.request(now, request);
        state.unanswered.insert(ticket, answer);
        // A port that does not open is tried again, and told, at the driver's next call.
        let _ = self.bring_in_line(&mut state);
        answered
    }
}

impl State {
    const fn fault(&self, api: Api) -> Option<Fault> {
        match api {
            Api::External => self.external_fault,
            Api::Internal => self.internal_fault,
        }
    }
}

async fn listen(shared: Arc<Shared>, api: Api) {
    while let Some((stream, hang_up)) = shared.port(api).accept().await {
        tokio::spawn(serve(Arc::clone(&shared), api, stream, hang_up));
    }
}

async fn serve(
    shared: Arc<Shared>,
    api: Api,
    stream: TcpStream,
    mut hang_up: watch::Receiver<u64>,
) {
    let resets = shared.lock().fault(api) == Some(Fault::Reset);
    if resets {
        tokio::select! {
            _ = hang_up.changed() => {}
            _ = stream.readable() => {}
        }
        // Closing a socket like this sends a reset.
        let _ = stream.set_zero_linger();
        return;
    }
    let service = service_fn(|request| answer(Arc::clone(&shared), api, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Biased: a process that has ended answers nothing more, whatever has arrived.
    tokio::select! {
        biased;
        _ = hang_up.changed() => {}
        // A connection that breaks is the client's business.
        _ = connection => {}
    }
}

/// An error ends the connection without an answer.
async fn answer(
    shared: Arc<Shared>,
    api: Api,
    request: hyper::Request<Incoming>,
) -> io::Result<Response<Body>> {
    let no_answer = || io::Error::from(io::ErrorKind::ConnectionAborted);
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let (fault, health, version) = {
        let mut state = shared.lock();
        *state.received.entry(head.uri.path().into()).or_default() += 1;
        let health = state.jibri.health().to_string();
        (state.fault(api), health, state.jibri.version())
    };
    if fault == Some(Fault::Hang) {
        std::future::pending::<()>().await;
    }
    if let Some(fault) = fault {
        let response = routes::faulty(fault, health).ok_or_else(no_answer)?;
        return response.map_err(io::Error::other);
    }
    let request = match routes::route(api, &head.method, head.uri.path()) {
        Route::Health => return routes::json(health).map_err(io::Error::other),
        Route::Metrics => {
            let state = shared.lock();
            let accept = header(ACCEPT).unwrap_or_default();
            return routes::metrics(accept, state.jibri.metrics()).map_err(io::Error::other);
        }
        Route::NotFound => return routes::empty(StatusCode::NOT_FOUND).map_err(io::Error::other),
        Route::MethodNotAllowed => {
            return routes::empty(StatusCode::METHOD_NOT_ALLOWED).map_err(io::Error::other);
        }
        Route::Plain(request) => request,
        Route::Start => {
            let body = Limited::new(body, MAX_BODY).collect().await;
            let body = body.map_err(io::Error::other)?.to_bytes();
            let content_type = header(CONTENT_TYPE).unwrap_or_default();
            match start_params::read(content_type, head.uri.query(), &body) {
                Ok(request) => request,
                Err(refusal) => {
                    let response = match refusal {
                        Refusal::Missing(what) => routes::refused(version, what),
                        Refusal::Unreadable => routes::empty(StatusCode::INTERNAL_SERVER_ERROR),
                    };
                    return response.map_err(io::Error::other);
                }
            }
        }
    };
    let answer = shared.request(request).await.map_err(|_| no_answer())?;
    let response = routes::answer(version, answer).ok_or_else(no_answer)?;
    response.map_err(io::Error::other)
}
