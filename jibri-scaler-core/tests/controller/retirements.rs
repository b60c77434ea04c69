use futures_executor::block_on;
use jibri_scaler_core::{
    BusyStatus, HealthStatus, JibriStatus, Severity,
    controller::TickReport,
    port::PortErrorKind,
    retirement::{MAX_RETURNS, Phase},
    sim::{SimOperation, TerminationCause},
};

use crate::world::{World, phase, secs};

#[test]
fn an_idle_one_goes_phase_by_phase_and_with_a_decrement() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    assert_eq!(
        world.jibris.tally(|tally| tally.told.clone()),
        std::slice::from_ref(&id)
    );
    let mut phases = vec![];
    let ticks = world.until(&mut controller, |world, controller, _| {
        phases.extend(phase(controller, &id));
        (!world.is_in_service(&id)).then_some(phases.clone())
    });
    // Seen refusing first one tick after it was told, and for 45 s then; the tick after that is the last look.
    assert_eq!(
        ticks,
        [
            Phase::Told,
            Phase::Told,
            Phase::Told,
            Phase::Told,
            Phase::Told,
            Phase::Gone,
            Phase::Released
        ]
    );
    assert_eq!(world.gone(), [(id, TerminationCause::Requested)]);
    assert_eq!((world.desired(), world.lost()), (1, vec![]));
    world.steps(&mut controller, 30);
    assert!(controller.memory().unwrap().retirements().is_empty());
    assert_eq!((world.desired(), world.in_service().len()), (1, 1));
}

#[test]
fn one_that_accepts_a_recording_right_before_it_is_told_keeps_it_for_hours() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    world.steps(&mut controller, 6);
    // Both are going to be seen idle once more, and one of them is told, two seconds after they have accepted a recording.
    for id in world.in_service() {
        assert!(world.jibris.record_on(&id, secs(3 * 3600)));
    }
    let report = world.step(&mut controller);
    let ids = world.jibris.tally(|tally| tally.told.clone());
    let [id] = &ids[..] else {
        panic!("{ids:?} {report}")
    };
    world.until_phase(&mut controller, id, Phase::Finishing);
    for _ in 0..17 {
        world.steps(&mut controller, 60);
        assert_eq!(phase(&controller, id), Some(Phase::Finishing));
        assert_eq!(world.gone(), []);
    }
    world.until(&mut controller, |world, _, _| {
        (!world.is_in_service(id)).then_some(())
    });
    assert_eq!(world.lost(), []);
    let told = world.jibris.tally(|tally| tally.told.clone());
    let told = told.iter().filter(|told| *told == id);
    assert_eq!(told.count(), 1, "told once");
}

#[test]
fn the_report_tells_that_it_finishes_a_recording() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    world.steps(&mut controller, 6);
    for id in world.in_service() {
        world.jibris.record_on(&id, secs(600));
    }
    let moved = |report: &TickReport| {
        let moved = report.progress.iter().map(|p| (p.from, p.to));
        moved.collect::<Vec<_>>()
    };
    let told = world.step(&mut controller);
    let finishes = world.step(&mut controller);
    assert_eq!(moved(&told), [(Phase::Requested, Phase::Told)]);
    assert_eq!(moved(&finishes), [(Phase::Told, Phase::Finishing)]);
}

#[test]
fn one_that_a_supervisor_restarts_is_told_again_and_given_up_on_after_the_third_return() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    for id in world.in_service() {
        world
            .jibris
            .change(&id, |jibri| jibri.restarts_after = Some(secs(15)));
    }
    let id = world.until_one_is_told(&mut controller);
    world.until_phase(&mut controller, &id, Phase::GivenUp);
    let told = world.jibris.tally(|tally| tally.told.clone());
    assert_eq!(told, vec![id.clone(); MAX_RETURNS as usize]);
    let report = world.step(&mut controller);
    let finding = |finding: &jibri_scaler_core::Finding| {
        finding.severity == Severity::Warning && finding.what.contains(id.as_str())
    };
    assert!(
        report.decision.explanation.findings.iter().any(finding),
        "{report}"
    );
    world.steps(&mut controller, 60);
    assert!(world.is_in_service(&id));
}

