//! Provisioning, as far as moto keeps what it is told. It forgets instance lifecycle policies, and cannot stop collecting group
//! metrics.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_sdk_autoscaling::Client;
use jibri_scaler_aws::{
    AutoScalingGroup, GroupName,
    agent::CloudWatchIdle,
    inspect::{GroupSetup, QuerySource},
    provision::{Current, Options, ProvisionPlan, Provisioner, destroy, plan},
};
use jibri_scaler_core::{
    Limits, Timestamp,
    agent::port::{IdleSignal, SignalPoint},
    native::{Growth, SHRINK_ENABLED, SHRINK_TAG},
    policy::MinIdle,
    port::{Decrement, GroupControl},
};

use crate::fixture;

const RETENTION: &str = "abandoned instances";

fn provisioner(sdk: &SdkConfig, name: &GroupName) -> Provisioner {
    // moto is slow on a loaded machine, and its time is not what is tested.
    Provisioner::new(sdk, name.clone())
        .unwrap()
        .with_timeout(Duration::from_mins(1))
}

fn options() -> Options {
    Options::new(MinIdle::new(2).unwrap(), Limits::default())
        .with_topic("arn:aws:sns:eu-central-1:123456789012:jibri")
        .unwrap()
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// A group of three whose agents have published in the last whole minute but one.
async fn group(sdk: &SdkConfig) -> AutoScalingGroup {
    let group = fixture::group(sdk, 1, 9, 3).await;
    let signal = CloudWatchIdle::new(sdk, group.name().clone(), Duration::from_secs(10)).unwrap();
    let signal = signal.with_timeout(Duration::from_mins(1));
    let minute = now().as_micros().div_euclid(60_000_000) * 60 - 120;
    for _ in 0..3 {
        let points = [5, 15, 25, 35, 45, 55].map(|second| {
            let mut point = SignalPoint::new(Timestamp::from_secs(minute + second), true);
            point.in_service = Some(3);
            point
        });
        signal.publish(&points).await.unwrap();
    }
    group
}

async fn collect_group_metrics(sdk: &SdkConfig, name: &GroupName) {
    Client::new(sdk)
        .enable_metrics_collection()
        .auto_scaling_group_name(name.as_str())
        .granularity("1Minute")
        .metrics("GroupDesiredCapacity")
        .metrics("GroupInServiceInstances")
        .metrics("GroupTerminatingInstances")
        .send()
        .await
        .unwrap();
}

async fn apply(provisioner: &Provisioner, plan: &ProvisionPlan) -> usize {
    let mut done = 0;
    provisioner.apply(plan, |_| done += 1).await.unwrap();
    done
}

fn whats(plan: &ProvisionPlan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.what.as_str()).collect()
}

/// What of a group is provisioned, of what moto keeps.
fn kept(current: &Current) -> impl PartialEq + std::fmt::Debug + use<> {
    let GroupSetup {
        tags,
        hooks,
        policies,
        alarms,
        suspended_processes,
        new_instances_protected,
        health_check_type,
        collected_metrics,
        ..
    } = current.setup.clone();
    (
        (tags, hooks, policies, alarms, current.dashboard.clone()),
        (
            suspended_processes,
            new_instances_protected,
            health_check_type,
            collected_metrics,
        ),
    )
}

#[tokio::test]
async fn a_group_is_provisioned_and_the_second_plan_is_empty() {
    let sdk = fixture::sdk_in("eu-west-1");
    let group = group(&sdk).await;
    let provisioner = provisioner(&sdk, group.name());
    let first = plan(&provisioner.read(now()).await.unwrap(), &options()).unwrap();
    assert_eq!(first.waits_for, Vec::<String>::new());
    assert_eq!(apply(&provisioner, &first).await, first.steps.len());

    let current = provisioner.read(now()).await.unwrap();
    let second = plan(&current, &options()).unwrap();
    assert_eq!(whats(&second), [RETENTION], "{second}");

    let setup = &current.setup;
    assert_eq!(setup.hooks.as_ref().unwrap().len(), 2);
    assert!(setup.new_instances_protected && setup.is_suspended("AZRebalance"));
    assert!(setup.instances.iter().all(|member| member.protected));
    assert_eq!(setup.tags[SHRINK_TAG].value, SHRINK_ENABLED);
    assert!(setup.collected_metrics.contains("GroupInServiceInstances"));
    assert!(current.dashboard.is_some());

    let policies = setup.policies.as_ref().unwrap();
    let alarms = setup.alarms.as_ref().unwrap();
    assert_eq!((policies.len(), alarms.len()), (1, 7));
    let growth = Growth::new(&MinIdle::new(2).unwrap(), 20, 1).unwrap();
    let expression = QuerySource::Expression(growth.expression());
    let grows = alarms
        .iter()
        .find(|alarm| alarm.queries.iter().any(|query| query.source == expression))
        .unwrap();
    assert_eq!(grows.alarm_actions, [policies[0].arn.clone().unwrap()]);
}

