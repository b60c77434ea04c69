//! Each distinct instance is in exactly one class; the first match wins.

use jibri_scaler_core::Reachability;

use crate::common::{Jibri, Run, at, finds, plan, tally};

fn run() -> Run {
    Run::new((0, 9, 1), "min_idle = 0")
}

/// The class of the only instance of a fleet, at second 0, without any memory.
fn class(jibri: Jibri) -> String {
    tally(&run().tick(0, &[jibri]).tally)
}

fn assert_classes(cases: impl IntoIterator<Item = (&'static str, Jibri, &'static str)>) {
    for (case, jibri, expected) in cases {
        assert_eq!(class(jibri), format!("{expected} 1"), "{case}");
    }
}

#[test]
fn leaving_comes_first_whatever_the_jibri_says() {
    for state in [
        "Terminating",
        "Terminating:Wait",
        "Terminating:Proceed",
        "Terminating:Retained",
        "Terminated",
        "Detaching",
        "Detached",
    ] {
        for jibri in [
            Jibri::idle("i"),
            Jibri::busy("i"),
            Jibri::silent("i"),
            Jibri::idle("i").refused(),
        ] {
            assert_eq!(class(jibri.lifecycle(state)), "retiring 1", "{state}");
        }
    }
}

#[test]
fn a_retirement_of_ours_comes_first_too() {
    for seen in [
        Jibri::busy("b"),
        Jibri::silent("b"),
        Jibri::idle("b").refused(),
    ] {
        let mut run = Run::new((0, 9, 2), "min_idle = 1\nsurplus_hold = '0s'");
        let fleet = [Jibri::idle("a"), Jibri::idle("b")];
        let fleet = fleet.map(|jibri| jibri.zone("z"));
        let longer = [Jibri::says("a", "IDLE", "OK"), fleet[1].clone()];
        run.pass(0, &longer);
        let decision = run.quiet(30, 60, &fleet);
        assert_eq!(plan(&decision), "retire b");
        let decision = run.tick(90, &[fleet[0].clone(), seen]);
        assert_eq!(tally(&decision.tally), "spare 1, retiring 1");
    }
}

#[test]
fn other_states_are_not_ours() {
    for state in [
        "Standby",
        "EnteringStandby",
        "Warmed:Running",
        "Warmed:Stopped",
        "Warmed:Terminating:Wait",
        "ReplacingRootVolume",
        "Quarantined",
        "Hovering",
    ] {
        for jibri in [Jibri::idle("i"), Jibri::busy("i"), Jibri::silent("i")] {
            assert_eq!(class(jibri.lifecycle(state)), "other 1", "{state}");
        }
    }
}

#[test]
fn never_heard_is_booting_and_then_overdue() {
    let silent = || Jibri::silent("i");
    assert_classes([
        ("young", silent().launched(-599), "booting"),
        ("as old as the deadline", silent().launched(-600), "overdue"),
        (
            "pending and old",
            silent().launched(-601).lifecycle("Pending:Wait"),
            "overdue",
        ),
        ("of unknown age", silent(), "booting"),
        ("launched in the future", silent().launched(60), "booting"),
        (
            "refusing, but never heard",
            silent().launched(-5).refused(),
            "booting",
        ),
        (
            "timing out, but never heard",
            silent().launched(-700).reach(Reachability::TimedOut),
            "overdue",
        ),
        // "Heard" is an HTTP answer that could be read.
        (
            "garbage",
            Jibri::with_body("i", "<html>").launched(-5),
            "booting",
        ),
        (
            "old garbage",
            Jibri::with_body("i", "<html>").launched(-600),
            "overdue",
        ),
        (
            "a report it never gave",
            Jibri::idle("i").reach(Reachability::Never),
            "booting",
        ),
    ]);
}

