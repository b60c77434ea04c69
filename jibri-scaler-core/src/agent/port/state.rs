use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    port::{PortError, forward},
};

/// What an agent knows that nobody can tell it again, beside the [latch](super::Latch).
///
/// ```
/// use jibri_scaler_core::{Timestamp, agent::port::SavedState};
///
/// let busy = SavedState::new(Some(Timestamp::from_secs(1_763_800_000)));
/// assert_ne!(busy, SavedState::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SavedState {
    /// Since when the Jibri has been busy; `None` where it is not.
    #[serde(default)]
    pub busy_since: Option<Timestamp>,
}

impl SavedState {
    /// The state of an agent whose Jibri has been busy since then.
    #[must_use]
    pub const fn new(busy_since: Option<Timestamp>) -> Self {
        Self { busy_since }
    }
}

/// Keeps what an agent knows over its own restart. It is saved when it changes, which is when a recording begins or ends.
///
/// # Contract
/// - What was saved is from this machine, and from before no reboot: else it is `None`.
/// - Losing it costs no recording: a Jibri counts as busy since it is seen busy again.
/// - Cancellation: a [`save`](Self::save) whose future is dropped may or may not have been made; [`load`](Self::load) is harmless.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::{agent::port::{SavedState, StateStore}, port::PortError};
///
/// /// Keeps nothing, as an agent that is given no store.
/// struct Forgetful;
///
/// #[async_trait]
/// impl StateStore for Forgetful {
///     async fn load(&self) -> Result<Option<SavedState>, PortError> {
///         Ok(None)
///     }
///
///     async fn save(&self, _: &SavedState) -> Result<(), PortError> {
///         Ok(())
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait StateStore: Send + Sync {
    /// What was saved last; `None` where nothing was, or nothing that can be understood.
    ///
    /// # Errors
    /// Where it could not be read. The agent goes on without it.
    async fn load(&self) -> Result<Option<SavedState>, PortError>;

    /// Saves this in the place of what was saved before.
    ///
    /// # Errors
    /// Where it is not certain that it is saved.
    async fn save(&self, state: &SavedState) -> Result<(), PortError>;
}

forward!(StateStore {
    load() -> Result<Option<SavedState>, PortError>;
    save(state: &SavedState) -> Result<(), PortError>;
});
