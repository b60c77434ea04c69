//! When the ticks are.

use std::time::{Duration, SystemTime};

use futures_util::{Stream, stream};
use jibri_scaler_core::Timestamp;

/// The time at once, and then at the start of each interval of the wall clock.
///
/// Metrics are added up over periods of the wall clock. Ticks that only keep their distance wander across its boundaries, and now
/// and then put two points into one period and none into the next. A tick that is slower than the interval leaves out what it has
/// missed, and none comes in a burst.
pub(crate) fn ticks(interval: Duration) -> impl Stream<Item = Timestamp> + Send + use<> {
    ticks_of(interval, || Timestamp::from(SystemTime::now()))
}

fn ticks_of<C>(interval: Duration, clock: C) -> impl Stream<Item = Timestamp> + Send + use<C>
where
    C: Fn() -> Timestamp + Send,
{
    stream::unfold((clock, true), move |(clock, first)| async move {
        let mut now = clock();
        let before = period(now, interval);
        // A clock that is slowed down meanwhile is not there yet after the first sleep.
        while !first && period(now, interval) == before {
            tokio::time::sleep(until_next(now, interval)).await;
            now = clock();
        }
        Some((now, (clock, false)))
    })
}

fn micros(interval: Duration) -> i64 {
    i64::try_from(interval.as_micros())
        .unwrap_or(i64::MAX)
        .max(1)
}

fn period(at: Timestamp, interval: Duration) -> i64 {
    at.as_micros().div_euclid(micros(interval))
}

fn until_next(at: Timestamp, interval: Duration) -> Duration {
    let into = at.as_micros().rem_euclid(micros(interval));
    interval.saturating_sub(Duration::from_micros(into.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::StreamExt as _;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    #[test]
    fn the_next_interval_begins_at_a_multiple_of_it() {
        for (at, left) in [(0, 10_000_000), (1, 9_999_999), (9_999_999, 1), (-1, 1)] {
            let left = Duration::from_micros(left);
            assert_eq!(until_next(Timestamp::from_micros(at), INTERVAL), left);
        }
    }

    #[tokio::test]
    async fn there_is_one_tick_in_each_interval_of_the_clock() {
        // What the clock says one look after the other: sleeps are from just before a boundary.
        let looks = [
            3_000_000,
            // A clock that is slowed down: two sleeps.
            9_999_000,
            9_999_500,
            10_000_000, // A tick that took longer than the interval.
            29_999_000,
            30_000_100, // A clock that was set back by an hour does not stop the ticks.
            39_999_000,
            -3_560_000_000,
        ];
        let looks = Mutex::new(looks.into_iter().map(Timestamp::from_micros));
        let clock = || looks.lock().unwrap().next().unwrap();
        let ticks: Vec<_> = ticks_of(INTERVAL, clock).take(4).collect().await;
        let expected = [3_000_000, 10_000_000, 30_000_100, -3_560_000_000];
        assert_eq!(ticks, expected.map(Timestamp::from_micros));
    }
}
