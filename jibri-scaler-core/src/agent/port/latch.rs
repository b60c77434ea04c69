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
}

impl Latch {
    /// A latch set at that time.
    #[must_use]
    pub fn new(since: Timestamp, because: impl Into<String>, replace: bool) -> Self {
        Self {
            since,
            because: because.into(),
            replace,
        }
    }
}

/// Keeps the restart latch on this machine.
///
/// # Contract
/// - [`set`](Self::set) is durable and atomic: once it has returned `Ok`, neither a crash nor a reboot loses the latch.
/// - There is one latch per machine, for all Jibris on it.
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
