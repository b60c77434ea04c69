//! Commands to a controller that runs.

use std::sync::Arc;

use futures_executor::block_on;
use jibri_scaler_core::{
    Controller, Limits,
    controller::OperateError,
    observe::MockFleetObserver,
    operator::{Direction, OperatorCommand},
    policy::MinIdle,
    retirement::Phase,
    sim::TerminationCause,
};

use crate::world::{World, secs};

fn retire(id: &jibri_scaler_core::InstanceId) -> OperatorCommand {
    OperatorCommand::Retire {
        id: id.clone(),
        replace: false,
        reason: "no sound".parse().unwrap(),
    }
}

fn pause(world: &World, direction: Direction, lasting: u64) -> OperatorCommand {
    OperatorCommand::Pause {
        direction,
        until: world.now + secs(lasting),
        reason: "why".parse().unwrap(),
    }
}

#[test]
fn a_busy_one_that_is_retired_by_hand_is_told_and_finishes_its_recording() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(0);
    let id = world.in_service()[0].clone();
    assert!(world.jibris.record_on(&id, secs(3600)));
    world.steps(&mut controller, 2);
    block_on(controller.command(&retire(&id), world.now)).unwrap();
    world.until_phase(&mut controller, &id, Phase::Finishing);
    world.steps(&mut controller, 300);
    assert!(world.is_in_service(&id), "for as long as it records");
    world.until(&mut controller, |world, _, _| {
        (!world.is_in_service(&id)).then_some(())
    });
    assert!(
        world
            .gone()
            .contains(&(id.clone(), TerminationCause::Requested))
    );
    assert_eq!(world.lost(), []);
    world.steps(&mut controller, 30);
    assert!(controller.memory().unwrap().operator().retires().is_empty());
}

#[test]
fn what_was_said_is_saved_at_once_and_outlives_a_restart() {
    let mut world = World::running(0, 9, 1);
    let mut controller = world.controller(3);
    // Before the first tick: the memory is loaded first.
    let paused = pause(&world, Direction::Growing, 60);
    block_on(controller.command(&paused, world.now)).unwrap();
    drop(controller);
    let mut controller = world.controller(3);
    world.steps(&mut controller, 6);
    assert_eq!(world.desired(), 1);
    world.steps(&mut controller, 1);
    assert_eq!(world.desired(), 3);
}

#[test]
fn a_command_that_is_refused_changes_nothing() {
    let mut world = World::running(0, 9, 1);
    let mut controller = world.controller(1);
    world.steps(&mut controller, 1);
    let before = world.saved();
    let unkeep = OperatorCommand::Unkeep {
        id: world.in_service()[0].clone(),
    };
    let error = block_on(controller.command(&unkeep, world.now)).unwrap_err();
    assert!(matches!(error, OperateError::Refused(_)), "{error}");
    assert_eq!(world.saved(), before);
}

#[test]
fn in_a_dry_run_what_is_asked_for_is_heeded_and_not_saved_and_stays_asked_for() {
    let mut world = World::running(0, 9, 2);
    let before = world.saved();
    let mut controller = world.controller(0).with_dry_run(true);
    world.steps(&mut controller, 1);
    let id = world.in_service()[0].clone();
    block_on(controller.command(&retire(&id), world.now)).unwrap();
    assert_eq!(world.saved(), before, "as it was");
    for _ in 0..2 {
        let report = world.step(&mut controller);
        let retired: Vec<_> = report.decision.plan.retires().collect();
        assert_eq!(retired, [(&id, false)], "{report}");
    }
    assert!(world.is_in_service(&id));
}

#[test]
fn another_policy_takes_over_and_the_memory_stays() {
    let mut world = World::running(0, 9, 3);
    let mut controller = world.controller(3);
    world.steps(&mut controller, 10);
    let policy = |idle| MinIdle::new(idle).unwrap();
    let short = Limits::default()
        .with_report_ttl(secs(19))
        .and_then(|limits| limits.with_idle_timeout(secs(0)))
        .unwrap();
    let error = controller.replace_policy(policy(0), short).unwrap_err();
    assert!(error.to_string().contains("19s"), "{error}");
    let report = world.step(&mut controller);
    assert_eq!(report.decision.wanted_spare, 3, "nothing has changed");
    assert_eq!(report.decision.winner, "min_idle");

    controller
        .replace_policy(policy(1), crate::world::limits())
        .unwrap();
    let report = world.step(&mut controller);
    assert_eq!(report.decision.wanted_spare, 1);
    // They have been idle for long enough under the old policy.
    let surplus_hold_passes = world.until(&mut controller, |_, _, report| {
        report
            .decision
            .plan
            .retires()
            .next()
            .map(|_| report.decision.at)
    });
    assert!(surplus_hold_passes.since(report.decision.at) <= secs(60));
}

#[test]
fn an_observer_is_told_of_another_report_ttl_and_of_nothing_else() {
    let world = World::running(0, 9, 1);
    let limits = |ttl| Limits::default().with_report_ttl(secs(ttl)).unwrap();
    let policy = |idle| MinIdle::new(idle).unwrap();
    let mut observer = MockFleetObserver::new();
    observer
        .expect_report_ttl_changed()
        .withf(|ttl| *ttl == secs(90))
        .times(1)
        .return_const(());
    let group = Arc::clone(&world.group);
    let controller = Controller::new(policy(1), limits(45), observer, group);
    let mut controller = controller.with_interval(secs(20)).unwrap();
    controller.replace_policy(policy(2), limits(45)).unwrap();
    controller
        .replace_policy(policy(3), limits(30))
        .unwrap_err();
    controller.replace_policy(policy(3), limits(90)).unwrap();
    controller.replace_policy(policy(4), limits(90)).unwrap();
}
