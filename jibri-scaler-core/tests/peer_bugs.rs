//! Bugs of comparable systems, by the number they have in our survey of them, that concern a decision. The others:
//!
//! | # | bug | why it is not here |
//! |---|---|---|
//! | 4 | workers of other pools counted as spare | a snapshot holds one group, whose listing is the AWS crate's |
//! | 12 | a listing that failed read as no instances | without a listing there is no snapshot to decide on: a test of the controller |
//! | 15 | workers that exit when idle fight the minimum | nothing goes but by a decision; the agents come later |
//! | 24 | a lost webhook | every tick reads the state anew; an old report is `unknown` (11) |
//! | 25 | a dry run that reads zeros | a test of the controller: it observes alike and only does not apply |

#[path = "common/mod.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod common;

use common::{Jibri, Run, all, finds, many, plan, tally};
use jibri_scaler_core::{DrainPath, Memory};

#[test]
fn bug_01_an_instance_on_its_way_out_is_not_spare() {
    let mut run = Run::new((0, 9, 2), "min_idle = 2");
    let decision = run.tick(
        0,
        &[
            Jibri::idle("a"),
            Jibri::idle("b"),
            Jibri::idle("c").lifecycle("Terminating:Wait"),
        ],
    );
    assert_eq!(
        (tally(&decision.tally).as_str(), plan(&decision).as_str()),
        ("spare 2, retiring 1", "")
    );
    let decision = run.tick(
        30,
        &[
            Jibri::idle("a"),
            Jibri::busy("b"),
            Jibri::idle("c").lifecycle("Terminating:Wait"),
        ],
    );
    assert_eq!(plan(&decision), "set 3");
}

#[test]
fn bug_02_those_that_finish_do_not_make_the_group_exceed_its_maximum() {
    let mut run = Run::new((0, 5, 5), "min_idle = 1");
    let idle = many('i', 5, Jibri::idle);
    assert_eq!(
        plan(&run.quiet(0, 60, &idle)),
        "retire i-00, retire i-01, retire i-02, retire i-03"
    );
    // All four finish a recording, and the fifth is taken: everything that is listed still counts.
    let busy = many('i', 5, Jibri::busy);
    assert_eq!(plan(&run.quiet(90, 3000, &busy)), "");
}

#[test]
fn bug_03_an_idle_group_comes_down_to_what_is_wanted() {
    let mut run = Run::new((0, 50, 30), "min_idle = 3\nmax_retire = 4");
    let mut fleet = many('i', 30, Jibri::idle);
    for tick in 0..60 {
        let decision = run.tick(tick * 30, &fleet);
        for (id, _) in decision.plan.retires() {
            fleet.retain(|jibri| jibri.row(common::at(0)).id != *id);
            run.group.desired -= 1;
        }
    }
    assert_eq!((fleet.len(), run.group.desired), (3, 3));
}

#[test]
fn bug_05_one_that_cannot_go_blocks_no_other() {
    let mut run = Run::new((0, 9, 3), "min_idle = 1");
    let fleet = [
        Jibri::idle("a").drain(DrainPath::None),
        Jibri::idle("b"),
        Jibri::idle("c"),
    ];
    assert_eq!(plan(&run.quiet(0, 60, &fleet)), "retire b, retire c");
}

#[test]
fn bug_06_the_group_grows_while_one_drains() {
    let mut run = Run::new((0, 9, 2), "min_idle = 1");
    assert_eq!(
        plan(&run.quiet(0, 60, &many('i', 2, Jibri::idle))),
        "retire i-00"
    );
    assert_eq!(plan(&run.tick(90, &many('i', 2, Jibri::busy))), "set 3");
}

#[test]
fn bug_07_deciding_faster_than_retiring_retires_no_more() {
    let mut run = Run::new((0, 9, 4), "min_idle = 1");
    let fleet = many('i', 4, Jibri::idle);
    assert_eq!(
        plan(&run.quiet(0, 60, &fleet)),
        "retire i-00, retire i-01, retire i-02"
    );
    for secs in 60..600 {
        assert_eq!(plan(&run.tick(secs, &fleet)), "", "at {secs}");
    }
}

#[test]
fn bug_08_nothing_is_drained_that_the_minimum_size_keeps() {
    let mut run = Run::new((4, 9, 4), "min_idle = 1");
    assert_eq!(plan(&run.quiet(0, 600, &many('i', 4, Jibri::idle))), "");
}

#[test]
fn bug_09_a_share_of_nothing_is_not_nothing_for_ever() {
    let mut run = Run::new((0, 9, 0), "min_idle = 0\npercent_idle = 10");
    assert_eq!(plan(&run.tick(0, &[])), "set 1");
}

