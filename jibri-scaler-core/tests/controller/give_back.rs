use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use jibri_scaler_core::{
    Controller, InstanceId,
    policy::MinIdle,
    port::{Decrement, GroupControl, PortError, PortErrorKind},
    retirement::Phase,
    sim::{SimGroup, SimOperation},
};

use crate::world::{World, limits, secs};

/// Says that it has ended an instance, and forgets it the first time.
pub(crate) struct Forgetful {
    group: Arc<SimGroup>,
    calls: AtomicUsize,
}

impl Forgetful {
    pub(crate) fn new(world: &World) -> Arc<Self> {
        Arc::new(Self {
            group: Arc::clone(&world.group),
            calls: AtomicUsize::new(0),
        })
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// The same controller with this control, as after a restart.
    pub(crate) fn controller(self: &Arc<Self>, world: &World, before: Controller) -> Controller {
        drop(before);
        Controller::new(
            MinIdle::new(1).unwrap(),
            limits(),
            world.observer(),
            Arc::clone(self),
        )
        .with_drain(Arc::clone(&world.jibris))
        .with_memory(Arc::clone(&world.store))
    }
}

#[async_trait]
impl GroupControl for Forgetful {
    async fn protect(&self, ids: &[InstanceId]) -> Result<(), PortError> {
        self.group.protect(ids).await
    }

    async fn set_capacity(&self, desired: u32) -> Result<(), PortError> {
        self.group.set_capacity(desired).await
    }

    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
        if self.calls.fetch_add(1, Ordering::Relaxed) == 0 {
            return Ok(());
        }
        self.group.terminate(id, decrement).await
    }

    async fn complete_termination(&self, id: &InstanceId) -> Result<(), PortError> {
        self.group.complete_termination(id).await
    }
}

#[test]
fn at_the_minimum_size_there_is_no_decrement() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    world.group.set_bounds(2, 9).unwrap();
    world.until(&mut controller, |world, _, report| {
        assert!(report.problems.is_empty(), "{report}");
        (!world.is_in_service(&id)).then_some(())
    });
    assert_eq!(world.desired(), 2, "it was replaced");
    world.until(&mut controller, |world, _, _| {
        (world.in_service().len() == 2).then_some(())
    });
}

#[test]
fn a_recording_that_goes_on_keeps_no_surplus_one_from_going_nor_the_group_from_its_minimum() {
    let mut world = World::running(1, 9, 2);
    let mut controller = world.controller(0);
    world.steps(&mut controller, 6);
    // The one that is told next has accepted a recording two seconds before, and publishes that later.
    let first = world.in_service()[0].clone();
    assert!(world.jibris.record_on(&first, secs(3000)));
    world.until_phase(&mut controller, &first, Phase::Finishing);
    world.until(&mut controller, |world, _, _| {
        (world.in_service() == [first.clone()]).then_some(())
    });
    assert_eq!(world.desired(), 1);
    world.until(&mut controller, |world, _, _| {
        assert_eq!(world.desired(), 1, "the minimum size");
        (!world.is_in_service(&first)).then_some(())
    });
    world.until(&mut controller, |world, _, _| {
        assert_eq!(world.desired(), 1, "it was replaced");
        (world.in_service().len() == 1).then_some(())
    });
    assert_eq!(world.lost(), []);
}

#[test]
fn where_spare_is_missing_there_is_no_decrement() {
    let mut world = World::running(0, 2, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    // The other one takes a recording; the group is as large as it may be, so no growth makes up for it.
    let other = world
        .in_service()
        .into_iter()
        .find(|other| *other != id)
        .unwrap();
    assert!(world.jibris.record_on(&other, secs(3600)));
    world.until(&mut controller, |world, _, _| {
        (!world.is_in_service(&id)).then_some(())
    });
    assert_eq!(world.desired(), 2, "it was replaced");
    world.until(&mut controller, |_, _, report| {
        (report.decision.tally.spare == 1).then_some(())
    });
    assert_eq!(world.lost(), []);
}

#[test]
fn only_as_many_are_replaced_as_are_missing() {
    let mut world = World::running(0, 4, 4);
    let mut controller = world.controller(1);
    world.until_one_is_told(&mut controller);
    let retiring: Vec<_> = controller
        .memory()
        .unwrap()
        .retirements()
        .keys()
        .cloned()
        .collect();
    assert_eq!(retiring.len(), 3);
    let other = world
        .in_service()
        .into_iter()
        .find(|id| !retiring.contains(id))
        .unwrap();
    // The last one takes a recording, which shows when the others are given back; the group is as large as it may be.
    world.steps(&mut controller, 3);
    assert!(world.jibris.record_on(&other, secs(3600)));
    world.until_phase(&mut controller, &retiring[0], Phase::Gone);
    let report = world.step(&mut controller);
    assert_eq!((world.gone().len(), world.desired()), (3, 2), "{report}");
    world.until(&mut controller, |_, _, report| {
        (report.decision.tally.spare == 1).then_some(())
    });
}

#[test]
fn one_that_cannot_be_given_back_does_not_keep_the_others_from_it() {
    let mut world = World::running(0, 9, 3);
    let mut controller = world.controller(1);
    world.until_one_is_told(&mut controller);
    let retiring: Vec<_> = controller
        .memory()
        .unwrap()
        .retirements()
        .keys()
        .cloned()
        .collect();
    let [first, second] = &retiring[..] else {
        panic!("{retiring:?}")
    };
    world.until_phase(&mut controller, first, Phase::Gone);
    world
        .group
        .fail_next(SimOperation::Terminate, PortErrorKind::Permanent);
    let report = world.step(&mut controller);
    assert_eq!(report.problems.len(), 1, "{report}");
    assert_eq!(world.gone(), [], "a failure ends the round");
    // The second is let go first now, and the next failure hits the first again.
    let mut controller = controller;
    let _ = world.step(&mut controller);
    let gone: Vec<_> = world.gone().into_iter().map(|(id, _)| id).collect();
    assert_eq!(gone, [second.clone(), first.clone()]);
    assert_eq!(world.desired(), 1);
}

#[test]
fn nothing_is_given_back_after_an_effect_that_failed() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    world.until_phase(&mut controller, &id, Phase::Gone);
    let other = world.in_service().into_iter().find(|other| *other != id);
    world.group.set_protection(&[other.unwrap()], false);
    world
        .group
        .fail_next(SimOperation::Protect, PortErrorKind::Throttled);
    let report = world.step(&mut controller);
    assert_eq!(
        (report.problems.len(), world.gone()),
        (1, vec![]),
        "{report}"
    );
    let _ = world.step(&mut controller);
    assert!(!world.is_in_service(&id));
}