#[test]
fn one_that_cannot_be_told_is_never_terminated_and_given_up_on() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    world.steps(&mut controller, 5);
    // They were reachable, and go back to loopback before one of them is told.
    for id in world.in_service() {
        world
            .jibris
            .change(&id, |jibri| jibri.internal_closed = true);
    }
    let mut given_up = 0;
    for _ in 0..60 {
        let report = world.step(&mut controller);
        for progress in &report.progress {
            assert_eq!(
                (progress.from, progress.to),
                (Phase::Requested, Phase::GivenUp)
            );
            given_up += 1;
        }
    }
    assert_eq!((given_up, world.gone()), (1, vec![]));
    assert_eq!(world.jibris.tally(|tally| tally.told.len()), 0);
}

#[test]
fn refusing_without_having_been_told_is_not_gone() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    world.steps(&mut controller, 6);
    for id in world.in_service() {
        world
            .jibris
            .change(&id, |jibri| jibri.internal_closed = true);
    }
    let report = world.step(&mut controller);
    let id = report.decision.plan.retires().next().unwrap().0.clone();
    let now = world.now;
    world.jibris.change(&id, |jibri| jibri.exit(now));
    world.steps(&mut controller, 60);
    assert!(world.is_in_service(&id), "nobody knows why it refuses");
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again_and_never_taken_for_told() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    world.steps(&mut controller, 6);
    for id in world.in_service() {
        world.jibris.change(&id, |jibri| jibri.loses_answers = true);
        world.jibris.record_on(&id, secs(120));
    }
    world.steps(&mut controller, 9);
    let told = world.jibris.tally(|tally| tally.told.clone());
    assert_eq!(told.len(), 1, "it may have been told");
    assert_eq!(phase(&controller, &told[0]), Some(Phase::Requested));
    world
        .jibris
        .change(&told[0], |jibri| jibri.loses_answers = false);
    world.until(&mut controller, |world, _, _| {
        (!world.is_in_service(&told[0])).then_some(())
    });
    assert_eq!(world.lost(), []);
}

/// The request waits for its answer behind a finalize script that takes longer than the boot deadline, which Jibri shows as BUSY.
#[test]
fn one_that_is_busy_is_not_given_up_on_for_not_having_been_told() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    world.steps(&mut controller, 6);
    for id in world.in_service() {
        world.jibris.change(&id, |jibri| jibri.loses_answers = true);
        world.jibris.record_on(&id, secs(1200));
    }
    world.steps(&mut controller, 80);
    let told = world.jibris.tally(|tally| tally.told.clone());
    assert_eq!(phase(&controller, &told[0]), Some(Phase::Requested));
    world
        .jibris
        .change(&told[0], |jibri| jibri.loses_answers = false);
    world.until(&mut controller, |world, _, _| {
        (!world.is_in_service(&told[0])).then_some(())
    });
    assert_eq!(world.lost(), []);
}

#[test]
fn a_look_that_says_nothing_starts_the_wait_anew() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    for _ in 0..20 {
        world.steps(&mut controller, 2);
        world.jibris.change(&id, |jibri| jibri.hangs = true);
        world.steps(&mut controller, 1);
        world.jibris.change(&id, |jibri| jibri.hangs = false);
    }
    assert_eq!(phase(&controller, &id), Some(Phase::Told));
    world.until_phase(&mut controller, &id, Phase::Gone);
}

#[test]
fn what_answers_at_the_last_look_keeps_its_machine_and_is_told_again() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    world.until_phase(&mut controller, &id, Phase::Gone);
    let now = world.now;
    world.jibris.change(&id, |jibri| jibri.start(now));
    world.jibris.record_on(&id, secs(600));
    world.until_phase(&mut controller, &id, Phase::Finishing);
    assert_eq!(world.jibris.tally(|tally| tally.told.len()), 2);
    world.until(&mut controller, |world, _, _| {
        (!world.is_in_service(&id)).then_some(())
    });
    assert_eq!(world.lost(), []);
}

