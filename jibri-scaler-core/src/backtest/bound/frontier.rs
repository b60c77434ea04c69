use std::{collections::BTreeMap, time::Duration};

use super::{
    flow::{Network, UNLIMITED},
    stack::{counted, under_way},
};
use crate::{
    Timestamp,
    backtest::{Session, Trace},
};

/// A point that no policy beats: with so few refused, nothing is cheaper.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::backtest::{Trace, bound::{Priced, at_price}};
///
/// let minute = Duration::from_secs(60);
/// assert_eq!(at_price(&Trace::default(), minute, minute), Priced::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Priced {
    /// How many recordings are refused.
    pub refused: u64,
    /// Time that instances boot or are idle.
    pub overhead: Duration,
}

/// The cheapest for who knows all recordings in advance, may choose which to refuse, and pays for each refusal as for so much time of an
/// instance.
///
/// By a flow of instances through time: into service for a boot time, from one event to the next for the time between, through a recording
/// for the price that is saved, out of service for nothing. One search for a shortest path per instance of the peak, so that it takes
/// O(peak · N log N). The refused ones are the choice of who optimizes; a policy that decides as it goes along has them forced on it, so
/// that this bound is valid and loose.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, backtest::{Session, Trace, bound::at_price}};
///
/// let (at, secs) = (Timestamp::from_secs, Duration::from_secs);
/// let trace = Trace::new([Session::new(at(0), at(600))?, Session::new(at(100), at(200))?, Session::new(at(650), at(700))?]);
/// let cheap = at_price(&trace, secs(180), secs(150));
/// assert_eq!((cheap.refused, cheap.overhead), (1, secs(180 + 50)), "the second recording is not worth a launch");
/// assert_eq!(at_price(&trace, secs(180), secs(181)).refused, 0);
/// assert_eq!(at_price(&trace, secs(180), secs(100)).refused, 3);
/// # Ok::<(), jibri_scaler_core::backtest::NegativeSession>(())
/// ```
#[must_use]
pub fn at_price(trace: &Trace, boot: Duration, price: Duration) -> Priced {
    at_price_from(trace, Timestamp::MIN, boot, price)
}

fn at_price_from(trace: &Trace, from: Timestamp, boot: Duration, price: Duration) -> Priced {
    let mut sessions: Vec<_> = counted(trace, from).collect();
    let asked = sessions.len();
    if asked == 0 {
        return Priced::default();
    }
    sessions.extend(under_way(trace, from));
    let points = Points::new(&sessions, from);
    let count = points.times.len();
    // For each point, an instance is out of service there, or in service; the last node is the end.
    let (out, serving) = (|point: usize| 2 * point, |point: usize| 2 * point + 1);
    let mut network = Network::new(2 * count + 1);
    let (boot, price) = (micros(boot), micros(price));
    for (point, at) in points.times.iter().enumerate() {
        network.edge(out(point), serving(point), UNLIMITED, boot);
        network.edge(out(point), out(point + 1), UNLIMITED, 0);
        network.edge(serving(point), out(point + 1), UNLIMITED, 0);
        if let Some(next) = points.times.get(point + 1) {
            let idle = micros(next.since(*at));
            network.edge(serving(point), serving(point + 1), UNLIMITED, idle);
        }
    }
    // Any number is there in the beginning, and some come free later.
    if points.times[0] == from {
        network.edge(out(0), serving(0), UNLIMITED, 0);
    }
    let (asked, under_way) = points.sessions.split_at(asked);
    for (from, to) in under_way {
        network.edge(serving(*from), serving(*to), 1, 0);
    }
    let recordings: Vec<usize> = asked
        .iter()
        .map(|(from, to)| network.edge(serving(*from), serving(*to), 1, -price))
        .collect();
    let cost = network.minimize();
    let served = recordings
        .iter()
        .filter(|edge| network.is_used(**edge))
        .count();
    let overhead = cost + price * i64::try_from(served).unwrap_or(i64::MAX);
    Priced {
        refused: (recordings.len() - served) as u64,
        overhead: Duration::from_micros(u64::try_from(overhead).unwrap_or(0)),
    }
}

/// The corners of the lower convex hull of refusals and overhead, from none refused to all, found by choosing prices; at most so many
/// prices are tried, and with fewer than it takes, corners are missing.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, backtest::{Session, Trace, bound::{frontier, without_refusals}}};
///
/// let (at, secs) = (Timestamp::from_secs, Duration::from_secs);
/// let trace = Trace::new([Session::new(at(0), at(600))?, Session::new(at(100), at(200))?, Session::new(at(650), at(700))?]);
/// let corners = frontier(&trace, secs(180), 100);
/// let refused: Vec<_> = corners.iter().map(|corner| corner.refused).collect();
/// assert_eq!(refused, [0, 1, 3]);
/// assert_eq!(corners[0].overhead, without_refusals(&trace, secs(180)).overhead);
/// # Ok::<(), jibri_scaler_core::backtest::NegativeSession>(())
/// ```
#[must_use]
pub fn frontier(trace: &Trace, boot: Duration, prices: usize) -> Vec<Priced> {
    frontier_from(trace, Timestamp::MIN, boot, prices)
}

