//! Each rule catches a decision that was broken by hand.

#[path = "common/mod.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod common;

use common::{Jibri, Run, all, at, many};
use jibri_scaler_core::{
    Decision, DrainPath, Effect, FleetSnapshot, Memory, Rule, Stage, check, decide,
};

/// Eight idle ones of which three go, one that needs protection, and one that is expired.
fn sound() -> (Run, FleetSnapshot, Decision) {
    let mut run = Run::new((5, 20, 12), "min_idle = 5\nmax_retire = 4");
    let idle = many('i', 8, Jibri::idle);
    let rest = [
        Jibri::busy("b"),
        Jibri::busy("p").unprotected(),
        Jibri::idle("s").lifecycle("Standby"),
        Jibri::busy("t").lifecycle("Terminating"),
    ];
    let early = all(&[&idle, &rest, &[Jibri::busy("x")]]);
    for secs in [0, 30] {
        run.pass(secs, &early);
    }
    let fleet = all(&[&idle, &rest, &[Jibri::expired("x")]]);
    let snapshot = run.snapshot(60, &fleet);
    let decision = run.tick(60, &fleet);
    let expected = "protect p, retire i-00, retire i-01, retire i-02, retire x";
    assert_eq!(common::plan(&decision), expected);
    (run, snapshot, decision)
}

/// The rules that a decision breaks, each once.
fn broken(run: &Run, snapshot: &FleetSnapshot, decision: &Decision) -> Vec<Rule> {
    let breaches = check(snapshot, &run.limits, decision);
    for breach in &breaches {
        assert_eq!(breach.is_fatal(), breach.rule != Rule::Explained);
        assert!(breach.to_string().starts_with(&breach.rule.to_string()));
    }
    let mut rules: Vec<_> = breaches.iter().map(|breach| breach.rule).collect();
    rules.dedup();
    rules
}

/// Breaks the effects of a sound decision.
fn break_effects(change: impl FnOnce(&mut Vec<Effect>)) -> Vec<Rule> {
    let (run, snapshot, mut decision) = sound();
    change(&mut decision.plan.effects);
    broken(&run, &snapshot, &decision)
}

/// Takes a sound decision for one about another fleet, in which these instances are as given.
fn break_fleet(instances: &[Jibri], change: impl FnOnce(&mut Run)) -> Vec<Rule> {
    let (mut run, snapshot, decision) = sound();
    change(&mut run);
    let other = FleetSnapshot::new(
        run.group,
        instances.iter().map(|jibri| jibri.row(at(60))).collect(),
    );
    let ids: Vec<_> = other.instances().iter().map(|row| &row.id).collect();
    let kept = snapshot
        .instances()
        .iter()
        .filter(|row| !ids.contains(&&row.id))
        .cloned();
    let rows = kept.chain(other.instances().iter().cloned()).collect();
    broken(&run, &FleetSnapshot::new(run.group, rows), &decision)
}

fn retire(id: &str) -> Effect {
    Effect::Retire {
        id: id.parse().unwrap(),
        replace: false,
    }
}

fn protect(id: &str) -> Effect {
    Effect::Protect {
        id: id.parse().unwrap(),
    }
}

#[test]
fn a_sound_decision_breaks_none() {
    assert_eq!(break_effects(|_| ()), []);
}

#[test]
fn above_max_size() {
    assert_eq!(
        break_effects(|effects| effects.insert(1, Effect::SetCapacity { to: 21 })),
        [Rule::AboveMaxSize]
    );
}

#[test]
fn below_min_size() {
    // 12 − 4 are left.
    assert_eq!(break_fleet(&[], |run| run.group.min_size = 8), []);
    assert_eq!(
        break_fleet(&[], |run| run.group.min_size = 9),
        [Rule::BelowMinSize]
    );
    assert_eq!(
        break_fleet(&[], |run| run.group.desired = 3),
        [Rule::BelowMinSize]
    );
}

#[test]
fn who_finishes_a_recording_does_not_count_toward_the_minimum_size() {
    let mut run = Run::new((1, 9, 2), "min_idle = 0");
    let fleet = many('i', 2, Jibri::idle);
    assert_eq!(common::plan(&run.quiet(0, 60, &fleet)), "retire i-00");
    let busy = all(&[&[Jibri::busy("i-00")], &fleet[1..]]);
    let snapshot = run.snapshot(90, &busy);
    let decision = run.tick(90, &busy);
    assert_eq!(broken(&run, &snapshot, &decision), []);
    let min_size = |min_size| {
        run.group.min_size = min_size;
        let rows = snapshot.instances().to_vec();
        broken(&run, &FleetSnapshot::new(run.group, rows), &decision)
    };
    assert_eq!([1, 2].map(min_size), [vec![], vec![Rule::BelowMinSize]]);
}

