//! Clocks that jump.

use jibri_scaler_core::Reachability;

use crate::common::{Jibri, Run, all, finds, many, plan, tally};

#[test]
fn a_step_back_makes_no_old_report_fresh_again() {
    // One that was expired when last heard, which may be recording by now.
    let mut run = Run::new((0, 9, 2), "min_idle = 1");
    run.group.safe_retirement = false;
    let lost = |newest| [Jibri::idle("a"), Jibri::expired("x").timed_out(newest)];
    run.pass(0, &[Jibri::idle("a"), Jibri::expired("x")]);
    run.observe(30, 60, &lost(0));
    run.group.safe_retirement = true;
    for secs in [50, 0, -600] {
        let decision = run.tick(secs, &lost(0));
        assert_eq!(
            (plan(&decision).as_str(), tally(&decision.tally).as_str()),
            ("", "spare 1, unknown 1"),
            "at {secs}"
        );
    }
}

#[test]
fn what_was_overdue_stays_so_until_it_is_heard() {
    let dark = many('n', 2, |id| Jibri::silent(id).launched(0));
    let fleet = all(&[&dark, &[Jibri::idle("a"), Jibri::expired("x")]]);
    let mut run = Run::new((0, 9, 4), "min_idle = 1");
    run.observe(600, 660, &fleet);
    // Neither a gap nor a step back gives sight back.
    for secs in [9999, 10_020, 300, 330] {
        let decision = run.tick(secs, &fleet);
        assert!(finds(&decision, "blind"), "at {secs}");
        assert_eq!(plan(&decision), "", "at {secs}");
    }
    let heard = all(&[&many('n', 2, Jibri::busy), &fleet[2..]]);
    assert_eq!(
        tally(&run.tick(360, &heard).tally),
        "spare 1, busy 2, expired 1"
    );
}

#[test]
fn a_gap_makes_nothing_overdue() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    let fleet = [Jibri::silent("n").launched(0)];
    run.observe(0, 30, &fleet);
    assert_eq!(tally(&run.tick(700, &fleet).tally), "booting 1");
    assert_eq!(tally(&run.tick(730, &fleet).tally), "overdue 1");
}

#[test]
fn deciding_twice_at_the_instant_of_a_gap_is_deciding_once() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    let fleet = [Jibri::silent("n").launched(0)];
    run.observe(0, 30, &fleet);
    for _ in 0..2 {
        assert_eq!(tally(&run.tick(700, &fleet).tally), "booting 1");
    }
}

#[test]
fn nobody_is_younger_than_it_was_seen() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    let fleet = [Jibri::silent("n").launched(9999)];
    run.observe(0, 599, &fleet);
    assert_eq!(tally(&run.tick(600, &fleet).tally), "overdue 1");
}

#[test]
fn ages_go_on_over_a_step_back() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    run.pass(0, &[Jibri::busy("a")]);
    run.observe(30, 600, &[Jibri::busy("a").refused()]);
    assert!(!finds(
        &run.tick(629, &[Jibri::busy("a").refused()]),
        "not heard"
    ));
    run.pass(0, &[Jibri::busy("a").refused()]);
    assert!(finds(
        &run.tick(1, &[Jibri::busy("a").refused()]),
        "not heard for boot_deadline"
    ));
}

#[test]
fn a_launch_time_in_the_future_is_young_and_a_report_in_the_future_is_not_heard_before_it_is_given()
{
    let decision =
        Run::new((0, 9, 1), "min_idle = 0").tick(0, &[Jibri::silent("n").launched(99_999)]);
    assert_eq!(tally(&decision.tally), "booting 1");
    let never = Jibri::idle("n")
        .timed_out(99_999)
        .reach(Reachability::Never);
    let decision = Run::new((0, 9, 1), "min_idle = 0").tick(0, &[never]);
    assert_eq!(tally(&decision.tally), "booting 1");
}

#[test]
fn at_the_instant_of_a_gap_a_broken_one_goes_only_if_most_of_the_others_answer() {
    let silent = many('n', 2, |id| Jibri::silent(id).launched(0));
    let lost = many('l', 2, |id| Jibri::busy(id).timed_out(590));
    for (others, planned) in [
        (&many('b', 2, Jibri::busy), "replace x"),
        (&silent, ""),
        (&lost, ""),
    ] {
        for now in [700, 500] {
            let mut run = Run::new((3, 9, 3), "min_idle = 0");
            run.pass(599, &all(&[others, &[Jibri::busy("x")]]));
            let decision = run.tick(now, &all(&[others, &[Jibri::expired("x")]]));
            assert_eq!(plan(&decision), planned, "{others:?} at {now}");
        }
    }
    let mut run = Run::new((3, 9, 3), "min_idle = 0");
    let fleet = |x| all(&[&many('b', 2, Jibri::busy), &[x]]);
    run.pass(0, &fleet(Jibri::busy("x")));
    assert_eq!(
        plan(&run.tick(-60, &fleet(Jibri::expired("x").timed_out(-60)))),
        ""
    );
}

#[test]
fn a_gap_breaks_idle_runs_however_short_the_hold() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0\nsurplus_hold = '0s'");
    let fleet = [Jibri::idle("i")];
    run.observe(0, 30, &fleet);
    run.observe(100, 159, &fleet);
    assert_eq!(plan(&run.tick(160, &fleet)), "retire i");
}

#[test]
fn a_gap_and_a_step_back_restart_the_hold_however_short_the_idle_timeout() {
    for broken in [100, 20] {
        let mut run = Run::new(
            (0, 9, 1),
            "min_idle = 0\nidle_timeout = '0s'\nsurplus_hold = '60s'",
        );
        let fleet = [Jibri::idle("i")];
        run.observe(0, 30, &fleet);
        run.observe(broken, broken + 59, &fleet);
        assert_eq!(plan(&run.tick(broken + 60, &fleet)), "retire i");
    }
}
