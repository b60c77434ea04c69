use async_trait::async_trait;

use super::{Checked, Violation, ensure};
use crate::{Memory, Timestamp, port::MemoryStore, retirement::Retirement};

/// Makes memory stores for the suite.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::{
///     conformance::{MemoryStoreFixture, memory_store},
///     port::{KeptMemory, MemoryStore},
/// };
///
/// struct Kept;
///
/// #[async_trait]
/// impl MemoryStoreFixture for Kept {
///     async fn create(&self) -> Box<dyn MemoryStore> {
///         Box::new(KeptMemory::default())
///     }
/// }
///
/// futures_executor::block_on(memory_store(&Kept))?;
/// # Ok::<(), jibri_scaler_core::conformance::Violation>(())
/// ```
#[async_trait]
pub trait MemoryStoreFixture: Send + Sync {
    /// Makes a store in which nothing has been saved.
    async fn create(&self) -> Box<dyn MemoryStore>;

    /// Opens the store that was made last once more, as a new process would. `None`, the default, where it does not outlive the
    /// process.
    async fn reopen(&self) -> Option<Box<dyn MemoryStore>> {
        None
    }
}

/// Checks a memory store. The names of its rules begin with `memory`.
///
/// # Errors
/// The first rule that is broken.
pub async fn memory_store(fixture: &dyn MemoryStoreFixture) -> Result<(), Violation> {
    let broken = |rule| move |seen| Violation::new(rule, seen);
    let store = fixture.create().await;
    holds(&*store, None)
        .await
        .map_err(broken("memory_is_empty_at_first"))?;
    // The larger one first, so that a store that does not cut off what was there before is found out.
    for count in [3, 1, 0] {
        saves(&*store, &of_size(count))
            .await
            .map_err(broken("memory_is_what_was_saved_last"))?;
    }
    let large = of_size(10_000);
    saves(&*store, &large)
        .await
        .map_err(broken("memory_may_be_large"))?;
    if let Some(again) = fixture.reopen().await {
        holds(&*again, Some(&large))
            .await
            .map_err(broken("memory_outlives_the_process"))?;
    }
    let other = fixture.create().await;
    holds(&*other, None)
        .await
        .map_err(broken("memory_belongs_to_one_store"))
}

async fn saves(store: &dyn MemoryStore, memory: &Memory) -> Checked {
    store.save(memory).await.map_err(|error| error.report())?;
    // Loading does not use it up.
    holds(store, Some(memory)).await?;
    holds(store, Some(memory)).await
}

async fn holds(store: &dyn MemoryStore, expected: Option<&Memory>) -> Checked {
    let loaded = store.load().await.map_err(|error| error.report())?;
    let size = |memory: Option<&Memory>| memory.map(|memory| memory.retirements().len());
    ensure!(
        loaded.as_ref() == expected,
        "loaded is a memory of {:?} retirements, not the saved one of {:?}",
        size(loaded.as_ref()),
        size(expected)
    );
    Ok(())
}

/// A memory with so many retirements.
fn of_size(count: u32) -> Memory {
    let mut memory = Memory::default();
    for number in 0..count {
        if let Ok(id) = format!("i-{number:017x}").parse() {
            let since = Timestamp::from_secs(number.into());
            memory
                .retirements
                .insert(id, Retirement::new(since, number % 2 == 0));
        }
    }
    memory
}
