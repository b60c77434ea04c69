//! What is asked of the group.

use std::{collections::BTreeSet, time::Duration};

use super::{Member, Stage, State};
use crate::{InstanceId, OutOfRange, port::Decrement, sim::TerminationCause};

impl State {
    /// Sets the protection of those that can have it: Auto Scaling refuses it outside these states.
    pub(in crate::sim) fn set_protection(&mut self, ids: &[InstanceId], protected: bool) {
        let ids: BTreeSet<&InstanceId> = ids.iter().collect();
        for member in &mut self.members {
            if member.stage.can_be_protected() && ids.contains(&member.id) {
                member.protected = protected;
            }
        }
        self.settle();
    }

    pub(in crate::sim) fn set_capacity(&mut self, desired: u32) -> Result<(), String> {
        // The first text is Auto Scaling's, the second is made after it.
        if desired > self.max_size {
            let max = self.max_size;
            return Err(format!(
                "New SetDesiredCapacity value {desired} is above max value {max} for the AutoScalingGroup."
            ));
        }
        if desired < self.min_size {
            let min = self.min_size;
            return Err(format!(
                "New SetDesiredCapacity value {desired} is below min value {min} for the AutoScalingGroup."
            ));
        }
        self.desired = desired;
        self.settle();
        Ok(())
    }

    /// Raises the desired capacity to so many more than are warm, if that is more than is desired already.
    pub(in crate::sim) fn scale_out(&mut self, by: u32, warm_up: Duration) -> Option<u32> {
        let now = self.now;
        let is_warm = |member: &&Member| {
            member.stage == Stage::InService
                && member
                    .in_service_since
                    .is_none_or(|since| now.since(since) >= warm_up)
        };
        let warm = self.members.iter().filter(is_warm).count();
        let warm = u32::try_from(warm).unwrap_or(u32::MAX);
        let desired = warm.saturating_add(by).min(self.max_size);
        if by == 0 || desired <= self.desired {
            return None;
        }
        self.desired = desired;
        self.settle();
        Some(desired)
    }

    pub(in crate::sim) fn terminate(
        &mut self,
        id: &InstanceId,
        decrement: Decrement,
    ) -> Result<(), String> {
        let kept = |stage: Stage| !stage.is_leaving() || stage == Stage::Retained;
        let Some(index) = self.position(id, kept) else {
            return Ok(());
        };
        // An instance in standby, or a retained one, is no part of the desired capacity.
        if decrement == Decrement::Yes && self.members[index].is_counting() {
            self.decrement("Terminating instance")?;
        }
        self.begin_termination(index, TerminationCause::Requested);
        self.settle();
        Ok(())
    }

    pub(in crate::sim) fn enter_standby(
        &mut self,
        id: &InstanceId,
        decrement: Decrement,
    ) -> Result<(), String> {
        let index = self
            .position(id, |stage| stage == Stage::InService)
            .ok_or_else(|| format!("The instance {id} is not in InService."))?;
        if decrement == Decrement::Yes {
            self.decrement("Placing instance into standby")?;
        }
        self.members[index].stage = Stage::Standby;
        self.settle();
        Ok(())
    }

    pub(in crate::sim) fn exit_standby(&mut self, id: &InstanceId) -> Result<(), String> {
        let index = self
            .position(id, |stage| stage == Stage::Standby)
            .ok_or_else(|| format!("The instance {id} is not in Standby."))?;
        if self.desired >= self.max_size {
            return Err(format!(
                "Returning instance {id} would exceed the max size {} of the group.",
                self.max_size
            ));
        }
        self.desired += 1;
        self.members[index].stage = Stage::InService;
        self.settle();
        Ok(())
    }

    /// The machine ends now, and the group notices later.
    pub(in crate::sim) fn lose_machine(&mut self, id: &InstanceId) -> bool {
        let noticed_at = self.now + self.config.notice_delay;
        let up = |member: &&mut Member| !member.is_leaving() || member.is_running();
        let mut members = self.members.iter_mut().filter(|member| member.id == *id);
        let Some(member) = members.next().filter(up) else {
            return false;
        };
        member.noticed_at.get_or_insert(noticed_at);
        true
    }

    pub(in crate::sim) fn set_bounds(
        &mut self,
        min_size: u32,
        max_size: u32,
    ) -> Result<(), OutOfRange> {
        if min_size > max_size {
            return Err(OutOfRange::new(
                "min_size",
                min_size.to_string(),
                "0–max_size",
            ));
        }
        (self.min_size, self.max_size) = (min_size, max_size);
        self.desired = self.desired.clamp(min_size, max_size);
        self.settle();
        Ok(())
    }

    pub(in crate::sim) fn set_tag(&mut self, key: &str, value: &str) {
        self.tags.insert(key.to_owned(), value.to_owned());
        self.show();
    }

    pub(in crate::sim) fn delete(&mut self) {
        self.exists = false;
        (self.min_size, self.max_size, self.desired) = (0, 0, 0);
        for index in 0..self.members.len() {
            if self.members[index].stage.ends_at().is_none() {
                self.begin_termination(index, TerminationCause::GroupDeleted);
            }
        }
        self.settle();
    }

    fn decrement(&mut self, what: &str) -> Result<(), String> {
        if self.desired <= self.min_size {
            return Err(format!(
                "Currently, desiredSize equals minSize ({}). {what} without replacement will violate group's min size \
                 constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
                self.min_size
            ));
        }
        self.desired -= 1;
        Ok(())
    }

    fn position(&self, id: &InstanceId, stage: impl Fn(Stage) -> bool) -> Option<usize> {
        let fits = |member: &Member| member.id == *id && stage(member.stage);
        self.members.iter().position(fits)
    }
}
