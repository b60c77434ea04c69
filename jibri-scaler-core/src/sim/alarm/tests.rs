//! Each test names the source of what it holds.

use super::*;
use crate::policy::MinIdle;

const TEN: Duration = Duration::from_secs(10);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

const TREATMENTS: [TreatMissingData; 4] = [
    TreatMissingData::Missing,
    TreatMissingData::Ignore,
    TreatMissingData::Breaching,
    TreatMissingData::NotBreaching,
];

/// The user guide's notation: the newest is on the right; 0 is within, X beyond the threshold, - is missing.
fn range(text: &str) -> Vec<Option<f64>> {
    let value = |sign| match sign {
        "0" => Some(0.0),
        "X" => Some(1.0),
        _ => None,
    };
    text.split(' ').map(value).collect()
}

/// The states by missing, ignore, breaching and notBreaching; `None` where the state is kept, whatever it was.
fn judged(text: &str, needed: u32) -> [Option<AlarmState>; 4] {
    TREATMENTS.map(|missing| {
        let mut alarm = SimAlarm::new(at(0), MINUTE, needed, 3).unwrap();
        alarm.missing = missing;
        let states = [AlarmState::Ok, AlarmState::Alarm].map(|before| {
            alarm.state = before;
            alarm.judge(&range(text))
        });
        (states[0] == states[1]).then_some(states[0])
    })
}

const OK: Option<AlarmState> = Some(AlarmState::Ok);
const ALARM: Option<AlarmState> = Some(AlarmState::Alarm);
const INSUFFICIENT: Option<AlarmState> = Some(AlarmState::InsufficientData);

/// User guide, "How CloudWatch alarms treat missing data": the table of 3 out of 3.
#[test]
fn three_of_three_as_in_the_user_guide() {
    let table = [
        ("0 - X - X", [OK, OK, OK, OK]),
        ("0 - - - -", [OK, OK, OK, OK]),
        ("- - - - -", [INSUFFICIENT, None, ALARM, OK]),
        ("0 X X - X", [ALARM, ALARM, ALARM, ALARM]),
        ("- - X - -", [ALARM, None, ALARM, OK]),
    ];
    for (points, expected) in table {
        assert_eq!(judged(points, 3), expected, "{points}");
    }
}

/// User guide, "How CloudWatch alarms treat missing data": the table of 2 out of 3.
#[test]
fn two_of_three_as_in_the_user_guide() {
    let table = [
        ("0 - X - X", [ALARM, ALARM, ALARM, ALARM]),
        ("0 0 X 0 X", [ALARM, ALARM, ALARM, ALARM]),
        ("0 - X - -", [OK, OK, ALARM, OK]),
        ("- - - - 0", [OK, OK, ALARM, OK]),
        ("- - - X -", [ALARM, None, ALARM, OK]),
    ];
    for (points, expected) in table {
        assert_eq!(judged(points, 2), expected, "{points}");
    }
}

/// User guide, "Avoiding premature transitions to alarm state": not yet while the next point may be within the threshold.
#[test]
fn no_alarm_before_the_breaching_point_is_as_old_as_the_number_that_must_breach() {
    for points in ["- - - - X", "- - - X -"] {
        assert_eq!(judged(points, 3)[0], INSUFFICIENT, "{points}");
    }
}

/// Two minutes of these idle numbers, each published in the middle of its minute.
fn published(values: &[f64]) -> SimMetrics {
    let metrics = SimMetrics::standard(at(0));
    let mut time = at(30);
    for value in values {
        metrics.put(metric::IDLE, time, *value);
        time = time + MINUTE;
    }
    metrics
}

fn minutes(alarm: &mut SimAlarm, metrics: &SimMetrics, minutes: std::ops::Range<i64>) -> Vec<i64> {
    let mut acted = Vec::new();
    for secs in minutes.start * 60..minutes.end * 60 {
        metrics.advance(at(secs));
        if alarm.evaluate(metrics).is_some() {
            acted.push(secs);
        }
    }
    acted
}

