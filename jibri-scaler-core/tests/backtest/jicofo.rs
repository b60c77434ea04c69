//! How recordings are handed out.

use jibri_scaler_core::backtest::{Environment, Fleet, Outcome, Scaler, simulate};

use super::support::{at, secs, trace};

struct Fixed(u32);

impl Scaler for Fixed {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        fleet.set_desired(self.0);
    }
}

fn fixed(size: u32, sessions: &[(i64, i64)]) -> Outcome {
    let environment = Environment::new(0, 99).unwrap();
    simulate(
        &trace(sessions.iter().copied()),
        &environment,
        &mut Fixed(size),
    )
}

#[test]
fn there_is_no_queue() {
    let outcome = fixed(1, &[(0, 100), (50, 60), (99, 200), (100, 200)]);
    assert_eq!(outcome.refused, [at(50), at(99)]);
    assert_eq!(fixed(0, &[(0, 1)]).refused, [at(0)]);
}

#[test]
fn one_that_is_taken_and_still_reads_as_idle_is_skipped_after_it_has_answered_busy() {
    // Chrome takes three seconds: the second finds the first Jibri idle in the MUC, which says that it is busy.
    let outcome = fixed(2, &[(0, 100), (1, 100), (2, 100)]);
    assert_eq!(outcome.refused, [at(2)]);
}

#[test]
fn one_that_has_failed_is_not_selected_for_a_minute() {
    // The only Jibri answers busy at 1 s, is free at 10 s, and is not selected before 61 s.
    let outcome = fixed(1, &[(0, 10), (1, 10), (20, 30), (60, 70), (61, 70)]);
    assert_eq!(outcome.refused, [at(1), at(20), at(60)]);
}

#[test]
fn one_is_not_selected_twice_in_a_fifth_of_a_second() {
    let environment = Environment::new(0, 99)
        .and_then(|e| e.with_chrome_delay(secs(0)))
        .unwrap();
    let none = trace([(0, 0), (0, 0), (1, 1)]);
    let outcome = simulate(&none, &environment, &mut Fixed(1));
    assert_eq!(outcome.refused, [at(0)]);
}

#[test]
fn after_five_more_that_answer_busy_it_is_refused() {
    // Six are taken within the time that Chrome takes; the seventh is free.
    let starts: Vec<_> = std::iter::repeat_n((0, 100), 6).chain([(1, 100)]).collect();
    assert_eq!(fixed(7, &starts).refused, [at(1)]);
    let starts = &starts[1..];
    assert_eq!(fixed(6, starts).refused, []);
}

#[test]
fn ticks_say_how_many_were_refused_since_the_one_before_where_that_is_counted() {
    struct Told(Vec<Option<u32>>);
    impl Scaler for Told {
        fn tick(&mut self, fleet: &mut Fleet<'_>) {
            self.0.push(fleet.snapshot().refused());
        }
    }
    let all = trace([(0, 100), (5, 100), (31, 32), (100, 101)]);
    for counted in [true, false] {
        let environment = Environment::new(0, 9).unwrap();
        let environment = environment.with_counted_refusals(counted);
        let mut told = Told(Vec::new());
        simulate(&all, &environment.with_lead_in(secs(0)), &mut told);
        let expected = [0, 1, 1, 0].map(|refused| counted.then_some(refused));
        // The first recording comes just before the first tick.
        let expected = [counted.then_some(1)]
            .into_iter()
            .chain(expected.into_iter().skip(1));
        assert_eq!(told.0, expected.collect::<Vec<_>>());
    }
}
