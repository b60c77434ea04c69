//! What the explanation says, to the letter: each sentence of each stage, and each clause of a policy.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use jibri_scaler_core::{
    Because, Decision, Memory, Stage, TimeZone, decide,
    learned::{Learned, WeeklyDemand},
    policy::{Lead, MaxOf, Policy, Reservation, Reserved, Situation, Vote},
};

use crate::common::{Jibri, Run, all, at, because, many};

fn say(run: &mut Run, secs: i64, command: &str) {
    let command = serde_json::from_str(command).unwrap();
    run.memory.command(&command, at(secs)).unwrap();
}

#[test]
fn each_policy_says_why_it_wants_so_many() {
    let cases = [
        (
            "min_idle = 3",
            "min_idle wants 3 spare (at least 3 are always wanted); 0 are spare and 3 are coming",
        ),
        (
            "min_idle = 0\npercent_idle = 12.5",
            "percent_idle wants 2 spare (12.5% of all are to be idle while 9 are in use); 0 are spare and 3 are coming",
        ),
        (
            "min_idle = 0\npercent_idle = 50\npercent_idle_max = 2",
            "percent_idle wants 2 spare (50% of all are to be idle while 9 are in use, but no more than 2); 0 are spare and 3 are coming",
        ),
        (
            "min_idle = 0\nsquare_root = { base = 1, factor = 1.5 }",
            "square_root wants 6 spare (1 and 1.5 times the square root of 9 in use); 0 are spare and 3 are coming",
        ),
        (
            "min_idle = 0\n[[schedule]]\nspare = 4\ndays = 'sat-sun'\nfrom = '09:00'\nto = '12:30'\nzone = 'Europe/Berlin'",
            "schedule wants 4 spare (sat-sun 09:00–12:30 Europe/Berlin wants 4); 0 are spare and 3 are coming",
        ),
        (
            "min_idle = 0\nrefuse_at_most = '1%'",
            "slo wants 14 spare (so many refuse at most 1% of the 7.32 starts expected in one lead time of 3m 40s); 0 are spare and 3 are coming",
        ),
        (
            "min_idle = 1\nrefusal_step = 4",
            "min_idle + refusal_step wants 5 spare (at least 1 are always wanted; 4 more, since 2 refused 30s ago); 0 are spare and 3 are coming",
        ),
        (
            "min_idle = 1\n[[reservation]]\nspare = 5\nfrom = '2026-11-22T10:02:00Z'\nto = '2026-11-22T11:00:00Z'",
            "min_idle + reservation wants 6 spare (at least 1 are always wanted; 5 more by 1 reservations); 0 are spare and 3 are coming",
        ),
        (
            "min_idle = 1\nrefusal_step = 4\n[[reservation]]\nspare = 5\nfrom = '2026-11-22T10:02:00Z'\nto = '2026-11-22T11:00:00Z'",
            "min_idle + refusal_step + reservation wants 10 spare (at least 1 are always wanted; 4 more, since 2 refused 30s ago; 5 more by 1 reservations); 0 are spare and 3 are coming",
        ),
    ];
    for (policy, sentence) in cases {
        let mut run = Run::new((0, 99, 12), policy);
        run.refused = Some(2);
        let busy = many('b', 9, Jibri::busy);
        let mut demand = WeeklyDemand::new(TimeZone::default());
        demand.observe(at(-600), at(600), 40, 1.0);
        run.memory = Memory::default().with_learned(Learned::default().with_demand(demand));
        run.pass(0, &busy);
        run.refused = Some(0);
        let decision = run.tick(30, &busy);
        assert_eq!(because(&decision, Stage::WantedSpare), sentence, "{policy}");
    }
}

/// A group of four with this policy file.
fn four(policy: &str) -> (Run, Vec<Jibri>) {
    (Run::new((1, 20, 4), policy), many('i', 4, Jibri::idle))
}

fn assert_says(decision: &Decision, sentences: &[(Stage, &str)]) {
    for (stage, sentence) in sentences {
        assert_eq!(because(decision, *stage), *sentence);
    }
}

#[test]
fn each_stage_says_its_numbers() {
    let (mut run, idle) = four("min_idle = 2\nmax_retire = 3");
    let young = run.tick(0, &idle);
    let sentence = "4 are ready and 2 wanted, observed for 0s of the 1m that a surplus must last";
    assert_says(&young, &[(Stage::Surplus, sentence)]);
    run.pass(30, &idle);
    assert_says(
        &run.tick(60, &idle),
        &[
            (Stage::Bounds, "the group may have 1 to 20 instances"),
            (
                Stage::LaunchBudget,
                "0 launches of at most 20 are outstanding",
            ),
            (
                Stage::Surplus,
                "4 are ready and 2 wanted; the smallest surplus of the last 1m is 2",
            ),
            (Stage::Eligible, "4 of 4 ready ones have been idle for 1m"),
            (
                Stage::Headroom,
                "desired 4 is above the minimum size 1 by 3 after 0 that are leaving, and 3 of 3 retirements may begin",
            ),
            (
                Stage::SafeRetirement,
                "4 of 4 that have been idle for long enough can be told to end",
            ),
            (
                Stage::Plan,
                "2 idle and 0 broken ones go, 0 of them are replaced",
            ),
        ],
    );
}

