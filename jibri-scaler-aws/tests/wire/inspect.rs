//! Reading how a group is set up: what the emulator does not keep, pages, and sections that fail.

mod spot;

use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use jibri_scaler_aws::inspect::{
    DeletionProtection, Inspector, MaintenancePolicy, MixedInstances, PolicyKind, QuerySource,
    Section, Tag, Treatment,
};
use jibri_scaler_core::{
    Lifecycle, Timestamp,
    agent::port::{HookResult, SignalSum, Transition},
    port::PortErrorKind,
};

use crate::{
    answers::{Answer, Request, Server},
    cbor::{self, CBOR, Value},
};

const GROUP: &str = "\
    <AutoScalingGroupARN>arn:group</AutoScalingGroupARN><MinSize>1</MinSize><MaxSize>60</MaxSize>\
    <DesiredCapacity>4</DesiredCapacity><HealthCheckType>EC2,EBS</HealthCheckType>\
    <NewInstancesProtectedFromScaleIn>true</NewInstancesProtectedFromScaleIn>\
    <MaxInstanceLifetime>86400</MaxInstanceLifetime><DefaultInstanceWarmup>150</DefaultInstanceWarmup>\
    <CapacityRebalance>true</CapacityRebalance><DeletionProtection>prevent-all-deletion</DeletionProtection>\
    <InstanceMaintenancePolicy><MinHealthyPercentage>100</MinHealthyPercentage>\
    <MaxHealthyPercentage>110</MaxHealthyPercentage></InstanceMaintenancePolicy>\
    <InstanceLifecyclePolicy><RetentionTriggers><TerminateHookAbandon>retain</TerminateHookAbandon></RetentionTriggers>\
    </InstanceLifecyclePolicy>\
    <MixedInstancesPolicy><InstancesDistribution><OnDemandBaseCapacity>2</OnDemandBaseCapacity>\
    <OnDemandPercentageAboveBaseCapacity>30</OnDemandPercentageAboveBaseCapacity></InstancesDistribution>\
    </MixedInstancesPolicy>\
    <EnabledMetrics><member><Metric>GroupInServiceInstances</Metric></member></EnabledMetrics>\
    <Tags><member><Key>jibri-scaler:shrink</Key><Value>enabled</Value><PropagateAtLaunch>true</PropagateAtLaunch></member></Tags>";

fn instance(id: &str, lifecycle: &str) -> String {
    format!(
        "<member><InstanceId>{id}</InstanceId><LifecycleState>{lifecycle}</LifecycleState><HealthStatus>Unhealthy</HealthStatus>\
         <ProtectedFromScaleIn>true</ProtectedFromScaleIn><LaunchTemplate><LaunchTemplateName>jibri</LaunchTemplateName>\
         <Version>7</Version></LaunchTemplate></member>"
    )
}

/// The answer of an Auto Scaling operation.
fn xml(operation: &str, result: &str, next: Option<&str>) -> Answer {
    let token = next.map_or_else(String::new, |token| {
        format!("<NextToken>{token}</NextToken>")
    });
    Answer::http(
        200,
        format!(
            "<{operation}Response><{operation}Result>{result}{token}</{operation}Result></{operation}Response>"
        ),
    )
}

fn group(instances: &str, next: Option<&str>) -> Answer {
    let member = format!(
        "<AutoScalingGroups><member><AutoScalingGroupName>jibri</AutoScalingGroupName>{GROUP}\
         <Instances>{instances}</Instances></member></AutoScalingGroups>"
    );
    xml("DescribeAutoScalingGroups", &member, next)
}

/// The name of the operation that a request asks for.
fn operation(request: &Request) -> String {
    match request.path.rsplit_once("/operation/") {
        Some((_, operation)) => operation.to_owned(),
        None => request.parameter("Action").unwrap().to_owned(),
    }
}

