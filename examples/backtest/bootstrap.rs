//! How sure a share of refused recordings is.

use jibri_scaler_core::{
    Timestamp,
    backtest::{Outcome, Trace},
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

const WEEK: i64 = 7 * 86_400 * 1_000_000;
const DRAWS: usize = 4000;

/// Where the true share lies with 95 % confidence, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The recordings of a week, and how many of them were refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Week {
    pub(crate) asked: u64,
    pub(crate) refused: u64,
}

/// The weeks that were counted, from the first moment on. The last may be short.
pub(crate) fn weeks(trace: &Trace, outcome: &Outcome) -> Vec<Week> {
    let Some((from, until)) = outcome.counted else {
        return Vec::new();
    };
    // Less than half a week at the end belongs to the week before: some hours must not count as much as a week.
    let weeks_in_all = (until.as_micros() - from.as_micros() + WEEK / 2) / WEEK;
    let last = usize::try_from(weeks_in_all - 1).unwrap_or(0);
    let week = |at: Timestamp| {
        let week = usize::try_from((at.as_micros() - from.as_micros()) / WEEK);
        week.ok().map(|week| week.min(last))
    };
    let starts = trace.sessions().iter().map(|s| s.start());
    let mut weeks: Vec<Week> = Vec::new();
    for start in starts.filter(|start| *start >= from) {
        let Some(week) = week(start) else { continue };
        if weeks.len() <= week {
            weeks.resize(week + 1, Week::default());
        }
        weeks[week].asked += 1;
    }
    for week in outcome.refused.iter().filter_map(|at| week(*at)) {
        if let Some(week) = weeks.get_mut(week) {
            week.refused += 1;
        }
    }
    weeks
}

/// By drawing as many weeks as there are from all of them, again and again: recordings of one week are refused together, so that single
/// ones say less than as many independent ones would. Where none was refused, up to three of all (the rule of three: with more, one
/// would have been). Absent for less than two weeks, which say nothing of how weeks differ.
pub(crate) fn interval(weeks: &[Week], seed: u64) -> Option<Interval> {
    let asked: u64 = weeks.iter().map(|week| week.asked).sum();
    if weeks.len() < 2 || asked == 0 {
        return None;
    }
    if weeks.iter().all(|week| week.refused == 0) {
        let high = (3.0 / count(asked)).min(1.0);
        return Some(Interval { low: 0.0, high });
    }
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut shares = Vec::with_capacity(DRAWS);
    while shares.len() < DRAWS {
        let (mut asked, mut refused) = (0, 0);
        for _ in weeks {
            let week = weeks[below(weeks.len(), &mut chance)];
            asked += week.asked;
            refused += week.refused;
        }
        // Weeks without recordings may be all that was drawn; there is one with some.
        if asked > 0 {
            shares.push(count(refused) / count(asked));
        }
    }
    shares.sort_by(f64::total_cmp);
    Some(Interval {
        low: shares[DRAWS / 40],
        high: shares[DRAWS - 1 - DRAWS / 40],
    })
}

/// What must be known of intervals from so many weeks, where they are few: a sample of few weeks varies less than weeks do.
pub(crate) fn caution(weeks: usize) -> Option<String> {
    // Of weeks that vary by a normal law, 1500 times.
    let covered = match weeks {
        2 => 50,
        3 => 75,
        4 => 80,
        _ => return None,
    };
    Some(format!(
        "The 95 % intervals are drawn from {weeks} weeks, which is too few for that: about {covered} of 100 such intervals hold the true share"
    ))
}

