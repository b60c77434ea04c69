//! Against moto.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use jibri_scaler_aws::{AutoScalingGroup, Ec2Listing};
use jibri_scaler_core::{
    Timestamp,
    conformance::{self, GroupFixture, GroupPorts},
    port::{Decrement, GroupControl, GroupListing},
};

use crate::{differences::differences, fixture};

struct Moto;

impl Moto {
    /// The group, listed with what EC2 knows.
    fn ports(group: AutoScalingGroup) -> GroupPorts {
        let listing = Ec2Listing::new(&fixture::sdk(), group.clone()).unwrap();
        GroupPorts::new(listing.with_timeout(Duration::from_mins(1)), group)
    }
}

#[async_trait]
impl GroupFixture for Moto {
    async fn create(&self, min_size: u32, max_size: u32, desired: u32) -> GroupPorts {
        let number = |size: u32| i32::try_from(size).unwrap();
        let (min, max, desired) = (number(min_size), number(max_size), number(desired));
        Self::ports(fixture::group(&fixture::sdk(), min, max, desired).await)
    }

    async fn missing(&self) -> GroupPorts {
        let group = AutoScalingGroup::new(&fixture::sdk(), fixture::unique_name());
        Self::ports(fixture::patient(group.unwrap()))
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
async fn a_group_is_listed_with_launch_times_and_addresses() {
    let sdk = fixture::sdk();
    // moto keeps launch times by the second.
    let before = Timestamp::from(SystemTime::now()).before(Duration::from_secs(1));
    let group = fixture::group(&sdk, 1, 5, 3).await;
    let listing = Ec2Listing::new(&sdk, group.clone())
        .unwrap()
        .with_timeout(Duration::from_mins(1));
    let seen = listing.list().await.unwrap();
    let now = Timestamp::from(SystemTime::now());
    assert_eq!(seen.findings, []);
    for instance in &seen.instances {
        let launched = instance.launched_at.unwrap();
        assert!((before..=now).contains(&launched), "{launched}");
    }
    let addresses: BTreeSet<_> = seen.instances.iter().map(|row| row.private_ip).collect();
    assert_eq!(addresses.len(), 3);
    assert!(!addresses.contains(&None));

    // One that has left is described no more, and the others stay as they were.
    let gone = seen.instances[0].id.clone();
    group.terminate(&gone, Decrement::Yes).await.unwrap();
    let mut after = listing.list().await.unwrap().instances;
    let mut rest = seen.instances[1..].to_vec();
    for rows in [&mut after, &mut rest] {
        rows.sort_by(|a, b| a.id.cmp(&b.id));
    }
    assert_eq!(after, rest);
}
