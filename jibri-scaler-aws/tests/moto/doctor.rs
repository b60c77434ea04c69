//! The doctor on a group that gets well by what it says.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_autoscaling::Client;
use jibri_scaler_aws::{GroupName, doctor::Doctor, inspect::Inspector};
use jibri_scaler_core::{
    Tally, Timestamp,
    agent::HOOK_TERMINATING,
    port::{FleetMetrics, GroupControl, GroupListing, MetricsSink},
};

use crate::{fixture, sink};

async fn rules(sdk: &SdkConfig, name: &GroupName, now: Timestamp) -> Vec<&'static str> {
    // moto is slow on a loaded machine, and its time is not what is tested.
    let inspector = Inspector::new(sdk, name.clone())
        .unwrap()
        .with_timeout(Duration::from_mins(1));
    let setup = inspector.inspect(now).await.unwrap();
    let mut rules: Vec<_> = Doctor::default()
        .examine(&setup)
        .iter()
        .map(|finding| finding.rule)
        .collect();
    // Without the feature `ec2` nobody asks whether the instances are Spot, which is another one that is unread.
    rules.dedup();
    rules
}

#[tokio::test]
async fn a_bare_group_gets_well_by_its_fixes() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 1, 5, 2).await;
    let now = Timestamp::from(SystemTime::now());
    assert_eq!(
        rules(&sdk, group.name(), now).await,
        [
            "no_hook",
            "not_born_protected",
            "unprotected",
            "missing_points",
            "unread"
        ]
    );

    let client = Client::new(&sdk);
    client
        .put_lifecycle_hook()
        .auto_scaling_group_name(group.name().as_str())
        .lifecycle_hook_name(HOOK_TERMINATING)
        .lifecycle_transition("autoscaling:EC2_INSTANCE_TERMINATING")
        .heartbeat_timeout(3600)
        .default_result("ABANDON")
        .send()
        .await
        .unwrap();
    client
        .update_auto_scaling_group()
        .auto_scaling_group_name(group.name().as_str())
        .new_instances_protected_from_scale_in(true)
        .send()
        .await
        .unwrap();
    let listing = group.list().await.unwrap();
    let ids: Vec<_> = listing
        .instances
        .into_iter()
        .map(|instance| instance.id)
        .collect();
    group.protect(&ids).await.unwrap();
    // As a controller does, every ten seconds, for both.
    let second = Timestamp::from_secs(now.as_micros() / 10_000_000 * 10);
    let sink = sink::sink(&sdk, group.name());
    let mut tally = Tally::default();
    (tally.spare, tally.busy, tally.total) = (1, 1, 2);
    for back in 0..30 {
        let at = second.before(Duration::from_secs(5) + Duration::from_secs(10) * back);
        sink.publish(&FleetMetrics::new(at, &tally, 2, 1))
            .await
            .unwrap();
    }
    // What is left the emulator does not know: retention and refreshes. And a controller is no agent.
    assert_eq!(
        rules(&sdk, group.name(), now).await,
        ["hook_does_not_retain", "no_agent", "unread"]
    );
}
