use std::time::Duration;

use crate::{
    Timestamp,
    backtest::{Session, Trace, changes::Change},
};

/// What a group costs beside its recordings, at least.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::backtest::{Trace, bound::{Bound, without_refusals}};
///
/// assert_eq!(without_refusals(&Trace::default(), Duration::from_secs(180)), Bound::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bound {
    /// Time that instances boot or are idle.
    pub overhead: Duration,
    /// How many launches that takes.
    pub launches: u64,
    /// How many instances are needed at once.
    pub peak: u32,
}

/// The least that it costs to refuse no recording at all, for who knows all of them in advance and whose launches take this long.
///
/// The demand is cut into levels: level k is needed while k or more record. Each gap of a level costs its length or a launch, whichever is
/// less, and its first use costs a launch. All levels in one pass: a recording takes over from the one that ended last; it takes
/// O(N log N). Since it does not matter which idle Jibri records next, nothing is cheaper (Lu and Chen,
/// [arXiv 1112.0442](https://arxiv.org/abs/1112.0442)). It presumes that instances are billed by the second, and that there is no maximum
/// size; below [`Bound::peak`] not all recordings can be served.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, backtest::{Session, Trace, bound::without_refusals}};
///
/// let at = Timestamp::from_secs;
/// let trace = Trace::new([Session::new(at(0), at(600))?, Session::new(at(700), at(900))?, Session::new(at(5000), at(5100))?]);
/// let bound = without_refusals(&trace, Duration::from_secs(180));
/// // One launch, 100 s idle, and then rather another launch than 4100 s idle.
/// assert_eq!((bound.overhead.as_secs(), bound.launches, bound.peak), (180 + 100 + 180, 2, 1));
/// # Ok::<(), jibri_scaler_core::backtest::NegativeSession>(())
/// ```
#[must_use]
pub fn without_refusals(trace: &Trace, boot: Duration) -> Bound {
    without_refusals_from(trace, Timestamp::MIN, boot)
}

/// The same for the time from some moment on, in the middle of things: what policies cost from then on is to be compared with this.
///
/// Whatever is of use then is there then: what it cost before to have it there is not counted, nor is it asked whether a policy had it.
/// So nothing is cheaper from then on. Recordings that are under way at that moment free their instance when they end, and are
/// not refused. [`Bound::peak`] counts them.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, backtest::{Session, Trace, bound::without_refusals_from}};
///
/// let at = Timestamp::from_secs;
/// let trace = Trace::new([Session::new(at(0), at(600))?, Session::new(at(700), at(900))?, Session::new(at(710), at(720))?]);
/// let bound = without_refusals_from(&trace, at(500), Duration::from_secs(180));
/// // The first recording frees its instance at 600, and that which makes the third waits from 500 on, or boots.
/// assert_eq!((bound.overhead.as_secs(), bound.launches, bound.peak), (100 + 180, 1, 2));
/// # Ok::<(), jibri_scaler_core::backtest::NegativeSession>(())
/// ```
#[must_use]
pub fn without_refusals_from(trace: &Trace, from: Timestamp, boot: Duration) -> Bound {
    let trace = Trace::new(counted(trace, from).chain(under_way(trace, from)));
    let mut bound = Bound::default();
    // When those that are free now became free, the latest on top. Below them are any number that are free from the beginning.
    let mut free: Vec<Timestamp> = Vec::new();
    let mut recording = 0;
    for (at, change) in trace.changes() {
        if change != Change::End {
            let gap = at.since(free.pop().unwrap_or(from));
            if gap < boot {
                bound.overhead += gap;
            } else {
                bound.overhead += boot;
                bound.launches += 1;
            }
            recording += 1;
            bound.peak = bound.peak.max(recording);
        }
        if change != Change::Start {
            free.push(at);
            recording -= 1;
        }
    }
    bound
}

/// The recordings that start at this time or later.
pub(super) fn counted(trace: &Trace, from: Timestamp) -> impl Iterator<Item = Session> {
    let sessions = trace.sessions().iter().copied();
    sessions.skip_while(move |session| session.start() < from)
}

/// What is left of the recordings that are under way at this time.
pub(super) fn under_way(trace: &Trace, from: Timestamp) -> impl Iterator<Item = Session> {
    let before = trace.sessions().iter();
    let before = before.take_while(move |session| session.start() < from);
    let left = before.filter(move |session| session.end() > from);
    left.map(move |session| Session {
        start: from,
        end: session.end(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        backtest::Session,
        sim::draws::{Draws, Purpose},
    };

    /// Small logs with ties, gaps around the boot time, and recordings without a length.
    pub(in super::super) fn small_log(seed: u64, most: u64) -> Trace {
        let draws = Draws::new(seed);
        let number =
            |n: u64, below: u64| i64::try_from(draws.bits(Purpose::Arrivals, n) % below).unwrap();
        let count = u64::try_from(number(0, most)).unwrap() + 1;
        let sessions = (0..count).map(|n| {
            let start = number(2 * n + 1, 40);
            let end = start + number(2 * n + 2, 16);
            Session::new(Timestamp::from_secs(start), Timestamp::from_secs(end)).unwrap()
        });
        Trace::new(sessions)
    }

    /// Over all paths of the number of instances, the cheapest; from some time on, those that begin with any number.
    fn brute_force(trace: &Trace, from: Option<Timestamp>, boot: Duration) -> Duration {
        // Between events, and for a moment at each recording without a length.
        let mut steps: Vec<(Duration, u32)> = Vec::new();
        let (mut recording, mut before) = (0, from);
        for (at, change) in trace.changes() {
            steps.push((
                before.map_or(Duration::ZERO, |before| at.since(before)),
                recording,
            ));
            match change {
                Change::Start => recording += 1,
                Change::End => recording -= 1,
                Change::StartAndEnd => steps.push((Duration::ZERO, recording + 1)),
            }
            before = Some(at);
        }
        let most = steps.iter().map(|(_, needed)| *needed).max().unwrap_or(0);
        let mut cheapest: Vec<Option<Duration>> = vec![None; most as usize + 1];
        let first = if from.is_some() { cheapest.len() } else { 1 };
        cheapest[..first].fill(Some(Duration::ZERO));
        for (length, needed) in steps {
            let next = (0..=most).map(|count| {
                let idle = length * count.checked_sub(needed)?;
                let from = |(earlier, cost): (u32, &Option<Duration>)| {
                    Some((*cost)? + boot * count.saturating_sub(earlier) + idle)
                };
                (0..).zip(&cheapest).filter_map(from).min()
            });
            cheapest = next.collect();
        }
        cheapest.into_iter().flatten().min().unwrap()
    }

    #[test]
    fn it_is_the_cheapest_of_all_paths() {
        for seed in 0..10_000 {
            let trace = small_log(seed, 8);
            let boot = Duration::from_secs(seed % 7);
            let bound = without_refusals(&trace, boot);
            assert_eq!(
                bound.overhead,
                brute_force(&trace, None, boot),
                "{trace:?} {boot:?}"
            );
            assert_eq!(bound.peak, trace.most_at_once(), "{trace:?}");
            let from = Timestamp::from_secs(i64::try_from(seed % 31).unwrap());
            let later = Trace::new(counted(&trace, from).chain(under_way(&trace, from)));
            assert_eq!(
                without_refusals_from(&trace, from, boot).overhead,
                brute_force(&later, Some(from), boot),
                "{trace:?} {from} {boot:?}"
            );
        }
    }
}
