//! Reading how a group is set up.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_autoscaling::Client;
use aws_sdk_cloudwatch::types::{
    ComparisonOperator, Dimension, Metric, MetricDataQuery, MetricStat,
};
use jibri_scaler_aws::{
    GroupName,
    inspect::{GroupSetup, Inspector, PolicyKind, QuerySource, StepAdjustment},
};
use jibri_scaler_core::{
    Lifecycle, Tally, Timestamp, Zone,
    agent::port::{HookResult, Transition},
    port::{FleetMetrics, MetricsSink, PortErrorKind},
};

use crate::{fixture, sink};

fn inspector(sdk: &SdkConfig, name: &GroupName) -> Inspector {
    // moto is slow on a loaded machine, and its time is not what is tested.
    Inspector::new(sdk, name.clone())
        .unwrap()
        .with_timeout(Duration::from_mins(1))
}

async fn inspect(sdk: &SdkConfig, name: &GroupName) -> GroupSetup {
    inspector(sdk, name)
        .inspect(Timestamp::from(SystemTime::now()))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_bare_group_is_read_and_what_the_emulator_lacks_is_unread() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 1, 5, 3).await;
    let setup = inspect(&sdk, group.name()).await;
    assert_eq!((setup.min_size, setup.max_size, setup.desired), (1, 5, 3));
    assert_eq!(setup.zones, [Zone::from("eu-central-1a")]);
    assert_eq!(setup.in_service().count(), 3);
    assert!(setup.instances.is_sorted_by(|a, b| a.id < b.id));
    for member in &setup.instances {
        assert_eq!(member.lifecycle, Lifecycle::InService);
        assert!(member.healthy && !member.protected);
        assert_eq!(member.instance_type.as_deref(), Some("t3.small"));
    }
    assert_eq!(
        setup.launched_from.as_deref(),
        Some(&*format!("launch configuration {}", group.name()))
    );
    assert!(!setup.new_instances_protected && !setup.retains_abandoned);
    assert_eq!(setup.health_check_type, "EC2");
    assert_eq!(setup.max_instance_lifetime, None);
    assert_eq!(setup.hooks, Ok(vec![]));
    assert_eq!(setup.policies, Ok(vec![]));
    assert_eq!(setup.alarms, Ok(vec![]));
    assert_eq!(setup.warm_pool, Ok(None));
    assert!(setup.signal.unwrap().minutes.is_empty());
    // moto has no instance refreshes.
    let unread = setup.refresh.unwrap_err();
    assert_eq!(unread.kind, PortErrorKind::Transient);
    assert!(
        unread
            .why
            .contains("read the instance refreshes of Auto Scaling group"),
        "{unread}"
    );
}

#[tokio::test]
async fn a_group_that_does_not_exist_is_an_error_that_names_it() {
    let sdk = fixture::sdk();
    let nowhere = "nowhere".parse().unwrap();
    let error = inspector(&sdk, &nowhere)
        .inspect(Timestamp::from_secs(0))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Permanent);
    assert!(error.report().contains("`nowhere`"), "{}", error.report());
}

#[tokio::test]
async fn settings_hooks_and_the_warm_pool_come_back_as_they_were_set() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 1, 5, 1).await;
    let name = group.name().as_str();
    let client = Client::new(&sdk);
    let update = client
        .update_auto_scaling_group()
        .auto_scaling_group_name(name);
    update
        .new_instances_protected_from_scale_in(true)
        .health_check_type("ELB")
        .health_check_grace_period(90)
        .send()
        .await
        .unwrap();
    client
        .suspend_processes()
        .auto_scaling_group_name(name)
        .scaling_processes("AZRebalance")
        .send()
        .await
        .unwrap();
    client
        .put_lifecycle_hook()
        .auto_scaling_group_name(name)
        .lifecycle_hook_name("drain")
        .lifecycle_transition("autoscaling:EC2_INSTANCE_TERMINATING")
        .heartbeat_timeout(600)
        .default_result("CONTINUE")
        .send()
        .await
        .unwrap();
    let pool = client.put_warm_pool().auto_scaling_group_name(name);
    pool.min_size(2).send().await.unwrap();

    let setup = inspect(&sdk, group.name()).await;
    assert!(setup.new_instances_protected);
    assert_eq!(setup.health_check_type, "ELB");
    assert_eq!(setup.health_check_grace, Duration::from_secs(90));
    assert!(setup.is_suspended("AZRebalance"));
    let [hook] = &setup.hooks.unwrap()[..] else {
        panic!("not one hook");
    };
    assert_eq!(hook.name, "drain");
    assert_eq!(hook.transition, Some(Transition::Terminating));
    assert_eq!(hook.heartbeat_timeout, Duration::from_mins(10));
    assert_eq!(hook.default_result, HookResult::Continue);
    assert_eq!(setup.warm_pool.unwrap().unwrap().min_size, 2);
}

