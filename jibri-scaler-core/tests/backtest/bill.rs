//! What is counted adds up.

use jibri_scaler_core::{
    backtest::{Environment, Fleet, Reading, Scaler, simulate},
    check,
    port::Decrement,
};

use super::support::{at, environments, limits, morning, scaler, secs, trace};

#[test]
fn the_hours_equal_the_bill_and_nothing_is_lost() {
    for (seed, environment) in (1..).zip(environments()) {
        for (min_idle, percent) in [(0, 0.0), (2, 25.0), (6, 0.0)] {
            let morning = morning(seed);
            let mut scaler = scaler(min_idle, percent);
            let outcome = simulate(&morning, &environment, &mut scaler);
            assert_eq!(outcome.overhead() + outcome.busy, outcome.billed);
            assert_eq!(outcome.lost, 0);
            let refused = u64::try_from(outcome.refused.len()).unwrap();
            assert_eq!(outcome.served + refused, outcome.requests);
            assert!(outcome.refused.is_sorted());
            assert!(outcome.peak > 0);
        }
    }
}

#[test]
fn a_morning_without_warm_up_serves_exactly_the_time_of_what_it_served() {
    let morning = morning(3);
    let environment = Environment::new(1, 99).unwrap();
    let outcome = simulate(&morning, &environment, &mut scaler(20, 50.0));
    assert_eq!(outcome.refused, []);
    assert_eq!(outcome.busy, morning.length());
    assert!(outcome.peak > morning.most_at_once());
}

#[test]
fn no_decision_breaks_a_rule() {
    for (seed, environment) in (1..).zip(environments()) {
        let limits = limits();
        let mut scaler = scaler(3, 20.0).observed(|tick, decision| {
            assert_eq!(check(&tick.snapshot, &limits, decision), []);
        });
        simulate(&morning(seed), &environment, &mut scaler);
    }
}

#[test]
fn a_group_comes_down_to_what_is_wanted_and_the_way_down_is_paid_for() {
    let one_burst = trace((0..12).map(|i| (i * 400, 6000)).chain([(40_000, 40_001)]));
    let environment = Environment::new(0, 50).unwrap().with_series(true);
    let outcome = simulate(&one_burst, &environment, &mut scaler(2, 0.0));
    assert_eq!(outcome.refused, []);
    let last = outcome.series.last().unwrap();
    assert_eq!((last.desired, last.busy, last.draining), (2, 0, 0));
    assert!(last.idle <= 2);
    assert!(outcome.peak >= 14);
    // Two looks that both refuse, gone_after apart, and one more before the machine is given back.
    assert!(outcome.draining >= 12 * secs(120), "{:?}", outcome.draining);
}

/// Ends whatever it sees, by one way or the other.
struct Ender {
    at_once: bool,
}

impl Scaler for Ender {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        if fleet.now() < at(100) {
            return;
        }
        let seen: Vec<_> = fleet.instances().collect();
        for instance in seen {
            if self.at_once {
                fleet.terminate(instance.number, Decrement::Yes);
            } else {
                fleet.drain(instance.number, Decrement::Yes);
            }
        }
    }
}

#[test]
fn ending_at_once_loses_recordings_and_draining_does_not() {
    let two = trace([(0, 1000), (50, 2000), (3000, 3001)]);
    let environment = Environment::new(0, 5).unwrap().with_initial(3);
    let outcome = simulate(&two, &environment, &mut Ender { at_once: true });
    assert_eq!((outcome.served, outcome.lost), (2, 2));
    assert_eq!(outcome.overhead() + outcome.busy, outcome.billed);
    let outcome = simulate(&two, &environment, &mut Ender { at_once: false });
    assert_eq!((outcome.served, outcome.lost), (2, 0));
    assert_eq!(outcome.busy, secs(1000 + 1950));
    // Three machines, each held by its agent for a while after its Jibri has ended.
    assert_eq!(outcome.draining, 3 * secs(15));
    assert_eq!(outcome.overhead() + outcome.busy, outcome.billed);
}

#[test]
fn what_is_before_the_warm_up_is_over_does_not_count() {
    let morning = morning(5);
    let environment = Environment::new(1, 60).unwrap();
    let whole = simulate(&morning, &environment, &mut scaler(3, 0.0));
    let environment = environment.with_warm_up(secs(2 * 3600));
    let part = simulate(&morning, &environment, &mut scaler(3, 0.0));
    let (from, _) = part.counted.unwrap();
    assert_eq!(part.span() + secs(2 * 3600), whole.span());
    assert!(part.refused.iter().all(|refused| *refused >= from));
    let late = whole.refused.iter().filter(|refused| **refused >= from);
    assert_eq!(late.count(), part.refused.len());
    assert!(part.requests < whole.requests && part.billed < whole.billed);
}

/// Counts how many read as what in a tick.
struct Watch(Vec<(Reading, bool)>);

impl Scaler for Watch {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        fleet.set_desired(1);
        self.0
            .extend(fleet.instances().map(|seen| (seen.reading, seen.answered)));
    }
}

#[test]
fn what_is_seen_is_as_old_as_the_reports() {
    let one = trace([(0, 600)]);
    let environment = Environment::new(0, 1)
        .and_then(|e| e.with_interval(secs(10)))
        .unwrap();
    let mut watch = Watch(Vec::new());
    simulate(&one, &environment, &mut watch);
    let busy = |watch: &Watch| watch.0.iter().position(|seen| seen.0 == Reading::Busy);
    // 360 ticks before the recording, and one at its start; Chrome takes three seconds.
    let now = busy(&watch).unwrap();
    let environment = environment.with_report_delay(secs(25)).unwrap();
    let mut watch = Watch(Vec::new());
    simulate(&one, &environment, &mut watch);
    // Read 3 s after the start plus 25 s: in the tick at 30 s rather than in that at 10 s.
    assert_eq!(busy(&watch).unwrap(), now + 2);
    let environment = environment.with_report_loss(1.0).unwrap();
    let mut watch = Watch(Vec::new());
    simulate(&one, &environment, &mut watch);
    assert!(watch.0.iter().all(|seen| !seen.1));
}
