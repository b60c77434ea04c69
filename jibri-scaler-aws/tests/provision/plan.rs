//! What is missing, in which order.

use std::{collections::BTreeMap, time::Duration};

use jibri_scaler_aws::{
    inspect::{Alarm, Hook, PolicyKind, QuerySource, ScalingPolicy},
    provision::{Change, Current, ProvisionPlan, RECORD_TAG, Stage, plan},
};
use jibri_scaler_core::{
    Lifecycle, Limits,
    agent::port::{HookResult, Transition},
    native::{Growth, SHRINK_TAG},
    policy::MinIdle,
};

use crate::fixture::{TOPIC, apply, group, options, provisioned, publishing, stages};

fn whats(plan: &ProvisionPlan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.what.as_str()).collect()
}

fn alarms(current: &Current) -> BTreeMap<&str, &Alarm> {
    let alarms = current.setup.alarms.as_ref().unwrap();
    alarms
        .iter()
        .map(|alarm| (alarm.name.as_str(), alarm))
        .collect()
}

#[test]
fn a_bare_group_is_provisioned_in_the_safe_order() {
    let plan = plan(&group(), &options()).unwrap();
    assert_eq!(
        stages(&plan),
        [
            Stage::Record,
            Stage::HooksAndRetention,
            Stage::GroupProtection,
            Stage::InstanceProtection,
            Stage::Growth,
            Stage::Shrinking,
        ]
    );
    assert_eq!(
        whats(&plan),
        [
            "tag jibri-scaler:provisioned",
            "abandoned instances",
            "hook jibri-scaler-terminating",
            "hook jibri-scaler-launching",
            "new instances protected",
            "process AZRebalance",
            "3 instances",
            "group metrics DesiredCapacity, InServiceInstances, TerminatingInstances",
            "alarm jibri-scaler-silent-jibri",
            "alarm jibri-scaler-publishers-jibri",
            "alarm jibri-scaler-busy-jibri",
            "alarm jibri-scaler-retained-jibri",
            "alarm jibri-scaler-hook-jibri",
            "alarm jibri-scaler-release-jibri",
            "policy jibri-scaler-growth",
            "alarm jibri-scaler-growth-jibri",
            "dashboard jibri-scaler-jibri",
            "tag jibri-scaler:shrink",
        ]
    );
    assert!(plan.later.is_empty() && plan.waits_for.is_empty());
}

#[test]
fn what_was_provisioned_is_complete_and_the_second_plan_is_empty() {
    let current = provisioned(group(), &options());
    let setup = &current.setup;
    assert!(setup.retains_abandoned && setup.new_instances_protected);
    assert!(setup.is_suspended("AZRebalance"));
    assert!(setup.instances.iter().all(|member| member.protected));
    assert_eq!(setup.tags[SHRINK_TAG].value, "enabled");

    let hooks = setup.hooks.as_ref().unwrap();
    let hook = |name, transition, seconds| {
        let wanted = Hook::new(
            name,
            transition,
            Duration::from_secs(seconds),
            HookResult::Abandon,
        );
        assert!(hooks.contains(&wanted), "{hooks:?}");
    };
    hook("jibri-scaler-terminating", Transition::Terminating, 3600);
    // The boot deadline.
    hook("jibri-scaler-launching", Transition::Launching, 600);
}

#[test]
fn growth_is_the_expression_and_the_steps_of_the_core() {
    let current = provisioned(group(), &options());
    let [policy] = &current.setup.policies.as_ref().unwrap()[..] else {
        panic!("not one policy");
    };
    assert_eq!(policy.kind, PolicyKind::Step);
    assert!(!policy.can_shrink());
    assert_eq!(policy.metric_aggregation.as_deref(), Some("Minimum"));
    assert_eq!(policy.steps.len(), 20);
    // The boot deadline stands for the time to boot, and two periods.
    assert_eq!(policy.instance_warmup, Some(Duration::from_secs(620)));

    let alarm = alarms(&current)["jibri-scaler-growth-jibri"];
    assert_eq!(alarm.alarm_actions, [policy.arn.clone().unwrap()]);
    assert_eq!(alarm.threshold, Some(Growth::THRESHOLD));
    assert_eq!(
        (alarm.datapoints_to_alarm, alarm.evaluation_periods),
        (2, 2)
    );
    assert_eq!(
        alarm.missing_data, "notBreaching",
        "missing data never grows"
    );
    let expressions: Vec<_> = alarm.queries.iter().filter(|q| q.is_result).collect();
    assert_eq!(expressions.len(), 1);
    assert_eq!(
        expressions[0].source,
        QuerySource::Expression(
            "IF(2 * n >= inservice, IF(CEIL(1 * (n - idle) / 4) > 2, CEIL(1 * (n - idle) / 4), 2) - idle, 0)".into()
        )
    );
    let periods: Vec<_> = alarm.queries.iter().filter_map(|q| q.period).collect();
    assert_eq!(periods, [Duration::from_secs(10); 3]);
}

