//! The way back.

use std::{collections::BTreeSet, time::Duration};

use jibri_scaler_core::{
    InstanceId, Lifecycle, Timestamp,
    agent::{HOOK_LAUNCHING, HOOK_TERMINATING},
    native::{SHRINK_ENABLED, SHRINK_TAG},
};

use super::{
    Change, Current, ProvisionPlan, ProvisionStep, Refusal, Stage, dashboard, desired,
    record::{Made, RECORD_TAG, Record},
    there::{There, read},
    words,
};
use crate::{CONTROLLER_TAG, inspect::GroupSetup, ownership};

/// An agent that has listed the group with the tag that lets it end itself, and with the hook, acts up to 105 s later; and within 15
/// minutes it takes again the protection that it had dropped because of them, also where it can't list the group any more. The rest is
/// for reading the group and making the first changes, after the moment that is noted for the end of the tag.
const AGENTS_ACT_WITHIN: Duration = Duration::from_mins(20);

/// What is to be done to take away what provisioning has made, in the reverse order, and nothing else. It changes nothing.
///
/// The hooks stay until agents have had 20 minutes to see that they may no longer end themselves, and to protect their instances: their deletion is for
/// [later](ProvisionPlan::later), so plan and apply again then. A controller may be about to end an instance through the hook, too: stop it first. The
/// hooks stay where one has left its [mark](crate::Ownership) in those 20 minutes; one that leaves none is not seen. Settings of the group that were changed go back to what they were. What had our
/// name before provisioning was there (a hook, a policy, an alarm, a dashboard, as of a template) was not made by it: it was changed in place, and stays as
/// it is. Instances keep their protection: to take it away is the business of their agents,
/// or of who knows that they are idle.
///
/// # Errors
/// Where an instance is on its way out, or back to the warm pool, since deleting a hook would let it go; or where what was made
/// can't be told.
///
/// ```
/// use jibri_scaler_aws::{inspect::GroupSetup, provision::{Current, destroy}};
/// use jibri_scaler_core::Timestamp;
///
/// let setup = GroupSetup::new("jibri".parse()?, Timestamp::from_secs(1_763_800_000));
/// let plan = destroy(&Current::new(setup, "eu-central-1"))?;
/// assert!(plan.is_empty(), "nothing was made");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn destroy(current: &Current) -> Result<ProvisionPlan, Refusal> {
    let setup = &current.setup;
    let there = There::of(setup)?;
    let mut plan = ProvisionPlan::default();
    if !setup.tags.contains_key(RECORD_TAG) {
        plan.notes.push(format!(
            "the group has no tag `{RECORD_TAG}`: provisioning has made nothing here"
        ));
        return Ok(plan);
    }
    let leaving = leaving(setup)?;
    if !leaving.is_empty() {
        return Err(Refusal::Leaving(leaving));
    }
    let record = &there.record;
    let mut steps = Vec::new();
    shrinking(setup, record, &mut steps);
    growth(current, &there, &mut steps);
    group_protection(setup, record, &mut steps);
    let first = steps.len();
    hooks_and_retention(setup, &there, &mut steps);
    steps.push(ProvisionStep::new(
        Stage::Record,
        Change::DeleteTag {
            key: RECORD_TAG.into(),
        },
        format!("tag {RECORD_TAG}"),
        "what was made",
        NONE,
    ));
    let deletes_hooks = steps
        .iter()
        .any(|step| matches!(step.change, Change::DeleteHook(_)));
    let (wait, controller) = (wait(setup, record, &steps), controller_at_work(setup));
    if deletes_hooks && (wait.is_some() || controller.is_some()) {
        plan.later = steps.split_off(first);
        plan.waits_for.extend(controller);
        if let Some(wait) = wait {
            plan.waits_for.push(wait.why);
            if record.shrank_until != Some(wait.shrank_until) {
                let mut noted = record.clone();
                noted.shrank_until = Some(wait.shrank_until);
                steps.insert(0, noting(&noted));
            }
        }
    }
    plan.steps = steps;
    let shrinks = setup.tags.get(SHRINK_TAG);
    if !record.has(Made::Shrink) && shrinks.is_some_and(|tag| tag.value == SHRINK_ENABLED) {
        plan.notes.push(format!(
            "the tag `{SHRINK_TAG}` is not of provisioning and stays: agents go on ending themselves"
        ));
    }
    let protected = setup.instances.iter().filter(|member| member.protected);
    match protected.count() {
        0 => {}
        n => plan.notes.push(format!(
            "{n} instances stay protected from scale-in: whoever takes that away must know that they are idle"
        )),
    }
    if plan.later.is_empty() {
        plan.notes.push(
            "instances that end from now on are not held: stop what ends instances of this group first, its agents included".into(),
        );
    }
    Ok(plan)
}

