use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn session(start: i64, end: i64) -> Session {
    Session::new(at(start), at(end)).unwrap()
}

fn minutes(means: &[f64]) -> Vec<BusyPeriod> {
    let period = |(n, busy): (i64, &f64)| BusyPeriod::new(at(n * 60), MINUTE, *busy);
    (0..).zip(means).map(period).collect()
}

fn found(means: &[f64]) -> Vec<Session> {
    sessions_from_busy(minutes(means), 10 * MINUTE).sessions
}

#[test]
fn increments_are_starts_and_decrements_are_ends() {
    let cases: [(&[f64], Vec<Session>); 10] = [
        (&[], vec![]),
        (&[0.0, 0.0], vec![]),
        (&[0.0, 1.0, 1.0, 0.0], vec![session(60, 180)]),
        (&[0.0, 0.5, 1.0, 0.25, 0.0], vec![session(90, 195)]),
        // Two at once: which of them ends first can't be seen.
        (
            &[0.0, 1.0, 2.0, 1.0, 0.0],
            vec![session(60, 240), session(120, 180)],
        ),
        // A short one, in the middle of its minute.
        (&[0.0, 0.5, 0.0], vec![session(75, 105)]),
        // One ends and another begins, with a gap between them.
        (
            &[0.0, 1.0, 0.5, 1.0, 0.0],
            vec![session(60, 135), session(165, 240)],
        ),
        // The same where the gap lies across the edge of two minutes.
        (
            &[0.0, 1.0, 0.25, 0.5, 1.0, 0.0],
            vec![session(60, 135), session(210, 300)],
        ),
        // Across the edge of two minutes it is one.
        (&[0.0, 0.5, 0.5, 0.0], vec![session(90, 150)]),
        (
            &[0.0, 3.0, 0.0],
            vec![session(60, 120), session(60, 120), session(60, 120)],
        ),
    ];
    for (means, expected) in cases {
        assert_eq!(found(means), expected, "{means:?}");
    }
}

#[test]
fn what_is_under_way_at_an_edge_is_cut_and_counted() {
    let all = sessions_from_busy(minutes(&[1.0, 1.0, 0.0, 1.0]), 10 * MINUTE);
    assert_eq!(all.sessions, [session(0, 120), session(180, 240)]);
    assert_eq!(all.cut, 2);
    assert!(all.exactness().contains("2 were under way at the edge"));
}

#[test]
fn a_short_gap_is_bridged_and_a_long_one_cuts() {
    let mut periods = minutes(&[0.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
    periods.remove(2);
    let bridged = sessions_from_busy(periods.clone(), MINUTE);
    assert_eq!(bridged.sessions, [session(60, 300)]);
    assert_eq!((bridged.missing, bridged.cut), (MINUTE, 0));
    assert!(bridged.exactness().contains("no data for 1m"));
    let cut = sessions_from_busy(periods, MINUTE / 2);
    assert_eq!(cut.sessions, [session(60, 120), session(180, 300)]);
    assert_eq!(cut.cut, 2);
}

#[test]
fn what_is_no_number_of_jibris_is_left_out_and_said() {
    let mut periods = minutes(&[0.0, 1.0, 0.0]);
    for busy in [f64::NAN, -1.0, f64::INFINITY, 1e9] {
        periods.push(BusyPeriod::new(at(600), MINUTE, busy));
    }
    // The same period twice, and one of no length.
    periods.push(BusyPeriod::new(at(60), MINUTE, 7.0));
    periods.push(BusyPeriod::new(at(900), Duration::ZERO, 7.0));
    let all = sessions_from_busy(periods, 10 * MINUTE);
    assert_eq!(all.sessions, [session(60, 120)]);
    assert_eq!(all.ignored, 6);
    assert!(all.exactness().contains("6 periods could not be used"));
}

/// What a metric would have said of these recordings.
fn averaged(sessions: &[Session], period: Duration, count: u32) -> Vec<BusyPeriod> {
    let of = |n: u32| {
        let (from, until) = (at(0) + period * n, at(0) + period * (n + 1));
        let inside = |s: &Session| s.end().min(until).since(s.start().max(from)).as_secs_f64();
        let busy = sessions.iter().map(inside).sum::<f64>() / period.as_secs_f64();
        BusyPeriod::new(from, period, busy)
    };
    (0..count).map(of).collect()
}

proptest! {
    #[test]
    fn the_whole_time_is_right_and_no_start_is_far_off(
        rows in proptest::collection::vec((600..6000_i64, 300..2000_i64), 0..12),
        period in prop_oneof![Just(60_u64), Just(300)],
    ) {
        let sessions: Vec<_> = rows.iter().map(|(start, length)| session(*start, start + length)).collect();
        let period = Duration::from_secs(period);
        let periods = averaged(&sessions, period, u32::try_from(9000 / period.as_secs()).unwrap());
        let found = sessions_from_busy(periods, Duration::ZERO);
        prop_assert_eq!(found.cut, 0);
        let total = |all: &[Session]| all.iter().map(|s| s.length().as_secs_f64()).sum::<f64>();
        prop_assert!((total(&found.sessions) - total(&sessions)).abs() < 0.01);
        // Never more at once than there were, and a start is found near each time at which the number really rose.
        prop_assert!(found.sessions.len() <= sessions.len());
        let lonely = |s: &Session| {
            let edges = sessions.iter().flat_map(|other| [other.start(), other.end()]);
            edges.filter(|edge| edge.since(s.start()).max(s.start().since(*edge)) < 2 * period).count() == 1
        };
        for alone in sessions.iter().filter(|s| lonely(s)) {
            let near = |s: &Session| s.start().since(alone.start()).max(alone.start().since(s.start()));
            let nearest = found.sessions.iter().map(near).min();
            prop_assert!(nearest.is_some_and(|off| off < Duration::from_millis(5)), "{alone:?} in {found:?}");
        }
    }

    #[test]
    fn any_numbers_give_recordings_in_order(
        rows in proptest::collection::vec((any::<i64>(), 0..4000_u64, any::<f64>()), 0..30),
        bridge in 0..4000_u64,
    ) {
        let tame = |busy: f64| if busy.is_finite() { busy % 20.0 } else { busy };
        let periods = rows.iter().map(|(start, length, busy)| {
            BusyPeriod::new(Timestamp::from_micros(*start), Duration::from_secs(*length), tame(*busy))
        });
        let found = sessions_from_busy(periods, Duration::from_secs(bridge));
        prop_assert!(found.sessions.iter().all(|s| s.start() <= s.end()));
        prop_assert!(!found.exactness().is_empty());
    }
}
