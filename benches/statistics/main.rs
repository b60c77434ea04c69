//! What simulations must give in the long run. `cargo test --release -p jibri-scaler-benches --test statistics`: long enough for chance to
//! even out, so that it is built as benches are.

mod estimate;
mod promise;

use std::time::Duration;

use jibri_scaler_core::{
    DrainPath, Limits, Timestamp,
    backtest::{
        BootTime, Environment, Fleet, Outcome, PolicyScaler, Reading, Scaler, Trace,
        bound::RateOracle,
        simulate,
        workload::{Lengths, Workload},
    },
    erlang::erlang_b,
    policy::MinIdle,
    port::Decrement,
    refusals::RefusalEstimate,
};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn monday() -> Timestamp {
    "2026-01-05T00:00:00Z".parse().expect("a time")
}

/// Limits that hold nothing back but what the policy wants.
fn eager() -> Limits {
    Limits::default()
        .with_idle_timeout(Duration::ZERO)
        .and_then(|limits| limits.with_surplus_hold(Duration::ZERO))
        .and_then(|limits| limits.with_max_launch(10_000))
        .and_then(|limits| limits.with_max_retire(10_000))
        .and_then(|limits| limits.with_boot_deadline(secs(3600)))
        .expect("limits in their ranges")
}

/// Launches another one for each that was taken, and ends those that are used up: the rule that the formula is about.
struct BaseStock(u32);

impl Scaler for BaseStock {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        let mut there = 0;
        let mut used_up = Vec::new();
        for seen in fleet.instances().filter(|seen| !seen.leaving) {
            match seen.reading {
                Reading::Idle | Reading::Never => there += 1,
                Reading::Expired => used_up.push(seen.number),
                _ => {}
            }
        }
        for number in used_up {
            fleet.drain(number, Decrement::Yes);
        }
        fleet.set_desired(fleet.group().desired + self.0.saturating_sub(there));
    }
}

#[test]
fn with_a_constant_rate_as_many_are_refused_as_the_loss_formula_says() {
    const PER_HOUR: f64 = 120.0;
    const SPARE: u32 = 9;
    const INTERVAL: Duration = secs(20);
    let laws = [
        BootTime::fixed(secs(180)),
        BootTime::lognormal(secs(160), secs(280)),
        BootTime::two_point(secs(90), secs(540), 0.2),
    ];
    let short = Lengths::lognormal(secs(300), 0.9).expect("lengths");
    let workload = Workload::constant(PER_HOUR)
        .expect("a rate")
        .with_lengths(short);
    let trace = workload.sample(monday(), 36, 5).trace;
    for boot in laws {
        let boot = boot.expect("a law");
        let run = |single_use, scaler: &mut dyn Scaler| {
            let environment = Environment::new(0, 10_000)
                .and_then(|e| e.with_interval(INTERVAL))
                .and_then(|e| e.with_chrome_delay(Duration::ZERO))
                .expect("an environment")
                .with_boot(boot)
                .with_single_use(single_use)
                .with_drain(DrainPath::Agent)
                .with_warm_up(secs(7200));
            let outcome = simulate(&trace, &environment, scaler);
            assert!(outcome.requests >= 100_000, "{}", outcome.requests);
            assert_eq!(outcome.lost, 0);
            outcome.refused_share().expect("there were requests")
        };
        // One that is taken is missed in the next tick, half an interval later on average.
        let lead = (boot.mean() + INTERVAL / 2).as_secs_f64();
        let formula = erlang_b(SPARE, PER_HOUR * lead / 3600.0);
        let ratio = run(true, &mut BaseStock(SPARE)) / formula;
        println!("{boot:?}: {ratio:.3} of the {formula:.4} that the formula says, with single use");
        assert!((0.85..1.15).contains(&ratio), "{boot:?}: {ratio}");
        let policy = || PolicyScaler::new(MinIdle::new(SPARE).expect("in range"), eager());
        let decided = run(true, &mut policy());
        println!(
            "{boot:?}: {decided:.4} where the decision is the real one, {:.3} of the formula",
            decided / formula
        );
        // Where each recording uses its Jibri up, one that is used up in a tick that also grows is replaced besides, so that there is
        // somewhat more than the rule that the formula is about would have.
        assert!(
            (0.75..=1.15).contains(&(decided / formula)),
            "{boot:?}: {decided} where the formula says {formula}"
        );
        let reused = run(false, &mut policy());
        println!("{boot:?}: {reused:.4} where Jibris are used again");
        assert!(reused <= formula, "{boot:?}: {reused} is above {formula}");
    }
}

