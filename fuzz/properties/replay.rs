//! Replays inputs that were found once, in a test.

use std::{
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use cpu_time::ThreadTime;

use super::bounded;

/// How long one input may have the processor, in a build that is optimised.
const LIMIT: Duration = Duration::from_millis(50);
/// The shortest of so many tries counts.
const TRIES: usize = 3;

/// Checks the property on each file of the corpus of that target.
pub(crate) fn corpus(target: &str, property: fn(&[u8])) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus")).join(target);
    let read = || {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let inputs: Vec<_> = entries
            .map(|entry| {
                let path = entry.unwrap().path();
                (path.display().to_string(), fs::read(&path).unwrap())
            })
            .collect();
        assert!(inputs.len() >= 20, "{} is empty", folder.display());
        inputs
    };
    each(read, property);
}

/// Checks the property on each of the inputs that this makes.
pub(crate) fn each<I: IntoIterator<Item = (impl AsRef<str>, Vec<u8>)>>(
    inputs: impl FnOnce() -> I,
    property: fn(&[u8]),
) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // The memory that is held is that of the whole process, the inputs of other tests included.
    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, input) in inputs() {
        // Shown when it fails.
        println!("{}", name.as_ref());
        let took = (0..TRIES).map(|_| {
            let started = ThreadTime::now();
            bounded::in_memory(&input, property);
            started.elapsed()
        });
        if cfg!(debug_assertions) {
            took.take(1).for_each(drop);
        } else {
            let shortest = took.min().unwrap_or_default();
            assert!(shortest <= LIMIT, "{} took {shortest:?}", name.as_ref());
        }
    }
}
