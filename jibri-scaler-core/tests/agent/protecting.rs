use jibri_scaler_core::{agent::AgentConfig, port::PortErrorKind};

use crate::world::{Case, World, id, secs};

fn config() -> AgentConfig {
    AgentConfig::default().with_shrink(false)
}

fn world() -> World {
    World::new(1, config())
}

fn is_protected(world: &World) -> bool {
    world.change(&id(0), |member| member.protected)
}

#[test]
fn protection_is_dropped_after_the_idle_timeout_and_taken_at_once_on_busy() {
    let mut world = world();
    world.pass(600);
    assert!(is_protected(&world));
    world.pass(5);
    assert!(!is_protected(&world), "idle for ten minutes");
    assert_eq!(world.calls(&id(0), "protect").len(), 1, "one call");
    world.change(&id(0), |member| member.status.0 = "BUSY");
    world.pass(2);
    assert!(is_protected(&world));
    world.change(&id(0), |member| member.status.0 = "IDLE");
    world.pass(595);
    assert!(is_protected(&world), "the time begins anew");
    world.pass(10);
    assert!(!is_protected(&world));
    assert_eq!(world.calls(&id(0), "protect").len(), 3);
}

#[test]
fn any_doubt_takes_it_again() {
    let doubts: [Case; 5] = [
        ("unreadable", |member| member.status.0 = "NAPPING"),
        ("no health", |member| member.status.1 = ""),
        ("timeout", |member| {
            member.failing.insert("probe", PortErrorKind::Transient);
        }),
        ("hangs", |member| {
            member.slow.insert("probe", 30);
        }),
        ("gone", |member| member.process = crate::world::GONE),
    ];
    for (name, doubt) in doubts {
        let mut world = world();
        assert!(world.until(700, |state| !state.member(&id(0)).protected));
        world.change(&id(0), doubt);
        world.pass(8);
        assert!(is_protected(&world), "{name}");
    }
}

#[test]
fn a_hint_is_acted_on_at_once() {
    let mut world = world();
    assert!(world.until(700, |state| !state.member(&id(0)).protected));
    world.change(&id(0), |member| member.status.0 = "BUSY");
    world.hint(&id(0));
    assert!(is_protected(&world), "without a tick");
}

#[test]
fn attempts_that_fail_are_spread_over_time() {
    let mut world = World::new(2, config());
    for n in 0..2 {
        world.change(&id(n), |member| {
            member.failing.insert("protect", PortErrorKind::Throttled)
        });
    }
    world.pass(4200);
    let times = |n| {
        world
            .calls(&id(n), "protect")
            .iter()
            .map(|(at, _)| *at)
            .collect::<Vec<_>>()
    };
    let (a, b) = (times(0), times(1));
    assert!((10..30).contains(&a.len()), "{a:?}");
    assert_ne!(a, b, "two instances do not call together");
    world.change(&id(0), |member| member.failing.clear());
    world.pass(460);
    assert!(!is_protected(&world));
}

#[test]
fn a_change_of_mind_is_tried_at_once_also_after_failures() {
    let mut world = world();
    world.change(&id(0), |member| {
        member.failing.insert("protect", PortErrorKind::Throttled)
    });
    world.pass(1500);
    world.change(&id(0), |member| {
        member.failing.clear();
        member.protected = false;
        member.status.0 = "BUSY";
    });
    world.pass(2);
    assert!(
        is_protected(&world),
        "whether the failed call had worked is not known"
    );
}

#[test]
fn what_somebody_else_changed_is_found_and_repaired() {
    let mut world = world();
    world.change(&id(0), |member| member.status.0 = "BUSY");
    world.pass(100);
    world.change(&id(0), |member| member.protected = false);
    assert!(world.until(1200, |state| state.member(&id(0)).protected));
    world.pass(86_400);
    let looks = world.calls(&id(0), "look").len();
    assert!(
        (70..140).contains(&looks),
        "the group is asked rarely: {looks} a day"
    );
}

