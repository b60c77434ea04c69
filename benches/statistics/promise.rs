//! What the `slo` policy promises, kept end to end: it learns for four weeks from what it sees, and then plays on.

use std::time::Duration;

use jibri_scaler_core::{
    DrainPath, Limits, Memory, Timestamp,
    backtest::{
        Environment, PolicyScaler, Trace, simulate,
        workload::{Scenario, Unforeseen},
    },
    erlang::servers_for,
    policy::{Lead, MaxOf, MinIdle, Policy, Reservation, Reserved, Slo},
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

/// What a policy is told beside what it learns.
#[derive(Clone, Copy)]
struct Told {
    min_idle: u32,
    reserved: Option<Unforeseen>,
}

const NOTHING: Told = Told {
    min_idle: 1,
    reserved: None,
};

fn scaler(percent: f64, scenario: &Scenario, told: Told) -> PolicyScaler<'static> {
    let lead = Lead::default();
    let slo = Slo::new(percent, lead, scenario.zone.clone()).expect("in range");
    let reservation = told.reserved.map(|it| {
        let spare = servers_for(it.starts, percent / 100.0);
        Reservation::new(it.from, it.until, spare).expect("it takes some time")
    });
    let policy = MaxOf::new([
        Box::new(MinIdle::new(told.min_idle).expect("in range")) as Box<dyn Policy>,
        Box::new(Reserved::new(slo, reservation, lead)),
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

/// Recordings and refusals.
#[derive(Clone, Copy, Default)]
struct Counted {
    requests: usize,
    refused: usize,
}

impl Counted {
    fn add(&mut self, requests: usize, refused: usize) {
        self.requests += requests;
        self.refused += refused;
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    fn percent(self) -> f64 {
        assert!(self.requests > 1000, "too few to tell");
        self.refused as f64 * 100.0 / self.requests as f64
    }
}

/// What was counted in all, and without what nothing could have foretold.
fn played(scenario: &Scenario, percent: f64, told: Told) -> [Counted; 2] {
    let environment = Environment::new(1, 1000)
        .expect("bounds")
        .with_drain(DrainPath::Agent);
    let environment = scenario.in_environment(environment).expect("in range");
    let foreseen = |at: Timestamp| {
        let unforeseen = scenario.unforeseen;
        !unforeseen.is_some_and(|it| (it.from..it.until).contains(&at))
    };
    let [mut all, mut without] = [Counted::default(); 2];
    for seed in SEEDS {
        let environment = environment.clone().with_seed(seed);
        let begin = start().before(DAY * LEARNED);
        let drawn = scenario.workload.sample(begin, LEARNED + PLAYED, seed);
        let sessions = drawn.trace.sessions();
        let (past, now) = sessions.split_at(sessions.partition_point(|s| s.start() < start()));
        let mut memory = Memory::default();
        if !scenario.cold_start {
            let mut learning = scaler(percent, scenario, NOTHING);
            simulate(
                &Trace::new(past.iter().copied()),
                &environment,
                &mut learning,
            );
            memory = memory.with_learned(learning.memory().learned().clone());
        }
        let mut scaler = scaler(percent, scenario, told).with_memory(memory);
        let outcome = simulate(&Trace::new(now.iter().copied()), &environment, &mut scaler);
        assert_eq!(outcome.lost, 0);
        let refused = &outcome.refused;
        all.add(now.len(), refused.len());
        without.add(
            now.iter().filter(|s| foreseen(s.start())).count(),
            refused.iter().filter(|at| foreseen(**at)).count(),
        );
    }
    [all, without]
}

const ALL_TARGETS: [f64; 3] = [5.0, 1.0, 0.1];

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "half an hour without optimization; .ci/run runs it with"
)]
fn refusals_stay_below_what_was_promised_wherever_that_can_be() {
    for percent in ALL_TARGETS {
        for scenario in Scenario::all(30.0, start(), PLAYED).expect("a rate") {
            // Nobody can know in advance what never came before.
            let [all, counts] = played(&scenario, percent, NOTHING);
            let share = counts.percent();
            println!(
                "at most {percent} %: {:.3} % of {} refused with {}; {share:.3} % of {} without what nothing foretold",
                all.percent(),
                all.requests,
                scenario.name,
                counts.requests
            );
            assert!(
                share <= percent,
                "{share} % of {} were refused, {percent} % promised",
                scenario.name
            );
        }
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "minutes without optimization; .ci/run runs it with"
)]
fn with_a_reservation_for_what_nothing_foretold_the_promise_holds_for_all() {
    let mut told = 0;
    for scenario in Scenario::all(30.0, start(), PLAYED).expect("a rate") {
        let Some(unforeseen) = scenario.unforeseen else {
            continue;
        };
        told += 1;
        let reserved = Told {
            reserved: Some(unforeseen),
            ..NOTHING
        };
        for percent in ALL_TARGETS {
            let [all, _] = played(&scenario, percent, reserved);
            let share = all.percent();
            println!(
                "at most {percent} %: {share:.3} % of {} refused with {} and a reservation",
                all.requests, scenario.name
            );
            assert!(
                share <= percent,
                "{share} % of {} were refused, {percent} % promised",
                scenario.name
            );
        }
    }
    assert_eq!(told, 2, "all hands, and a cold start");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "a minute without optimization; .ci/run runs it with"
)]
fn a_burst_of_which_nobody_is_told_takes_as_many_idle_at_all_times() {
    let all = Scenario::all(30.0, start(), PLAYED).expect("a rate");
    let scenario = all.into_iter().find(|it| it.name == "all hands");
    let scenario = scenario.expect("one of them");
    for (min_idle, kept) in [(1, false), (28, true)] {
        let told = Told {
            min_idle,
            ..NOTHING
        };
        let [all, _] = played(&scenario, 0.1, told);
        let share = all.percent();
        println!(
            "at least {min_idle} idle: {share:.3} % of {} refused",
            all.requests
        );
        assert_eq!(share <= 0.1, kept, "{share} % with {min_idle}");
    }
}
