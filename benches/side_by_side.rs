//! Measures two things in turn, so that whatever disturbs the machine disturbs both.

use std::time::{Duration, Instant};

/// The medians of both, over so many rounds. Each closure returns what it was asked to measure, so that preparing is outside.
pub(crate) fn medians(
    rounds: usize,
    mut baseline: impl FnMut() -> Duration,
    mut measured: impl FnMut() -> Duration,
) -> (Duration, Duration) {
    let (mut first, mut second) = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    for _ in 0..rounds {
        first.push(baseline());
        second.push(measured());
    }
    (median(first), median(second))
}

/// How long it takes, and what it gave.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = std::hint::black_box(work());
    (start.elapsed(), result)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