/// A server for a group of which nothing is set but what is given for that operation, by the number of its call.
fn server(
    answer: impl Fn(&str, usize, &Request) -> Option<Answer> + Send + Sync + 'static,
) -> Server {
    let calls = std::sync::Mutex::new(std::collections::BTreeMap::<String, usize>::new());
    Server::new(move |_, request| {
        let operation = operation(request);
        let number = {
            let mut calls = calls.lock().unwrap();
            let number = calls.entry(operation.clone()).or_default();
            *number += 1;
            *number - 1
        };
        answer(&operation, number, request).unwrap_or_else(|| match operation.as_str() {
            "DescribeAutoScalingGroups" => group("", None),
            "DescribeAlarms" | "GetMetricData" => cbor::answer(&Value::map([])),
            other => xml(other, "", None),
        })
    })
}

fn inspector(server: &Server) -> Inspector {
    // Tests of what is answered must not meet a timeout on a slow machine.
    let inspector = Inspector::new(&server.sdk(), "jibri".parse().unwrap()).unwrap();
    inspector.with_timeout(Duration::from_mins(1))
}

fn now() -> Timestamp {
    "2026-11-22T10:00:37Z".parse().unwrap()
}

#[track_caller]
fn unread<T: std::fmt::Debug>(section: Section<T>, kind: PortErrorKind, texts: &[&str]) {
    let unread = section.unwrap_err();
    assert_eq!(unread.kind, kind, "{unread}");
    for text in texts {
        assert!(unread.why.contains(text), "{text:?} is not in: {unread}");
    }
}

#[tokio::test]
async fn the_settings_of_a_group_that_is_spread_over_pages_are_read() {
    let server = server(|operation, number, _| {
        (operation == "DescribeAutoScalingGroups").then(|| match number {
            0 => group(&instance("i-b", "Terminating:Retained"), Some("t")),
            _ => group(&instance("i-a", "InService"), None),
        })
    });
    let setup = inspector(&server).inspect(now()).await.unwrap();
    assert_eq!(setup.arn.as_deref(), Some("arn:group"));
    assert_eq!((setup.min_size, setup.max_size, setup.desired), (1, 60, 4));
    assert_eq!(setup.health_check_type, "EC2,EBS");
    assert!(setup.new_instances_protected && setup.capacity_rebalance && setup.retains_abandoned);
    assert_eq!(setup.max_instance_lifetime, Some(Duration::from_hours(24)));
    assert_eq!(
        setup.default_instance_warmup,
        Some(Duration::from_secs(150))
    );
    assert_eq!(setup.deletion_protection, DeletionProtection::All);
    assert_eq!(
        setup.maintenance_policy,
        Some(MaintenancePolicy::new(100, 110))
    );
    assert_eq!(setup.mixed_instances, Some(MixedInstances::new(2, 30)));
    assert!(setup.collected_metrics.contains("GroupInServiceInstances"));
    assert_eq!(setup.tags["jibri-scaler:shrink"], Tag::new("enabled", true));
    let [a, b] = &setup.instances[..] else {
        panic!("{:?}", setup.instances);
    };
    assert_eq!(
        (a.id.as_str(), &a.lifecycle),
        ("i-a", &Lifecycle::InService)
    );
    assert_eq!(
        (b.id.as_str(), &b.lifecycle),
        ("i-b", &Lifecycle::TerminatingRetained)
    );
    assert!(a.protected && !a.healthy);
    assert_eq!(
        a.launched_from.as_deref(),
        Some("launch template jibri, version 7")
    );
    for request in server.requests().iter() {
        assert_eq!(request.method, "POST");
    }
}

