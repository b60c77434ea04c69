//! A group in memory whose instances are fake Jibris on real ports, each behind a proxy.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jibri_scaler_core::{
    Group, Instance, InstanceId, JibriStatus, Lifecycle, Timestamp,
    port::{
        Decrement, GroupControl, GroupListing, HealthProbe, Listing, PortError, ProbeOutcome,
        Target,
    },
};
use jibri_scaler_http::{
    HttpProbe,
    addresses::{BaseUrl, LiveAddresses},
    fake::{FakeJibri, FakeServer, Profile, SessionEvent},
};

use crate::{common::bases, proxy::Proxy};

pub(crate) struct Member {
    pub(crate) fake: FakeServer,
    pub(crate) health: Proxy,
    pub(crate) internal: Proxy,
}

impl Member {
    fn new(now: Timestamp) -> Self {
        let fake = FakeServer::start(FakeJibri::new(Profile::booted(), now)).unwrap();
        let address = |base: &BaseUrl| base.as_str()["http://".len()..].parse().unwrap();
        let health = Proxy::start(address(&fake.bases().health));
        let internal = Proxy::start(address(&fake.bases().internal));
        Self {
            fake,
            health,
            internal,
        }
    }
}

pub(crate) struct Members {
    addresses: LiveAddresses,
    state: Mutex<State>,
}

struct State {
    desired: u32,
    now: Timestamp,
    launched: u32,
    listed: BTreeMap<InstanceId, Row>,
    /// Given back while they recorded.
    lost: Vec<InstanceId>,
    released: usize,
    events: Vec<SessionEvent>,
}

#[derive(Clone)]
struct Row {
    member: Arc<Member>,
    protected: bool,
}

impl Members {
    pub(crate) fn new(addresses: LiveAddresses, desired: u32, now: Timestamp) -> Self {
        let state = State {
            desired,
            now,
            launched: 0,
            listed: BTreeMap::new(),
            lost: Vec::new(),
            released: 0,
            events: Vec::new(),
        };
        Self {
            addresses,
            state: Mutex::new(state),
        }
    }

    /// Time goes on: what was asked for is launched, and the ports are as their Jibris. Returns those that are new.
    pub(crate) async fn advance(&self, now: Timestamp) -> Vec<Arc<Member>> {
        let (new, all) = {
            let mut state = self.lock();
            state.now = now;
            let mut new = Vec::new();
            while state.listed.len() < state.desired as usize {
                state.launched += 1;
                let id: InstanceId = format!("i-{:03}", state.launched).parse().unwrap();
                let member = Arc::new(Member::new(now));
                let apis = bases(member.health.address(), member.internal.address());
                self.addresses.insert(id.clone(), apis);
                new.push(Arc::clone(&member));
                state.listed.insert(
                    id,
                    Row {
                        member,
                        protected: false,
                    },
                );
            }
            let all: Vec<_> = state
                .listed
                .values()
                .map(|row| Arc::clone(&row.member))
                .collect();
            (new, all)
        };
        for member in &all {
            member.fake.advance(now).unwrap();
            let events = member.fake.act(FakeJibri::take_reports).unwrap();
            let events = events.into_iter().map(|report| report.event);
            self.lock().events.extend(events);
            member.health.follow().await;
            member.internal.follow().await;
        }
        new
    }

    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        let state = self.lock();
        state
            .listed
            .values()
            .map(|row| Arc::clone(&row.member))
            .collect()
    }

    pub(crate) fn member(&self, id: &InstanceId) -> Option<Arc<Member>> {
        let state = self.lock();
        state.listed.get(id).map(|row| Arc::clone(&row.member))
    }

    pub(crate) fn lost(&self) -> Vec<InstanceId> {
        self.lock().lost.clone()
    }

    /// How many were given back.
    pub(crate) fn released(&self) -> usize {
        self.lock().released
    }

    pub(crate) fn count(&self, event: SessionEvent) -> usize {
        self.lock()
            .events
            .iter()
            .filter(|seen| **seen == event)
            .count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl GroupListing for Members {
    async fn list(&self) -> Result<Listing, PortError> {
        let state = self.lock();
        let mut group = Group::new(1, 9, state.desired);
        group.safe_retirement = true;
        let instances = state.listed.iter().map(|(id, row)| {
            let mut instance = Instance::new(id.clone(), Lifecycle::InService);
            instance.protected = row.protected;
            instance
        });
        Ok(Listing::new(group, instances.collect()))
    }
}

#[async_trait]
impl GroupControl for Members {
    async fn protect(&self, ids: &[InstanceId]) -> Result<(), PortError> {
        let mut state = self.lock();
        for id in ids {
            if let Some(row) = state.listed.get_mut(id) {
                row.protected = true;
            }
        }
        Ok(())
    }

    async fn set_capacity(&self, desired: u32) -> Result<(), PortError> {
        self.lock().desired = desired;
        Ok(())
    }

    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
        let mut state = self.lock();
        let Some(Row { member, .. }) = state.listed.remove(id) else {
            return Ok(());
        };
        if member.fake.is_session_active() {
            state.lost.push(id.clone());
        }
        state.released += 1;
        state.desired -= u32::from(decrement == Decrement::Yes);
        member.fake.kill(state.now).unwrap();
        let events = member.fake.act(FakeJibri::take_reports).unwrap();
        state
            .events
            .extend(events.into_iter().map(|report| report.event));
        Ok(())
    }

    async fn complete_termination(&self, _id: &InstanceId) -> Result<(), PortError> {
        Ok(())
    }
}

/// The probe, which must never read what the Jibri did not say.
pub(crate) struct Checked {
    pub(crate) probe: HttpProbe,
    pub(crate) group: Arc<Members>,
}

#[async_trait]
impl HealthProbe for Checked {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        let outcome = self.probe.probe(target).await;
        if let ProbeOutcome::Answered(read) = &outcome {
            let member = Arc::clone(&self.group.lock().listed[&target.id].member);
            let said = member.fake.act(|jibri| jibri.health()).unwrap();
            assert_eq!(Some(read), JibriStatus::from_json(&said).as_ref());
        }
        outcome
    }
}
