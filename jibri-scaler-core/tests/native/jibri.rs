//! A Jibri on virtual time, as its own machine sees it.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use jibri_scaler_core::{
    BusyStatus, HealthStatus, JibriStatus, Timestamp,
    agent::port::{CheckResult, JibriService, Latch, LatchStore, ServiceState},
    port::{DrainClient, HealthProbe, PortError, Presence, ProbeOutcome, Target, Told},
};

/// Between accepting a recording and publishing BUSY: Chrome starts.
pub(crate) const CHROME: Duration = Duration::from_secs(5);
/// Between the start of the process and the first answer.
const START: Duration = Duration::from_secs(10);
/// The exit code of a Jibri that was told to end.
const TOLD: i32 = 255;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) now: Timestamp,
    up_from: Timestamp,
    exit: Option<i32>,
    told: bool,
    /// When it accepted a recording, and when that is recorded and uploaded: finalize runs inside BUSY.
    session: Option<(Timestamp, Timestamp)>,
    pub(crate) latch: Option<Latch>,
}

impl State {
    pub(crate) fn is_up(&self) -> bool {
        self.exit.is_none() && self.up_from <= self.now
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.session.is_some()
    }

    /// Whether it would take a recording now.
    pub(crate) fn is_free(&self) -> bool {
        self.is_up() && self.session.is_none() && !self.told
    }

    pub(crate) fn record(&mut self, length: Duration) -> bool {
        let takes = self.is_free();
        if takes {
            self.session = Some((self.now, self.now + length));
        }
        takes
    }

    /// When its health next says something else.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let session = self.session.into_iter();
        let session = session.flat_map(|(from, until)| [from + CHROME, until]);
        session
            .chain(self.exit.is_none().then_some(self.up_from))
            .filter(|at| *at > self.now)
            .min()
    }

    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = now;
        if self.session.is_some_and(|(_, until)| until <= now) {
            self.session = None;
            if self.told {
                self.exit = Some(TOLD);
            }
        }
    }
}

/// The Jibri of one machine.
#[derive(Clone, Debug)]
pub(crate) struct Jibri(Arc<Mutex<State>>);

impl Jibri {
    /// Its process starts now.
    pub(crate) fn start(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(State {
            now,
            up_from: now + START,
            exit: None,
            told: false,
            session: None,
            latch: None,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl HealthProbe for Jibri {
    async fn probe(&self, _: &Target) -> ProbeOutcome {
        let state = self.lock();
        if !state.is_up() {
            return ProbeOutcome::Refused;
        }
        let published = |(from, _): (Timestamp, Timestamp)| state.now >= from + CHROME;
        let busy = if state.session.is_some_and(published) {
            BusyStatus::Busy
        } else {
            BusyStatus::Idle
        };
        ProbeOutcome::Answered(JibriStatus::new(busy, HealthStatus::Healthy))
    }
}

#[async_trait]
impl DrainClient for Jibri {
    async fn is_reachable(&self, _: &Target) -> bool {
        self.lock().is_up()
    }

    async fn tell(&self, _: &Target) -> Told {
        let mut state = self.lock();
        if !state.is_up() {
            return Told::Refused;
        }
        state.told = true;
        if state.session.is_none() {
            state.exit = Some(TOLD);
        }
        Told::Yes
    }

    async fn look(&self, _: &Target) -> Presence {
        if self.lock().is_up() {
            Presence::Answers
        } else {
            Presence::BothRefuse
        }
    }
}

#[async_trait]
impl JibriService for Jibri {
    async fn states(&self) -> Vec<ServiceState> {
        vec![match self.lock().exit {
            Some(code) => ServiceState::Ended { code: Some(code) },
            None => ServiceState::Running,
        }]
    }

    async fn start(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn stop_now(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn release_check(&self) -> CheckResult {
        if self.lock().is_recording() {
            CheckResult::Failed("a recording is there".into())
        } else {
            CheckResult::Passed
        }
    }

    async fn self_check(&self) -> CheckResult {
        CheckResult::Passed
    }
}

#[async_trait]
impl LatchStore for Jibri {
    async fn load(&self) -> Result<Option<Latch>, PortError> {
        Ok(self.lock().latch.clone())
    }

    async fn set(&self, latch: &Latch) -> Result<(), PortError> {
        self.lock().latch = Some(latch.clone());
        Ok(())
    }

    async fn clear(&self) -> Result<(), PortError> {
        self.lock().latch = None;
        Ok(())
    }
}
