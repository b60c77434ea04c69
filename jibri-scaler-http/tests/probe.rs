//! Every outcome of the probe, over real sockets.

mod common;

use common::{AMPLE, Clients, DeadPort, FAIR, SHORT, at, bases, fake, listener, read_head, secs};
use jibri_scaler_core::{
    BusyStatus,
    port::{HealthProbe as _, ProbeOutcome, Target},
};
use jibri_scaler_http::{
    Addresses, HttpProbe, ProbeConfig,
    addresses::LiveAddresses,
    fake::{Api, Fault, Profile},
};
use tokio::io::AsyncWriteExt as _;

const HEALTHY: &str =
    r#"{"status":{"busyStatus":"IDLE","health":{"healthStatus":"HEALTHY","details":{}}}}"#;

/// What the probe makes of these bytes, after which the server closes the connection.
async fn outcome_of(answer: impl Into<Vec<u8>>) -> ProbeOutcome {
    let answer = answer.into();
    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            // The probe may have read enough and closed its side.
            let _ = stream.write_all(&answer).await;
        }
    });
    let outcome = Clients::new(&bases(address, address)).probe().await;
    server.abort();
    outcome
}

/// A TLS record begins with its type, of a handshake 22, and 3 as the major version (RFC 8446, section 5.1). Where a server breaks that off,
/// nothing was refused, answered or taken: a Jibri may be there, and record.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[tokio::test]
async fn https_is_spoken_in_tls_and_a_handshake_that_fails_says_nothing() {
    use jibri_scaler_core::port::{DrainClient as _, Told};
    use tokio::io::AsyncReadExt as _;

    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        let mut heads = Vec::new();
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 2];
            stream.read_exact(&mut head).await.unwrap();
            heads.push(head);
        }
        heads
    });
    let base = || format!("https://{address}").parse().unwrap();
    let clients = Clients::new(&jibri_scaler_http::addresses::ApiBases::new(base(), base()));
    let outcome = clients.probe().await;
    assert!(
        matches!(outcome, ProbeOutcome::Reset | ProbeOutcome::Unreachable(_)),
        "{outcome:?}"
    );
    assert!(!clients.drain.is_reachable(&clients.target).await);
    assert_ne!(clients.drain.tell(&clients.target).await, Told::Yes);
    assert_eq!(server.await.unwrap(), [[22, 3]; 3]);
}

fn ok_with(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}")
}

#[tokio::test]
async fn a_health_answer_is_read_and_the_connection_kept() {
    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heads = Vec::new();
        for _ in 0..3 {
            heads.push(read_head(&mut stream).await);
            let length = HEALTHY.len();
            let answer = ok_with(
                &format!(
                    "Content-Type: application/json;charset=UTF-8\r\nContent-Length: {length}\r\n"
                ),
                HEALTHY,
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        heads
    });
    let clients = Clients::new(&bases(address, address));
    for _ in 0..3 {
        // The server accepts one connection only.
        assert_eq!(clients.busy().await, "IDLE");
    }
    for head in server.await.unwrap() {
        assert!(
            head.starts_with("GET /jibri/api/v1.0/health HTTP/1.1\r\n"),
            "{head}"
        );
    }
}

#[tokio::test]
async fn a_fake_answers_with_all_its_states() {
    let fake = fake(Profile::booted().with_single_use(true));
    let clients = Clients::new(fake.bases());
    assert_eq!(clients.busy().await, "IDLE");
    fake.start_session(at(0), "a", Some(secs(60))).unwrap();
    assert_eq!(clients.busy().await, "IDLE", "Chrome is not up yet");
    fake.advance(at(10)).unwrap();
    assert_eq!(clients.busy().await, "BUSY");
    fake.advance(at(100)).unwrap();
    assert_eq!(clients.busy().await, "EXPIRED");
}

