//! Growing: in one step, by what is missing after counting what is coming.

use jibri_scaler_core::Stage;

use crate::common::{INTERVAL, Jibri, Run, all, finds, many, plan, step};

#[test]
fn the_formula() {
    // (group, policy, busy, idle, booting) -> plan
    let cases = [
        ((0, 99, 5), "min_idle = 3", 5, 0, 0, "set 8"),
        ((0, 99, 5), "min_idle = 3", 3, 2, 0, "set 6"),
        ((0, 99, 5), "min_idle = 3", 3, 1, 1, "set 6"),
        ((0, 99, 5), "min_idle = 3", 2, 2, 1, ""),
        ((0, 99, 7), "min_idle = 3", 4, 1, 0, ""), // two are missing, and so coming
        ((0, 99, 6), "min_idle = 3", 4, 1, 0, "set 7"),
        ((0, 99, 0), "min_idle = 4", 0, 0, 0, "set 4"),
        ((0, 6, 5), "min_idle = 3", 5, 0, 0, "set 6"), // max_size
        ((0, 5, 5), "min_idle = 3", 5, 0, 0, ""),
        ((0, 4, 5), "min_idle = 3", 5, 0, 0, ""), // already above it
        // max_launch bounds what is outstanding
        (
            (0, 99, 5),
            "min_idle = 50\nmax_launch = 7",
            5,
            0,
            0,
            "set 12",
        ),
        (
            (0, 99, 5),
            "min_idle = 50\nmax_launch = 7",
            2,
            0,
            3,
            "set 9",
        ),
        ((0, 99, 9), "min_idle = 50\nmax_launch = 7", 2, 0, 3, ""),
        (
            (0, 99, 8),
            "min_idle = 50\nmax_launch = 7",
            2,
            0,
            3,
            "set 9",
        ),
        ((0, 99, 30), "min_idle = 50\nmax_launch = 7", 2, 0, 3, ""),
        // a group below its minimum is grown to it
        ((4, 99, 2), "min_idle = 0", 2, 0, 0, "set 4"),
        ((4, 99, 2), "min_idle = 1", 2, 0, 0, "set 4"),
        ((4, 99, 2), "min_idle = 3", 2, 0, 0, "set 5"),
        (
            (40, 99, 2),
            "min_idle = 0\nmax_launch = 5",
            2,
            0,
            0,
            "set 40",
        ),
        ((4, 3, 2), "min_idle = 0", 2, 0, 0, "set 3"),
        // desired below counting: the number written is never below counting
        ((0, 99, 3), "min_idle = 2", 6, 0, 0, "set 8"),
        ((0, 99, 3), "min_idle = 2", 4, 2, 0, "set 6"),
        ((0, 99, 5), "min_idle = 1", 4, 2, 0, ""),
        ((0, 99, 4), "min_idle = 1", 4, 2, 0, "set 6"),
        ((0, 5, 3), "min_idle = 2", 6, 0, 0, ""),
    ];
    for (group, policy, busy, idle, booting, expected) in cases {
        let fleet = all(&[
            &many('b', busy, Jibri::busy),
            &many('i', idle, Jibri::idle),
            &many('n', booting, Jibri::silent),
        ]);
        let decision = Run::new(group, policy).tick(0, &fleet);
        assert_eq!(
            plan(&decision),
            expected,
            "{group:?} {policy} {busy} {idle} {booting}"
        );
    }
}

#[test]
fn deciding_again_adds_nothing_while_the_launches_are_outstanding() {
    let mut run = Run::new((0, 99, 2), "min_idle = 50\nmax_launch = 7");
    let fleet = many('b', 2, Jibri::busy);
    assert_eq!(plan(&run.tick(0, &fleet)), "set 9");
    assert_eq!(
        plan(&run.tick(0, &fleet)),
        "set 9",
        "the write is not visible yet, and it is absolute"
    );
    run.group.desired = 9;
    assert_eq!(plan(&run.tick(0, &fleet)), "");
    assert_eq!(plan(&run.quiet(30, 3000, &fleet)), "");
}

#[test]
fn launches_do_not_expire_but_are_found_past_the_boot_deadline() {
    let mut run = Run::new((0, 99, 4), "min_idle = 2");
    let fleet = many('b', 2, Jibri::busy);
    let decision = run.quiet(0, 599, &fleet);
    assert!(!finds(&decision, "outstanding for longer"));
    let decision = run.tick(600, &fleet);
    assert!(finds(&decision, "2 launches are outstanding for longer"));
    assert_eq!(plan(&decision), "", "they are not asked for twice");
    let came = all(&[&fleet, &many('i', 2, Jibri::idle)]);
    assert!(!finds(&run.tick(630, &came), "outstanding"));
}

#[test]
fn a_booting_one_that_is_overdue_is_not_coming_any_more() {
    let mut run = Run::new((0, 99, 3), "min_idle = 1");
    let fleet = [Jibri::silent("n"), Jibri::busy("b"), Jibri::busy("c")];
    assert_eq!(plan(&run.quiet(0, 599, &fleet)), "");
    assert_eq!(plan(&run.tick(600, &fleet)), "set 4");
}

#[test]
fn while_blind_launches_add_up_to_one_wanted_spare_until_sight_returns() {
    let mut run = Run::new((0, 99, 4), "min_idle = 3\nboot_deadline = '60s'");
    let lost = |id: &str| Jibri::idle(id).refused();
    let dark = many('i', 4, lost);
    run.pass(0, &many('i', 4, Jibri::idle));
    assert_eq!(plan(&run.tick(30, &dark)), "set 7");
    run.group.desired = 7;
    // The new ones can't be seen either. Without the limit the group would grow for ever.
    let all_dark = all(&[&dark, &many('n', 3, |id| Jibri::silent(id).launched(30))]);
    for tick in 2..100 {
        let decision = run.tick(tick * i64::try_from(INTERVAL).unwrap(), &all_dark);
        assert_eq!(plan(&decision), "", "at tick {tick}");
        assert!(finds(&decision, "blind"));
    }
    let seen = all(&[&many('i', 4, Jibri::busy), &many('n', 3, Jibri::idle)]);
    assert_eq!(plan(&run.tick(3000, &seen)), "");
    assert_eq!(
        plan(&run.tick(3030, &all_dark)),
        "set 10",
        "a new budget with the next loss of sight"
    );
}

#[test]
fn the_blind_budget_is_spent_in_parts_too() {
    let mut run = Run::new((0, 7, 4), "min_idle = 5");
    let dark = many('i', 4, |id| Jibri::idle(id).refused());
    assert_eq!(plan(&run.tick(0, &dark)), "set 7");
    run.group = jibri_scaler_core::Group::new(0, 99, 7);
    let more = all(&[&dark, &many('x', 3, |id| Jibri::silent(id).launched(-9999))]);
    let decision = run.tick(30, &more);
    assert_eq!(plan(&decision), "set 9", "3 of 5 are spent");
    assert_eq!(step(&decision, Stage::LaunchBudget), (12, 9));
    run.group.desired = 9;
    let more = all(&[&more, &many('y', 2, |id| Jibri::silent(id).launched(-9999))]);
    assert_eq!(plan(&run.tick(60, &more)), "");
}

#[test]
fn desired_below_counting_is_a_finding() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    assert!(finds(
        &run.tick(0, &many('b', 2, Jibri::busy)),
        "is below the 2 instances that count"
    ));
    assert!(!finds(
        &run.tick(30, &many('b', 1, Jibri::busy)),
        "is below"
    ));
}
