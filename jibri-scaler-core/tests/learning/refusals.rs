//! The step after a refusal, through the decision.

use jibri_scaler_core::Stage;

use crate::common::{Jibri, Run, because, many, plan, step};

const STEP: &str =
    "min_idle = 2\nmax_launch = 3\nrefusal_step = 8\nrefusal_step_for = '10m'\nidle_timeout = '7d'";

#[test]
fn a_refusal_grows_the_group_inside_the_launch_budget() {
    let mut run = Run::new((0, 99, 2), STEP);
    let busy = many('b', 2, Jibri::busy);
    run.refused = Some(1);
    let decision = run.tick(0, &busy);
    assert_eq!(decision.wanted_spare, 10);
    assert_eq!(step(&decision, Stage::WantedSpare), (2, 12));
    assert_eq!(plan(&decision), "set 5", "no more than max_launch");
    let because = because(&decision, Stage::WantedSpare);
    assert!(
        because.starts_with("min_idle + refusal_step wants 10 spare"),
        "{because}"
    );
}

#[test]
fn the_step_decays_to_the_base_and_another_refusal_begins_anew() {
    let mut run = Run::new((0, 99, 12), STEP);
    let fleet = many('i', 12, Jibri::idle);
    let mut wanted = Vec::new();
    for secs in (0..=900).step_by(30) {
        run.refused = Some(u32::from(secs == 0 || secs == 150));
        wanted.push(run.tick(secs, &fleet).wanted_spare);
    }
    assert_eq!(
        (wanted[0], wanted[3], wanted[5], wanted[6]),
        (10, 9, 10, 10)
    );
    assert!(wanted[5..].is_sorted_by(|a, b| a >= b), "{wanted:?}");
    assert_eq!(wanted[25..], [2; 6], "ten minutes after the second");
}

#[test]
fn refusals_that_nobody_counts_are_no_refusals() {
    let mut run = Run::new((0, 99, 2), STEP);
    for refused in [None, Some(0)] {
        run.refused = refused;
        assert_eq!(run.tick(0, &many('b', 2, Jibri::busy)).wanted_spare, 2);
    }
}

#[test]
fn a_step_back_in_time_makes_no_refusal_young_again() {
    let mut run = Run::new((0, 99, 2), STEP);
    let busy = many('b', 2, Jibri::busy);
    run.refused = Some(1);
    run.pass(0, &busy);
    run.refused = Some(0);
    for secs in (30..=570).step_by(30) {
        run.pass(secs, &busy);
    }
    assert_eq!(run.tick(570, &busy).wanted_spare, 3);
    assert_eq!(run.tick(-5000, &busy).wanted_spare, 3, "as old as it was");
    assert_eq!(run.tick(-4970, &busy).wanted_spare, 2);
}
