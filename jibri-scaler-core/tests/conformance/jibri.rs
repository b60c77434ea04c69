use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use futures_executor::block_on;
use jibri_scaler_core::{
    BusyStatus, HealthStatus, InstanceId, JibriStatus,
    conformance::{JibriBehaviour, JibriFixture, Violation, drain_client, health_probe},
    port::{DrainClient, HealthProbe, Presence, ProbeOutcome, Target, Told},
};

/// Jibris in memory with probe and drain client, whole or broken in one way.
#[derive(Default)]
struct Fleet {
    broken: Option<Mutation>,
    jibris: Mutex<BTreeMap<InstanceId, Jibri>>,
}

#[derive(Clone, Copy)]
struct Jibri {
    behaviour: JibriBehaviour,
    told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutation {
    EndsByLooking,
    FindsNothingReachable,
    ForgetsItToldBusy,
    KillsBusy,
    LooksGoneWhenHanging,
    ProbesForEver,
    ReadsBusyAsIdle,
    ReadsGarbage,
    ReadsIdleAsBusy,
    ReadsRefusedAsTimedOut,
    TellsForEver,
    TellsNobody,
    TellsRefused,
}

impl Fleet {
    fn is(&self, mutation: Mutation) -> bool {
        self.broken == Some(mutation)
    }

    fn jibris(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Jibri>> {
        self.jibris.lock().unwrap()
    }

    fn behaviour(&self, target: &Target) -> JibriBehaviour {
        self.jibris()[&target.id].behaviour
    }

    fn change(&self, target: &Target, change: impl FnOnce(&mut Jibri)) {
        change(self.jibris().get_mut(&target.id).unwrap());
    }
}

#[async_trait]
impl JibriFixture for Fleet {
    async fn start(&self, behaviour: JibriBehaviour) -> Target {
        let mut jibris = self.jibris();
        let id: InstanceId = format!("i-{}", jibris.len()).parse().unwrap();
        let told = false;
        jibris.insert(id.clone(), Jibri { behaviour, told });
        Target::new(id)
    }

    async fn end_session(&self, target: &Target) {
        self.change(target, |jibri| jibri.behaviour = JibriBehaviour::Idle);
    }

    async fn settle(&self) {
        for jibri in self.jibris().values_mut() {
            if jibri.told && jibri.behaviour == JibriBehaviour::Idle {
                jibri.behaviour = JibriBehaviour::Refusing;
            }
        }
    }

    // A call in memory is done when it is first polled, or never.
    async fn call_limit(&self) {}
}

#[async_trait]
impl HealthProbe for Fleet {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        let says = |busy| ProbeOutcome::Answered(JibriStatus::new(busy, HealthStatus::Healthy));
        match self.behaviour(target) {
            JibriBehaviour::Idle if self.is(Mutation::ReadsIdleAsBusy) => says(BusyStatus::Busy),
            JibriBehaviour::Busy if self.is(Mutation::ReadsBusyAsIdle) => says(BusyStatus::Idle),
            JibriBehaviour::Refusing if self.is(Mutation::ReadsRefusedAsTimedOut) => {
                ProbeOutcome::TimedOut
            }
            JibriBehaviour::Hanging if self.is(Mutation::ProbesForEver) => pending().await,
            JibriBehaviour::Garbage if self.is(Mutation::ReadsGarbage) => says(BusyStatus::Idle),
            JibriBehaviour::Idle => says(BusyStatus::Idle),
            JibriBehaviour::Busy => says(BusyStatus::Busy),
            JibriBehaviour::Refusing => ProbeOutcome::Refused,
            JibriBehaviour::Garbage => ProbeOutcome::Garbage,
            _ => ProbeOutcome::TimedOut,
        }
    }
}

#[async_trait]
impl DrainClient for Fleet {
    async fn is_reachable(&self, target: &Target) -> bool {
        let behaviour = self.behaviour(target);
        !self.is(Mutation::FindsNothingReachable)
            && !matches!(
                behaviour,
                JibriBehaviour::Refusing | JibriBehaviour::Hanging
            )
    }

    async fn tell(&self, target: &Target) -> Told {
        match self.behaviour(target) {
            JibriBehaviour::Refusing if self.is(Mutation::TellsRefused) => Told::Yes,
            JibriBehaviour::Refusing => Told::Refused,
            JibriBehaviour::Hanging if self.is(Mutation::TellsForEver) => pending().await,
            JibriBehaviour::Hanging => Told::Unknown,
            behaviour => {
                let busy = behaviour == JibriBehaviour::Busy;
                self.change(target, |jibri| {
                    jibri.told = !(self.is(Mutation::TellsNobody)
                        || busy && self.is(Mutation::ForgetsItToldBusy));
                    if busy && self.is(Mutation::KillsBusy) {
                        jibri.behaviour = JibriBehaviour::Refusing;
                    }
                });
                Told::Yes
            }
        }
    }

    async fn look(&self, target: &Target) -> Presence {
        let behaviour = self.behaviour(target);
        if self.is(Mutation::EndsByLooking) {
            self.change(target, |jibri| jibri.told = true);
        }
        match behaviour {
            JibriBehaviour::Refusing => Presence::BothRefuse,
            JibriBehaviour::Hanging if self.is(Mutation::LooksGoneWhenHanging) => {
                Presence::BothRefuse
            }
            _ => Presence::Answers,
        }
    }
}

fn check_probe(broken: Option<Mutation>) -> Result<(), Violation> {
    let fleet = Fleet {
        broken,
        ..Fleet::default()
    };
    block_on(health_probe(&fleet, &fleet))
}

fn check_drain(broken: Option<Mutation>) -> Result<(), Violation> {
    let fleet = Fleet {
        broken,
        ..Fleet::default()
    };
    block_on(drain_client(&fleet, &fleet, &fleet))
}

#[test]
fn a_probe_that_tells_what_it_finds_conforms_and_others_are_found_out() {
    assert_eq!(check_probe(None), Ok(()));
    let mutations = [
        (Mutation::ReadsIdleAsBusy, "probe_reads_idle"),
        (Mutation::ReadsBusyAsIdle, "probe_reads_busy"),
        (Mutation::ReadsRefusedAsTimedOut, "probe_tells_refused"),
        (Mutation::ProbesForEver, "probe_times_out"),
        (Mutation::ReadsGarbage, "probe_reads_no_garbage"),
    ];
    for (mutation, rule) in mutations {
        let violation = check_probe(Some(mutation)).expect_err(rule);
        assert_eq!(violation.rule(), rule, "{mutation:?}: {violation}");
    }
}

#[test]
fn a_drain_client_that_loses_no_recording_conforms_and_others_are_found_out() {
    assert_eq!(check_drain(None), Ok(()));
    let mutations = [
        (Mutation::EndsByLooking, "drain_looks_without_harm"),
        (Mutation::FindsNothingReachable, "drain_looks_without_harm"),
        (Mutation::TellsNobody, "drain_ends_idle"),
        (Mutation::KillsBusy, "drain_lets_busy_finish"),
        (Mutation::ForgetsItToldBusy, "drain_lets_busy_finish"),
        (Mutation::TellsRefused, "drain_tells_refused"),
        (Mutation::TellsForEver, "drain_times_out"),
        (Mutation::LooksGoneWhenHanging, "drain_times_out"),
    ];
    for (mutation, rule) in mutations {
        let violation = check_drain(Some(mutation)).expect_err(rule);
        assert_eq!(violation.rule(), rule, "{mutation:?}: {violation}");
    }
}
