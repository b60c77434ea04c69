//! The drain client over real sockets.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use common::{
    AMPLE, Clients, DeadPort, SHORT, at, bases, fake, listener, read_head, secs, until_received,
};
use jibri_scaler_core::port::{DrainClient as _, Presence, Told};
use jibri_scaler_http::{
    DrainConfig, HttpDrain,
    addresses::{ApiBases, BaseUrl, LiveAddresses},
    fake::{Api, Exit, Fault, Profile, Supervisor},
};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

const TELL: &str = "/gracefulShutdown";

/// Answers each request on each connection with these bytes and counts the connections that sent one.
fn answering(listener: TcpListener, answer: &'static str) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                if !read_head(&mut stream).await.is_empty() {
                    count.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    asked
}

#[tokio::test]
async fn an_idle_jibri_is_told_and_gone() {
    let fake = fake(Profile::booted());
    let clients = Clients::new(fake.bases());
    assert_eq!(clients.look().await, Presence::Answers);
    assert_eq!(clients.tell().await, Told::Yes);
    assert_eq!(clients.look().await, Presence::BothRefuse);
    assert_eq!(fake.act(|jibri| jibri.exit()).unwrap(), Some(Exit::Retired));
    assert_eq!(
        clients.tell().await,
        Told::Refused,
        "nobody is left to tell"
    );
    assert_eq!(fake.received(TELL), 1);
}

#[tokio::test]
async fn a_busy_jibri_is_told_and_answers_busy_until_it_has_finished() {
    let fake = fake(Profile::booted());
    let clients = Clients::new(fake.bases());
    fake.start_session(at(0), "a", Some(secs(3600))).unwrap();
    fake.advance(at(60)).unwrap();
    assert_eq!(clients.tell().await, Told::Yes);
    for when in [61, 1800, 3604, 3613] {
        // The last one is inside the finalize script.
        fake.advance(at(when)).unwrap();
        assert_eq!(clients.busy().await, "BUSY", "at {when}");
        assert_eq!(clients.look().await, Presence::Answers);
    }
    fake.advance(at(3614)).unwrap();
    assert_eq!(clients.look().await, Presence::BothRefuse);
    assert!(!fake.is_session_active());
}

#[tokio::test]
async fn a_refused_connection_tells_nobody() {
    let dead = DeadPort::new();
    let clients = Clients::new(&bases(dead.address(), dead.address()));
    assert_eq!(clients.tell().await, Told::Refused);
    assert!(!clients.is_reachable().await);
}

#[tokio::test]
async fn an_instance_without_an_address_is_neither_told_nor_gone() {
    let clients = Clients::new(fake(Profile::booted()).bases());
    let drain = HttpDrain::new(LiveAddresses::default(), &DrainConfig::default()).unwrap();
    assert_eq!(drain.tell(&clients.target).await, Told::Unknown);
    assert_eq!(drain.look(&clients.target).await, Presence::Unclear);
    assert!(!drain.is_reachable(&clients.target).await);
}

