//! The conformance suites of the ports, on moto.

use std::time::SystemTime;

use async_trait::async_trait;
use jibri_scaler_aws::AutoScalingGroup;
use jibri_scaler_core::{
    Timestamp,
    conformance::{self, Differences, GroupFixture, GroupPorts, GroupRule},
};

use crate::{fixture, sink};

/// What moto 5.2.5 does differently from Auto Scaling, each with its reason. What Auto Scaling does is in `wire`, in its own
/// words.
fn differences() -> Differences {
    const NO_BOUNDS: &str = "moto takes any capacity, within the bounds of the group or not";
    const NO_REFUSALS: &str = "moto answers HTTP 500 and a page of HTML where Auto Scaling answers 400 and ValidationError";
    const NO_ACTIONS: &str = "moto has no CompleteLifecycleAction";
    Differences::none()
        .with(GroupRule::RefusesAboveMax, NO_BOUNDS)
        .with(GroupRule::RefusesBelowMin, NO_BOUNDS)
        .with(GroupRule::TerminateRefusesBelowMin, NO_BOUNDS)
        .with(GroupRule::CapacityOfMissingGroupFails, NO_REFUSALS)
        .with(GroupRule::TerminateUnknownIsDone, NO_REFUSALS)
        .with(GroupRule::TerminateAgainIsDone, NO_REFUSALS)
        .with(GroupRule::CompletesWhereNothingWaits, NO_ACTIONS)
}

struct Moto;

#[async_trait]
impl GroupFixture for Moto {
    async fn create(&self, min_size: u32, max_size: u32, desired: u32) -> GroupPorts {
        let number = |size: u32| i32::try_from(size).unwrap();
        let sdk = fixture::sdk();
        let (min, max, desired) = (number(min_size), number(max_size), number(desired));
        GroupPorts::of(fixture::group(&sdk, min, max, desired).await)
    }

    async fn missing(&self) -> GroupPorts {
        let group = AutoScalingGroup::new(&fixture::sdk(), fixture::unique_name());
        GroupPorts::of(fixture::patient(group.unwrap()))
    }

    /// moto does everything at once.
    async fn settle(&self) {}
}

#[tokio::test]
async fn the_group_passes() {
    if let Err(violation) = conformance::group(&Moto, &differences()).await {
        panic!("{violation}");
    }
}

#[tokio::test]
async fn the_sink_passes() {
    let (sdk, name) = (fixture::sdk(), fixture::unique_name());
    let now = Timestamp::from(SystemTime::now());
    if let Err(violation) = conformance::metrics_sink(&sink::sink(&sdk, &name), now).await {
        panic!("{violation}");
    }
}
