//! Pauses of growing and of shrinking.

use jibri_scaler_core::{Severity, Stage};

use crate::{
    common::{Jibri, Run, all, at, because, finds, many, plan, step},
    say, severity,
};

const GROWING: &str =
    r#"{"kind":"pause","direction":"growing","until":"@90","reason":"the subnet is full"}"#;
const SHRINKING: &str =
    r#"{"kind":"pause","direction":"shrinking","until":"@300","reason":"uploads are broken"}"#;

#[test]
fn while_growing_is_paused_the_capacity_stays_and_each_decision_says_so() {
    let mut run = Run::new((0, 9, 1), "min_idle = 3");
    let fleet = [Jibri::busy("a")];
    say(&mut run, 0, GROWING);
    for secs in [0, 30, 60] {
        let decision = run.tick(secs, &fleet);
        assert_eq!(plan(&decision), "", "at {secs}");
        assert_eq!(step(&decision, Stage::LaunchBudget), (4, 1));
        let because = because(&decision, Stage::LaunchBudget);
        assert!(
            because.ends_with(&format!("but growing is paused until {}", at(90))),
            "{because}"
        );
        let what = "growing is paused until 2026-11-22T10:01:30Z (for 1m 30s): the subnet is full; 3 launches";
        assert_eq!(severity(&decision, what), Some(Severity::Warning));
    }
    let decision = run.tick(90, &fleet);
    assert_eq!(
        plan(&decision),
        "set 4",
        "at the moment of its end it has ended"
    );
    assert!(!finds(&decision, "paused") && run.memory.operator().kept().is_empty());
}

#[test]
fn a_pause_that_holds_nothing_back_is_only_told() {
    let mut run = Run::new((0, 9, 3), "min_idle = 3");
    say(&mut run, 0, GROWING);
    say(&mut run, 0, SHRINKING);
    let decision = run.tick(0, &many('a', 3, Jibri::idle));
    assert_eq!(
        severity(&decision, "growing is paused"),
        Some(Severity::Info)
    );
    assert_eq!(
        severity(&decision, "shrinking is paused"),
        Some(Severity::Info)
    );
}

#[test]
fn a_pause_of_growing_holds_below_the_minimum_too_and_lets_broken_ones_be_replaced() {
    let mut run = Run::new((4, 9, 2), "min_idle = 1");
    say(&mut run, 0, GROWING);
    let fleet = [Jibri::idle("a"), Jibri::unhealthy("b")];
    assert_eq!(plan(&run.tick(0, &fleet)), "replace b");
    say(&mut run, 1, r#"{"kind":"resume","direction":"growing"}"#);
    assert_eq!(plan(&run.tick(30, &fleet)), "set 4");
}

#[test]
fn what_is_protected_is_protected_during_any_pause() {
    let mut run = Run::new((0, 9, 1), "min_idle = 1");
    say(&mut run, 0, GROWING);
    say(&mut run, 0, SHRINKING);
    let decision = run.tick(0, &[Jibri::busy("a").unprotected()]);
    assert_eq!(plan(&decision), "protect a");
}

#[test]
fn launches_that_were_not_made_count_toward_no_budget() {
    let mut run = Run::new((0, 9, 1), "min_idle = 3\nmax_launch = 3");
    say(&mut run, 0, GROWING);
    run.observe(0, 60, &[Jibri::busy("a")]);
    assert_eq!(plan(&run.tick(90, &[Jibri::busy("a")])), "set 4");
}

#[test]
fn while_shrinking_is_paused_nobody_goes_whether_idle_or_broken() {
    let mut run = Run::new((0, 9, 4), "min_idle = 1");
    let fleet = all(&[&many('a', 3, Jibri::idle), &[Jibri::unhealthy("b")]]);
    say(&mut run, 0, SHRINKING);
    run.observe(0, 240, &fleet);
    let decision = run.tick(270, &fleet);
    assert_eq!(plan(&decision), "");
    assert_eq!(step(&decision, Stage::Eligible), (2, 2));
    assert_eq!(step(&decision, Stage::Headroom), (2, 0));
    let what = "(for 5m): uploads are broken; 3 retirements are held back now";
    assert_eq!(severity(&decision, what), Some(Severity::Warning));
    // Idle times and the surplus went on.
    assert_eq!(
        plan(&run.tick(300, &fleet)),
        "retire a-00, retire a-01, retire b"
    );
}

#[test]
fn a_retirement_that_began_before_the_pause_goes_on() {
    let mut run = Run::new((0, 9, 2), "min_idle = 1");
    let fleet = many('a', 2, Jibri::idle);
    assert_eq!(plan(&run.quiet(0, 60, &fleet)), "retire a-00");
    say(&mut run, 61, SHRINKING);
    let decision = run.tick(90, &fleet);
    assert_eq!((plan(&decision).as_str(), decision.tally.retiring), ("", 1));
}

#[test]
fn a_new_pause_takes_the_place_of_the_old_one() {
    let mut run = Run::new((0, 9, 1), "min_idle = 3");
    say(&mut run, 0, GROWING);
    let longer = r#"{"kind":"pause","direction":"growing","until":"@200","reason":"still"}"#;
    say(&mut run, 60, longer);
    let decision = run.tick(90, &[Jibri::busy("a")]);
    assert_eq!(plan(&decision), "");
    assert!(finds(&decision, "(for 2m 20s): still"), "{decision:#?}");
}