#[test]
fn below_the_wanted_spare() {
    let (run, snapshot, mut decision) = sound();
    decision.wanted_spare = 6;
    assert_eq!(broken(&run, &snapshot, &decision), [Rule::BelowWantedSpare]);
    let lost = [Jibri::idle("i-07").timed_out(59)];
    assert_eq!(
        break_fleet(&lost, |_| ()),
        [Rule::BelowWantedSpare],
        "only ready ones are left over"
    );
}

#[test]
fn only_raised() {
    for (to, desired) in [(12, 12), (11, 12), (9, 8)] {
        let (mut run, snapshot, mut decision) = sound();
        decision.plan.effects = vec![Effect::SetCapacity { to }];
        run.group.desired = desired;
        let rows = snapshot.instances().to_vec();
        let snapshot = FleetSnapshot::new(run.group, rows);
        assert_eq!(
            broken(&run, &snapshot, &decision),
            [Rule::OnlyRaised],
            "{desired} to {to}, with 11 there"
        );
    }
}

#[test]
fn duplicates() {
    for at in [0, 1, 4] {
        let rules = break_effects(|effects| effects.insert(at, effects[at].clone()));
        assert_eq!(rules, [Rule::Duplicate], "effect {at}");
    }
    let capacity = |to| Effect::SetCapacity { to };
    let rules = break_effects(|effects| drop(effects.splice(1..1, [capacity(13), capacity(14)])));
    assert_eq!(rules, [Rule::Duplicate]);
    let rules = break_effects(|effects| {
        effects[4] = Effect::Retire {
            id: "i-00".parse().unwrap(),
            replace: true,
        }
    });
    assert!(
        rules.contains(&Rule::Duplicate),
        "with and without replacement: {rules:?}"
    );
}

#[test]
fn order() {
    assert_eq!(break_effects(|effects| effects.swap(0, 1)), [Rule::Order]);
    assert_eq!(
        break_effects(|effects| effects.insert(0, Effect::SetCapacity { to: 13 })),
        [Rule::Order]
    );
    assert_eq!(
        break_effects(|effects| effects.push(Effect::SetCapacity { to: 13 })),
        [Rule::Order]
    );
}

#[test]
fn explained() {
    let (run, snapshot, decision) = sound();
    let mut missing = decision.clone();
    missing
        .explanation
        .steps
        .retain(|step| step.stage != Stage::Headroom);
    assert_eq!(broken(&run, &snapshot, &missing), [Rule::Explained]);
    let mut turned = decision;
    turned.explanation.steps.swap(0, 1);
    assert_eq!(broken(&run, &snapshot, &turned), [Rule::Explained]);
}

#[test]
fn idle_long_enough() {
    let (mut run, snapshot, decision) = sound();
    run.limits = run
        .limits
        .with_idle_timeout(std::time::Duration::from_millis(60_001))
        .unwrap();
    assert_eq!(broken(&run, &snapshot, &decision), [Rule::IdleLongEnough]);
    let lost = Jibri::idle("i-00").timed_out(60);
    assert_eq!(
        break_fleet(&[lost], |_| ()),
        [Rule::IdleLongEnough],
        "it must have answered in this tick"
    );
}

#[test]
fn two_reports_are_needed_however_short_the_timeout() {
    let mut run = Run::new((0, 9, 2), "min_idle = 0\nidle_timeout = '0s'");
    let snapshot = run.snapshot(0, &[Jibri::idle("a"), Jibri::idle("b")]);
    let mut decision = run.tick(0, &[Jibri::idle("a"), Jibri::idle("b")]);
    decision.plan.effects.push(retire("a"));
    assert!(broken(&run, &snapshot, &decision).contains(&Rule::IdleLongEnough));
}

