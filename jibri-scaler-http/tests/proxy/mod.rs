//! A proxy for HTTP that does what networks do: it delays, resets, cuts, answers in the place of the server, and loses answers.
//! The tests against moto in jibri-scaler-aws use it too.
#![allow(dead_code, reason = "each test binary uses its own part")]

mod message;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use message::{Answer, Request};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

/// What happens to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Passed on after so long.
    Delay(Duration),
    /// Reset, and not passed on.
    ResetBefore,
    /// Passed on; the connection is reset after the head of the answer.
    ResetAfterHead,
    /// Passed on; the connection is reset in the middle of the body.
    ResetInBody,
    /// Passed on; the connection is closed in the middle of the body.
    Cut,
    /// Passed on; the connection is reset in the place of the answer, which is lost.
    AnswerLost,
    /// Passed on; no answer comes for as long as the client waits.
    Hang,
    /// Passed on; no body comes for as long as the client waits.
    HangAfterHead,
    /// Not passed on: an answer of something between, with that status, content type (and what headers follow it) and body.
    Instead(u16, &'static str, &'static [u8]),
    /// Not passed on: what comes back is no HTTP.
    NoHttp,
}

/// The page of a load balancer that reaches no server.
pub(crate) const BAD_GATEWAY: Fault = Fault::Instead(
    502,
    "text/html",
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>",
);

impl Fault {
    /// Whether the server gets the request, and acts on it.
    pub(crate) const fn passes_on(&self) -> bool {
        !matches!(self, Self::ResetBefore | Self::Instead(..) | Self::NoHttp)
    }
}

/// A request that came, and what was done with it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    pub(crate) fault: Option<Fault>,
}

type Faults = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

/// The proxy. It listens until it is dropped or told to close.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// Keeps the number of the port while nobody listens there.
    _reserved: TcpSocket,
    listening: Mutex<Option<Listening>>,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    faults: Mutex<Faults>,
    exchanges: Mutex<Vec<Exchange>>,
}

struct Listening {
    accepting: JoinHandle<()>,
    /// Dropped, it ends the connections.
    _open: watch::Sender<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// A proxy before this server, without faults.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let reserved = socket();
        reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let proxy = Self {
            address: reserved.local_addr().unwrap(),
            _reserved: reserved,
            listening: Mutex::default(),
            shared: Arc::new(Shared {
                server,
                faults: Mutex::new(Box::new(|_| None)),
                exchanges: Mutex::default(),
            }),
        };
        proxy.open();
        proxy
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happens to each request from now on.
    pub(crate) fn set(&self, faults: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        *lock(&self.shared.faults) = Box::new(faults);
    }

    /// This happens to each request from now on.
    pub(crate) fn always(&self, fault: &Fault) {
        let fault = fault.clone();
        self.set(move |_| Some(fault.clone()));
    }

    /// What has come since the last call.
    pub(crate) fn take_exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut lock(&self.shared.exchanges))
    }

    /// Passes on what was held back, as a slow network does. Returns the first line of the answer.
    pub(crate) async fn arrives(&self, request: &Request) -> String {
        let answer = Answer::to(request, self.shared.server).await.unwrap();
        let head = String::from_utf8(answer.head).unwrap();
        head.lines().next().unwrap().to_owned()
    }

    /// Refuses where the server does, and listens where it does.
    pub(crate) async fn follow(&self) {
        if TcpStream::connect(self.shared.server).await.is_ok() {
            self.open();
        } else {
            *lock(&self.listening) = None;
            // The task that accepts gives its listener up when it is next run.
            while TcpStream::connect(self.address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
    }

    fn open(&self) {
        let mut listening = lock(&self.listening);
        if listening.is_some() {
            return;
        }
        let socket = socket();
        socket.bind(self.address).unwrap();
        let listener = socket.listen(64).unwrap();
        let (open, closed) = watch::channel(());
        let accepting = tokio::spawn(accept(listener, closed, Arc::clone(&self.shared)));
        *listening = Some(Listening {
            accepting,
            _open: open,
        });
    }
}

fn socket() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, closed: watch::Receiver<()>, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (mut closed, shared) = (closed.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            tokio::select! {
                () = shared.serve(stream) => {}
                _ = closed.changed() => {}
            }
        });
    }
}

impl Shared {
    async fn serve(&self, stream: TcpStream) {
        let mut client = BufReader::new(stream);
        // Whatever is not finished properly is reset.
        let _ = client.get_ref().set_zero_linger();
        while let Some(request) = Request::read(&mut client).await {
            let fault = lock(&self.faults)(&request);
            lock(&self.exchanges).push(Exchange {
                request: request.clone(),
                fault: fault.clone(),
            });
            if !self.exchange(&mut client, &request, fault).await {
                return;
            }
        }
    }

    /// Answers one request. Returns whether the connection stays.
    async fn exchange(
        &self,
        client: &mut BufReader<TcpStream>,
        request: &Request,
        fault: Option<Fault>,
    ) -> bool {
        match &fault {
            Some(Fault::Delay(span)) => sleep(*span).await,
            Some(Fault::ResetBefore) => return false,
            Some(Fault::NoHttp) => {
                close(client, b"220 smtp.example ready\r\n\r\n").await;
                return false;
            }
            Some(Fault::Instead(status, content_type, body)) => {
                let head = format!(
                    "HTTP/1.1 {status} Instead\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                let answer = [head.as_bytes(), body].concat();
                return client.write_all(&answer).await.is_ok();
            }
            _ => {}
        }
        let answer = tokio::select! {
            answer = Answer::to(request, self.server) => answer,
            // The client has gone, and so does the connection to the server.
            _ = client.fill_buf() => return false,
        };
        let Some(answer) = answer else { return false };
        let half = answer.body.len() / 2;
        match fault {
            Some(Fault::AnswerLost) => false,
            Some(Fault::Hang) => {
                let _ = client.fill_buf().await;
                false
            }
            Some(fault @ (Fault::ResetAfterHead | Fault::HangAfterHead)) => {
                let _ = client.write_all(&answer.head).await;
                if fault == Fault::HangAfterHead {
                    let _ = client.fill_buf().await;
                } else {
                    settle(client).await;
                }
                false
            }
            Some(Fault::ResetInBody) => {
                let _ = client
                    .write_all(&[&answer.head, &answer.body[..half]].concat())
                    .await;
                settle(client).await;
                false
            }
            Some(Fault::Cut) => {
                close(client, &[&answer.head, &answer.body[..half]].concat()).await;
                false
            }
            _ => client
                .write_all(&[answer.head, answer.body].concat())
                .await
                .is_ok(),
        }
    }
}

/// Lets the client read what was sent, which a reset may overtake.
async fn settle(client: &mut BufReader<TcpStream>) {
    let _ = client.flush().await;
    sleep(Duration::from_millis(5)).await;
}

/// Sends that and closes in order, so that all of it arrives.
async fn close(client: &mut BufReader<TcpStream>, last: &[u8]) {
    let _ = client.write_all(last).await;
    let _ = client.shutdown().await;
    let _ = client.fill_buf().await;
}

/// Draws that are the same for the same seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of `0..below`.
    pub(crate) const fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}