#[tokio::test]
async fn a_connection_that_ends_before_an_answer_is_told() {
    let fake = fake(Profile::booted());
    let clients = Clients::new(fake.bases());
    fake.set_fault(Api::Internal, Some(Fault::Reset)).unwrap();
    assert_eq!(clients.tell().await, Told::Yes, "reset");

    for answer in ["", "HTTP/1.1 20"] {
        let (listener, address) = listener().await;
        let asked = answering(listener, answer);
        let clients = Clients::new(&bases(address, address));
        assert_eq!(clients.tell().await, Told::Yes, "closed after {answer:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "and not sent again");
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_at_once_is_told_however_far_the_request_came() {
    let (listener, address) = listener().await;
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let clients = Clients::new(&bases(address, address));
    for _ in 0..50 {
        assert_eq!(clients.tell().await, Told::Yes);
    }
}

#[tokio::test]
async fn another_answer_than_200_is_not_known() {
    for answer in [
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        "220 smtp.example ready\r\n\r\n",
    ] {
        let (listener, address) = listener().await;
        let asked = answering(listener, answer);
        let clients = Clients::new(&bases(address, address));
        assert_eq!(clients.tell().await, Told::Unknown, "{answer}");
        assert_eq!(clients.tell().await, Told::Unknown, "{answer}");
        assert_eq!(
            asked.load(Ordering::SeqCst),
            2,
            "each tell asks anew: {answer}"
        );
    }
}

#[tokio::test]
async fn a_200_is_told() {
    let (listener, address) = listener().await;
    answering(listener, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let clients = Clients::new(&bases(address, address));
    assert_eq!(clients.tell().await, Told::Yes);
}

#[tokio::test]
async fn a_request_without_an_answer_stays_the_only_one() {
    let fake = fake(Profile::booted());
    let clients = Clients::with_patience(fake.bases(), AMPLE, SHORT);
    fake.set_fault(Api::Internal, Some(Fault::Hang)).unwrap();
    clients.tell_unanswered(&fake).await;
    assert_eq!(clients.tell().await, Told::Unknown);
    let (one, two) = tokio::join!(clients.tell(), clients.tell());
    assert_eq!((one, two), (Told::Unknown, Told::Unknown));
    assert_eq!(fake.received(TELL), 1);
}

#[tokio::test]
async fn a_tell_during_finalize_returns_and_its_request_goes_on() {
    let fake = fake(Profile::booted().with_finalize(secs(7200)));
    let clients = Clients::with_patience(fake.bases(), AMPLE, SHORT);
    fake.start_session(at(0), "a", Some(secs(600))).unwrap();
    for when in [700, 3000, 7000] {
        fake.advance(at(when)).unwrap();
        clients.tell_unanswered(&fake).await;
    }
    fake.advance(at(604 + 7200)).unwrap();
    assert_eq!(
        fake.act(|jibri| jibri.exit()).unwrap(),
        Some(Exit::Retired),
        "the first request was waiting all the time"
    );
    assert_eq!(clients.tell_until_known().await, Told::Yes);
    assert_eq!(fake.received(TELL), 1);
    assert_eq!(clients.tell_until_known().await, Told::Refused, "a new one");
}

#[tokio::test]
async fn a_tell_that_is_dropped_neither_loses_nor_doubles_its_request() {
    let fake = fake(Profile::booted().with_finalize(secs(7200)));
    let clients = Clients::new(fake.bases());
    fake.start_session(at(0), "a", Some(secs(600))).unwrap();
    fake.advance(at(700)).unwrap();
    for _ in 0..3 {
        tokio::select! {
            biased;
            told = clients.tell() => panic!("{told:?}, but the finalize script runs"),
            () = until_received(&fake, TELL, 1) => {}
        }
    }
    fake.advance(at(8000)).unwrap();
    assert_eq!(clients.tell().await, Told::Yes);
    assert_eq!(fake.received(TELL), 1);
}

#[tokio::test]
async fn a_request_that_died_with_its_process_has_not_told_the_next_one() {
    let fake = fake(Profile::booted());
    let clients = Clients::with_patience(fake.bases(), AMPLE, SHORT);
    // Chrome is starting, so that the request waits for the lock.
    fake.start_session(at(0), "a", None).unwrap();
    clients.tell_unanswered(&fake).await;
    fake.act(|jibri| jibri.crash(at(1))).unwrap();
    fake.advance(at(2)).unwrap();
    fake.start_session(at(2), "b", Some(secs(60))).unwrap();
    fake.advance(at(30)).unwrap();
    assert_eq!(clients.tell_until_known().await, Told::Yes);
    assert_eq!(fake.received(TELL), 2, "the restarted one was told too");
    fake.advance(at(200)).unwrap();
    assert_eq!(fake.act(|jibri| jibri.exit()).unwrap(), Some(Exit::Retired));
}

#[tokio::test]
async fn tells_at_once_send_one_request_and_hear_one_answer() {
    let fake = fake(Profile::booted());
    let clients = Clients::new(fake.bases());
    let answers = tokio::join!(clients.tell(), clients.tell(), clients.tell());
    assert_eq!(answers, (Told::Yes, Told::Yes, Told::Yes));
    assert_eq!(fake.received(TELL), 1);
}

#[tokio::test]
async fn what_was_reachable_and_has_gone_is_not_told() {
    let fake = fake(Profile::booted().with_supervisor(Supervisor::None));
    let clients = Clients::new(fake.bases());
    assert!(clients.is_reachable().await);
    fake.act(|jibri| jibri.crash(at(1))).unwrap();
    assert_eq!(clients.tell().await, Told::Refused);
}

#[tokio::test]
async fn no_request_goes_over_a_connection_that_was_kept() {
    let (listener, address) = listener().await;
    // The server keeps its first connection open for ever; a client that kept it too would send the next request there.
    let server = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        read_head(&mut first).await;
        let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        first.write_all(answer.as_bytes()).await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        read_head(&mut second).await
    });
    let clients = Clients::new(&bases(address, address));
    assert!(clients.is_reachable().await);
    assert_eq!(clients.tell().await, Told::Yes);
    let head = server.await.unwrap();
    assert!(
        head.starts_with("POST /jibri/api/internal/v1.0/gracefulShutdown HTTP/1.1\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn reachable_is_what_answers_over_http_and_the_question_changes_nothing() {
    let fake = fake(Profile::booted());
    let clients = Clients::new(fake.bases());
    for _ in 0..3 {
        assert!(clients.is_reachable().await);
    }
    assert_eq!(clients.busy().await, "IDLE");
    fake.set_fault(Api::Internal, Some(Fault::Status(405)))
        .unwrap();
    assert!(clients.is_reachable().await);
    for fault in [Fault::Refuse, Fault::Reset] {
        fake.set_fault(Api::Internal, Some(fault)).unwrap();
        assert!(!clients.is_reachable().await, "{fault:?}");
    }
    fake.set_fault(Api::Internal, Some(Fault::Hang)).unwrap();
    assert!(
        !Clients::with_patience(fake.bases(), AMPLE, SHORT)
            .is_reachable()
            .await
    );
}

#[tokio::test]
async fn a_look_needs_both_ports_to_refuse() {
    let fake = fake(Profile::default());
    let clients = Clients::new(fake.bases());
    assert_eq!(clients.look().await, Presence::BothRefuse, "still starting");
    fake.advance(at(3)).unwrap();
    assert_eq!(clients.look().await, Presence::Answers, "internal only");
    fake.advance(at(5)).unwrap();
    fake.set_fault(Api::Internal, Some(Fault::Refuse)).unwrap();
    assert_eq!(clients.look().await, Presence::Answers, "external only");
    fake.set_fault(Api::External, Some(Fault::Hang)).unwrap();
    assert_eq!(
        clients.look().await,
        Presence::Answers,
        "it hangs, so it is there"
    );
    fake.set_fault(Api::External, Some(Fault::Refuse)).unwrap();
    assert_eq!(clients.look().await, Presence::BothRefuse);
}

#[tokio::test]
async fn one_port_that_refuses_and_one_that_is_unclear_are_unclear() {
    let dead = DeadPort::new();
    let refusing = bases(dead.address(), dead.address());
    // A part of a name has at most 63 letters, so that this one cannot be looked up.
    let unclear: BaseUrl = format!("http://{}.invalid:2222", "a".repeat(64))
        .parse()
        .unwrap();
    for both in [
        ApiBases::new(unclear.clone(), refusing.internal.clone()),
        ApiBases::new(refusing.health.clone(), unclear.clone()),
        ApiBases::new(unclear.clone(), unclear),
    ] {
        assert_eq!(Clients::new(&both).look().await, Presence::Unclear);
    }
}

#[tokio::test]
async fn a_jibri_that_its_supervisor_restarts_answers_again() {
    let always = Supervisor::Always {
        restart_after: secs(5),
    };
    let fake = fake(Profile::booted().with_supervisor(always));
    let clients = Clients::new(fake.bases());
    assert_eq!(clients.tell().await, Told::Yes);
    assert_eq!(clients.look().await, Presence::BothRefuse);
    fake.advance(at(5)).unwrap();
    assert_eq!(clients.look().await, Presence::Answers);
    assert_eq!(clients.busy().await, "IDLE");
    assert_eq!(clients.tell().await, Told::Yes, "it is told again");
}