#[test]
fn only_the_alarms_about_silence_take_missing_data_for_the_worst() {
    let current = provisioned(group(), &options());
    for (name, alarm) in alarms(&current) {
        let silence = name.contains("silent") || name.contains("publishers");
        let expected = if silence { "breaching" } else { "notBreaching" };
        assert_eq!(alarm.missing_data, expected, "{name}");
        let grows = name.contains("growth");
        assert_eq!(alarm.alarm_actions == [TOPIC], !grows, "{name}");
        assert_eq!(alarm.queries.iter().filter(|q| q.is_result).count(), 1);
    }
}

#[test]
fn the_period_of_the_agents_is_in_every_alarm_that_counts_points() {
    let minute = options().with_period(Duration::from_mins(1)).unwrap();
    let mut current = group();
    // One point a minute.
    current.setup.signal = Ok(publishing(0.5));
    let current = provisioned(current, &minute);
    let expression = |name: &str| {
        let queries = &alarms(&current)[name].queries;
        queries.iter().find_map(|query| match &query.source {
            QuerySource::Expression(text) => Some(text.clone()),
            _ => None,
        })
    };
    assert_eq!(
        expression("jibri-scaler-silent-jibri").unwrap(),
        "inservice - 2 * n / 1"
    );
    assert_eq!(
        expression("jibri-scaler-publishers-jibri").unwrap(),
        "inservice - n / 1"
    );
    let growth = &alarms(&current)["jibri-scaler-growth-jibri"].queries;
    assert!(
        growth
            .iter()
            .filter_map(|q| q.period)
            .all(|p| p == Duration::from_mins(1))
    );
}

#[test]
fn each_difference_is_one_step_in_place() {
    type Disturb = fn(&mut Current);
    let cases: [(&str, Disturb); 13] = [
        ("hook jibri-scaler-terminating", |current| {
            let hooks = current.setup.hooks.as_mut().unwrap();
            let hook = hooks.iter_mut().find(|h| h.name.ends_with("terminating"));
            hook.unwrap().default_result = HookResult::Continue;
        }),
        ("hook jibri-scaler-launching", |current| {
            let hooks = current.setup.hooks.as_mut().unwrap();
            let hook = hooks.iter_mut().find(|h| h.name.ends_with("launching"));
            hook.unwrap().heartbeat_timeout = Duration::from_secs(30);
        }),
        ("abandoned instances", |c| c.setup.retains_abandoned = false),
        ("process AZRebalance", |c| {
            c.setup.suspended_processes.clear();
        }),
        ("health checks", |c| {
            c.setup.health_check_type = "EC2,ELB".into();
        }),
        ("policy jibri-scaler-growth", |current| {
            current.setup.policies.as_mut().unwrap()[0].steps.pop();
        }),
        ("policy jibri-scaler-growth", |current| {
            current.setup.policies.as_mut().unwrap()[0].enabled = false;
        }),
        ("alarm jibri-scaler-growth-jibri", |current| {
            alarm_mut(current, "growth").alarm_actions = vec!["arn:another".into()];
        }),
        ("alarm jibri-scaler-growth-jibri", |current| {
            alarm_mut(current, "growth").queries[0].period = Some(Duration::from_mins(5));
        }),
        ("alarm jibri-scaler-busy-jibri", |current| {
            alarm_mut(current, "busy").actions_enabled = false;
        }),
        ("dashboard jibri-scaler-jibri", |c| {
            c.dashboard = Some("{}".into());
        }),
        ("tag jibri-scaler:shrink", |current| {
            current.setup.tags.get_mut(SHRINK_TAG).unwrap().value = "disabled".into();
        }),
        ("group metrics InServiceInstances", |current| {
            current
                .setup
                .collected_metrics
                .remove("GroupInServiceInstances");
        }),
    ];
    for (what, disturb) in cases {
        let mut current = provisioned(group(), &options());
        disturb(&mut current);
        let plan = plan(&current, &options()).unwrap();
        let steps = whats(&plan)
            .into_iter()
            .filter(|what| !what.contains(RECORD_TAG));
        assert_eq!(steps.collect::<Vec<_>>(), [what]);
        apply(&mut current, &plan);
        assert!(crate::plan::plan(&current, &options()).unwrap().is_empty());
    }
}

