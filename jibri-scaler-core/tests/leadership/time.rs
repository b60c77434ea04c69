//! True time, which none of the clocks shows, and who waits for it.

use std::{
    future::poll_fn,
    mem,
    sync::Mutex,
    task::{Poll, Waker},
};

use jibri_scaler_core::Timestamp;

#[derive(Debug)]
pub(crate) struct Time(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    now: Timestamp,
    /// Until when each waits.
    sleepers: Vec<(Timestamp, Waker)>,
}

impl Time {
    pub(crate) fn new(now: Timestamp) -> Self {
        let sleepers = Vec::new();
        Self(Mutex::new(Inner { now, sleepers }))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.lock().unwrap().now
    }

    /// It is this late now. Whoever waits looks again.
    pub(crate) fn pass_to(&self, now: Timestamp) {
        let mut inner = self.0.lock().unwrap();
        inner.now = now;
        let all = mem::take(&mut inner.sleepers);
        let (due, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|(at, _)| *at <= now);
        inner.sleepers = later;
        for (_, waker) in due {
            waker.wake();
        }
    }

    /// When the first of those who wait goes on.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let inner = self.0.lock().unwrap();
        inner.sleepers.iter().map(|(at, _)| *at).min()
    }

    /// Waits until then.
    pub(crate) async fn until(&self, at: Timestamp) {
        poll_fn(|context| {
            let mut inner = self.0.lock().unwrap();
            if inner.now >= at {
                return Poll::Ready(());
            }
            inner.sleepers.push((at, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}