#[tokio::test]
async fn a_change_of_the_policy_is_made_in_place() {
    let sdk = fixture::sdk_in("eu-west-3");
    let group = group(&sdk).await;
    let provisioner = provisioner(&sdk, group.name());
    let first = plan(&provisioner.read(now()).await.unwrap(), &options()).unwrap();
    apply(&provisioner, &first).await;

    let limits = Limits::default()
        .with_boot_deadline(Duration::from_mins(5))
        .unwrap();
    let changed = Options::new(MinIdle::new(4).unwrap(), limits)
        .with_topic("arn:aws:sns:eu-central-1:123456789012:jibri")
        .unwrap();
    let second = plan(&provisioner.read(now()).await.unwrap(), &changed).unwrap();
    assert_eq!(
        whats(&second).into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([
            RETENTION,
            "hook jibri-scaler-launching",
            "policy jibri-scaler-growth",
            &format!("alarm jibri-scaler-growth-{}", group.name()),
            &format!("dashboard jibri-scaler-{}", group.name()),
        ])
    );
    apply(&provisioner, &second).await;
    let current = provisioner.read(now()).await.unwrap();
    assert_eq!(whats(&plan(&current, &changed).unwrap()), [RETENTION]);
    assert_eq!(current.setup.hooks.unwrap().len(), 2);
    assert_eq!(current.setup.policies.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_made_is_taken_away_and_nothing_else() {
    let sdk = fixture::sdk_in("us-east-2");
    let group = group(&sdk).await;
    collect_group_metrics(&sdk, group.name()).await;
    let provisioner = provisioner(&sdk, group.name());
    let before = provisioner.read(now()).await.unwrap();
    apply(&provisioner, &plan(&before, &options()).unwrap()).await;
    let made = provisioner.read(now()).await.unwrap();
    assert_ne!(kept(&made), kept(&before));

    let first = destroy(&made).unwrap();
    assert!(first.waits_for[0].starts_with("agents to see"), "{first}");
    apply(&provisioner, &first).await;
    let later = now() + Duration::from_mins(20);
    let rest = destroy(&provisioner.read(later).await.unwrap()).unwrap();
    assert_eq!(rest.later, []);
    apply(&provisioner, &rest).await;
    let after = provisioner.read(now()).await.unwrap();
    assert_eq!(kept(&after), kept(&before));
    assert!(destroy(&after).unwrap().is_empty());
}

#[tokio::test]
async fn instances_that_came_after_the_plan_are_protected_too() {
    let sdk = fixture::sdk_in("us-west-2");
    let group = group(&sdk).await;
    let provisioner = provisioner(&sdk, group.name());
    let plan = plan(&provisioner.read(now()).await.unwrap(), &options()).unwrap();
    group.set_capacity(5).await.unwrap();
    let gone = provisioner.read(now()).await.unwrap().setup.instances[0]
        .id
        .clone();
    group.terminate(&gone, Decrement::Yes).await.unwrap();
    apply(&provisioner, &plan).await;
    let setup = provisioner.read(now()).await.unwrap().setup;
    assert_eq!(setup.instances.len(), 4);
    assert!(setup.instances.iter().all(|member| member.protected));
}

#[tokio::test]
async fn without_agents_only_what_keeps_recordings_is_made() {
    let sdk = fixture::sdk_in("eu-north-1");
    let group = fixture::group(&sdk, 1, 9, 2).await;
    let provisioner = provisioner(&sdk, group.name());
    let plan = plan(&provisioner.read(now()).await.unwrap(), &options()).unwrap();
    assert!(plan.waits_for[0].starts_with("agents on all instances"));
    apply(&provisioner, &plan).await;
    let setup = provisioner.read(now()).await.unwrap().setup;
    assert_eq!(setup.hooks.unwrap().len(), 2);
    assert!(setup.new_instances_protected);
    assert_eq!(setup.policies, Ok(vec![]));
    assert_eq!(setup.alarms, Ok(vec![]));
    assert!(!setup.tags.contains_key(SHRINK_TAG));
}
