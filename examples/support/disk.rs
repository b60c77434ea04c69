//! Work on files that holds up nothing else: a shared file system can hang for as long as it likes.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    runtime::Runtime,
    sync::{Mutex as Turn, OwnedMutexGuard},
    task::spawn_blocking,
    time::timeout,
};

/// So long a piece of work may take. Less than the 6 s by which a lead of 30 s is believed to end early, so that what a leader began
/// while it led is done, or given up, before another one leads.
pub(crate) const LIMIT: Duration = Duration::from_secs(4);

/// The work on one file, on threads of its own: one piece at a time, in the order in which it was asked for.
///
/// A piece that hangs is given up after [`LIMIT`], but cannot be ended. Until it has ended by itself nothing else is begun, and whoever
/// asks is told so at once: there is never more than one thread that hangs for a file, and what is late comes before what is newer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    turn: Arc<Turn<()>>,
    running: Arc<Mutex<Option<Patience>>>,
}

/// Whether somebody still waits for a piece of work.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    #[allow(dead_code, reason = "only who writes a memory asks")]
    begun: Instant,
    is_over: Arc<AtomicBool>,
}

impl Patience {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            is_over: Arc::default(),
        }
    }

    /// Fails where nobody waits any more. To be asked before each step by which something old could take the place of something newer.
    #[allow(dead_code, reason = "only who writes a memory asks")]
    pub(crate) fn check(&self) -> io::Result<()> {
        // By the time too: in a process that was frozen this may run before what waits.
        if self.is_over.load(Ordering::SeqCst) || self.begun.elapsed() >= LIMIT {
            return Err(too_long());
        }
        Ok(())
    }
}

/// The piece that runs, until it ends, also by a panic.
struct Running {
    running: Arc<Mutex<Option<Patience>>>,
    _turn: OwnedMutexGuard<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        *lock(&self.running) = None;
    }
}

impl Disk {
    /// Does this piece of work. A future that is dropped does not end what has begun.
    ///
    /// # Errors
    /// Those of the work. With [`TimedOut`](io::ErrorKind::TimedOut), where it takes longer than [`LIMIT`], and may still be done; or
    /// where an earlier piece did and has not ended, so that it was not begun.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Patience) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        if self.hangs() {
            let what = "what was begun before has not ended: see whether its file system hangs";
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        let patience = Patience::new();
        let worked = async {
            let turn = Arc::clone(&self.turn).lock_owned().await;
            *lock(&self.running) = Some(patience.clone());
            let running = Running {
                running: Arc::clone(&self.running),
                _turn: turn,
            };
            spawn_blocking(move || {
                let result = work(&patience);
                drop(running);
                result
            })
            .await?
        };
        timeout(LIMIT, worked).await.unwrap_or_else(|_| {
            if let Some(running) = &*lock(&self.running) {
                running.is_over.store(true, Ordering::SeqCst);
            }
            Err(too_long())
        })
    }

    /// Whether something was given up and has not ended.
    fn hangs(&self) -> bool {
        let running = lock(&self.running);
        running
            .as_ref()
            .is_some_and(|running| running.is_over.load(Ordering::SeqCst))
    }
}

/// Runs a program to its end, for which it does not wait for work that hangs.
#[allow(dead_code, reason = "the tests of `replay` have no program")]
pub(crate) fn block_on<T>(program: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Runtime::new()?;
    let result = runtime.block_on(program);
    // Where it is dropped it waits for all of its threads.
    runtime.shutdown_background();
    Ok(result)
}

fn too_long() -> io::Error {
    let what = format!(
        "it has not ended after {} s: see whether its file system hangs",
        LIMIT.as_secs()
    );
    io::Error::new(io::ErrorKind::TimedOut, what)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt as _;
    use tokio::{
        task::yield_now,
        time::{advance, pause},
    };

    use super::*;

    /// Asks for this work, and lets the time pass that it may take. (Time does not pass by itself while a thread is blocked.)
    async fn out_of_time(
        disk: &Disk,
        work: impl FnOnce(&Patience) -> io::Result<()> + Send + 'static,
    ) -> io::Error {
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let asked = disk.clone();
        let asked = tokio::spawn(async move {
            let work = move |patience: &Patience| {
                let _ = begun.send(());
                work(patience)
            };
            asked.run(work).await
        });
        has_begun.await.unwrap();
        advance(LIMIT.saturating_sub(Duration::from_millis(1))).await;
        yield_now().await;
        assert!(!asked.is_finished(), "it has all of its time");
        advance(Duration::from_millis(2)).await;
        asked.await.unwrap().unwrap_err()
    }

    /// Waits until nothing hangs any more.
    async fn until_well(disk: &Disk) {
        while disk.hangs() {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_hangs_is_given_up_and_nothing_is_begun_until_it_has_ended() {
        pause();
        let disk = Disk::default();
        let (go_on, hangs) = mpsc::channel::<()>();
        let (late, checked) = mpsc::channel();
        let error = out_of_time(&disk, move |patience| {
            let _ = hangs.recv();
            let _ = late.send(patience.check().is_err());
            Ok(())
        })
        .await;
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("after 4 s"), "{error}");
        for _ in 0..3 {
            let error = disk.run(|_| Ok(())).await.unwrap_err();
            assert!(error.to_string().contains("not ended"), "{error}");
        }
        go_on.send(()).unwrap();
        assert!(checked.recv().unwrap(), "it knows that nobody waits");
        until_well(&disk).await;
        disk.run(Patience::check).await.unwrap();
    }

    #[tokio::test]
    async fn one_piece_comes_after_the_other_also_where_nobody_waits_for_it() {
        let disk = Disk::default();
        let done = Arc::new(Mutex::new(Vec::new()));
        let (go_on, hangs) = mpsc::channel::<()>();
        let push = |number: u32| {
            let done = Arc::clone(&done);
            move || lock(&done).push(number)
        };
        let (first, second) = (push(1), push(2));
        let work = disk.run(move |_| {
            let _ = hangs.recv();
            first();
            Ok(())
        });
        // It has begun, and is dropped.
        assert!(Box::pin(work).now_or_never().is_none());
        let next = disk.run(move |_| {
            second();
            Ok(())
        });
        let mut next = Box::pin(next);
        for _ in 0..10 {
            assert!((&mut next).now_or_never().is_none());
            yield_now().await;
        }
        assert_eq!(*lock(&done), [0; 0]);
        go_on.send(()).unwrap();
        next.await.unwrap();
        assert_eq!(*lock(&done), [1, 2]);
    }

    #[tokio::test]
    async fn a_panic_ends_a_piece_of_work() {
        let disk = Disk::default();
        let error = disk.run::<()>(|_| panic!("a defect")).await.unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
        disk.run(|_| Ok(())).await.unwrap();
    }
}
