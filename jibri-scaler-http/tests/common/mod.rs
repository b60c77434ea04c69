//! What the wire tests share.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{net::SocketAddr, time::Duration};

use jibri_scaler_core::{
    Timestamp,
    port::{DrainClient as _, HealthProbe as _, Presence, ProbeOutcome, Target, Told},
};
use jibri_scaler_http::{
    DrainConfig, HttpDrain, HttpProbe, ProbeConfig,
    addresses::{ApiBases, LiveAddresses},
    fake::{FakeJibri, FakeServer, Profile},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Longer than anything takes that is not meant to time out, on a slow machine too.
pub(crate) const AMPLE: Duration = Duration::from_secs(30);
/// For what is meant to time out at once.
pub(crate) const SHORT: Duration = Duration::from_millis(200);
/// For what is meant to time out after something has happened that takes next to no time.
pub(crate) const FAIR: Duration = Duration::from_secs(2);

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn fake(profile: Profile) -> FakeServer {
    FakeServer::start(FakeJibri::new(profile, at(0))).unwrap()
}

pub(crate) fn bases(health: SocketAddr, internal: SocketAddr) -> ApiBases {
    let base = |address| format!("http://{address}").parse().unwrap();
    ApiBases::new(base(health), base(internal))
}

/// Probe and drain client of one instance.
pub(crate) struct Clients {
    pub(crate) target: Target,
    pub(crate) probe: HttpProbe,
    pub(crate) drain: HttpDrain,
}

impl Clients {
    pub(crate) fn new(bases: &ApiBases) -> Self {
        Self::with_patience(bases, AMPLE, AMPLE)
    }

    pub(crate) fn with_patience(bases: &ApiBases, probe: Duration, drain: Duration) -> Self {
        let target = Target::new("i-0abc".parse().unwrap());
        let book = LiveAddresses::default();
        book.insert(target.id.clone(), bases.clone());
        let probe = ProbeConfig::default().with_timeout(probe).unwrap();
        let probe = probe.with_connect_timeout(AMPLE).unwrap();
        let drain = DrainConfig::default().with_patience(drain).unwrap();
        let drain = drain.with_connect_timeout(AMPLE).unwrap();
        Self {
            target,
            probe: HttpProbe::new(book.clone(), &probe).unwrap(),
            drain: HttpDrain::new(book, &drain).unwrap(),
        }
    }

    pub(crate) async fn probe(&self) -> ProbeOutcome {
        self.probe.probe(&self.target).await
    }

    /// The busy status in the health answer, or the name of another outcome.
    pub(crate) async fn busy(&self) -> String {
        match self.probe().await {
            ProbeOutcome::Answered(status) => status.busy.as_str().into(),
            other => format!("{other:?}"),
        }
    }

    pub(crate) async fn tell(&self) -> Told {
        self.drain.tell(&self.target).await
    }

    /// Tells a fake that does not answer yet, until it has got the request.
    pub(crate) async fn tell_unanswered(&self, fake: &FakeServer) {
        loop {
            // Nobody else drives a request on that was not sent in time.
            assert_eq!(self.tell().await, Told::Unknown);
            if fake.received("/gracefulShutdown") > 0 {
                return;
            }
        }
    }

    /// Tells until it is known what came of it, which a loaded machine may take its time to see.
    pub(crate) async fn tell_until_known(&self) -> Told {
        loop {
            match self.tell().await {
                Told::Unknown => {}
                told => return told,
            }
        }
    }

    pub(crate) async fn look(&self) -> Presence {
        self.drain.look(&self.target).await
    }

    pub(crate) async fn is_reachable(&self) -> bool {
        self.drain.is_reachable(&self.target).await
    }
}

/// Lets the other side run until the fake has got that many requests.
pub(crate) async fn until_received(fake: &FakeServer, path_end: &str, count: u64) {
    while fake.received(path_end) < count {
        tokio::task::yield_now().await;
    }
}

/// A port on which nothing listens and which nobody else gets.
pub(crate) struct DeadPort(tokio::net::TcpSocket);

impl DeadPort {
    pub(crate) fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Reads the head of a request; empty when the connection ended before.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return String::new(),
        }
    }
    String::from_utf8(head).unwrap()
}

/// One HTTP request over a connection of its own: status and body; `None` where the connection ended without an answer.
pub(crate) async fn http(method: &str, url: &str, body: &str) -> Option<(u16, String)> {
    let answer = exchange(method, url, "Content-Type: application/json", body).await?;
    Some((answer.status, answer.body))
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) body: String,
}

/// As [`http`], with a header of one's own.
pub(crate) async fn exchange(method: &str, url: &str, header: &str, body: &str) -> Option<Answer> {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let content_type = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-type")
            .then(|| value.to_owned())
    });
    Some(Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        content_type,
        body: body.into(),
    })
}
