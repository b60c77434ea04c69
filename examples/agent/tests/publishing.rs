//! What `CloudWatch` has of the idle signal when it or the clock is not as it should be.

use std::time::Duration;

use super::world::World;

const PERIOD: i64 = 10;

fn seconds(world: &World) -> i64 {
    world.now.as_micros() / 1_000_000
}

/// Time passes until a second that lies so far inside a period.
async fn until_inside(world: &mut World, offset: i64) {
    while seconds(world) % PERIOD != offset {
        world.second().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_points_are_refused_none_is_kept_for_later_and_all_else_goes_on() {
    let mut world = World::new("agent-throttled").await;
    world.start_agent().await;
    world.until_protected(false).await;
    until_inside(&mut world, 0).await;
    let start = seconds(&world);
    world.aws.throttle(true);
    let before = world.aws.published();
    world.record("standup", Some(Duration::from_mins(8)));
    world.until_protected(true).await;
    while seconds(&world) < start + 600 {
        world.second().await;
    }
    let tried = world.aws.published() - before;
    assert!(
        (10..=60).contains(&tried),
        "{tried} requests in 60 periods: once in each at most"
    );
    assert!(world.heard("could not be published several times in a row"));
    world.until_protected(false).await;
    until_inside(&mut world, 0).await;
    world.aws.throttle(false);
    let end = seconds(&world);
    assert!(world.aws.sums(start, end).await.is_empty(), "none then");
    while world.aws.sums(end, end + 3600).await.len() < 4 {
        world.second().await;
    }
    assert!(seconds(&world) < end + 600, "it has begun again");
    assert!(
        world.aws.sums(start, end).await.is_empty(),
        "and none later"
    );
    let sums = world.aws.sums(end, seconds(&world)).await;
    assert!(sums.iter().all(|sum| *sum == (1.0, 1.0)), "{sums:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_a_quarter_period_off_moves_no_point_into_another_period() {
    for (group, skew) in [
        ("agent-in-time", 0),
        ("agent-ahead", 2500),
        ("agent-behind", -2500),
    ] {
        let mut world = World::new(group).await;
        world.skew = skew;
        world.start_agent().await;
        world.until_protected(false).await;
        // Chrome takes 4 s, so that BUSY begins with a period. It lasts for six of them, the last 10 s being those of finalize.
        until_inside(&mut world, PERIOD - 4).await;
        world.record("standup", Some(Duration::from_secs(50)));
        until_inside(&mut world, 0).await;
        let edge = seconds(&world);
        while seconds(&world) < edge + 9 * PERIOD + 5 {
            world.second().await;
        }
        let sums = world.aws.sums(edge, edge + 9 * PERIOD).await;
        let expected: Vec<_> = (0..9)
            .map(|n| if n < 6 { (0.0, 1.0) } else { (1.0, 1.0) })
            .collect();
        assert_eq!(sums, expected, "{group}");
    }
}
