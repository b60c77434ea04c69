//! What is wrong with a group, in order of danger, each with its fix.
//!
//! [`Doctor::examine`] is pure: it looks at what [`inspect`](crate::inspect) has read and at what else it is given, and calls
//! nothing. Its rules, in order of danger:
//!
//! | rule | what is found |
//! |---|---|
//! | `no_hook` | nothing holds an instance that is to end until its agent has drained it |
//! | `hook_continues` | a terminating hook lets go what is silent |
//! | `hook_does_not_retain` | what a terminating hook abandons ends, since the group does not keep it |
//! | `hook_too_short` | a terminating hook lets go before the longest recording is done |
//! | `refresh_kills` | an instance refresh is under way that does not spare protected instances |
//! | `policy_shrinks` | a scaling policy lowers the desired capacity |
//! | `not_born_protected` | new instances are not protected from scale-in |
//! | `unprotected` | an instance is not, where nobody takes protection away on purpose |
//! | `no_agent` | there is the hook, but an instance without an agent |
//! | `elb_health_check` | health checks other than EC2's own replace instances |
//! | `az_rebalance` | instances are moved between zones |
//! | `max_lifetime` | instances end at an age |
//! | `spot` | instances can be taken back in two minutes: by the mixed instances policy, what the group launches from, or what they are |
//! | `warm_pool` | there is a warm pool |
//! | `too_many_instances` | more instances count than are desired: who loses protection ends |
//! | `two_scalers` | a controller and scaling policies |
//! | `suspended` | a process is suspended that is needed |
//! | `min_size_zero` | in native mode: the group may become empty, and then stays so |
//! | `alarm_metric` | an alarm scales the group by something else than idle Jibris |
//! | `alarm_statistic` | an alarm looks at a statistic or unit of `Idle` that means nothing |
//! | `alarm_period` | an alarm looks at `Idle` over another period than that of publishing |
//! | `alarm_missing_data` | an alarm takes silence for a shortage |
//! | `alarm_off` | an alarm that should scale does nothing, or a policy has none |
//! | `late_points` | the newest points are missing, of all or of some: batches, which go ill with alarms |
//! | `doubled_points` | more points than instances |
//! | `uneven_points` | two points of an instance in one period and none in another |
//! | `missing_points` | fewer points than instances, or none |
//! | `jicofo_sees_fewer` | Jicofo can use fewer Jibris than are idle |
//! | `launches_unchecked` | in native mode: nothing replaces what never comes up |
//! | `alarm_partial_period` | an alarm scales by a single period, which may not be whole |
//! | `retained` | an instance was kept for a human |
//! | `told_and_running` | an instance was told to go, and does not come on |
//! | `held_long` | a termination waits for longer than a recording takes, or for an agent that is not heard |
//! | `desired_stuck` | more than wanted have been idle for an hour |
//! | `jicofo_sees_more` | Jicofo can use more Jibris than this group has idle |
//! | `unread` | a section, whether there is Spot, or Jicofo's count could not be read |

mod agents;
mod alarms;
mod capacity;
mod case;
mod command;
mod held;
mod hooks;
mod jicofo;
mod policies;
mod protection;
mod replacement;
mod retirement;
#[cfg(test)]
mod sample;
mod signal;
mod spot;
mod unread;

use std::{collections::BTreeSet, fmt, time::Duration};

use jibri_scaler_core::{InstanceId, Memory, native::Growth};

use crate::inspect::GroupSetup;
use case::{Case, Sign};

/// A recording longer than this is not reckoned with, as in the limits of the core (`max_busy`).
const LONGEST_RECORDING: Duration = Duration::from_hours(12);

/// How bad a finding is; the worst is the least.
///
/// ```
/// use jibri_scaler_aws::doctor::Danger;
///
/// assert!(Danger::LostRecording < Danger::RefusedRecording);
/// assert_eq!(Danger::Waste.to_string(), "waste");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Danger {
    /// A running recording can be cut off, or lost with its machine.
    LostRecording,
    /// A recording can be refused for want of an idle Jibri, or because nobody sees that there is none.
    RefusedRecording,
    /// Money is spent for nothing, or something waits for a human.
    Waste,
    /// Something could not be looked at.
    Blind,
}

impl Danger {
    /// All, the worst first.
    pub const ALL: [Self; 4] = [
        Self::LostRecording,
        Self::RefusedRecording,
        Self::Waste,
        Self::Blind,
    ];

