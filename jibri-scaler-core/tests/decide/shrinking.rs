//! When some may go: the hold window, the idle run, and the limits.

use std::time::Duration;

use jibri_scaler_core::{DrainPath, Stage};

use crate::common::{Jibri, Run, all, at, finds, many, plan, step, tally};

/// Three idle ones, one wanted: two may go after a minute.
fn run() -> (Run, Vec<Jibri>) {
    (
        Run::new((0, 9, 3), "min_idle = 1"),
        many('i', 3, Jibri::idle),
    )
}

const BOTH: &str = "retire i-00, retire i-01";

#[test]
fn hold_and_idle_time_run_side_by_side_and_both_ends_count() {
    let (mut run, fleet) = run();
    run.observe(0, 59, &fleet);
    assert_eq!(plan(&run.tick(60, &fleet)), BOTH);
}

#[test]
fn each_clock_alone_is_not_enough() {
    for (policy, until) in [
        ("idle_timeout = '60s'\nsurplus_hold = '120s'", 120),
        ("idle_timeout = '120s'\nsurplus_hold = '60s'", 120),
        ("idle_timeout = '0s'\nsurplus_hold = '60s'", 60),
        ("idle_timeout = '60s'\nsurplus_hold = '0s'", 60),
        ("idle_timeout = '0s'\nsurplus_hold = '0s'", 30),
    ] {
        let mut run = Run::new((0, 9, 3), policy);
        let fleet = many('i', 3, Jibri::idle);
        assert_eq!(plan(&run.quiet(0, until, &fleet)), BOTH, "{policy}");
    }
}

#[test]
fn the_smallest_surplus_of_the_closed_window_may_go() {
    // Surplus 2, then 1, then 2 again: the dip counts for a whole minute, its last moment included.
    let (mut run, fleet) = run();
    let dip = all(&[&fleet[..2], &[fleet[2].clone().timed_out(20)]]);
    run.pass(0, &fleet);
    run.pass(30, &dip);
    let decision = run.tick(60, &fleet);
    assert_eq!(step(&decision, Stage::Surplus), (2, 1));
    assert_eq!(plan(&decision), "retire i-00");
    assert_eq!(
        plan(&run.tick(90, &fleet)),
        "",
        "the one that went was the one that was too many"
    );
    assert_eq!(
        plan(&run.tick(91, &fleet)),
        "retire i-01",
        "the dip has left the window"
    );
}

#[test]
fn what_goes_does_not_let_others_go_in_its_place() {
    let mut run = Run::new((0, 9, 6), "min_idle = 1\nsurplus_hold = '300s'");
    let fleet = many('i', 6, Jibri::idle);
    let peak = all(&[
        &many('i', 4, |id| Jibri::idle(id).timed_out(0)),
        &fleet[4..],
    ]);
    run.observe(0, 30, &fleet);
    run.pass(31, &peak);
    let decision = run.quiet(60, 300, &fleet);
    assert_eq!(
        plan(&decision),
        "retire i-00",
        "one was too many at all times"
    );
    assert_eq!(plan(&run.quiet(330, 331, &fleet)), "");
    assert_eq!(
        plan(&run.tick(332, &fleet)),
        "retire i-01, retire i-02, retire i-03, retire i-04"
    );
}

#[test]
fn a_gap_longer_than_report_ttl_starts_both_clocks_anew() {
    let (mut run, fleet) = run();
    run.observe(0, 30, &fleet);
    assert_eq!(plan(&run.tick(75, &fleet)), BOTH, "45 s apart is no gap");
    let (mut run, fleet) = self::run();
    run.observe(0, 30, &fleet);
    let decision = run.tick(76, &fleet);
    assert!(finds(&decision, "nothing was observed for 46s"));
    run.observe(76, 135, &fleet);
    assert_eq!(plan(&run.tick(136, &fleet)), BOTH);
}

#[test]
fn a_step_back_in_time_starts_both_clocks_anew() {
    let (mut run, fleet) = run();
    run.observe(0, 59, &fleet);
    let decision = run.tick(50, &fleet);
    assert!(finds(&decision, "time stepped back by 9s"));
    assert_eq!(plan(&decision), "");
    run.observe(59, 109, &fleet);
    assert_eq!(plan(&run.tick(110, &fleet)), BOTH);
}

