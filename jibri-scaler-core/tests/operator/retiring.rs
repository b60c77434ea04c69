//! Retirements by hand.

use jibri_scaler_core::{DrainPath, Severity, Stage, retirement::Phase};

use crate::{
    common::{Jibri, Run, all, at, because, finds, many, plan},
    say, severity,
};

const RETIRE: &str = r#"{"kind":"retire","id":"a","reason":"no sound"}"#;
const REPLACE: &str = r#"{"kind":"retire","id":"a","replace":true,"reason":"no sound"}"#;

#[test]
fn whoever_can_be_told_is_retired_at_once_also_a_busy_one() {
    for (name, jibri) in [
        ("idle", Jibri::idle("a")),
        ("busy", Jibri::busy("a")),
        ("unhealthy and busy", Jibri::says("a", "BUSY", "UNHEALTHY")),
    ] {
        for (command, verb) in [(RETIRE, "retire"), (REPLACE, "replace")] {
            let mut run = Run::new((0, 9, 2), "min_idle = 0");
            let fleet = [jibri.clone(), Jibri::busy("b")];
            run.observe(0, 30, &fleet);
            say(&mut run, 31, command);
            let decision = run.tick(60, &fleet);
            assert_eq!(plan(&decision), format!("{verb} a"), "{name}");
            let what = "a: its retirement by hand begins: no sound";
            assert_eq!(severity(&decision, what), Some(Severity::Info));
            let because = because(&decision, Stage::Plan);
            assert!(because.ends_with("1 more go by hand"), "{because}");
            // Once, and a finding while it lasts.
            let decision = run.tick(90, &fleet);
            assert_eq!(plan(&decision), "");
            assert!(finds(
                &decision,
                "a: is being retired by hand (told): no sound"
            ));
        }
    }
}

#[test]
fn a_busy_one_finishes_before_it_goes() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    run.observe(0, 30, &[Jibri::busy("a")]);
    say(&mut run, 31, RETIRE);
    run.pass(60, &[Jibri::busy("a")]);
    let decision = run.tick(90, &[Jibri::busy("a")]);
    let retirement = &run.memory.retirements()[&"a".parse().unwrap()];
    assert_eq!(retirement.phase(), Phase::Finishing, "{decision:#?}");
}

#[test]
fn it_is_replaced_where_it_would_be_missed() {
    for (bounds, policy, fleet, expected) in [
        // At the minimum size.
        (
            (2, 9, 2),
            "min_idle = 0",
            [Jibri::idle("a"), Jibri::busy("b")],
            "replace a",
        ),
        // Spare would be missing.
        (
            (0, 9, 2),
            "min_idle = 2",
            [Jibri::idle("a"), Jibri::idle("b")],
            "replace a",
        ),
        // One that is busy is missed by nobody who counts the idle.
        (
            (0, 9, 2),
            "min_idle = 1",
            [Jibri::busy("a"), Jibri::idle("b")],
            "retire a",
        ),
        (
            (0, 9, 2),
            "min_idle = 1",
            [Jibri::idle("a"), Jibri::idle("b")],
            "retire a",
        ),
    ] {
        let mut run = Run::new(bounds, policy);
        run.observe(0, 30, &fleet);
        say(&mut run, 31, RETIRE);
        // Not for long enough idle to go by itself.
        assert_eq!(plan(&run.tick(45, &fleet)), expected, "{bounds:?} {policy}");
    }
}

#[test]
fn who_goes_by_hand_is_no_surplus_any_more() {
    let mut run = Run::new((0, 9, 3), "min_idle = 1");
    let fleet = all(&[&[Jibri::idle("a")], &many('b', 2, Jibri::idle)]);
    run.observe(0, 30, &fleet);
    say(&mut run, 31, RETIRE);
    // Three are idle and one is wanted: two go, and the one by hand is one of them.
    assert_eq!(plan(&run.tick(60, &fleet)), "retire a, retire b-00");
}

#[test]
fn who_cannot_be_retired_safely_is_not_and_it_is_forgotten() {
    let stale = Jibri::busy("a").timed_out(-900);
    for (jibri, why) in [
        (
            Jibri::idle("a").drain(DrainPath::None),
            "it can't be told to end",
        ),
        (
            Jibri::busy("a").drain(DrainPath::None),
            "it can't be told to end",
        ),
        (Jibri::silent("a"), "it is booting (InService)"),
        (Jibri::silent("a").launched(-9000), "it is overdue"),
        (Jibri::busy("a").refused(), "it is unknown"),
        (stale, "it is unknown"),
        (Jibri::says("a", "NAPPING", "HEALTHY"), "it is unknown"),
        (
            Jibri::idle("a").lifecycle("Standby"),
            "it is other (Standby)",
        ),
        (Jibri::idle("a").lifecycle("Pending:Wait"), "it is booting"),
        (
            Jibri::idle("a").lifecycle("Terminating:Wait"),
            "it is retiring (Terminating:Wait)",
        ),
        (
            Jibri::busy("a").lifecycle("Pending"),
            "it is busy (Pending)",
        ),
    ] {
        let mut run = Run::new((0, 9, 1), "min_idle = 0");
        say(&mut run, 0, RETIRE);
        let decision = run.tick(0, std::slice::from_ref(&jibri));
        assert_eq!(plan(&decision), "", "{jibri:?}");
        let what = format!("a: can't be retired by hand, since {why}");
        assert_eq!(
            severity(&decision, &what),
            Some(Severity::Warning),
            "{why} {decision:#?}"
        );
        assert!(run.memory.operator().retires().is_empty(), "{why}");
    }
}

