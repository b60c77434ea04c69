use jibri_scaler_core::{
    Lifecycle, Timestamp,
    agent::{AgentConfig, port::SignalPoint},
    policy::MinIdle,
    port::PortErrorKind,
    safeguard::Safeguard,
};

use crate::world::{START, World, id, secs};

const COUNT: usize = 6;

fn config(min_idle: u32) -> AgentConfig {
    AgentConfig::default()
        .with_min_idle(MinIdle::new(min_idle).unwrap())
        .with_idle_timeout(secs(300))
        .unwrap()
}

fn in_service(world: &World) -> usize {
    let state = world.state();
    let members = state.members.values();
    members
        .filter(|member| member.lifecycle == Lifecycle::InService)
        .count()
}

#[test]
fn exactly_the_surplus_ends_itself_with_decrement() {
    for min_idle in [1, 2, 5, 6, 9] {
        let mut world = World::new(COUNT, config(min_idle));
        world.pass(3600);
        let left = usize::try_from(min_idle).unwrap().min(COUNT);
        assert_eq!(in_service(&world), left);
        assert_eq!(world.state().desired, u32::try_from(left).unwrap());
        let ends = world
            .state()
            .journal
            .iter()
            .filter(|(_, _, call)| call == "end Yes")
            .count();
        assert_eq!(ends, COUNT - left, "no call in vain");
        assert_eq!(world.state().lost, 0);
    }
}

#[test]
fn nobody_goes_before_the_surplus_has_lasted() {
    let hold = config(1).with_surplus_hold(secs(1800)).unwrap();
    let mut world = World::new(COUNT, hold);
    world.pass(1700);
    assert_eq!(in_service(&world), COUNT);
    world.pass(900);
    assert_eq!(in_service(&world), 1);
}

#[test]
fn a_minute_without_surplus_within_the_hold_keeps_all() {
    let mut world = World::new(COUNT, config(1));
    let busy = |world: &World, busy| {
        for n in 1..COUNT {
            world.change(&id(n), |member| member.status.0 = busy);
        }
    };
    for _ in 0..12 {
        busy(&world, "IDLE");
        world.pass(250);
        busy(&world, "BUSY");
        world.pass(30);
    }
    assert_eq!(in_service(&world), COUNT);
}

#[test]
fn busy_ones_stay_and_the_minimum_size_too() {
    let mut world = World::new(COUNT, config(0));
    for n in 0..2 {
        world.change(&id(n), |member| member.status.0 = "BUSY");
    }
    world.state().min = 4;
    world.pass(3600);
    assert_eq!((in_service(&world), world.state().desired), (4, 4));
    for n in 0..2 {
        assert_eq!(
            world.change(&id(n), |m| m.lifecycle.clone()),
            Lifecycle::InService
        );
    }
}

#[test]
fn a_recording_that_begins_as_the_surplus_ends_itself_is_finished() {
    let mut world = World::new(COUNT, config(1));
    assert!(world.until(1800, |state| state.desired < 6));
    let now = world.state().now;
    for n in 0..COUNT {
        world.change(&id(n), |member| member.record(now, 600));
    }
    world.pass(1200);
    assert_eq!(world.state().lost, 0);
}

/// Those are sorted that are not protected. One that drains has no surplus of its own to give, so that it is protected.
#[test]
fn one_that_drains_and_cannot_be_told_takes_no_place_from_the_surplus() {
    let gone = |rules: &[Safeguard]| {
        let gone_beside = |stuck: usize| {
            let mut world = World::new(COUNT, config(1));
            world.change(&id(stuck), |member| {
                member.notices.event_at = Some(Timestamp::from_secs(START + 3600));
                member.failing.insert("tell", PortErrorKind::Transient);
            });
            world.pass(7200);
            COUNT - in_service(&world)
        };
        Safeguard::without(rules, || (0..COUNT).map(gone_beside).sum::<usize>())
    };
    let surplus = COUNT - 2;
    assert_eq!(gone(&[]), COUNT * surplus);
    assert!(gone(&[Safeguard::ProtectedWhileDraining]) < COUNT * surplus);
}

#[test]
fn gaps_and_doubled_points_keep_all() {
    let mut world = World::new(COUNT, config(1));
    world.change(&id(0), |member| {
        member.failing.insert("sums", PortErrorKind::Throttled)
    });
    for n in 0..COUNT {
        world.change(&id(n), |member| {
            member.failing.insert("sums", PortErrorKind::Throttled)
        });
    }
    world.pass(1800);
    assert_eq!(in_service(&world), COUNT);
    // Something else publishes for each instance a second time: six show as twelve.
    for n in 0..COUNT {
        world.change(&id(n), |member| member.failing.clear());
    }
    for _ in 0..180 {
        world.pass(10);
        let at = world.state().wall(&id(0));
        let twice = (0..COUNT).map(|n| (id(n), SignalPoint::new(at, true)));
        world.state().points.extend(twice);
    }
    assert_eq!(in_service(&world), COUNT);
    assert!(world.found("more points than instances") >= 1);
}

#[test]
fn it_can_be_switched_off() {
    let mut world = World::new(COUNT, config(1).with_shrink(false));
    world.pass(3600);
    assert_eq!(in_service(&world), COUNT);
    assert!(
        !world
            .state()
            .journal
            .iter()
            .any(|(_, _, call)| call == "sums")
    );
}

