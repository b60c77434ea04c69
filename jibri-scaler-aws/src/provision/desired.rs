//! What is to be there, as plain data.

use std::{collections::BTreeMap, time::Duration};

use jibri_scaler_core::{
    agent::{
        HOOK_LAUNCHING, HOOK_TERMINATING,
        port::{HookResult, Transition},
    },
    native::{GROUP_DIMENSION, Growth, Step, metric},
};

use super::Options;
use crate::{
    GroupName,
    inspect::{
        Alarm, GroupSetup, Hook, MetricQuery, PolicyKind, QuerySource, ScalingPolicy,
        StepAdjustment,
    },
    metric::{GROUP_NAMESPACE, TERMINATING},
};

/// How long the terminating hook waits for an agent of which it hears nothing. Agents send heartbeats at a quarter of it.
pub(super) const TERMINATING_HEARTBEAT: Duration = Duration::from_hours(1);

/// The name of the growth policy.
pub(super) const POLICY: &str = "jibri-scaler-growth";

/// What the names of all alarms of provisioning begin with.
pub(super) const ALARM_PREFIX: &str = "jibri-scaler-";

/// The kind of the alarm that grows the group.
pub(super) const GROWTH_ALARM: &str = "growth";

/// The kinds of all alarms.
pub(super) const ALARM_KINDS: [&str; 7] = [
    GROWTH_ALARM,
    "silent",
    "publishers",
    "busy",
    "retained",
    "hook",
    "release",
];

/// The health checks of a group of Jibris. Others end an instance because its Jibri does not answer them, busy or not.
pub(super) const HEALTH_CHECK: &str = "EC2";

/// The process that would balance zones by ending instances that nobody chose.
pub(super) const REBALANCE: &str = "AZRebalance";

/// The group metrics that an alarm and the dashboard read.
pub(super) const GROUP_METRICS: [&str; 3] = [
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    TERMINATING,
];

/// A hook ends all waits after 48 hours; a human must know while there is time.
const LONGEST_HOOK_AGE: Duration = Duration::from_hours(24);

const MINUTE: Duration = Duration::from_mins(1);

/// The age of a hook is published with each heartbeat only, a quarter of an hour apart: it stays one alarm between them.
const MINUTES_BETWEEN_HEARTBEATS: u32 = 20;

/// How long publishers may be missing before a human is told. New instances need a minute or two to show.
const MINUTES_MISSING: u32 = 5;

/// How long fewer than half may speak before a human is told.
const MINUTES_SILENT: u32 = 3;

pub(super) fn hooks(options: &Options) -> [Hook; 2] {
    [
        Hook::new(
            HOOK_TERMINATING,
            Transition::Terminating,
            TERMINATING_HEARTBEAT,
            HookResult::Abandon,
        ),
        Hook::new(
            HOOK_LAUNCHING,
            Transition::Launching,
            options.limits.boot_deadline(),
            HookResult::Abandon,
        ),
    ]
}

pub(super) fn policy(growth: &Growth, options: &Options) -> ScalingPolicy {
    let mut policy = ScalingPolicy::new(POLICY, PolicyKind::Step);
    policy.adjustment_type = Some("ChangeInCapacity".into());
    policy.steps = growth.steps().iter().map(step).collect();
    policy.metric_aggregation = Some("Minimum".into());
    policy.instance_warmup = Some(Growth::warm_up(options.boot_p95, options.period));
    policy
}

fn step(step: &Step) -> StepAdjustment {
    StepAdjustment::new(
        Some(f64::from(step.lower)),
        step.upper.map(f64::from),
        i32::try_from(step.adjustment).unwrap_or(i32::MAX),
    )
}

pub(super) fn alarm_name(kind: &str, group: &GroupName) -> String {
    format!("{ALARM_PREFIX}{kind}-{group}")
}

/// The alarm that grows the group, without its action: the ARN of the policy is known once that is there.
pub(super) fn growth_alarm(growth: &Growth, setup: &GroupSetup, options: &Options) -> Alarm {
    let (series, group) = (Series(setup), &setup.name);
    let mut alarm = alarm(
        GROWTH_ALARM,
        group,
        "Grows the group while idle Jibris are missing.",
    );
    alarm.queries = vec![
        series.jibri("idle", metric::IDLE, "Sum", options.period),
        series.jibri("n", metric::IDLE, "SampleCount", options.period),
        series.jibri("inservice", metric::IN_SERVICE, "Maximum", options.period),
        MetricQuery::new("short", QuerySource::Expression(growth.expression())),
    ];
    alarm.threshold = Some(Growth::THRESHOLD);
    alarm.evaluation_periods = Growth::PERIODS;
    alarm.datapoints_to_alarm = Growth::PERIODS;
    alarm
}