#[test]
fn one_that_is_not_listed_is_a_finding_once_and_one_that_has_gone_as_asked_is_none() {
    let mut run = Run::new((0, 9, 2), "min_idle = 0");
    say(&mut run, 0, RETIRE);
    let decision = run.tick(0, &[Jibri::busy("b")]);
    assert!(finds(
        &decision,
        "a: can't be retired by hand, since it is not listed"
    ));
    assert!(!finds(&run.tick(30, &[Jibri::busy("b")]), "by hand"));

    let both = [Jibri::busy("a"), Jibri::busy("b")];
    run.pass(60, &both);
    say(&mut run, 61, RETIRE);
    assert_eq!(plan(&run.tick(90, &both)), "retire a");
    let decision = run.tick(120, &[Jibri::busy("b")]);
    assert!(!finds(&decision, "by hand"), "{decision:#?}");
    assert!(run.memory.operator().retires().is_empty());
}

#[test]
fn rows_that_contradict_each_other_are_left_alone() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    say(&mut run, 0, RETIRE);
    let decision = run.tick(0, &[Jibri::idle("a"), Jibri::busy("a")]);
    assert!(finds(
        &decision,
        "a: can't be retired by hand, since it is unknown"
    ));
}

#[test]
fn one_that_was_kept_after_it_was_asked_for_stays() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    say(&mut run, 0, RETIRE);
    say(
        &mut run,
        0,
        r#"{"kind":"keep","id":"a","reason":"its disk"}"#,
    );
    let decision = run.tick(0, &[Jibri::busy("a")]);
    assert_eq!(plan(&decision), "");
    assert!(finds(
        &decision,
        "since it is kept (its disk); that is forgotten"
    ));
}

#[test]
fn it_waits_for_the_end_of_a_pause_for_sight_and_for_a_place() {
    let busy = || many('b', 2, Jibri::busy);
    let paused = r#"{"kind":"pause","direction":"shrinking","until":"@31","reason":"why"}"#;
    let dark = all(&[
        &[Jibri::busy("a")],
        &many('b', 2, |id| Jibri::busy(id).refused()),
    ]);
    let late = all(&[&[Jibri::busy("a").timed_out(0)], &busy()]);
    let clear = all(&[&[Jibri::busy("a")], &busy()]);
    for (more, fleet, why) in [
        (Some(paused), &clear, "shrinking is paused until"),
        (None, &dark, "too little of the group can be seen"),
        (None, &late, "it did not answer in this tick"),
        (
            Some(r#"{"kind":"retire","id":"1","reason":"first"}"#),
            &all(&[&clear, &[Jibri::busy("1")]]),
            "1 retirements of at most 1 are under way",
        ),
    ] {
        let mut run = Run::new((0, 9, 4), "min_idle = 0\nmax_retire = 1");
        run.pass(0, &clear);
        say(&mut run, 1, RETIRE);
        if let Some(more) = more {
            say(&mut run, 1, more);
        }
        let decision = run.decide(30, fleet);
        assert!(!plan(&decision).contains("retire a"), "{why}");
        let what = format!("a: its retirement by hand waits, since {why}");
        assert_eq!(
            severity(&decision, &what),
            Some(Severity::Info),
            "{decision:#?}"
        );
        run.memory.assume_told(at(30));
        // The other one has been told, and seen to finish its recording: that takes no place.
        run.pass(45, &all(&[&clear, &[Jibri::busy("1")]]));
        let now = run.tick(60, &all(&[&clear, &[Jibri::busy("1")]]));
        let begun = run.memory.retirements().contains_key(&"a".parse().unwrap());
        assert!(begun, "{why}: {now:#?}");
    }
}

#[test]
fn after_a_gap_it_waits_until_enough_have_answered() {
    let mut run = Run::new((0, 9, 3), "min_idle = 0");
    let fleet = all(&[&[Jibri::busy("a")], &many('b', 2, Jibri::silent)]);
    run.pass(0, &fleet);
    say(&mut run, 1, RETIRE);
    let decision = run.tick(590, &fleet);
    assert_eq!(plan(&decision), "");
    assert!(finds(
        &decision,
        "waits, since too little of the group can be seen"
    ));
}

#[test]
fn a_broken_one_that_goes_by_hand_goes_once() {
    for broken in [Jibri::unhealthy, Jibri::expired] {
        let mut run = Run::new((0, 9, 2), "min_idle = 0");
        say(&mut run, 0, RETIRE);
        let decision = run.tick(0, &[broken("a"), Jibri::busy("b")]);
        assert_eq!(plan(&decision), "retire a");
    }
}

#[test]
fn a_spare_one_that_goes_by_hand_is_missed_by_those_that_are_broken() {
    let mut run = Run::new((0, 9, 2), "min_idle = 1");
    say(&mut run, 0, RETIRE);
    let decision = run.tick(0, &[Jibri::idle("a"), Jibri::unhealthy("b")]);
    assert_eq!(plan(&decision), "replace a, replace b");
}