#[test]
fn the_same_instant_twice_is_neither_a_gap_nor_a_second_report() {
    let (mut run, fleet) = run();
    run.limits = run
        .limits
        .clone()
        .with_idle_timeout(Duration::ZERO)
        .unwrap();
    run.pass(0, &fleet);
    let decision = run.tick(0, &fleet);
    assert_eq!(plan(&decision), "", "one report, seen twice");
    assert!(decision.explanation.findings.is_empty());
    run.limits = run
        .limits
        .with_surplus_hold(Duration::from_secs(30))
        .unwrap();
    run.pass(30, &fleet);
    assert!(tally(&run.tick(30, &fleet).tally).contains("retiring 2"));
}

#[test]
fn two_reports_with_distinct_times_are_needed() {
    let mut run = Run::new((0, 9, 2), "min_idle = 1\nidle_timeout = '0s'");
    let fleet = [
        Jibri::idle("a").stamped(at(0)),
        Jibri::idle("b").stamped(at(0)),
    ];
    assert_eq!(plan(&run.quiet(0, 40, &fleet)), "");
    let newer = [Jibri::idle("a").stamped(at(0)), Jibri::idle("b")];
    assert_eq!(plan(&run.tick(41, &newer)), "retire b");
}

#[test]
fn idle_time_is_counted_between_reports_not_until_now() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    for (now, newest, expected) in [(0, 0, ""), (30, 30, ""), (60, 59, ""), (61, 60, "retire i")] {
        let fleet = [Jibri::idle("i").stamped(at(newest))];
        assert_eq!(plan(&run.tick(now, &fleet)), expected, "at {now}");
    }
}

#[test]
fn any_other_reading_breaks_the_idle_run() {
    for (case, other) in [
        ("busy", Jibri::busy("i-00")),
        ("unhealthy", Jibri::says("i-00", "IDLE", "")),
        ("expired", Jibri::says("i-00", "NAPPING", "HEALTHY")),
        ("refused", Jibri::idle("i-00").refused()),
        ("stale", Jibri::idle("i-00").timed_out(-20)),
        ("unreadable", Jibri::with_body("i-00", "")),
        ("listed twice", Jibri::idle("i-00").zone("elsewhere")),
    ] {
        let mut run = Run::new((0, 9, 4), "min_idle = 1");
        let fleet = many('i', 4, Jibri::idle);
        let rest = if case == "listed twice" {
            &fleet[..]
        } else {
            &fleet[1..]
        };
        run.pass(0, &fleet);
        run.pass(30, &all(&[&[other], rest]));
        assert_eq!(
            plan(&run.tick(60, &fleet)),
            "retire i-01, retire i-02",
            "{case}"
        );
    }
}

#[test]
fn a_lost_packet_does_not_break_the_run_but_the_instance_stays_for_this_tick() {
    let (mut run, fleet) = run();
    run.observe(0, 59, &fleet);
    let lost = all(&[&[fleet[0].clone().timed_out(59)], &fleet[1..]]);
    let decision = run.tick(60, &lost);
    assert_eq!(plan(&decision), "retire i-01");
    assert_eq!(tally(&decision.tally), "spare 3");
    let mut lost_once = Run::new((0, 9, 3), "min_idle = 1\nsurplus_hold = '0s'");
    lost_once.pass(0, &fleet);
    lost_once.pass(30, &all(&[&[fleet[0].clone().timed_out(0)], &fleet[1..]]));
    assert_eq!(plan(&lost_once.tick(60, &fleet)), BOTH);
}

#[test]
fn booting_ones_make_no_ready_one_superfluous() {
    let mut run = Run::new((0, 9, 5), "min_idle = 2");
    let fleet = all(&[&many('i', 2, Jibri::idle), &many('n', 3, Jibri::silent)]);
    assert_eq!(plan(&run.quiet(0, 300, &fleet)), "");
}

#[test]
fn headroom_is_above_the_minimum_after_those_that_are_leaving() {
    let mut run = Run::new((2, 9, 4), "min_idle = 0\nmax_retire = 1");
    let fleet = many('i', 4, Jibri::idle);
    assert_eq!(plan(&run.quiet(0, 60, &fleet)), "retire i-00");
    run.limits = run.limits.with_max_retire(9).unwrap();
    let decision = run.tick(90, &fleet);
    assert_eq!(plan(&decision), "retire i-01", "4 − 2 − 1");
    assert_eq!(step(&decision, Stage::Headroom), (3, 1));
    assert_eq!(plan(&run.quiet(120, 240, &fleet)), "");
}

