//! The cheapest setting that refuses few enough.

use std::{collections::BTreeMap, time::Duration};

use jibri_scaler_core::{
    PolicyFile,
    backtest::{
        Environment, Outcome, Trace,
        peers::{Baseline, Peer},
    },
};
use rayon::prelude::*;

use crate::{
    arguments::Arguments,
    candidate::{Candidate, Source, report_ttl},
    compare::span,
    progress::Progress,
    text::percent,
};

/// What is tried for `percent_idle`.
const PERCENTS: [u32; 6] = [0, 10, 20, 30, 40, 50];
/// What is tried for `surplus_hold`, and for `idle_timeout` with it.
const HOLDS: [Duration; 3] = [
    Duration::from_mins(1),
    Duration::from_mins(3),
    Duration::from_mins(10),
];

/// A policy of three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) min_idle: u32,
    pub(crate) percent_idle: u32,
    pub(crate) hold: Duration,
}

/// A setting that was tried, and what it came to.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    pub(crate) setting: Setting,
    pub(crate) outcome: Outcome,
}

impl Tried {
    pub(crate) fn share(&self) -> f64 {
        self.outcome.refused_share().unwrap_or(0.0)
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// The cheapest that meets the target.
    pub(crate) best: Option<Tried>,
    /// All that was tried, each family with `percent_idle` and hold the same, by `min_idle`.
    pub(crate) curves: Vec<Vec<Tried>>,
}

impl Search {
    /// The best as a policy file that says where it comes from. Empty where there is none.
    pub(crate) fn to_toml(&self, arguments: &Arguments, origin: &str) -> String {
        let Some(best) = &self.best else {
            return String::new();
        };
        let outcome = &best.outcome;
        // A name with a line break in it must not end the comment.
        let origin = origin.replace(char::is_control, " ");
        format!(
            "# Found by `backtest --tune` for at most {} refused. Of {} recordings from {origin}\n# it refuses {}, for {:.2} in 30 days, with \
             launches of {:.0} s on average.\n{}",
            percent(arguments.slo),
            outcome.requests,
            percent(best.share()),
            outcome.cost_per_30_days(arguments.price),
            arguments.boot.mean().as_secs_f64(),
            best.setting.to_toml(arguments.interval)
        )
    }
}

impl Setting {
    /// As a policy file, for a controller with that interval.
    pub(crate) fn to_toml(self, interval: Duration) -> String {
        let seconds = self.hold.as_secs();
        format!(
            "min_idle = {}\npercent_idle = {}\nidle_timeout = \"{seconds}s\"\nsurplus_hold = \"{seconds}s\"\n{}",
            self.min_idle,
            self.percent_idle,
            report_ttl(interval)
        )
    }

    /// In few words.
    pub(crate) fn name(self) -> String {
        format!(
            "min_idle {}, {} %, hold {} s",
            self.min_idle,
            self.percent_idle,
            self.hold.as_secs()
        )
    }

