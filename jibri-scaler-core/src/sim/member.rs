use std::sync::Arc;

use async_trait::async_trait;

use super::{Shared, SimGroup, SimOperation, State};
use crate::{
    InstanceId,
    agent::port::{
        HookResult, InstanceMetadata, Notices, OwnInstance, OwnState, TargetState, Transition,
    },
    port::{Decrement, PortError},
};

/// An instance of a simulated group, as the agent on it sees itself.
///
/// Made by [`SimGroup::member`].
///
/// ```
/// use std::sync::Arc;
/// use jibri_scaler_core::{
///     Timestamp,
///     agent::port::{InstanceMetadata as _, OwnInstance as _, TargetState},
///     sim::{SimGroup, SimGroupConfig},
/// };
///
/// # futures_executor::block_on(async {
/// let config = SimGroupConfig::new(0, 4, 1)?.with_start_in_service(true);
/// let group = Arc::new(SimGroup::new(config, Timestamp::from_secs(0)));
/// let member = group.member(&group.current().instances[0].id);
/// member.set_protection(true).await?;
/// assert_eq!(member.look().await?.map(|own| own.protected), Some(true));
/// assert_eq!(member.target_state().await?, Some(TargetState::InService));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct SimMember {
    group: Arc<SimGroup>,
    id: InstanceId,
}

impl SimMember {
    pub(super) const fn new(group: Arc<SimGroup>, id: InstanceId) -> Self {
        Self { group, id }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &InstanceId {
        &self.id
    }

    fn call<T>(
        &self,
        operation: SimOperation,
        what: &str,
        act: impl FnOnce(&mut State) -> Result<T, String>,
    ) -> Result<T, PortError> {
        let doing = |name: &str| format!("{what} instance `{}` of group `{name}`", self.id);
        self.group.lock().call(operation, doing, act)
    }

    /// A request to the metadata service, which only a machine that runs can make.
    fn metadata<T>(&self, read: impl FnOnce(&super::Member) -> T) -> Result<T, PortError> {
        let doing = |_: &str| format!("read the metadata of instance `{}`", self.id);
        let mut shared = self.group.lock();
        Shared::call(&mut shared, SimOperation::Metadata, doing, |state| {
            let member = state.member(&self.id).filter(|member| member.is_running());
            member.map(read).ok_or_else(|| "its machine is gone".into())
        })
    }
}

#[async_trait]
impl OwnInstance for SimMember {
    async fn look(&self) -> Result<Option<OwnState>, PortError> {
        self.call(SimOperation::Look, "look at", |state| {
            Ok(state.look(&self.id))
        })
    }

    async fn set_protection(&self, protected: bool) -> Result<(), PortError> {
        self.call(SimOperation::Protect, "set the protection of", |state| {
            let fits = |member: &super::Member| member.stage.can_be_protected();
            if !state.member(&self.id).is_some_and(fits) {
                let id = &self.id;
                return Err(format!(
                    "The instance {id} is not in InService or EnteringStandby or Standby."
                ));
            }
            state.set_protection(std::slice::from_ref(&self.id), protected);
            Ok(())
        })
    }

    async fn heartbeat(&self, transition: Transition) -> Result<bool, PortError> {
        self.call(
            SimOperation::Heartbeat,
            "prolong the lifecycle action of",
            |state| Ok(state.heartbeat(&self.id, transition)),
        )
    }

    async fn complete(
        &self,
        transition: Transition,
        result: HookResult,
    ) -> Result<bool, PortError> {
        self.call(
            SimOperation::Complete,
            "complete the lifecycle action of",
            |state| Ok(state.complete(&self.id, transition, result)),
        )
    }

    async fn terminate(&self, decrement: Decrement) -> Result<(), PortError> {
        self.call(SimOperation::Terminate, "terminate", |state| {
            state.terminate(&self.id, decrement)
        })
    }
}

#[async_trait]
impl InstanceMetadata for SimMember {
    async fn target_state(&self) -> Result<Option<TargetState>, PortError> {
        self.metadata(|member| member.stage.target())
    }

    async fn notices(&self) -> Result<Notices, PortError> {
        self.metadata(|member| member.notices)
    }
}