/// A whole number below this one.
fn below(end: usize, chance: &mut ChaCha8Rng) -> usize {
    let scaled = u128::from(chance.next_u64()) * end as u128;
    // The product of a 64-bit number and `end`, shifted by 64 bits, is below `end`.
    usize::try_from(scaled >> u64::BITS).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 recordings")]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::{
        Limits,
        backtest::{Environment, PolicyScaler, Session, simulate},
        policy::MinIdle,
    };

    use super::*;

    fn of(weeks: &[(u64, u64)]) -> Option<Interval> {
        let weeks: Vec<_> = weeks
            .iter()
            .map(|(asked, refused)| Week {
                asked: *asked,
                refused: *refused,
            })
            .collect();
        interval(&weeks, 7)
    }

    #[test]
    fn equal_weeks_leave_no_doubt_and_two_that_differ_all_of_it() {
        assert_eq!(
            of(&[(100, 5); 4]),
            Some(Interval {
                low: 0.05,
                high: 0.05
            })
        );
        // One of four draws is twice the first week, and one twice the second.
        assert_eq!(
            of(&[(100, 0), (100, 10)]),
            Some(Interval {
                low: 0.0,
                high: 0.1
            })
        );
        // By recordings, not by weeks.
        let found = of(&[(900, 0), (100, 100)]).unwrap();
        assert_eq!((found.low, found.high), (0.0, 1.0));
    }

    #[test]
    fn many_weeks_that_differ_by_chance_give_the_interval_of_the_mean() {
        // 200 weeks of 100, of which 0 to 9 are refused: a mean of 4.5 % whose standard error is 2.872 % / √200 = 0.203 %.
        let weeks: Vec<_> = (0..200).map(|n| (100, n % 10)).collect();
        let found = of(&weeks).unwrap();
        assert!(
            (found.low - (0.045 - 1.96 * 0.002_03)).abs() < 0.000_25,
            "{found:?}"
        );
        assert!(
            (found.high - (0.045 + 1.96 * 0.002_03)).abs() < 0.000_25,
            "{found:?}"
        );
        assert_eq!(of(&weeks), Some(found), "the same seed");
    }

    #[test]
    fn intervals_from_few_weeks_come_with_a_caution() {
        let cautions = [0, 1, 2, 4, 5, 52].map(|weeks| caution(weeks).is_some());
        assert_eq!(cautions, [false, false, true, true, false, false]);
        // Half of all pairs lie on both sides of what they are drawn around: no interval from two weeks can hold it more often.
        let mut chance = ChaCha8Rng::seed_from_u64(3);
        let held = |_: &u32| {
            let weeks = [0, 1].map(|_| (1000, 100 + below(21, &mut chance) as u64));
            of(&weeks).is_some_and(|found| (found.low..=found.high).contains(&0.11))
        };
        let held = (0..200).filter(held).count();
        assert!((80..=130).contains(&held), "{held} of 200");
    }

    #[test]
    fn none_refused_is_the_rule_of_three_and_one_week_says_nothing() {
        assert_eq!(
            of(&[(100, 0), (200, 0)]),
            Some(Interval {
                low: 0.0,
                high: 0.01
            })
        );
        assert_eq!(
            of(&[(1, 0), (0, 0)]),
            Some(Interval {
                low: 0.0,
                high: 1.0
            })
        );
        assert_eq!(of(&[(100, 9)]), None);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(0, 0), (0, 0)]), None);
        // A week without recordings is one that can be drawn.
        assert!(of(&[(0, 0), (10, 5)]).is_some());
    }

    #[test]
    fn weeks_begin_with_what_is_counted() {
        let at = |day: i64| Timestamp::from_secs(day * 86_400);
        let days = [0, 1, 6, 7, 8, 20];
        let trace = Trace::new(days.map(|day| Session::new(at(day), at(day)).unwrap()));
        let mut scaler = PolicyScaler::new(MinIdle::new(0).unwrap(), Limits::default());
        let environment = Environment::new(0, 9).unwrap();
        let outcome = simulate(&trace, &environment, &mut scaler);
        let expected = [(3, 3), (2, 2), (1, 1)].map(|(asked, refused)| Week { asked, refused });
        assert_eq!(weeks(&trace, &outcome), expected);
        assert_eq!(weeks(&Trace::default(), &Outcome::default()), []);
    }
}
