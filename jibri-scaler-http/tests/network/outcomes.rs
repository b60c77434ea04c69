//! What probe and drain client make of each fault.

use std::{net::SocketAddr, time::Duration};

use jibri_scaler_core::port::{ProbeOutcome, Told};
use jibri_scaler_http::{
    addresses::BaseUrl,
    fake::{FakeServer, Profile},
};

use crate::{
    common::{self, AMPLE, Clients, FAIR, at, bases, fake, secs},
    proxy::{BAD_GATEWAY, Exchange, Fault, Proxy},
};

const TELL: &str = "/gracefulShutdown";
const DELAY: Fault = Fault::Delay(Duration::from_millis(20));
const TOO_MANY: Fault = Fault::Instead(429, "text/plain", b"slow down");
const NO_STATUS: Fault = Fault::Instead(200, "application/json", b"{\"busyStatus\":\"IDLE\"}");
const LOGIN_PAGE: Fault = Fault::Instead(200, "text/html", b"<html>Log in</html>");

fn address(base: &BaseUrl) -> SocketAddr {
    base.as_str()
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap()
}

/// A Jibri, and a proxy before each of its APIs.
struct Behind {
    fake: FakeServer,
    health: Proxy,
    internal: Proxy,
}

impl Behind {
    fn new() -> Self {
        let fake = fake(Profile::booted());
        let health = Proxy::start(address(&fake.bases().health));
        let internal = Proxy::start(address(&fake.bases().internal));
        Self {
            fake,
            health,
            internal,
        }
    }

    fn clients(&self, patience: Duration) -> Clients {
        let bases = bases(self.health.address(), self.internal.address());
        Clients::with_patience(&bases, patience, patience)
    }
}

#[tokio::test]
async fn the_probe_has_an_outcome_for_each_fault_and_none_is_idle() {
    let jibri = Behind::new();
    let clients = jibri.clients(AMPLE);
    assert_eq!(clients.busy().await, "IDLE");
    let wrong_type = ProbeOutcome::WrongContentType("text/html".into());
    let cases = [
        (Fault::ResetBefore, ProbeOutcome::Reset),
        (Fault::AnswerLost, ProbeOutcome::Reset),
        (Fault::ResetAfterHead, ProbeOutcome::Truncated),
        (Fault::ResetInBody, ProbeOutcome::Truncated),
        (Fault::Cut, ProbeOutcome::Truncated),
        (BAD_GATEWAY, ProbeOutcome::HttpStatus(502)),
        (TOO_MANY, ProbeOutcome::HttpStatus(429)),
        (NO_STATUS, ProbeOutcome::Garbage),
        (LOGIN_PAGE, wrong_type),
    ];
    for (fault, outcome) in cases {
        jibri.health.always(&fault);
        assert_eq!(clients.probe().await, outcome, "{fault:?}");
        jibri.health.set(|_| None);
        assert_eq!(clients.busy().await, "IDLE", "after {fault:?}");
    }
    jibri.health.always(&Fault::NoHttp);
    let outcome = clients.probe().await;
    assert!(
        matches!(outcome, ProbeOutcome::Unreachable(_)),
        "{outcome:?}"
    );
    jibri.health.always(&DELAY);
    assert_eq!(clients.busy().await, "IDLE");
}

#[tokio::test]
async fn a_probe_that_hangs_ends_in_its_time() {
    let jibri = Behind::new();
    let clients = jibri.clients(FAIR / 2);
    jibri.health.always(&Fault::Hang);
    assert_eq!(clients.probe().await, ProbeOutcome::TimedOut);
    jibri.health.always(&Fault::HangAfterHead);
    assert_eq!(clients.probe().await, ProbeOutcome::HungAfterHeaders);
}

#[tokio::test]
async fn one_reset_is_bridged_and_a_second_is_not() {
    let jibri = Behind::new();
    let clients = jibri.clients(AMPLE);
    for (resets, read) in [(1, true), (2, false)] {
        let mut left = resets;
        jibri.health.set(move |_| {
            left -= 1;
            (left >= 0).then_some(Fault::ResetBefore)
        });
        let outcome = clients.probe().await;
        assert_eq!(outcome.status().is_some(), read, "{resets}: {outcome:?}");
    }
}

/// The requests to end that came to the proxy.
fn tells(proxy: &Proxy) -> Vec<Exchange> {
    let mut exchanges = proxy.take_exchanges();
    exchanges.retain(|exchange| exchange.request.path().ends_with(TELL));
    exchanges
}

#[tokio::test]
async fn a_request_to_end_is_sent_once_whatever_happens_to_it() {
    // A connection that was there and was reset is told: an idle Jibri that exits looks the same. That nobody took the request
    // shows when the Jibri is free `gone_after` later, and is then told again.
    let cases = [
        (DELAY, Told::Yes),
        (Fault::ResetBefore, Told::Yes),
        (Fault::AnswerLost, Told::Yes),
        (Fault::ResetAfterHead, Told::Yes),
        (BAD_GATEWAY, Told::Unknown),
        (TOO_MANY, Told::Unknown),
        (Fault::NoHttp, Told::Unknown),
    ];
    for (fault, told) in cases {
        let jibri = Behind::new();
        // It stays while it records.
        jibri
            .fake
            .start_session(at(0), "a", Some(secs(3600)))
            .unwrap();
        jibri.fake.advance(at(60)).unwrap();
        let clients = jibri.clients(AMPLE);
        jibri.internal.always(&fault);
        assert_eq!(clients.tell().await, told, "{fault:?}");
        let sent = tells(&jibri.internal);
        assert_eq!(sent.len(), 1, "{fault:?}");
        let arrived = u64::from(fault.passes_on());
        assert_eq!(jibri.fake.received(TELL), arrived, "{fault:?}");
        jibri.fake.advance(at(4000)).unwrap();
        assert_eq!(!jibri.fake.is_selectable(), fault.passes_on(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_request_to_end_without_an_answer_stays_the_only_one() {
    let jibri = Behind::new();
    jibri
        .fake
        .start_session(at(0), "a", Some(secs(3600)))
        .unwrap();
    jibri.fake.advance(at(60)).unwrap();
    let clients = jibri.clients(common::SHORT);
    jibri.internal.always(&Fault::Hang);
    clients.tell_unanswered(&jibri.fake).await;
    for _ in 0..3 {
        assert_eq!(clients.tell().await, Told::Unknown);
    }
    assert_eq!(tells(&jibri.internal).len(), 1);
    assert_eq!(jibri.fake.received(TELL), 1);
}

#[tokio::test]
async fn what_has_gone_is_refused_through_the_proxy_too() {
    let jibri = Behind::new();
    let clients = jibri.clients(AMPLE);
    assert_eq!(clients.tell().await, Told::Yes);
    for proxy in [&jibri.health, &jibri.internal] {
        proxy.follow().await;
    }
    assert_eq!(clients.probe().await, ProbeOutcome::Refused);
    assert_eq!(clients.tell().await, Told::Refused);
}
