//! Each test names the source of what it holds.

use futures_executor::block_on;

use super::*;

const TEN: Duration = Duration::from_secs(10);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn publish(metrics: &SimMetrics, at: Timestamp, idle: bool) {
    block_on(metrics.publish(&[SignalPoint::new(at, idle)])).unwrap();
}

fn sums(metrics: &SimMetrics, from: i64, to: i64, period: Duration) -> Vec<(i64, f64, f64)> {
    let sums = block_on(metrics.sums(at(from), at(to), period)).unwrap();
    let row = |sum: &SignalSum| (sum.at.as_micros() / 1_000_000, sum.idle, sum.publishers);
    sums.iter().map(row).collect()
}

/// CloudWatch concepts, "Statistics": Sum of all values, `SampleCount` of the points, in clock-aligned periods stamped with their start.
/// Four instances that publish each 10 s are 4 in a period of 10 s and 24 in a minute (measured on moto).
#[test]
fn points_add_up_in_the_clock_aligned_period_of_their_time() {
    let metrics = SimMetrics::high_resolution(at(1200));
    for tick in 0..12 {
        for instance in 0..4 {
            publish(&metrics, at(1205 + 10 * tick), instance > 0);
        }
    }
    let expected = [1200, 1210, 1220].map(|start| (start, 3.0, 4.0));
    assert_eq!(sums(&metrics, 1200, 1230, TEN), expected);
    assert_eq!(sums(&metrics, 1200, 1260, MINUTE), [(1200, 18.0, 24.0)]);
    let minute = metrics.period(metric::IDLE, at(1200), MINUTE).unwrap();
    assert_eq!((minute.minimum, minute.maximum), (0.0, 1.0));
}

/// CloudWatch concepts, "Aggregation": any number of points may have the same time; all count. A repeated request counts twice.
#[test]
fn a_point_that_comes_twice_counts_twice() {
    let metrics = SimMetrics::high_resolution(at(0));
    for _ in 0..2 {
        publish(&metrics, at(5), true);
    }
    assert_eq!(sums(&metrics, 0, 10, TEN), [(0, 2.0, 2.0)]);
}

/// `PutMetricAlarm`, Period: data of standard resolution read with a period of 10 s has points at full minutes only.
#[test]
fn standard_resolution_is_kept_by_the_minute() {
    let metrics = SimMetrics::standard(at(0));
    publish(&metrics, at(35), true);
    publish(&metrics, at(55), true);
    assert_eq!(sums(&metrics, 0, 60, TEN), [(0, 2.0, 2.0)]);
    assert_eq!(sums(&metrics, 0, 60, MINUTE), [(0, 2.0, 2.0)]);
}

/// `GetMetricData`: the start is inclusive and rounded down, the end exclusive; periods without a point are left out.
#[test]
fn a_window_is_rounded_down_at_its_start_and_ends_before_its_end() {
    let metrics = SimMetrics::standard(at(0));
    for minute in [0, 1, 3, 4] {
        publish(&metrics, at(60 * minute + 30), true);
    }
    let starts = |from, to| {
        let sums = sums(&metrics, from, to, MINUTE);
        sums.iter().map(|sum| sum.0).collect::<Vec<_>>()
    };
    assert_eq!(starts(0, 300), [0, 60, 180, 240]);
    assert_eq!(starts(90, 240), [60, 180]);
}

/// A point counts when it has arrived, in the period of its own time: the newest sum may be partial.
#[test]
fn a_late_point_counts_in_its_own_period() {
    let metrics = SimMetrics::standard(at(0)).with_delay(secs(20));
    publish(&metrics, at(0), true);
    metrics.advance(at(50));
    publish(&metrics, at(50), true);
    metrics.advance(at(69));
    assert_eq!(sums(&metrics, 0, 60, MINUTE), [(0, 1.0, 1.0)]);
    metrics.advance(at(70));
    assert_eq!(sums(&metrics, 0, 60, MINUTE), [(0, 2.0, 2.0)]);
    metrics.advance(at(0));
    assert_eq!(metrics.now(), at(70), "time never goes back");
}