/// Why the hooks must stay for now.
struct Wait {
    why: String,
    /// Until when, at least, agents were let to end themselves, or controllers kept from working.
    shrank_until: Timestamp,
}

/// An agent may end its instance through the hook some time after it has listed the group, and would end it without a drain were the
/// hook gone by then. And a controller that has only looked on, as it does while there is a scaling policy, may begin to work.
fn wait(setup: &GroupSetup, record: &Record, steps: &[ProvisionStep]) -> Option<Wait> {
    let tag = setup.tags.get(SHRINK_TAG);
    let now = setup.read_at;
    if tag.is_some_and(|tag| tag.value == SHRINK_ENABLED) {
        let why = if record.has(Made::Shrink) {
            format!(
                "agents to see that the tag `{SHRINK_TAG}` is gone, so that none ends its instance without the hook: do the same \
                 again in {}",
                words::span(AGENTS_ACT_WITHIN)
            )
        } else {
            format!(
                "the tag `{SHRINK_TAG}` to be taken away by whoever has set it, and agents to see it: an agent may be about to end its \
                 instance through the hook; do the same again {} after that",
                words::span(AGENTS_ACT_WITHIN)
            )
        };
        return Some(Wait {
            why,
            shrank_until: now,
        });
    }
    let deletes_policy = |step: &ProvisionStep| matches!(step.change, Change::DeletePolicy(_));
    // Nothing is known where the tag was taken away by hand.
    let shrank_until = match record.shrank_until {
        _ if steps.iter().any(deletes_policy) => now,
        Some(until) => until.min(now),
        None if record.has(Made::Shrink) => now,
        None => return None,
    };
    let left = AGENTS_ACT_WITHIN.checked_sub(now.since(shrank_until))?;
    (!left.is_zero()).then(|| Wait {
        why: format!(
            "agents to see that the tag `{SHRINK_TAG}` is gone, and controllers that the scaling policy is, so that none ends an \
             instance without the hook: do the same again in {}",
            words::span(left)
        ),
        shrank_until,
    })
}

/// A tick that has seen the hook hands an instance over to its agent, and would end it without a drain were the hook gone by then.
fn controller_at_work(setup: &GroupSetup) -> Option<String> {
    let mark = setup.tags.get(CONTROLLER_TAG)?;
    let name = at_work(&mark.value, setup.read_at)?;
    Some(format!(
        "controller `{name}` to be stopped: it may be about to end an instance through the hook; do the same \
         again when its mark, the tag `{CONTROLLER_TAG}`, is {} old, or take that tag away once it is stopped",
        words::span(AGENTS_ACT_WITHIN)
    ))
}

/// The controller that has left this mark lately, or that has a clock that is ahead of ours.
pub(super) fn at_work(mark: &str, now: Timestamp) -> Option<&str> {
    let (name, at) = ownership::read(mark)?;
    (now.since(at) < AGENTS_ACT_WITHIN).then_some(name)
}

/// What is written down before the tag is taken away is found again, whatever happens between.
fn noting(record: &Record) -> ProvisionStep {
    let change = Change::PutTag {
        key: RECORD_TAG.into(),
        value: record.to_string(),
    };
    ProvisionStep::new(
        Stage::Record,
        change,
        format!("tag {RECORD_TAG}"),
        "what was made",
        "and that it is being taken away",
    )
}

/// The instances on their way out, or back to the warm pool.
fn leaving(setup: &GroupSetup) -> Result<Vec<InstanceId>, Refusal> {
    let pool = read("the warm pool", &setup.warm_pool)?;
    let pooled = pool.iter().flat_map(|pool| &pool.instances);
    let all = setup.instances.iter().chain(pooled);
    Ok(all
        .filter(|member| is_leaving(&member.lifecycle))
        .map(|member| member.id.clone())
        .collect())
}

/// Whether a hook may hold what is in this state, or soon will. On the way back to the warm pool the terminating hook holds it in
/// `Warmed:Pending:Wait`, where the launching one holds what comes for the first time.
pub(super) fn is_leaving(lifecycle: &Lifecycle) -> bool {
    let state = lifecycle.as_str();
    ["Terminating", "Warmed:Pending", "Warmed:Terminating"]
        .iter()
        .any(|held| state.starts_with(held))
}