#[tokio::test]
async fn hooks_policies_refreshes_and_the_warm_pool_are_read() {
    let server = server(|operation, number, _| {
        let (result, next) = match (operation, number) {
            ("DescribeLifecycleHooks", _) => (
                "<LifecycleHooks><member><LifecycleHookName>drain</LifecycleHookName>\
                 <LifecycleTransition>autoscaling:EC2_INSTANCE_TERMINATING</LifecycleTransition>\
                 <HeartbeatTimeout>300</HeartbeatTimeout><GlobalTimeout>30000</GlobalTimeout>\
                 <DefaultResult>ABANDON</DefaultResult></member></LifecycleHooks>"
                    .to_owned(),
                None,
            ),
            ("DescribePolicies", 0) => (policy("grow", "StepScaling", true), Some("p")),
            ("DescribePolicies", _) => (policy("track", "TargetTrackingScaling", false), None),
            ("DescribeInstanceRefreshes", 0) => (
                "<InstanceRefreshes><member><InstanceRefreshId>r-2</InstanceRefreshId><Status>InProgress</Status>\
                 <PercentageComplete>40</PercentageComplete><Preferences>\
                 <ScaleInProtectedInstances>Refresh</ScaleInProtectedInstances></Preferences>\
                 <Strategy>ReplaceRootVolume</Strategy></member>\
                 <member><InstanceRefreshId>r-1</InstanceRefreshId><Status>Successful</Status></member></InstanceRefreshes>"
                    .to_owned(),
                Some("never-followed"),
            ),
            ("DescribeWarmPool", 0) => (
                format!(
                    "<WarmPoolConfiguration><PoolState>Running</PoolState><MinSize>1</MinSize>\
                     <MaxGroupPreparedCapacity>-1</MaxGroupPreparedCapacity><InstanceReusePolicy>\
                     <ReuseOnScaleIn>true</ReuseOnScaleIn></InstanceReusePolicy></WarmPoolConfiguration>\
                     <Instances>{}</Instances>",
                    instance("i-w", "Warmed:Running")
                ),
                Some("w"),
            ),
            ("DescribeWarmPool", _) => {
                (format!("<Instances>{}</Instances>", instance("i-v", "Warmed:Pending:Retained")), None)
            }
            _ => return None,
        };
        Some(xml(operation, &result, next))
    });
    let setup = inspector(&server).inspect(now()).await.unwrap();
    let [hook] = &setup.hooks.unwrap()[..] else {
        panic!("not one hook");
    };
    assert_eq!(
        (hook.name.as_str(), hook.transition),
        ("drain", Some(Transition::Terminating))
    );
    assert_eq!(hook.longest_hold, Duration::from_mins(500));
    assert_eq!(hook.default_result, HookResult::Abandon);

    let policies = setup.policies.unwrap();
    let [grow, track] = &policies[..] else {
        panic!("{policies:?}");
    };
    assert_eq!((&grow.kind, grow.enabled), (&PolicyKind::Step, true));
    assert_eq!(
        (&track.kind, track.enabled),
        (&PolicyKind::TargetTracking, false)
    );
    assert!(track.scale_in_disabled);
    assert_eq!(grow.alarms, ["grow-alarm"]);

    let refresh = setup.refresh.unwrap().unwrap();
    assert_eq!((refresh.id.as_str(), refresh.percent_complete), ("r-2", 40));
    assert_eq!(refresh.protected, Treatment::Replace);
    assert!(refresh.replaces_root_volumes);

    let pool = setup.warm_pool.unwrap().unwrap();
    assert_eq!(
        (pool.state.as_str(), pool.min_size, pool.max_prepared),
        ("Running", 1, None)
    );
    assert!(pool.reuse_on_scale_in);
    let ids: Vec<_> = pool
        .instances
        .iter()
        .map(|member| member.id.as_str())
        .collect();
    assert_eq!(ids, ["i-v", "i-w"]);
}

fn policy(name: &str, kind: &str, enabled: bool) -> String {
    format!(
        "<ScalingPolicies><member><PolicyName>{name}</PolicyName><PolicyARN>arn:{name}</PolicyARN><PolicyType>{kind}</PolicyType>\
         <Enabled>{enabled}</Enabled><Alarms><member><AlarmName>{name}-alarm</AlarmName></member></Alarms>\
         <TargetTrackingConfiguration><TargetValue>50</TargetValue><DisableScaleIn>true</DisableScaleIn>\
         </TargetTrackingConfiguration></member></ScalingPolicies>"
    )
}

fn alarm(name: &str, of: &str, action: &str) -> Value {
    let dimension = Value::map([
        ("Name", "AutoScalingGroupName".into()),
        ("Value", of.into()),
    ]);
    Value::map([
        ("AlarmName", name.into()),
        ("AlarmActions", [action].into_iter().collect()),
        ("Namespace", "Jibri".into()),
        ("MetricName", "Idle".into()),
        ("Statistic", "Sum".into()),
        ("TreatMissingData", "breaching".into()),
        ("Dimensions", Value::List(vec![dimension])),
    ])
}

