//! The connections of the service: so many at most, none of which waits for long, and nobody who keeps others from being answered.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::pending,
    io, mem,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, Id, JoinSet},
    time::{Instant, sleep, timeout},
};
use tower::ServiceExt as _;

use crate::{said::say, serve::Stop};

/// So long a new connection may take to ask for something, head and all.
pub(crate) const FIRST: Duration = Duration::from_secs(10);
/// So long one may take until it asks for something more. Longer than the 90 s after which clients usually close it themselves: a request
/// fails that meets an end.
pub(crate) const SILENCE: Duration = Duration::from_secs(100);
/// So long an answer may take, with the body of what is asked. A command waits for the end of a tick.
pub(crate) const ANSWER: Duration = Duration::from_mins(1);
/// The head of a request is no longer than this, in bytes.
pub(crate) const HEAD: usize = 16 * 1024;
/// Where the process is out of file descriptors, so that it does not ask again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves an app over HTTP.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    most: usize,
}

impl Server {
    /// Listens from now on, for so many connections at once.
    pub(crate) async fn bind(address: SocketAddr, most: u32) -> Result<Self, String> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| {
            format!("could not listen at {address}: {error}: say where with --listen")
        })?;
        Ok(Self {
            listener,
            most: usize::try_from(most).unwrap_or(usize::MAX),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is told to stop, and lets what is under way then end.
    pub(crate) async fn serve(self, app: Router, stop: Stop) {
        let mut open = Open::default();
        let mut told = pin!(stop.clone().told());
        let mut was_full = false;
        loop {
            tokio::select! {
                () = &mut told => break,
                Some(ended) = open.tasks.join_next_with_id() => {
                    let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                    open.places.remove(&id);
                }
                stream = accept(&self.listener) => {
                    let is_full = open.places.len() >= self.most;
                    if is_full && !mem::replace(&mut was_full, true) {
                        say(format_args!(
                            "all {} connections are taken: from now on one more closes that on which nothing was asked for the longest; see who \
                             has them, or raise --connections and the limit of open files",
                            self.most
                        ));
                    }
                    if !is_full || open.make_room() {
                        open.admit(stream, app.clone(), stop.clone());
                    }
                }
            }
        }
        drop(self.listener);
        while open.tasks.join_next().await.is_some() {}
    }
}

/// The connections that are open.
#[derive(Debug, Default)]
struct Open {
    tasks: JoinSet<()>,
    places: BTreeMap<Id, (AbortHandle, Arc<Quiet>)>,
}

impl Open {
    fn admit(&mut self, stream: TcpStream, app: Router, stop: Stop) {
        let quiet = Arc::new(Quiet::new());
        let task = self
            .tasks
            .spawn(serve(stream, app, Arc::clone(&quiet), stop));
        self.places.insert(task.id(), (task, quiet));
    }

    /// Closes the connection that has been quiet for the longest, so that whoever asks for something takes the place of who does not. Returns
    /// whether there was one.
    fn make_room(&mut self) -> bool {
        let quiet = self.places.iter();
        let quiet = quiet.filter_map(|(id, (_, quiet))| Some((quiet.since()?, *id)));
        let closed = quiet.min().and_then(|(_, id)| self.places.remove(&id));
        closed.inspect(|(task, _)| task.abort()).is_some()
    }
}

/// Whether a connection asks for nothing at present.
#[derive(Debug)]
struct Quiet {
    since: Mutex<Option<Instant>>,
    has_asked: AtomicBool,
}

impl Quiet {
    fn new() -> Self {
        Self {
            since: Mutex::new(Some(Instant::now())),
            has_asked: AtomicBool::new(false),
        }
    }

    fn since(&self) -> Option<Instant> {
        *self.lock()
    }

    /// It asks for something, until what is returned is dropped.
    fn asks(self: &Arc<Self>) -> Asking {
        self.has_asked.store(true, Ordering::Relaxed);
        *self.lock() = None;
        Asking(Arc::clone(self))
    }

    /// Ends where it takes too long to ask for the first time.
    async fn never_asks(&self) {
        sleep(FIRST).await;
        if self.has_asked.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        // Nothing panics while it is held.
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something is asked for on a connection.
struct Asking(Arc<Quiet>);

impl Drop for Asking {
    fn drop(&mut self) {
        *self.0.lock() = Some(Instant::now());
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, app: Router, quiet: Arc<Quiet>, stop: Stop) {
    let asked = Arc::clone(&quiet);
    let service = service_fn(move |request: Request<Incoming>| {
        let asking = asked.asks();
        let answer = app.clone().oneshot(request);
        async move {
            let answer = timeout(ANSWER, answer).await;
            drop(asking);
            answer.unwrap_or_else(|_| Ok::<_, Infallible>(late()))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // A connection that breaks is the business of whoever opened it.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = quiet.never_asks() => return,
        () = stop.told() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

fn late() -> Response {
    let what = format!(
        "there was no answer within {} s; a command may be taken all the same\n",
        ANSWER.as_secs()
    );
    (StatusCode::SERVICE_UNAVAILABLE, what).into_response()
}