#[test]
fn a_stage_that_holds_back_says_what_it_waits_for() {
    let (mut blind, idle) = four("min_idle = 2");
    blind.pass(0, &idle);
    let refusing = many('i', 4, |id| Jibri::idle(id).refused());
    assert_says(
        &blind.tick(30, &refusing),
        &[
            (
                Stage::LaunchBudget,
                "blind, so 2 of 2 launches are left until sight returns, and 0 of 20 are outstanding",
            ),
            (
                Stage::Surplus,
                "blind: nothing is retired until sight returns",
            ),
        ],
    );
    let (mut untold, idle) = four("min_idle = 1");
    untold.group.safe_retirement = false;
    let sentence = "no instance of this group can be retired safely: it only grows";
    assert_says(
        &untold.quiet(0, 60, &idle),
        &[(Stage::SafeRetirement, sentence)],
    );

    let (mut failing, _) = four("min_idle = 2\nmax_launch = 1");
    let busy = many('b', 3, Jibri::busy);
    failing.pass(0, &busy);
    let fleet = all(&[&busy, &[Jibri::silent("n").launched(30)]]);
    for secs in (30..630).step_by(30) {
        failing.pass(secs, &fleet);
    }
    let sentence =
        "0 launches of at most 1 are outstanding; 1 failed in a row, so 0 may be launched now";
    assert_says(
        &failing.tick(630, &fleet),
        &[(Stage::LaunchBudget, sentence)],
    );
}

#[test]
fn a_stage_that_heeds_an_operator_says_so() {
    let pause = |direction| {
        format!(
            r#"{{"kind":"pause","direction":"{direction}","until":"2026-11-22T12:00:00Z","reason":"full"}}"#
        )
    };
    let (mut run, idle) = four("min_idle = 3");
    say(&mut run, 0, &pause("growing"));
    say(
        &mut run,
        0,
        r#"{"kind":"keep","id":"i-00","reason":"its disk"}"#,
    );
    run.pass(0, &idle);
    run.pass(30, &idle);
    say(
        &mut run,
        60,
        r#"{"kind":"retire","id":"i-01","reason":"old"}"#,
    );
    assert_says(
        &run.tick(60, &all(&[&idle, &[Jibri::unhealthy("x")]])),
        &[
            (
                Stage::LaunchBudget,
                "0 launches of at most 20 are outstanding; but growing is paused until 2026-11-22T12:00:00Z",
            ),
            (
                Stage::Eligible,
                "2 of 3 ready ones have been idle for 1m, beside 1 that are kept by hand",
            ),
            (
                Stage::Plan,
                "0 idle and 1 broken ones go, 0 of them are replaced; 1 more go by hand",
            ),
        ],
    );
    let (mut paused, idle) = four("min_idle = 1");
    say(&mut paused, 0, &pause("shrinking"));
    let sentence = "desired 4 is above the minimum size 1 by 3 after 0 that are leaving, and 10 of 10 retirements may begin; \
                    but shrinking is paused until 2026-11-22T12:00:00Z";
    assert_says(&paused.quiet(0, 60, &idle), &[(Stage::Headroom, sentence)]);
}

/// A policy whose reason counts how often it was printed.
#[derive(Debug)]
struct Counting(Arc<AtomicU32>);

impl Policy for Counting {
    fn vote(&self, _: &Situation<'_>) -> Vote {
        Vote::new("counting", 1, Because::display(Printed(self.0.clone())))
    }
}

struct Printed(Arc<AtomicU32>);

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fetch_add(1, Ordering::Relaxed);
        f.write_str("somebody asks")
    }
}

#[test]
fn a_reason_is_printed_where_somebody_reads_it_and_nowhere_else() {
    let printed = Arc::new(AtomicU32::new(0));
    let times = || printed.load(Ordering::Relaxed);
    let counting = || Box::new(Counting(Arc::clone(&printed))) as Box<dyn Policy>;
    let event = Reservation::new(at(0), at(600), 1).unwrap();
    let policy = Reserved::new(
        MaxOf::new([counting(), counting()]),
        [event],
        Lead::default(),
    );
    let mut run = Run::new((0, 9, 1), "");
    let memory = std::mem::take(&mut run.memory);
    let snapshot = run.snapshot(0, &[Jibri::idle("i")]);
    let decision = decide(&policy, &run.limits, &snapshot, at(0), memory);
    let copy = decision.clone();
    assert_eq!(copy.wanted_spare, 2);
    assert_eq!(times(), 0);
    let sentence = "counting + reservation wants 2 spare (somebody asks; 1 more by 1 reservations); 1 are spare and 0 are coming";
    assert_eq!(because(&decision, Stage::WantedSpare), sentence);
    assert_eq!(times(), 1);
    let json = serde_json::to_value(&decision).unwrap();
    assert_eq!(json["explanation"][0]["because"], sentence);
    assert_eq!(times(), 2);
}
