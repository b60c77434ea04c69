//! Growth by alarm: the text that CloudWatch evaluates is the function that is tested, and the function is the policy's own vote.

mod metric_math;

use std::{collections::BTreeMap, time::Duration};

use jibri_scaler_core::{
    Group, Tally, Timestamp,
    native::{Growth, NotByAlarm},
    policy::{MaxOf, MinIdle, Percent, PercentIdle, Policy, Situation, Vote},
};
use proptest::prelude::*;

fn policy(min_idle: u32, percent: f64) -> MaxOf {
    MaxOf::new([
        Box::new(MinIdle::new(min_idle).unwrap()) as Box<dyn Policy>,
        Box::new(PercentIdle::new(Percent::new(percent).unwrap())),
    ])
}

fn growth(min_idle: u32, percent: f64, max_launch: u32) -> Growth {
    Growth::new(&policy(min_idle, percent), max_launch, 1).unwrap()
}

fn evaluate(growth: &Growth, idle: u32, n: u32, in_service: u32) -> f64 {
    let sums = BTreeMap::from([
        ("idle", f64::from(idle)),
        ("n", f64::from(n)),
        ("inservice", f64::from(in_service)),
    ]);
    metric_math::evaluate(&growth.expression(), &sums)
}

fn is(left: f64, right: f64) -> bool {
    // Both are whole numbers far below 2^53.
    (left - right).abs() < 1e-9
}

proptest! {
    #[test]
    fn the_text_is_the_function(
        min_idle in 1_u32..200,
        millionths in 0_u32..=95_000_000,
        n in 0_u32..5000,
        idle_share in 0.0..=1.0_f64,
        in_service in 0_u32..10_000,
    ) {
        let growth = growth(min_idle, f64::from(millionths) / 1e6, 20);
        let idle = share_of(n, idle_share);
        let (text, value) = (
            evaluate(&growth, idle, n, in_service),
            growth.value(f64::from(idle), f64::from(n), f64::from(in_service)),
        );
        prop_assert!(is(text, value), "{text} is not {value}: {}", growth.expression());
        let silent = 2 * n < in_service;
        let short = growth.short(f64::from(idle), f64::from(n));
        let expected = if silent { 0.0 } else { short };
        prop_assert!(is(value, expected));
    }

    #[test]
    fn the_function_is_the_vote_of_the_policy(
        min_idle in 1_u32..50,
        millionths in 0_u32..=95_000_000,
        n in 0_u32..5000,
        idle_share in 0.0..=1.0_f64,
    ) {
        let percent = f64::from(millionths) / 1e6;
        let idle = share_of(n, idle_share);
        let tally = Tally::default();
        let situation = Situation::new(Timestamp::MIN, Group::new(1, n, n), &tally, n - idle);
        let wanted = f64::from(policy(min_idle, percent).vote(&situation).spare);
        let short = growth(min_idle, percent, 20).short(f64::from(idle), f64::from(n));
        prop_assert!(is(short, wanted - f64::from(idle)), "{short} is not {wanted} − {idle}");
    }

    #[test]
    fn a_step_is_at_least_the_shortfall_and_little_more(
        max_launch in 1_u32..=10_000,
        short in 1_u32..20_000,
    ) {
        let growth = growth(1, 0.0, max_launch);
        let added = growth.adjustment(f64::from(short));
        prop_assert!(added >= short.min(max_launch));
        prop_assert!(added <= max_launch);
        // The worst is 10 000 in 20 steps, which needs rises of 67 %.
        prop_assert!(f64::from(added) <= (f64::from(short) * 1.67).max(f64::from(short.min(3))));
        if short <= 3 || max_launch <= 20 {
            prop_assert_eq!(added, short.min(max_launch));
        }
    }

    #[test]
    fn the_steps_are_what_auto_scaling_takes(max_launch in 1_u32..=10_000) {
        let steps = growth(1, 0.0, max_launch).steps();
        prop_assert!(steps.len() <= 20);
        prop_assert_eq!(steps[0].lower, 0);
        for pair in steps.windows(2) {
            prop_assert_eq!(pair[0].upper, Some(pair[1].lower));
            prop_assert!(pair[0].lower < pair[1].lower);
            prop_assert!(pair[0].adjustment < pair[1].adjustment);
        }
        let last = steps.last().unwrap();
        prop_assert_eq!((last.upper, last.adjustment), (None, max_launch));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of at most 1 of a u32"
)]
fn share_of(n: u32, share: f64) -> u32 {
    (f64::from(n) * share).floor() as u32
}

#[test]
fn nothing_is_added_where_nothing_is_short() {
    let growth = growth(2, 20.0, 20);
    for (idle, n) in [(2, 2), (2, 10), (5, 5), (3, 15)] {
        let value = growth.value(f64::from(idle), f64::from(n), f64::from(n));
        assert!(value <= 0.0, "{idle} of {n}");
        assert_eq!(growth.adjustment(value), 0);
    }
}

#[test]
fn fewer_than_half_speaking_never_grow() {
    let growth = growth(3, 0.0, 20);
    assert!(is(growth.value(0.0, 5.0, 10.0), 3.0), "half speak");
    assert!(is(growth.value(0.0, 4.0, 10.0), 0.0), "fewer than half");
    assert!(is(growth.value(0.0, 1.0, 1.0), 3.0));
}

#[test]
fn the_largest_expression_is_one_that_cloudwatch_takes() {
    let text = growth(10_000, 94.999_999, 10_000).expression();
    assert!(text.len() <= 1024, "{text}");
}

#[test]
fn what_an_alarm_cannot_do_is_refused_with_the_reason_and_the_advice() {
    #[derive(Debug)]
    struct Schedule;

    impl Policy for Schedule {
        fn vote(&self, _: &Situation<'_>) -> Vote {
            Vote::new("schedule", 9, "it is Monday")
        }
    }

    let mixed = MaxOf::new([
        Box::new(MinIdle::default()) as Box<dyn Policy>,
        Box::new(Schedule),
    ]);
    let error = Growth::new(&mixed, 20, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an alarm can't follow this policy: the vote of policy `Schedule` does not follow from the number of idle and busy Jibris \
         alone; run the controller for it, or leave it out and provision min_idle and percent_idle"
    );
    let nothing = Growth::new(&policy(0, 0.0), 20, 1);
    assert_eq!(nothing, Err(NotByAlarm::NothingWanted));
    assert_eq!(
        Growth::new(&policy(1, 0.0), 20, 0),
        Err(NotByAlarm::EmptyGroup)
    );
    // A share alone wants at least one.
    assert!(is(growth(0, 20.0, 20).short(0.0, 0.0), 1.0));
}

#[test]
fn the_warm_up_is_the_boot_and_two_periods() {
    let warm_up = |millis, period| {
        Growth::warm_up(Duration::from_millis(millis), Duration::from_secs(period)).as_secs()
    };
    assert_eq!(warm_up(180_000, 10), 200);
    assert_eq!(warm_up(180_001, 10), 201);
    assert_eq!(warm_up(90_000, 60), 210);
}