#[test]
fn budget() {
    let (mut run, snapshot, decision) = sound();
    run.limits = run.limits.with_max_retire(3).unwrap();
    assert_eq!(broken(&run, &snapshot, &decision), [Rule::Budget]);

    let (mut run, snapshot, mut decision) = sound();
    decision.plan.effects = vec![Effect::SetCapacity { to: 16 }];
    // One is missing, and so outstanding already.
    run.limits = run.limits.with_max_launch(5).unwrap();
    assert_eq!(broken(&run, &snapshot, &decision), []);
    decision.coming = 2;
    assert_eq!(broken(&run, &snapshot, &decision), [Rule::Budget]);
    decision.coming = 1;
    run.limits = run.limits.with_max_launch(4).unwrap();
    assert_eq!(broken(&run, &snapshot, &decision), [Rule::Budget]);
}

#[test]
fn never_busy() {
    let cases = [
        Jibri::busy("x"),
        Jibri::says("x", "BUSY", "UNHEALTHY"),
        Jibri::says("x", "IDLE", ""),
        Jibri::says("x", "NAPPING", "HEALTHY"),
        Jibri::expired("x").refused(),
        Jibri::expired("x").timed_out(14),
        Jibri::expired("x").stamped(at(14)),
        Jibri::expired("x").reach(jibri_scaler_core::Reachability::Never),
        Jibri::silent("x"),
        Jibri::with_body("x", "<html>"),
    ];
    for jibri in cases {
        assert_eq!(
            break_fleet(std::slice::from_ref(&jibri), |_| ()),
            [Rule::NeverBusy],
            "{jibri:?}"
        );
    }
    assert_eq!(
        break_fleet(
            &[Jibri::expired("x"), Jibri::expired("x").zone("z")],
            |_| ()
        ),
        [Rule::NeverBusy]
    );
    assert_eq!(
        break_fleet(&[Jibri::expired("x").timed_out(15)], |_| ()),
        [],
        "the last moment that is fresh"
    );
}

#[test]
fn not_blind() {
    let fleet = all(&[
        &many('i', 3, Jibri::idle),
        &many('u', 3, |id| Jibri::idle(id).refused()),
    ]);
    let mut run = Run::new((0, 9, 6), "min_idle = 0");
    let snapshot = run.snapshot(60, &fleet);
    run.observe(0, 59, &all(&[&fleet[..3], &many('u', 3, Jibri::idle)]));
    let seen = run.snapshot(60, &all(&[&fleet[..3], &many('u', 3, Jibri::busy)]));
    let mut decision = decide(&run.policy, &run.limits, &seen, at(60), run.memory.clone());
    assert_eq!(broken(&run, &seen, &decision), []);
    decision.tally = run.tick(60, &fleet).tally;
    assert_eq!(broken(&run, &snapshot, &decision), [Rule::NotBlind]);
    // The share is the configured one.
    run.limits = run.limits.with_max_unknown_percent(50).unwrap();
    assert_eq!(broken(&run, &snapshot, &decision), []);
    run.limits = run.limits.with_max_unknown_percent(49).unwrap();
    assert_eq!(broken(&run, &snapshot, &decision), [Rule::NotBlind]);
}

#[test]
fn remembered() {
    let (run, snapshot, mut decision) = sound();
    decision.memory = Memory::default();
    assert!(broken(&run, &snapshot, &decision).contains(&Rule::Remembered));
    let rules = break_effects(|effects| {
        effects[4] = Effect::Retire {
            id: "x".parse().unwrap(),
            replace: true,
        }
    });
    assert_eq!(
        rules,
        [Rule::Remembered],
        "it was written down without replacement"
    );
}

#[test]
fn listed() {
    for id in ["nobody", "t", "s"] {
        let rules = break_effects(|effects| effects.push(retire(id)));
        assert!(rules.contains(&Rule::Listed), "{id}: {rules:?}");
    }
    for id in ["nobody", "b", "s", "t"] {
        let rules = break_effects(|effects| effects.insert(0, protect(id)));
        assert_eq!(rules, [Rule::Listed], "{id}");
    }
}

#[test]
fn safe_way() {
    assert_eq!(
        break_fleet(&[], |run| run.group.safe_retirement = false),
        [Rule::SafeWay]
    );
    assert_eq!(
        break_fleet(&[Jibri::expired("x").drain(DrainPath::None)], |_| ()),
        [Rule::SafeWay]
    );
    assert_eq!(
        break_fleet(&[Jibri::expired("x").drain(DrainPath::Agent)], |_| ()),
        []
    );
}