    pub(crate) fn candidate(self, interval: Duration) -> Result<Candidate, String> {
        let policy =
            PolicyFile::from_toml(&self.to_toml(interval)).map_err(|error| error.to_string())?;
        Ok(Candidate::new(
            format!("tuned: {}", self.name()),
            Source::Tuned,
            policy,
        ))
    }
}

/// Each share with each hold.
pub(crate) fn families() -> Vec<(u32, Duration)> {
    let with = |hold| PERCENTS.map(|percent| (percent, hold));
    HOLDS.into_iter().flat_map(with).collect()
}

/// Searches. For each share and hold the smallest `min_idle` that meets the target, by doubling and halving: with more of it, fewer are
/// refused and more is paid. Of these the one with the smallest bill.
///
/// # Errors
/// Where a setting can't be made into a policy.
pub(crate) fn search(
    families: &[(u32, Duration)],
    trace: &Trace,
    environment: &Environment,
    (interval, slo): (Duration, f64),
) -> Result<Search, String> {
    let most = trace.most_at_once();
    let longest = u64::from(2 * (u32::BITS - most.leading_zeros()) + 2);
    let progress = Progress::new(
        "searching a setting",
        families.len() as u64 * longest * Progress::steps(span(trace), interval),
    );
    let curves: Result<Vec<_>, String> = families
        .par_iter()
        .map(|&(percent_idle, hold)| {
            let mut try_one = |min_idle| {
                let setting = Setting {
                    min_idle,
                    percent_idle,
                    hold,
                };
                let outcome = setting
                    .candidate(interval)?
                    .simulate(trace, environment, &progress);
                Ok(Tried { setting, outcome })
            };
            smallest(
                most.max(1),
                |tried: &Tried| tried.share() <= slo,
                &mut try_one,
            )
        })
        .collect();
    let curves = curves?;
    let meeting = curves.iter().flatten().filter(|tried| tried.share() <= slo);
    let best = meeting.min_by_key(|tried| {
        (
            tried.outcome.billed,
            tried.setting.min_idle,
            tried.setting.percent_idle,
        )
    });
    Ok(Search {
        best: best.cloned(),
        curves,
    })
}

/// Tries numbers until the smallest that meets the target is among them; gives all that were tried, in their order. More than `most` is
/// not tried.
fn smallest<T>(
    most: u32,
    meets: impl Fn(&T) -> bool,
    try_one: &mut impl FnMut(u32) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let mut tried = BTreeMap::new();
    let mut enough = |number| {
        let one = try_one(number)?;
        let enough = meets(&one);
        tried.insert(number, one);
        Ok::<bool, String>(enough)
    };
    // What is below does not meet it, `high` does.
    let (mut low, mut high) = (0, most.min(1));
    if !enough(0)? && most > 0 {
        let mut found = enough(high)?;
        while !found && high < most {
            low = high;
            high = (2 * high).min(most);
            found = enough(high)?;
        }
        while found && low + 1 < high {
            let middle = low.midpoint(high);
            if enough(middle)? {
                high = middle;
            } else {
                low = middle;
            }
        }
    }
    Ok(tried.into_values().collect())
}

/// For each peer, the cheapest of its settings that meets the target, by halving each of its curves; peers that can't meet it are left out.
pub(crate) fn baselines(
    peers: &[Peer],
    trace: &Trace,
    environment: &Environment,
    (interval, slo): (Duration, f64),
) -> Result<Vec<Candidate>, String> {
    let curves: Vec<_> = peers
        .iter()
        .flat_map(|peer| peer.curves())
        .filter(|curve| !curve.is_empty())
        .collect();
    let longest: u64 = curves
        .iter()
        .map(|curve| 2 * u64::from(curve.len().ilog2()) + 2)
        .sum();
    let progress = Progress::new(
        "tuning the baselines",
        longest * Progress::steps(span(trace), interval),
    );
    let found: Result<Vec<_>, String> = curves
        .par_iter()
        .map(|curve| {
            let mut try_one = |at: u32| {
                // `smallest` asks for none beyond the last.
                let baseline = curve
                    .get(at as usize)
                    .or_else(|| curve.last())
                    .cloned()
                    .ok_or("an empty curve")?;
                let outcome = Candidate::baseline(baseline.clone(), true).simulate(
                    trace,
                    environment,
                    &progress,
                );
                Ok((baseline, outcome))
            };
            let meets =
                |(_, outcome): &(Baseline, Outcome)| outcome.refused_share().unwrap_or(0.0) <= slo;
            let last = u32::try_from(curve.len() - 1).unwrap_or(u32::MAX);
            let mut tried = smallest(last, meets, &mut try_one)?;
            tried.retain(meets);
            Ok(tried)
        })
        .collect();
    let found: Vec<_> = found?.into_iter().flatten().collect();
    let cheapest = |peer: &Peer| {
        let own = found
            .iter()
            .filter(|(baseline, _)| baseline.peer() == *peer);
        own.min_by_key(|(_, outcome)| outcome.billed)
            .map(|(baseline, _)| Candidate::baseline(baseline.clone(), true))
    };
    Ok(peers.iter().filter_map(cheapest).collect())
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::{
        Timestamp,
        backtest::{Session, workload::Workload},
    };

    use super::*;

    fn tried(min_idle: u32, refused: usize) -> Tried {
        let setting = Setting {
            min_idle,
            percent_idle: 0,
            hold: HOLDS[0],
        };
        let mut outcome = Outcome::default();
        outcome.requests = 100;
        outcome.refused = vec![Timestamp::from_secs(0); refused];
        Tried { setting, outcome }
    }

    fn few(tried: &Tried) -> bool {
        tried.share() <= 0.01
    }

    #[test]
    fn the_smallest_number_is_found_with_few_tries() {
        for needed in [0, 1, 2, 3, 5, 16, 17, 31, 40] {
            let mut count = 0;
            let mut try_one = |number| {
                count += 1;
                Ok(tried(number, if number >= needed { 1 } else { 2 }))
            };
            let all = smallest(40, few, &mut try_one).unwrap();
            let first = all.iter().find(|tried| tried.share() <= 0.01).unwrap();
            assert_eq!(first.setting.min_idle, needed);
            assert!(count <= 13, "{needed}: {count}");
            assert!(all.is_sorted_by_key(|tried| tried.setting.min_idle));
        }
    }

    #[test]
    fn where_no_number_does_it_ends_with_as_many_as_there_ever_were() {
        let mut most = 0;
        let mut try_one = |number| {
            most = most.max(number);
            Ok(tried(number, 50))
        };
        let all = smallest(40, few, &mut try_one).unwrap();
        assert!(all.iter().all(|tried| tried.share() > 0.01));
        assert_eq!(most, 40);
        let none = smallest(0, few, &mut |number| Ok(tried(number, 50))).unwrap();
        assert_eq!(none.len(), 1);
    }

    #[test]
    fn a_setting_is_a_policy_file_that_a_controller_takes() {
        let setting = Setting {
            min_idle: 4,
            percent_idle: 20,
            hold: Duration::from_mins(3),
        };
        for seconds in [10, 22, 23, 60, 1800] {
            let interval = Duration::from_secs(seconds);
            let policy = PolicyFile::from_toml(&setting.to_toml(interval)).unwrap();
            assert_eq!(policy.limits.surplus_hold(), setting.hold);
            assert_eq!(policy.limits.idle_timeout(), setting.hold);
            assert_eq!(setting.candidate(interval).unwrap().check(interval), Ok(()));
        }
    }

    /// Weeks of meetings, cut in two: to choose with, and to check with.
    fn halves() -> (Trace, Trace) {
        let monday: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
        let weeks = Workload::office(12.0).unwrap().sample(monday, 21, 11).trace;
        let middle = monday + Duration::from_hours(14 * 24);
        let (before, after): (Vec<Session>, Vec<Session>) =
            weeks.sessions().iter().partition(|s| s.start() < middle);
        (Trace::new(before), Trace::new(after))
    }

    #[test]
    fn what_is_chosen_holds_in_a_week_that_was_not_seen() {
        let (seen, unseen) = halves();
        let interval = Duration::from_mins(2);
        let environment = Environment::new(0, 200)
            .unwrap()
            .with_interval(interval)
            .unwrap();
        let slo = 0.02;
        let families = [(0, HOLDS[0]), (30, HOLDS[0]), (20, HOLDS[2])];
        let search = search(&families, &seen, &environment, (interval, slo)).unwrap();
        let best = search.best.unwrap();
        assert!(best.share() <= slo);
        assert_eq!(search.curves.len(), families.len());
        for tried in search
            .curves
            .iter()
            .flatten()
            .filter(|tried| tried.share() <= slo)
        {
            assert!(
                best.outcome.billed <= tried.outcome.billed,
                "{:?}",
                tried.setting
            );
        }
        let candidate = best.setting.candidate(interval).unwrap();
        let later = candidate.simulate(&unseen, &environment, &Progress::hidden());
        let share = later.refused_share().unwrap();
        assert!(
            share <= 2.0 * slo,
            "{share} in the week after, for {:?}",
            best.setting
        );
    }

    #[test]
    fn baselines_are_tuned_along_their_curves() {
        let (seen, _) = halves();
        let interval = Duration::from_mins(2);
        let environment = Environment::new(0, 200)
            .unwrap()
            .with_interval(interval)
            .unwrap();
        let tuned = baselines(&[Peer::Agones], &seen, &environment, (interval, 0.05)).unwrap();
        assert_eq!(tuned.len(), 1);
        let outcome = tuned[0].simulate(&seen, &environment, &Progress::hidden());
        assert!(outcome.refused_share().unwrap() <= 0.05);
        let name = &tuned[0].name;
        assert!(name.starts_with("agones, tuned: "), "{name}");
    }
}
