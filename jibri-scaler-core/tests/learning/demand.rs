//! When recordings start, from what is seen.

use jibri_scaler_core::{Decision, Stage};

use crate::common::{Jibri, Run, because, finds, many};

const SLO: &str = "min_idle = 0\nrefuse_at_most = '1%'\ntime_zone = 'Europe/Berlin'";

fn run() -> Run {
    Run::new((0, 99, 2), SLO)
}

/// The starts that were seen in the minute under way.
fn starts(run: &Run) -> u64 {
    let units =
        serde_json::to_value(run.memory.learned()).unwrap()["demand"]["minute"]["starts"].clone();
    let units = units.as_u64().unwrap_or(0);
    assert!(units.is_multiple_of(64), "whole ones");
    units / 64
}

#[test]
fn a_start_is_a_spare_one_that_turns_busy() {
    let mut run = run();
    let idle = [Jibri::idle("i"), Jibri::idle("j")];
    run.pass(0, &idle);
    run.pass(10, &idle);
    assert_eq!(starts(&run), 0);
    run.pass(20, &[Jibri::busy("i"), Jibri::idle("j")]);
    run.pass(30, &[Jibri::busy("i"), Jibri::idle("j")]);
    assert_eq!(starts(&run), 1, "once");
    run.pass(40, &[Jibri::busy("i"), Jibri::busy("j")]);
    assert_eq!(starts(&run), 2);
    run.pass(50, &idle);
    assert_eq!(starts(&run), 2);
}

#[test]
fn one_that_is_up_and_busy_at_once_has_started_too() {
    let mut run = run();
    run.pass(0, &[]);
    run.pass(10, &[Jibri::silent("i")]);
    run.pass(20, &[Jibri::busy("i")]);
    assert_eq!(starts(&run), 1);
}

#[test]
fn what_was_busy_before_anybody_looked_has_not_started_now() {
    let busy = || [Jibri::busy("i"), Jibri::busy("j")];
    let mut run = run();
    run.pass(0, &busy());
    run.pass(10, &busy());
    assert_eq!(starts(&run), 0, "the first look");
    run.pass(20, &[Jibri::idle("i"), Jibri::refused(Jibri::idle("j"))]);
    run.pass(30, &[Jibri::idle("i"), Jibri::busy("j")]);
    assert_eq!(starts(&run), 0, "it was not seen free");
    run.pass(400, &busy());
    assert_eq!(starts(&run), 0, "a gap");
    run.pass(410, &[Jibri::idle("i"), Jibri::idle("j")]);
    run.pass(300, &busy());
    assert_eq!(starts(&run), 0, "a step back");
}

/// Weeks of office days: five start at 09:00 by the clock of Berlin on each working day, and record until noon.
fn weeks(run: &mut Run, weeks: i64) -> Vec<Decision> {
    // 2026-11-22 10:00 UTC is a Sunday; the Monday there begins 13 hours later.
    let monday = 13 * 3600;
    let mut decisions = Vec::new();
    for day in (0..weeks * 7).filter(|day| day % 7 < 5) {
        for minute in 525..600 {
            let secs = monday + day * 86_400 + minute * 60;
            let busy = if minute < 540 { 0 } else { 5 };
            let fleet = [
                many('b', busy, Jibri::busy),
                many('b', 12, Jibri::idle)[busy..].to_vec(),
            ]
            .concat();
            let decision = run.tick(secs, &fleet);
            decisions.push(decision);
        }
    }
    decisions
}

#[test]
fn a_peak_that_comes_each_morning_is_ordered_before_it_comes() {
    let mut run = Run::new(
        (0, 99, 12),
        &format!("{SLO}\nreport_ttl = '2m'\nidle_timeout = '7d'"),
    );
    let decisions = weeks(&mut run, 4);
    let friday = &decisions[decisions.len() - 75..];
    let wanted = |minute: usize| friday[minute - 525].wanted_spare;
    // The lead is 60 s + 10 s + 180 s.
    assert!(wanted(528) <= 2, "{}", wanted(528));
    assert!((9..=13).contains(&wanted(537)), "{}", wanted(537));
    assert!((9..=13).contains(&wanted(539)), "{}", wanted(539));
    assert!(wanted(550) <= 2, "{}", wanted(550));
    let step = because(&friday[539 - 525], Stage::WantedSpare);
    assert!(
        step.starts_with("slo wants") && step.contains("at most 1%"),
        "{step}"
    );
    let size = serde_json::to_string(&run.memory.learned()).unwrap().len();
    assert!(size < 1000, "{size}");
}

#[test]
fn another_time_zone_learns_anew_and_says_so() {
    let mut run = run();
    run.pass(0, &[]);
    run.pass(30, &[]);
    let moved = Run::new((0, 99, 2), &SLO.replace("Berlin", "Paris"));
    run.policy = moved.policy;
    let decision = run.tick(60, &[]);
    assert!(finds(
        &decision,
        "learned in Europe/Berlin and is now to be that of Europe/Paris"
    ));
    assert!(!finds(&run.tick(90, &[]), "learned in"), "once");
}

#[test]
fn where_no_policy_asks_for_it_nothing_is_learned_of_it() {
    let mut run = Run::new((0, 99, 2), "min_idle = 1");
    run.pass(0, &[Jibri::idle("i")]);
    run.pass(30, &[Jibri::busy("i")]);
    assert!(run.memory.learned().demand().is_none());
    assert!(run.memory.learned().interval().is_some());
}