#[test]
fn time_in_which_nobody_looked_counts_for_nothing() {
    // Gone, then nothing is listed for a while: it must refuse for as long again.
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    world.until_phase(&mut controller, &id, Phase::Gone);
    world.advance(secs(300));
    for _ in 0..3 {
        let _ = world.step(&mut controller);
        assert!(world.is_in_service(&id));
    }
    world.until_phase(&mut controller, &id, Phase::Released);

    // In standby nobody looks either.
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    world.steps(&mut controller, 1);
    world
        .group
        .enter_standby(&id, jibri_scaler_core::port::Decrement::Yes)
        .unwrap();
    world.steps(&mut controller, 30);
    world.group.exit_standby(&id).unwrap();
    let mut waited = 0;
    world.until(&mut controller, |_, controller, _| {
        waited += 1;
        (phase(controller, &id) == Some(Phase::Gone)).then_some(())
    });
    assert_eq!(waited, 6);
}

#[test]
fn given_back_and_still_listed_it_is_given_back_again_only_after_report_ttl() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    world.until_phase(&mut controller, &id, Phase::Gone);
    // The first act is lost on the way although it was said to be done: the listing goes on showing it.
    let lossy = crate::give_back::Forgetful::new(&world);
    let mut controller = lossy.controller(&world, controller);
    world.until_phase(&mut controller, &id, Phase::Released);
    assert!(world.is_in_service(&id));
    let mut waited = 0;
    world.until(&mut controller, |_, controller, _| {
        waited += 1;
        (phase(controller, &id) == Some(Phase::Gone)).then_some(())
    });
    assert_eq!(
        (waited, lossy.calls()),
        (5, 1),
        "50 s are the first tick past 45 s"
    );
    world.until(&mut controller, |_, _, _| {
        (lossy.calls() == 2).then_some(())
    });
}

#[test]
fn an_unhealthy_one_is_replaced_through_the_same_phases() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(2);
    world.steps(&mut controller, 2);
    let id = world.in_service()[0].clone();
    let unhealthy = JibriStatus::new(BusyStatus::Idle, HealthStatus::Unhealthy);
    world
        .jibris
        .change(&id, |jibri| jibri.health = Some(unhealthy));
    world.until_phase(&mut controller, &id, Phase::Told);
    world.until(&mut controller, |world, _, _| {
        (!world.is_in_service(&id)).then_some(())
    });
    assert_eq!((world.lost(), world.gone().len()), (vec![], 1));
    world.until(&mut controller, |_, _, report| {
        (report.decision.tally.spare == 2).then_some(())
    });
}

#[test]
fn an_unknown_status_is_no_return() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    world.steps(&mut controller, 6);
    for id in world.in_service() {
        world.jibris.record_on(&id, secs(1200));
    }
    let id = world.until_one_is_told(&mut controller);
    world.until_phase(&mut controller, &id, Phase::Finishing);
    let odd = JibriStatus::new("NAPPING".into(), HealthStatus::Healthy);
    world.jibris.change(&id, |jibri| jibri.health = Some(odd));
    world.steps(&mut controller, 30);
    assert_eq!(phase(&controller, &id), Some(Phase::Finishing));
}

#[test]
fn a_listing_error_in_the_middle_of_a_retirement_only_delays_it() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    world
        .group
        .fail_next(SimOperation::List, PortErrorKind::Throttled);
    assert!(block_on(controller.tick(world.now)).is_err());
    world.advance(secs(10));
    world.until(&mut controller, |world, _, _| {
        (!world.is_in_service(&id)).then_some(())
    });
    assert_eq!(world.desired(), 1);
}

#[test]
fn without_a_last_look_that_finds_nobody_there_is_no_end() {
    let mut world = World::running(0, 9, 2);
    let mut controller = world.controller(1);
    let id = world.until_one_is_told(&mut controller);
    world.until_phase(&mut controller, &id, Phase::Gone);
    // It is back and records, and nothing is heard of it.
    let now = world.now;
    world.jibris.change(&id, |jibri| jibri.start(now));
    world.jibris.record_on(&id, secs(600));
    world.jibris.change(&id, |jibri| jibri.hangs = true);
    world.steps(&mut controller, 30);
    assert_eq!((world.lost(), world.gone()), (vec![], vec![]));
    world.jibris.change(&id, |jibri| jibri.hangs = false);
    world.until(&mut controller, |world, _, _| {
        (!world.is_in_service(&id)).then_some(())
    });
    assert_eq!(world.lost(), []);
}
