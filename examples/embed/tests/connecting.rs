//! Many who connect, and some who never come to the point.

use std::{io, net::SocketAddr};

use axum::routing::{get, post};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use super::{
    service::{Service, server},
    *,
};
use crate::{
    api::PATIENCE,
    connections::{ANSWER, FIRST, HEAD, SILENCE},
};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: embed\r\n\r\n";
/// It could go on.
const UNFINISHED: &str = "GET /healthz HTTP/1.1\r\nHost: embed\r\nX-More: ";

/// A service for so many connections.
struct Served {
    address: SocketAddr,
    /// Told when something is asked for that is never answered.
    asked: Arc<Notify>,
}

impl Served {
    async fn new(connections: u32) -> Self {
        let asked = Arc::new(Notify::new());
        let asks = Arc::clone(&asked);
        let never = async move || {
            asks.notify_one();
            pending::<()>().await;
        };
        let app = Router::new()
            .route("/healthz", get(async || "well"))
            .route("/never", get(never))
            .route("/body", post(async |body: String| body));
        let address = serve(connections, app).await;
        Self { address, asked }
    }

    /// The service itself.
    async fn app(connections: u32, app: Router) -> Self {
        let address = serve(connections, app).await;
        Self {
            address,
            asked: Arc::default(),
        }
    }

    /// A connection on which this was said.
    async fn say(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }
}

/// Serves this app to so many connections; returns where.
async fn serve(connections: u32, app: Router) -> SocketAddr {
    let server = server(connections).await;
    let address = server.address().unwrap();
    tokio::spawn(server.serve(app, Service::new().stop));
    address
}

/// What is answered next: nothing where it is closed.
async fn hear(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.unwrap_or_default();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// Waits until the other side has closed it.
async fn is_cut(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let end = timeout(2 * SILENCE, stream.read_to_end(&mut rest)).await;
    match end.expect("it is cut") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}"),
    }
}

#[tokio::test]
async fn heads_that_never_end_keep_nobody_from_an_answer() {
    let served = Served::new(3).await;
    let mut slow = Vec::new();
    for number in 0..10 {
        slow.push(served.say(UNFINISHED).await);
        let mut asks = served.say(HEALTH).await;
        assert!(hear(&mut asks).await.ends_with("well"), "{number}");
    }
    // Of twenty only the last three are left.
    for stream in &mut slow[..8] {
        is_cut(stream).await;
    }
    let mut last = slow.pop().unwrap();
    last.write_all(b"x\r\n\r\n").await.unwrap();
    assert!(hear(&mut last).await.ends_with("well"));
}

#[tokio::test]
async fn what_is_being_answered_is_not_cut_for_one_more() {
    let served = Served::new(2).await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let request = HEALTH.replace("healthz", "never");
        busy.push(served.say(&request).await);
        served.asked.notified().await;
    }
    is_cut(&mut served.say(HEALTH).await).await;
    // It goes away, and there is room.
    drop(busy.pop());
    while !hear(&mut served.say(HEALTH).await).await.ends_with("well") {}
    let mut nothing = [0];
    let still = busy[0].try_read(&mut nothing).unwrap_err();
    assert_eq!(still.kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_or_too_little_is_cut_in_time() {
    let served = Served::new(10).await;
    for text in ["", UNFINISHED] {
        let mut stream = served.say(text).await;
        let began = Instant::now();
        is_cut(&mut stream).await;
        assert_eq!(began.elapsed().as_secs(), FIRST.as_secs(), "{text}");
    }
    // One that is known has more time, and no more than that, however it drips.
    for rest in ["", UNFINISHED] {
        let mut stream = served.say(HEALTH).await;
        assert!(hear(&mut stream).await.ends_with("well"));
        let began = Instant::now();
        sleep(SILENCE / 2).await;
        stream.write_all(rest.as_bytes()).await.unwrap();
        is_cut(&mut stream).await;
        assert_eq!(began.elapsed().as_secs(), SILENCE.as_secs(), "{rest}");
    }
    // Who asks now and then stays.
    let mut stream = served.say(HEALTH).await;
    for _ in 0..5 {
        assert!(hear(&mut stream).await.ends_with("well"));
        sleep(SILENCE.mul_f64(0.99)).await;
        stream.write_all(HEALTH.as_bytes()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_and_an_answer_that_never_comes_have_an_end() {
    let served = Served::new(10).await;
    let body = "POST /body HTTP/1.1\r\nHost: embed\r\nContent-Length: 9\r\n\r\nx";
    for text in [body, &HEALTH.replace("healthz", "never")] {
        let mut stream = served.say(text).await;
        let began = Instant::now();
        let answer = hear(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert_eq!(began.elapsed().as_secs(), ANSWER.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn commands_that_never_end_keep_nobody_from_an_answer() {
    let (one, _worker, _file) = group("one", observer().1).await;
    let served = Served::app(3, app(vec![one], Some(TOKEN))).await;
    let unfinished = |token: &str| {
        format!(
            "POST /groups/one/commands HTTP/1.1\r\nHost: embed\r\nAuthorization: Bearer {token}\r\nContent-Length: 9\r\n\r\n{{"
        )
    };
    let began = Instant::now();
    let mut open = Vec::new();
    for number in 0..10 {
        for _ in 0..3 {
            let mut stream = served.say(&unfinished("another")).await;
            let answer = hear(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
            open.push(stream);
        }
        let mut asks = served.say(HEALTH).await;
        let answer = hear(&mut asks).await;
        assert!(answer.contains(r#""groups":"#), "{number}: {answer}");
    }
    assert!(began.elapsed() < PATIENCE, "nobody has waited");

    // An operator has some time for it, and no more.
    let mut stream = served.say(&unfinished(TOKEN)).await;
    let began = Instant::now();
    let answer = hear(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
}

#[tokio::test]
async fn a_head_has_a_size() {
    let served = Served::new(10).await;
    for (size, status) in [(HEAD / 2, "200"), (2 * HEAD, "431")] {
        let more = "x".repeat(size);
        let mut stream = served.say(&format!("{UNFINISHED}{more}\r\n\r\n")).await;
        let answer = hear(&mut stream).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{size}: {answer}"
        );
    }
}
