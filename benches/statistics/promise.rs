//! What the `slo` policy promises, kept end to end: it learns for four weeks from what it sees, and then plays on.

use std::time::Duration;

use jibri_scaler_core::{
    DrainPath, Limits, Memory, Timestamp,
    backtest::{Environment, Outcome, PolicyScaler, Trace, simulate, workload::Scenario},
    policy::{Lead, MaxOf, MinIdle, Policy, Slo},
};

const DAY: Duration = Duration::from_secs(86_400);
const LEARNED: u32 = 28;
const PLAYED: u32 = 28;
const SEEDS: [u64; 2] = [7, 8];

/// The middle of what is played is the day on which Central Europe goes over to winter time.
fn start() -> Timestamp {
    let middle: Timestamp = "2026-10-25T00:00:00Z".parse().expect("a time");
    middle.before(DAY * (PLAYED / 2))
}

fn scaler(percent: f64, scenario: &Scenario) -> PolicyScaler<'static> {
    let slo = Slo::new(percent, Lead::default(), scenario.zone.clone()).expect("in range");
    let policy = MaxOf::new([
        Box::new(MinIdle::new(1).expect("in range")) as Box<dyn Policy>,
        Box::new(slo),
    ]);
    let minute = Duration::from_secs(60);
    let limits = Limits::default()
        .with_idle_timeout(minute)
        .and_then(|limits| limits.with_surplus_hold(minute))
        .and_then(|limits| limits.with_report_ttl(Duration::from_secs(90)))
        .and_then(|limits| limits.with_max_launch(200))
        .expect("limits in their ranges");
    PolicyScaler::new(policy, limits)
}

/// Recordings and refusals, those in the first days and on the day in the middle apart.
#[derive(Clone, Copy, Default)]
struct Counted {
    requests: u64,
    refused: usize,
    refused_in_first_week: usize,
    refused_in_the_middle: usize,
}

impl Counted {
    fn add(&mut self, outcome: &Outcome) {
        let middle = start() + DAY * (PLAYED / 2);
        let between = |from: Timestamp, to: Timestamp| {
            let refused = outcome.refused.iter();
            refused.filter(|at| (from..to).contains(*at)).count()
        };
        self.requests += outcome.requests;
        self.refused += outcome.refused.len();
        self.refused_in_first_week += between(start(), start() + 7 * DAY);
        self.refused_in_the_middle += between(middle, middle + DAY);
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    fn percent(self, refused: usize) -> f64 {
        refused as f64 * 100.0 / self.requests as f64
    }
}

fn played(scenario: &Scenario, percent: f64) -> Counted {
    let environment = Environment::new(1, 1000)
        .expect("bounds")
        .with_drain(DrainPath::Agent);
    let environment = scenario.in_environment(environment).expect("in range");
    let mut counted = Counted::default();
    for seed in SEEDS {
        let environment = environment.clone().with_seed(seed);
        let begin = start().before(DAY * LEARNED);
        let drawn = scenario.workload.sample(begin, LEARNED + PLAYED, seed);
        let sessions = drawn.trace.sessions();
        let (past, now) = sessions.split_at(sessions.partition_point(|s| s.start() < start()));
        let mut memory = Memory::default();
        if !scenario.cold_start {
            let mut learning = scaler(percent, scenario);
            simulate(
                &Trace::new(past.iter().copied()),
                &environment,
                &mut learning,
            );
            memory = memory.with_learned(learning.memory().learned().clone());
        }
        let mut scaler = scaler(percent, scenario).with_memory(memory);
        let outcome = simulate(&Trace::new(now.iter().copied()), &environment, &mut scaler);
        assert_eq!(outcome.lost, 0);
        counted.add(&outcome);
    }
    counted
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "half an hour without optimization; .ci/run runs it with"
)]
fn refusals_stay_below_what_was_promised_wherever_that_can_be() {
    for percent in [5.0, 1.0, 0.1] {
        for scenario in Scenario::all(30.0, start(), PLAYED).expect("a rate") {
            let counted = played(&scenario, percent);
            let all = counted.percent(counted.refused);
            // Nobody can know in advance what never came before.
            let (reachable, why) = match scenario.name {
                "cold start" => (
                    counted.refused - counted.refused_in_first_week,
                    "but for the first week, in which nothing has been learned",
                ),
                "all hands" => (
                    counted.refused - counted.refused_in_the_middle,
                    "but for the day of the burst, which comes once and unannounced",
                ),
                _ => (counted.refused, "all"),
            };
            let share = counted.percent(reachable);
            println!(
                "at most {percent} %: {all:.3} % of {} refused with {}; {share:.3} % count: {why}",
                counted.requests, scenario.name
            );
            assert!(
                share <= percent,
                "{share} % of {} were refused, {percent} % promised",
                scenario.name
            );
        }
    }
}
