//! Safety rules are removed, and the faults must find what they prevent.

use std::env;

use jibri_scaler_core::safeguard::Safeguard::{self, *};

use crate::{number, torture::Figures};

/// Rules that the faults need, each with the first seed that fails without it, and what that says. Each of these seeds lives well with all
/// rules.
const KILLED: [(Safeguard, u64, &str); 23] = [
    (WaitForGone, 2, LOST),
    (GoneConfirmed, 72, LOST),
    (LastLook, 2, LOST),
    (NotWhileItAnswers, 2, LOST),
    (FreeIsUntold, 4, STAYS),
    (BothPorts, 28, LOST),
    (CompleteAfterGone, 3, LOST),
    (NoLoweringOfOurOwn, 44, "the desired capacity was lowered"),
    (OnlyRaised, 0, "rule: OnlyRaised"),
    (OnlyTheFree, 0, "rule: NeverBusy"),
    (OnlyTheTellable, 102, "rule: SafeWay"),
    (NotBlind, 10, "rule: NotBlind"),
    (Headroom, 5, "rule: BelowMinSize"),
    (CountTheComing, 0, "rule: Budget"),
    (MaxSize, 0, "rule: AboveMaxSize"),
    (DecrementAboveMin, 114, STAYS),
    (LatchFirst, 1, STAYS),
    (AgentWaitsForGone, 1, LOST),
    (ReleaseCheck, 1, LOST),
    (BackIsToldAgain, 75, STAYS),
    (KeptIsAbandoned, 3, LOST),
    (AbandonedLate, 597, LOST),
    (NoGaps, 326, STAYS),
];

/// Also what was left on the machine without having been uploaded.
const LOST: &str = "a recording was lost";
const STAYS: &str = "it is too large";

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
    for (rule, seed, expected) in KILLED {
        let found = found(rule, seed).unwrap_or_default();
        assert!(
            found.contains(expected),
            "`{found}` is wrong in seed {seed} without {rule:?}: find another one with \
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
