//! The conformance suites of the ports, on moto.

use std::time::SystemTime;

use async_trait::async_trait;
use jibri_scaler_aws::AutoScalingGroup;
use jibri_scaler_core::{
    Timestamp,
    conformance::{self, GroupFixture, GroupPorts},
};

use crate::{differences::differences, fixture, sink};

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
