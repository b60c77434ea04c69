use async_trait::async_trait;

use crate::{
    Lifecycle,
    agent::{HOOK_LAUNCHING, HOOK_TERMINATING},
    port::{Decrement, PortError, forward},
};

/// The transition that a lifecycle hook holds.
///
/// ```
/// use jibri_scaler_core::agent::port::Transition;
///
/// assert_eq!(Transition::Launching.hook(), "jibri-scaler-launching");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transition {
    /// On its way into service.
    Launching,
    /// On its way out.
    Terminating,
}

impl Transition {
    /// The name of the hook that holds it.
    ///
    /// ```
    /// use jibri_scaler_core::agent::{HOOK_TERMINATING, port::Transition};
    ///
    /// assert_eq!(Transition::Terminating.hook(), HOOK_TERMINATING);
    /// ```
    #[must_use]
    pub const fn hook(self) -> &'static str {
        match self {
            Self::Launching => HOOK_LAUNCHING,
            Self::Terminating => HOOK_TERMINATING,
        }
    }
}

/// How a lifecycle action is completed: the
/// [`LifecycleActionResult`](https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html).
///
/// ```
/// use jibri_scaler_core::agent::port::HookResult;
///
/// assert_ne!(HookResult::Continue, HookResult::Abandon);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HookResult {
    /// Launching: it comes into service. Terminating: it ends.
    Continue,
    /// Launching: it is replaced. Terminating: where the group retains, it is kept for a human; else it ends.
    Abandon,
}

/// What the group says of this instance.
///
/// ```
/// use jibri_scaler_core::{Lifecycle, agent::port::OwnState};
///
/// let own = OwnState::new(Lifecycle::InService, true);
/// assert!(own.protected, "instances are born protected");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnState {
    /// Where it is in its lifecycle.
    pub lifecycle: Lifecycle,
    /// Whether it is protected from scale-in.
    pub protected: bool,
}

impl OwnState {
    /// An instance in that state.
    #[must_use]
    pub const fn new(lifecycle: Lifecycle, protected: bool) -> Self {
        Self {
            lifecycle,
            protected,
        }
    }
}

/// The instance that the agent runs on, as its Auto Scaling group has it.
///
/// # Contract
/// - Every act is safe to repeat, except [`terminate`](Self::terminate) without decrement.
/// - Nothing that is not idempotent is retried inside; an act that failed may have happened.
/// - Cancellation: an act whose future is dropped may have happened too. [`look`](Self::look) is harmless.
/// - A hook that does not exist, or no longer waits, makes [`heartbeat`](Self::heartbeat) and [`complete`](Self::complete)
///   answer `Ok(false)`.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::{
///     agent::port::{HookResult, OwnInstance, OwnState, Transition},
///     port::{Decrement, PortError},
/// };
///
/// /// An instance that is in no group.
/// struct Alone;
///
/// #[async_trait]
/// impl OwnInstance for Alone {
///     async fn look(&self) -> Result<Option<OwnState>, PortError> {
///         Ok(None)
///     }
///
///     async fn set_protection(&self, _: bool) -> Result<(), PortError> {
///         Ok(())
///     }
///
///     async fn heartbeat(&self, _: Transition) -> Result<bool, PortError> {
///         Ok(false)
///     }
///
///     async fn complete(&self, _: Transition, _: HookResult) -> Result<bool, PortError> {
///         Ok(false)
///     }
///
///     async fn terminate(&self, _: Decrement) -> Result<(), PortError> {
///         Ok(())
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait OwnInstance: Send + Sync {
    /// What the group says of it; `None` where it is in no group.
    ///
    /// # Errors
    /// Where the group could not be asked.
    async fn look(&self) -> Result<Option<OwnState>, PortError>;

    /// Sets or takes away its protection from scale-in.
    ///
    /// # Errors
    /// Where it could not be set, as outside of service and standby.
    async fn set_protection(&self, protected: bool) -> Result<(), PortError>;

    /// Prolongs the wait of the hook by its whole timeout. Returns whether an action waits there.
    ///
    /// # Errors
    /// Where it is not known whether the wait was prolonged.
    async fn heartbeat(&self, transition: Transition) -> Result<bool, PortError>;

    /// Ends the wait of the hook. Returns whether an action waited there.
    ///
    /// # Errors
    /// Where it is not known whether the wait has ended.
    async fn complete(&self, transition: Transition, result: HookResult)
    -> Result<bool, PortError>;

    /// Ends this instance by its id, through the hooks of the group.
    ///
    /// # Errors
    /// [`Permanent`](crate::port::PortErrorKind::Permanent) where a decrement would go below the minimum size.
    async fn terminate(&self, decrement: Decrement) -> Result<(), PortError>;
}

forward!(OwnInstance {
    look() -> Result<Option<OwnState>, PortError>;
    set_protection(protected: bool) -> Result<(), PortError>;
    heartbeat(transition: Transition) -> Result<bool, PortError>;
    complete(transition: Transition, result: HookResult) -> Result<bool, PortError>;
    terminate(decrement: Decrement) -> Result<(), PortError>;
});