const NONE: &str = "none";

fn shrinking(setup: &GroupSetup, record: &Record, steps: &mut Vec<ProvisionStep>) {
    if let Some(tag) = setup
        .tags
        .get(SHRINK_TAG)
        .filter(|_| record.has(Made::Shrink))
    {
        let change = Change::DeleteTag {
            key: SHRINK_TAG.into(),
        };
        let what = format!("tag {SHRINK_TAG}");
        steps.push(ProvisionStep::new(
            Stage::Shrinking,
            change,
            what,
            &tag.value,
            NONE,
        ));
    }
}

fn growth(current: &Current, there: &There<'_>, steps: &mut Vec<ProvisionStep>) {
    let (setup, record) = (&current.setup, &there.record);
    let mut push = |change, what: String, now: String, then: &str| {
        steps.push(ProvisionStep::new(Stage::Growth, change, what, now, then));
    };
    let dashboard = dashboard::name(&setup.name);
    if record.has(Made::Dashboard) && current.dashboard.is_some() {
        let what = format!("dashboard {dashboard}");
        push(
            Change::DeleteDashboard(dashboard),
            what,
            "there".into(),
            NONE,
        );
    }
    let alarms: Vec<String> = there
        .our_alarms(setup)
        .into_keys()
        .map(str::to_owned)
        .collect();
    if record.has(Made::Alarms) && !alarms.is_empty() {
        let what = format!("alarms {}", desired::alarm_name("…", &setup.name));
        let now = alarms.len().to_string();
        push(Change::DeleteAlarms(alarms), what, now, NONE);
    }
    if let Some(policy) = there.policy().filter(|_| record.has(Made::Policy)) {
        let change = Change::DeletePolicy(policy.name.clone());
        push(
            change,
            format!("policy {}", policy.name),
            words::policy(policy),
            NONE,
        );
    }
    let collected = &setup.collected_metrics;
    let metrics: BTreeSet<String> = record.metrics.intersection(collected).cloned().collect();
    if !metrics.is_empty() {
        let what = words::group_metrics(&metrics);
        push(
            Change::DisableMetrics(metrics),
            what,
            "collected".into(),
            "not collected",
        );
    }
}

fn group_protection(setup: &GroupSetup, record: &Record, steps: &mut Vec<ProvisionStep>) {
    let mut push = |change, what: String, now: &str, then: &str| {
        steps.push(ProvisionStep::new(
            Stage::GroupProtection,
            change,
            what,
            now,
            then,
        ));
    };
    if let Some(before) = &record.health_check
        && *before != setup.health_check_type
    {
        let change = Change::SetHealthCheck(before.clone());
        push(
            change,
            "health checks".into(),
            &setup.health_check_type,
            before,
        );
    }
    if record.has(Made::Rebalance) && setup.is_suspended(desired::REBALANCE) {
        let change = Change::Resume(desired::REBALANCE.into());
        push(
            change,
            format!("process {}", desired::REBALANCE),
            "suspended",
            "running",
        );
    }
    if record.has(Made::Protection) && setup.new_instances_protected {
        let change = Change::SetNewInstanceProtection(false);
        push(
            change,
            "new instances protected".into(),
            words::yes(true),
            words::yes(false),
        );
    }
}

fn hooks_and_retention(setup: &GroupSetup, there: &There<'_>, steps: &mut Vec<ProvisionStep>) {
    let stage = Stage::HooksAndRetention;
    let record = &there.record;
    let made = [
        (HOOK_LAUNCHING, record.has(Made::LaunchingHook)),
        (HOOK_TERMINATING, record.has(Made::TerminatingHook)),
    ];
    for hook in made
        .iter()
        .filter(|(_, made)| *made)
        .filter_map(|(name, _)| there.hook(name))
    {
        let change = Change::DeleteHook(hook.name.clone());
        let what = format!("hook {}", hook.name);
        steps.push(ProvisionStep::new(
            stage,
            change,
            what,
            words::hook(hook),
            NONE,
        ));
    }
    if record.has(Made::Retention) && setup.retains_abandoned {
        let change = Change::SetRetention(false);
        steps.push(ProvisionStep::new(
            stage,
            change,
            "abandoned instances",
            "retained",
            "ended",
        ));
    }
}