#[tokio::test]
async fn all_pages_of_alarms_are_looked_through_for_those_of_the_group() {
    let server = server(|operation, number, request| match operation {
        "DescribePolicies" => Some(xml(operation, &policy("grow", "StepScaling", true), None)),
        "DescribeAlarms" => {
            let asked = Value::decode(&request.body);
            assert_eq!(asked["AlarmTypes"].list(), [Value::from("MetricAlarm")]);
            assert_eq!(asked.get("NextToken").is_some(), number > 0);
            let rows = match number {
                0 => vec![
                    alarm("zz", "jibri", "arn:sns"),
                    alarm("other", "jibri-2", "arn:sns"),
                ],
                _ => vec![
                    alarm("grow-alarm", "elsewhere", "arn:sns"),
                    alarm(
                        "acts",
                        "elsewhere",
                        "arn:aws:autoscaling:r:1:scalingPolicy:u:autoScalingGroupName/jibri:policyName/p",
                    ),
                    alarm(
                        "acts-elsewhere",
                        "elsewhere",
                        "arn:aws:autoscaling:r:1:scalingPolicy:u:autoScalingGroupName/jibri-2:policyName/p",
                    ),
                ],
            };
            let rows = ("MetricAlarms", Value::List(rows));
            Some(cbor::answer(&match number {
                0 => Value::map([rows, ("NextToken", "a".into())]),
                _ => Value::map([rows]),
            }))
        }
        _ => None,
    });
    let alarms = inspector(&server)
        .inspect(now())
        .await
        .unwrap()
        .alarms
        .unwrap();
    let names: Vec<_> = alarms.iter().map(|alarm| alarm.name.as_str()).collect();
    assert_eq!(names, ["acts", "grow-alarm", "zz"]);
    let zz = &alarms[2];
    assert_eq!(zz.missing_data, "breaching");
    let [query] = &zz.queries[..] else {
        panic!("{zz:?}");
    };
    assert!(matches!(&query.source, QuerySource::Metric { statistic, .. } if statistic == "Sum"));
}

/// A result of `GetMetricData` with one point.
fn result(id: &str, status: &str, at: i64, value: f64) -> Value {
    Value::map([
        ("Id", id.into()),
        ("StatusCode", status.into()),
        (
            "Timestamps",
            Value::List(vec![DateTime::from_secs(at).into()]),
        ),
        ("Values", Value::List(vec![value.into()])),
    ])
}

#[tokio::test]
async fn sums_are_put_together_from_their_pages_over_closed_periods() {
    let server = server(|operation, _, request| {
        let asked = (operation == "GetMetricData").then(|| Value::decode(&request.body))?;
        let queries = asked["MetricDataQueries"].list();
        let stat = &queries[0]["MetricStat"];
        // The running periods are left out: 10:00:37 is in the one of 10:00:30, or of 10:00.
        let end = match &stat["Period"] {
            Value::Number(10.0) => "2026-11-22T10:00:30Z",
            _ => "2026-11-22T10:00:00Z",
        };
        let Value::Time(asked_end) = &asked["EndTime"] else {
            panic!("{asked:?}");
        };
        assert_eq!(Timestamp::from_secs(asked_end.secs()).to_string(), end);
        assert_eq!(stat["Metric"]["Namespace"], "Jibri".into());
        let first = asked.get("NextToken").is_none();
        let results = if first {
            vec![
                // The newest come first; a sum without a count is not whole.
                result("idle", "PartialData", 130, 2.0),
                result("idle", "PartialData", 120, 7.0),
                result("agents", "Complete", 60, 6.0),
            ]
        } else {
            vec![
                result("idle", "Complete", 60, 1.0),
                result("n", "Complete", 60, 3.0),
                result("n", "Complete", 130, 4.0),
                result("wanted", "Complete", 60, 5.0),
                result("hook", "Complete", 60, 900.0),
                result("terminating", "Complete", 60, 1.0),
            ]
        };
        let results = ("MetricDataResults", Value::List(results));
        Some(cbor::answer(&if first {
            Value::map([results, ("NextToken", "m".into())])
        } else {
            Value::map([results])
        }))
    });
    let signal = inspector(&server)
        .inspect(now())
        .await
        .unwrap()
        .signal
        .unwrap();
    let at = Timestamp::from_secs;
    let sums = [
        SignalSum::new(at(60), 1.0, 3.0),
        SignalSum::new(at(130), 2.0, 4.0),
    ];
    assert_eq!(signal.short, sums);
    assert_eq!(signal.minutes, sums);
    assert_eq!(signal.by_agents, [(at(60), 6.0)]);
    assert_eq!(signal.wanted_spare, [(at(60), 5.0)]);
    assert_eq!(signal.hook_seconds, [(at(60), 900.0)]);
    assert_eq!(signal.terminating, [(at(60), 1.0)]);
}

