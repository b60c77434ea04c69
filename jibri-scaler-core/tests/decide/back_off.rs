//! Launches that do not come: fewer are asked for, and more again by itself.

use jibri_scaler_core::{Decision, Group, Memory, PolicyFile, Severity, Stage};

use crate::common::{Jibri, Run, all, because, finds, many, plan, step};

/// The boot deadline of these tests, in seconds, as by default.
const DEADLINE: i64 = 600;
const TICK: i64 = 30;
const BOOT: i64 = 60;
/// One spare is wanted, and a failure leaves nothing to launch.
const ONE: &str = "min_idle = 1\nmax_launch = 1";
/// When what was launched at 0, and listed a tick later, is overdue.
const FAILED: i64 = TICK + DEADLINE;

fn held_back(decision: &Decision) -> Option<Severity> {
    let findings = &decision.explanation.findings;
    let says = |what: &str| what.starts_with("launches do not come");
    findings
        .iter()
        .find(|finding| says(&finding.what))
        .map(|finding| finding.severity)
}

/// A group beside many busy ones, so that nobody is blind, whose launches come after a while, or never.
struct Launching {
    run: Run,
    now: i64,
    busy: usize,
    /// When each was launched, and whether it boots.
    launched: Vec<(i64, bool)>,
    /// Whether what is launched now will be heard.
    boots: bool,
    /// Whether what is asked for appears at all.
    appears: bool,
    /// When launches were asked for, one entry each.
    asked: Vec<i64>,
}

impl Launching {
    fn new(policy: &str) -> Self {
        let busy = 100;
        Self {
            run: Run::new((0, 9999, 100), policy),
            now: 0,
            busy,
            launched: Vec::new(),
            boots: true,
            appears: true,
            asked: Vec::new(),
        }
    }

    fn tick(&mut self) -> Decision {
        let now = self.now;
        let new = self.launched.iter().enumerate().map(|(n, (at, boots))| {
            let id = format!("n-{n:04}");
            if *boots && now >= at + BOOT {
                Jibri::idle(&id)
            } else {
                Jibri::silent(&id)
            }
        });
        let new: Vec<_> = new.collect();
        let decision = self
            .run
            .tick(now, &all(&[&many('b', self.busy, Jibri::busy), &new]));
        if let Some(to) = decision.plan.capacity() {
            for _ in self.run.group.desired..to {
                self.asked.push(now);
                if self.appears {
                    self.launched.push((now, self.boots));
                }
            }
            self.run.group.desired = to;
        }
        self.now += TICK;
        decision
    }

    fn want(&mut self, min_idle: u32) {
        let file = PolicyFile::from_toml(&format!("min_idle = {min_idle}")).unwrap();
        self.run.policy = file.policy();
    }

    fn until(&mut self, end: i64) -> Decision {
        while self.now < end {
            let _ = self.tick();
        }
        self.tick()
    }

    /// The largest number of launches asked for in any hour that begins at or after `from`.
    fn most_in_an_hour(&self, from: i64) -> usize {
        let asked: Vec<_> = self.asked.iter().filter(|at| **at >= from).collect();
        let in_hour = |start: &i64| {
            asked
                .iter()
                .filter(|at| (*start..start + 3600).contains(**at))
                .count()
        };
        asked.iter().map(|start| in_hour(start)).max().unwrap_or(0)
    }
}

#[test]
fn where_nothing_ever_boots_launches_fall_to_two_an_hour_and_go_on() {
    let mut group = Launching::new("min_idle = 20");
    group.boots = false;
    let decision = group.until(12 * 3600);
    assert_eq!(held_back(&decision), Some(Severity::Critical));
    // The first twenty, half as many after each failure, and what fills in meanwhile.
    assert_eq!(group.most_in_an_hour(0), 20 + 10 + 5 + 2 + 1 + 3);
    assert_eq!(group.most_in_an_hour(3600), 2);
    // It is always tried again, three deadlines after the last failure.
    let later = group.asked.iter().skip(1);
    let between = group.asked.iter().zip(later).map(|(a, b)| b - a);
    assert_eq!(between.max(), Some(FAILED + 3 * DEADLINE));
}

#[test]
fn once_launches_come_again_the_first_one_restores_everything() {
    let mut worst = 0;
    for minutes in (15..180).step_by(15) {
        let mut group = Launching::new("min_idle = 20");
        group.boots = false;
        let _ = group.until(minutes * 60);
        group.boots = true;
        let healed = group.now;
        let decision = loop {
            let decision = group.tick();
            if decision.tally.spare >= 20 {
                break decision;
            }
            assert!(group.now < healed + 100_000, "{}", decision.explanation);
        };
        assert_eq!(held_back(&decision), None);
        worst = worst.max(group.now - healed);
    }
    // A launch from before fails, the longest pause, the boot of one, and the boot of the rest.
    let bound = FAILED + 3 * DEADLINE + 2 * (BOOT + TICK) + TICK;
    assert!(worst <= bound, "{worst} s, more than {bound} s");
    assert!(
        worst > 3 * DEADLINE,
        "{worst} s: the longest pause was tried"
    );
}

#[test]
fn one_that_fails_beside_others_that_come_holds_nothing_back() {
    let mut group = Launching::new("min_idle = 3");
    let _ = group.tick();
    // The last of three is dead, and replaced at once.
    group.launched[2].1 = false;
    let decision = group.until(3 * DEADLINE);
    assert_eq!(held_back(&decision), None);
    assert_eq!((decision.tally.overdue, decision.tally.spare), (1, 3));
    assert_eq!(group.asked, [0, 0, 0, FAILED]);
}