fn alarm_mut<'a>(current: &'a mut Current, kind: &str) -> &'a mut Alarm {
    let name = format!("jibri-scaler-{kind}-jibri");
    let alarms = current.setup.alarms.as_mut().unwrap();
    alarms.iter_mut().find(|alarm| alarm.name == name).unwrap()
}

#[test]
fn what_aws_adds_and_orders_is_no_difference() {
    let mut current = provisioned(group(), &options());
    let alarm = alarm_mut(&mut current, "growth");
    alarm.queries.reverse();
    (alarm.state, alarm.arn) = ("ALARM".into(), Some("arn:alarm".into()));
    let policy = &mut current.setup.policies.as_mut().unwrap()[0];
    policy.steps.reverse();
    policy.alarms = vec!["jibri-scaler-growth-jibri".into()];
    let hook = &mut current.setup.hooks.as_mut().unwrap()[0];
    hook.notification_target = Some("arn:aws:sns:eu-central-1:123456789012:hooks".into());
    assert!(plan(&current, &options()).unwrap().is_empty());
}

#[test]
fn instances_that_agents_have_unprotected_stay_so() {
    let mut current = provisioned(group(), &options());
    current.setup.instances[1].protected = false;
    assert!(plan(&current, &options()).unwrap().is_empty());
    // Where an agent is not seen it may be nobody who did that.
    current.setup.signal = Ok(publishing(2.0));
    let plan = plan(&current, &options()).unwrap();
    assert_eq!(whats(&plan), ["instance i-b"]);
}

#[test]
fn only_instances_that_can_be_protected_are() {
    let mut current = group();
    current.setup.instances[0].lifecycle = Lifecycle::PendingWait;
    current.setup.instances[1].protected = true;
    let plan = plan(&current, &options()).unwrap();
    let protects = plan.steps.iter().find_map(|step| match &step.change {
        Change::ProtectInstances(ids) => Some(ids.clone()),
        _ => None,
    });
    assert_eq!(protects.unwrap(), ["i-c".parse().unwrap()]);
}

#[test]
fn without_a_topic_only_growth_has_an_alarm_and_those_for_a_human_go() {
    let silent = jibri_scaler_aws::provision::Options::new(MinIdle::default(), Limits::default());
    let current = provisioned(group(), &silent);
    assert_eq!(
        alarms(&current).into_keys().collect::<Vec<_>>(),
        ["jibri-scaler-growth-jibri"]
    );
    let notes = plan(&group(), &silent).unwrap().notes;
    assert!(
        notes.iter().any(|note| note.contains("SNS topic")),
        "{notes:?}"
    );

    let mut told = provisioned(group(), &options());
    assert_eq!(alarms(&told).len(), 7);
    let changes = plan(&told, &silent).unwrap();
    apply(&mut told, &changes);
    assert_eq!(alarms(&told).len(), 1);
}

#[test]
fn a_policy_of_somebody_else_that_grows_is_only_told() {
    let mut current = group();
    let other = ScalingPolicy::new("mine", PolicyKind::Predictive);
    current.setup.policies.as_mut().unwrap().push(other);
    let plan = plan(&current, &options()).unwrap();
    assert!(plan.waits_for.is_empty());
    assert!(
        plan.notes.iter().any(|note| note.contains("`mine`")),
        "{:?}",
        plan.notes
    );
}

#[test]
fn a_plan_reads_as_a_table() {
    let mut current = provisioned(group(), &options());
    let hooks = current.setup.hooks.as_mut().unwrap();
    hooks.retain(|hook| hook.name.ends_with("launching"));
    current.setup.health_check_type = "ELB".into();
    let text = plan(&current, &options()).unwrap().to_string();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("stage             what "), "{text}");
    let row = |line: &str| {
        line.split("  ")
            .filter(|cell| !cell.is_empty())
            .map(str::trim)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        row(lines[2]),
        [
            "hooks, retention",
            "hook jibri-scaler-terminating",
            "none",
            "terminating, waits 1h, then ABANDON"
        ]
    );
    assert_eq!(
        row(lines[3]),
        ["group protection", "health checks", "ELB", "EC2"]
    );
}