#[tokio::test]
async fn metrics_that_could_not_be_read_are_no_silence() {
    let server = server(|operation, _, _| {
        let failed = vec![result("idle", "InternalError", 60, 1.0)];
        (operation == "GetMetricData")
            .then(|| cbor::answer(&Value::map([("MetricDataResults", Value::List(failed))])))
    });
    let setup = inspector(&server).inspect(now()).await.unwrap();
    unread(
        setup.signal,
        PortErrorKind::Transient,
        &[
            "read the metrics of Auto Scaling group `jibri` in namespace `Jibri`",
            "InternalError",
        ],
    );
}

#[tokio::test]
async fn a_missing_right_costs_its_section_and_is_named() {
    let server = server(|operation, _, request| match operation {
        "DescribeAutoScalingGroups" => None,
        _ if request.path.contains("/operation/") => Some(cbor::refusal(
            403,
            &[CBOR, "x-amzn-query-error: AccessDenied;Sender"],
        )),
        _ => Some(Answer::refusal(403, "AccessDenied", "no")),
    });
    let setup = inspector(&server).inspect(now()).await.unwrap();
    assert_eq!(setup.desired, 4);
    let denied = |right| format!("allow {right} in the IAM policy");
    let kind = PortErrorKind::Permanent;
    unread(
        setup.hooks,
        kind,
        &[&denied("autoscaling:DescribeLifecycleHooks")],
    );
    unread(
        setup.policies,
        kind,
        &[&denied("autoscaling:DescribePolicies")],
    );
    unread(
        setup.refresh,
        kind,
        &[&denied("autoscaling:DescribeInstanceRefreshes")],
    );
    unread(
        setup.warm_pool,
        kind,
        &[&denied("autoscaling:DescribeWarmPool")],
    );
    unread(setup.alarms, kind, &[&denied("cloudwatch:DescribeAlarms")]);
    unread(setup.signal, kind, &[&denied("cloudwatch:GetMetricData")]);
}

#[tokio::test]
async fn a_section_that_hangs_is_given_up_and_the_others_are_read() {
    let server =
        server(|operation, _, _| (operation == "DescribeWarmPool").then_some(Answer::Hang));
    // Long enough for the others on a slow machine.
    let inspector = inspector(&server).with_timeout(Duration::from_secs(3));
    let setup = inspector.inspect(now()).await.unwrap();
    unread(setup.warm_pool, PortErrorKind::Transient, &["timed out"]);
    assert_eq!(setup.hooks, Ok(vec![]));
    assert_eq!(setup.alarms, Ok(vec![]));
}

#[tokio::test]
async fn without_the_group_there_is_nothing_to_read() {
    let none = server(|operation, _, _| {
        (operation == "DescribeAutoScalingGroups").then(|| xml(operation, "", None))
    });
    let error = inspector(&none).inspect(now()).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Permanent);
    assert!(
        error.report().contains("there is no group of this name"),
        "{}",
        error.report()
    );
    assert_eq!(none.requests().len(), 1);

    let odd = server(|operation, _, _| {
        (operation == "DescribeAutoScalingGroups").then(|| group(&instance("", "InService"), None))
    });
    let error = inspector(&odd).inspect(now()).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Transient);
    assert!(
        error.report().contains("instance id must not be empty"),
        "{}",
        error.report()
    );
}

#[tokio::test]
async fn tokens_that_lead_nowhere_end_a_section() {
    let server = server(|operation, _, _| {
        (operation == "DescribePolicies").then(|| xml(operation, "", Some("again")))
    });
    let setup = inspector(&server).inspect(now()).await.unwrap();
    unread(
        setup.policies,
        PortErrorKind::Transient,
        &["the token of this one"],
    );
}