#[test]
fn bug_10_the_end_of_a_period_ends_no_recording_and_no_idle_one_at_once() {
    let window = "min_idle = 1\n[[schedule]]\nfrom = '09:00'\nto = '10:02'\nspare = 9";
    let mut run = Run::new((0, 20, 6), window);
    let fleet = all(&[&many('b', 3, Jibri::busy), &many('i', 3, Jibri::idle)]);
    run.group.max_size = 6;
    assert_eq!(run.tick(0, &fleet).wanted_spare, 9);
    run.observe(30, 90, &fleet);
    // It ends at 120; the hold is a minute.
    let decision = run.tick(120, &fleet);
    assert_eq!((decision.wanted_spare, plan(&decision).as_str()), (1, ""));
    run.observe(150, 150, &fleet);
    assert_eq!(plan(&run.tick(180, &fleet)), "retire i-00, retire i-01");
}

#[test]
fn bug_11_what_cannot_be_read_is_not_free() {
    for jibri in [
        Jibri::idle("x").refused(),
        Jibri::idle("x").timed_out(-600),
        Jibri::with_body("x", "404 page not found"),
        Jibri::with_body("x", "{}"),
        Jibri::silent("x"),
    ] {
        let mut run = Run::new((0, 9, 3), "min_idle = 1\nidle_timeout = '0s'");
        let fleet = [Jibri::busy("a"), Jibri::idle("b"), jibri.clone()];
        assert_eq!(plan(&run.quiet(0, 2000, &fleet)), "", "{jibri:?}");
    }
}

#[test]
fn bug_13_one_idle_report_retires_nobody_and_busy_in_between_starts_anew() {
    let mut run = Run::new(
        (0, 9, 2),
        "min_idle = 0\nidle_timeout = '0s'\nsurplus_hold = '0s'",
    );
    for secs in (0..600).step_by(60) {
        assert_eq!(
            plan(&run.tick(secs, &many('i', 2, Jibri::idle))),
            "",
            "at {secs}"
        );
        assert_eq!(plan(&run.tick(secs + 30, &many('i', 2, Jibri::busy))), "");
    }
    run.pass(600, &many('i', 2, Jibri::idle));
    assert_eq!(
        plan(&run.tick(630, &many('i', 2, Jibri::idle))),
        "retire i-00, retire i-01"
    );
}

#[test]
fn bug_14_who_would_go_is_who_goes() {
    // One order for all: those that go first one by one are those that go at once.
    let at_once = |max_retire: u32| {
        let mut run = Run::new(
            (0, 9, 5),
            &format!("min_idle = 1\nmax_retire = {max_retire}"),
        );
        let zones = ["x", "y", "y", "x", "z"];
        let fleet: Vec<_> = many('i', 5, Jibri::idle)
            .into_iter()
            .zip(zones)
            .map(|(jibri, zone)| jibri.zone(zone))
            .collect();
        run.observe(0, 59, &fleet);
        let mut gone = vec![plan(&run.tick(60, &fleet))];
        while gone.len() < 4 && max_retire < 4 {
            run.limits = run
                .limits
                .clone()
                .with_max_retire(max_retire + u32::try_from(gone.len()).unwrap())
                .unwrap();
            gone.push(plan(&run.tick(60, &fleet)));
        }
        gone.join(", ")
    };
    assert_eq!(at_once(1), at_once(4));
}

#[test]
fn bug_16_a_booting_one_is_not_ready() {
    let mut run = Run::new((0, 9, 3), "min_idle = 1");
    let fleet = [
        Jibri::silent("n"),
        Jibri::idle("p").lifecycle("Pending:Wait"),
        Jibri::idle("i"),
    ];
    let decision = run.quiet(0, 300, &fleet);
    assert_eq!(
        (tally(&decision.tally).as_str(), plan(&decision).as_str()),
        ("spare 1, booting 2", "")
    );
}

#[test]
fn bug_17_one_that_never_comes_up_does_not_block_growing_for_ever() {
    for jibri in [
        Jibri::silent("n"),
        Jibri::with_body("n", ""),
        Jibri::with_body("n", "{}"),
    ] {
        let mut run = Run::new((0, 9, 2), "min_idle = 1");
        let fleet = [Jibri::busy("b"), jibri];
        assert_eq!(plan(&run.quiet(0, 599, &fleet)), "");
        assert_eq!(plan(&run.tick(600, &fleet)), "set 3");
    }
}

#[test]
fn bug_18_an_unhealthy_busy_one_is_left_alone() {
    let mut run = Run::new((0, 9, 2), "min_idle = 1");
    let fleet = [Jibri::says("x", "BUSY", "UNHEALTHY"), Jibri::idle("i")];
    assert_eq!(plan(&run.quiet(0, 9000, &fleet)), "");
    assert_eq!(
        plan(&run.tick(9030, &[Jibri::unhealthy("x"), Jibri::idle("i")])),
        "retire x"
    );
}

