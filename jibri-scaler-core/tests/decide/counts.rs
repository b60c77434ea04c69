//! ready, counting, in use, coming, blind.

use jibri_scaler_core::{Severity, Stage};

use crate::common::{Jibri, Run, all, finds, many, plan, step, tally};

#[test]
fn ready_is_spare_and_answered_in_this_tick() {
    let mut run = Run::new((0, 9, 3), "min_idle = 0");
    let fleet = [
        Jibri::idle("a"),
        Jibri::idle("b").timed_out(-10),
        Jibri::busy("c"),
    ];
    let decision = run.tick(0, &fleet);
    assert_eq!(tally(&decision.tally), "spare 2, busy 1");
    assert_eq!(
        step(&decision, Stage::Surplus).0,
        1,
        "the surplus is of the ready ones"
    );
}

#[test]
fn pending_and_in_service_count_and_nothing_else() {
    // What does not count is missing, so it is coming.
    let cases = [
        ("Pending", 0),
        ("Pending:Wait", 0),
        ("InService", 0),
        ("Terminating:Wait", 1),
        ("Standby", 1),
        ("Warmed:Running", 1),
        ("Hovering", 1),
    ];
    for (state, missing) in cases {
        let decision =
            Run::new((0, 9, 1), "min_idle = 0").tick(0, &[Jibri::busy("i").lifecycle(state)]);
        assert_eq!(decision.coming, missing, "{state}");
    }
}

#[test]
fn retiring_ones_count_while_they_are_listed() {
    let mut run = Run::new((0, 9, 2), "min_idle = 0");
    let decision = run.quiet(0, 60, &many('i', 2, Jibri::idle));
    assert_eq!(plan(&decision), "retire i-00, retire i-01");
    let decision = run.tick(90, &many('i', 2, Jibri::busy));
    assert_eq!(
        (tally(&decision.tally).as_str(), decision.coming),
        ("retiring 2", 0)
    );
    let left = many('i', 2, |id| Jibri::busy(id).lifecycle("Terminating"));
    assert_eq!(
        run.tick(120, &left).coming,
        2,
        "until the desired capacity shows the decrement"
    );
}

#[test]
fn in_use_is_what_counts_and_is_neither_spare_booting_nor_retiring() {
    // With half of all to be idle, as many spare ones are wanted as are in use.
    let cases = [
        (Jibri::busy("i"), 1),
        (Jibri::expired("i"), 1),
        (Jibri::unhealthy("i"), 1),
        (Jibri::idle("i").refused(), 1),
        (Jibri::silent("i").launched(-9999), 1),
        (Jibri::idle("i"), 0),
        (Jibri::silent("i"), 0),
        (Jibri::idle("i").lifecycle("Pending"), 0),
        (Jibri::busy("i").lifecycle("Standby"), 0),
        (Jibri::busy("i").lifecycle("Terminating"), 0),
    ];
    for (jibri, in_use) in cases {
        let fleet = all(&[std::slice::from_ref(&jibri), &many('b', 3, Jibri::busy)]);
        let decision = Run::new((0, 99, 4), "min_idle = 0\npercent_idle = 50").tick(0, &fleet);
        assert_eq!(decision.wanted_spare, 3 + in_use, "{jibri:?}");
    }
}

#[test]
fn coming_are_booting_ones_and_missing_ones() {
    let mut run = Run::new((0, 9, 5), "min_idle = 0");
    let fleet = [
        Jibri::silent("a"),
        Jibri::idle("b").lifecycle("Pending"),
        Jibri::busy("c"),
    ];
    assert_eq!(run.tick(0, &fleet).coming, 2 + 2);
    run.group.desired = 1;
    assert_eq!(
        run.tick(30, &fleet).coming,
        2,
        "more than desired is not less than nothing coming"
    );
    run.group.desired = 3;
    assert_eq!(run.tick(600, &fleet[..1]).coming, 1 + 2);
    let overdue = run.tick(630, &fleet[..1]);
    assert_eq!(
        (tally(&overdue.tally).as_str(), overdue.coming),
        ("overdue 1", 2)
    );
}

