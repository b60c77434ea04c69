//! The difference between what is there and what is to be there.

use std::collections::BTreeSet;

use jibri_scaler_core::{
    InstanceId, Lifecycle,
    agent::{HOOK_LAUNCHING, port::Transition},
    native::{Growth, SHRINK_ENABLED, SHRINK_TAG},
};

use super::{
    Change, Current, Options, ProvisionPlan, ProvisionStep, Refusal, Stage, dashboard, desired,
    gate,
    record::{Made, RECORD_TAG, Record},
    same,
    there::There,
    words,
};
use crate::inspect::{Alarm, GroupSetup, Spot};

/// The longest name of a group with which the names of its alarms stay under 255 characters.
const LONGEST_NAME: usize = 220;

/// What a lifecycle hook can wait, in seconds
/// ([`PutLifecycleHook`](https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html)).
const HOOK_SECONDS: std::ops::RangeInclusive<u64> = 30..=7200;

const NONE: &str = "none";

/// What is to be done so that the group is provisioned as the options say. It changes nothing. Once the plan is applied and
/// nothing is waited for, the next one is empty.
///
/// # Errors
/// Where the group can't be provisioned so, with the reason and what to do.
///
/// ```
/// use jibri_scaler_aws::{inspect::GroupSetup, provision::{Current, Options, plan}};
/// use jibri_scaler_core::{Limits, Timestamp, policy::MinIdle};
///
/// let mut setup = GroupSetup::new("jibri".parse()?, Timestamp::from_secs(1_763_800_000));
/// (setup.min_size, setup.max_size) = (1, 10);
/// let options = Options::new(MinIdle::default(), Limits::default());
/// let plan = plan(&Current::new(setup, "eu-central-1"), &options)?;
/// println!("{plan}");
/// assert!(!plan.waits_for.is_empty(), "no agent has been seen yet");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan(current: &Current, options: &Options) -> Result<ProvisionPlan, Refusal> {
    let setup = &current.setup;
    let growth = checked(setup, options)?;
    let there = There::of(setup)?;
    let waits_for = gate::waits(setup, there.signal, there.policies, options);

    let before = there.record.clone();
    let mut diff = Diff {
        current,
        options,
        growth,
        record: there.record.clone(),
        there,
        steps: Vec::new(),
    };
    diff.hooks_and_retention();
    diff.group_protection();
    diff.instance_protection(&waits_for);
    let mut record = diff.record.clone();
    let first = diff.steps.len();
    diff.growth();
    diff.shrinking();

    let mut plan = ProvisionPlan {
        notes: diff.notes(),
        steps: diff.steps,
        ..ProvisionPlan::default()
    };
    if waits_for.is_empty() {
        record = diff.record;
    } else {
        plan.later = plan.steps.split_off(first);
        if !plan.later.is_empty() {
            plan.waits_for = waits_for;
        }
    }
    if record != before {
        plan.steps.insert(0, writing(&record, setup));
    }
    Ok(plan)
}

fn checked(setup: &GroupSetup, options: &Options) -> Result<Growth, Refusal> {
    if options.batched {
        return Err(Refusal::Batched);
    }
    let growth = Growth::new(
        &*options.policy,
        options.limits.max_launch(),
        setup.min_size,
    )?;
    let spot = Spot::of(setup);
    if !spot.reasons().is_empty() && !options.allow_spot {
        let reasons = spot.reasons().iter().map(ToString::to_string);
        return Err(Refusal::Spot(reasons.collect()));
    }
    let deadline = options.limits.boot_deadline();
    if !HOOK_SECONDS.contains(&deadline.as_secs()) {
        return Err(Refusal::BootDeadline(deadline));
    }
    let length = setup.name.as_str().len();
    if length > LONGEST_NAME {
        return Err(Refusal::LongName(length));
    }
    Ok(growth)
}

/// The record as the first step: what is written before it is made is found again, whatever happens between.
fn writing(record: &Record, setup: &GroupSetup) -> ProvisionStep {
    let now = setup.tags.get(RECORD_TAG).map_or(NONE, |_| "older");
    let change = Change::PutTag {
        key: RECORD_TAG.into(),
        value: record.to_string(),
    };
    let what = format!("tag {RECORD_TAG}");
    ProvisionStep::new(Stage::Record, change, what, now, "what is made below")
}

struct Diff<'a> {
    current: &'a Current,
    options: &'a Options,
    growth: Growth,
    there: There<'a>,
    record: Record,
    steps: Vec<ProvisionStep>,
}