#[test]
fn one_that_fails_alone_is_tried_again_at_once_until_it_has_failed_five_times() {
    let mut group = Launching::new("min_idle = 1");
    group.boots = false;
    let _ = group.until(5 * FAILED);
    assert_eq!(group.asked, [0, FAILED, 2 * FAILED, 3 * FAILED, 4 * FAILED]);
    let decision = group.until(5 * FAILED + 3 * DEADLINE);
    assert_eq!(plan(&decision), "set 106", "after the longest pause");
}

#[test]
fn where_none_are_left_one_is_launched_after_each_pause_and_it_is_said() {
    let mut group = Launching::new(ONE);
    group.boots = false;
    let decision = group.until(FAILED);
    assert_eq!(plan(&decision), "");
    assert_eq!(step(&decision, Stage::LaunchBudget), (102, 101));
    let said = because(&decision, Stage::LaunchBudget);
    assert!(
        said.ends_with("; 1 failed in a row, so 0 may be launched now"),
        "{said}"
    );
    let what = "1 failed in a row, the last at 2026-11-22T10:10:30Z, so 0 may be launched now and one more every 5m; 1 wanted \
                ones are held back";
    assert!(finds(&decision, what), "{}", decision.explanation);
    assert_eq!(held_back(&decision), Some(Severity::Critical));
    let decision = group.until(FAILED + DEADLINE / 2);
    assert_eq!(plan(&decision), "set 102");
    assert_eq!(
        held_back(&decision),
        Some(Severity::Warning),
        "all that is wanted is asked for"
    );
}

#[test]
fn capacity_that_never_appears_is_a_failure_too_and_is_not_asked_for_twice() {
    let mut group = Launching::new("min_idle = 5\nmax_launch = 12");
    group.appears = false;
    let decision = group.until(DEADLINE);
    assert_eq!((held_back(&decision), group.asked.len()), (None, 5));
    let decision = group.until(FAILED);
    assert_eq!(held_back(&decision), Some(Severity::Warning));
    assert_eq!(group.asked.len(), 5);
    // More is wanted: half of `max_launch` at once, and one after each pause.
    group.want(12);
    let decision = group.until(FAILED + 2 * TICK);
    assert_eq!(held_back(&decision), Some(Severity::Critical));
    assert_eq!(group.asked.len(), 5 + 6);
    let _ = group.until(FAILED + DEADLINE / 2);
    assert_eq!(group.asked.len(), 12, "all that is wanted");
    let _ = group.until(20 * DEADLINE);
    assert_eq!(group.asked.len(), 12);
    // What was asked for comes at last.
    group.launched = group.asked.iter().map(|_| (group.now, true)).collect();
    let decision = group.until(20 * DEADLINE + 2 * BOOT + TICK);
    assert_eq!((held_back(&decision), decision.tally.spare), (None, 12));
}

#[test]
fn a_failure_that_is_long_ago_is_forgotten() {
    let mut group = Launching::new(ONE);
    group.boots = false;
    let _ = group.until(FAILED);
    group.want(0);
    let decision = group.until(18 * DEADLINE);
    assert_eq!(held_back(&decision), Some(Severity::Warning));
    let decision = group.until(FAILED + 18 * DEADLINE);
    assert_eq!(held_back(&decision), None);
}

#[test]
fn a_group_below_its_minimum_is_grown_whatever_failed() {
    let mut group = Launching::new(ONE);
    group.boots = false;
    let _ = group.until(FAILED);
    group.run.group = Group::new(120, 9999, 101);
    assert_eq!(plan(&group.tick()), "set 120");
}

#[test]
fn losing_the_memory_or_reading_an_old_one_does_no_harm() {
    let mut group = Launching::new(ONE);
    group.boots = false;
    let _ = group.until(FAILED);
    let text = serde_json::to_string(&group.run.memory).unwrap();
    let again: Memory = serde_json::from_str(&text).unwrap();
    assert_eq!(again, group.run.memory);
    // One that was written before there was a back-off has no such key.
    let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(old.as_object_mut().unwrap().remove("back_off").is_some());
    group.run.memory = serde_json::from_value(old).unwrap();
    assert_eq!(plan(&group.tick()), "set 102", "as if nothing had failed");
    group.run.memory = Memory::default();
    let decision = group.tick();
    assert_eq!(plan(&decision), "", "all that was not heard boots anew");
    assert_eq!(held_back(&decision), None);
}

#[test]
fn deciding_twice_takes_launches_out_once() {
    let mut group = Launching::new("min_idle = 5\nmax_launch = 5");
    group.boots = false;
    let decision = group.until(FAILED);
    assert_eq!(plan(&decision), "set 107", "five failed, and two are tried");
    group.now -= TICK;
    assert_eq!(plan(&group.tick()), "");
}

#[test]
fn a_clock_that_steps_back_delays_no_launch() {
    let mut group = Launching::new(ONE);
    group.boots = false;
    let _ = group.until(FAILED);
    let asked = group.asked.len();
    group.now -= 100_000;
    let start = group.now;
    let _ = group.until(start + DEADLINE / 2);
    assert_eq!(group.asked.len(), asked + 1);
}

#[test]
fn a_clock_that_jumps_forward_is_no_failure() {
    for appears in [true, false] {
        let mut group = Launching::new("min_idle = 3");
        group.boots = false;
        group.appears = appears;
        let _ = group.until(DEADLINE / 2);
        group.now += 100_000;
        let start = group.now;
        let decision = group.until(start + DEADLINE - 2 * TICK);
        assert_eq!(held_back(&decision), None);
        group.want(6);
        let asked = group.asked.len();
        let _ = group.tick();
        assert_eq!(group.asked.len(), asked + 3);
    }
}
