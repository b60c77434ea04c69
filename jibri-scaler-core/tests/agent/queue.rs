//! Streams that a test fills.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
};

use futures_util::{Stream, stream};

pub(crate) struct Queue<T> {
    items: VecDeque<T>,
    waker: Option<Waker>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            items: VecDeque::new(),
            waker: None,
        }
    }
}

pub(crate) type Shared<T> = Arc<Mutex<Queue<T>>>;

pub(crate) fn push<T>(queue: &Shared<T>, item: T) {
    let mut queue = queue.lock().unwrap();
    queue.items.push_back(item);
    if let Some(waker) = queue.waker.take() {
        waker.wake();
    }
}

pub(crate) fn items<T: Send + 'static>(queue: &Shared<T>) -> impl Stream<Item = T> + Send + use<T> {
    let queue = Arc::clone(queue);
    stream::poll_fn(move |context| {
        let mut queue = queue.lock().unwrap();
        if let Some(item) = queue.items.pop_front() {
            return Poll::Ready(Some(item));
        }
        queue.waker = Some(context.waker().clone());
        Poll::Pending
    })
}
