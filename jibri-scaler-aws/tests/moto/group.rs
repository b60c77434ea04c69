//! The Auto Scaling group.

use std::collections::BTreeSet;

use jibri_scaler_aws::AutoScalingGroup;
use jibri_scaler_core::{
    InstanceId, Lifecycle, Zone,
    native::{SHRINK_ENABLED, SHRINK_TAG},
    port::{Decrement, GroupControl, GroupListing, Listing, PortErrorKind},
};

use crate::fixture;

fn ids(listing: &Listing) -> BTreeSet<InstanceId> {
    listing.instances.iter().map(|i| i.id.clone()).collect()
}

#[tokio::test]
async fn a_listing_has_the_bounds_and_the_instances() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 1, 5, 3).await;
    let listing = group.list().await.unwrap();
    let numbers = listing.group;
    assert_eq!(
        (numbers.min_size, numbers.max_size, numbers.desired),
        (1, 5, 3)
    );
    assert!(!numbers.safe_retirement);
    assert_eq!(ids(&listing).len(), 3);
    for instance in &listing.instances {
        assert!(instance.id.as_str().starts_with("i-"));
        assert_eq!(instance.lifecycle, Lifecycle::InService);
        assert_eq!(
            instance.zone.as_ref().map(Zone::as_str),
            Some("eu-central-1a")
        );
        assert!(!instance.protected);
        assert_eq!(instance.launched_at, None);
    }
}

#[tokio::test]
async fn a_listing_has_the_tags_of_the_group() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 0, 5, 0).await;
    assert!(!group.list().await.unwrap().shrinks());
    let tag = aws_sdk_autoscaling::types::Tag::builder()
        .resource_id(group.name().as_str())
        .resource_type("auto-scaling-group")
        .key(SHRINK_TAG)
        .value(SHRINK_ENABLED)
        .propagate_at_launch(false)
        .build();
    aws_sdk_autoscaling::Client::new(&sdk)
        .create_or_update_tags()
        .tags(tag)
        .send()
        .await
        .unwrap();
    let listing = group.list().await.unwrap();
    assert_eq!(listing.tags[SHRINK_TAG], SHRINK_ENABLED);
    assert!(listing.shrinks());
}

#[tokio::test]
async fn an_empty_group_is_an_empty_listing() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 0, 5, 0).await;
    let listing = group.list().await.unwrap();
    assert!(listing.instances.is_empty());
    assert_eq!(listing.group.desired, 0);
}

#[tokio::test]
async fn a_group_that_does_not_exist_is_an_error_that_names_it() {
    let sdk = fixture::sdk();
    let group = AutoScalingGroup::new(&sdk, "nowhere".parse().unwrap());
    let group = fixture::patient(group.unwrap());
    let error = group.list().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Permanent);
    assert_eq!(
        error.report(),
        "could not list Auto Scaling group `nowhere` (permanent): there is no group of this name in region eu-central-1 of this \
         account; check the name, the region and the credentials"
    );
}

#[tokio::test]
async fn an_instance_in_standby_is_listed_as_such() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 0, 5, 2).await;
    let aside = group.list().await.unwrap().instances[0].id.clone();
    aws_sdk_autoscaling::Client::new(&sdk)
        .enter_standby()
        .auto_scaling_group_name(group.name().as_str())
        .instance_ids(aside.as_str())
        .should_decrement_desired_capacity(true)
        .send()
        .await
        .unwrap();
    let listing = group.list().await.unwrap();
    let lifecycle = |id: &InstanceId| {
        let found = listing.instances.iter().find(|i| i.id == *id).unwrap();
        found.lifecycle.clone()
    };
    assert_eq!(lifecycle(&aside), Lifecycle::Standby);
    assert_eq!(listing.group.desired, 1);
}

#[tokio::test]
async fn the_capacity_that_is_set_is_listed_and_launched() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 0, 9, 1).await;
    let before = ids(&group.list().await.unwrap());
    for _ in 0..2 {
        group.set_capacity(4).await.unwrap();
        let listing = group.list().await.unwrap();
        assert_eq!(listing.group.desired, 4);
        assert_eq!(listing.instances.len(), 4);
        assert!(ids(&listing).is_superset(&before));
    }
}

#[tokio::test]
async fn protected_instances_survive_a_lower_capacity() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 0, 9, 4).await;
    let all = ids(&group.list().await.unwrap());
    let kept: Vec<_> = all.iter().take(3).cloned().collect();
    for _ in 0..2 {
        group.protect(&kept).await.unwrap();
    }
    let listing = group.list().await.unwrap();
    for instance in &listing.instances {
        assert_eq!(instance.protected, kept.contains(&instance.id));
    }
    group.set_capacity(1).await.unwrap();
    let listing = group.list().await.unwrap();
    assert_eq!(listing.group.desired, 1);
    assert_eq!(ids(&listing), kept.into_iter().collect());
}

#[tokio::test]
async fn more_instances_than_one_call_may_name_are_protected() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 0, 60, 53).await;
    let all: Vec<_> = ids(&group.list().await.unwrap()).into_iter().collect();
    group.protect(&all).await.unwrap();
    let listing = group.list().await.unwrap();
    assert_eq!(listing.instances.len(), 53);
    assert!(listing.instances.iter().all(|i| i.protected));
}

#[tokio::test]
async fn a_termination_with_decrement_takes_that_instance_and_no_other() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 0, 9, 3).await;
    let all: Vec<_> = ids(&group.list().await.unwrap()).into_iter().collect();
    // Ending one by its id ignores protection.
    group.protect(&all).await.unwrap();
    group.terminate(&all[1], Decrement::Yes).await.unwrap();
    let listing = group.list().await.unwrap();
    assert_eq!(listing.group.desired, 2);
    assert_eq!(
        ids(&listing),
        [all[0].clone(), all[2].clone()].into_iter().collect()
    );
}

#[tokio::test]
async fn a_termination_without_decrement_is_replaced() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 0, 9, 2).await;
    let before = ids(&group.list().await.unwrap());
    let gone = before.first().unwrap();
    group.terminate(gone, Decrement::No).await.unwrap();
    let listing = group.list().await.unwrap();
    let after = ids(&listing);
    assert_eq!(listing.group.desired, 2);
    assert_eq!(after.len(), 2);
    assert!(!after.contains(gone));
    assert_eq!(after.intersection(&before).count(), 1);
}