#[test]
fn nothing_is_set_on_an_instance_that_is_not_in_service() {
    let mut world = world();
    world.change(&id(0), |member| {
        member.status.0 = "BUSY";
        member.record(0, 100_000);
    });
    world.pass(100);
    world.change(&id(0), |member| {
        member.protected = false;
        member.terminate();
    });
    world.pass(7200);
    assert_eq!(world.calls(&id(0), "protect"), []);
}

#[test]
fn a_clock_that_jumps_ends_no_idle_time() {
    let mut world = world();
    world.pass(100);
    world.change(&id(0), |member| member.skew = 3_600_000_000);
    world.pass(500);
    assert!(
        is_protected(&world),
        "an hour that was not observed does not count"
    );
    world.change(&id(0), |member| member.skew = 0);
    world.pass(120);
    assert!(!is_protected(&world), "a step back freezes nothing");
}

#[test]
fn no_idle_timeout_still_needs_two_readings() {
    let config = config().with_idle_timeout(secs(0)).unwrap();
    let mut world = World::new(1, config);
    world.pass(1);
    assert!(is_protected(&world));
    world.pass(3);
    assert!(!is_protected(&world));
}

/// Whether the protection was ever taken away.
fn was_dropped(world: &World) -> bool {
    !world.calls(&id(0), "protect off").is_empty()
}

/// Where no hook would hold it, or nobody has said yet that agents may shrink the group, a scale-in would take the instance with the
/// recording that it has just accepted.
#[test]
fn it_is_not_dropped_in_a_group_that_is_not_ready_for_it() {
    type Change = fn(&mut World);
    let groups: [(&str, AgentConfig, Change); 5] = [
        ("no hook", config(), |world| world.state().hook = false),
        ("not enabled", config(), |world| {
            world.state().shrinks = false;
        }),
        (
            "not relied on",
            config().with_terminating_hook(false),
            |_| {},
        ),
        ("a controller's", config().with_keep_protected(true), |_| {}),
        ("not known", config(), |world| {
            world.change(&id(0), |member| {
                member.failing.insert("list", PortErrorKind::Throttled);
            });
        }),
    ];
    for (name, config, change) in groups {
        let mut world = World::new(1, config);
        change(&mut world);
        world.pass(2 * 3600);
        assert!(!was_dropped(&world), "{name}");
        let lists = world.calls(&id(0), "list").len();
        assert!(lists <= 60, "{name}: {lists}");
    }
}

#[test]
fn what_was_listed_some_minutes_ago_does_not_suffice_to_drop_it() {
    let mut world = world();
    world.pass(570);
    world.state().hook = false;
    world.pass(3600);
    assert!(!was_dropped(&world));
}

#[test]
fn it_is_taken_again_where_the_group_is_no_longer_ready_for_it() {
    type Change = fn(&mut World);
    let changes: [(&str, Change, i64); 3] = [
        ("hook deleted", |world| world.state().hook = false, 560),
        ("not enabled", |world| world.state().shrinks = false, 560),
        (
            "not known",
            |world| {
                world.change(&id(0), |member| {
                    member.failing.insert("list", PortErrorKind::Throttled);
                });
            },
            910,
        ),
    ];
    for (name, change, within) in changes {
        let mut world = world();
        assert!(world.until(700, |state| !state.member(&id(0)).protected));
        change(&mut world);
        world.pass(within);
        assert!(is_protected(&world), "{name}");
        world.state().hook = true;
        world.state().shrinks = true;
        world.change(&id(0), |member| member.failing.clear());
        world.pass(1800);
        assert!(!is_protected(&world), "{name}");
    }
}

#[test]
fn an_idle_one_lists_the_group_no_more_than_every_few_minutes_for_it() {
    let mut world = world();
    world.pass(12 * 3600);
    let lists = world.calls(&id(0), "list").len();
    assert!(lists <= 12 * 12 + 10, "{lists} in 12 h");
}
