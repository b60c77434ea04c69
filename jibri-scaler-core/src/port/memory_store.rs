use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{PortError, forward};
use crate::Memory;

/// Keeps the [`Memory`] between ticks and across restarts.
///
/// # Contract
/// - [`load`](Self::load) returns what the last successful [`save`](Self::save) was given, or nothing if there was none.
/// - `save` is atomic: after a crash in the middle of it, `load` returns the old or the new memory.
/// - One store belongs to one group. Replicas have a store each, of the same group, so `load` sees what another process has saved.
/// - A controller loads once, and again where it takes the lead, and saves in each tick. One that
///   [does not lead](crate::Controller::with_leadership) loads in each tick and saves nothing.
/// - A save may be refused where another replica has saved since this one has loaded or saved: so a save of a former leader that comes late
///   takes the place of nothing. Whoever has just loaded is not refused for what was saved before that.
/// - A future that is dropped may or may not have saved.
///
/// ```
/// use jibri_scaler_core::{Memory, port::{KeptMemory, MemoryStore, PortError}};
///
/// async fn remember(store: &dyn MemoryStore, memory: &Memory) -> Result<bool, PortError> {
///     store.save(memory).await?;
///     Ok(store.load().await?.as_ref() == Some(memory))
/// }
/// # let _ = remember(&KeptMemory::default(), &Memory::default());
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait MemoryStore: Send + Sync {
    /// Reads the memory that was saved last.
    ///
    /// # Errors
    /// Where there is a memory that cannot be read. It is not taken for none: that would forget retirements under way.
    async fn load(&self) -> Result<Option<Memory>, PortError>;

    /// Saves the memory in place of the one before.
    ///
    /// # Errors
    /// Where it is not certain that the memory is kept.
    async fn save(&self, memory: &Memory) -> Result<(), PortError>;
}

forward!(MemoryStore {
    load() -> Result<Option<Memory>, PortError>;
    save(memory: &Memory) -> Result<(), PortError>;
});

/// Keeps the memory in the process, so that a restart loses it.
///
/// Losing memory never endangers a recording, but it delays shrinking, nobody is told to end directly for a
/// [`tell_interval`](crate::Limits::tell_interval), and an instance whose Jibri was already told to go may be left running. For production, keep it in a file or wherever the embedding service keeps its state.
///
/// ```
/// use jibri_scaler_core::port::KeptMemory;
///
/// let store = KeptMemory::default();
/// # let _ = store;
/// ```
#[derive(Debug, Default)]
pub struct KeptMemory(Mutex<Option<Memory>>);

#[async_trait]
impl MemoryStore for KeptMemory {
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        Ok(self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone())
    }

    async fn save(&self, memory: &Memory) -> Result<(), PortError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory.clone());
        Ok(())
    }
}
