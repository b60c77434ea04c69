//! The wanted spare: the largest vote, named, and reported before any bound.

use jibri_scaler_core::Stage;

use crate::common::{Jibri, Run, because, many, plan, step};

fn wanted(policy: &str, busy: usize) -> (u32, String) {
    let size = u32::try_from(busy).unwrap();
    let decision = Run::new((0, 99_999, size), policy).tick(0, &many('b', busy, Jibri::busy));
    let because = because(&decision, Stage::WantedSpare);
    (decision.wanted_spare, because)
}

#[test]
fn the_largest_vote_wins_and_is_named() {
    let cases = [
        ("min_idle = 3", 5, 3, "min_idle"),
        ("min_idle = 0", 5, 0, "min_idle"),
        ("min_idle = 0\npercent_idle = 0.5", 0, 1, "percent_idle"),
        ("percent_idle = 20", 4, 1, "min_idle"), // a tie: the first in policy order
        ("min_idle = 2\npercent_idle = 20", 8, 2, "min_idle"),
        ("min_idle = 2\npercent_idle = 20", 9, 3, "percent_idle"),
        ("min_idle = 2\npercent_idle = 50", 7, 7, "percent_idle"),
    ];
    for (policy, busy, expected, winner) in cases {
        let (spare, because) = wanted(policy, busy);
        assert_eq!(spare, expected, "{policy} with {busy} busy");
        assert!(
            because.starts_with(winner),
            "{policy} with {busy} busy: {because}"
        );
    }
}

#[test]
fn the_share_is_of_all_and_exact() {
    // ⌈u·p/(100−p)⌉; in binary floating point the second would be 2 and the fourth 1.
    let cases = [
        ("33.3", 667, 333),
        ("12.5", 7, 1),
        ("0.1", 999, 1),
        ("0.1", 1000, 2),
        ("95", 3, 57),
    ];
    for (percent, busy, expected) in cases {
        let policy = format!("min_idle = 0\npercent_idle = {percent}");
        assert_eq!(wanted(&policy, busy).0, expected, "{percent} % of {busy}");
    }
}

#[test]
fn it_is_reported_before_any_bound() {
    let decision = Run::new((0, 4, 3), "min_idle = 50").tick(0, &many('b', 3, Jibri::busy));
    assert_eq!(decision.wanted_spare, 50);
    assert_eq!(step(&decision, Stage::WantedSpare), (3, 53));
    assert_eq!(step(&decision, Stage::Bounds), (53, 4));
    assert_eq!(plan(&decision), "set 4");
}
