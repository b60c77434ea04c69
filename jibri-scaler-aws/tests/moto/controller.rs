//! The whole: the controller on an Auto Scaling group, with fake Jibris on real ports as its instances.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use jibri_scaler_aws::{AutoScalingGroup, CloudWatchSink};
use jibri_scaler_core::{
    Controller, InstanceId, Limits, Timestamp,
    controller::TickReport,
    observe::JoinedObserver,
    policy::MinIdle,
    port::{GroupControl as _, GroupListing as _, Listing},
    retirement::Phase,
};
use jibri_scaler_http::{
    DrainConfig, HttpDrain, HttpProbe, ProbeConfig,
    addresses::LiveAddresses,
    fake::{FakeJibri, FakeServer, Profile, SessionEvent, StartOutcome},
};

use crate::fixture;

const INTERVAL: Duration = Duration::from_secs(20);

/// A group at moto whose every instance has a fake Jibri, and its controller.
pub(crate) struct World {
    pub(crate) group: AutoScalingGroup,
    addresses: LiveAddresses,
    pub(crate) jibris: BTreeMap<InstanceId, FakeServer>,
    pub(crate) controller: Controller,
    pub(crate) now: Timestamp,
}

impl World {
    async fn new() -> Self {
        Self::through(&fixture::sdk()).await
    }

    /// The same whose controller reaches moto by this configuration.
    pub(crate) async fn through(sdk: &SdkConfig) -> Self {
        let group = fixture::group(&fixture::sdk(), 1, 4, 1).await;
        let name = group.name().clone();
        let capacity = fixture::patient(AutoScalingGroup::new(sdk, name.clone()).unwrap());
        let addresses = LiveAddresses::default();
        let patience = Duration::from_secs(30);
        let config = ProbeConfig::default().with_timeout(patience).unwrap();
        let probe = HttpProbe::new(addresses.clone(), &config).unwrap();
        let drain = HttpDrain::new(addresses.clone(), &DrainConfig::default()).unwrap();
        let drain = Arc::new(drain);
        let observer = JoinedObserver::new(capacity.clone(), probe, move || {
            Box::pin(tokio::time::sleep(patience))
        });
        let minute = Duration::from_mins(1);
        let limits = Limits::default().with_idle_timeout(minute).unwrap();
        let limits = limits.with_report_ttl(2 * INTERVAL).unwrap();
        let limits = limits.with_gone_after(2 * INTERVAL).unwrap();
        let sink = CloudWatchSink::new(sdk, name, INTERVAL).unwrap();
        let controller = Controller::new(
            MinIdle::new(2).unwrap(),
            limits,
            observer.with_drain(drain.clone()),
            capacity,
        );
        let controller = controller
            .with_drain(drain)
            .with_metrics(sink.with_timeout(patience))
            .with_interval(INTERVAL)
            .unwrap();
        let now = Timestamp::from(std::time::SystemTime::now());
        let jibris = BTreeMap::new();
        Self {
            group,
            addresses,
            jibris,
            controller,
            now,
        }
    }

    /// Time goes on, and the controller ticks.
    pub(crate) async fn tick(&mut self) -> TickReport {
        self.pass_time().await;
        self.control().await
    }

    /// Time goes on, and new instances have booted.
    pub(crate) async fn pass_time(&mut self) {
        self.now = self.now + INTERVAL;
        for instance in self.listing().await.instances {
            self.jibris.entry(instance.id).or_insert_with_key(|id| {
                let jibri = FakeServer::start(FakeJibri::new(Profile::booted(), self.now)).unwrap();
                self.addresses.insert(id.clone(), jibri.bases().clone());
                jibri
            });
        }
        for jibri in self.jibris.values() {
            jibri.advance(self.now).unwrap();
        }
    }

    async fn control(&mut self) -> TickReport {
        let report = self.controller.tick(self.now).await.unwrap();
        assert!(
            report.problems.is_empty() && report.breaches.is_empty(),
            "{report}"
        );
        report
    }

    pub(crate) async fn listing(&self) -> Listing {
        self.group.list().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_grows_for_a_recording_and_comes_down_after_it() {
    let mut world = World::new().await;
    let first = world.tick().await;
    assert_eq!(
        first.decision.plan.capacity(),
        Some(2),
        "one is idle, two are wanted"
    );
    let second = world.tick().await;
    assert_eq!(second.decision.tally.spare, 2);
    let listing = world.listing().await;
    assert!(listing.instances.iter().all(|instance| instance.protected));

    // A recording begins on the one that has been idle longest, the first to go.
    let busy = listing
        .instances
        .iter()
        .map(|instance| instance.id.clone())
        .min()
        .unwrap();
    let session = Duration::from_mins(5);
    world.jibris[&busy]
        .start_session(world.now, "standup", Some(session))
        .unwrap();
    assert_eq!(world.tick().await.decision.plan.capacity(), Some(3));

    let mut retired = Vec::new();
    let mut phases = Vec::new();
    for _ in 0..40 {
        let report = world.tick().await;
        retired.extend(report.decision.plan.retires().map(|(id, _)| id.clone()));
        phases.extend(report.progress.iter().map(|progress| progress.to));
        for id in &retired {
            assert!(
                !world.jibris[id].is_session_active(),
                "a recording is running on {id}"
            );
        }
    }
    assert_eq!(
        retired.len(),
        1,
        "two idle ones are wanted, three were there: {retired:?}"
    );
    assert_eq!(phases, [Phase::Told, Phase::Gone, Phase::Released]);
    let listing = world.listing().await;
    assert_eq!((listing.group.desired, listing.instances.len()), (2, 2));
    assert!(
        listing
            .instances
            .iter()
            .all(|instance| instance.id != retired[0])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_begins_as_its_jibri_is_chosen_is_finished_first() {
    let mut world = World::new().await;
    assert_eq!(world.tick().await.decision.tally.spare, 1);
    world.group.set_capacity(3).await.unwrap();
    for _ in 0..3 {
        assert_eq!(world.tick().await.decision.plan.retires().count(), 0);
    }
    // Everybody has just accepted a recording, and still reads IDLE while Chrome starts.
    world.pass_time().await;
    let lasts = Some(Duration::from_mins(5));
    for jibri in world.jibris.values() {
        let accepted = jibri.start_session(world.now, "standup", lasts).unwrap();
        assert_eq!(accepted, StartOutcome::Accepted);
    }
    let report = world.control().await;
    let retired: Vec<_> = report
        .decision
        .plan
        .retires()
        .map(|(id, _)| id.clone())
        .collect();
    let [victim] = retired.as_slice() else {
        panic!("one of three is too many: {retired:?}")
    };

    let mut phases = Vec::new();
    for _ in 0..40 {
        let recording = world.jibris[victim].is_session_active();
        let report = world.tick().await;
        let moved = report
            .progress
            .iter()
            .filter(|progress| progress.id == *victim);
        phases.extend(moved.map(|progress| progress.to));
        let listed = world
            .listing()
            .await
            .instances
            .iter()
            .any(|instance| instance.id == *victim);
        assert!(listed || !recording, "given back while it recorded");
    }
    let told_first = [Phase::Told, Phase::Finishing, Phase::Gone, Phase::Released];
    assert_eq!(phases, told_first);
    let reports = world.jibris[victim].act(FakeJibri::take_reports).unwrap();
    let events: Vec<_> = reports.iter().map(|report| report.event).collect();
    assert_eq!(events, [SessionEvent::Accepted, SessionEvent::Finished]);
}
