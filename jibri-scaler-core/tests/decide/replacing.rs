//! Unhealthy and expired Jibris.

use jibri_scaler_core::{DrainPath, Stage};

use crate::common::{Jibri, Run, all, finds, many, plan, step, tally};

#[test]
fn they_go_at_once_without_idle_time_and_hold() {
    for broken in [Jibri::unhealthy("x"), Jibri::expired("x")] {
        let mut run = Run::new((0, 9, 3), "min_idle = 1");
        let fleet = [Jibri::idle("a"), Jibri::busy("b"), broken];
        let decision = run.tick(0, &fleet);
        assert_eq!(plan(&decision), "retire x");
        assert_eq!(step(&decision, Stage::Plan), (0, 1));
    }
}

#[test]
fn they_are_replaced_where_they_are_missed_or_the_group_has_its_minimum() {
    // (group, min_idle, idle, booting) -> plan with one broken and one busy
    let cases = [
        ((0, 9, 3), 1, 1, 0, "retire x"),
        ((0, 9, 3), 2, 1, 0, "set 4, replace x"),
        ((0, 9, 3), 1, 0, 1, "retire x"),  // one is coming
        ((0, 9, 4), 2, 1, 0, "retire x"),  // one is missing, and so coming
        ((0, 3, 3), 2, 1, 0, "replace x"), // missed, and no growth is possible
        ((3, 9, 3), 1, 1, 0, "replace x"), // desired = min_size
        ((2, 9, 3), 1, 1, 0, "retire x"),
        ((4, 9, 3), 1, 1, 0, "set 4, replace x"),
    ];
    for (group, min_idle, idle, booting, expected) in cases {
        let fleet = all(&[
            &[Jibri::busy("b"), Jibri::unhealthy("x")],
            &many('i', idle, Jibri::idle),
            &many('n', booting, Jibri::silent),
        ]);
        let decision = Run::new(group, &format!("min_idle = {min_idle}")).tick(0, &fleet);
        assert_eq!(plan(&decision), expected, "{group:?} {min_idle}");
    }
}

#[test]
fn decrements_stay_inside_the_headroom_and_the_rest_is_replaced() {
    let fleet = all(&[&many('x', 3, Jibri::expired), &many('i', 1, Jibri::idle)]);
    let decision = Run::new((2, 9, 4), "min_idle = 1").tick(0, &fleet);
    assert_eq!(plan(&decision), "retire x-00, retire x-01, replace x-02");
}

#[test]
fn idle_ones_take_headroom_first() {
    let mut run = Run::new((2, 9, 4), "min_idle = 1\nmax_retire = 9");
    let idle = many('i', 3, Jibri::idle);
    run.observe(0, 59, &all(&[&idle, &[Jibri::busy("x")]]));
    let decision = run.tick(60, &all(&[&idle, &[Jibri::expired("x")]]));
    assert_eq!(plan(&decision), "retire i-00, retire i-01, replace x");
}

#[test]
fn max_retire_bounds_idle_and_broken_ones_together() {
    let mut run = Run::new((0, 9, 5), "min_idle = 1\nmax_retire = 3");
    let idle = many('i', 2, Jibri::idle);
    let fleet = all(&[&idle, &many('x', 3, Jibri::busy)]);
    run.observe(0, 59, &fleet);
    let fleet = all(&[&idle, &many('x', 3, Jibri::unhealthy)]);
    assert_eq!(
        plan(&run.tick(60, &fleet)),
        "retire i-00, retire x-00, retire x-01"
    );
    assert_eq!(plan(&run.tick(90, &fleet)), "");
    let fleet = all(&[
        &idle,
        &[
            Jibri::busy("x-00"),
            Jibri::unhealthy("x-01"),
            Jibri::unhealthy("x-02"),
        ],
    ]);
    assert_eq!(plan(&run.tick(120, &fleet)), "retire x-02");
}

#[test]
fn they_need_the_gate_and_a_way_to_be_told() {
    let fleet = [Jibri::idle("a"), Jibri::busy("b"), Jibri::unhealthy("x")];
    let mut run = Run::new((0, 9, 3), "min_idle = 1");
    run.group.safe_retirement = false;
    assert_eq!(plan(&run.quiet(0, 300, &fleet)), "");
    let mut run = Run::new((0, 9, 3), "min_idle = 1");
    let fleet = [
        Jibri::idle("a"),
        Jibri::busy("b"),
        Jibri::unhealthy("x").drain(DrainPath::None),
    ];
    assert_eq!(plan(&run.quiet(0, 300, &fleet)), "");
}

