//! The webhook listener over real sockets.

mod common;

use std::net::SocketAddr;

use common::{at, http, listener, secs};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use jibri_scaler_http::{
    fake::{FakeJibri, Profile, Request, Sink, WebhookReceiver},
    webhook::{WebhookError, WebhookListener},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A listener that serves, where it is, and its hints.
async fn serving() -> (SocketAddr, impl Stream<Item = ()> + Unpin) {
    let listener = WebhookListener::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let (address, hints) = (listener.address(), Box::pin(listener.hints()));
    tokio::spawn(listener.serve());
    (address, hints)
}

/// Sends these bytes and reads to the end of the connection.
async fn send(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn every_webhook_of_a_jibri_is_answered_and_is_a_hint() {
    let (address, mut hints) = serving().await;
    let profile = Profile::booted().with_webhooks(WebhookReceiver::Answers);
    let mut jibri = FakeJibri::new(profile, at(0));
    let start = Request::Start {
        session: "a".into(),
        duration: Some(secs(10)),
        sink: Sink::File,
        sip_address: None,
    };
    jibri.request(at(10), start);
    jibri.advance(at(125));
    let webhooks = jibri.take_webhooks();
    assert!(
        webhooks
            .iter()
            .any(|sent| sent.path == "/v1/session/status")
    );
    for base in ["", "/hook"] {
        for webhook in &webhooks {
            let url = format!("http://{address}{base}{}", webhook.path);
            let (status, body) = http("POST", &url, &webhook.body.to_string()).await.unwrap();
            assert_eq!((status, body.as_str()), (200, ""));
            hints.next().await.unwrap();
        }
    }
}

#[tokio::test]
async fn many_webhooks_are_one_hint_and_anything_else_is_none() {
    let (address, mut hints) = serving().await;
    for _ in 0..5 {
        let url = format!("http://{address}/v1/status");
        assert_eq!(http("POST", &url, "{}").await.unwrap().0, 200);
    }
    assert_eq!(hints.next().now_or_never(), Some(Some(())));
    for (method, path) in [("GET", "/v1/status"), ("POST", "/"), ("PUT", "/v1/status")] {
        let url = format!("http://{address}{path}");
        assert_eq!(http(method, &url, "").await.unwrap().0, 200);
    }
    assert_eq!(hints.next().now_or_never(), None);
}

#[tokio::test]
async fn garbage_and_huge_bodies_are_answered_and_the_connection_closed() {
    let (address, mut hints) = serving().await;
    let mut request =
        b"POST /v1/status HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n".to_vec();
    request.resize(request.len() + 1_000_000, b'\xff');
    let answer = send(address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(hints.next().await.is_some());

    // Where even the chunks are garbage.
    let broken = b"POST /v1/status HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    assert!(
        send(address, broken)
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
    // What is no HTTP at all keeps nobody from being served after it.
    let _ = TcpStream::connect(address)
        .await
        .unwrap()
        .write_all(b"\x16\x03\x01\r\n\r\n")
        .await;
    let url = format!("http://{address}/v1/status");
    assert_eq!(http("POST", &url, "{").await.unwrap().0, 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_hint_at_once_and_answered_in_time() {
    let (address, mut hints) = serving().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = b"POST /v1/status HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head).await.unwrap();
    hints.next().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn silent_connections_do_not_keep_jibri_waiting() {
    let (address, _hints) = serving().await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let url = format!("http://{address}/v1/status");
    assert_eq!(http("POST", &url, "{}").await.unwrap().0, 200);
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_at() {
    for refused in [
        "0.0.0.0:0",
        "[::]:0",
        "10.0.0.7:6000",
        "[::ffff:127.0.0.1]:0",
    ] {
        let refused = refused.parse().unwrap();
        let error = WebhookListener::bind(refused).await.unwrap_err();
        assert!(matches!(error, WebhookError::NotLoopback(address) if address == refused));
    }
    let (_taken, address) = listener().await;
    let error = WebhookListener::bind(address).await.unwrap_err();
    assert!(error.to_string().contains("name another port"), "{error}");
}
