//! What is there of that which provisioning makes.

use std::collections::BTreeMap;

use super::{
    Refusal, desired,
    record::{RECORD_TAG, Record},
};
use crate::inspect::{Alarm, GroupSetup, Hook, ScalingPolicy, Section, Signal};

/// The sections that must have been read.
pub(super) struct There<'a> {
    pub(super) hooks: &'a [Hook],
    pub(super) policies: &'a [ScalingPolicy],
    pub(super) alarms: &'a [Alarm],
    pub(super) signal: &'a Signal,
    pub(super) record: Record,
}

impl<'a> There<'a> {
    pub(super) fn of(setup: &'a GroupSetup) -> Result<Self, Refusal> {
        let record = setup.tags.get(RECORD_TAG);
        Ok(Self {
            hooks: read("the lifecycle hooks", &setup.hooks)?,
            policies: read("the scaling policies", &setup.policies)?,
            alarms: read("the alarms", &setup.alarms)?,
            signal: read("the published points", &setup.signal)?,
            record: match record {
                Some(tag) => tag.value.parse().map_err(Refusal::Record)?,
                None => Record::default(),
            },
        })
    }

    pub(super) fn hook(&self, name: &str) -> Option<&'a Hook> {
        self.hooks.iter().find(|hook| hook.name == name)
    }

    pub(super) fn policy(&self) -> Option<&'a ScalingPolicy> {
        let mut policies = self.policies.iter();
        policies.find(|policy| policy.name == desired::POLICY)
    }

    /// The alarms that provisioning makes for this group, of whatever version.
    pub(super) fn our_alarms(&self, setup: &GroupSetup) -> BTreeMap<&'a str, &'a Alarm> {
        let suffix = format!("-{}", setup.name);
        self.alarms
            .iter()
            .map(|alarm| (alarm.name.as_str(), alarm))
            .filter(|(name, _)| {
                let kind = name
                    .strip_prefix(desired::ALARM_PREFIX)
                    .and_then(|rest| rest.strip_suffix(&suffix));
                kind.is_some_and(|kind| desired::ALARM_KINDS.contains(&kind))
            })
            .collect()
    }
}

pub(super) fn read<'a, T>(what: &'static str, section: &'a Section<T>) -> Result<&'a T, Refusal> {
    section.as_ref().map_err(|why| Refusal::Unread {
        what,
        why: why.clone(),
    })
}
