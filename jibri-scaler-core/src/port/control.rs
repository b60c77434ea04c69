use async_trait::async_trait;

use super::{PortError, forward};
use crate::InstanceId;

/// Whether giving an instance back lowers the desired capacity of the group.
///
/// ```
/// use jibri_scaler_core::port::Decrement;
///
/// assert_ne!(Decrement::Yes, Decrement::No);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decrement {
    /// The group is one smaller afterwards.
    Yes,
    /// The group replaces the instance.
    No,
}

/// Acts on the group.
///
/// # Contract
/// - Every act is idempotent: doing it twice is doing it once, except [`terminate`](Self::terminate) without decrement, which a
///   caller repeats only after a listing still shows the instance in service.
/// - Nothing that is not idempotent is retried inside.
/// - An act that failed may have happened.
/// - A future that is dropped may have acted.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::{InstanceId, port::{Decrement, GroupControl, PortError}};
///
/// /// Says what it would do.
/// struct OnPaper;
///
/// #[async_trait]
/// impl GroupControl for OnPaper {
///     async fn protect(&self, ids: &[InstanceId]) -> Result<(), PortError> {
///         println!("protect {ids:?}");
///         Ok(())
///     }
///
///     async fn set_capacity(&self, desired: u32) -> Result<(), PortError> {
///         println!("set the desired capacity to {desired}");
///         Ok(())
///     }
///
///     async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
///         println!("terminate {id}, decrement: {decrement:?}");
///         Ok(())
///     }
///
///     async fn complete_termination(&self, id: &InstanceId) -> Result<(), PortError> {
///         println!("let {id} go");
///         Ok(())
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait GroupControl: Send + Sync {
    /// Protects these instances from scale-in. Ids that have left the group are passed over. No ids, no call.
    ///
    /// # Errors
    /// Where at least one instance that is in service could not be protected.
    async fn protect(&self, ids: &[InstanceId]) -> Result<(), PortError>;

    /// Sets the desired capacity to this absolute number.
    ///
    /// # Errors
    /// [`Permanent`](super::PortErrorKind::Permanent) where the number is outside the bounds of the group, which then stays as it is.
    async fn set_capacity(&self, desired: u32) -> Result<(), PortError>;

    /// Ends one instance by its id, whether or not it is protected. An instance that is not (or no longer) in the group is success.
    ///
    /// # Errors
    /// [`Permanent`](super::PortErrorKind::Permanent) where a decrement would go below the minimum size; the instance then stays.
    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError>;

    /// Lets an instance go whose termination this project's lifecycle hook holds (`CONTINUE`). Where nothing waits, or there is no
    /// such hook, that is success. It is called only for an instance whose Jibri is known to be gone and that this side gave back.
    ///
    /// # Errors
    /// Where it is not known whether the wait has ended.
    async fn complete_termination(&self, id: &InstanceId) -> Result<(), PortError>;
}

forward!(GroupControl {
    protect(ids: &[InstanceId]) -> Result<(), PortError>;
    set_capacity(desired: u32) -> Result<(), PortError>;
    terminate(id: &InstanceId, decrement: Decrement) -> Result<(), PortError>;
    complete_termination(id: &InstanceId) -> Result<(), PortError>;
});
