//! What a change of the observed desired capacity means.

use crate::common::{Jibri, Run, finds, many, plan};

const FOREIGN: &str = "not by us";

/// Three idle ones of which two may go at second 60, observed until second 30.
fn before_it_goes() -> (Run, Vec<Jibri>) {
    let mut run = Run::new((0, 9, 3), "min_idle = 1\nmax_retire = 1");
    let fleet = many('i', 3, Jibri::idle);
    assert_eq!(plan(&run.quiet(0, 30, &fleet)), "");
    (run, fleet)
}

#[test]
fn an_unchanged_count_never_restarts_the_hold() {
    let (mut run, fleet) = before_it_goes();
    assert_eq!(plan(&run.tick(60, &fleet)), "retire i-00");
}

#[test]
fn a_change_by_others_restarts_the_hold_and_is_a_finding() {
    for desired in [2, 4, 5] {
        let (mut run, fleet) = before_it_goes();
        run.group.desired = desired;
        let decision = run.tick(60, &fleet);
        assert!(finds(&decision, FOREIGN), "to {desired}");
        assert_eq!(plan(&decision), "");
        run.observe(90, 119, &fleet);
        assert_eq!(
            plan(&run.tick(120, &fleet)),
            "retire i-00",
            "the idle runs went on"
        );
    }
}

#[test]
fn our_own_write_restarts_nothing_before_and_after_it_is_visible() {
    // Three are wanted at first, and then one, so that there is a surplus while the launch is outstanding.
    let mut run = Run::new((0, 9, 4), "min_idle = 3");
    let fleet = [many('i', 2, Jibri::idle), many('b', 2, Jibri::busy)].concat();
    assert_eq!(plan(&run.tick(0, &fleet)), "set 5");
    run.policy = Run::new((0, 9, 4), "min_idle = 1").policy;
    assert_eq!(plan(&run.tick(30, &fleet)), "", "not visible yet");
    run.group.desired = 5;
    let decision = run.tick(60, &fleet);
    assert!(!finds(&decision, FOREIGN));
    assert_eq!(plan(&decision), "");
    assert_eq!(
        plan(&run.tick(90, &fleet)),
        "retire i-00",
        "the hold covers the write, and counts from second 30"
    );
}

#[test]
fn decrements_of_our_own_retirements_restart_nothing() {
    let mut run = Run::new((0, 9, 6), "min_idle = 1\nmax_retire = 2");
    let fleet = many('i', 6, Jibri::idle);
    assert_eq!(plan(&run.quiet(0, 60, &fleet)), "retire i-00, retire i-01");
    run.group.desired = 5;
    let decision = run.tick(90, &fleet[1..]);
    assert!(!finds(&decision, FOREIGN));
    assert_eq!(plan(&decision), "retire i-02", "the hold went on");
    run.group.desired = 3;
    let decision = run.tick(120, &fleet[3..]);
    assert!(!finds(&decision, FOREIGN), "two decrements at once");
    assert_eq!(plan(&decision), "retire i-03, retire i-04");
}

#[test]
fn more_decrements_than_retirements_are_by_others() {
    let mut run = Run::new((0, 9, 6), "min_idle = 1\nmax_retire = 1");
    let fleet = many('i', 6, Jibri::idle);
    assert_eq!(plan(&run.quiet(0, 60, &fleet)), "retire i-00");
    run.group.desired = 4;
    assert!(finds(
        &run.tick(90, &fleet[1..]),
        "from 6 to 4, and not by us"
    ));
}

#[test]
fn a_replacement_decrements_nothing() {
    let mut run = Run::new((1, 9, 2), "min_idle = 2");
    let fleet = [Jibri::idle("a"), Jibri::expired("x")];
    assert_eq!(plan(&run.tick(0, &fleet)), "set 3, replace x");
    run.group.desired = 1;
    assert!(finds(&run.tick(30, &fleet), FOREIGN));
}

#[test]
fn the_decrement_of_a_retirement_is_expected_once() {
    let mut run = Run::new((0, 9, 3), "min_idle = 1\nmax_retire = 1");
    let fleet = many('i', 3, Jibri::idle);
    assert_eq!(plan(&run.quiet(0, 60, &fleet)), "retire i-00");
    run.group.desired = 2;
    assert!(!finds(&run.tick(90, &fleet), FOREIGN));
    run.group.desired = 1;
    assert!(finds(&run.tick(120, &fleet), FOREIGN));
}
