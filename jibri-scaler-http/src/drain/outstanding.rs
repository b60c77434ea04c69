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

/// A request that nobody asked about for so long belongs to an instance that is no longer listed: longer than the longest
/// `Limits::tell_interval`, which is two hours.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3 * 3600);

/// The `gracefulShutdown` requests under way, one per instance.
#[derive(Default)]
pub(super) struct Outstanding(Mutex<BTreeMap<InstanceId, Entry>>);

struct Entry {
    answer: Answer,
    asked_at: Instant,
}

impl Outstanding {
    /// The request under way for this instance, or a new one; whether it is new.
    pub(super) fn join(
        &self,
        id: &InstanceId,
        start: impl FnOnce() -> BoxFuture<'static, Told>,
    ) -> (Answer, bool) {
        let now = Instant::now();
        // Nothing panics while it holds the lock, so that a poisoned one holds a whole map.
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.retain(|_, entry| now.duration_since(entry.asked_at) < FORGOTTEN_AFTER);
        let mut is_new = false;
        let entry = map.entry(id.clone()).or_insert_with(|| {
            is_new = true;
            Entry {
                answer: start().shared(),
                asked_at: now,
            }
        });
        entry.asked_at = now;
        (entry.answer.clone(), is_new)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_nobody_asks_about_is_forgotten_and_no_other() {
        let outstanding = Outstanding::default();
        let ids: [InstanceId; 2] = ["i-0a", "i-0b"].map(|id| id.parse().unwrap());
        let join = |id| outstanding.join(id, || std::future::pending().boxed()).0;
        let answers = ids.each_ref().map(join);
        tokio::time::advance(FORGOTTEN_AFTER / 2).await;
        assert!(join(&ids[0]).ptr_eq(&answers[0]));
        tokio::time::advance(FORGOTTEN_AFTER / 2).await;
        assert!(join(&ids[0]).ptr_eq(&answers[0]), "asked about meanwhile");
        assert!(!join(&ids[1]).ptr_eq(&answers[1]));
    }

    #[test]
    fn none_is_forgotten_before_it_is_asked_about_again() {
        use jibri_scaler_core::Limits;
        let hour = Duration::from_secs(3600);
        let limits = Limits::default().with_report_ttl(hour);
        let longest = limits
            .and_then(|limits| limits.with_gone_after(hour))
            .unwrap();
        assert!(longest.tell_interval() < FORGOTTEN_AFTER);
    }

    #[tokio::test]
    async fn an_answer_received_late_does_not_end_a_newer_request() {
        let outstanding = Outstanding::default();
        let id: InstanceId = "i-0a".parse().unwrap();
        let join = || outstanding.join(&id, || std::future::pending().boxed()).0;
        let first = join();
        outstanding.finished(&id, &first);
        let second = join();
        outstanding.finished(&id, &first);
        assert!(join().ptr_eq(&second));
    }
}
