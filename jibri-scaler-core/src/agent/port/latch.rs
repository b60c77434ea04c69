use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    port::{PortError, forward},
};

/// The restart latch: what the agent has written down before it told its Jibri to end.
///
/// While it is there no supervisor starts the Jibri (systemd: a drop-in with `ConditionPathExists=!` on its file), and an agent
/// that was restarted goes on where the one before was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Latch {
    /// When it was set.
    pub since: Timestamp,
    /// Why the Jibri is to go, for a human.
    pub because: String,
    /// Whether the group is to keep its size, where the agent itself ends the instance.
    pub replace: bool,
    /// Whether the instance goes to the warm pool and not to its end: when it returns, the latch is removed and the Jibri started.
    #[serde(default)]
    pub to_pool: bool,
}

impl Latch {
    /// A latch set at that time.
    #[must_use]
    pub fn new(since: Timestamp, because: impl Into<String>, replace: bool) -> Self {
        Self {
            since,
            because: because.into(),
            replace,
            to_pool: false,
        }
    }

    /// The same for an instance on its way to the warm pool.
    #[must_use]
    pub const fn with_to_pool(mut self, to_pool: bool) -> Self {
        self.to_pool = to_pool;
        self
    }
}

/// Keeps the restart latch on this machine.
///
/// # Contract
/// - [`set`](Self::set) is durable and atomic: once it has returned `Ok`, neither a crash nor a reboot loses the latch.
/// - There is one latch per machine, for all Jibris on it.
/// - Cancellation: a [`set`](Self::set) or [`clear`](Self::clear) whose future is dropped may or may not have happened, and never half: the latch
///   that is there can be read. Either may be repeated. [`load`](Self::load) is harmless.
///
/// ```
/// use std::sync::Mutex;
/// use async_trait::async_trait;
/// use jibri_scaler_core::{agent::port::{Latch, LatchStore}, port::PortError};
///
/// /// A latch that a restart of the agent forgets: for tests only.
/// #[derive(Default)]
/// struct Forgetful(Mutex<Option<Latch>>);
///
/// #[async_trait]
/// impl LatchStore for Forgetful {
///     async fn load(&self) -> Result<Option<Latch>, PortError> {
///         Ok(self.0.lock().expect("not poisoned").clone())
///     }
///
///     async fn set(&self, latch: &Latch) -> Result<(), PortError> {
///         *self.0.lock().expect("not poisoned") = Some(latch.clone());
///         Ok(())
///     }
///
///     async fn clear(&self) -> Result<(), PortError> {
///         *self.0.lock().expect("not poisoned") = None;
///         Ok(())
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait LatchStore: Send + Sync {
    /// The latch, if it is set.
    ///
    /// # Errors
    /// Where there is one that cannot be read. It is not taken for none.
    async fn load(&self) -> Result<Option<Latch>, PortError>;

    /// Sets the latch, in place of one before.
    ///
    /// # Errors
    /// Where it is not certain that it is set.
    async fn set(&self, latch: &Latch) -> Result<(), PortError>;

    /// Removes the latch. None there is success.
    ///
    /// # Errors
    /// Where it is not certain that it is gone.
    async fn clear(&self) -> Result<(), PortError>;
}

forward!(LatchStore {
    load() -> Result<Option<Latch>, PortError>;
    set(latch: &Latch) -> Result<(), PortError>;
    clear() -> Result<(), PortError>;
});
