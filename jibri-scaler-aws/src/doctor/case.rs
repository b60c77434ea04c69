//! What the rules look at.

use std::time::Duration;

use jibri_scaler_core::{
    InstanceId, Timestamp,
    agent::{HOOK_TERMINATING, port::Transition},
    native::{GROUP_DIMENSION, SHRINK_ENABLED, SHRINK_TAG, metric},
};

use super::{Doctor, signal::Published};
use crate::{
    inspect::{Alarm, GroupSetup, Hook, QuerySource, ScalingPolicy},
    ownership,
};

/// What was published longer ago than this says nothing of who publishes now.
pub(super) const RECENT: Duration = Duration::from_mins(10);

/// What a rule has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) instances: Vec<InstanceId>,
    pub(super) what: String,
    pub(super) fix: String,
    pub(super) commands: Vec<String>,
}

impl Sign {
    pub(super) fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            instances: Vec::new(),
            what: what.into(),
            fix: fix.into(),
            commands: Vec::new(),
        }
    }

    pub(super) fn command(mut self, command: String) -> Self {
        self.commands.push(command);
        self
    }

    pub(super) fn about(mut self, instances: Vec<InstanceId>) -> Self {
        self.instances = instances;
        self
    }
}

/// A group and all that is known of it.
pub(super) struct Case<'a> {
    pub(super) setup: &'a GroupSetup,
    pub(super) doctor: &'a Doctor,
    /// What was published of late; `None` where nothing was, or it could not be read.
    pub(super) published: Option<Published>,
    /// Whether a controller is at work, or should be.
    pub(super) controlled: bool,
    /// Whether agents publish.
    pub(super) agents_publish: bool,
}

impl<'a> Case<'a> {
    pub(super) fn new(setup: &'a GroupSetup, doctor: &'a Doctor) -> Self {
        let signal = setup.signal.as_ref().ok();
        let is_recent = |points: &[(Timestamp, f64)]| {
            points
                .last()
                .is_some_and(|(at, _)| setup.read_at.since(*at) <= RECENT)
        };
        let marked = setup.tags.get(ownership::CONTROLLER_TAG);
        let published = signal.and_then(|signal| Published::new(signal, setup.read_at));
        let in_service = setup.in_service().count();
        let in_batches = published
            .as_ref()
            .is_some_and(|published| published.in_batches(in_service).is_some());
        Self {
            setup,
            doctor,
            published,
            controlled: doctor.memory.is_some()
                || marked.is_some_and(|tag| ownership::is_fresh(&tag.value, setup.read_at))
                || signal.is_some_and(|signal| is_recent(&signal.wanted_spare)),
            agents_publish: in_batches || signal.is_some_and(|signal| is_recent(&signal.by_agents)),
        }
    }

    /// Whether alarms grow the group, or agents shrink it.
    pub(super) fn is_native(&self) -> bool {
        let shrinks = self.setup.tags.get(SHRINK_TAG);
        shrinks.is_some_and(|tag| tag.value == SHRINK_ENABLED)
            || self.agents_publish && !self.controlled
            || self.policies().iter().any(|policy| {
                policy.enabled && self.alarms_of(policy).any(|alarm| self.reads_idle(alarm))
            })
    }

    /// The hooks of that transition; none where they could not be read.
    pub(super) fn hooks(&self, transition: Transition) -> impl Iterator<Item = &'a Hook> {
        let hooks = self.setup.hooks.as_deref().unwrap_or_default();
        hooks
            .iter()
            .filter(move |hook| hook.transition == Some(transition))
    }

    /// Whether agents are given time to drain. Where it could not be read, it is not known to be so.
    pub(super) fn is_drained_by_agents(&self) -> bool {
        self.hooks(Transition::Terminating)
            .any(|hook| hook.name == HOOK_TERMINATING)
    }

    /// The scaling policies; none where they could not be read.
    pub(super) fn policies(&self) -> &'a [ScalingPolicy] {
        self.setup.policies.as_deref().unwrap_or_default()
    }

    /// The alarms; none where they could not be read.
    pub(super) fn alarms(&self) -> &'a [Alarm] {
        self.setup.alarms.as_deref().unwrap_or_default()
    }

    /// The alarms that run that policy.
    pub(super) fn alarms_of(&self, policy: &'a ScalingPolicy) -> impl Iterator<Item = &'a Alarm> {
        self.alarms()
            .iter()
            .filter(move |alarm| is_run_by(policy, alarm))
    }

    /// Whether the alarm runs an enabled policy of the group.
    pub(super) fn scales(&self, alarm: &Alarm) -> bool {
        self.policies()
            .iter()
            .any(|policy| policy.enabled && is_run_by(policy, alarm))
    }

    /// Whether the alarm reads our idle signal, and not that of another namespace or with further dimensions.
    pub(super) fn reads_idle(&self, alarm: &Alarm) -> bool {
        alarm
            .queries
            .iter()
            .any(|query| self.is_idle(&query.source))
    }

    /// Whether that is our idle signal.
    pub(super) fn is_idle(&self, source: &QuerySource) -> bool {
        match source {
            QuerySource::Metric {
                namespace,
                metric,
                dimensions,
                ..
            } => {
                namespace == self.setup.namespace.as_str()
                    && metric == metric::IDLE
                    && dimensions.len() == 1
                    && dimensions.get(GROUP_DIMENSION).map(String::as_str)
                        == Some(self.setup.name.as_str())
            }
            QuerySource::Expression(_) => false,
        }
    }

    pub(super) fn in_service(&self) -> usize {
        self.setup.in_service().count()
    }
}

fn is_run_by(policy: &ScalingPolicy, alarm: &Alarm) -> bool {
    policy.alarms.contains(&alarm.name)
        || policy
            .arn
            .as_deref()
            .is_some_and(|arn| alarm.actions().any(|action| action == arn))
}

/// `1 instance`, `2 instances`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

/// `48 h`, `50 min`, `90 s`: exact.
pub(super) fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds > 0 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds > 0 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