#[test]
fn a_busy_one_is_left_alone_whatever_its_health() {
    let mut run = Run::new((0, 9, 2), "min_idle = 1");
    let fleet = [Jibri::idle("a"), Jibri::says("x", "BUSY", "UNHEALTHY")];
    let decision = run.quiet(0, 3000, &fleet);
    assert_eq!(plan(&decision), "");
    assert!(finds(&decision, "x: unhealthy and busy"));
}

#[test]
fn unknown_pending_and_blind_ones_are_not_replaced() {
    for jibri in [
        Jibri::unhealthy("x").refused(),
        Jibri::unhealthy("x").timed_out(-46),
        Jibri::unhealthy("x").lifecycle("Pending"),
        Jibri::expired("x").lifecycle("Standby"),
        Jibri::says("x", "IDLE", "SICK"),
        Jibri::silent("x").launched(-9999),
    ] {
        let decision =
            Run::new((0, 9, 2), "min_idle = 1").tick(0, &[Jibri::idle("a"), jibri.clone()]);
        assert_eq!(plan(&decision), "", "{jibri:?}");
    }
    let dark = all(&[
        &many('u', 2, |id| Jibri::idle(id).refused()),
        &[Jibri::expired("x"), Jibri::idle("a")],
    ]);
    let decision = Run::new((0, 9, 4), "min_idle = 1").tick(0, &dark);
    assert!(finds(&decision, "blind"));
    assert_eq!(plan(&decision), "");
}

#[test]
fn a_broken_one_that_timed_out_still_goes_while_its_report_is_fresh() {
    let fleet = [Jibri::idle("a"), Jibri::unhealthy("x").timed_out(-45)];
    assert_eq!(
        plan(&Run::new((0, 9, 2), "min_idle = 1").tick(0, &fleet)),
        "retire x"
    );
}

#[test]
fn a_retired_one_is_not_emitted_again_until_it_is_listed_no_more() {
    let mut run = Run::new((1, 9, 2), "min_idle = 1");
    let fleet = [Jibri::idle("a"), Jibri::unhealthy("x")];
    assert_eq!(plan(&run.tick(0, &fleet)), "retire x");
    let decision = run.quiet(30, 900, &fleet);
    assert_eq!(
        (plan(&decision).as_str(), tally(&decision.tally).as_str()),
        ("", "spare 1, retiring 1")
    );
    run.group.desired = 1;
    run.pass(930, &fleet[..1]);
    run.group.desired = 2;
    assert_eq!(
        plan(&run.tick(960, &fleet)),
        "retire x",
        "listed anew, it is a new one"
    );
}

#[test]
fn one_that_was_given_up_on_is_left_to_a_human() {
    let mut run = Run::new((0, 9, 3), "min_idle = 0");
    let fleet = [Jibri::idle("a"), Jibri::busy("b"), Jibri::unhealthy("x")];
    run.pass(0, &fleet);
    assert_eq!(plan(&run.quiet(30, 60, &fleet)), "retire a");
    // As the controller leaves it when they could not be told.
    let memory = serde_json::to_string(&run.memory).unwrap();
    let given_up = memory.replace(r#""phase":"told""#, r#""phase":"given_up""#);
    assert_ne!(memory, given_up);
    run.memory = serde_json::from_str(&given_up).unwrap();
    let decision = run.quiet(90, 900, &fleet);
    assert_eq!(plan(&decision), "");
    assert_eq!(tally(&decision.tally), "spare 1, busy 1, unhealthy 1");
    assert!(finds(&decision, "a, x: could not be retired"));
}

#[test]
fn the_room_above_the_minimum_is_that_of_the_capacity_set_in_the_same_plan() {
    let mut run = Run::new((1, 9, 3), "min_idle = 0");
    let fleet = [
        Jibri::busy("b"),
        Jibri::idle("d"),
        Jibri::expired("x"),
        Jibri::expired("y"),
    ];
    assert_eq!(plan(&run.tick(0, &fleet[..3])), "retire x");
    // Others have lowered the desired capacity below what is there: it is raised, so that a decrement has room again.
    run.group.desired = 2;
    assert_eq!(plan(&run.tick(30, &fleet)), "set 4, retire y");
}
