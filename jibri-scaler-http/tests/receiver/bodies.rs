//! Bodies of every kind, and how long they may take.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use jibri_scaler_http::receiver::Listener;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;

/// Chunks, one in so long; then an end, or none.
struct Dribble {
    chunks: Vec<&'static [u8]>,
    every: Duration,
    ends: bool,
    wait: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Dribble {
    fn new(chunks: &[&'static [u8]], every: Duration, ends: bool) -> Self {
        Self {
            chunks: chunks.iter().rev().copied().collect(),
            every,
            ends,
            wait: None,
        }
    }
}

impl Body for Dribble {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let every = self.every;
        let wait = self
            .wait
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(every)));
        std::task::ready!(wait.as_mut().poll(cx));
        self.wait = None;
        match self.chunks.pop() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(chunk))))),
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

async fn post(world: &World, body: Dribble) -> (u16, Duration) {
    let started = tokio::time::Instant::now();
    let request = Request::post(STATUS).header("Authorization", format!("Bearer {SHARED}"));
    let answer = world.call(request.body(body).unwrap()).await;
    (answer.status().as_u16(), started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_body_has_so_much_time_and_no_more() {
    const BUSY: &[&[u8]] = &[br#"{"jibriId":"i-1","#, br#""busy":true}"#];
    let world = World::new();
    let (status, took) = post(&world, Dribble::new(BUSY, Duration::from_millis(300), true)).await;
    assert_eq!((status, took), (200, Duration::from_millis(900)));
    for (every, ends) in [(400, true), (1, false)] {
        let body = Dribble::new(BUSY, Duration::from_millis(every), ends);
        let (status, took) = post(&world, body).await;
        assert_eq!(status, 408);
        assert!(
            took <= Receiver::PATIENCE + Duration::from_millis(1),
            "{took:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_began_earlier_and_ends_later_replaces_nothing() {
    const IDLE: &[&[u8]] = &[br#"{"jibriId":"i-1","agent":{},"#, br#""busy":false}"#];
    let world = World::new();
    world.at(10);
    let slow = post(&world, Dribble::new(IDLE, Duration::from_millis(300), true));
    let quick = async {
        tokio::time::sleep(Duration::from_millis(450)).await;
        world.at(11);
        world
            .post(SHARED, STATUS, &status("i-1", "BUSY", Some("1")))
            .await
    };
    let ((slow, _), quick) = tokio::join!(slow, quick);
    assert_eq!((slow, quick.as_u16()), (200, 200));
    assert_eq!(world.agent("i-1").as_deref(), Some("BUSY"));
    assert_eq!(
        world.reports.newest(&id("i-1")).unwrap().received_at,
        Timestamp::from_secs(11)
    );
}

static CHUNK: [u8; 1024] = [b' '; 1024];

#[tokio::test]
async fn a_body_has_so_many_bytes_and_no_more() {
    let mut world = World::new();
    let padded = |length: usize| {
        let body = status("i-1", "BUSY", Some("1"));
        let blanks = " ".repeat(length - body.len());
        body + &blanks
    };
    let max = Receiver::MAX_BODY;
    assert_eq!(world.post(SHARED, STATUS, &padded(max)).await, 200);
    assert_eq!(world.post(SHARED, STATUS, &padded(max + 1)).await, 413);
    // One that does not say its length.
    let chunks = vec![&CHUNK[..]; max / 1024 + 1];
    let (status, _) = post(&world, Dribble::new(&chunks, Duration::ZERO, false)).await;
    assert_eq!(status, 413, "it is not waited for its end");
    world.receiver = world.receiver.with_max_body(10);
    assert_eq!(world.post(SHARED, STATUS, r#"{"busy":1}"#).await, 400);
    assert_eq!(world.post(SHARED, STATUS, r#"{"busy":10}"#).await, 413);
}

async fn listening(world: &World) -> SocketAddr {
    let any = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(any, world.receiver.clone()).await.unwrap();
    let address = listener.address();
    tokio::spawn(listener.serve());
    address
}

/// The status of the answer to these bytes.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn chunks_and_what_is_no_http_are_answered_on_the_wire() {
    let world = World::new();
    let address = listening(&world).await;
    let head = format!(
        "POST /v1/status HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {SHARED}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let body = status("i-1", "BUSY", Some("1"));
    let (first, second) = body.split_at(20);
    let chunked = format!(
        "{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let huge = format!("{:x}\r\n{}\r\n", 20_000, "x".repeat(20_000));
    for (body, expected) in [
        (chunked.as_str(), "HTTP/1.1 200"),
        ("zz\r\n", "HTTP/1.1 400"),
        (&huge, "HTTP/1.1 413"),
    ] {
        let answer = raw(address, format!("{head}{body}").as_bytes()).await;
        assert_eq!(answer, expected);
    }
    assert_eq!(raw(address, b"\x16\x03\x01\r\n\r\n").await, "HTTP/1.1 400");
    // A hundred that never end their heads hold nobody up.
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST /v1/sta").await.unwrap();
        silent.push(stream);
    }
    let answer = raw(address, format!("{head}{chunked}").as_bytes()).await;
    assert_eq!(answer, "HTTP/1.1 200");
}

#[tokio::test]
async fn axum_mounts_it_nested_and_as_a_route() {
    let world = World::new();
    let app = axum::Router::new()
        .nest_service("/nested", world.receiver.clone())
        .route_service(
            "/routed/v1/status",
            world.receiver.clone().with_base("/routed"),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let body = status("i-1", "BUSY", Some("1"));
    for (path, expected) in [
        ("/nested/v1/status", "HTTP/1.1 200"),
        ("/nested/i-1/v1/status", "HTTP/1.1 200"),
        ("/routed/v1/status", "HTTP/1.1 200"),
        ("/nested/elsewhere", "HTTP/1.1 404"),
    ] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {SHARED}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(raw(address, request.as_bytes()).await, expected, "{path}");
    }
}

/// JSON that is nearly a status, and what is no JSON.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("\"i-1\"".to_owned()),
        Just("\"i-2\"".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"IDLE\"".to_owned()),
        Just("\"HEALTHY\"".to_owned()),
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("{\"version\":\"1\"}".to_owned()),
        Just("{\"status\":\"ON\"}".to_owned()),
        Just("{\"busyStatus\":\"BUSY\",\"health\":{\"healthStatus\":\"HEALTHY\"}}".to_owned()),
        any::<f64>().prop_map(|number| number.to_string()),
    ];
    let name = prop_oneof![
        Just("jibriId"),
        Just("status"),
        Just("session"),
        Just("busy"),
        Just("agent"),
        Just("x")
    ];
    let members = prop::collection::vec((name, word), 0..6).prop_map(|members| {
        let members: Vec<_> = members
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    });
    let cut = (members.clone(), any::<prop::sample::Index>()).prop_map(|(mut body, at)| {
        body.truncate(at.index(body.len()));
        body
    });
    prop_oneof![4 => members, 1 => cut, 1 => prop::collection::vec(any::<u8>(), 0..300)]
}

proptest! {
    #[test]
    fn any_body_at_any_path_has_an_answer_of_the_table_and_speaks_of_its_owner_alone(
        body in any_body(),
        path in "(/hook|/i-1|/i-2|/|)/v1/(session/)?status",
        role in 0..2_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let token = if role == 0 { identity::derived("i-1") } else { token_of("of i-1", 0) };
            let request = Request::post(&path).header("Authorization", format!("Bearer {token}"));
            let request = request.body(Full::new(Bytes::from(body))).unwrap();
            let answer = world.call(request).await.status().as_u16();
            prop_assert!([200, 400, 403, 404].contains(&answer), "{answer}");
            prop_assert_eq!(world.agent("i-2"), None);
            prop_assert!(role == 0 || world.agent("i-1").is_none());
            Ok(())
        })?;
    }
}