    /// Its name: `lost_recording`, `refused_recording`, `waste` or `blind`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LostRecording => "lost_recording",
            Self::RefusedRecording => "refused_recording",
            Self::Waste => "waste",
            Self::Blind => "blind",
        }
    }
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that is wrong with the group.
///
/// ```
/// use jibri_scaler_aws::{doctor::Doctor, inspect::GroupSetup};
/// use jibri_scaler_core::Timestamp;
///
/// let setup = GroupSetup::new("jibri".parse()?, Timestamp::from_secs(1_763_800_000));
/// let worst = &Doctor::default().examine(&setup)[0];
/// assert_eq!(worst.rule, "no_hook");
/// assert!(worst.commands[0].starts_with("aws autoscaling put-lifecycle-hook"));
/// # Ok::<(), jibri_scaler_aws::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The name of the rule, which stays the same from release to release.
    pub rule: &'static str,
    /// How bad it is.
    pub danger: Danger,
    /// The instances that it is about; empty where it is about the group.
    pub instances: Vec<InstanceId>,
    /// What is wrong, with names and numbers, and what comes of it.
    pub what: String,
    /// What to do about it.
    pub fix: String,
    /// Commands that do so, ready for a shell; empty where none can.
    pub commands: Vec<String>,
}

/// A rule: its name, its danger, and the function that looks for it.
type Rule = (&'static str, Danger, fn(&Case<'_>) -> Vec<Sign>);

/// All rules, in order of danger.
const RULES: &[Rule] = {
    use Danger::{Blind, LostRecording, RefusedRecording, Waste};
    &[
        ("no_hook", LostRecording, hooks::none),
        ("hook_continues", LostRecording, hooks::continues),
        (
            "hook_does_not_retain",
            LostRecording,
            hooks::does_not_retain,
        ),
        ("hook_too_short", LostRecording, hooks::too_short),
        ("refresh_kills", LostRecording, replacement::refresh_kills),
        ("policy_shrinks", LostRecording, policies::shrinks),
        ("not_born_protected", LostRecording, protection::not_born),
        ("unprotected", LostRecording, protection::unprotected),
        ("no_agent", LostRecording, agents::missing),
        ("elb_health_check", LostRecording, replacement::health_check),
        ("az_rebalance", LostRecording, replacement::az_rebalance),
        ("max_lifetime", LostRecording, replacement::max_lifetime),
        ("spot", LostRecording, spot::there),
        ("warm_pool", LostRecording, replacement::warm_pool),
        ("too_many_instances", LostRecording, capacity::too_many),
        ("two_scalers", RefusedRecording, policies::two_scalers),
        ("suspended", RefusedRecording, policies::suspended),
        ("min_size_zero", RefusedRecording, capacity::min_size_zero),
        ("alarm_metric", RefusedRecording, alarms::metric),
        ("alarm_statistic", RefusedRecording, alarms::statistic),
        ("alarm_period", RefusedRecording, alarms::period),
        ("alarm_missing_data", RefusedRecording, alarms::missing_data),
        ("alarm_off", RefusedRecording, alarms::off),
        ("late_points", RefusedRecording, signal::late),
        ("doubled_points", RefusedRecording, signal::doubled),
        ("uneven_points", RefusedRecording, signal::uneven),
        ("missing_points", RefusedRecording, signal::missing),
        ("jicofo_sees_fewer", RefusedRecording, jicofo::sees_fewer),
        (
            "launches_unchecked",
            RefusedRecording,
            hooks::launches_unchecked,
        ),
        ("alarm_partial_period", Waste, alarms::partial),
        ("retained", Waste, retirement::retained),
        ("told_and_running", Waste, retirement::told_and_running),
        ("held_long", Waste, held::long),
        ("desired_stuck", Waste, capacity::desired_stuck),
        ("jicofo_sees_more", Waste, jicofo::sees_more),
        ("unread", Blind, unread::sections),
    ]
};

/// Examines groups. What it is told beside the [`GroupSetup`] lets it see more.
///
/// It takes a group for one with a controller where it was given a controller's memory, where a controller's mark is fresh, or
/// where a controller publishes. Only then, or where no agents and no growth alarm are seen, must every instance be protected:
/// agents take the protection of idle instances away.
///
/// ```
/// use jibri_scaler_aws::{doctor::Doctor, inspect::GroupSetup};
/// use jibri_scaler_core::Timestamp;
///
/// let setup = GroupSetup::new("jibri".parse()?, Timestamp::from_secs(1_763_800_000));
/// let findings = Doctor::default().with_jicofo(3).examine(&setup);
/// for finding in &findings {
///     println!("{}: {} ({})", finding.danger, finding.what, finding.fix);
/// }
/// # assert!(!findings.is_empty());
/// # Ok::<(), jibri_scaler_aws::InvalidName>(())
/// ```
#[derive(Clone, Debug)]
pub struct Doctor {
    longest_recording: Duration,
    agents: Option<BTreeSet<InstanceId>>,
    memory: Option<Memory>,
    growth: Option<Growth>,
    jicofo: Option<Result<u32, String>>,
    accepted: BTreeSet<String>,
}

impl Default for Doctor {
    /// Reckons with recordings of up to 12 hours, and is told nothing else.
    fn default() -> Self {
        Self {
            longest_recording: LONGEST_RECORDING,
            agents: None,
            memory: None,
            growth: None,
            jicofo: None,
            accepted: BTreeSet::new(),
        }
    }
}

