//! What the tests against moto share.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_autoscaling::config::{Credentials, SharedCredentialsProvider};
use jibri_scaler_aws::{AutoScalingGroup, GroupName};

use crate::server;

/// A configuration that reaches moto, for one test: an HTTP client belongs to the runtime of its test.
pub(crate) fn sdk() -> SdkConfig {
    sdk_in("eu-central-1")
}

/// The same in a region of its own, for tests that make what moto keeps by its name alone, whatever the group: scaling policies.
pub(crate) fn sdk_in(region: &'static str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "test",
        )))
        .endpoint_url(format!("http://127.0.0.1:{}", server::port()))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

/// A name that no other test has.
pub(crate) fn unique_name() -> GroupName {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("group-{number}").parse().unwrap()
}

/// Makes a group of its own for a test.
pub(crate) async fn group(sdk: &SdkConfig, min: i32, max: i32, desired: i32) -> AutoScalingGroup {
    let name = unique_name();
    let client = aws_sdk_autoscaling::Client::new(sdk);
    client
        .create_launch_configuration()
        .launch_configuration_name(name.as_str())
        .image_id("ami-12345678")
        .instance_type("t3.small")
        .send()
        .await
        .unwrap();
    client
        .create_auto_scaling_group()
        .auto_scaling_group_name(name.as_str())
        .launch_configuration_name(name.as_str())
        .availability_zones(format!("{}a", sdk.region().unwrap()))
        .min_size(min)
        .max_size(max)
        .desired_capacity(desired)
        .send()
        .await
        .unwrap();
    patient(AutoScalingGroup::new(sdk, name).unwrap())
}

/// moto is slow on a loaded machine, and its time is not what is tested.
pub(crate) fn patient(group: AutoScalingGroup) -> AutoScalingGroup {
    group.with_timeout(Duration::from_mins(1))
}