/// The same for the time from some moment on, as [`without_refusals_from`](super::without_refusals_from) has it.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, backtest::{Session, Trace, bound::frontier_from}};
///
/// let (at, secs) = (Timestamp::from_secs, Duration::from_secs);
/// let trace = Trace::new([Session::new(at(0), at(600))?, Session::new(at(100), at(200))?, Session::new(at(650), at(700))?]);
/// let corners = frontier_from(&trace, at(50), secs(180), 100);
/// // It waits 50 s for each of the two.
/// assert_eq!((corners[0].overhead, corners.last().map(|corner| corner.refused)), (secs(50 + 50), Some(2)));
/// # Ok::<(), jibri_scaler_core::backtest::NegativeSession>(())
/// ```
#[must_use]
pub fn frontier_from(trace: &Trace, from: Timestamp, boot: Duration, prices: usize) -> Vec<Priced> {
    let all = counted(trace, from).count() as u64;
    let none_refused = Priced {
        refused: 0,
        overhead: super::without_refusals_from(trace, from, boot).overhead,
    };
    let none_served = Priced {
        refused: all,
        overhead: Duration::ZERO,
    };
    let mut corners = vec![none_refused];
    if all > 0 {
        corners.push(none_served);
    }
    // Pairs of corners that something may lie below.
    let mut open = vec![(none_refused, none_served)];
    for _ in 0..prices {
        let Some((few, many)) = open.pop() else { break };
        let (refused, saved) = (
            many.refused - few.refused,
            few.overhead.saturating_sub(many.overhead),
        );
        // Between neighbours there is nothing.
        if refused < 2 {
            continue;
        }
        let price = saved / u32::try_from(refused).unwrap_or(u32::MAX);
        let found = at_price_from(trace, from, boot, price);
        let inside = few.refused < found.refused && found.refused < many.refused;
        // Below the line between the two, by more than the price was rounded.
        let line = |point: Priced| {
            point.overhead.as_micros() * u128::from(refused)
                + saved.as_micros() * u128::from(point.refused)
        };
        if inside && line(found) + u128::from(refused) < line(few) {
            corners.push(found);
            open.extend([(few, found), (found, many)]);
        }
    }
    corners.sort_unstable_by_key(|corner| corner.refused);
    corners
}

/// Times at which something begins or ends, in order, and the recordings between them. A recording without a length lies between two
/// points of one time, so that an instance can make several of them, one after the other.
struct Points {
    times: Vec<Timestamp>,
    sessions: Vec<(usize, usize)>,
}

impl Points {
    /// Those of these recordings, after that of the beginning, if there is one.
    fn new(all: &[Session], from: Timestamp) -> Self {
        let mut at_once: BTreeMap<Timestamp, usize> = BTreeMap::new();
        if from > Timestamp::MIN {
            at_once.insert(from, 0);
        }
        for session in all {
            let long = !session.length().is_zero();
            *at_once.entry(session.start()).or_default() += usize::from(!long);
            at_once.entry(session.end()).or_default();
        }
        let mut times = Vec::new();
        // The first and the last point of each time.
        let mut places: BTreeMap<Timestamp, (usize, usize)> = BTreeMap::new();
        for (at, without_length) in at_once {
            let first = times.len();
            times.resize(first + without_length + 1, at);
            places.insert(at, (first, first + without_length));
        }
        let mut next_without_length: BTreeMap<Timestamp, usize> = BTreeMap::new();
        let place = |at: Timestamp| places.get(&at).copied().unwrap_or_default();
        let sessions = all.iter().map(|session| {
            let (first, last) = place(session.start());
            if session.length().is_zero() {
                let next = next_without_length.entry(session.start()).or_default();
                *next += 1;
                (first + *next - 1, first + *next)
            } else {
                (last, place(session.end()).0)
            }
        });
        let sessions = sessions.collect();
        Self { times, sessions }
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::bound::{stack::tests::small_log, without_refusals_from};

    /// The cheapest of all choices of what to refuse from some time on.
    fn enumerated(trace: &Trace, from: Timestamp, boot: Duration, price: Duration) -> Duration {
        let sessions: Vec<_> = counted(trace, from).collect();
        let cost = |choice: u32| {
            let served = (0..).zip(&sessions).filter(|(n, _)| choice >> n & 1 == 1);
            let served: Vec<_> = served.map(|(_, session)| *session).collect();
            let refused = u32::try_from(sessions.len() - served.len()).unwrap();
            let played = Trace::new(served.into_iter().chain(under_way(trace, from)));
            without_refusals_from(&played, from, boot).overhead + price * refused
        };
        (0..1 << sessions.len()).map(cost).min().unwrap()
    }

    #[test]
    fn it_is_the_cheapest_of_all_choices() {
        for seed in 0..300 {
            let trace = small_log(seed, 7);
            let boot = Duration::from_secs(seed % 9);
            let middle = Timestamp::from_secs(i64::try_from(seed % 31).unwrap());
            for price in [0, 1, 3, 6, 8, 12, 40] {
                let price = Duration::from_secs(price);
                for from in [Timestamp::MIN, middle] {
                    let priced = at_price_from(&trace, from, boot, price);
                    let refused = u32::try_from(priced.refused).unwrap();
                    let cost = priced.overhead + price * refused;
                    assert_eq!(
                        cost,
                        enumerated(&trace, from, boot, price),
                        "{trace:?} {from} {boot:?} {price:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_corners_are_those_of_the_hull() {
        for seed in 0..60 {
            let trace = small_log(seed, 7);
            let boot = Duration::from_secs(5);
            let middle = Timestamp::from_secs(i64::try_from(seed % 31).unwrap());
            let from = if seed < 30 { Timestamp::MIN } else { middle };
            let corners = frontier_from(&trace, from, boot, 100);
            assert!(corners.is_sorted_by_key(|corner| corner.refused));
            // No choice lies below the line between two corners.
            for price in 0..20 {
                let price = Duration::from_secs(price);
                let cost = |corner: &Priced| {
                    corner.overhead + price * u32::try_from(corner.refused).unwrap()
                };
                let least = corners.iter().map(cost).min().unwrap();
                assert_eq!(
                    least,
                    enumerated(&trace, from, boot, price),
                    "{trace:?} {price:?}"
                );
            }
        }
    }
}