#[tokio::test]
async fn each_fault_has_its_own_outcome() {
    let fake = fake(Profile::booted());
    let clients = Clients::new(fake.bases());
    let cases = [
        (Fault::Garbage, ProbeOutcome::Garbage),
        (Fault::Oversized, ProbeOutcome::BodyTooLarge),
        (Fault::Refuse, ProbeOutcome::Refused),
        (Fault::Reset, ProbeOutcome::Reset),
        (Fault::Status(500), ProbeOutcome::HttpStatus(500)),
        (Fault::Truncated, ProbeOutcome::Truncated),
        (
            Fault::WrongContentType,
            ProbeOutcome::WrongContentType("text/html".into()),
        ),
    ];
    for (fault, outcome) in cases {
        fake.set_fault(Api::External, Some(fault)).unwrap();
        assert_eq!(clients.probe().await, outcome, "{fault:?}");
        assert!(outcome.status().is_none());
        fake.set_fault(Api::External, None).unwrap();
        assert_eq!(clients.busy().await, "IDLE", "after {fault:?}");
    }
}

#[tokio::test]
async fn one_that_hangs_is_told_apart_by_where_it_hangs() {
    let fake = fake(Profile::booted());
    let clients = Clients::with_patience(fake.bases(), FAIR, AMPLE);
    fake.set_fault(Api::External, Some(Fault::Hang)).unwrap();
    assert_eq!(clients.probe().await, ProbeOutcome::TimedOut);
    fake.set_fault(Api::External, Some(Fault::HangAfterHeaders))
        .unwrap();
    assert_eq!(clients.probe().await, ProbeOutcome::HungAfterHeaders);
}

#[tokio::test]
async fn a_connection_that_is_never_taken_up_times_out() {
    // The system accepts it for a process that does not.
    let (_listener, address) = listener().await;
    let clients = Clients::with_patience(&bases(address, address), SHORT, AMPLE);
    assert_eq!(clients.probe().await, ProbeOutcome::TimedOut);
}

#[tokio::test]
async fn a_body_that_drips_does_not_last_for_ever() {
    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let head = ok_with(
            "Content-Type: application/json\r\nContent-Length: 9999\r\n",
            "",
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(FAIR / 20).await;
        }
    });
    let clients = Clients::with_patience(&bases(address, address), FAIR, AMPLE);
    assert_eq!(clients.probe().await, ProbeOutcome::HungAfterHeaders);
    server.abort();
}

#[tokio::test]
async fn nothing_listening_is_refused() {
    let dead = DeadPort::new();
    let clients = Clients::new(&bases(dead.address(), dead.address()));
    assert_eq!(clients.probe().await, ProbeOutcome::Refused);
}

#[tokio::test]
async fn a_name_without_an_address_is_no_address() {
    // A part of a name has at most 63 letters, so that no server is asked.
    let id = "a".repeat(64);
    let template = "http://{instance_id}.invalid:2222";
    let book = Addresses::from_templates(template, template);
    let config = ProbeConfig::default().with_timeout(AMPLE).unwrap();
    let config = config.with_connect_timeout(AMPLE).unwrap();
    let probe = HttpProbe::new(book.unwrap(), &config).unwrap();
    let outcome = probe.probe(&Target::new(id.parse().unwrap())).await;
    assert!(matches!(outcome, ProbeOutcome::NoAddress(_)), "{outcome:?}");
}

#[tokio::test]
async fn an_instance_that_is_not_listed_has_no_address() {
    let probe = HttpProbe::new(LiveAddresses::default(), &ProbeConfig::default()).unwrap();
    let outcome = probe.probe(&Target::new("i-0abc".parse().unwrap())).await;
    let ProbeOutcome::NoAddress(why) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(why.contains("i-0abc"), "{why}");
}

