use super::*;

/// A day without pacing, which nothing stops: what it came to, and its picture.
async fn day_of(seed: u64, load: f64) -> (Summary, String) {
    let world = World::new(seed, day::meetings(seed, load).unwrap()).unwrap();
    let controller = controller(&world, PolicyFile::from_toml(POLICY).unwrap()).unwrap();
    let world = live(
        world,
        controller,
        Speed::Max,
        Box::pin(std::future::pending()),
        Screen::new(Box::new(std::io::sink()), true),
    )
    .await
    .unwrap();
    (world.summary, world.timeline.svg("day"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_loses_nothing_comes_down_again_and_is_the_same_each_time() {
    let day = day_of(7, 0.3).await;
    let first = &day.0;
    assert_eq!((first.lost, first.failed_ticks), (0, 0));
    assert_eq!(first.asked, first.served + first.refused);
    assert_eq!(first.served, first.finished);
    assert!(first.served > 20 && first.retired > 0, "{first}");
    assert_eq!(day, day_of(7, 0.3).await);
}

#[test]
fn speeds_are_numbers_or_max() {
    assert_eq!(speed("max"), Ok(Speed::Max));
    assert_eq!(speed("2.5"), Ok(Speed::Times(2.5)));
    for wrong in ["0", "-1", "NaN", "fast", "inf"] {
        assert!(speed(wrong).is_err(), "{wrong}");
    }
}
