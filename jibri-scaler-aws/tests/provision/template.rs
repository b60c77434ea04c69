//! The template of `CloudFormation` says the same as the code.

use std::{fs, time::Duration};

use jibri_scaler_aws::provision::iam::{Role, Scope, policy};
use jibri_scaler_core::{
    agent::{AgentConfig, HOOK_LAUNCHING, HOOK_TERMINATING},
    native::{Growth, SHRINK_ENABLED, SHRINK_TAG, Step, metric},
    policy::{MaxOf, MinIdle, Percent, PercentIdle, Policy},
};

const TEMPLATE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../docs/native/jibri-group.yaml"
);

/// How many may be launched at once where the policy does not say: the steps of the template, which has no such parameter.
const MAX_LAUNCH: u32 = 20;

fn template() -> String {
    fs::read_to_string(TEMPLATE).unwrap()
}

/// The lines of one resource.
fn resource<'a>(template: &'a str, name: &str) -> &'a str {
    let start = template.find(&format!("\n  {name}:\n")).unwrap() + 1;
    let rest = &template[start..];
    let end = rest[1..]
        .match_indices("\n  ")
        .find(|(at, _)| !rest[at + 4..].starts_with(' '));
    end.map_or(rest, |(at, _)| &rest[..=at])
}

/// What follows that key where it stands first.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let (_, rest) = text
        .split_once(&format!("{key}: "))
        .unwrap_or_else(|| panic!("no {key} in {text}"));
    rest.split(['\n', ',', '}'])
        .next()
        .unwrap()
        .trim_matches('"')
}

fn growth(min_idle: u32, percent: u32) -> Growth {
    let share = Percent::new(f64::from(percent)).unwrap();
    let policy = MaxOf::new([
        Box::new(MinIdle::new(min_idle).unwrap()) as Box<dyn Policy>,
        Box::new(PercentIdle::new(share)),
    ]);
    Growth::new(&policy, MAX_LAUNCH, 1).unwrap()
}

#[test]
fn the_growth_expression_is_that_of_the_core() {
    let template = template();
    let alarm = resource(&template, "Short");
    let (_, rest) = alarm.split_once("Expression: !Sub \"").unwrap();
    let expression = rest.split('"').next().unwrap();
    // The core cancels the fraction, which the template can't; with these nothing cancels.
    for (min_idle, percent) in [(1, 1), (2, 7), (3, 33), (40, 91)] {
        let ours = expression
            .replace("${MinIdle}", &min_idle.to_string())
            .replace("(100 - ${PercentIdle})", &(100 - percent).to_string())
            .replace("${PercentIdle}", &percent.to_string());
        assert_eq!(ours, growth(min_idle, percent).expression());
    }
    assert_eq!(value(alarm, "Threshold").parse(), Ok(Growth::THRESHOLD));
    for key in ["EvaluationPeriods", "DatapointsToAlarm"] {
        assert_eq!(value(alarm, key).parse(), Ok(Growth::PERIODS), "{key}");
    }
    assert_eq!(
        value(alarm, "ComparisonOperator"),
        "GreaterThanOrEqualToThreshold"
    );
    assert_eq!(value(alarm, "TreatMissingData"), "notBreaching");
    for (id, name, statistic) in [
        ("idle", metric::IDLE, "Sum"),
        ("n", metric::IDLE, "SampleCount"),
        ("inservice", metric::IN_SERVICE, "Maximum"),
    ] {
        let (_, query) = alarm.split_once(&format!("- Id: {id}\n")).unwrap();
        assert_eq!(value(query, "MetricName"), name);
        assert_eq!(value(query, "Stat"), statistic);
        let period = value(query, "Period").parse().map(Duration::from_secs);
        assert_eq!(period, Ok(AgentConfig::default().period()));
    }
}