#[test]
fn a_replacement_is_coming_once_told_until_it_is_seen_busy_or_leaves() {
    let mut run = Run::new((1, 9, 1), "min_idle = 0");
    let decision = run.decide(0, &[Jibri::expired("x")]);
    assert_eq!(plan(&decision), "replace x");
    assert_eq!(
        run.decide(30, &[Jibri::expired("x")]).coming,
        0,
        "not told yet"
    );
    assert_eq!(run.tick(40, &[Jibri::expired("x")]).coming, 0);
    assert_eq!(run.tick(70, &[Jibri::expired("x")]).coming, 1, "told");
    let mut leaving = Run::new((1, 9, 1), "min_idle = 0");
    leaving.memory = run.memory.clone();
    assert_eq!(
        run.tick(100, &[Jibri::busy("x")]).coming,
        0,
        "it finishes a recording first"
    );
    assert_eq!(run.tick(130, &[Jibri::expired("x")]).coming, 0);
    let gone = [Jibri::expired("x").lifecycle("Terminating:Wait")];
    assert_eq!(
        leaving.tick(100, &gone).coming,
        1,
        "now it is missing, and must not count twice"
    );
}

#[test]
fn blind_is_more_than_45_percent_and_at_least_two() {
    let cases = [
        (1, 1, false),
        (1, 0, false),
        (2, 0, true),
        (2, 2, true),
        (2, 3, false),
        (9, 11, false), // exactly 45 %
        (10, 11, true),
        (45, 55, false),
        (46, 54, true),
    ];
    for (unseen, seen, blind) in cases {
        let size = u32::try_from(unseen + seen).unwrap();
        let seen = many('s', seen, Jibri::busy);
        for dark in [
            many('u', unseen, |id| Jibri::idle(id).refused()),
            many('u', unseen, |id| Jibri::silent(id).launched(-600)),
        ] {
            let decision = Run::new((0, 999, size), "").tick(0, &all(&[&dark, &seen]));
            assert_eq!(finds(&decision, "blind"), blind, "{unseen} of {size}");
        }
    }
}

#[test]
fn the_share_that_makes_blind_is_configured_and_said_loudly() {
    // Of four idle ones that were idle for long enough, and so many dark ones: whether any goes.
    let cases = [
        (10, 2, true),
        (33, 2, true), // 33.3 %
        (34, 2, false),
        (34, 1, false), // one is never enough
        (1, 1, false),
        (50, 4, false), // exactly 50 %
        (49, 4, true),
        (90, 9, false),
        (68, 9, true), // 69.2 %
    ];
    for (percent, unseen, blind) in cases {
        let desired = u32::try_from(4 + unseen).unwrap();
        let policy = format!("min_idle = 0\nmax_unknown_percent = {percent}");
        let mut run = Run::new((0, 99, desired), &policy);
        let idle = many('i', 4, Jibri::idle);
        for secs in [0, 30] {
            run.pass(secs, &all(&[&idle, &many('u', unseen, Jibri::busy)]));
        }
        let broken = [Jibri::unhealthy("i-03")];
        let dark = many('u', unseen, |id| Jibri::idle(id).refused());
        let decision = run.tick(60, &all(&[&idle[..3], &broken, &dark]));
        let goes = decision.plan.retires().count();
        assert_eq!(goes == 0, blind, "{unseen} at {percent} %: {goes} go");
        let said = decision.explanation.findings.iter().find(|finding| {
            finding.severity == Severity::Critical && finding.what.starts_with("blind")
        });
        assert_eq!(said.is_some(), blind);
        let numbers = format!(
            "of {unseen} of {desired} instances ({} %), and max_unknown_percent is {percent} %",
            unseen * 100 / (4 + unseen)
        );
        assert!(
            said.is_none_or(|said| said.what.contains(&numbers)),
            "{said:?}"
        );
    }
}

#[test]
fn only_instances_that_count_make_blind() {
    let odd = |id: &str| {
        [
            Jibri::idle(id).lifecycle("Standby"),
            Jibri::idle(id).lifecycle("Terminating"),
        ]
    };
    let fleet = all(&[&odd("o-1"), &odd("o-2"), &many('s', 3, Jibri::idle)]);
    let mut run = Run::new((0, 9, 3), "min_idle = 2");
    let decision = run.quiet(0, 60, &fleet);
    assert_eq!(tally(&decision.tally), "spare 3, unknown 2");
    assert_eq!(plan(&decision), "retire s-00");
}
