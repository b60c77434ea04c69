//! Groups with which all is well, for the tests of the rules.

use std::{collections::BTreeMap, time::Duration};

use jibri_scaler_core::{
    Lifecycle, Timestamp, Zone,
    agent::{
        HOOK_LAUNCHING, HOOK_TERMINATING,
        port::{HookResult, SignalSum, Transition},
    },
    native::{SHRINK_ENABLED, SHRINK_TAG},
};

use super::{Doctor, Finding};
use crate::{
    inspect::{
        Alarm, GroupSetup, Hook, Member, MetricQuery, PolicyKind, QuerySource, ScalingPolicy,
        Signal, StepAdjustment, Tag,
    },
    ownership::CONTROLLER_TAG,
};

/// Seven seconds into a period of ten, and 37 into a minute.
pub(super) fn now() -> Timestamp {
    "2026-11-22T10:00:37Z".parse().unwrap()
}

/// The names of the rules that find something.
pub(super) fn rules(setup: &GroupSetup) -> Vec<&'static str> {
    Doctor::default()
        .examine(setup)
        .iter()
        .map(|finding| finding.rule)
        .collect()
}

/// The finding of that rule, which must be the only one.
#[track_caller]
pub(super) fn only(setup: &GroupSetup, rule: &str) -> Finding {
    let mut findings = Doctor::default().examine(setup);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let finding = findings.remove(0);
    assert_eq!(finding.rule, rule);
    finding
}

pub(super) fn member(id: &str, lifecycle: Lifecycle) -> Member {
    let mut member = Member::new(id.parse().unwrap(), lifecycle);
    member.protected = true;
    member
}

/// Two hours in which so many of so many instances are idle, published by agents at that period.
pub(super) fn signal(period: Duration, idle: f64, publishers: f64) -> Signal {
    let seconds = period.as_secs();
    let now = u64::try_from(now().as_micros() / 1_000_000).unwrap();
    let at = |seconds: u64| Timestamp::from_secs(i64::try_from(seconds).unwrap());
    let per_minute = f64::from(u32::try_from(60 / seconds).unwrap());
    // Closed periods only.
    let minutes = (now / 60 - 120..now / 60).map(|minute| at(minute * 60));
    let short = (now / 10 - 90..now / 10).map(|bucket| bucket * 10);
    Signal {
        short: short
            .filter(|start| start % seconds == 0)
            .map(|start| SignalSum::new(at(start), idle, publishers))
            .collect(),
        minutes: minutes
            .clone()
            .map(|at| SignalSum::new(at, idle * per_minute, publishers * per_minute))
            .collect(),
        by_agents: minutes.map(|at| (at, publishers * per_minute)).collect(),
        ..Signal::default()
    }
}

/// What both have.
fn group() -> GroupSetup {
    let mut setup = GroupSetup::new("jibri".parse().unwrap(), now());
    (setup.min_size, setup.max_size, setup.desired) = (1, 20, 4);
    setup.zones = vec![Zone::from("eu-central-1a"), Zone::from("eu-central-1b")];
    setup.instances = ["i-a", "i-b", "i-c", "i-d"]
        .map(|id| member(id, Lifecycle::InService))
        .to_vec();
    setup.new_instances_protected = true;
    setup.suspended_processes.insert("AZRebalance".into());
    setup.retains_abandoned = true;
    let hook =
        |name, transition, timeout| Hook::new(name, transition, timeout, HookResult::Abandon);
    setup.hooks = Ok(vec![
        hook(
            HOOK_LAUNCHING,
            Transition::Launching,
            Duration::from_mins(10),
        ),
        hook(
            HOOK_TERMINATING,
            Transition::Terminating,
            Duration::from_hours(1),
        ),
    ]);
    setup.signal = Ok(signal(Duration::from_secs(10), 2.0, 4.0));
    setup
}

/// Alarms grow it, agents shrink it.
pub(super) fn native() -> GroupSetup {
    let mut setup = group();
    setup
        .tags
        .insert(SHRINK_TAG.into(), Tag::new(SHRINK_ENABLED, false));
    let mut policy = ScalingPolicy::new("jibri-grow", PolicyKind::Step);
    policy.arn = Some("arn:aws:autoscaling:eu-central-1:1:scalingPolicy:u:autoScalingGroupName/jibri:policyName/jibri-grow".into());
    policy.steps = vec![StepAdjustment::new(Some(0.0), None, 1)];
    let metric = |id: &str, metric: &str, statistic: &str| {
        let source = QuerySource::Metric {
            namespace: "Jibri".into(),
            metric: metric.into(),
            dimensions: BTreeMap::from([("AutoScalingGroupName".into(), "jibri".into())]),
            statistic: statistic.into(),
            unit: None,
        };
        let mut query = MetricQuery::new(id, source);
        query.is_result = false;
        query.period = Some(Duration::from_secs(10));
        query
    };
    let mut alarm = Alarm::new("jibri-grow");
    alarm.queries = vec![
        metric("idle", "Idle", "Sum"),
        metric("n", "Idle", "SampleCount"),
        metric("inservice", "InService", "Maximum"),
        MetricQuery::new(
            "short",
            QuerySource::Expression("IF(2 * n >= inservice, 3 - idle, 0)".into()),
        ),
    ];
    (alarm.datapoints_to_alarm, alarm.evaluation_periods) = (2, 2);
    alarm.threshold = Some(1.0);
    alarm.missing_data = "notBreaching".into();
    alarm.alarm_actions = policy.arn.clone().into_iter().collect();
    setup.policies = Ok(vec![policy]);
    setup.alarms = Ok(vec![alarm]);
    setup
}

/// A controller scales it, through agents that publish nothing of their own.
pub(super) fn controlled() -> GroupSetup {
    let mut setup = group();
    let mark = format!("scaler-a {}", now().before(Duration::from_secs(20)));
    setup
        .tags
        .insert(CONTROLLER_TAG.into(), Tag::new(mark, false));
    let signal = setup.signal.as_mut().unwrap();
    signal.wanted_spare = signal.minutes.iter().map(|sum| (sum.at, 2.0)).collect();
    setup
}
