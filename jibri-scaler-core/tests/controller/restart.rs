use std::sync::Arc;

use futures_executor::block_on;
use jibri_scaler_core::{
    BusyStatus, HealthStatus, JibriStatus, Memory,
    port::{KeptMemory, MemoryStore as _},
    retirement::Phase,
};

use crate::world::{World, phase, secs};

#[test]
fn a_restart_with_the_saved_memory_goes_on_where_it_was() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    for _ in 0..20 {
        // A new process for each tick.
        let text = serde_json::to_string(&world.saved().unwrap()).unwrap();
        let memory: Memory = serde_json::from_str(&text).unwrap();
        world.store = Arc::new(KeptMemory::default());
        block_on(world.store.save(&memory)).unwrap();
        controller = world.controller(1);
        let _ = world.step(&mut controller);
    }
    assert!(!world.is_in_service(&id));
    assert_eq!((world.desired(), world.lost()), (1, vec![]));
    assert_eq!(
        world.jibris.tally(|tally| tally.told.clone()),
        [id],
        "told once"
    );
}

#[test]
fn a_restart_without_memory_harms_no_recording_and_leaves_the_machine() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    world.steps(&mut controller, 6);
    for id in world.in_service() {
        world.jibris.record_on(&id, secs(1800));
    }
    let id = world.until_one_is_told(&mut controller);
    world.store = Arc::new(KeptMemory::default());
    let mut controller = world.controller(1);
    world.steps(&mut controller, 360);
    assert_eq!(
        (world.lost(), world.gone().len()),
        (vec![], 1),
        "one that was too many went"
    );
    assert!(
        world.is_in_service(&id),
        "nobody knows any more that it was told"
    );
    assert_eq!(phase(&controller, &id), None);
}

/// It may have told somebody just before it has lost its memory.
#[test]
fn one_without_memory_tells_nobody_at_once() {
    let mut world = World::running(0, 9, 2);
    world.store = Arc::new(KeptMemory::default());
    let (mut controller, began) = (world.controller(2), world.now);
    let id = world.in_service()[0].clone();
    let broken = JibriStatus::new(BusyStatus::Idle, HealthStatus::Unhealthy);
    world
        .jibris
        .change(&id, |jibri| jibri.health = Some(broken));
    world.until_phase(&mut controller, &id, Phase::Told);
    let waited = world.now.since(began);
    assert!((secs(90)..=secs(100)).contains(&waited), "{waited:?}");
}

#[test]
fn what_has_not_begun_is_not_begun_by_a_restart() {
    use jibri_scaler_core::{port::PortErrorKind, sim::SimOperation};
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    world.steps(&mut controller, 6);
    // The next plan protects a newcomer, which fails, and retires an idle one.
    let all = world.in_service();
    world.group.set_protection(&all[..1], false);
    world
        .group
        .fail_next(SimOperation::Protect, PortErrorKind::Transient);
    let report = block_on(controller.tick(world.now)).unwrap();
    assert_eq!(report.decision.plan.retires().count(), 1, "{report}");
    assert!(world.saved().unwrap().retirements().is_empty());
    world.advance(secs(10));
    let report = world.step(&mut controller);
    let moved: Vec<_> = report.progress.iter().map(|p| (p.from, p.to)).collect();
    assert_eq!(
        moved,
        [(Phase::Requested, Phase::Told)],
        "the next tick begins it: {report}"
    );
}
