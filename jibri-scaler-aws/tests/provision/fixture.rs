//! Groups as data, and changes made to them as AWS makes them.

use jibri_scaler_aws::{
    inspect::{GroupSetup, Member, Signal, Tag},
    provision::{Change, Current, Options, ProvisionPlan, Stage, plan},
};
use jibri_scaler_core::{
    InstanceId, Lifecycle, Limits, Timestamp,
    agent::port::SignalSum,
    policy::{MaxOf, MinIdle, Percent, PercentIdle, Policy},
};

pub(crate) const NOW: i64 = 1_763_800_020;
pub(crate) const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:jibri";

pub(crate) fn options() -> Options {
    let policy = MaxOf::new([
        Box::new(MinIdle::new(2).unwrap()) as Box<dyn Policy>,
        Box::new(PercentIdle::new(Percent::new(20.0).unwrap())),
    ]);
    Options::new(policy, Limits::default())
        .with_topic(TOPIC)
        .unwrap()
}

/// A bare group of three instances in service, whose agents have published.
pub(crate) fn group() -> Current {
    let name = "jibri".parse().unwrap();
    let mut setup = GroupSetup::new(name, Timestamp::from_secs(NOW));
    (setup.min_size, setup.max_size, setup.desired) = (1, 20, 3);
    setup.instances = ["i-a", "i-b", "i-c"]
        .map(|id| Member::new(id.parse().unwrap(), Lifecycle::InService))
        .into();
    setup.signal = Ok(publishing(3.0));
    Current::new(setup, "eu-central-1")
}

/// So many instances have published every ten seconds in the last minutes.
pub(crate) fn publishing(instances: f64) -> Signal {
    let mut signal = Signal::default();
    let at = |ago| Timestamp::from_secs(NOW - ago);
    signal.short = (1..=30)
        .rev()
        .map(|ago| SignalSum::new(at(10 * ago), instances, instances))
        .collect();
    let minutes = (1..=5).rev().map(|ago| at(60 * ago));
    signal.minutes = minutes
        .clone()
        .map(|at| SignalSum::new(at, 6.0 * instances, 6.0 * instances))
        .collect();
    signal.by_agents = minutes.map(|at| (at, 6.0 * instances)).collect();
    signal
}

/// Makes all changes of the plan.
pub(crate) fn apply(current: &mut Current, plan: &ProvisionPlan) {
    for step in &plan.steps {
        make(current, &step.change);
    }
}

/// Plans and applies, and does so again: the second plan must be empty.
pub(crate) fn provisioned(mut current: Current, options: &Options) -> Current {
    let changes = plan(&current, options).unwrap();
    apply(&mut current, &changes);
    let again = plan(&current, options).unwrap();
    assert!(again.is_empty(), "the second plan is not empty:\n{again}");
    current
}

pub(crate) fn stages(plan: &ProvisionPlan) -> Vec<Stage> {
    let mut stages: Vec<_> = plan.steps.iter().map(|step| step.stage).collect();
    stages.dedup();
    stages
}

fn make(current: &mut Current, change: &Change) {
    let setup = &mut current.setup;
    match change.clone() {
        Change::PutHook(hook) => {
            let hooks = setup.hooks.as_mut().unwrap();
            hooks.retain(|there| there.name != hook.name);
            hooks.push(hook);
        }
        Change::DeleteHook(name) => setup.hooks.as_mut().unwrap().retain(|h| h.name != name),
        Change::SetRetention(retain) => setup.retains_abandoned = retain,
        Change::SetNewInstanceProtection(protect) => setup.new_instances_protected = protect,
        Change::Suspend(process) => {
            setup.suspended_processes.insert(process);
        }
        Change::Resume(process) => {
            setup.suspended_processes.remove(&process);
        }
        Change::SetHealthCheck(kind) => setup.health_check_type = kind,
        Change::ProtectInstances(ids) => protect(setup, &ids),
        Change::EnableMetrics(metrics) => setup.collected_metrics.extend(metrics),
        Change::DisableMetrics(metrics) => {
            setup
                .collected_metrics
                .retain(|metric| !metrics.contains(metric));
        }
        Change::PutPolicy(mut policy) => {
            policy.arn = Some(arn(&policy.name));
            let policies = setup.policies.as_mut().unwrap();
            policies.retain(|there| there.name != policy.name);
            policies.push(policy);
        }
        Change::DeletePolicy(name) => {
            setup.policies.as_mut().unwrap().retain(|p| p.name != name);
        }
        Change::PutAlarm { mut alarm, runs } => {
            if let Some(policy) = runs {
                alarm.alarm_actions = vec![arn(&policy)];
            }
            let alarms = setup.alarms.as_mut().unwrap();
            alarms.retain(|there| there.name != alarm.name);
            alarms.push(alarm);
        }
        Change::DeleteAlarms(names) => {
            setup
                .alarms
                .as_mut()
                .unwrap()
                .retain(|a| !names.contains(&a.name));
        }
        Change::PutDashboard { body, .. } => current.dashboard = Some(body),
        Change::DeleteDashboard(_) => current.dashboard = None,
        Change::PutTag { key, value } => {
            setup.tags.insert(key, Tag::new(value, false));
        }
        Change::DeleteTag { key } => {
            setup.tags.remove(&key);
        }
        other => panic!("no such change is known: {other:?}"),
    }
}

fn protect(setup: &mut GroupSetup, ids: &[InstanceId]) {
    for member in &mut setup.instances {
        member.protected |= ids.contains(&member.id);
    }
}

fn arn(policy: &str) -> String {
    format!(
        "arn:aws:autoscaling:eu-central-1:123456789012:scalingPolicy:1:autoScalingGroupName/jibri:policyName/{policy}"
    )
}