#[test]
fn without_the_hook_it_drains_before_it_ends_itself() {
    let mut world = World::new(2, config(1).with_terminating_hook(false));
    world.state().hook = false;
    let is_ended = |state: &mut crate::world::State| state.desired == 1;
    assert!(world.until(1800, is_ended));
    let ended = |call| {
        let state = world.state();
        state
            .journal
            .iter()
            .find(|(_, _, entry)| entry == call)
            .map(|(at, id, _)| (*at, id.clone()))
    };
    let (told, ending) = (ended("tell").unwrap(), ended("end Yes").unwrap());
    assert_eq!(told.1, ending.1);
    assert!(told.0 < ending.0);
}

#[test]
fn a_hook_that_is_not_known_is_not_relied_on() {
    let mut world = World::new(2, config(1));
    world.state().hook = false;
    assert!(world.until(1800, |state| state.desired == 1));
    let at = |call: &str| {
        let state = world.state();
        let found = state.journal.iter().find(|(_, _, entry)| entry == call);
        found.map(|(at, _, _)| *at).unwrap()
    };
    assert!(at("tell") < at("end Yes"));
}

#[test]
fn nobody_goes_where_the_tag_of_the_group_does_not_allow_it() {
    let mut world = World::new(COUNT, config(1));
    world.state().shrinks = false;
    world.pass(1800);
    assert_eq!(in_service(&world), COUNT);
    assert_eq!(dropped(&world), 0, "nor is anybody unprotected");
    // They look again every quarter of an hour or so.
    world.state().shrinks = true;
    world.pass(1800);
    assert_eq!(in_service(&world), 1);
}

fn dropped(world: &World) -> usize {
    let state = world.state();
    let dropped = state.journal.iter().filter(|(_, _, c)| c == "protect off");
    dropped.count()
}

/// Who is idle only its own agent knows there, so that busy ones are sorted too; all the same the surplus goes, and no more.
#[test]
fn without_the_hook_the_surplus_goes_though_all_are_protected_for_life() {
    for (busy, min_idle) in [(0, 1), (3, 1), (5, 0)] {
        let mut world = World::new(COUNT, config(min_idle));
        world.state().hook = false;
        for n in 0..busy {
            world.change(&id(n), |member| {
                assert!(member.record(0, 1_000_000));
            });
        }
        world.pass(6 * 3600);
        let left = busy + usize::try_from(min_idle).unwrap();
        assert_eq!(in_service(&world), left, "{busy} busy");
        assert_eq!(dropped(&world), 0, "{busy} busy");
        assert_eq!(world.state().lost, 0, "{busy} busy");
    }
}

#[test]
fn an_agent_whose_group_a_controller_keeps_does_not_end_itself() {
    for hook in [true, false] {
        let mut world = World::new(COUNT, config(1).with_keep_protected(true));
        world.state().hook = hook;
        world.pass(3600);
        assert_eq!((in_service(&world), dropped(&world)), (COUNT, 0));
    }
}

#[test]
fn without_the_hook_one_that_the_group_does_not_let_go_is_replaced() {
    let mut world = World::new(2, config(0).with_terminating_hook(false));
    world.state().hook = false;
    // The group says that it may become smaller, until it is asked to.
    world.state().desired = 3;
    world.state().min = 2;
    assert!(world.until(1800, |state| {
        if state.journal.iter().any(|(_, _, call)| call == "tell") {
            state.desired = 2;
        }
        state.journal.iter().any(|(_, _, call)| call == "end No")
    }));
    assert_eq!(world.state().desired, 2);
}

/// The worst that agents with different views can do. Each sees only itself unprotected, so each believes to be the first of a surplus
/// of one or more: all that are idle and unprotected end, down to the minimum size. None that is busy is touched.
#[test]
fn agents_with_different_views_end_at_worst_all_that_are_idle_above_the_minimum() {
    for min in [0, 2] {
        let mut world = World::new(COUNT, config(1));
        world.state().min = min;
        world.change(&id(0), |member| member.status.0 = "BUSY");
        for own in 0..COUNT {
            let view = (0..COUNT)
                .map(|n| (id(n), Lifecycle::InService, n != own))
                .collect();
            world.change(&id(own), |member| member.stale_list = Some(view));
        }
        world.pass(1800);
        let left = usize::try_from(min).unwrap().max(1);
        assert_eq!(in_service(&world), left, "growth repairs it");
        assert_eq!(
            world.change(&id(0), |m| m.lifecycle.clone()),
            Lifecycle::InService
        );
        assert_eq!(world.state().lost, 0);
    }
}

#[test]
fn a_refusal_is_normal() {
    let mut world = World::new(2, config(0));
    for n in 0..2 {
        world.change(&id(n), |member| {
            member.failing.insert("end", PortErrorKind::Permanent)
        });
    }
    world.pass(3600);
    assert_eq!(in_service(&world), 2);
    assert_eq!(world.found(""), 0, "nobody needs to know");
    let ends = world.calls(&id(0), "end").len();
    assert!((8..=12).contains(&ends), "once each time: {ends}");
    assert!(world.state().points.len() > 700, "it goes on publishing");
}
