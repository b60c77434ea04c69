//! Agents report to a controller on real sockets.

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use jibri_scaler_core::{
    BusyStatus, HealthStatus, InstanceId, JibriStatus, Timestamp, observe::AgentReports,
};
use jibri_scaler_http::{
    receiver::{Access, Listener, Receiver, TokenSecret},
    reports::{ReportSender, SendError, Token},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const TOKEN: &str = "0123456789abcdef";

fn id() -> InstanceId {
    "i-0abc".parse().unwrap()
}

fn token() -> Token {
    TOKEN.parse().unwrap()
}

fn secret() -> TokenSecret {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

fn busy() -> JibriStatus {
    JibriStatus::new(BusyStatus::Busy, HealthStatus::Healthy)
}

async fn receiver() -> (SocketAddr, Arc<AgentReports>) {
    let reports = Arc::new(AgentReports::default());
    reports.list([&id()]);
    let any = "127.0.0.1:0".parse().unwrap();
    let access = Access::default().with_token(token());
    let receiver = Receiver::new(Arc::clone(&reports), access.with_token_secret(secret()));
    let listener = Listener::bind(any, receiver).await.unwrap();
    let address = listener.address();
    tokio::spawn(listener.serve());
    (address, reports)
}

fn sender(address: SocketAddr, token: Token) -> ReportSender {
    let url = format!("http://{address}").parse().unwrap();
    ReportSender::new(&url, token).unwrap()
}

/// The status of the answer to these bytes.
async fn status(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let mut chunk = [0; 512];
    while !answer.contains(&b'\n') {
        let read = stream.read(&mut chunk).await.unwrap();
        assert_ne!(read, 0, "the connection was closed without an answer");
        answer.extend_from_slice(&chunk[..read]);
    }
    let line = String::from_utf8_lossy(&answer).into_owned();
    line.split(' ').nth(1).unwrap().to_owned()
}

fn post(authorization: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: c\r\n{authorization}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn authorized() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

#[tokio::test]
async fn a_report_is_taken_in_with_the_time_of_the_receiver() {
    let (address, reports) = receiver().await;
    let before = Timestamp::from(SystemTime::now());
    let sender = sender(address, token());
    sender.send(&id(), &busy(), "0.1.0").await.unwrap();
    let newest = reports.newest(&id()).unwrap();
    assert_eq!((newest.status, &*newest.version), (busy(), "0.1.0"));
    assert!((before..=SystemTime::now().into()).contains(&newest.received_at));
}

#[tokio::test]
async fn without_the_token_nothing_is_taken_in() {
    let (address, reports) = receiver().await;
    let other = "another-token-of-16".parse().unwrap();
    let refused = sender(address, other).send(&id(), &busy(), "0.1.0").await;
    assert!(matches!(refused, Err(SendError::WrongToken)), "{refused:?}");
    let body = r#"{"jibriId":"i-0abc","status":{"busyStatus":"IDLE","health":{"healthStatus":"HEALTHY","details":{}}}}"#;
    for authorization in [
        "",
        "Authorization: Bearer\r\n",
        "Authorization: Basic eDp5\r\n",
    ] {
        assert_eq!(
            status(address, &post(authorization, "/v1/status", body)).await,
            "401"
        );
        assert_eq!(
            status(address, &post(authorization, "/elsewhere", body)).await,
            "401"
        );
    }
    assert_eq!(reports.newest(&id()), None);
    assert_eq!(
        status(address, &post(&authorized(), "/v1/status", body)).await,
        "200"
    );
    assert_eq!(
        reports.newest(&id()),
        None,
        "it is Jibri that speaks, and no agent"
    );
}

#[tokio::test]
async fn an_instance_that_is_not_listed_is_refused() {
    let (address, reports) = receiver().await;
    let stranger: InstanceId = "i-stranger".parse().unwrap();
    let refused = sender(address, token())
        .send(&stranger, &busy(), "0.1.0")
        .await;
    assert!(matches!(refused, Err(SendError::NotListed)), "{refused:?}");
    assert_eq!(reports.newest(&stranger), None);
}

#[tokio::test]
async fn an_agent_with_the_token_of_its_instance_reports_for_that_one_alone() {
    let (address, reports) = receiver().await;
    let other: InstanceId = "i-other".parse().unwrap();
    reports.list([&id(), &other]);
    let sender = sender(address, secret().token_of(&id()).unwrap());
    sender.send(&id(), &busy(), "0.1.0").await.unwrap();
    let refused = sender.send(&other, &busy(), "0.1.0").await;
    assert!(matches!(refused, Err(SendError::NotAllowed)), "{refused:?}");
    assert!(reports.newest(&id()).is_some());
    assert_eq!(reports.newest(&other), None);
}

#[tokio::test]
async fn bad_requests_of_every_kind_get_their_answer() {
    let (address, reports) = receiver().await;
    let auth = authorized();
    for (expected, request) in [
        ("400", post(&auth, "/v1/status", "")),
        ("400", post(&auth, "/v1/status", "{\"jibriId\":")),
        (
            "400",
            post(&auth, "/v1/status", r#"{"jibriId":"i-0abc","status":[]}"#),
        ),
        ("400", post(&auth, "/v1/session/status", "{}")),
        ("404", post(&auth, "/v1/statuses", "{}")),
        ("404", post(&auth, "/", "{}")),
        (
            "405",
            format!("GET /v1/status HTTP/1.1\r\nHost: c\r\n{auth}\r\n").into_bytes(),
        ),
        ("413", post(&auth, "/v1/status", &"x".repeat(64 * 1024 + 1))),
        ("400", b"\x00\xff garbage\r\n\r\n".to_vec()),
    ] {
        let shown = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        assert_eq!(status(address, &request).await, expected, "{shown}");
    }
    assert_eq!(reports.newest(&id()), None);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_given_up_and_holds_up_nobody() {
    let (address, reports) = receiver().await;
    let unfinished = format!(
        "POST /v1/status HTTP/1.1\r\nHost: c\r\n{}Content-Length: 10\r\n\r\nx",
        authorized()
    );
    let slow = tokio::spawn(async move { status(address, unfinished.as_bytes()).await });
    assert_eq!(slow.await.unwrap(), "408");
    sender(address, token())
        .send(&id(), &busy(), "0.1.0")
        .await
        .unwrap();
    assert!(reports.newest(&id()).is_some());
}

#[tokio::test]
async fn nobody_there_is_an_error_and_no_token_is_in_it() {
    let (address, _) = receiver().await;
    let gone = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    assert_ne!(address, gone);
    let error = sender(gone, token())
        .send(&id(), &busy(), "0.1.0")
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::Unreachable(_)));
    assert!(!format!("{error:?}").contains(TOKEN));
}