#[test]
fn a_told_one_that_left_service_takes_no_headroom() {
    let mut run = Run::new((2, 9, 4), "min_idle = 0\nmax_retire = 1");
    let fleet = many('i', 4, Jibri::idle);
    assert_eq!(plan(&run.quiet(0, 60, &fleet)), "retire i-00");
    run.group.desired = 3;
    let leaving = all(&[&[fleet[0].clone().lifecycle("Terminating")], &fleet[1..]]);
    run.limits = run.limits.with_max_retire(9).unwrap();
    assert_eq!(plan(&run.tick(90, &leaving)), "retire i-01", "3 − 2");
}

#[test]
fn who_finishes_a_recording_takes_no_headroom() {
    // What i-00 does once it was told, and whether i-01 may go in a group of two with a minimum of one.
    let table: [(Jibri, &str); 4] = [
        (Jibri::busy("i-00"), "retire i-01"),
        (Jibri::idle("i-00"), ""),
        (Jibri::idle("i-00").refused(), ""),
        (Jibri::idle("i-00").timed_out(30), ""),
    ];
    for (told, expected) in table {
        let mut run = Run::new((1, 9, 2), "min_idle = 0");
        let fleet = many('i', 2, Jibri::idle);
        assert_eq!(plan(&run.quiet(0, 60, &fleet)), "retire i-00");
        let fleet = all(&[&[told], &fleet[1..]]);
        assert_eq!(plan(&run.tick(90, &fleet)), expected);
    }
}

#[test]
fn headroom_is_that_after_the_capacity_is_set() {
    // Others have lowered the desired capacity; it is set to what is there, and then three go at once, not one and later two.
    let mut run = Run::new((1, 9, 2), "min_idle = 3\nsurplus_hold = '0s'");
    run.group.max_size = 5;
    let fleet = many('i', 6, Jibri::idle);
    run.observe(0, 59, &fleet);
    run.group.max_size = 9;
    assert_eq!(
        plan(&run.tick(60, &fleet)),
        "set 6, retire i-00, retire i-01, retire i-02"
    );
    run.group.desired = 6;
    assert_eq!(plan(&run.tick(60, &fleet)), "");
}

#[test]
fn max_retire_does_not_count_those_that_were_seen_busy() {
    let mut run = Run::new((0, 9, 4), "min_idle = 1\nmax_retire = 1");
    let fleet = many('i', 4, Jibri::idle);
    assert_eq!(plan(&run.quiet(0, 60, &fleet)), "retire i-00");
    assert_eq!(plan(&run.quiet(90, 180, &fleet)), "", "one is under way");
    let busy = all(&[&[Jibri::busy("i-00")], &fleet[1..]]);
    assert_eq!(plan(&run.tick(210, &busy)), "retire i-01");
    assert_eq!(
        plan(&run.tick(240, &fleet)),
        "",
        "and that one is under way now"
    );
}

#[test]
fn nothing_goes_while_blind() {
    let mut run = Run::new((0, 9, 6), "min_idle = 0");
    let seen = all(&[&many('i', 3, Jibri::idle), &many('u', 3, Jibri::idle)]);
    run.observe(0, 59, &seen);
    let dark = all(&[
        &many('i', 3, Jibri::idle),
        &many('u', 3, |id| Jibri::idle(id).refused()),
    ]);
    let decision = run.tick(60, &dark);
    assert!(finds(&decision, "blind"));
    assert_eq!(
        (step(&decision, Stage::Surplus), plan(&decision).as_str()),
        ((3, 0), "")
    );
}

#[test]
fn without_a_safe_way_nothing_goes_and_the_decision_says_so() {
    let (mut run, fleet) = run();
    run.group.safe_retirement = false;
    let decision = run.quiet(0, 300, &fleet);
    assert_eq!(
        (
            plan(&decision).as_str(),
            step(&decision, Stage::SafeRetirement)
        ),
        ("", (2, 0))
    );
    assert!(finds(
        &decision,
        "i-00, i-01, i-02 could go, but can't be told to end"
    ));

    let (mut run, _) = self::run();
    let fleet = [
        Jibri::idle("a").drain(DrainPath::None),
        Jibri::idle("b").drain(DrainPath::None),
        Jibri::idle("c").drain(DrainPath::Agent),
    ];
    let decision = run.quiet(0, 60, &fleet);
    assert_eq!(plan(&decision), "retire c");
    assert!(finds(&decision, "a, b could go, but can't be told to end"));
}
