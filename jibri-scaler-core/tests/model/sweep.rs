//! A way through a configuration that keeps little: depth first, and of each state that was seen 64 bits of a hash. What is still to be
//! looked at is a thousandth of what it is breadth first, so that configurations fit into memory that do not otherwise; the way to a
//! broken promise is a way, and not the shortest. Of n states n²/2⁶⁵ are expected to be taken for others that were seen: of a hundred
//! million that is one in three thousand runs.

use std::{
    hash::{BuildHasherDefault, Hasher},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    thread,
};

use stateright::Model;

use crate::{
    canonical::hash,
    explore::{Action, Exploration},
    figures::{Figures, now},
    world::{Config, World},
};

const SHARDS: usize = 256;
/// A line is printed after so many states.
const PROGRESS: usize = 5_000_000;

/// How one came to a state.
struct Way {
    last: Action,
    before: Option<Arc<Self>>,
    depth: usize,
}

/// One after the other: they are longer than the stack of a thread.
impl Drop for Way {
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(mut way) = next.and_then(Arc::into_inner) {
            next = way.before.take();
        }
    }
}

impl Way {
    fn after(before: Option<&Arc<Self>>, last: Action) -> Arc<Self> {
        Arc::new(Self {
            last,
            before: before.cloned(),
            depth: before.map_or(0, |way| way.depth) + 1,
        })
    }

    fn actions(&self) -> String {
        let mut steps = vec![format!("  {:?}", self.last)];
        let mut at = self.before.as_deref();
        while let Some(way) = at {
            steps.push(format!("  {:?}", way.last));
            at = way.before.as_deref();
        }
        steps.reverse();
        steps.join("\n")
    }
}

type Job = (World, Option<Arc<Way>>);

/// Hashes of what was seen.
#[expect(
    clippy::disallowed_types,
    reason = "in which order they are kept is never asked"
)]
pub type Hashes = std::collections::HashSet<u64, BuildHasherDefault<Identity>>;

/// Takes a hash for its own.
#[derive(Debug, Default)]
pub struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("only whole hashes are kept")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The work that somebody else may take over.
#[derive(Default)]
struct Pool {
    jobs: Vec<Job>,
    idle: usize,
    is_over: bool,
    violations: Vec<(&'static str, String)>,
    unique: usize,
    depth: usize,
}

struct Sweep {
    model: Exploration,
    threads: usize,
    seen: Vec<Mutex<Hashes>>,
    pool: Mutex<Pool>,
    is_there_work: Condvar,
}

/// Where somebody has panicked the test fails, whatever is still counted.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sweep {
    /// Whether it was not seen before.
    fn is_new(&self, world: &World) -> bool {
        let hash = hash(world);
        // The table itself looks at the bits at either end.
        let shard = usize::try_from(hash >> 24).expect("64 bits") % SHARDS;
        lock(&self.seen[shard]).insert(hash)
    }

    /// Takes over half of what somebody has left, or waits for it.
    fn take(&self) -> Option<Vec<Job>> {
        let mut pool = lock(&self.pool);
        pool.idle += 1;
        loop {
            if pool.is_over || (pool.idle == self.threads && pool.jobs.is_empty()) {
                pool.is_over = true;
                self.is_there_work.notify_all();
                return None;
            }
            if !pool.jobs.is_empty() {
                pool.idle -= 1;
                return Some(mem::take(&mut pool.jobs));
            }
            pool = self
                .is_there_work
                .wait(pool)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells how far it has come, hands over half of its work where somebody has none, and returns whether to go on.
    fn shares(&self, jobs: &mut Vec<Job>, unique: usize, depth: usize) -> bool {
        let mut pool = lock(&self.pool);
        if pool.unique / PROGRESS < (pool.unique + unique) / PROGRESS {
            println!("sweep: {} states", pool.unique + unique);
        }
        pool.unique += unique;
        pool.depth = pool.depth.max(depth);
        if pool.idle > 0 && pool.jobs.is_empty() && jobs.len() > 1 {
            // Those that have come least far have most before them.
            pool.jobs = jobs.drain(..jobs.len() / 2).collect();
            self.is_there_work.notify_one();
        }
        !pool.is_over
    }

    fn broken(&self, name: &'static str, way: Option<&Arc<Way>>) {
        let mut pool = lock(&self.pool);
        pool.violations
            .push((name, way.map_or_else(String::new, |way| way.actions())));
        pool.is_over = true;
    }

    fn work(&self) {
        let _ends_all = EndsAll(self);
        let properties = self.model.properties();
        let mut actions = Vec::new();
        while let Some(mut jobs) = self.take() {
            let (mut unique, mut depth) = (0, 0);
            while let Some((world, way)) = jobs.pop() {
                unique += 1;
                depth = depth.max(way.as_ref().map_or(0, |way| way.depth));
                for property in &properties {
                    if !(property.condition)(&self.model, &world) {
                        self.broken(property.name, way.as_ref());
                    }
                }
                actions.clear();
                self.model.actions(&world, &mut actions);
                for action in actions.iter().copied() {
                    let next = self.model.next_state(&world, action);
                    if let Some(next) = next.filter(|next| self.is_new(next)) {
                        jobs.push((next, Some(Way::after(way.as_ref(), action))));
                    }
                }
                if unique == 256 || jobs.is_empty() {
                    if !self.shares(&mut jobs, unique, depth) {
                        jobs.clear();
                    }
                    unique = 0;
                }
            }
        }
    }
}

/// Ends the work of all where one panics: the others would wait for it.
struct EndsAll<'a>(&'a Sweep);

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(&self.0.pool).is_over = true;
            self.0.is_there_work.notify_all();
        }
    }
}

/// Looks at all of a configuration, or until a promise is broken.
pub fn sweep(config: &Config, threads: usize) -> Figures {
    let began = now();
    let sweep = Sweep {
        model: Exploration(config.clone()),
        threads,
        seen: (0..SHARDS).map(|_| Mutex::default()).collect(),
        pool: Mutex::default(),
        is_there_work: Condvar::new(),
    };
    let mut first = sweep.model.init_states();
    first.retain(|world| sweep.is_new(world));
    lock(&sweep.pool).jobs = first.into_iter().map(|world| (world, None)).collect();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| sweep.work());
        }
    });
    let pool = sweep
        .pool
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let seen: usize = sweep.seen.iter().map(|shard| lock(shard).len()).sum();
    let is_complete = pool.unique == seen && pool.violations.is_empty();
    Figures {
        name: config.name,
        unique: pool.unique,
        depth: pool.depth,
        took: began.elapsed(),
        forced: config.forced.swap(0, Ordering::Relaxed),
        violations: pool.violations,
        is_complete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{configs, figures::explore, liveness::PATIENCE};
    use jibri_scaler_core::safeguard::Safeguard;

    fn small() -> Config {
        Config {
            patience: PATIENCE,
            ..configs::protected()
        }
    }

    #[test]
    fn it_sees_as_many_states_as_breadth_first() {
        let (deep, broad) = (sweep(&small(), 2), explore(&small(), 2, None));
        assert_eq!(deep.unique, broad.unique);
        assert!(deep.is_complete && deep.violations.is_empty(), "{deep}");
    }

    #[test]
    fn it_finds_what_is_broken() {
        let config = Config {
            rules: [Safeguard::Protect].into(),
            ..small()
        };
        let found = sweep(&config, 2);
        assert!(!found.is_complete, "{found}");
        let (name, way) = &found.violations[0];
        assert_eq!(*name, "no recording is lost");
        assert!(way.lines().count() > 3, "{way}");
    }
}
