//! All candidates on the same recordings, and the bounds.

use std::time::Duration;

use jibri_scaler_core::{
    Timestamp,
    backtest::{
        Environment, Outcome, Trace,
        bound::{Bound, Priced, frontier_from, without_refusals_from},
    },
};
use rayon::prelude::*;

use crate::{
    bootstrap::{self, Interval},
    candidate::{Candidate, Source},
    oracle,
    progress::Progress,
};

/// The frontier takes time that grows with this product; beyond, only its ends are known.
const FRONTIER_WORK: u64 = 60_000_000;
const PRICES: u64 = 24;
/// Until BUSY is published.
const CHROME: Duration = Duration::from_secs(3);

/// What one candidate came to.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) source: Source,
    pub(crate) outcome: Outcome,
    pub(crate) interval: Option<Interval>,
    /// How many times the overhead of who knows all recordings, and refuses as many.
    pub(crate) times_bound: Option<f64>,
    /// How much more overhead than who knows the average week has at the same share, as a part of that.
    pub(crate) over_oracle: Option<f64>,
}

impl Row {
    /// The share that was refused, 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        self.outcome.refused_share().unwrap_or(0.0)
    }
}

/// What nobody beats.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) none_refused: Bound,
    /// The corners of the lower hull, from none refused to all.
    pub(crate) corners: Vec<Priced>,
    /// Recordings that it is about.
    pub(crate) recordings: u64,
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub(crate) rows: Vec<Row>,
    pub(crate) oracle: Vec<Row>,
    pub(crate) bounds: Bounds,
    /// How many weeks were counted.
    pub(crate) weeks: usize,
}

/// Plays the recordings to all candidates, and to who knows the average week.
pub(crate) fn compare(
    candidates: &[Candidate],
    trace: &Trace,
    environment: &Environment,
    (boot, interval): (Duration, Duration),
    seed: u64,
) -> Result<Comparison, String> {
    let knowing = match oracle::rates(trace) {
        Some(rates) => oracle::candidates(&rates, (boot + interval + CHROME, interval))
            .map_err(|error| error.to_string())?,
        None => Vec::new(),
    };
    let all: Vec<_> = candidates.iter().chain(&knowing).collect();
    let steps = all.len() as u64 * Progress::steps(span(trace), interval);
    let progress = Progress::new("playing the recordings", steps);
    let outcomes: Vec<_> = all
        .par_iter()
        .map(|candidate| candidate.simulate(trace, environment, &progress))
        .collect();
    drop(progress);
    let counted = outcomes.first().and_then(|outcome| outcome.counted);
    let bounds = Bounds::new(
        trace,
        counted.map_or(Timestamp::MIN, |(from, _)| from),
        boot,
    );
    let weeks: Vec<_> = outcomes
        .iter()
        .map(|outcome| bootstrap::weeks(trace, outcome))
        .collect();
    let weeks_counted = weeks.first().map_or(0, Vec::len);
    let rows = all
        .into_iter()
        .zip(weeks)
        .zip(outcomes)
        .map(|((candidate, weeks), outcome)| Row {
            name: candidate.name.clone(),
            source: candidate.source,
            interval: bootstrap::interval(&weeks, seed),
            times_bound: bounds.times(&outcome),
            over_oracle: None,
            outcome,
        });
    let (oracle, mut rows): (Vec<_>, Vec<_>) =
        rows.partition(|row| row.source == Source::RateOracle);
    for row in &mut rows {
        row.over_oracle = over(&oracle, row);
    }
    Ok(Comparison {
        rows,
        oracle,
        bounds,
        weeks: weeks_counted,
    })
}

/// How long the recordings last, from the first to the last.
pub(crate) fn span(trace: &Trace) -> Duration {
    trace
        .span()
        .map_or(Duration::ZERO, |(first, last)| last.since(first))
}

impl Bounds {
    /// Those of the recordings that start at this time or later, and of what instances cost from then on.
    fn new(trace: &Trace, from: Timestamp, boot: Duration) -> Self {
        let counted = trace.sessions().iter().filter(|s| s.start() >= from);
        let recordings = counted.count() as u64;
        let none_refused = without_refusals_from(trace, from, boot);
        let work = recordings
            .saturating_mul(u64::from(none_refused.peak))
            .max(1);
        let prices = usize::try_from((FRONTIER_WORK / work).min(PRICES)).unwrap_or(0);
        Self {
            none_refused,
            corners: frontier_from(trace, from, boot, prices),
            recordings,
        }
    }

