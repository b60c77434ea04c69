//! The week of a log, in hindsight: what a policy could know of it without knowing the recordings.

use std::time::Duration;

use jibri_scaler_core::{
    OutOfRange, Timestamp,
    backtest::{Trace, bound::RateOracle, workload::Rates},
};

use crate::candidate::Candidate;

const MINUTE: i64 = 60 * 1_000_000;
const DAY: i64 = 1440 * MINUTE;
const MINUTES: usize = 1440;
/// Below this the average week is hardly more than the log itself.
const SHORTEST: Duration = Duration::from_hours(14 * 24);
/// For these shares the oracle is asked.
pub(crate) const SHARES: [f64; 4] = [0.2, 0.05, 0.01, 0.001];
/// How much of a start counts for the minutes around it: it could as well have come a little sooner or later.
const KERNEL: [f64; 5] = [1.0 / 9.0, 2.0 / 9.0, 3.0 / 9.0, 2.0 / 9.0, 1.0 / 9.0];

/// The rate of starts by the minute of the day, apart for weekdays, Saturdays and Sundays in UTC, averaged over the whole log and spread
/// over two minutes to both sides. Absent for less than two weeks.
pub(crate) fn rates(trace: &Trace) -> Option<Rates> {
    let (first, last) = trace.span()?;
    if last.since(first) < SHORTEST {
        return None;
    }
    let day = |at: Timestamp| at.as_micros().div_euclid(DAY);
    let days = day(first)..=day(last);
    let mut starts = vec![[0.0; MINUTES]; 3];
    for session in trace.sessions() {
        let at = session.start().as_micros();
        let minute = usize::try_from(at.rem_euclid(DAY) / MINUTE).unwrap_or(0);
        starts[kind(at.div_euclid(DAY))][minute] += 1.0;
    }
    let mut counts = [0_u32; 3];
    for day in days.clone() {
        counts[kind(day)] += 1;
    }
    let mut per_hour = vec![[0.0; MINUTES]; 3];
    for (kind, starts) in starts.iter().enumerate() {
        for (minute, rate) in per_hour[kind].iter_mut().enumerate() {
            let around = KERNEL.iter().zip(MINUTES - 2..);
            let sum: f64 = around
                .map(|(part, back)| part * starts[(minute + back) % MINUTES])
                .sum();
            *rate = 60.0 * sum / f64::from(counts[kind].max(1));
        }
    }
    let start = Timestamp::from_micros(days.start() * DAY);
    Some(Rates::new(
        start,
        days.flat_map(|day| per_hour[kind(day)]).collect(),
    ))
}

/// Who knows these rates, for each of the shares.
pub(crate) fn candidates(
    rates: &Rates,
    (lead, interval): (Duration, Duration),
) -> Result<Vec<Candidate>, OutOfRange> {
    let all = SHARES.into_iter().map(|share| {
        let oracle = RateOracle::new(rates.clone(), lead, share)?;
        Ok(Candidate::oracle(
            format!("knows the average week, {} %", 100.0 * share),
            oracle,
            interval,
        ))
    });
    all.collect()
}

/// 0 for weekdays, 1 for Saturdays, 2 for Sundays. Day 0 was a Thursday.
fn kind(day: i64) -> usize {
    match (day + 3).rem_euclid(7) {
        5 => 1,
        6 => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::backtest::{Session, workload::Workload};

    use super::*;

    #[test]
    fn the_average_week_is_near_the_rates_that_the_log_was_drawn_with() {
        let monday: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
        let drawn = Workload::office(60.0).unwrap().sample(monday, 70, 3);
        let rates = rates(&drawn.trace).unwrap();
        let total = |rates: &Rates| rates.per_hour().iter().sum::<f64>() / 60.0;
        let starts = f64::from(u32::try_from(drawn.trace.sessions().len()).unwrap());
        assert!(
            (total(&rates) / starts - 1.0).abs() < 0.01,
            "{} of {starts}",
            total(&rates)
        );
        for (hour, day) in [(10, 7), (10, 8), (3, 9), (10, 12), (15, 60)] {
            let at = monday + Duration::from_secs(day * 86_400 + hour * 3600);
            let mean = |rates: &Rates| {
                (0..60)
                    .map(|m| rates.at(at + Duration::from_secs(m * 60)))
                    .sum::<f64>()
                    / 60.0
            };
            let (found, truth) = (mean(&rates), mean(&drawn.rates));
            assert!(
                (found - truth).abs() < 0.1 * truth + 0.5,
                "day {day} hour {hour}: {found} for {truth}"
            );
        }
    }

    #[test]
    fn a_short_log_has_no_average_week() {
        let at = |day: i64| Timestamp::from_secs(day * 86_400);
        let log = |days| {
            Trace::new([
                Session::new(at(0), at(0)).unwrap(),
                Session::new(at(days), at(days)).unwrap(),
            ])
        };
        assert_eq!(rates(&log(13)), None);
        assert!(rates(&log(14)).is_some());
        assert_eq!(rates(&Trace::default()), None);
        assert_eq!(
            [kind(0), kind(2), kind(3), kind(4), kind(-1)],
            [0, 1, 2, 0, 0]
        );
    }
}
