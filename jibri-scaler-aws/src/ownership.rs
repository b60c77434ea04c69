//! Who else changes the size of the group: its scaling policies, and other controllers, which leave a mark in a tag.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_autoscaling::{
    config,
    operation::{describe_policies::DescribePoliciesOutput, describe_tags::DescribeTagsOutput},
    types::{Filter, Tag},
};
use jibri_scaler_core::{
    Timestamp,
    port::{GroupOwnership, PortError, PortErrorKind},
};

use crate::{
    AutoScalingGroup, ControllerName,
    budget::Call,
    call::{self, Configure as _, Deadline},
    failure::Failure,
};

/// The tag of the group in which a controller leaves its mark: its name and the time, apart by a space.
pub const CONTROLLER_TAG: &str = "jibri-scaler:controller";

/// How long a mark is fresh. Three times as long as the controller takes to renew it, so that one lost write does not matter.
const FRESH: Duration = Duration::from_mins(3);

/// Looks for enabled scaling policies and for the mark of another controller in the tag [`CONTROLLER_TAG`] of the group.
///
/// The mark carries the time by the clock of the controller that left it; one from more than three minutes ahead is stale as
/// one from more than three minutes ago is. Two controllers need different names: one that starts again under its old name finds
/// its own mark.
///
/// ```no_run
/// use jibri_scaler_aws::{AutoScalingGroup, Ownership};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let group = AutoScalingGroup::new(&sdk, "jibri-production".parse()?)?;
/// let ownership = Ownership::new(group, "scaler-a".parse()?);
/// # let _ = ownership;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Ownership {
    group: AutoScalingGroup,
    name: ControllerName,
}

impl Ownership {
    /// Looks at this group on behalf of the controller of this name.
    #[must_use]
    pub const fn new(group: AutoScalingGroup, name: ControllerName) -> Self {
        Self { group, name }
    }

    async fn policies(&self, deadline: Deadline) -> Result<Vec<String>, PortError> {
        let mut names = Vec::new();
        let mut token = None;
        loop {
            let page = self.policy_page(token.take(), deadline).await?;
            let enabled = page
                .scaling_policies()
                .iter()
                .filter(|policy| policy.enabled() != Some(false));
            names.extend(enabled.map(|policy| policy.policy_name().unwrap_or("?").to_owned()));
            match page.next_token {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => return Ok(names),
            }
        }
    }

    async fn policy_page(
        &self,
        token: Option<String>,
        deadline: Deadline,
    ) -> Result<DescribePoliciesOutput, PortError> {
        let doing = || {
            format!(
                "look up the scaling policies of Auto Scaling group `{}`",
                self.group.name()
            )
        };
        let turn = self.group.turn(Call::Read, left(deadline, doing)?).await;
        let left = turn.map_err(|failure| failure.during(doing()))?;
        let patience = call::read(&self.group.sdk, left);
        self.group
            .client
            .describe_policies()
            .auto_scaling_group_name(self.group.name().as_str())
            .set_next_token(token)
            .customize()
            .config_override(config::Builder::new().with_patience(patience))
            .send()
            .await
            .map_err(|error| Failure::new("autoscaling:DescribePolicies", error).during(doing()))
    }

    async fn mark_left(&self, deadline: Deadline) -> Result<Option<String>, PortError> {
        let doing = || {
            format!(
                "look up who controls Auto Scaling group `{}`",
                self.group.name()
            )
        };
        let turn = self.group.turn(Call::Read, left(deadline, doing)?).await;
        let left = turn.map_err(|failure| failure.during(doing()))?;
        let patience = call::read(&self.group.sdk, left);
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let answer: DescribeTagsOutput = self
            .group
            .client
            .describe_tags()
            .filters(filter("auto-scaling-group", self.group.name().as_str()))
            .filters(filter("key", CONTROLLER_TAG))
            .customize()
            .config_override(config::Builder::new().with_patience(patience))
            .send()
            .await
            .map_err(|error| Failure::new("autoscaling:DescribeTags", error).during(doing()))?;
        let ours = answer.tags().iter().find(|tag| {
            tag.key() == Some(CONTROLLER_TAG)
                && tag.resource_id() == Some(self.group.name().as_str())
        });
        Ok(ours.and_then(|tag| tag.value().map(str::to_owned)))
    }
}

#[async_trait]
impl GroupOwnership for Ownership {
    async fn others(&self, now: Timestamp) -> Result<Vec<String>, PortError> {
        let deadline = Deadline::after(self.group.timeout);
        let policies = self.policies(deadline).await?;
        let mark = self.mark_left(deadline).await?;
        let policies = policies
            .into_iter()
            .map(|name| format!("scaling policy `{name}`"));
        let other = mark
            .as_deref()
            .and_then(|mark| other(mark, &self.name, now))
            .map(|name| format!("controller `{name}`"));
        Ok(policies.chain(other).collect())
    }

    async fn mark(&self, now: Timestamp) -> Result<(), PortError> {
        let doing = || {
            format!(
                "mark Auto Scaling group `{}` as controlled by `{}`",
                self.group.name(),
                self.name
            )
        };
        let tag = Tag::builder()
            .resource_id(self.group.name().as_str())
            .resource_type("auto-scaling-group")
            .key(CONTROLLER_TAG)
            .value(format!("{} {now}", self.name))
            .propagate_at_launch(false)
            .build();
        let turn = self.group.turn_to_act(self.group.timeout).await;
        let config = turn.map_err(|failure| failure.during(doing()))?;
        self.group
            .client
            .create_or_update_tags()
            .tags(tag)
            .customize()
            .config_override(config)
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:CreateOrUpdateTags", error).during(doing())
            })?;
        Ok(())
    }
}

fn left(deadline: Deadline, doing: impl Fn() -> String) -> Result<Duration, PortError> {
    deadline.remaining().ok_or_else(|| {
        PortError::new(PortErrorKind::Transient, doing()).with_source("it did not end in time")
    })
}

/// The name in a mark that is fresh and not ours. A mark that cannot be read was left by somebody else, and its age is not known:
/// it does not hold a group for ever.
fn other<'a>(mark: &'a str, ours: &ControllerName, now: Timestamp) -> Option<&'a str> {
    fresh(mark, now).filter(|name| *name != ours.as_str())
}

/// Whether the mark was left a short time ago, by whomever.
pub(crate) fn is_fresh(mark: &str, now: Timestamp) -> bool {
    fresh(mark, now).is_some()
}

/// The name in a mark that is fresh.
pub(crate) fn fresh(mark: &str, now: Timestamp) -> Option<&str> {
    let (name, at) = read(mark)?;
    (now.since(at) <= FRESH && at.since(now) <= FRESH).then_some(name)
}

/// The name in a mark, and when it was left by the clock of who left it. Nothing where it can't be read.
pub(crate) fn read(mark: &str) -> Option<(&str, Timestamp)> {
    let (name, at) = mark.rsplit_once(' ')?;
    Some((name, at.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fresh_mark_of_somebody_else_counts() {
        let ours: ControllerName = "a".parse().unwrap();
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        for (mark, expected) in [
            ("b 2026-11-22T09:59:00Z", Some("b")),
            ("b 2026-11-22T09:57:00Z", Some("b")),
            ("b 2026-11-22T09:56:59Z", None),
            ("b 2026-11-22T10:03:00Z", Some("b")),
            ("b 2026-11-22T10:03:01Z", None),
            ("a 2026-11-22T09:59:00Z", None),
            ("b noon", None),
            ("", None),
        ] {
            assert_eq!(other(mark, &ours, now), expected, "{mark}");
        }
    }
}
