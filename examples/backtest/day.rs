//! The busiest day, as a picture for each policy.

use std::time::Duration;

use jibri_scaler_core::{
    Timestamp,
    backtest::{self, Environment, Outcome, Trace},
};
use rayon::prelude::*;

use crate::{
    candidate::Candidate,
    compare::span,
    progress::Progress,
    timeline::{Mark, Sample, Timeline},
};

const DAY: i64 = 86_400 * 1_000_000;
/// A picture has at most so many samples; more could not be told apart.
const SAMPLES: usize = 2000;

/// The day with most starts in UTC, of those that are counted.
pub(crate) fn busiest(trace: &Trace, from: Timestamp) -> Option<Timestamp> {
    let starts = trace
        .sessions()
        .iter()
        .map(|s| s.start())
        .filter(|start| *start >= from);
    let days: Vec<_> = starts
        .map(|start| start.as_micros().div_euclid(DAY))
        .collect();
    let longest = days
        .chunk_by(|a, b| a == b)
        .rev()
        .max_by_key(|day| day.len())?;
    Some(Timestamp::from_micros(longest.first()? * DAY))
}

/// That day under each policy.
pub(crate) fn pictures(
    candidates: &[Candidate],
    trace: &Trace,
    environment: &Environment,
    (day, interval): (Timestamp, Duration),
) -> Vec<String> {
    let steps = candidates.len() as u64 * Progress::steps(span(trace), interval);
    let progress = Progress::new("drawing a day", steps);
    let environment = environment.clone().with_series(true);
    let draw = |candidate: &Candidate| {
        let outcome = candidate.simulate(trace, &environment, &progress);
        picture(&candidate.name, &outcome, day)
    };
    candidates.par_iter().map(draw).collect()
}

fn picture(name: &str, outcome: &Outcome, day: Timestamp) -> String {
    let end = day + Duration::from_hours(24);
    let inside = |at: Timestamp| (day..=end).contains(&at);
    let series: Vec<_> = outcome
        .series
        .iter()
        .filter(|sample| inside(sample.at))
        .collect();
    let mut timeline = Timeline::default();
    let mut desired = None;
    for sample in &series {
        let before = desired.replace(sample.desired).unwrap_or(sample.desired);
        if sample.desired > before {
            timeline.mark(
                sample.at,
                Mark::Grow(format!("desired capacity {}", sample.desired)),
            );
        } else if sample.desired < before {
            timeline.mark(
                sample.at,
                Mark::Retire(format!("desired capacity {}", sample.desired)),
            );
        }
    }
    let drawn = |sample: &backtest::Sample| Sample {
        busy: sample.busy,
        idle: sample.idle,
        booting: sample.booting,
        leaving: sample.draining,
    };
    // What stays as it is needs no sample of its own.
    let mut changes: Vec<_> = series
        .iter()
        .map(|sample| (sample.at, drawn(sample)))
        .collect();
    let last = changes.last().copied();
    changes.dedup_by(|later, earlier| later.1 == earlier.1);
    let every = changes.len().div_ceil(SAMPLES).max(1);
    for (at, sample) in changes.into_iter().step_by(every).chain(last) {
        timeline.sample(at, sample);
    }
    for at in outcome.refused.iter().filter(|at| inside(**at)) {
        timeline.mark(*at, Mark::Refused);
    }
    let date = day.to_string();
    timeline.svg(&format!(
        "{} (UTC), {name}",
        date.get(..10).unwrap_or(&date)
    ))
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::backtest::Session;

    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_secs(hours * 3600)
    }

    #[test]
    fn the_busiest_day_is_the_one_with_most_starts_that_count() {
        let starts = [1, 2, 3, 25, 26, 49, 50, 73];
        let trace = Trace::new(starts.map(|hour| Session::new(at(hour), at(hour + 1)).unwrap()));
        assert_eq!(busiest(&trace, at(0)), Some(at(0)));
        assert_eq!(
            busiest(&trace, at(3)),
            Some(at(24)),
            "the first of two alike"
        );
        assert_eq!(busiest(&trace, at(74)), None);
    }

    #[test]
    fn a_day_shows_what_was_refused_in_it() {
        let trace = Trace::new([
            Session::new(at(10), at(11)).unwrap(),
            Session::new(at(30), at(31)).unwrap(),
        ]);
        let policy = jibri_scaler_core::PolicyFile::from_toml("min_idle = 0").unwrap();
        let none = Candidate::new("<none>", crate::candidate::Source::File, policy);
        let environment = Environment::new(0, 9).unwrap();
        let all = pictures(
            &[none],
            &trace,
            &environment,
            (at(0), Duration::from_secs(30)),
        );
        assert_eq!(all[0].matches("a recording was refused").count(), 1);
        assert!(
            all[0].contains("1970-01-01 (UTC), &lt;none&gt;"),
            "{}",
            &all[0][..400]
        );
    }
}