/// `GetMetricStatistics`: points of periods under a minute are available for three hours.
#[test]
fn fine_periods_can_be_read_for_three_hours() {
    let metrics = SimMetrics::high_resolution(at(0));
    publish(&metrics, at(5), true);
    metrics.advance(at(3 * 3600));
    assert_eq!(sums(&metrics, 0, 10, TEN).len(), 1);
    metrics.advance(at(3 * 3600 + 1));
    assert_eq!(sums(&metrics, 0, 10, TEN), []);
    assert_eq!(sums(&metrics, 0, 60, MINUTE).len(), 1);
}

/// `GetMetricData`, Period.
#[test]
fn unknown_periods_are_refused() {
    let metrics = SimMetrics::high_resolution(at(0));
    for period in [
        secs(1),
        secs(5),
        TEN,
        secs(20),
        secs(30),
        MINUTE,
        5 * MINUTE,
    ] {
        assert!(block_on(metrics.sums(at(0), at(60), period)).is_ok());
    }
    for period in [
        Duration::ZERO,
        secs(7),
        secs(90),
        Duration::from_millis(1500),
    ] {
        let error = block_on(metrics.sums(at(0), at(60), period)).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Permanent, "{period:?}");
    }
}

/// `PutMetricData`: up to two weeks back and two hours ahead.
#[test]
fn times_far_from_now_are_refused() {
    let metrics = SimMetrics::standard(at(0));
    let accepts = |time| block_on(metrics.publish(&[SignalPoint::new(at(time), true)])).is_ok();
    assert!(accepts(-14 * 86_400) && accepts(7200));
    assert!(!accepts(-14 * 86_400 - 1) && !accepts(7201));
}

#[test]
fn what_goes_with_a_point_goes_to_its_own_metric() {
    let metrics = SimMetrics::standard(at(0));
    let mut point = SignalPoint::new(at(30), false);
    (point.in_service, point.retained) = (Some(7), Some(1));
    point.busy_for = Some(secs(90));
    block_on(metrics.publish(&[point, SignalPoint::new(at(40), true)])).unwrap();
    let mut held = DrainPoint::new(at(30), secs(120));
    block_on(metrics.publish_drain(held)).unwrap();
    assert_eq!(
        metrics.period(metric::RELEASE_CHECK_FAILED, at(0), MINUTE),
        None
    );
    held.release_check_failed = true;
    block_on(metrics.publish_drain(held)).unwrap();
    let seen = |name| {
        let seen = metrics.period(name, at(0), MINUTE).unwrap();
        (seen.samples, seen.maximum)
    };
    let names = [
        (metric::IDLE, (2.0, 1.0)),
        (metric::IN_SERVICE, (1.0, 7.0)),
        (metric::RETAINED, (1.0, 1.0)),
        (metric::BUSY_SECONDS, (1.0, 90.0)),
        (metric::HOOK_SECONDS, (2.0, 120.0)),
        (metric::RELEASE_CHECK_FAILED, (1.0, 1.0)),
    ];
    for (name, expected) in names {
        assert_eq!(seen(name), expected, "{name}");
    }
}

#[test]
fn calls_that_are_set_to_fail_do_nothing() {
    let metrics = SimMetrics::standard(at(0));
    metrics.set_failing(Some(PortErrorKind::Throttled));
    let point = SignalPoint::new(at(30), true);
    let error = block_on(metrics.publish(&[point])).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Throttled);
    assert!(
        block_on(metrics.publish(&[])).is_ok(),
        "no points, no request"
    );
    assert!(block_on(metrics.sums(at(0), at(60), MINUTE)).is_err());
    assert!(block_on(metrics.publish_drain(DrainPoint::new(at(30), TEN))).is_err());
    metrics.set_failing(None);
    assert_eq!(sums(&metrics, 0, 60, MINUTE), []);
}
