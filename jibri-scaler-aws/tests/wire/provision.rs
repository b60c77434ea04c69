//! Provisioning, where moto does not do as AWS does.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use jibri_scaler_aws::{
    inspect::{Alarm, MetricQuery, QuerySource},
    provision::{Change, ProvisionPlan, ProvisionStep, Provisioner, Stage},
};
use jibri_scaler_core::{
    Timestamp,
    agent::HOOK_TERMINATING,
    port::{PortError, PortErrorKind},
};

use crate::{
    answers::{Answer, Request, Server},
    cbor::{ACCEPTED, CBOR, Value, refusal},
};

fn provisioner(server: &Server) -> Provisioner {
    Provisioner::new(&server.sdk(), "jibri".parse().unwrap())
        .unwrap()
        // Tests of what is answered must not meet a timeout on a slow machine.
        .with_timeout(Duration::from_mins(1))
}

fn plan(changes: impl IntoIterator<Item = Change>) -> ProvisionPlan {
    let mut plan = ProvisionPlan::default();
    plan.steps = changes
        .into_iter()
        .map(|change| ProvisionStep::new(Stage::Growth, change, "it", "now", "then"))
        .collect();
    plan
}

/// Makes one change.
async fn make(server: &Server, change: Change) -> Result<(), PortError> {
    provisioner(server).apply(&plan([change]), |_| {}).await
}

fn ok(operation: &str) -> Answer {
    Answer::http(
        200,
        format!("<{operation}Response><{operation}Result/></{operation}Response>"),
    )
}

fn group(lifecycle: &str) -> Answer {
    group_with(lifecycle, "")
}

fn group_with(lifecycle: &str, more: &str) -> Answer {
    Answer::http(
        200,
        format!(
            "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>\
             <AutoScalingGroupName>jibri</AutoScalingGroupName><MinSize>1</MinSize><MaxSize>9</MaxSize>\
             <DesiredCapacity>1</DesiredCapacity><Instances><member><InstanceId>i-a</InstanceId>\
             <LifecycleState>{lifecycle}</LifecycleState></member></Instances>{more}</member></AutoScalingGroups>\
             </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
        ),
    )
}

fn action(request: &Request) -> &str {
    // Only Auto Scaling speaks the query protocol.
    match request.path.as_str() {
        "/" => request.parameter("Action").unwrap_or_default(),
        path => path,
    }
}

fn actions(server: &Server) -> Vec<String> {
    let requests = server.requests();
    requests.iter().map(|r| action(r).to_owned()).collect()
}

#[tokio::test]
async fn retention_is_asked_for_and_given_up_by_name() {
    for (retain, expected) in [(true, "retain"), (false, "terminate")] {
        let server = Server::always(ok("UpdateAutoScalingGroup"));
        make(&server, Change::SetRetention(retain)).await.unwrap();
        let request = &server.requests()[0];
        assert_eq!(action(request), "UpdateAutoScalingGroup");
        assert_eq!(request.parameter("AutoScalingGroupName"), Some("jibri"));
        let key = "InstanceLifecyclePolicy.RetentionTriggers.TerminateHookAbandon";
        assert_eq!(request.parameter(key), Some(expected));
        // What is not to be changed is not mentioned.
        for other in ["MinSize", "MaxSize", "DesiredCapacity", "HealthCheckType"] {
            assert_eq!(request.parameter(other), None);
        }
    }
}

#[tokio::test]
async fn group_metrics_are_disabled_by_name() {
    let server = Server::always(ok("DisableMetricsCollection"));
    let metrics = BTreeSet::from(["GroupInServiceInstances".to_owned()]);
    make(&server, Change::DisableMetrics(metrics))
        .await
        .unwrap();
    // Without names all would be disabled.
    let request = &server.requests()[0];
    assert_eq!(request.members("Metrics"), ["GroupInServiceInstances"]);
}

fn pool(lifecycle: &str) -> Answer {
    Answer::http(
        200,
        format!(
            "<DescribeWarmPoolResponse><DescribeWarmPoolResult><WarmPoolConfiguration><PoolState>Stopped</PoolState>\
             </WarmPoolConfiguration><Instances><member><InstanceId>i-p</InstanceId><LifecycleState>{lifecycle}</LifecycleState>\
             </member></Instances></DescribeWarmPoolResult></DescribeWarmPoolResponse>"
        ),
    )
}

/// Asks to delete the hook, with these answers to what is looked at before.
async fn delete_hook(answers: Vec<Answer>) -> (Server, Result<(), PortError>) {
    let server = Server::script(answers);
    let result = make(&server, Change::DeleteHook(HOOK_TERMINATING.into())).await;
    (server, result)
}

