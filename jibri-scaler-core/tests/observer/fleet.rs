//! A group in which each Jibri answers as it is set to.

use std::{
    collections::BTreeMap,
    future::{Future, pending, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::Poll,
};

use async_trait::async_trait;
use futures_executor::block_on;
use jibri_scaler_core::{
    BusyStatus, Finding, Group, HealthStatus, Instance, InstanceId, JibriStatus, Lifecycle,
    Timestamp,
    observe::{FleetObserver as _, JoinedObserver, Observation},
    port::{
        DrainClient, GroupListing, HealthProbe, Listing, PortError, PortErrorKind, Presence,
        ProbeOutcome, Target, Told,
    },
};

/// A group whose Jibris answer as they are set to. One that is set to nothing never answers.
#[derive(Clone, Default)]
pub(crate) struct Fleet(Arc<Mutex<Script>>);

#[derive(Default)]
pub(crate) struct Script {
    pub(crate) rows: Vec<Instance>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) health: BTreeMap<String, ProbeOutcome>,
    /// Whether the internal port answers; absent, it never does.
    pub(crate) internal: BTreeMap<String, bool>,
    pub(crate) unlisted: bool,
    pub(crate) probed: Vec<String>,
    pub(crate) asked: Vec<String>,
    pub(crate) running: usize,
    pub(crate) most_running: usize,
}

impl Fleet {
    pub(crate) fn of(ids: &[&str]) -> Self {
        let fleet = Self::default();
        fleet.script().rows = ids.iter().map(|id| row(id, Lifecycle::InService)).collect();
        fleet
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    pub(crate) fn answers(&self, id: &str, outcome: ProbeOutcome) {
        self.script().health.insert(id.into(), outcome);
    }

    pub(crate) fn hangs(&self, id: &str) {
        self.script().health.remove(id);
    }

    pub(crate) fn internal(&self, id: &str, reachable: bool) {
        self.script().internal.insert(id.into(), reachable);
    }

    /// An observer whose deadline comes as soon as nobody else has anything to do.
    pub(crate) fn observer(&self) -> JoinedObserver {
        let fleet = self.clone();
        JoinedObserver::new(self.clone(), self.clone(), move || {
            Box::pin(fleet.clone().deadline()) as Pin<Box<dyn Future<Output = ()> + Send>>
        })
    }

    async fn deadline(self) {
        let mut polls = 0;
        // The questions are polled first, so when this is polled a few times in a row, nothing else goes on.
        poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls > 200 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    pub(crate) fn probed(&self) -> Vec<String> {
        std::mem::take(&mut self.script().probed)
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.script().asked)
    }
}

/// Gives way a few times, so that questions overlap.
pub(crate) async fn take_a_while() {
    let mut turns = 3;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        turns -= 1;
        if turns == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[async_trait]
impl GroupListing for Fleet {
    async fn list(&self) -> Result<Listing, PortError> {
        let script = self.script();
        if script.unlisted {
            return Err(PortError::new(PortErrorKind::Throttled, "list"));
        }
        let mut listing = Listing::new(Group::new(0, 99, 3), script.rows.clone());
        listing.findings.clone_from(&script.findings);
        Ok(listing)
    }
}

#[async_trait]
impl HealthProbe for Fleet {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        let outcome = {
            let mut script = self.script();
            script.probed.push(target.id.to_string());
            script.running += 1;
            script.most_running = script.most_running.max(script.running);
            script.health.get(target.id.as_str()).cloned()
        };
        let Some(outcome) = outcome else {
            return pending().await;
        };
        take_a_while().await;
        self.script().running -= 1;
        outcome
    }
}

#[async_trait]
impl DrainClient for Fleet {
    async fn is_reachable(&self, target: &Target) -> bool {
        let reachable = {
            let mut script = self.script();
            script.asked.push(target.id.to_string());
            script.internal.get(target.id.as_str()).copied()
        };
        match reachable {
            Some(reachable) => reachable,
            None => pending().await,
        }
    }

    async fn tell(&self, target: &Target) -> Told {
        panic!("an observer tells nobody anything: {}", target.id)
    }

    async fn look(&self, target: &Target) -> Presence {
        panic!("an observer does not look: {}", target.id)
    }
}

pub(crate) fn id(id: &str) -> InstanceId {
    id.parse().unwrap()
}

pub(crate) fn row(name: &str, lifecycle: Lifecycle) -> Instance {
    Instance::new(id(name), lifecycle)
}

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(crate) fn status(busy: BusyStatus) -> JibriStatus {
    JibriStatus::new(busy, HealthStatus::Healthy)
}

pub(crate) fn idle() -> ProbeOutcome {
    ProbeOutcome::Answered(status(BusyStatus::Idle))
}

pub(crate) fn observe(observer: &JoinedObserver, secs: i64) -> Observation {
    block_on(observer.observe(at(secs))).unwrap()
}

pub(crate) fn one<'a>(observation: &'a Observation, name: &str) -> &'a Instance {
    let [row] = observation.snapshot.rows(&id(name)) else {
        panic!("{name}: {:?}", observation.snapshot)
    };
    row
}
