//! The retirement protocol of the core, driven over real sockets on virtual time.

mod common;

use std::time::Duration;

use common::{AMPLE, Clients, at, fake, secs};
use jibri_scaler_core::{
    Limits,
    port::{ProbeOutcome, Told},
    retirement::{Act, Phase, Retirement, Work},
};
use jibri_scaler_http::fake::{
    ErrorScope, FakeJibri, FakeServer, Profile, SessionEvent, Supervisor,
};

const TICK: usize = 30;

struct Run {
    fake: FakeServer,
    clients: Clients,
    retirement: Retirement,
    events: Vec<SessionEvent>,
    tells: Vec<Told>,
    /// When the machine was given back.
    released_at: Option<i64>,
}

impl Run {
    fn new(profile: Profile, patience: Duration) -> Self {
        let fake = fake(profile);
        let clients = Clients::with_patience(fake.bases(), AMPLE, patience);
        Self {
            fake,
            clients,
            retirement: Retirement::new(at(0), false),
            events: Vec::new(),
            tells: Vec::new(),
            released_at: None,
        }
    }

    /// One tick as a controller does it.
    async fn tick(&mut self, secs: i64) {
        let now = at(secs);
        self.fake.advance(now).unwrap();
        let work = match self.clients.probe().await {
            ProbeOutcome::Answered(status) if status.is_busy() => Work::Busy,
            ProbeOutcome::Answered(_) => Work::Free,
            _ => Work::Unknown,
        };
        self.retirement.reported(work, now, &Limits::default());
        match self.retirement.next(now, &Limits::default()) {
            Act::Tell => {
                self.retirement.asking(now);
                let told = self.clients.tell().await;
                self.tells.push(told);
                self.retirement.told(told, now);
            }
            Act::Look => {
                let presence = self.clients.look().await;
                self.retirement.looked(presence, now, &Limits::default());
            }
            Act::Release => {
                let presence = self.clients.look().await;
                self.retirement.looked(presence, now, &Limits::default());
                if !self
                    .retirement
                    .is_still_gone(presence, now, &Limits::default())
                {
                    return;
                }
                assert!(!self.fake.is_session_active(), "a recording would be lost");
                self.fake.kill(now).unwrap();
                self.released_at = Some(secs);
                self.retirement.released(false, now);
            }
            _ => {}
        }
        let reports = self.fake.act(FakeJibri::take_reports).unwrap();
        self.events
            .extend(reports.into_iter().map(|report| report.event));
    }

    async fn ticks(&mut self, range: std::ops::Range<i64>) {
        for secs in range.step_by(TICK) {
            self.tick(secs).await;
        }
    }
}

#[tokio::test]
async fn an_idle_jibri_is_given_back_two_minutes_after_it_went() {
    let mut run = Run::new(Profile::booted(), AMPLE);
    run.ticks(0..600).await;
    assert_eq!(run.tells, [Told::Yes]);
    assert_eq!(run.retirement.phase(), Phase::Released);
    // Told at 0, seen refusing at 30, given back in the tick after it has refused for 120 s.
    assert_eq!(run.released_at, Some(180));
}

#[tokio::test]
async fn a_recording_is_finished_and_uploaded_first() {
    let mut run = Run::new(Profile::booted().with_finalize(secs(1800)), AMPLE);
    run.fake
        .start_session(at(0), "a", Some(secs(3600)))
        .unwrap();
    run.fake.advance(at(10)).unwrap();
    run.ticks(30..5400).await;
    assert_eq!(run.retirement.phase(), Phase::Finishing);
    assert_eq!(run.released_at, None);
    run.ticks(5400..6000).await;
    assert_eq!(run.retirement.phase(), Phase::Released);
    assert_eq!(run.events, [SessionEvent::Accepted, SessionEvent::Finished]);
    assert_eq!(run.tells, [Told::Yes]);
}

#[tokio::test]
async fn a_recording_accepted_just_before_it_was_told_is_not_lost() {
    let mut run = Run::new(Profile::booted(), common::SHORT);
    // Chrome is still starting, so that health says IDLE.
    run.fake
        .start_session(at(28), "a", Some(secs(600)))
        .unwrap();
    run.ticks(30..1200).await;
    assert_eq!(run.retirement.phase(), Phase::Released);
    assert_eq!(run.events, [SessionEvent::Accepted, SessionEvent::Finished]);
    assert_eq!(
        run.fake.received("/gracefulShutdown"),
        2,
        "the one that waited for Chrome, and the one that makes sure"
    );
}

#[tokio::test]
async fn a_jibri_in_its_finalize_script_is_told_by_one_request() {
    let mut run = Run::new(Profile::booted().with_finalize(secs(120)), common::SHORT);
    run.fake.start_session(at(0), "a", Some(secs(26))).unwrap();
    run.ticks(60..600).await;
    assert_eq!(run.retirement.phase(), Phase::Released);
    assert_eq!(run.fake.received("/gracefulShutdown"), 1);
    assert_eq!(run.tells.last(), Some(&Told::Yes));
    assert_eq!(run.events, [SessionEvent::Accepted, SessionEvent::Finished]);
}

#[tokio::test]
async fn a_jibri_that_its_supervisor_always_restarts_is_left_alone_after_three_returns() {
    let always = Supervisor::Always {
        restart_after: secs(40),
    };
    let mut run = Run::new(Profile::booted().with_supervisor(always), AMPLE);
    run.ticks(0..1800).await;
    assert_eq!(run.retirement.phase(), Phase::GivenUp);
    assert_eq!((run.tells.len(), run.released_at), (3, None));
}

#[tokio::test]
async fn a_drain_that_a_reload_has_overwritten_is_asked_for_again() {
    let mut run = Run::new(Profile::booted(), AMPLE);
    run.fake.start_session(at(0), "a", Some(secs(300))).unwrap();
    run.ticks(30..90).await;
    assert_eq!(run.retirement.phase(), Phase::Finishing);
    let reload = format!(
        "{}/jibri/api/internal/v1.0/notifyConfigChanged",
        run.fake.bases().internal
    );
    assert_eq!(
        common::http("POST", &reload, "").await,
        Some((200, String::new()))
    );
    run.ticks(90..900).await;
    assert_eq!(
        (run.retirement.phase(), run.retirement.returns()),
        (Phase::Released, 1)
    );
    assert_eq!(run.tells, [Told::Yes, Told::Yes]);
    assert_eq!(run.events, [SessionEvent::Accepted, SessionEvent::Finished]);
}

#[tokio::test]
async fn an_unhealthy_jibri_is_retired_like_any_other() {
    let mut run = Run::new(Profile::booted(), AMPLE);
    run.fake.start_session(at(0), "a", None).unwrap();
    run.fake
        .act(|jibri| jibri.fail_session(at(10), ErrorScope::System))
        .unwrap();
    run.ticks(30..600).await;
    assert_eq!(run.retirement.phase(), Phase::Released);
    assert_eq!(run.events, [SessionEvent::Accepted, SessionEvent::Failed]);
}
