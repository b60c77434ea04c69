use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use jibri_scaler_core::{InstanceId, port::Told};
use tokio::time::Instant;

/// An answer that any number of calls can wait for; dropping one of them leaves the request alive in the map.
pub(super) type Answer = Shared<BoxFuture<'static, Told>>;

/// A request that nobody asked about for so long belongs to an instance that is no longer listed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// The `gracefulShutdown` requests under way, one per instance.
#[derive(Default)]
pub(super) struct Outstanding(Mutex<BTreeMap<InstanceId, Entry>>);

struct Entry {
    answer: Answer,
    asked_at: Instant,
}

impl Outstanding {
    /// The request under way for this instance, or a new one.
    pub(super) fn join(
        &self,
        id: &InstanceId,
        start: impl FnOnce() -> BoxFuture<'static, Told>,
    ) -> Answer {
        let now = Instant::now();
        // Nothing panics while it holds the lock, so that a poisoned one holds a whole map.
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.retain(|_, entry| now.duration_since(entry.asked_at) < FORGOTTEN_AFTER);
        let entry = map.entry(id.clone()).or_insert_with(|| Entry {
            answer: start().shared(),
            asked_at: now,
        });
        entry.asked_at = now;
        entry.answer.clone()
    }

    /// Takes in that this answer was received. A newer request for the same instance stays.
    pub(super) fn finished(&self, id: &InstanceId, answer: &Answer) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.get(id).is_some_and(|entry| entry.answer.ptr_eq(answer)) {
            map.remove(id);
        }
    }
}

impl fmt::Debug for Outstanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(map.keys()).finish()
    }
}