#[test]
fn the_steps_are_those_of_the_core() {
    let template = template();
    let policy = resource(&template, "Grow");
    let steps: Vec<Step> = policy
        .lines()
        .filter(|line| line.contains("ScalingAdjustment: "))
        .map(|line| {
            let number = |key| value(line, key).parse().unwrap();
            let upper = line.contains("MetricIntervalUpperBound");
            Step::new(
                number("MetricIntervalLowerBound"),
                upper.then(|| number("MetricIntervalUpperBound")),
                number("ScalingAdjustment"),
            )
        })
        .collect();
    assert_eq!(steps, growth(2, 20).steps());
    assert_eq!(value(policy, "AdjustmentType"), "ChangeInCapacity");
    assert_eq!(value(policy, "MetricAggregationType"), "Minimum");
}

#[test]
fn hooks_tag_and_metrics_have_the_names_that_agents_look_for() {
    let template = template();
    let group = resource(&template, "Group");
    for hook in [HOOK_LAUNCHING, HOOK_TERMINATING] {
        let (_, rest) = group
            .split_once(&format!("LifecycleHookName: {hook}\n"))
            .unwrap();
        assert_eq!(value(rest, "DefaultResult"), "ABANDON");
    }
    let (_, terminating) = group.split_once(HOOK_TERMINATING).unwrap();
    let timeout = value(terminating, "HeartbeatTimeout")
        .parse()
        .map(Duration::from_secs);
    assert_eq!(timeout, Ok(AgentConfig::default().hook_timeout()));
    let tag = format!("Key: \"{SHRINK_TAG}\", Value: !If [Shrinks, {SHRINK_ENABLED},");
    assert!(group.contains(&tag), "{group}");
    for (alarm, name) in [
        ("BusyLong", metric::BUSY_SECONDS),
        ("Retained", metric::RETAINED),
        ("HeldLong", metric::HOOK_SECONDS),
        ("ReleaseCheckFailed", metric::RELEASE_CHECK_FAILED),
        ("Publishers", metric::IDLE),
        ("FewPublishers", metric::IDLE),
    ] {
        assert_eq!(value(resource(&template, alarm), "MetricName"), name);
    }
}

#[test]
fn the_role_has_the_rights_of_an_agent_and_no_other() {
    let template = template();
    let actions = |text: &str| {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'));
        let actions = words.filter(|word| {
            let action = word
                .strip_prefix("autoscaling:")
                .or_else(|| word.strip_prefix("cloudwatch:"));
            action.is_some_and(|action| action.starts_with(char::is_uppercase))
        });
        let mut actions: Vec<_> = actions.map(str::to_owned).collect();
        actions.sort_unstable();
        actions.dedup();
        actions
    };
    let ours = policy(Role::Agent, &Scope::new("jibri".parse().unwrap()));
    assert_eq!(actions(resource(&template, "Role")), actions(&ours));
}

/// Deleting the stack keeps the group, so that it must keep what its instances need too.
#[test]
fn what_the_group_needs_stays_as_the_group_does() {
    let template = template();
    for kept in ["Group", "Role", "InstanceProfile", "LaunchTemplate"] {
        let resource = resource(&template, kept);
        assert_eq!(value(resource, "DeletionPolicy"), "Retain", "{kept}");
        assert_eq!(value(resource, "UpdateReplacePolicy"), "Retain", "{kept}");
    }
}

/// The user data of the template are those of the guide, but for the numbers of the policy.
#[test]
fn the_user_data_are_those_of_the_guide() {
    let template = template();
    let (_, rest) = template.split_once("#!/bin/bash\n").unwrap();
    let ours = rest.lines().take_while(|line| !line.trim().is_empty());
    let guide =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/native.md")).unwrap();
    let (_, rest) = guide.split_once("```bash\n#!/bin/bash\n").unwrap();
    let theirs = rest.lines().take_while(|line| *line != "```");
    let code = |lines: Vec<&str>| -> Vec<String> {
        let code = lines
            .into_iter()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'));
        code.map(|line| match line.split_once(" = ") {
            Some((key, _)) if !line.starts_with("echo") => key.to_owned(),
            _ => line.to_owned(),
        })
        .collect()
    };
    assert_eq!(code(ours.collect()), code(theirs.collect()));
}
