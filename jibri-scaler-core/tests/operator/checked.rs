//! `check` finds what an operator did not want, whatever decided it.

use jibri_scaler_core::{Effect, Memory, Rule, check, decide};

use crate::{
    common::{Jibri, Run, at},
    say,
};

const PAUSE: &str = r#"{"kind":"pause","direction":"both","until":"@90","reason":"why"}"#;

#[test]
fn what_is_paused_or_kept_is_no_part_of_a_plan() {
    let effects = [
        (PAUSE, Effect::SetCapacity { to: 3 }, "growing is paused"),
        (PAUSE, retire("b"), "shrinking is paused"),
        (
            r#"{"kind":"keep","id":"b","reason":"why"}"#,
            retire("b"),
            "b is kept",
        ),
    ];
    for (command, effect, what) in effects {
        let mut run = Run::new((0, 9, 2), "min_idle = 1");
        say(&mut run, 0, command);
        let fleet = [Jibri::busy("a"), Jibri::idle("b")];
        let snapshot = run.snapshot(0, &fleet);
        let memory = std::mem::take(&mut run.memory);
        let mut decision = decide(&run.policy, &run.limits, &snapshot, at(0), memory);
        assert_eq!(check(&snapshot, &run.limits, &decision), []);
        decision.plan.effects.push(effect);
        let breaches = check(&snapshot, &run.limits, &decision);
        let breach = breaches.iter().find(|b| b.rule == Rule::Operator).unwrap();
        assert!(breach.is_fatal() && breach.what == what, "{breach}");
    }
}

#[test]
fn only_who_is_retired_by_hand_may_be_busy_or_briefly_idle() {
    for (jibri, rule) in [
        (Jibri::busy("a"), Rule::NeverBusy),
        (Jibri::idle("a"), Rule::IdleLongEnough),
    ] {
        let mut run = Run::new((0, 9, 1), "min_idle = 0");
        say(&mut run, 0, r#"{"kind":"retire","id":"a","reason":"why"}"#);
        let snapshot = run.snapshot(0, &[jibri]);
        let memory = std::mem::take(&mut run.memory);
        let mut decision = decide(&run.policy, &run.limits, &snapshot, at(0), memory);
        assert_eq!(decision.plan.effects, [retire("a")]);
        assert_eq!(check(&snapshot, &run.limits, &decision), []);
        // The same plan where nobody had asked for it.
        let text = serde_json::to_string(&decision.memory).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json.as_object_mut().unwrap().remove("operator").unwrap();
        decision.memory = serde_json::from_value::<Memory>(json).unwrap();
        let breaches = check(&snapshot, &run.limits, &decision);
        assert!(breaches.iter().any(|b| b.rule == rule), "{breaches:?}");
    }
}

fn retire(id: &str) -> Effect {
    Effect::Retire {
        id: id.parse().unwrap(),
        replace: false,
    }
}