/// The alarms that tell a human.
pub(super) fn human_alarms(setup: &GroupSetup, topic: &str, options: &Options) -> Vec<Alarm> {
    let (series, group) = (Series(setup), &setup.name);
    let per_minute = 60 / options.period.as_secs().max(1);
    let publishers = || series.jibri("n", metric::IDLE, "SampleCount", MINUTE);
    let over = |kind: &str, what: &str, name: &str, statistic: &str, at_least: f64| {
        let mut alarm = alarm(kind, group, what);
        let mut query = series.jibri("m", name, statistic, MINUTE);
        query.is_result = true;
        alarm.queries = vec![query];
        alarm.threshold = Some(at_least);
        alarm
    };

    let mut silent = alarm(
        "silent",
        group,
        "Fewer than half of the instances in service publish, so the group does not grow.",
    );
    silent.queries = vec![
        publishers(),
        series.jibri("inservice", metric::IN_SERVICE, "Maximum", MINUTE),
        MetricQuery::new(
            "missing",
            QuerySource::Expression(format!("inservice - 2 * n / {per_minute}")),
        ),
    ];
    silent.threshold = Some(0.5);
    (silent.evaluation_periods, silent.datapoints_to_alarm) = (MINUTES_SILENT, MINUTES_SILENT);
    silent.missing_data = "breaching".into();

    let mut publishing = alarm(
        "publishers",
        group,
        "An instance in service does not publish: its agent is not there, may not, or drains it in service, as before a scheduled \
         event and after its Jibri has crashed. Its log says which.",
    );
    publishing.queries = vec![
        publishers(),
        series.group("inservice", "GroupInServiceInstances", "Maximum"),
        MetricQuery::new(
            "missing",
            QuerySource::Expression(format!("inservice - n / {per_minute}")),
        ),
    ];
    publishing.threshold = Some(0.5);
    publishing.evaluation_periods = MINUTES_MISSING;
    publishing.datapoints_to_alarm = MINUTES_MISSING;
    publishing.missing_data = "breaching".into();

    let max_busy = options.limits.max_busy();
    let mut hook = over(
        "hook",
        "A termination has been held for long; a hook ends it after 48 hours at most.",
        metric::HOOK_SECONDS,
        "Maximum",
        max_busy.min(LONGEST_HOOK_AGE).as_secs_f64(),
    );
    hook.evaluation_periods = MINUTES_BETWEEN_HEARTBEATS;

    let mut alarms = vec![
        silent,
        publishing,
        over(
            "busy",
            "A Jibri has been busy for longer than max_busy.",
            metric::BUSY_SECONDS,
            "Maximum",
            max_busy.as_secs_f64(),
        ),
        over(
            "retained",
            "An instance is kept for a human: save its recording, then end it.",
            metric::RETAINED,
            "Maximum",
            1.0,
        ),
        hook,
        over(
            "release",
            "A release check has failed, or a Jibri has crashed, so an instance is kept: save what is on it, then end it.",
            metric::RELEASE_CHECK_FAILED,
            "Sum",
            1.0,
        ),
    ];
    for alarm in &mut alarms {
        alarm.alarm_actions = vec![topic.to_owned()];
    }
    alarms
}

fn alarm(kind: &str, group: &GroupName, what: &str) -> Alarm {
    let mut alarm = Alarm::new(alarm_name(kind, group));
    alarm.description = Some(what.to_owned());
    alarm.comparison = "GreaterThanOrEqualToThreshold".into();
    alarm.missing_data = "notBreaching".into();
    alarm
}

/// The metrics of one group.
struct Series<'a>(&'a GroupSetup);

impl Series<'_> {
    fn jibri(&self, id: &str, metric: &str, statistic: &str, period: Duration) -> MetricQuery {
        let namespace = self.0.namespace.as_str();
        self.query(id, namespace, metric, statistic, period)
    }

    fn group(&self, id: &str, metric: &str, statistic: &str) -> MetricQuery {
        self.query(id, GROUP_NAMESPACE, metric, statistic, MINUTE)
    }

    fn query(
        &self,
        id: &str,
        namespace: &str,
        metric: &str,
        statistic: &str,
        period: Duration,
    ) -> MetricQuery {
        let mut query = MetricQuery::new(
            id,
            QuerySource::Metric {
                namespace: namespace.into(),
                metric: metric.into(),
                dimensions: BTreeMap::from([(GROUP_DIMENSION.into(), self.0.name.to_string())]),
                statistic: statistic.into(),
                unit: None,
            },
        );
        query.period = Some(period);
        query.is_result = false;
        query
    }
}
