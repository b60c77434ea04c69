use std::sync::Arc;

use jibri_scaler_core::port::KeptMemory;

use crate::world::{World, secs};

#[test]
fn two_controllers_on_one_group_lose_nothing_and_keep_the_bounds() {
    let mut world = World::running(2, 9, 8);
    let mut first = world.controller(2);
    world.store = Arc::new(KeptMemory::default());
    let mut second = world.controller(2);
    for tick in 0..720 {
        if tick % 7 == 0 && tick < 500 {
            world.jibris.record(
                tick / 7,
                secs(300 + 97 * (u64::try_from(tick).unwrap() % 11)),
            );
        }
        let _ = world.step(&mut first);
        let _ = world.step(&mut second);
        assert_eq!(world.lost(), []);
        assert!((2..=9).contains(&world.desired()));
    }
    assert_eq!((world.desired(), world.in_service().len()), (2, 2));
}