#[tokio::test]
async fn what_is_not_the_health_of_a_jibri_is_not_read_as_idle() {
    let json = "Content-Type: application/json\r\n";
    let chunked = format!("{json}Transfer-Encoding: chunked\r\n");
    let endless = format!("{HEALTHY}{}", " ".repeat(64 * 1024));
    let cases = [
        (ok_with(json, "<html>"), ProbeOutcome::Garbage),
        (ok_with(json, ""), ProbeOutcome::Garbage),
        (ok_with(json, "IDLE"), ProbeOutcome::Garbage),
        (
            ok_with(json, r#"{"busyStatus":"IDLE"}"#),
            ProbeOutcome::Garbage,
        ),
        (
            ok_with("", HEALTHY),
            ProbeOutcome::WrongContentType(String::new()),
        ),
        (
            ok_with("Content-Type: text/plain\r\n", HEALTHY),
            ProbeOutcome::WrongContentType("text/plain".into()),
        ),
        (
            ok_with(&format!("{json}Content-Length: 999\r\n"), HEALTHY),
            ProbeOutcome::Truncated,
        ),
        (ok_with(&chunked, "5\r\n{\"sta"), ProbeOutcome::Truncated),
        // No length is given, so that only the bytes themselves can tell.
        (ok_with(json, &endless), ProbeOutcome::BodyTooLarge),
        (
            "HTTP/1.1 204 No Content\r\n\r\n".into(),
            ProbeOutcome::HttpStatus(204),
        ),
        (
            format!("HTTP/1.1 503 Busy\r\n{json}\r\n{HEALTHY}"),
            ProbeOutcome::HttpStatus(503),
        ),
        (String::new(), ProbeOutcome::Reset),
        ("HTTP/1.1 200".into(), ProbeOutcome::Reset),
    ];
    for (answer, outcome) in cases {
        let shown: String = answer.chars().take(120).collect();
        assert_eq!(outcome_of(answer).await, outcome, "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_http_is_unreachable() {
    let outcome = outcome_of("220 smtp.example ready\r\n\r\n").await;
    assert!(
        matches!(outcome, ProbeOutcome::Unreachable(_)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn the_limit_is_on_the_body_and_not_under_it() {
    let filler = " ".repeat(64 * 1024 - HEALTHY.len());
    let answer = ok_with(
        "Content-Type: application/json\r\n",
        &format!("{HEALTHY}{filler}"),
    );
    let ProbeOutcome::Answered(status) = outcome_of(answer).await else {
        panic!("64 KiB are allowed");
    };
    assert_eq!(status.busy, BusyStatus::Idle);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = fake(Profile::booted());
    let location = format!("{}/jibri/api/v1.0/health", elsewhere.bases().health);
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(outcome_of(answer).await, ProbeOutcome::HttpStatus(302));
    assert_eq!(elsewhere.received("health"), 0);
}

#[tokio::test]
async fn a_jibri_that_has_gone_since_the_last_probe_is_refused_and_not_reset() {
    for _ in 0..20 {
        let fake = fake(Profile::booted());
        let clients = Clients::new(fake.bases());
        assert_eq!(clients.busy().await, "IDLE");
        fake.kill(at(1)).unwrap();
        assert_eq!(clients.probe().await, ProbeOutcome::Refused);
    }
}

#[tokio::test]
async fn a_jibri_that_was_restarted_since_the_last_probe_answers() {
    let fake = fake(Profile::booted());
    let clients = Clients::new(fake.bases());
    for when in 1..20 {
        assert_eq!(clients.busy().await, "IDLE");
        fake.act(|jibri| jibri.crash(at(when * 10))).unwrap();
        fake.advance(at(when * 10 + 1)).unwrap();
    }
    assert_eq!(clients.busy().await, "IDLE");
}

#[tokio::test]
async fn messages_hold_no_address() {
    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"nonsense\r\n\r\n").await.unwrap();
    });
    let clients = Clients::new(&bases(address, address));
    let outcome = clients.probe().await;
    assert!(!format!("{outcome:?}").contains("127.0.0.1"), "{outcome:?}");
    server.await.unwrap();
}