#[tokio::test]
async fn policies_come_back_as_they_were_set() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 1, 5, 1).await;
    let name = group.name().as_str();
    let step = aws_sdk_autoscaling::types::StepAdjustment::builder()
        .metric_interval_lower_bound(0.0)
        .scaling_adjustment(2)
        .build();
    Client::new(&sdk)
        .put_scaling_policy()
        .auto_scaling_group_name(name)
        .policy_name("grow")
        .policy_type("StepScaling")
        .adjustment_type("ChangeInCapacity")
        .step_adjustments(step)
        .estimated_instance_warmup(120)
        .send()
        .await
        .unwrap();
    let setup = inspect(&sdk, group.name()).await;
    let [policy] = &setup.policies.unwrap()[..] else {
        panic!("not one policy");
    };
    assert_eq!(
        (policy.name.as_str(), &policy.kind),
        ("grow", &PolicyKind::Step)
    );
    assert!(policy.enabled && !policy.can_shrink());
    assert_eq!(policy.steps, [StepAdjustment::new(Some(0.0), None, 2)]);
    assert_eq!(policy.instance_warmup, Some(Duration::from_mins(2)));
}

#[tokio::test]
async fn the_alarms_that_concern_the_group_are_found() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 1, 5, 1).await;
    let name = group.name().as_str();
    let watch = aws_sdk_cloudwatch::Client::new(&sdk);
    let dimension = |value: &str| {
        Dimension::builder()
            .name("AutoScalingGroupName")
            .value(value)
            .build()
    };
    let alarm = |alarm: &str| {
        let alarm = watch
            .put_metric_alarm()
            .alarm_name(format!("{name}-{alarm}"));
        let alarm = alarm.comparison_operator(ComparisonOperator::GreaterThanThreshold);
        alarm
            .evaluation_periods(3)
            .datapoints_to_alarm(2)
            .threshold(0.0)
    };
    let stat = MetricStat::builder()
        .metric(
            Metric::builder()
                .namespace("Jibri")
                .metric_name("Idle")
                .dimensions(dimension(name))
                .build(),
        )
        .period(10)
        .stat("Sum")
        .build();
    alarm("math")
        .metrics(
            MetricDataQuery::builder()
                .id("idle")
                .metric_stat(stat)
                .return_data(false)
                .build(),
        )
        .metrics(
            MetricDataQuery::builder()
                .id("short")
                .expression("3 - idle")
                .build(),
        )
        .send()
        .await
        .unwrap();
    for (metric, of) in [("Idle", name), ("Other", "another-group")] {
        alarm(metric)
            .namespace("Jibri")
            .metric_name(metric)
            .dimensions(dimension(of))
            .statistic(aws_sdk_cloudwatch::types::Statistic::Average)
            .period(60)
            .alarm_actions("arn:aws:sns:eu-central-1:1:somebody")
            .send()
            .await
            .unwrap();
    }

    let setup = inspect(&sdk, group.name()).await;
    let alarms = setup.alarms.unwrap();
    let [idle, math] = &alarms[..] else {
        panic!("{alarms:?}");
    };
    assert_eq!(idle.name, format!("{name}-Idle"));
    assert_eq!(
        idle.actions().collect::<Vec<_>>(),
        ["arn:aws:sns:eu-central-1:1:somebody"]
    );
    assert_eq!((idle.datapoints_to_alarm, idle.evaluation_periods), (2, 3));
    assert_eq!(idle.queries[0].period, Some(Duration::from_mins(1)));
    let [metric, expression] = &math.queries[..] else {
        panic!("{math:?}");
    };
    assert!(!metric.is_result && expression.is_result);
    assert_eq!(metric.period, Some(Duration::from_secs(10)));
    assert!(matches!(&metric.source, QuerySource::Metric { statistic, .. } if statistic == "Sum"));
    assert_eq!(
        expression.source,
        QuerySource::Expression("3 - idle".into())
    );
}

#[tokio::test]
async fn what_was_published_is_summed_up_by_period() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 1, 5, 1).await;
    let now = Timestamp::from(SystemTime::now()).as_micros();
    let minute = Timestamp::from_micros(now - now.rem_euclid(60_000_000));
    let sink = sink::sink(&sdk, group.name());
    let mut tally = Tally::default();
    (tally.spare, tally.busy, tally.total) = (3, 4, 7);
    for back in 1..=6 {
        let at = minute.before(Duration::from_secs(10) * back);
        sink.publish(&FleetMetrics::new(at, &tally, 7, 2))
            .await
            .unwrap();
    }
    let setup = inspector(&sdk, group.name()).inspect(minute).await.unwrap();
    let signal = setup.signal.unwrap();
    assert_eq!(signal.short.len(), 6);
    for sum in &signal.short {
        assert_eq!((sum.idle, sum.publishers), (3.0, 7.0));
    }
    assert!(signal.short.is_sorted_by(|a, b| a.at < b.at));
    let [last] = &signal.minutes[..] else {
        panic!("{signal:?}");
    };
    assert_eq!((last.idle, last.publishers), (18.0, 42.0));
    assert_eq!(last.at, minute.before(Duration::from_mins(1)));
    assert_eq!(signal.wanted_spare, [(last.at, 2.0)]);
}
