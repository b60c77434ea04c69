use super::*;

fn monday() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

fn starts_between(drawn: &Drawn, from: Timestamp, until: Timestamp) -> usize {
    let starts = drawn.trace.sessions().iter().map(|s| s.start());
    starts.filter(|start| (from..until).contains(start)).count()
}

#[test]
fn an_office_day_has_the_starts_and_lengths_it_should() {
    let drawn = Workload::office(30.0).unwrap().sample(monday(), 28, 1);
    let sessions = drawn.trace.sessions();
    let expected = 30.0 * 7.97 * (20.0 + 8.0 * 0.05);
    let ratio = f64::from(u32::try_from(sessions.len()).unwrap()) / expected;
    assert!((0.96..1.04).contains(&ratio), "{ratio}");
    let mean = drawn.trace.length().as_secs_f64() / expected / ratio / 60.0;
    assert!((38.0..42.0).contains(&mean), "{mean} min");
}

#[test]
fn clusters_hold_sixty_percent_of_the_starts() {
    let drawn = Workload::clustered(30.0).unwrap().sample(monday(), 28, 1);
    let in_cluster = |s: &Session| s.start().as_micros().rem_euclid(1_800_000_000) < 240_000_000;
    let sessions = drawn.trace.sessions();
    let share = sessions.iter().filter(|s| in_cluster(s)).count() * 100 / sessions.len();
    assert!((57..=63).contains(&share), "{share} %");
}

#[test]
fn days_differ_as_they_are_told_to() {
    let workload = Workload::constant(100.0)
        .unwrap()
        .with_random_days(0.3)
        .unwrap();
    let drawn = workload.sample(monday(), 200, 1);
    let days: Vec<f64> = drawn
        .rates
        .per_hour()
        .iter()
        .step_by(1440)
        .copied()
        .collect();
    let mean = days.iter().sum::<f64>() / 200.0;
    let variance = days.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / 200.0;
    assert!((94.0..106.0).contains(&mean), "{mean}");
    assert!(
        (0.25..0.35).contains(&(variance.sqrt() / mean)),
        "{variance}"
    );
    // The luck of a day does not hang on which day comes first.
    let later = workload.sample(monday() + Duration::from_secs(86_400), 1, 1);
    assert_eq!(later.rates.per_hour()[0].to_bits(), days[1].to_bits());
}

#[test]
fn a_burst_a_growth_and_a_change_of_the_clock_are_where_they_belong() {
    let nine = monday() + Duration::from_secs(9 * 3600);
    let burst = Workload::constant(0.0).unwrap();
    let burst = burst
        .with_burst(nine, 50.0, Duration::from_secs(90))
        .unwrap();
    let drawn = burst.sample(monday(), 1, 1);
    let all = drawn.trace.sessions().len();
    assert!((30..70).contains(&all), "{all}");
    assert_eq!(starts_between(&drawn, nine, nine + 2 * MINUTE), all);
    assert!((drawn.rates.expected(monday(), nine + 10 * MINUTE) - 50.0).abs() < 1e-9);

    let growth = Workload::constant(10.0).unwrap().with_growth(2.0).unwrap();
    let rates = growth.sample(monday(), 15, 1).rates;
    let fortnight = monday() + Duration::from_secs(14 * 86_400);
    assert!((rates.at(fortnight) - 40.0).abs() < 1e-9);

    let change = monday() + Duration::from_secs(86_400);
    let winter = Workload::timetable(10.0)
        .and_then(|w| w.with_utc_offset(monday(), 7200))
        .and_then(|w| w.with_utc_offset(change, 3600))
        .unwrap();
    let rates = winter.sample(monday(), 2, 1).rates;
    let first_lesson = |day: u32, utc: u32| {
        monday() + Duration::from_secs(86_400) * day + 3600 * utc * Duration::from_secs(1)
    };
    assert!(
        rates.at(first_lesson(0, 6)) > 0.0,
        "8 o'clock, two hours ahead of UTC"
    );
    assert!(
        rates.at(first_lesson(1, 7)) > 0.0,
        "8 o'clock, one hour ahead of UTC"
    );
    assert!(rates.at(first_lesson(1, 6)).abs() < f64::EPSILON);
}

#[test]
fn a_seed_gives_the_same_again_and_another_one_something_else() {
    let workload = Workload::clustered(30.0).unwrap();
    let draw = |seed| workload.sample(monday(), 2, seed);
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn wrong_numbers_are_refused_by_name() {
    let workload = || Workload::constant(1.0).unwrap();
    let refused = [
        (Workload::office(-1.0), "per_hour"),
        (Workload::office(f64::NAN), "per_hour"),
        (workload().with_random_days(-0.1), "random_days"),
        (workload().with_growth(0.0), "growth"),
        (workload().with_burst(monday(), -1.0, MINUTE), "starts"),
        (
            workload().with_burst(monday(), 1.0, Duration::ZERO),
            "within",
        ),
        (workload().with_utc_offset(monday(), 90_000), "utc_offset"),
    ];
    for (result, key) in refused {
        assert_eq!(result.unwrap_err().key, key);
    }
}
