use async_trait::async_trait;

use super::{PortError, forward};
use crate::Timestamp;

/// Tells whether anybody else changes the size of the group, and leaves the mark by which other controllers see this one.
///
/// Two that change the size of one group lose no recording, but they work against each other: what one adds, the other takes.
///
/// # Contract
/// - [`others`](Self::others) names everybody that may change the size by itself: scaling policies that are enabled, and another
///   controller whose mark is fresh. This controller's own mark is not among them.
/// - [`mark`](Self::mark) is idempotent, and goes stale a few minutes after it was last left.
/// - Cancellation: a mark whose future is dropped may or may not have been left. [`others`](Self::others) is harmless.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::{Timestamp, port::{GroupOwnership, PortError}};
///
/// /// There is nobody else, and nobody looks.
/// struct Alone;
///
/// #[async_trait]
/// impl GroupOwnership for Alone {
///     async fn others(&self, _now: Timestamp) -> Result<Vec<String>, PortError> {
///         Ok(vec![])
///     }
///
///     async fn mark(&self, _now: Timestamp) -> Result<(), PortError> {
///         Ok(())
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait GroupOwnership: Send + Sync {
    /// The others, each as a few words for a human.
    ///
    /// # Errors
    /// Where they could not be looked up.
    async fn others(&self, now: Timestamp) -> Result<Vec<String>, PortError>;

    /// Leaves this controller's mark, in place of any other's.
    ///
    /// # Errors
    /// Where it is not certain that it was left.
    async fn mark(&self, now: Timestamp) -> Result<(), PortError>;
}

forward!(GroupOwnership {
    others(now: Timestamp) -> Result<Vec<String>, PortError>;
    mark(now: Timestamp) -> Result<(), PortError>;
});
