//! What is published beside the idle signal.

use jibri_scaler_core::{
    Lifecycle,
    agent::{AgentConfig, Publish, port::SignalPoint},
    policy::MinIdle,
};

use crate::world::{World, id, secs};

fn config() -> AgentConfig {
    AgentConfig::default()
        .with_min_idle(MinIdle::new(1).unwrap())
        .with_idle_timeout(secs(300))
        .unwrap()
}

fn newest(world: &World, n: usize) -> SignalPoint {
    let state = world.state();
    let points = state.points.iter().rev();
    let mut points = points.filter(|(of, _)| *of == id(n));
    points.next().unwrap().1
}

#[test]
fn the_size_of_the_group_is_published_within_the_first_periods_and_followed() {
    let mut world = World::new(3, config().with_shrink(false));
    world.pass(40);
    for n in 0..3 {
        assert_eq!(newest(&world, n).in_service, Some(3));
    }
    world.change(&id(2), |member| {
        member.lifecycle = Lifecycle::TerminatingRetained;
    });
    world.kill_agent(&id(2));
    // A busy one lists too: growth needs it most while all are busy.
    world.change(&id(0), |member| member.status.0 = "BUSY");
    world.pass(400);
    for n in 0..2 {
        let point = newest(&world, n);
        assert_eq!((point.in_service, point.retained), (Some(2), Some(1)));
    }
}

/// The number of calls does not grow with the group, they are spread over time, and somebody always knows the number.
#[test]
fn a_few_agents_list_the_group_for_all_whatever_its_size() {
    for count in [1, 3, 40] {
        let mut world = World::new(count, config());
        for n in 0..count {
            world.change(&id(n), |member| member.status.0 = "BUSY");
        }
        world.pass(60);
        world.state().journal.clear();
        world.state().points.clear();
        world.pass(3600);
        let state = world.state();
        let lists = state.journal.iter().filter(|(_, _, call)| call == "list");
        let lists: Vec<_> = lists.map(|(at, ..)| *at).collect();
        let expected = 12 * count.min(6);
        assert!(
            (expected * 2 / 3..=expected * 3 / 2).contains(&lists.len()),
            "{count}: {}",
            lists.len()
        );
        // In no half minute more than a third of what is expected in five.
        let crowd = lists.iter().map(|at| {
            let near = lists.iter().filter(|other| (*at..at + 30).contains(*other));
            near.count()
        });
        assert!(crowd.max().unwrap() <= 5, "{count}");

        let mut largest = std::collections::BTreeMap::new();
        for (_, point) in &state.points {
            assert!(point.in_service.is_some(), "each says that it is an agent");
            let slot = point.at.as_micros() / 10_000_000;
            let entry: &mut (u32, bool) = largest.entry(slot).or_default();
            entry.0 = entry.0.max(point.in_service.unwrap());
            entry.1 |= point.retained == Some(0);
        }
        let known = largest
            .values()
            .all(|seen| *seen == (u32::try_from(count).unwrap(), true));
        assert!(known && largest.len() >= 359, "{count}: {largest:?}");
    }
}

/// Idle ones whose protection is off see for themselves, every quarter of an hour at most, that the hook is there; that there is no
/// surplus costs no listing at all, and nothing comes at a multiple of the cadence.
#[test]
fn idle_agents_without_a_surplus_list_no_more_than_their_protection_needs() {
    const COUNT: usize = 50;
    let all = u32::try_from(COUNT).unwrap();
    let config = config().with_min_idle(MinIdle::new(all).unwrap());
    let mut world = World::new(COUNT, config);
    world.pass(1500);
    assert!((0..COUNT).all(|n| world.change(&id(n), |member| !member.protected)));
    world.state().journal.clear();
    world.pass(3600);
    let state = world.state();
    let at = |name: &str| {
        let calls = state.journal.iter().filter(|(_, _, call)| call == name);
        calls.map(|(at, ..)| *at).collect::<Vec<_>>()
    };
    let (lists, looks, sums) = (at("list"), at("look"), at("sums"));
    assert_eq!(
        sums.len(),
        12 * COUNT,
        "they looked whether they are surplus"
    );
    assert!(looks.len() <= 6 * COUNT, "{}", looks.len());
    // Each every ten to fourteen minutes, and six in five minutes to count.
    assert!(lists.len() <= 6 * COUNT + 80, "{}", lists.len());
    let near = |at: &i64| {
        lists
            .iter()
            .filter(|other| (*at..at + 30).contains(*other))
            .count()
    };
    let crowd = lists.iter().map(near).max().unwrap();
    assert!(
        crowd <= 12,
        "{crowd} of {} within half a minute",
        lists.len()
    );
}

#[test]
fn an_old_number_is_not_published_for_long() {
    let mut world = World::new(40, config());
    for n in 0..40 {
        world.change(&id(n), |member| member.status.0 = "BUSY");
    }
    world.pass(1200);
    for n in 10..40 {
        world.change(&id(n), |member| member.lifecycle = Lifecycle::Terminated);
        world.kill_agent(&id(n));
    }
    world.pass(470);
    world.state().points.clear();
    world.pass(1800);
    let state = world.state();
    let most = state.points.iter().map(|(_, point)| point.in_service);
    assert_eq!(most.max(), Some(Some(10)));
}

#[test]
fn batched_points_do_not_say_how_many_are_in_service() {
    let mut world = World::new(1, config().with_publish(Publish::Batched));
    world.pass(1800);
    let state = world.state();
    assert!(state.points.len() > 150);
    assert!(state.points.iter().all(|(_, p)| p.in_service.is_none()));
}

#[test]
fn how_long_it_is_busy_is_published_while_it_is() {
    let mut world = World::new(1, config());
    world.pass(40);
    assert_eq!(newest(&world, 0).busy_for, None);
    world.change(&id(0), |member| member.status.0 = "BUSY");
    world.pass(600);
    let busy = newest(&world, 0).busy_for.unwrap();
    assert!((secs(580)..=secs(600)).contains(&busy), "{busy:?}");
    world.change(&id(0), |member| member.status.0 = "IDLE");
    world.pass(20);
    assert_eq!(newest(&world, 0).busy_for, None);
}

#[test]
fn a_held_one_says_for_how_long_and_that_its_check_has_failed_once() {
    let mut world = World::new(1, config().with_shrink(false));
    world.pass(30);
    let now = world.state().now;
    world.change(&id(0), |member| {
        member.finalize_fails = true;
        member.terminate();
        assert!(member.record(now, 2 * 3600));
    });
    world.state().retention = true;
    world.pass(2 * 3600 + 600);
    let state = world.state();
    let points: Vec<_> = state.drain_points.iter().map(|(_, point)| point).collect();
    let held: Vec<_> = points.iter().map(|point| point.held_for).collect();
    assert!(held.is_sorted() && held.len() >= 8, "{held:?}");
    assert!(held.iter().any(|held| *held > secs(6000)), "{held:?}");
    let failed = points.iter().filter(|point| point.release_check_failed);
    assert_eq!(failed.count(), 1);
    assert_eq!(
        state
            .points
            .iter()
            .filter(|(_, p)| p.at > points[0].at)
            .count(),
        0
    );
}
