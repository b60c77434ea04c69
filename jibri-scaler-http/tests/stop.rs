//! Stopping a Jibri at once, over real sockets.

mod common;

use common::{AMPLE, Clients, DeadPort, SHORT, at, bases, fake, secs, until_received};
use jibri_scaler_core::port::{Target, Told};
use jibri_scaler_http::{
    DrainConfig, HttpStop,
    addresses::{ApiBases, LiveAddresses},
    fake::{Exit, FakeJibri, Profile, SessionEvent, Supervisor},
};

const STOP: &str = "/jibri/api/internal/v1.0/shutdown";

struct Stop {
    stop: HttpStop,
    target: Target,
}

impl Stop {
    fn new(bases: &ApiBases, patience: std::time::Duration) -> Self {
        let target = Target::new("i-0abc".parse().unwrap());
        let book = LiveAddresses::default();
        book.insert(target.id.clone(), bases.clone());
        let config = DrainConfig::default().with_patience(patience).unwrap();
        let config = config.with_connect_timeout(AMPLE).unwrap();
        let stop = HttpStop::new(book, &config).unwrap();
        Self { stop, target }
    }

    async fn now(&self) -> Told {
        self.stop.stop_now(&self.target).await
    }
}

#[tokio::test]
async fn an_idle_jibri_ends_at_once() {
    let fake = fake(Profile::booted());
    let stop = Stop::new(fake.bases(), AMPLE);
    assert_eq!(stop.now().await, Told::Yes);
    assert_eq!(fake.act(|jibri| jibri.exit()).unwrap(), Some(Exit::Retired));
    assert_eq!(stop.now().await, Told::Refused, "nobody is left");
}

#[tokio::test]
async fn a_recording_is_stopped_and_finalized_and_the_request_stays_the_only_one() {
    let fake = fake(Profile::booted());
    let stop = Stop::new(fake.bases(), SHORT);
    fake.start_session(at(0), "a", Some(secs(3600))).unwrap();
    fake.advance(at(60)).unwrap();
    // On a slow machine the first may end before its request was sent.
    while fake.received(STOP) == 0 {
        assert_eq!(stop.now().await, Told::Unknown, "the finalize script runs");
    }
    assert_eq!(stop.now().await, Told::Unknown);
    assert!(fake.is_session_active(), "it is being finalized");
    fake.advance(at(70)).unwrap();
    assert_eq!(fake.act(|jibri| jibri.exit()).unwrap(), Some(Exit::Retired));
    let events = fake.act(FakeJibri::take_reports).unwrap();
    let events: Vec<_> = events.iter().map(|report| report.event).collect();
    assert_eq!(events, [SessionEvent::Accepted, SessionEvent::Finished]);
    assert_eq!(fake.received(STOP), 1);
}

#[tokio::test]
async fn one_that_its_supervisor_restarted_meanwhile_is_stopped_again() {
    let always = Supervisor::Always {
        restart_after: secs(5),
    };
    let fake = fake(Profile::booted().with_supervisor(always));
    let stop = Stop::new(fake.bases(), AMPLE);
    fake.start_session(at(0), "a", None).unwrap();
    fake.advance(at(60)).unwrap();
    tokio::select! {
        biased;
        told = stop.now() => panic!("{told:?}, but the finalize script runs"),
        () = until_received(&fake, STOP, 1) => {}
    }
    fake.advance(at(75)).unwrap();
    assert_eq!(fake.act(|jibri| jibri.exit()).unwrap(), None, "restarted");
    assert_eq!(stop.now().await, Told::Yes);
    assert_eq!(fake.received(STOP), 2);
    assert_eq!(fake.act(|jibri| jibri.exit()).unwrap(), Some(Exit::Retired));
}

#[tokio::test]
async fn nobody_is_stopped_where_nobody_listens_or_no_address_is_known() {
    let dead = DeadPort::new();
    let stop = Stop::new(&bases(dead.address(), dead.address()), AMPLE);
    assert_eq!(stop.now().await, Told::Refused);
    let nowhere = HttpStop::new(LiveAddresses::default(), &DrainConfig::default()).unwrap();
    assert_eq!(nowhere.stop_now(&stop.target).await, Told::Unknown);
}

#[tokio::test]
async fn stopping_waits_for_no_drain_request() {
    let fake = fake(Profile::booted());
    let stop = Stop::new(fake.bases(), SHORT);
    let clients = Clients::new(fake.bases());
    fake.start_session(at(0), "a", Some(secs(3600))).unwrap();
    fake.advance(at(60)).unwrap();
    assert_eq!(
        clients.tell().await,
        Told::Yes,
        "it would go on for an hour"
    );
    while fake.received(STOP) == 0 {
        assert_eq!(stop.now().await, Told::Unknown);
    }
    fake.advance(at(70)).unwrap();
    assert_eq!(fake.act(|jibri| jibri.exit()).unwrap(), Some(Exit::Retired));
}