#[test]
fn who_knows_the_rate_keeps_what_it_promises() {
    let limits = Limits::default()
        .with_idle_timeout(secs(60))
        .and_then(|limits| limits.with_surplus_hold(secs(60)))
        .expect("limits in their ranges");
    let environment = Environment::new(0, 10_000)
        .expect("an environment")
        .with_boot(BootTime::fixed(secs(180)).expect("a law"))
        .with_warm_up(secs(86_400));
    for workload in [Workload::office(30.0), Workload::clustered(30.0)] {
        let drawn = workload.expect("a rate").sample(monday(), 28, 2);
        let mut overheads = Vec::new();
        for share in [0.05, 0.01] {
            let oracle = RateOracle::new(drawn.rates.clone(), secs(210), share).expect("a share");
            let outcome = simulate(
                &drawn.trace,
                &environment,
                &mut PolicyScaler::new(oracle, limits.clone()),
            );
            let refused = outcome.refused_share().expect("there were requests");
            println!(
                "at most {share}: {refused:.4} refused, {:.2} spare",
                outcome.mean_overhead()
            );
            assert!(refused <= share, "{refused} is above {share}");
            overheads.push(outcome.mean_overhead());
        }
        assert!(overheads.is_sorted(), "fewer refusals cost more");
    }
}

#[test]
fn refusals_are_estimated_within_a_quarter_and_the_share_of_time_is_far_off() {
    for (workload, spare) in [(Workload::office(30.0), 2), (Workload::clustered(30.0), 6)] {
        let workload = workload.expect("a rate");
        let profile = Profile::learned(&workload.sample(monday(), 28, 11).trace);
        let later = monday() + secs(28 * 86_400);
        let trace = workload.sample(later, 28, 12).trace;
        let mut estimate = RefusalEstimate::new(secs(90));
        let outcome = observed(&trace, spare, |at, idle| {
            estimate.observe(at, idle, profile.starts(at, 30.0));
        });
        let truth = outcome.refused_share().expect("there were requests");
        let estimated = estimate
            .refused_share(outcome.served)
            .expect("there were requests");
        let naive = estimate
            .misleading_share_of_time()
            .expect("time was observed");
        println!("refused {truth:.4}, estimated {estimated:.4}, share of time {naive:.4}");
        assert!(
            (0.75..1.25).contains(&(estimated / truth)),
            "{estimated} for {truth}"
        );
        assert!(naive < truth / 2.0, "{naive} for {truth}");
    }
}

/// Simulates, and shows the number of idle Jibris that each tick saw.
fn observed(trace: &Trace, spare: u32, mut see: impl FnMut(Timestamp, u32)) -> Outcome {
    let limits = Limits::default()
        .with_surplus_hold(secs(60))
        .expect("limits in their ranges");
    let policy = MinIdle::new(spare).expect("a number in range");
    let mut scaler = PolicyScaler::new(policy, limits)
        .observed(|tick, decision| see(tick.at, decision.tally.idle()));
    simulate(
        trace,
        &Environment::new(0, 10_000).expect("an environment"),
        &mut scaler,
    )
}

/// The starts of each minute of the day, on weekdays and at weekends.
struct Profile([Vec<f64>; 2]);

impl Profile {
    fn learned(trace: &Trace) -> Self {
        let mut counts = [vec![0.5; 1440], vec![0.5; 1440]];
        for session in trace.sessions() {
            let (class, minute) = place(session.start());
            counts[class][minute] += 1.0;
        }
        let [weekdays, weekends] = counts;
        let per_day = |counts: Vec<f64>, days: f64| counts.into_iter().map(|n| n / days).collect();
        Self([per_day(weekdays, 20.0), per_day(weekends, 8.0)])
    }

    /// The starts expected in so many seconds before a time.
    fn starts(&self, at: Timestamp, seconds: f64) -> f64 {
        let (class, minute) = place(at.before(secs(15)));
        self.0[class][minute] * seconds / 60.0
    }
}

fn place(at: Timestamp) -> (usize, usize) {
    let minute = at.since(monday()).as_secs() / 60;
    let weekend = minute / 1440 % 7 >= 5;
    (
        usize::from(weekend),
        usize::try_from(minute % 1440).unwrap_or(0),
    )
}
