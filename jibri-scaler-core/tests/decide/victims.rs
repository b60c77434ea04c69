//! Who goes first.

use crate::common::{Jibri, Run, all, many, plan};

/// The order in which idle ones go, with those idle since second 0 and those since second 30.
fn order(early: &[Jibri], late: &[Jibri]) -> String {
    let size = u32::try_from(early.len() + late.len()).unwrap();
    let mut run = Run::new(
        (0, 99, size),
        "min_idle = 0\nsurplus_hold = '85s'\nidle_timeout = '60s'",
    );
    let fleet = all(&[early, late]);
    run.pass(0, early);
    run.observe(30, 60, &fleet);
    plan(&run.tick(90, &fleet))
}

#[test]
fn the_longest_idle_goes_first() {
    let order = order(&[Jibri::idle("z")], &[Jibri::idle("a"), Jibri::idle("b")]);
    assert_eq!(order, "retire z, retire a, retire b");
}

#[test]
fn ties_go_by_the_fullest_zone_and_then_by_id() {
    let zoned = |id: &str, zone: &str| Jibri::idle(id).zone(zone);
    let fleet = [
        zoned("a", "x"),
        zoned("d", "y"),
        zoned("b", "y"),
        zoned("c", "z"),
    ];
    assert_eq!(order(&fleet, &[]), "retire b, retire d, retire a, retire c");
}

#[test]
fn all_that_count_make_a_zone_full_and_none_else() {
    let fleet = [
        Jibri::idle("a").zone("x"),
        Jibri::idle("b").zone("y"),
        Jibri::busy("c").zone("y"),
        Jibri::idle("d").zone("x").lifecycle("Standby"),
        Jibri::idle("e").zone("x").lifecycle("Terminating"),
    ];
    assert_eq!(order(&fleet, &[]), "retire b, retire a");
}

#[test]
fn no_zone_is_a_zone() {
    let fleet = [
        Jibri::idle("a").zone("x"),
        Jibri::idle("b"),
        Jibri::idle("c"),
    ];
    assert_eq!(order(&fleet, &[]), "retire b, retire c, retire a");
}

#[test]
fn idle_time_counts_before_the_zone() {
    let late = [Jibri::idle("a").zone("x"), Jibri::idle("b").zone("x")];
    assert_eq!(
        order(&[Jibri::idle("c").zone("y")], &late),
        "retire c, retire a, retire b"
    );
}

#[test]
fn only_as_many_go_as_may_and_the_first_of_the_order() {
    let mut run = Run::new((0, 99, 40), "min_idle = 30");
    let fleet = many('i', 40, |id| {
        Jibri::idle(id).zone(if id < "i-35" { "x" } else { "y" })
    });
    let expected: Vec<_> = (0..10).map(|n| format!("retire i-{n:02}")).collect();
    assert_eq!(plan(&run.quiet(0, 60, &fleet)), expected.join(", "));
}
