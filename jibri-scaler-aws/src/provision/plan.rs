use std::{collections::BTreeSet, fmt};

use jibri_scaler_core::InstanceId;

use crate::inspect::{Alarm, Hook, ScalingPolicy};

/// The stages of provisioning, in order: nothing can end a recording before all that keeps it is there.
///
/// ```
/// use jibri_scaler_aws::provision::Stage;
///
/// assert!(Stage::HooksAndRetention < Stage::Growth);
/// assert_eq!(Stage::Shrinking.to_string(), "shrinking");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Writing down what is going to be made.
    Record,
    /// An instance that is to end is held until its agent lets it go, and kept where it does not.
    HooksAndRetention,
    /// New instances are born protected, and nothing but a named end takes one.
    GroupProtection,
    /// The instances that are there are protected.
    InstanceProtection,
    /// Alarms grow the group, and tell a human. From here on agents must have been seen on all instances.
    Growth,
    /// Agents may end themselves when they are surplus.
    Shrinking,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Record => "record",
            Self::HooksAndRetention => "hooks, retention",
            Self::GroupProtection => "group protection",
            Self::InstanceProtection => "instance protection",
            Self::Growth => "growth",
            Self::Shrinking => "shrinking",
        })
    }
}

/// One change. Each can be made twice with the same result.
///
/// ```
/// use jibri_scaler_aws::provision::Change;
///
/// let change = Change::DeleteHook("jibri-scaler-launching".into());
/// # let _ = change;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Make a hook, or change the one of that name in place.
    PutHook(Hook),
    /// Delete the hook of that name, unless an instance is on its way out or agents may end themselves.
    DeleteHook(String),
    /// Keep instances whose terminating hook was abandoned, or end them.
    SetRetention(bool),
    /// Let new instances be born protected from scale-in, or not.
    SetNewInstanceProtection(bool),
    /// Suspend the process of that name.
    Suspend(String),
    /// Resume the process of that name.
    Resume(String),
    /// Set the health checks, as AWS writes them.
    SetHealthCheck(String),
    /// Protect all instances in service or in standby that are not, those included that came after the plan was made.
    ProtectInstances(Vec<InstanceId>),
    /// Collect these group metrics.
    EnableMetrics(BTreeSet<String>),
    /// No longer collect these group metrics.
    DisableMetrics(BTreeSet<String>),
    /// Make a scaling policy, or change the one of that name.
    PutPolicy(ScalingPolicy),
    /// Delete the scaling policy of that name.
    DeletePolicy(String),
    /// Make an alarm, or change the one of that name.
    PutAlarm {
        /// The alarm.
        alarm: Alarm,
        /// The scaling policy that it runs, whose ARN is added to its actions.
        runs: Option<String>,
    },
    /// Delete the alarms of these names.
    DeleteAlarms(Vec<String>),
    /// Make a dashboard, or change the one of that name.
    PutDashboard {
        /// Its name.
        name: String,
        /// Its body, in JSON.
        body: String,
    },
    /// Delete the dashboard of that name.
    DeleteDashboard(String),
    /// Set a tag of the group, which instances do not get.
    PutTag {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Delete a tag of the group.
    DeleteTag {
        /// Its key.
        key: String,
    },
}

/// A change with its place in the order, and how it reads in a table.
///
/// ```
/// use jibri_scaler_aws::provision::{Change, ProvisionStep, Stage};
///
/// let change = Change::Suspend("AZRebalance".into());
/// let step = ProvisionStep::new(Stage::GroupProtection, change, "process AZRebalance", "running", "suspended");
/// assert_eq!(step.to_string(), "group protection: process AZRebalance: running → suspended");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProvisionStep {
    /// The stage it belongs to.
    pub stage: Stage,
    /// What is done.
    pub change: Change,
    /// What it is done to.
    pub what: String,
    /// What is there now.
    pub now: String,
    /// What is there afterwards.
    pub then: String,
}

impl ProvisionStep {
    /// A step of that stage.
    pub fn new(
        stage: Stage,
        change: Change,
        what: impl Into<String>,
        now: impl Into<String>,
        then: impl Into<String>,
    ) -> Self {
        Self {
            stage,
            change,
            what: what.into(),
            now: now.into(),
            then: then.into(),
        }
    }
}

impl fmt::Display for ProvisionStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stage,
            what,
            now,
            then,
            ..
        } = self;
        write!(f, "{stage}: {what}: {now} → {then}")
    }
}

/// The difference between what is there and what is to be there. `Display` is a table.
///
/// ```
/// use jibri_scaler_aws::provision::ProvisionPlan;
///
/// let plan = ProvisionPlan::default();
/// assert!(plan.is_empty());
/// assert_eq!(plan.to_string(), "nothing to change\n");
/// ```
#[must_use = "a plan changes nothing until it is applied"]
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ProvisionPlan {
    /// What is done, in this order.
    pub steps: Vec<ProvisionStep>,
    /// What is to be done as well, once nothing is waited for any more: plan and apply again.
    pub later: Vec<ProvisionStep>,
    /// What `later` waits for.
    pub waits_for: Vec<String>,
    /// What a human should know.
    pub notes: Vec<String>,
}

impl ProvisionPlan {
    /// Whether nothing is to be done, now or later.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.later.is_empty()
    }
}

const HEADER: [&str; 4] = ["stage", "what", "now", "then"];

impl fmt::Display for ProvisionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            writeln!(f, "nothing to change")?;
        }
        table(f, &self.steps)?;
        if !self.later.is_empty() {
            if !self.steps.is_empty() {
                writeln!(f)?;
            }
            writeln!(f, "later, waiting for:")?;
            for reason in &self.waits_for {
                writeln!(f, "  {reason}")?;
            }
            table(f, &self.later)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

fn table(f: &mut fmt::Formatter<'_>, steps: &[ProvisionStep]) -> fmt::Result {
    if steps.is_empty() {
        return Ok(());
    }
    let rows = steps.iter().map(|step| {
        let stage = step.stage.to_string();
        [
            stage,
            step.what.clone(),
            step.now.clone(),
            step.then.clone(),
        ]
    });
    let rows: Vec<_> = std::iter::once(HEADER.map(str::to_owned))
        .chain(rows)
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2)];
    for [stage, what, now, then] in &rows {
        let line = format!(
            "{stage:0$}  {what:1$}  {now:2$}  {then}",
            widths[0], widths[1], widths[2]
        );
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_a_table_with_what_waits_and_the_notes_below() {
        let step =
            |stage, change, what, then| ProvisionStep::new(stage, change, what, "none", then);
        let retain = Change::SetRetention(true);
        let policy = Change::DeletePolicy("p".into());
        let plan = ProvisionPlan {
            steps: vec![step(
                Stage::HooksAndRetention,
                retain,
                "retention",
                "retain",
            )],
            later: vec![step(Stage::Growth, policy, "policy p", "some")],
            waits_for: vec!["agents on all".into()],
            notes: vec!["mind the gap".into()],
        };
        assert_eq!(
            plan.to_string(),
            "\
stage             what       now   then
hooks, retention  retention  none  retain

later, waiting for:
  agents on all
stage   what      now   then
growth  policy p  none  some
note: mind the gap
"
        );
    }
}
