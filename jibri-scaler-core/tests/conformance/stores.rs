use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use futures_executor::block_on;
use jibri_scaler_core::{
    Memory, Timestamp,
    conformance::{MemoryStoreFixture, memory_store, metrics_sink},
    port::{FleetMetrics, KeptMemory, MemoryStore, MetricsSink, PortError, PortErrorKind},
};

/// Stores that outlive being dropped, whole or broken in one way.
#[derive(Default)]
struct Stores {
    broken: Option<Mutation>,
    last: Mutex<Arc<KeptMemory>>,
}

#[async_trait]
impl MemoryStoreFixture for Stores {
    async fn create(&self) -> Box<dyn MemoryStore> {
        let mut last = self.last.lock().unwrap();
        if !matches!(self.broken, Some(Mutation::SharesOne)) {
            *last = Arc::default();
        }
        Box::new(Store {
            kept: Arc::clone(&last),
            broken: self.broken,
        })
    }

    async fn reopen(&self) -> Option<Box<dyn MemoryStore>> {
        match self.broken {
            Some(Mutation::ForgetsAtRestart) => Some(Box::new(KeptMemory::default())),
            _ => Some(Box::new(Arc::clone(&self.last.lock().unwrap()))),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Mutation {
    CutsOff,
    ForgetsAtRestart,
    HasOneAtFirst,
    KeepsFirst,
    LoadsOnce,
    SharesOne,
}

struct Store {
    kept: Arc<KeptMemory>,
    broken: Option<Mutation>,
}

#[async_trait]
impl MemoryStore for Store {
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        let loaded = self.kept.load().await?;
        match self.broken {
            Some(Mutation::HasOneAtFirst) => Ok(Some(loaded.unwrap_or_default())),
            Some(Mutation::LoadsOnce) => {
                self.kept.save(&Memory::default()).await?;
                Ok(loaded)
            }
            _ => Ok(loaded),
        }
    }

    async fn save(&self, memory: &Memory) -> Result<(), PortError> {
        match self.broken {
            Some(Mutation::CutsOff) if memory.retirements().len() > 1000 => Ok(()),
            Some(Mutation::KeepsFirst) if self.kept.load().await?.is_some() => Ok(()),
            _ => self.kept.save(memory).await,
        }
    }
}

#[test]
fn the_kept_memory_conforms() {
    assert_eq!(block_on(memory_store(&Stores::default())), Ok(()));
}

#[test]
fn every_broken_memory_store_is_found_out() {
    let mutations = [
        (Mutation::CutsOff, "memory_may_be_large"),
        (Mutation::ForgetsAtRestart, "memory_outlives_the_process"),
        (Mutation::HasOneAtFirst, "memory_is_empty_at_first"),
        (Mutation::KeepsFirst, "memory_is_what_was_saved_last"),
        (Mutation::LoadsOnce, "memory_is_what_was_saved_last"),
        (Mutation::SharesOne, "memory_belongs_to_one_store"),
    ];
    for (mutation, rule) in mutations {
        let fixture = Stores {
            broken: Some(mutation),
            ..Stores::default()
        };
        let violation = block_on(memory_store(&fixture));
        let violation = violation.expect_err(&format!("{mutation:?} is found out"));
        assert_eq!(violation.rule(), rule, "{mutation:?}: {violation}");
    }
}

type Refuses = fn(&FleetMetrics) -> bool;

/// A sink that refuses some numbers.
struct Picky {
    refuses: Refuses,
    published: AtomicUsize,
}

impl Picky {
    fn new(refuses: Refuses) -> Self {
        Self {
            refuses,
            published: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl MetricsSink for Picky {
    async fn publish(&self, metrics: &FleetMetrics) -> Result<(), PortError> {
        if (self.refuses)(metrics) {
            let operation = "publish the metrics of a tick";
            return Err(PortError::new(PortErrorKind::Permanent, operation));
        }
        self.published.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn a_sink_that_takes_all_numbers_conforms_and_others_are_found_out() {
    let now = Timestamp::from_secs(1_763_800_000);
    let sink = Picky::new(|_| false);
    assert_eq!(block_on(metrics_sink(&sink, now)), Ok(()));
    assert_eq!(sink.published.into_inner(), 4);

    let picky: [(Refuses, &str); 4] = [
        (|m| m.idle_share.is_none(), "metrics_may_be_zero"),
        (|m| m.idle == 1, "metrics_may_have_fractions"),
        (
            |m| m.idle == 0 && m.others > 0,
            "metrics_may_have_no_idle_ones",
        ),
        (|m| m.total > 10_000, "metrics_may_be_large"),
    ];
    for (refuses, rule) in picky {
        let violation = block_on(metrics_sink(&Picky::new(refuses), now)).unwrap_err();
        assert_eq!(violation.rule(), rule, "{violation}");
    }
}