impl Doctor {
    /// Reckons with recordings, and their uploads, of up to that long.
    #[must_use]
    pub const fn with_longest_recording(mut self, longest: Duration) -> Self {
        self.longest_recording = longest;
        self
    }

    /// The instances whose own agents were heard of late. Without this, agents are only counted, by what they publish.
    #[must_use]
    pub fn with_agents(mut self, heard: impl IntoIterator<Item = InstanceId>) -> Self {
        self.agents = Some(heard.into_iter().collect());
        self
    }

    /// The memory of the group's controller.
    #[must_use]
    pub fn with_memory(mut self, memory: Memory) -> Self {
        self.memory = Some(memory);
        self
    }

    /// The policy that the group is to follow. Without this, the wanted spare is what a controller has published.
    #[must_use]
    pub fn with_growth(mut self, growth: Growth) -> Self {
        self.growth = Some(growth);
        self
    }

    /// How many Jibris Jicofo says it could use at the moment: its metric `jitsi_jicofo_jibri_instances_available`.
    #[must_use]
    pub fn with_jicofo(mut self, available: u32) -> Self {
        self.jicofo = Some(Ok(available));
        self
    }

    /// Why that number of Jicofo's could not be read, though it should have been: a finding like any other.
    ///
    /// ```
    /// use jibri_scaler_aws::{doctor::Doctor, inspect::GroupSetup};
    /// use jibri_scaler_core::Timestamp;
    ///
    /// let setup = GroupSetup::new("jibri".parse()?, Timestamp::from_secs(1_763_800_000));
    /// let findings = Doctor::default().with_jicofo_unread("it does not answer").examine(&setup);
    /// assert_eq!(findings.last().map(|finding| finding.rule), Some("unread"));
    /// # Ok::<(), jibri_scaler_aws::InvalidName>(())
    /// ```
    #[must_use]
    pub fn with_jicofo_unread(mut self, why: impl Into<String>) -> Self {
        self.jicofo = Some(Err(why.into()));
        self
    }

    /// Leaves out what those [rules](Self::rules) find: somebody has looked at it and lives with it, such as a warm pool whose
    /// Jibris are started by their agents only. Names that are no rules' are ignored.
    ///
    /// ```
    /// use jibri_scaler_aws::{doctor::Doctor, inspect::GroupSetup};
    /// use jibri_scaler_core::Timestamp;
    ///
    /// let setup = GroupSetup::new("jibri".parse()?, Timestamp::from_secs(1_763_800_000));
    /// let findings = Doctor::default().accepting(["no_hook"]).examine(&setup);
    /// assert!(findings.iter().all(|finding| finding.rule != "no_hook"));
    /// # Ok::<(), jibri_scaler_aws::InvalidName>(())
    /// ```
    #[must_use]
    pub fn accepting<R: Into<String>>(mut self, rules: impl IntoIterator<Item = R>) -> Self {
        self.accepted.extend(rules.into_iter().map(Into::into));
        self
    }

    /// The names of all rules, in order of danger.
    ///
    /// ```
    /// use jibri_scaler_aws::doctor::Doctor;
    ///
    /// assert_eq!(Doctor::rules().next(), Some("no_hook"));
    /// ```
    pub fn rules() -> impl Iterator<Item = &'static str> {
        RULES.iter().map(|(rule, ..)| *rule)
    }

    /// What is wrong with that group, the worst first.
    #[must_use]
    pub fn examine(&self, setup: &GroupSetup) -> Vec<Finding> {
        let case = Case::new(setup, self);
        RULES
            .iter()
            .filter(|(rule, ..)| !self.accepted.contains(*rule))
            .flat_map(|(rule, danger, look)| {
                look(&case).into_iter().map(|sign| Finding {
                    rule,
                    danger: *danger,
                    instances: sign.instances,
                    what: sign.what,
                    fix: sign.fix,
                    commands: sign.commands,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::WarmPool;

    #[test]
    fn clean_groups_have_no_findings() {
        assert_eq!(Doctor::default().examine(&sample::native()), []);
        assert_eq!(Doctor::default().examine(&sample::controlled()), []);
    }

    #[test]
    fn what_is_accepted_is_left_out() {
        let mut setup = sample::native();
        setup.warm_pool = Ok(Some(WarmPool::new("Stopped")));
        setup.min_size = 0;
        let doctor = Doctor::default().accepting(["warm_pool"]);
        let findings = doctor.examine(&setup);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].rule, "min_size_zero");
    }

    #[test]
    fn the_rules_stand_in_order_of_danger_and_have_names_of_their_own() {
        assert!(RULES.is_sorted_by_key(|(_, danger, _)| *danger));
        let names: BTreeSet<_> = RULES.iter().map(|(name, ..)| name).collect();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn the_documentation_lists_the_rules_in_their_order() {
        let documented: Vec<_> = include_str!("doctor.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//! | `")?.split_once('`'))
            .map(|(name, _)| name)
            .collect();
        let rules: Vec<_> = RULES.iter().map(|(name, ..)| *name).collect();
        assert_eq!(documented, rules);
    }
}
