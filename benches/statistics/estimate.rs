//! How near the estimate of refusals comes that a real group gets: by the demand that its own controller has learned.

use std::sync::{Arc, Mutex};

use jibri_scaler_core::{
    Limits, TimeZone, Timestamp,
    backtest::{Environment, PolicyScaler, simulate, workload::Workload},
    learned::WeeklyDemand,
    policy::{MinIdle, Policy, Situation, Vote},
    refusals::RefusalEstimate,
};

use crate::{monday, secs};

/// So many idle ones, and the demand is learned beside.
#[derive(Debug)]
struct Learning(MinIdle, TimeZone);

impl Policy for Learning {
    fn vote(&self, situation: &Situation<'_>) -> Vote {
        self.0.vote(situation)
    }

    fn demand_zone(&self) -> Option<&TimeZone> {
        Some(&self.1)
    }
}

/// What the metrics of a controller keep between ticks.
struct Watch {
    last: Option<Timestamp>,
    demand: Option<WeeklyDemand>,
    estimate: RefusalEstimate,
}

/// What is refused in the second four weeks, and what the gauge of a controller says then that has learned in the first four.
fn played(workload: &Workload, spare: u32, seed: u64) -> (f64, f64) {
    let limits = Limits::default()
        .with_surplus_hold(secs(60))
        .and_then(|limits| limits.with_report_ttl(secs(90)))
        .expect("limits in their ranges");
    let environment = Environment::new(0, 10_000)
        .expect("an environment")
        .with_counted_refusals(true);
    let trace = workload.sample(monday(), 56, seed).trace;
    let learned = monday() + secs(28 * 86_400);
    let watch = Arc::new(Mutex::new(Watch {
        last: None,
        demand: None,
        estimate: RefusalEstimate::new(secs(90)),
    }));
    let shared = Arc::clone(&watch);
    let policy = Learning(MinIdle::new(spare).expect("a number"), TimeZone::default());
    let mut scaler = PolicyScaler::new(policy, limits).observed(move |tick, decision| {
        let mut kept = shared.lock().expect("one thread");
        let demand = kept.demand.take();
        if tick.at >= learned {
            let expected = demand
                .zip(kept.last)
                .map_or(0.0, |(demand, last)| demand.expected_starts(last, tick.at));
            kept.estimate
                .observe(tick.at, decision.tally.spare, expected);
        }
        kept.demand = decision.memory.learned().demand().cloned();
        kept.last = Some(tick.at);
    });
    let outcome = simulate(&trace, &environment, &mut scaler);
    let refused = outcome.refused.iter().filter(|at| **at >= learned).count();
    let estimated = watch
        .lock()
        .expect("one thread")
        .estimate
        .expected_refusals();
    (f64::from(u32::try_from(refused).expect("few")), estimated)
}

#[test]
fn the_estimate_of_a_real_group_is_within_a_quarter() {
    for (name, workload, spare) in [
        ("office", Workload::office(30.0), 3),
        ("clustered", Workload::clustered(30.0), 6),
        ("clustered", Workload::clustered(30.0), 8),
        (
            "growth of a fifth a week",
            Workload::office(15.0).and_then(|office| office.with_growth(1.2)),
            2,
        ),
    ] {
        let workload = workload.expect("a workload");
        // One of them refuses so few that chance alone is a tenth or more.
        let runs = (21..27).map(|seed| played(&workload, spare, seed));
        let (refused, estimated) = runs.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
        let ratio = estimated / refused;
        println!("{name}, {spare} spare: {refused} refused, {ratio:.2} of them estimated");
        assert!((0.75..1.25).contains(&ratio), "{name}, {spare}: {ratio}");
    }
}
