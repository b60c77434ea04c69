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
pub(crate) const LIMIT: Duration = Duration::from_millis(50);
/// The shortest of up to so many tries counts.
const TRIES: usize = 3;

/// The files of the corpus of that target, with their names.
pub(crate) fn read(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus")).join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut inputs: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), fs::read(&path).unwrap())
        })
        .collect();
    assert!(inputs.len() >= 20, "{} is empty", folder.display());
    inputs.sort();
    inputs
}

/// Checks the property on each file of the corpus of that target.
pub(crate) fn corpus(target: &str, property: fn(&[u8])) {
    each(|| read(target), property);
}

/// Checks the property on each of the inputs that this makes.
pub(crate) fn each<I: IntoIterator<Item = (impl AsRef<str>, Vec<u8>)>>(
    inputs: impl FnOnce() -> I,
    property: fn(&[u8]),
) {
    alone(|| {
        for (name, input) in inputs() {
            // Shown when it fails.
            println!("{}", name.as_ref());
            let took = check(&input, property);
            assert!(took <= LIMIT, "{} took {took:?}", name.as_ref());
        }
    });
}

/// Does this while no other test does: the memory that is held is that of the whole process.
pub(crate) fn alone(act: impl FnOnce()) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    act();
}

/// Checks the property on this input, and returns how long it had the processor: nothing that counts, in a build that is not optimised.
pub(crate) fn check(input: &[u8], property: fn(&[u8])) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..TRIES {
        let started = ThreadTime::now();
        bounded::in_memory(input, property);
        shortest = shortest.min(started.elapsed());
        if cfg!(debug_assertions) {
            return Duration::ZERO;
        }
        if shortest <= LIMIT {
            break;
        }
    }
    shortest
}
