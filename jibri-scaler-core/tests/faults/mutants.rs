//! Safety rules are removed, and the faults must find what they prevent.

use std::env;

use jibri_scaler_core::safeguard::Safeguard::{self, *};

use crate::{number, torture::Figures};

/// Rules that the faults need, each with the first seed that fails without it. Each of these seeds lives well with all rules.
const KILLED: [(Safeguard, u64); 23] = [
    (WaitForGone, 2),
    (GoneConfirmed, 18),
    (LastLook, 12),
    (NotWhileItAnswers, 12),
    (FreeIsUntold, 10),
    (BothPorts, 28),
    (CompleteAfterGone, 7),
    (NoLoweringOfOurOwn, 11),
    (OnlyRaised, 0),
    (OnlyTheFree, 0),
    (OnlyTheTellable, 656),
    (NotBlind, 24),
    (Headroom, 1),
    (CountTheComing, 0),
    (MaxSize, 1),
    (LatchFirst, 7),
    (AgentWaitsForGone, 1),
    (ReleaseCheck, 7),
    (BackIsToldAgain, 183),
    (KeptIsAbandoned, 7),
    (AbandonedLate, 459),
    (NoGaps, 564),
    (ToldBeforeGone, 1920),
];

/// What is wrong in this seed without that rule.
fn found(rule: Safeguard, seed: u64) -> Option<String> {
    Safeguard::without(&[rule], || {
        let mut figures = Figures::default();
        figures.add(seed);
        let (_, what) = figures.failed.pop()?;
        Some(what.lines().next().unwrap_or_default().to_owned())
    })
}

#[test]
fn a_rule_that_is_removed_is_missed() {
    for (rule, seed) in KILLED {
        assert!(
            found(rule, seed).is_some(),
            "nothing is wrong in seed {seed} without {rule:?}: find another one with \
             `FAULTS_RULE={rule:?} cargo test --release -p jibri-scaler-core --test faults -- --ignored --nocapture all_rules`"
        );
    }
}

/// For the table in `docs/safety.md`: each rule, or that in `FAULTS_RULE`, in up to `FAULTS_SEEDS` seeds.
#[test]
#[ignore = "takes minutes"]
#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests says which rule"
)]
fn all_rules() {
    let seeds = number("FAULTS_SEEDS").unwrap_or(300);
    let only = env::var("FAULTS_RULE").ok();
    let is_asked = |rule: &Safeguard| {
        only.as_ref()
            .is_none_or(|only| *only == format!("{rule:?}"))
    };
    for rule in Safeguard::ALL.iter().copied().filter(is_asked) {
        match (0..seeds).find_map(|seed| found(rule, seed)) {
            Some(what) => println!("{rule:?}: {what}"),
            None => println!("{rule:?}: not found in {seeds} seeds"),
        }
    }
}