#[tokio::test]
async fn a_hook_is_not_deleted_while_it_may_hold_something() {
    let none = || ok("DescribeWarmPool");
    let own = ["Terminating", "Terminating:Wait", "Terminating:Retained"];
    let own = own.map(|state| (group(state), none(), "i-a", state));
    let pooled = [
        "Warmed:Pending:Wait",
        "Warmed:Terminating",
        "Warmed:Terminating:Wait",
        "Warmed:Pending:Retained",
    ];
    let pooled = pooled.map(|state| (group("InService"), pool(state), "i-p", state));
    for (group, pool, id, state) in own.into_iter().chain(pooled) {
        let (server, result) = delete_hook(vec![group, pool]).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Permanent);
        let text = error.report();
        assert!(
            text.contains("delete lifecycle hook `jibri-scaler-terminating`"),
            "{text}"
        );
        assert!(
            text.contains(&format!("instance `{id}` is {state}")),
            "{text}"
        );
        assert_eq!(
            actions(&server),
            ["DescribeAutoScalingGroups", "DescribeWarmPool"]
        );
    }
}

#[tokio::test]
async fn a_hook_is_not_deleted_while_agents_may_end_themselves() {
    let tag = "<Tags><member><Key>jibri-scaler:shrink</Key><Value>enabled</Value></member></Tags>";
    let (server, result) = delete_hook(vec![group_with("InService", tag)]).await;
    let text = result.unwrap_err().report();
    assert!(text.contains("has the tag `jibri-scaler:shrink`"), "{text}");
    assert_eq!(actions(&server), ["DescribeAutoScalingGroups"]);
}

#[tokio::test]
async fn a_hook_is_not_deleted_while_a_controller_works() {
    let now = Timestamp::from(SystemTime::now());
    let tag = |at| {
        format!(
            "<Tags><member><Key>jibri-scaler:controller</Key><Value>scaler-a {at}</Value></member></Tags>"
        )
    };
    let at_work = group_with("InService", &tag(now));
    let (server, result) = delete_hook(vec![at_work]).await;
    let text = result.unwrap_err().report();
    assert!(
        text.contains("controller `scaler-a` has left its mark"),
        "{text}"
    );
    assert_eq!(actions(&server), ["DescribeAutoScalingGroups"]);
    let long_ago = group_with("InService", &tag(now.before(Duration::from_hours(1))));
    let answers = vec![long_ago, ok("DescribeWarmPool"), ok("DeleteLifecycleHook")];
    let (_, result) = delete_hook(answers).await;
    result.unwrap();
}

#[tokio::test]
async fn a_hook_that_holds_nothing_is_deleted_and_one_that_is_gone_too() {
    let message = "No Lifecycle Hook found with name jibri-scaler-terminating";
    for answer in [
        ok("DeleteLifecycleHook"),
        Answer::refusal(400, "ValidationError", message),
    ] {
        let before = vec![group("InService"), pool("Warmed:Stopped"), answer];
        let (server, result) = delete_hook(before).await;
        result.unwrap();
        assert_eq!(actions(&server)[2], "DeleteLifecycleHook");
    }
}

#[tokio::test]
async fn a_dashboard_or_an_alarm_that_is_gone_is_deleted() {
    let gone = [
        &[CBOR, "x-amzn-query-error: ResourceNotFound;Sender"],
        &[CBOR, "x-amzn-query-error: DashboardNotFoundError;Sender"],
    ];
    for header in gone {
        let server = Server::always(refusal(404, header));
        make(&server, Change::DeleteDashboard("d".into()))
            .await
            .unwrap();
        make(&server, Change::DeleteAlarms(vec!["a".into()]))
            .await
            .unwrap();
    }
    let server = Server::always(refusal(
        403,
        &[CBOR, "x-amzn-query-error: AccessDenied;Sender"],
    ));
    let error = make(&server, Change::DeleteDashboard("d".into())).await;
    assert!(
        error
            .unwrap_err()
            .report()
            .contains("allow cloudwatch:DeleteDashboards")
    );
}

#[tokio::test]
async fn a_change_is_tried_again_since_it_can_be_made_twice() {
    let server = Server::script(vec![
        Answer::refusal(400, "Throttling", "Rate exceeded"),
        ok("SuspendProcesses"),
    ]);
    make(&server, Change::Suspend("AZRebalance".into()))
        .await
        .unwrap();
    assert_eq!(actions(&server), ["SuspendProcesses"; 2]);
}

