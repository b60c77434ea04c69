//! Listing the group.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use aws_sdk_autoscaling::{
    config,
    operation::describe_auto_scaling_groups::DescribeAutoScalingGroupsOutput,
    types::{AutoScalingGroup as GroupRow, Instance as InstanceRow, RetentionAction},
};
use jibri_scaler_core::{
    Group, Instance, InstanceId, Lifecycle, Zone,
    agent::HOOK_TERMINATING,
    port::{GroupListing, Listing, PortError, PortErrorKind},
};

use super::AutoScalingGroup;
use crate::{
    budget::Call,
    call::{self, Configure as _, Deadline},
    failure::Failure,
};

#[async_trait]
impl GroupListing for AutoScalingGroup {
    async fn list(&self) -> Result<Listing, PortError> {
        let deadline = Deadline::after(self.timeout);
        let mut listing: Option<Listing> = None;
        let mut token: Option<String> = None;
        loop {
            let page = self.page(token.clone(), deadline).await?;
            for row in page.auto_scaling_groups() {
                if row.auto_scaling_group_name() != Some(self.name.as_str()) {
                    continue;
                }
                let mut instances = listing.take().map_or_else(Vec::new, |read| read.instances);
                for instance in row.instances() {
                    instances.push(self.instance(instance)?);
                }
                let mut page = Listing::new(self.group(row)?, instances);
                page.retains_abandoned = retains_abandoned(row);
                page.tags = tags(row);
                listing = Some(page);
            }
            // A page may be short or empty although there is another, so only the token tells.
            match page.next_token {
                Some(next) if !next.is_empty() && token.as_ref() == Some(&next) => {
                    return Err(
                        self.unreadable("the token of the next page is the token of this one")
                    );
                }
                Some(next) if !next.is_empty() => token = Some(next),
                _ => break,
            }
        }
        let mut listing = listing.ok_or_else(|| {
            PortError::new(PortErrorKind::Permanent, self.listing()).with_source(format!(
                "there is no group of this name in region {} of this account; check the name, the region and the credentials",
                self.sdk.region().map_or("?", |region| region.as_ref()),
            ))
        })?;
        // After the instances, so that a hook that went meanwhile is not counted on.
        if self.agents {
            self.look_for_hook(&mut listing, deadline).await?;
        }
        Ok(listing)
    }
}

/// Whether what is abandoned at the end is kept.
pub(crate) fn retains_abandoned(row: &GroupRow) -> bool {
    let triggers = row
        .instance_lifecycle_policy()
        .and_then(|policy| policy.retention_triggers());
    triggers.and_then(|triggers| triggers.terminate_hook_abandon())
        == Some(&RetentionAction::Retain)
}

fn tags(row: &GroupRow) -> BTreeMap<String, String> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let pairs = row.tags().iter();
    pairs
        .map(|tag| (text(tag.key()), text(tag.value())))
        .collect()
}

impl AutoScalingGroup {
    async fn page(
        &self,
        token: Option<String>,
        deadline: Deadline,
    ) -> Result<DescribeAutoScalingGroupsOutput, PortError> {
        let Some(left) = deadline.remaining() else {
            return Err(self.unreadable("its pages did not end in time"));
        };
        let turn = self.turn(Call::Read, left).await;
        let left = turn.map_err(|failure| failure.during(self.listing()))?;
        let patience = call::read(&self.sdk, left);
        self.client
            .describe_auto_scaling_groups()
            .auto_scaling_group_names(self.name.as_str())
            .set_next_token(token)
            .customize()
            .config_override(config::Builder::new().with_patience(patience))
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:DescribeAutoScalingGroups", error).during(self.listing())
            })
    }

    /// Whether our hook holds what is to end, and for how long without a heartbeat.
    async fn look_for_hook(
        &self,
        listing: &mut Listing,
        deadline: Deadline,
    ) -> Result<(), PortError> {
        let Some(left) = deadline.remaining() else {
            return Err(self.unreadable("its hooks were not read in time"));
        };
        let turn = self.turn(Call::Read, left).await;
        let left = turn.map_err(|failure| failure.during(self.listing()))?;
        let patience = call::read(&self.sdk, left);
        let answer = self
            .client
            .describe_lifecycle_hooks()
            .auto_scaling_group_name(self.name.as_str())
            .lifecycle_hook_names(HOOK_TERMINATING)
            .customize()
            .config_override(config::Builder::new().with_patience(patience))
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:DescribeLifecycleHooks", error).during(self.listing())
            })?;
        let hook = answer.lifecycle_hooks().iter().find(|hook| {
            hook.lifecycle_hook_name() == Some(HOOK_TERMINATING)
                && hook.lifecycle_transition() == Some("autoscaling:EC2_INSTANCE_TERMINATING")
        });
        listing.drains_on_termination = hook.is_some();
        // One of no time at all is not taken for a reason to call without end.
        listing.hook_timeout = hook
            .and_then(|hook| u64::try_from(hook.heartbeat_timeout?).ok())
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs);
        Ok(())
    }

    fn group(&self, row: &GroupRow) -> Result<Group, PortError> {
        let number = |key: &str, number: Option<i32>| {
            number
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| self.unreadable(format!("its {key} is missing or negative")))
        };
        Ok(Group::new(
            number("MinSize", row.min_size)?,
            number("MaxSize", row.max_size)?,
            number("DesiredCapacity", row.desired_capacity)?,
        ))
    }

    fn instance(&self, row: &InstanceRow) -> Result<Instance, PortError> {
        let id: InstanceId = row
            .instance_id()
            .unwrap_or_default()
            .parse()
            .map_err(|error| self.unreadable(error))?;
        let lifecycle = row.lifecycle_state().map_or("", |state| state.as_str());
        let mut instance = Instance::new(id, Lifecycle::from(lifecycle));
        instance.zone = row.availability_zone().map(Zone::from);
        instance.protected = row.protected_from_scale_in().unwrap_or(false);
        Ok(instance)
    }

    fn listing(&self) -> String {
        format!("list Auto Scaling group `{}`", self.name)
    }

    /// The answer is not what it is documented to be. What is not listed counts as gone, so nothing is left out of a listing.
    fn unreadable(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PortError {
        PortError::new(PortErrorKind::Transient, self.listing()).with_source(why)
    }
}