impl Diff<'_> {
    fn step(
        &mut self,
        stage: Stage,
        change: Change,
        what: impl Into<String>,
        now: impl Into<String>,
        then: impl Into<String>,
    ) {
        self.steps
            .push(ProvisionStep::new(stage, change, what, now, then));
    }

    fn hooks_and_retention(&mut self) {
        let stage = Stage::HooksAndRetention;
        // Before the hook, so that none is abandoned without it.
        if !self.current.setup.retains_abandoned {
            self.record.made.insert(Made::Retention);
            let change = Change::SetRetention(true);
            self.step(stage, change, "abandoned instances", "ended", "retained");
        }
        for hook in desired::hooks(self.options) {
            let there = self.there.hook(&hook.name);
            if there.is_some_and(|there| same::hook(there, &hook)) {
                continue;
            }
            if there.is_none() {
                self.record.made.insert(match hook.transition {
                    Some(Transition::Terminating) => Made::TerminatingHook,
                    _ => Made::LaunchingHook,
                });
            }
            let now = there.map_or_else(|| NONE.into(), words::hook);
            let (what, then) = (format!("hook {}", hook.name), words::hook(&hook));
            self.step(stage, Change::PutHook(hook), what, now, then);
        }
    }

    fn group_protection(&mut self) {
        let (stage, setup) = (Stage::GroupProtection, &self.current.setup);
        if !setup.new_instances_protected {
            self.record.made.insert(Made::Protection);
            let change = Change::SetNewInstanceProtection(true);
            self.step(
                stage,
                change,
                "new instances protected",
                words::yes(false),
                words::yes(true),
            );
        }
        if !setup.is_suspended(desired::REBALANCE) {
            self.record.made.insert(Made::Rebalance);
            let change = Change::Suspend(desired::REBALANCE.into());
            let what = format!("process {}", desired::REBALANCE);
            self.step(stage, change, what, "running", "suspended");
        }
        if setup.health_check_type != desired::HEALTH_CHECK {
            let before = setup.health_check_type.clone();
            self.record
                .health_check
                .get_or_insert_with(|| before.clone());
            let change = Change::SetHealthCheck(desired::HEALTH_CHECK.into());
            self.step(
                stage,
                change,
                "health checks",
                before,
                desired::HEALTH_CHECK,
            );
        }
    }

    /// An unprotected instance is an idle one where its agent speaks, and one that nobody protects where it does not. So those
    /// that are there are protected until all agents were seen, and where the group was not protected either.
    fn instance_protection(&mut self, waits_for: &[String]) {
        let setup = &self.current.setup;
        let unprotected: Vec<InstanceId> = setup
            .instances
            .iter()
            .filter(|member| !member.protected && can_be_protected(&member.lifecycle))
            .map(|member| member.id.clone())
            .collect();
        if waits_for.is_empty() && setup.new_instances_protected || unprotected.is_empty() {
            return;
        }
        let what = match &unprotected[..] {
            [one] => format!("instance {one}"),
            many => format!("{} instances", many.len()),
        };
        let change = Change::ProtectInstances(unprotected);
        self.step(
            Stage::InstanceProtection,
            change,
            what,
            "unprotected",
            "protected",
        );
    }

    fn growth(&mut self) {
        self.group_metrics();
        let setup = &self.current.setup;
        let humans = self.options.topic.as_deref();
        let humans = humans.map(|topic| desired::human_alarms(setup, topic, self.options));
        for alarm in humans.into_iter().flatten() {
            self.alarm(alarm, None);
        }
        self.policy();
        let mut alarm = desired::growth_alarm(&self.growth, setup, self.options);
        let arn = self.there.policy().and_then(|policy| policy.arn.clone());
        alarm.alarm_actions.extend(arn);
        self.alarm(alarm, Some(desired::POLICY.into()));
        self.stale_alarms();
        self.dashboard();
    }

    fn group_metrics(&mut self) {
        let collected = &self.current.setup.collected_metrics;
        let missing: BTreeSet<String> = desired::GROUP_METRICS
            .map(str::to_owned)
            .into_iter()
            .filter(|metric| !collected.contains(metric))
            .collect();
        if missing.is_empty() {
            return;
        }
        self.record.metrics.extend(missing.iter().cloned());
        let what = words::group_metrics(&missing);
        let change = Change::EnableMetrics(missing);
        self.step(Stage::Growth, change, what, "not collected", "collected");
    }

    fn policy(&mut self) {
        let policy = desired::policy(&self.growth, self.options);
        let there = self.there.policy();
        if there.is_some_and(|there| same::policy(there, &policy)) {
            return;
        }
        if there.is_none() {
            self.record.made.insert(Made::Policy);
        }
        let now = there.map_or_else(|| NONE.into(), words::policy);
        let (what, then) = (format!("policy {}", policy.name), words::policy(&policy));
        self.step(Stage::Growth, Change::PutPolicy(policy), what, now, then);
    }

    fn alarm(&mut self, alarm: Alarm, runs: Option<String>) {
        let setup = &self.current.setup;
        let there = self.there.our_alarms(setup).get(&*alarm.name).copied();
        let acts = runs.is_none() || !alarm.alarm_actions.is_empty();
        if acts && there.is_some_and(|there| same::alarm(there, &alarm)) {
            return;
        }
        if there.is_none() {
            self.record.made.insert(Made::Alarms);
        }
        let now = there.map_or_else(|| NONE.into(), words::alarm);
        let then = words::alarm(&alarm);
        let then = if now == then {
            format!("{then} (other details)")
        } else {
            then
        };
        let what = format!("alarm {}", alarm.name);
        let change = Change::PutAlarm { alarm, runs };
        self.step(Stage::Growth, change, what, now, then);
    }

    /// Those that the options no longer ask for, as when the topic is gone.
    fn stale_alarms(&mut self) {
        if !self.record.has(Made::Alarms) || self.options.topic.is_some() {
            return;
        }
        let setup = &self.current.setup;
        let grows = desired::alarm_name(desired::GROWTH_ALARM, &setup.name);
        let ours = self.there.our_alarms(setup);
        let stale: Vec<String> = ours
            .into_keys()
            .filter(|name| *name != grows)
            .map(str::to_owned)
            .collect();
        if !stale.is_empty() {
            let (what, now) = ("alarms for a human", stale.len().to_string());
            self.step(Stage::Growth, Change::DeleteAlarms(stale), what, now, NONE);
        }
    }

    fn dashboard(&mut self) {
        let current = self.current;
        let name = dashboard::name(&current.setup.name);
        let body = dashboard::body(&self.growth, current, self.options);
        let there = current.dashboard.as_deref();
        if there.is_some_and(|there| dashboard::same(there, &body)) {
            return;
        }
        if there.is_none() {
            self.record.made.insert(Made::Dashboard);
        }
        let now = there.map_or(NONE, |_| "other");
        let what = format!("dashboard {name}");
        self.step(
            Stage::Growth,
            Change::PutDashboard { name, body },
            what,
            now,
            "four graphs",
        );
    }

    fn shrinking(&mut self) {
        let tag = self.current.setup.tags.get(SHRINK_TAG);
        // The group is no longer being taken apart.
        self.record.shrank_until = None;
        if tag.is_some_and(|tag| tag.value == SHRINK_ENABLED) {
            return;
        }
        self.record.made.insert(Made::Shrink);
        let change = Change::PutTag {
            key: SHRINK_TAG.into(),
            value: SHRINK_ENABLED.into(),
        };
        let now = tag.map_or(NONE, |tag| &tag.value);
        self.step(
            Stage::Shrinking,
            change,
            format!("tag {SHRINK_TAG}"),
            now,
            SHRINK_ENABLED,
        );
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let launches = self.there.hook(HOOK_LAUNCHING).is_none();
        if launches {
            notes.push(format!(
                "from its launching hook on, AWS replaces every new instance whose agent has not seen its Jibri answer within {}: \
                 what the group launches must start the agent",
                words::span(self.options.limits.boot_deadline())
            ));
        }
        if self.options.topic.is_none() {
            notes.push(
                "without an SNS topic no human is told when publishers are missing, an instance is retained, or growth stops".into(),
            );
        }
        notes.extend(self.spot_notes());
        let others = self.there.policies.iter();
        for policy in others.filter(|policy| policy.name != desired::POLICY && policy.enabled) {
            notes.push(format!(
                "scaling policy `{}` also changes this group",
                policy.name
            ));
        }
        notes
    }

    /// Nothing where On-Demand instances are all there is, or where Spot is allowed and not known of.
    fn spot_notes(&self) -> Vec<String> {
        let spot = Spot::of(&self.current.setup);
        if !spot.reasons().is_empty() {
            let known = "Spot instances are taken back in the middle of a recording, hook or not";
            return vec![known.into()];
        }
        if self.options.allow_spot {
            return Vec::new();
        }
        let not_excluded = spot.not_excluded().iter().map(|unknown| {
            format!(
                "Spot, which ends recordings, could not be excluded for {unknown}: {}; see to that, or look by hand (the doctor \
                 says how)",
                unknown.why
            )
        });
        not_excluded.collect()
    }
}

/// Protection can be set in these states only.
pub(super) fn can_be_protected(lifecycle: &Lifecycle) -> bool {
    matches!(
        lifecycle,
        Lifecycle::InService | Lifecycle::EnteringStandby | Lifecycle::Standby
    )
}