#[test]
fn bug_19_when_all_meetings_end_at_once_nothing_is_created_and_the_surplus_stays_for_the_hold() {
    let mut run = Run::new((0, 99, 22), "min_idle = 2");
    let busy = all(&[&many('b', 20, Jibri::busy), &many('i', 2, Jibri::idle)]);
    run.observe(0, 60, &busy);
    let idle = all(&[&many('b', 20, Jibri::idle), &many('i', 2, Jibri::idle)]);
    run.observe(90, 120, &idle);
    assert_eq!(run.tick(150, &idle).plan.retires().count(), 10);
}

#[test]
fn bug_20_an_instance_listed_twice_is_one_and_a_contradiction_keeps_it() {
    let mut run = Run::new((0, 9, 2), "min_idle = 0");
    let fleet = [
        Jibri::idle("a"),
        Jibri::idle("a"),
        Jibri::idle("b"),
        Jibri::busy("b"),
    ];
    let decision = run.quiet(0, 60, &fleet);
    assert_eq!(
        (tally(&decision.tally).as_str(), plan(&decision).as_str()),
        ("spare 1, unknown 1", "retire a")
    );
}

#[test]
fn bug_21_a_tick_at_any_second_sees_the_window_that_lasts() {
    let window = "min_idle = 0\n[[schedule]]\nfrom = '10:00'\nto = '10:01'\nspare = 4";
    for (secs, wanted) in [(0, 4), (1, 4), (59, 4), (60, 0), (61, 0)] {
        let decision = Run::new((0, 9, 4), window).tick(secs, &many('i', 4, Jibri::idle));
        assert_eq!(decision.wanted_spare, wanted, "at {secs}");
    }
}

#[test]
fn bug_22_after_a_start_without_memory_nothing_goes_before_both_clocks_have_run() {
    let mut run = Run::new((0, 9, 9), "min_idle = 1");
    let fleet = many('i', 9, |id| Jibri::idle(id).launched(-99_999));
    run.observe(0, 59, &fleet);
    run.memory = Memory::default();
    run.observe(60, 119, &fleet);
    assert_eq!(run.tick(120, &fleet).plan.retires().count(), 8);
}

#[test]
fn bug_23_the_desired_capacity_is_never_lowered() {
    let mut run = Run::new((0, 9, 9), "min_idle = 1");
    for secs in (0..600).step_by(30) {
        let decision = run.tick(secs, &many('i', 5, Jibri::idle));
        assert_eq!(decision.plan.capacity(), None, "at {secs}");
    }
    run.group.desired = 3;
    let decision = run.tick(600, &many('i', 5, Jibri::busy));
    assert!(decision.plan.capacity() >= Some(5));
    assert!(finds(&decision, "is below the 5 instances"));
}

#[test]
fn bug_26_one_that_is_idle_again_after_it_was_told_is_not_taken_for_spare() {
    let mut run = Run::new((0, 9, 2), "min_idle = 1");
    let fleet = many('i', 2, Jibri::idle);
    assert_eq!(plan(&run.quiet(0, 60, &fleet)), "retire i-00");
    run.pass(90, &[Jibri::busy("i-00"), Jibri::idle("i-01")]);
    // Whether it came back is for the retirement to find out; until then it is neither spare nor retired twice.
    let decision = run.tick(120, &[Jibri::idle("i-00"), Jibri::busy("i-01")]);
    assert_eq!(
        (tally(&decision.tally).as_str(), plan(&decision).as_str()),
        ("busy 1, retiring 1", "set 3")
    );
}

#[test]
fn bug_27_ready_ones_do_not_go_while_others_boot_nor_in_a_short_dip() {
    let mut run = Run::new((0, 99, 12), "min_idle = 4");
    let fleet = all(&[
        &many('b', 4, Jibri::busy),
        &many('i', 4, Jibri::idle),
        &many('n', 4, Jibri::silent),
    ]);
    run.observe(0, 300, &fleet);

    let mut run = Run::new((0, 99, 12), "min_idle = 2\npercent_idle = 50");
    let burst = all(&[&many('b', 6, Jibri::busy), &many('i', 6, Jibri::idle)]);
    let dip = all(&[
        &many('b', 2, Jibri::busy),
        &many('c', 4, Jibri::idle),
        &many('i', 6, Jibri::idle),
    ]);
    run.observe(0, 120, &burst);
    run.group.desired = 12;
    run.observe(150, 179, &dip);
    assert_eq!(
        plan(&run.tick(209, &burst)),
        "",
        "the dip was shorter than the hold"
    );
}
