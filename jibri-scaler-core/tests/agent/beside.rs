//! What is published beside the idle signal.

use jibri_scaler_core::{
    Lifecycle,
    agent::{AgentConfig, port::SignalPoint},
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
    // A busy one looks as well: growth needs it most while all are busy.
    world.change(&id(0), |member| member.status.0 = "BUSY");
    world.pass(400);
    for n in 0..2 {
        let point = newest(&world, n);
        assert_eq!((point.in_service, point.retained), (Some(2), Some(1)));
    }
}

#[test]
fn the_group_is_listed_once_per_look_and_agent() {
    let mut world = World::new(3, config().with_shrink(false));
    world.pass(3600);
    for n in 0..3 {
        let lists = world.calls(&id(n), "list").len();
        assert!((12..=14).contains(&lists), "{lists}");
    }
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