#[tokio::test]
async fn what_fails_ends_it_and_what_was_done_is_told() {
    let server = Server::new(|_, request| match action(request) {
        "SuspendProcesses" => ok("SuspendProcesses"),
        _ => Answer::refusal(403, "AccessDenied", "you may not"),
    });
    let changes = [
        Change::Suspend("AZRebalance".into()),
        Change::SetNewInstanceProtection(true),
        Change::Suspend("Launch".into()),
    ];
    let mut done = Vec::new();
    let error = provisioner(&server)
        .apply(&plan(changes), |step| done.push(step.change.clone()))
        .await
        .unwrap_err();
    assert_eq!(done, [Change::Suspend("AZRebalance".into())]);
    assert_eq!(error.kind(), PortErrorKind::Permanent);
    assert!(
        error
            .report()
            .contains("allow autoscaling:UpdateAutoScalingGroup")
    );
    assert_eq!(
        actions(&server),
        ["SuspendProcesses", "UpdateAutoScalingGroup"]
    );
}

const POLICIES: &str = "\
    <DescribePoliciesResponse><DescribePoliciesResult><ScalingPolicies>
      <member><PolicyName>jibri-scaler-growth</PolicyName><PolicyARN>arn:aws:grow</PolicyARN></member>
    </ScalingPolicies></DescribePoliciesResult></DescribePoliciesResponse>";

fn growth_alarm() -> Change {
    let mut alarm = Alarm::new("jibri-scaler-growth-jibri");
    alarm.comparison = "GreaterThanOrEqualToThreshold".into();
    alarm.threshold = Some(1.0);
    alarm.missing_data = "notBreaching".into();
    let source = QuerySource::Metric {
        namespace: "Jibri".into(),
        metric: "Idle".into(),
        dimensions: BTreeMap::from([("AutoScalingGroupName".into(), "jibri".into())]),
        statistic: "Sum".into(),
        unit: None,
    };
    let mut idle = MetricQuery::new("idle", source);
    idle.period = Some(Duration::from_secs(10));
    idle.is_result = false;
    let short = MetricQuery::new("short", QuerySource::Expression("2 - idle".into()));
    alarm.queries = vec![idle, short];
    Change::PutAlarm {
        alarm,
        runs: Some("jibri-scaler-growth".into()),
    }
}

#[tokio::test]
async fn the_growth_alarm_runs_the_policy_as_it_is_listed() {
    let server = Server::new(|_, request| match action(request) {
        "DescribePolicies" => Answer::http(200, POLICIES),
        _ => ACCEPTED,
    });
    make(&server, growth_alarm()).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].members("PolicyNames"), ["jibri-scaler-growth"]);
    assert!(requests[1].path.ends_with("/PutMetricAlarm"));
    let alarm = Value::decode(&requests[1].body);
    assert_eq!(
        alarm["AlarmActions"],
        ["arn:aws:grow"].into_iter().collect()
    );
    assert_eq!(alarm["TreatMissingData"], "notBreaching".into());
    assert_eq!(alarm["Threshold"], 1.0.into());
    assert_eq!(alarm["Tags"].list()[0]["Key"], "jibri-scaler".into());
    // Of an alarm with metric math these would be refused.
    for other in ["MetricName", "Namespace", "Period", "Statistic"] {
        assert_eq!(alarm.get(other), None);
    }
    let [idle, short] = alarm["Metrics"].list() else {
        panic!("{alarm:?}");
    };
    assert_eq!(idle["ReturnData"], Value::Bool(false));
    assert_eq!(idle["MetricStat"]["Period"], 10.0.into());
    assert_eq!(idle["MetricStat"]["Stat"], "Sum".into());
    assert_eq!(idle["MetricStat"]["Metric"]["MetricName"], "Idle".into());
    assert_eq!(short["Expression"], "2 - idle".into());
    assert_eq!(short["ReturnData"], Value::Bool(true));
}

#[tokio::test]
async fn without_its_policy_there_is_no_growth_alarm() {
    let server = Server::always(ok("DescribePolicies"));
    let error = make(&server, growth_alarm()).await.unwrap_err();
    assert!(error.report().contains("plan and apply again"));
    assert_eq!(actions(&server), ["DescribePolicies"]);
}

#[tokio::test]
async fn who_is_in_standby_is_protected_as_the_plan_says() {
    for state in ["InService", "Standby", "EnteringStandby"] {
        let server = Server::script(vec![group(state), ok("SetInstanceProtection")]);
        let change = Change::ProtectInstances(vec!["i-a".parse().unwrap()]);
        make(&server, change).await.unwrap();
        let asked = &server.requests()[1];
        assert_eq!(action(asked), "SetInstanceProtection");
        assert_eq!(asked.members("InstanceIds"), ["i-a"], "{state}");
    }
}

#[tokio::test]
async fn nobody_is_protected_who_is_on_his_way_out() {
    let server = Server::always(group("Terminating:Wait"));
    let change = Change::ProtectInstances(vec!["i-a".parse().unwrap()]);
    make(&server, change).await.unwrap();
    assert_eq!(actions(&server), ["DescribeAutoScalingGroups"]);
}