#[test]
fn without_a_launch_time_the_first_sight_counts() {
    let mut run = run();
    let fleet = [Jibri::silent("i")];
    let decision = run.quiet(0, 599, &fleet);
    assert_eq!(tally(&decision.tally), "booting 1");
    let decision = run.tick(600, &fleet);
    assert_eq!(tally(&decision.tally), "overdue 1");
    assert!(finds(&decision, "never heard"));
}

#[test]
fn what_is_not_known_for_certain_is_unknown() {
    let unknown = "unknown";
    assert_classes([
        ("refused", Jibri::idle("i").refused(), unknown),
        ("refused, busy before", Jibri::busy("i").refused(), unknown),
        (
            "refused, old",
            Jibri::idle("i").stamped(at(-9999)).refused(),
            unknown,
        ),
        ("stale", Jibri::idle("i").timed_out(-46), unknown),
        ("stale and busy", Jibri::busy("i").timed_out(-46), unknown),
        (
            "stale and unhealthy",
            Jibri::unhealthy("i").timed_out(-46),
            unknown,
        ),
        (
            "stale and pending",
            Jibri::idle("i").lifecycle("Pending").timed_out(-46),
            unknown,
        ),
        (
            "stale though it answered",
            Jibri::idle("i").stamped(at(-46)),
            unknown,
        ),
        ("health missing", Jibri::says("i", "IDLE", ""), unknown),
        ("health unknown", Jibri::says("i", "IDLE", "FINE"), unknown),
        (
            "busy status unknown",
            Jibri::says("i", "NAPPING", "HEALTHY"),
            unknown,
        ),
        (
            "busy status missing",
            Jibri::says("i", "", "HEALTHY"),
            unknown,
        ),
    ]);
}

#[test]
fn a_lost_packet_changes_no_class_while_the_report_is_fresh() {
    assert_classes([
        ("just fresh", Jibri::idle("i").timed_out(-45), "spare"),
        ("busy", Jibri::busy("i").timed_out(-45), "busy"),
        (
            "unhealthy",
            Jibri::unhealthy("i").timed_out(-1),
            "unhealthy",
        ),
    ]);
}

#[test]
fn an_answer_that_cannot_be_read_is_unknown_once_it_was_heard() {
    let mut run = run();
    run.pass(0, &[Jibri::idle("i")]);
    let decision = run.tick(30, &[Jibri::with_body("i", "<html>")]);
    assert_eq!(tally(&decision.tally), "unknown 1");
    let decision = run.tick(60, &[Jibri::silent("i")]);
    assert_eq!(
        tally(&decision.tally),
        "unknown 1",
        "it was heard, whatever the observer has forgotten"
    );
}

#[test]
fn what_was_heard_and_is_said_to_be_never_heard_is_unknown() {
    let mut run = Run::new((0, 9, 3), "min_idle = 0");
    let others = [Jibri::busy("b"), Jibri::busy("c")];
    let fleet = |a: Jibri| [vec![a], others.to_vec()].concat();
    run.pass(0, &fleet(Jibri::idle("a")));
    let odd = Jibri::unhealthy("a").reach(Reachability::Never);
    let decision = run.tick(30, &fleet(odd));
    assert_eq!(tally(&decision.tally), "busy 2, unknown 1");
    assert_eq!(plan(&decision), "");
}

