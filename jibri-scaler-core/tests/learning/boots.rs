//! How long instances boot, from what is seen.

use std::time::Duration;

use jibri_scaler_core::Stage;

use crate::common::{Jibri, Run, because};

fn run() -> Run {
    Run::new((0, 99, 0), "min_idle = 0")
}

/// The boots that were learned, in seconds.
fn learned(run: &Run) -> String {
    serde_json::to_value(run.memory.learned()).unwrap()["boots"].to_string()
}

#[test]
fn a_boot_is_the_time_from_the_launch_to_the_first_healthy_idle() {
    let mut run = run();
    run.pass(0, &[]);
    let booting = Jibri::silent("i").launched(5).lifecycle("Pending");
    run.pass(30, std::slice::from_ref(&booting));
    run.pass(60, &[booting]);
    run.pass(90, &[Jibri::unhealthy("i").launched(5)]);
    run.pass(120, &[Jibri::says("i", "IDLE", "").launched(5)]);
    assert_eq!(learned(&run), "null", "it is not up yet");
    for secs in [150, 180, 210] {
        run.pass(secs, &[Jibri::idle("i").launched(5)]);
    }
    assert_eq!(learned(&run), "[145]", "once");
}

#[test]
fn where_the_launch_is_not_known_it_is_when_it_was_seen_first() {
    let mut run = run();
    run.pass(0, &[]);
    run.pass(30, &[Jibri::silent("i")]);
    run.pass(60, &[Jibri::silent("i")]);
    // It was taken before it was seen idle.
    run.pass(90, &[Jibri::busy("i")]);
    assert_eq!(learned(&run), "[60]");
}

#[test]
fn a_boot_that_was_not_watched_teaches_nothing() {
    let mut run = run();
    // There at the first look: up; booting for who knows how long; up for days, but not heard yet.
    let days = || Jibri::silent("k").launched(-99_999);
    run.pass(
        0,
        &[Jibri::idle("i").launched(-60), Jibri::silent("j"), days()],
    );
    run.pass(
        30,
        &[
            Jibri::idle("i").launched(-60),
            Jibri::idle("j"),
            Jibri::idle("k").launched(-99_999),
        ],
    );
    assert_eq!(learned(&run), "null");
    // Booting over a gap, and over a step back.
    for (before, after) in [(60, 600), (630, 400)] {
        run.pass(before, &[Jibri::silent("l").launched(50)]);
        run.pass(after, &[Jibri::silent("l").launched(50)]);
        run.pass(after + 30, &[Jibri::idle("l").launched(50)]);
        assert_eq!(learned(&run), "null", "from {before} to {after}");
        run.pass(after + 31, &[]);
    }
}

#[test]
fn one_that_was_overdue_counts_as_long_as_it_may_boot() {
    let mut run = Run::new((0, 99, 0), "min_idle = 0\nboot_deadline = '60s'");
    run.pass(0, &[]);
    for secs in (30..=150).step_by(30) {
        run.pass(secs, &[Jibri::silent("i").launched(20)]);
    }
    run.pass(180, &[Jibri::idle("i").launched(20)]);
    assert_eq!(learned(&run), "[60]");
}

#[test]
fn the_lead_of_the_slo_follows_the_boots() {
    let mut run = Run::new(
        (0, 99, 0),
        "min_idle = 0\nidle_timeout = '7d'\nrefuse_at_most = '1%'\nreport_delay = '0s'",
    );
    let lead = |run: &mut Run, secs| {
        let decision = run.tick(secs, &[Jibri::idle("z")]);
        because(&decision, Stage::WantedSpare)
            .split("one lead time of ")
            .nth(1)
            .unwrap()
            .split(')')
            .next()
            .unwrap()
            .to_string()
    };
    for secs in [0, 30, 60] {
        run.pass(secs, &[Jibri::idle("z")]);
    }
    assert_eq!(lead(&mut run, 90), "3m 30s", "the prior and the interval");
    for number in 0..20 {
        let at = 120 + number * 60;
        let id = format!("i-{number}");
        run.pass(
            at,
            &[Jibri::silent(&id).launched(at - 210), Jibri::idle("z")],
        );
        run.pass(
            at + 30,
            &[Jibri::idle(&id).launched(at - 210), Jibri::idle("z")],
        );
    }
    assert_eq!(
        run.memory.learned().boots().p90(),
        Some(Duration::from_secs(240))
    );
    assert_eq!(lead(&mut run, 1350), "4m 30s");
}
