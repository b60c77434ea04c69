use std::time::Duration;

use async_trait::async_trait;
use aws_types::SdkConfig;
use jibri_scaler_core::{
    InstanceId, Lifecycle,
    agent::port::{HookResult, OwnInstance, OwnState, Transition},
    port::{Decrement, GroupControl, PortError, PortErrorKind},
};

use super::membership;
use crate::{AutoScalingGroup, BuildError, GroupName, call};

/// The instance that the agent runs on, in its Auto Scaling group, as [`OwnInstance`].
///
/// It asks and names this one instance only: `DescribeAutoScalingInstances` for its own id, `SetInstanceProtection` with one id. All
/// Auto Scaling calls of an account share one budget, so ask rarely; where an instance is to go is free in [`Imds`](super::Imds).
///
/// # Acting
/// Every act is tried once, and is safe to repeat, except [`terminate`] without decrement: see [`AutoScalingGroup`]. The hooks are
/// those of [`Transition::hook`]; where none of that name holds the instance, [`heartbeat`] and [`complete`] return `Ok(false)`.
///
/// # Errors of its port
/// As those of [`AutoScalingGroup`]. An instance that is in another group than the one named is a `Permanent` error of [`look`].
///
/// ```no_run
/// use jibri_scaler_aws::agent::AgentInstance;
/// use jibri_scaler_core::agent::port::{OwnInstance, Transition};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let own = AgentInstance::new(&sdk, "jibri-production".parse()?, "i-0123456789abcdef0".parse()?)?;
/// if !own.heartbeat(Transition::Terminating).await? {
///     println!("no hook holds this instance");
/// }
/// # Ok(())
/// # }
/// ```
///
/// [`look`]: OwnInstance::look
/// [`heartbeat`]: OwnInstance::heartbeat
/// [`complete`]: OwnInstance::complete
/// [`terminate`]: OwnInstance::terminate
#[derive(Clone, Debug)]
pub struct AgentInstance {
    id: InstanceId,
    group: AutoScalingGroup,
}

impl AgentInstance {
    /// The instance of this id in the group of this name. Nothing is called yet.
    ///
    /// # Errors
    /// Where the configuration lacks a behaviour version or a region.
    pub fn new(sdk: &SdkConfig, group: GroupName, id: InstanceId) -> Result<Self, BuildError> {
        let group = AutoScalingGroup::new(sdk, group)?;
        Ok(Self { id, group })
    }

    /// Lets each port call take this long at most, all its requests and retries included; 9 s by default. Less than 100 ms counts
    /// as 100 ms.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.group = self.group.with_timeout(timeout);
        self
    }

    /// The id of the instance.
    #[must_use]
    pub const fn id(&self) -> &InstanceId {
        &self.id
    }

    /// What is being done, to this instance.
    fn doing(&self, what: impl std::fmt::Display) -> String {
        let (id, group) = (&self.id, self.group.name());
        format!("{what} of instance `{id}` of Auto Scaling group `{group}`")
    }
}

#[async_trait]
impl OwnInstance for AgentInstance {
    async fn look(&self) -> Result<Option<OwnState>, PortError> {
        let reading = call::read(&self.group.sdk, self.group.timeout);
        let Some(row) = membership::row(&self.group.client, &self.id, reading).await? else {
            return Ok(None);
        };
        let group = row.auto_scaling_group_name().unwrap_or_default();
        if group != self.group.name().as_str() {
            let error = PortError::new(PortErrorKind::Permanent, self.doing("read the state"));
            return Err(error.with_source(format!(
                "the instance is in Auto Scaling group `{group}`; correct the name of the group"
            )));
        }
        let lifecycle = Lifecycle::from(row.lifecycle_state().unwrap_or_default());
        let protected = row.protected_from_scale_in().unwrap_or(false);
        Ok(Some(OwnState::new(lifecycle, protected)))
    }

    async fn set_protection(&self, protected: bool) -> Result<(), PortError> {
        self.group
            .set_protection(
                std::slice::from_ref(&self.id),
                protected,
                self.group.timeout,
            )
            .await
            .map_err(|failure| {
                let what = if protected { "set" } else { "take away" };
                failure.during(self.doing(format!("{what} the scale-in protection")))
            })
    }

    async fn heartbeat(&self, transition: Transition) -> Result<bool, PortError> {
        let hook = transition.hook();
        let sent = self.group.heartbeat(&self.id, hook).await;
        sent.map_err(|failure| {
            failure.during(self.doing(format!("prolong the wait in lifecycle hook `{hook}`")))
        })
    }

    async fn complete(
        &self,
        transition: Transition,
        result: HookResult,
    ) -> Result<bool, PortError> {
        let hook = transition.hook();
        let result = match result {
            HookResult::Continue => "CONTINUE",
            // A result that is not known here must not let an instance go.
            _ => "ABANDON",
        };
        let sent = self.group.complete(&self.id, hook, result).await;
        sent.map_err(|failure| {
            failure.during(self.doing(format!(
                "end the wait in lifecycle hook `{hook}` with {result}"
            )))
        })
    }

    async fn terminate(&self, decrement: Decrement) -> Result<(), PortError> {
        GroupControl::terminate(&self.group, &self.id, decrement).await
    }
}
