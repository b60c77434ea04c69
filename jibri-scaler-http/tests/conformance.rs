//! The suites of the two ports that this crate implements, against fake Jibris on real sockets.

mod common;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use common::{AMPLE, FAIR, at, fake};
use jibri_scaler_core::{
    InstanceId,
    conformance::{self, JibriBehaviour, JibriFixture},
    port::Target,
};
use jibri_scaler_http::{
    DrainConfig, HttpDrain, HttpProbe, ProbeConfig,
    addresses::LiveAddresses,
    fake::{Api, FakeJibri, FakeServer, Fault, Profile, StartOutcome},
};

/// Fake Jibris at addresses that probe and drain client find.
#[derive(Default)]
struct Fleet {
    addresses: LiveAddresses,
    jibris: Mutex<BTreeMap<InstanceId, FakeServer>>,
}

impl Fleet {
    fn probe(&self) -> HttpProbe {
        let config = ProbeConfig::default().with_timeout(FAIR).unwrap();
        HttpProbe::new(self.addresses.clone(), &config).unwrap()
    }

    fn drain(&self) -> HttpDrain {
        let config = DrainConfig::default().with_patience(FAIR).unwrap();
        HttpDrain::new(self.addresses.clone(), &config).unwrap()
    }
}

#[async_trait]
impl JibriFixture for Fleet {
    async fn start(&self, behaviour: JibriBehaviour) -> Target {
        let jibri = fake(Profile::booted());
        let both = |fault: Fault| {
            jibri.set_fault(Api::External, Some(fault)).unwrap();
            jibri.set_fault(Api::Internal, Some(fault)).unwrap();
        };
        match behaviour {
            JibriBehaviour::Idle => {}
            JibriBehaviour::Busy => {
                let accepted = jibri.start_session(at(0), "standup", None).unwrap();
                assert_eq!(accepted, StartOutcome::Accepted);
                // Chrome runs, and BUSY is published.
                jibri.advance(at(60)).unwrap();
            }
            JibriBehaviour::Refusing => jibri.kill(at(0)).unwrap(),
            JibriBehaviour::Hanging => both(Fault::Hang),
            JibriBehaviour::Garbage => both(Fault::Garbage),
            other => panic!("there is no fake Jibri that is {other:?}"),
        }
        let mut jibris = self.jibris.lock().unwrap_or_else(PoisonError::into_inner);
        let id: InstanceId = format!("i-{}", jibris.len()).parse().unwrap();
        self.addresses.insert(id.clone(), jibri.bases().clone());
        jibris.insert(id.clone(), jibri);
        Target::new(id)
    }

    async fn end_session(&self, target: &Target) {
        let jibris = self.jibris.lock().unwrap_or_else(PoisonError::into_inner);
        let jibri = &jibris[&target.id];
        jibri
            .act(|jibri: &mut FakeJibri| jibri.end_session(at(600)))
            .unwrap();
        // The finalize script runs to its end.
        jibri.advance(at(1200)).unwrap();
    }

    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    async fn call_limit(&self) {
        tokio::time::sleep(AMPLE).await;
    }
}

#[tokio::test]
async fn the_probe_passes_the_suite_of_its_port() {
    let fleet = Fleet::default();
    conformance::health_probe(&fleet.probe(), &fleet)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_drain_client_passes_the_suite_of_its_port() {
    let fleet = Fleet::default();
    conformance::drain_client(&fleet.drain(), &fleet.probe(), &fleet)
        .await
        .unwrap();
}