#[test]
fn busy_is_busy_whatever_the_health_and_the_state() {
    assert_classes([
        ("healthy", Jibri::busy("i"), "busy"),
        ("unhealthy", Jibri::says("i", "BUSY", "UNHEALTHY"), "busy"),
        ("health missing", Jibri::says("i", "BUSY", ""), "busy"),
        (
            "pending",
            Jibri::busy("i").lifecycle("Pending:Proceed"),
            "busy",
        ),
        (
            "the old shape",
            Jibri::with_body("i", r#"{"busy":true}"#),
            "busy",
        ),
    ]);
}

#[test]
fn pending_with_a_report_is_booting_again() {
    for jibri in [
        Jibri::idle("i"),
        Jibri::unhealthy("i"),
        Jibri::expired("i"),
        Jibri::says("i", "IDLE", ""),
        Jibri::idle("i").launched(-9999),
    ] {
        assert_eq!(class(jibri.lifecycle("Pending")), "booting 1");
    }
}

#[test]
fn the_rest_is_told_by_health_first() {
    assert_classes([
        ("unhealthy", Jibri::unhealthy("i"), "unhealthy"),
        (
            "unhealthy before expired",
            Jibri::says("i", "EXPIRED", "UNHEALTHY"),
            "unhealthy",
        ),
        (
            "unhealthy, doing who knows what",
            Jibri::says("i", "NAPPING", "UNHEALTHY"),
            "unhealthy",
        ),
        ("expired", Jibri::expired("i"), "expired"),
        (
            "expired, health missing",
            Jibri::says("i", "EXPIRED", ""),
            "expired",
        ),
        ("spare", Jibri::idle("i"), "spare"),
        (
            "the old shape",
            Jibri::with_body("i", r#"{"busy":false}"#),
            "spare",
        ),
    ]);
}

#[test]
fn rows_that_say_the_same_are_one_and_others_are_unknown() {
    let idle = || Jibri::idle("i");
    let cases = [
        ("the same", vec![idle(), idle()], "spare 1"),
        (
            "of different zones",
            vec![idle().zone("a"), idle().zone("b")],
            "unknown 1",
        ),
        (
            "idle and busy",
            vec![idle(), Jibri::busy("i"), idle()],
            "unknown 1",
        ),
        (
            "leaving and not",
            vec![idle(), idle().lifecycle("Terminating")],
            "unknown 1",
        ),
        (
            "both leaving",
            vec![
                idle().lifecycle("Terminated"),
                idle().lifecycle("Terminating"),
            ],
            "retiring 1",
        ),
        (
            "both not ours",
            vec![
                idle().lifecycle("Standby"),
                idle().lifecycle("Warmed:Running"),
            ],
            "other 1",
        ),
        (
            "both booting",
            vec![Jibri::silent("i"), Jibri::silent("i").lifecycle("Pending")],
            "booting 1",
        ),
    ];
    for (case, rows, expected) in cases {
        let decision = run().tick(0, &rows);
        assert_eq!(tally(&decision.tally), expected, "{case}");
        assert_eq!(
            finds(&decision, "listed twice"),
            case != "the same",
            "{case}"
        );
    }
}

#[test]
fn a_stamp_from_the_future_counts_as_received_when_it_was_first_seen() {
    let mut run = run();
    let ahead = Jibri::idle("i").timed_out(9999);
    let spare = run.quiet(0, 45, std::slice::from_ref(&ahead));
    assert_eq!(tally(&spare.tally), "spare 1");
    assert_eq!(
        tally(&run.tick(46, &[ahead]).tally),
        "unknown 1",
        "it is not received anew in each tick"
    );
    let newer = Jibri::idle("i").timed_out(99_999);
    assert_eq!(tally(&run.tick(50, &[newer]).tally), "spare 1");
}

#[test]
fn long_unknown_and_overdue_ones_are_findings() {
    let mut run = Run::new((0, 9, 3), "min_idle = 0");
    let fleet = |jibri: Jibri| [jibri, Jibri::busy("b"), Jibri::busy("c")];
    run.pass(0, &fleet(Jibri::busy("a")));
    let decision = run.tick(30, &fleet(Jibri::busy("a").refused()));
    assert!(finds(&decision, "a: was BUSY and now refuses"));
    let decision = run.quiet(60, 629, &fleet(Jibri::busy("a").refused()));
    assert!(!finds(&decision, "a: not heard for boot_deadline"));
    let decision = run.tick(630, &fleet(Jibri::busy("a").refused()));
    assert!(finds(&decision, "a: not heard for boot_deadline"));
}