/// User guide, "Using CloudWatch alarms": once a minute, and scaling actions again each minute while it stays in ALARM.
#[test]
fn the_action_is_repeated_each_minute_of_an_alarm() {
    let metrics = published(&[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    let mut alarm = SimAlarm::new(at(0), MINUTE, 2, 2).unwrap();
    assert_eq!(alarm.state(), AlarmState::InsufficientData);
    assert_eq!(alarm.next_evaluation(), at(60));
    let acted = minutes(&mut alarm, &metrics, 0..9);
    assert_eq!(acted, [120, 180, 240, 480]);
    assert_eq!(alarm.state(), AlarmState::Alarm);
}

/// `PutMetricAlarm`: periods of 10, 20 and 30 s are evaluated every 10 s. Its action is repeated each minute all the same.
#[test]
fn a_period_of_ten_seconds_is_evaluated_every_ten_seconds() {
    let metrics = SimMetrics::high_resolution(at(0));
    for tick in 0..20 {
        let idle = if tick < 3 { 0.0 } else { 1.0 };
        metrics.put(metric::IDLE, at(5 + 10 * tick), idle);
    }
    let mut alarm = SimAlarm::new(at(0), TEN, 2, 2).unwrap();
    assert_eq!(minutes(&mut alarm, &metrics, 0..3), [50, 110, 170]);
    let period = |secs| SimAlarm::new(at(0), Duration::from_secs(secs), 1, 1);
    assert!(
        [10, 20, 30, 60, 300]
            .iter()
            .all(|secs| period(*secs).is_ok())
    );
    assert!([0, 1, 5, 15, 90].iter().all(|secs| period(*secs).is_err()));
    assert!(SimAlarm::new(at(0), TEN, 0, 1).is_err());
    assert!(SimAlarm::new(at(0), TEN, 3, 2).is_err());
}

/// What it acts on are the periods that were evaluated, the newest with data; a period that has not arrived yet is not among them.
#[test]
fn it_acts_on_the_newest_periods_with_data() {
    let metrics = SimMetrics::standard(at(0)).with_delay(Duration::from_secs(45));
    let mut alarm = SimAlarm::new(at(0), MINUTE, 2, 2).unwrap();
    for (minute, value) in [(0, 2.0), (1, 3.0), (2, 4.0)] {
        metrics.advance(at(60 * minute + 30));
        metrics.put(metric::IDLE, at(60 * minute + 30), value);
    }
    metrics.advance(at(180));
    assert_eq!(alarm.evaluate(&metrics), Some(vec![2.0, 3.0]));
    assert_eq!(
        alarm.evaluate(&metrics),
        None,
        "not twice in one evaluation"
    );
}

/// User guide, "How CloudWatch alarms treat missing data", Note: the last points are evaluated again for a while after the metric has
/// stopped flowing, and may execute actions again. That ends when they have left the range; with `ignore` it never does.
#[test]
fn what_silence_does_after_an_alarm() {
    let acted = TREATMENTS.map(|missing| {
        let metrics = published(&[1.0, 1.0]);
        let alarm = SimAlarm::new(at(0), MINUTE, 2, 2).unwrap();
        let mut alarm = alarm.with_missing_data(missing);
        let acted = minutes(&mut alarm, &metrics, 0..20);
        (acted.last().copied().unwrap(), alarm.state())
    });
    // With `missing`, the last one is as old as two periods: an alarm in spite of a single point.
    let expected = [
        (300, AlarmState::InsufficientData),
        (19 * 60, AlarmState::Alarm),
        (19 * 60, AlarmState::Alarm),
        (240, AlarmState::Ok),
    ];
    assert_eq!(acted, expected);
}

/// Metric math: an expression has a value where all its metrics have.
#[test]
fn a_period_in_which_one_metric_is_missing_is_missing() {
    let metrics = published(&[0.0, 0.0]);
    let growth = Growth::new(&MinIdle::new(2).unwrap(), 20, 1).unwrap();
    let mut alarm = SimAlarm::of_growth(growth, at(0), MINUTE).unwrap();
    metrics.advance(at(120));
    assert_eq!(alarm.evaluate(&metrics), None);
    metrics.put(metric::IN_SERVICE, at(30), 1.0);
    metrics.put(metric::IN_SERVICE, at(90), 1.0);
    metrics.advance(at(180));
    assert_eq!(alarm.evaluate(&metrics), Some(vec![2.0, 2.0]));
    assert!((alarm.threshold() - Growth::THRESHOLD).abs() < f64::EPSILON);
}

/// The guard of the growth rule: it does not grow where fewer than half of those in service publish.
#[test]
fn growth_stands_still_while_most_are_silent() {
    let metrics = published(&[0.0, 0.0]);
    let growth = Growth::new(&MinIdle::new(2).unwrap(), 20, 1).unwrap();
    let mut alarm = SimAlarm::of_growth(growth, at(0), MINUTE).unwrap();
    for time in [30, 90] {
        metrics.put(metric::IN_SERVICE, at(time), 3.0);
    }
    metrics.advance(at(120));
    assert_eq!(alarm.evaluate(&metrics), None);
    assert_eq!(alarm.state(), AlarmState::Ok);
}