    /// The overhead below which nobody comes that refuses so many.
    pub(crate) fn overhead(&self, refused: u64) -> Option<Duration> {
        let after = self
            .corners
            .iter()
            .position(|corner| corner.refused >= refused)?;
        let right = self.corners[after];
        let Some(left) = after.checked_sub(1).map(|at| self.corners[at]) else {
            return Some(right.overhead);
        };
        // Between two corners of the hull the line between them bounds.
        let (steps, from) = (right.refused - left.refused, refused - left.refused);
        let saved = left.overhead.saturating_sub(right.overhead).as_secs_f64();
        Some(
            left.overhead
                .saturating_sub(Duration::from_secs_f64(saved * ratio(from, steps))),
        )
    }

    fn times(&self, outcome: &Outcome) -> Option<f64> {
        let least = self.overhead(outcome.refused.len() as u64)?.as_secs_f64();
        (least > 0.0).then(|| outcome.overhead().as_secs_f64() / least)
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 recordings")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// By how much the overhead is above that of who knows the average week, at the share that the row refuses: on the line between the two
/// that refuse more and less, over the logarithm of the share, where none refused counts as half a recording. Absent where it refuses more,
/// or less, than all of these do.
fn over(oracle: &[Row], row: &Row) -> Option<f64> {
    let least = 0.5 * ratio(1, row.outcome.requests);
    let share = |row: &Row| row.share().max(least);
    let point = |row: &Row| (share(row), row.outcome.overhead().as_secs_f64());
    let mut known: Vec<_> = oracle.iter().map(point).collect();
    known.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    // Of several that refuse as many, the cheapest.
    known.dedup_by(|later, earlier| later.0 <= earlier.0);
    let share = share(row);
    let exact = known
        .iter()
        .find(|(known, _)| (known - share).abs() < least / 10.0);
    let between = known
        .windows(2)
        .find(|pair| (pair[0].0..=pair[1].0).contains(&share));
    let overhead = match (exact, between) {
        (Some((_, overhead)), _) => *overhead,
        (None, Some(&[(low, dear), (high, cheap)])) => {
            dear + (share / low).ln() / (high / low).ln() * (cheap - dear)
        }
        _ => return None,
    };
    (overhead > 0.0).then(|| row.outcome.overhead().as_secs_f64() / overhead - 1.0)
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::backtest::Session;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn row(refused: usize, overhead: u64) -> Row {
        let mut outcome = Outcome::default();
        outcome.requests = 1000;
        outcome.refused = vec![at(0); refused];
        outcome.idle = Duration::from_secs(overhead);
        Row {
            name: String::new(),
            source: Source::File,
            outcome,
            interval: None,
            times_bound: None,
            over_oracle: None,
        }
    }

    #[test]
    fn between_the_corners_of_the_bound_the_line_counts() {
        let sessions = [(0, 600), (100, 200), (650, 700)]
            .map(|(start, end)| Session::new(at(start), at(end)).unwrap());
        let bounds = Bounds::new(
            &Trace::new(sessions),
            Timestamp::MIN,
            Duration::from_mins(3),
        );
        let overhead = |refused| bounds.overhead(refused).map(|time| time.as_secs());
        assert_eq!(
            [0, 1, 2, 3, 4].map(overhead),
            [Some(410), Some(230), Some(115), Some(0), None]
        );
        assert_eq!(bounds.times(&row(1, 460).outcome), Some(2.0));
        assert_eq!(bounds.times(&row(3, 460).outcome), None, "no times nothing");
        let later = Bounds::new(&Trace::new(sessions), at(100), Duration::from_mins(3));
        // The first recording is under way by then, and the third takes over from it.
        let bound = later.none_refused;
        assert_eq!((later.recordings, bound.launches), (2, 0));
        assert_eq!(bound.overhead.as_secs(), 50);
    }

    #[test]
    fn the_oracle_is_compared_at_the_same_share() {
        let oracle = [row(100, 1000), row(1, 3000), row(10, 2000)];
        let beyond = |refused, overhead| over(&oracle, &row(refused, overhead));
        let near = |found: Option<f64>, expected: f64| {
            found.is_some_and(|found| (found - expected).abs() < 1e-9)
        };
        assert!(near(beyond(10, 2200), 0.1));
        // Halfway between 1 % and 10 % by the logarithm is 3.16 %.
        let found = beyond(32, 1500).unwrap();
        assert!(found.abs() < 0.01, "{found}");
        assert_eq!((beyond(0, 1), beyond(101, 1)), (None, None));
        // None refused is half a recording, and of two such the cheaper one counts.
        let oracle = [row(0, 4000), row(0, 3000), row(2, 2000)];
        let near_none = over(&oracle, &row(0, 3300));
        assert!(near(near_none, 0.1), "{near_none:?}");
        let one = over(&oracle, &row(1, 2500));
        assert!(near(one, 0.0), "{one:?}");
        assert_eq!(over(&[], &row(5, 5)), None);
    }
}
