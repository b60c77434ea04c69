//! Against moto.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use jibri_scaler_aws::Ec2Listing;
use jibri_scaler_core::{
    Timestamp,
    port::{Decrement, GroupControl, GroupListing},
};

use crate::fixture;

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
