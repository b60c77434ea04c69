//! Acting on the group.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_autoscaling::error::{ProvideErrorMetadata, SdkError};
use jibri_scaler_core::{
    InstanceId,
    agent::HOOK_TERMINATING,
    port::{Decrement, GroupControl, PortError, PortErrorKind},
};

use super::AutoScalingGroup;
use crate::{call::Deadline, failure::Failure};

/// How many instances one `SetInstanceProtection` may name
/// ([quotas](https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html)).
const IDS_PER_CALL: usize = 50;

/// What Auto Scaling says where an instance has left the group, or is in a state in which it cannot be protected.
const DEPARTED: [&str; 2] = ["not part of", "not in InService"];

/// What Auto Scaling says where it has no such instance.
const NOT_FOUND: [&str; 2] = ["Instance Id not found", "No managed instance found"];

/// What Auto Scaling says where no action of that hook waits for the instance: it has gone on, or the group has no such hook. The
/// text goes on with "with instance ID" or "with token".
const NOTHING_WAITS: [&str; 1] = ["No active Lifecycle Action found"];

#[async_trait]
impl GroupControl for AutoScalingGroup {
    async fn protect(&self, ids: &[InstanceId]) -> Result<(), PortError> {
        let deadline = Deadline::after(self.timeout);
        // One id that has left the group fails a whole call. Such a part is halved until the id stands alone.
        let mut parts: Vec<&[InstanceId]> = ids.chunks(IDS_PER_CALL).rev().collect();
        let mut first_error = None;
        while let Some(part) = parts.pop() {
            let Some(left) = deadline.remaining() else {
                let error = PortError::new(PortErrorKind::Transient, self.protecting(part))
                    .with_source("the time for protecting was used up");
                return Err(first_error.unwrap_or(error));
            };
            let Err(failure) = self.set_protection(part, true, left).await else {
                continue;
            };
            if failure.is_validation_error(&DEPARTED) || failure.is_validation_error(&NOT_FOUND) {
                if part.len() > 1 {
                    let (front, back) = part.split_at(part.len() / 2);
                    parts.extend([back, front]);
                }
                continue;
            }
            // What AWS refuses for one part it may grant for another; but where it is slow or asks for rest, the next tick is
            // soon enough.
            let goes_on = failure.kind() == PortErrorKind::Permanent;
            first_error.get_or_insert_with(|| failure.during(self.protecting(part)));
            if !goes_on {
                break;
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    async fn set_capacity(&self, desired: u32) -> Result<(), PortError> {
        let operation = || {
            format!(
                "set the desired capacity of Auto Scaling group `{}` to {desired}",
                self.name
            )
        };
        let Ok(number) = i32::try_from(desired) else {
            return Err(PortError::new(PortErrorKind::Permanent, operation())
                .with_source("AWS has no number as high as this"));
        };
        let turn = self.turn_to_act(self.timeout).await;
        let config = turn.map_err(|failure| failure.during(operation()))?;
        // The decision has its own rates, so a cooldown of the group must not delay it.
        self.client
            .set_desired_capacity()
            .auto_scaling_group_name(self.name.as_str())
            .desired_capacity(number)
            .honor_cooldown(false)
            .customize()
            .config_override(config)
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:SetDesiredCapacity", error).during(operation())
            })?;
        Ok(())
    }

    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
        let (decrements, how) = match decrement {
            Decrement::Yes => (true, "with decrement"),
            // A way that is not known here must not make the group smaller.
            _ => (false, "without decrement"),
        };
        let operation = || {
            format!(
                "terminate instance `{id}` of Auto Scaling group `{}` {how}",
                self.name
            )
        };
        let turn = self.turn_to_act(self.timeout).await;
        let config = turn.map_err(|failure| failure.during(operation()))?;
        let result = self
            .client
            .terminate_instance_in_auto_scaling_group()
            .instance_id(id.as_str())
            .should_decrement_desired_capacity(decrements)
            .customize()
            .config_override(config)
            .send()
            .await;
        let Err(error) = result else { return Ok(()) };
        let failure = Failure::new("autoscaling:TerminateInstanceInAutoScalingGroup", error);
        if failure.is_validation_error(&NOT_FOUND) {
            return Ok(());
        }
        Err(failure.during(operation()))
    }

    async fn complete_termination(&self, id: &InstanceId) -> Result<(), PortError> {
        let Err(failure) = self.complete(id, HOOK_TERMINATING, "CONTINUE").await else {
            return Ok(());
        };
        Err(failure.during(format!(
            "let instance `{id}` of Auto Scaling group `{}` go, which the lifecycle hook `{HOOK_TERMINATING}` holds",
            self.name
        )))
    }
}

impl AutoScalingGroup {
    /// Ends the wait of that hook for the instance. Returns whether it waited there.
    pub(crate) async fn complete(
        &self,
        id: &InstanceId,
        hook: &str,
        result: &str,
    ) -> Result<bool, Failure> {
        let config = self.turn_to_act(self.timeout).await?;
        let sent = self
            .client
            .complete_lifecycle_action()
            .auto_scaling_group_name(self.name.as_str())
            .lifecycle_hook_name(hook)
            .lifecycle_action_result(result)
            .instance_id(id.as_str())
            .customize()
            .config_override(config)
            .send()
            .await;
        waited("autoscaling:CompleteLifecycleAction", sent)
    }

    /// Prolongs the wait of that hook for the instance by its whole timeout. Returns whether it waits there.
    pub(crate) async fn heartbeat(&self, id: &InstanceId, hook: &str) -> Result<bool, Failure> {
        let sent = self
            .client
            .record_lifecycle_action_heartbeat()
            .auto_scaling_group_name(self.name.as_str())
            .lifecycle_hook_name(hook)
            .instance_id(id.as_str())
            .send()
            .await;
        waited("autoscaling:RecordLifecycleActionHeartbeat", sent)
    }

    /// One request, for [`IDS_PER_CALL`] at most.
    pub(crate) async fn set_protection(
        &self,
        ids: &[InstanceId],
        protected: bool,
        left: Duration,
    ) -> Result<(), Failure> {
        let config = self.turn_to_act(left).await?;
        self.client
            .set_instance_protection()
            .auto_scaling_group_name(self.name.as_str())
            .set_instance_ids(Some(ids.iter().map(ToString::to_string).collect()))
            .protected_from_scale_in(protected)
            .customize()
            .config_override(config)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::new("autoscaling:SetInstanceProtection", error))
    }

    fn protecting(&self, part: &[InstanceId]) -> String {
        let first = part.first().map_or("none", InstanceId::as_str);
        let more = match part.len() {
            0 | 1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        format!(
            "protect instance `{first}`{more} of Auto Scaling group `{}` from scale-in",
            self.name
        )
    }
}

/// Whether an action of the hook waited for the instance.
fn waited<T, E>(action: &'static str, sent: Result<T, SdkError<E>>) -> Result<bool, Failure>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let Err(error) = sent else { return Ok(true) };
    let failure = Failure::new(action, error);
    if failure.is_validation_error(&NOTHING_WAITS) {
        return Ok(false);
    }
    Err(failure)
}
