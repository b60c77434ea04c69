//! What goes wrong, and what it does to the group.

use futures_executor::block_on;
use jibri_scaler_core::{
    InstanceId, Lifecycle,
    port::{Decrement, GroupControl as _, PortErrorKind},
    sim::{SimEventKind, TerminationCause},
};

use crate::{
    day::{HOUR, is_at_rest, live, recordings},
    world::{World, at, secs},
};

/// In the morning's rush nothing can be published or read for an hour. Missing data never grows and never shrinks, and the group
/// catches up afterwards.
#[test]
fn an_hour_without_cloudwatch_neither_grows_nor_shrinks_the_group() {
    let mut world = World::new(3);
    live(&mut world, 3, 0..10);
    world.metrics.set_failing(Some(PortErrorKind::Throttled));
    // What the alarm has seen stays in its range for some periods.
    world.advance(at(10 * HOUR + 300));
    let before = world.measure.clone();
    live(&mut world, 3, 10..11);
    let silent = world.measure.clone();
    let report = world.report();
    assert!(silent.served > before.served + 10, "{report}");
    assert_eq!(
        (silent.launches, silent.ends),
        (before.launches, before.ends),
        "{report}"
    );
    world.metrics.set_failing(None);
    live(&mut world, 3, 11..12);
    let report = world.report();
    assert!(world.measure.launches > silent.launches, "{report}");
    world.advance(at(18 * HOUR));
    assert_eq!(world.measure.lost, [], "{report}");
    is_at_rest(&world);
}

/// A group of which an instance is to end while it records and its agent is dead, one hour ago, and that instance.
fn ended_without_an_agent(retains: bool) -> (World, InstanceId) {
    let mut world = World::new(5);
    world.group.set_retention(retains);
    world.advance(at(HOUR));
    let id = world.record(secs(4 * 3600)).unwrap();
    world.advance(at(HOUR + 600));
    world.kill_agent(&id);
    block_on(world.group.terminate(&id, Decrement::No)).unwrap();
    world.advance(at(2 * HOUR + 600));
    (world, id)
}

/// Nobody answers the hook, and the instance is kept with what it records. A new agent drains it and gives it back.
#[test]
fn the_instance_of_a_dead_agent_is_kept_and_not_lost() {
    let (mut world, id) = ended_without_an_agent(true);
    assert!(world.has_timed_out(&id), "{}", world.report());
    world.advance(at(3 * HOUR));
    let retained = world.in_state(&Lifecycle::TerminatingRetained);
    assert_eq!(retained.first(), Some(&id), "{}", world.report());
    world.start_agent(&id);
    world.advance(at(5 * HOUR - 60));
    assert!(world.machines[&id].jibri.lock().is_recording());
    world.advance(at(6 * HOUR));
    assert_eq!(world.measure.lost, [], "{}", world.report());
    is_at_rest(&world);
}

/// The same in a group that retains nothing: this is what retention is for.
#[test]
fn without_retention_a_dead_agent_costs_the_recording() {
    let (world, id) = ended_without_an_agent(false);
    assert_eq!(world.measure.lost, [id]);
}

/// An instance that never answers is abandoned by its launching hook, and replaced.
#[test]
fn what_never_comes_up_is_replaced() {
    let mut world = World::new(6);
    world.never_boots = 4;
    live(&mut world, 6, 8..12);
    world.advance(at(17 * HOUR));
    let report = world.report();
    let launched = world.measure.launches;
    let abandoned = world.events.iter().filter(|event| {
        let cause = TerminationCause::LaunchAbandoned;
        matches!(&event.kind, SimEventKind::Terminating { why, .. } if *why == cause)
    });
    assert!(abandoned.count() > 5, "of {launched}: {report}");
    assert_eq!(world.measure.lost, [], "{report}");
    is_at_rest(&world);
}

/// Agents die at any moment, also in the middle of a drain, and are started again a minute later.
#[test]
fn agents_that_are_restarted_at_any_moment_lose_nothing() {
    let mut world = World::new(8);
    let mut recordings = recordings(8, 9..13).into_iter().peekable();
    let mut dead = Vec::new();
    world.advance(at(9 * HOUR));
    for minute in 1..=4 * 60 {
        let until = at(9 * HOUR + 60 * minute);
        while let Some((when, length)) = recordings.next_if(|(when, _)| *when < until) {
            world.advance(when);
            world.record(length);
        }
        world.advance(until);
        for id in std::mem::take(&mut dead) {
            world.start_agent(&id);
        }
        let ids: Vec<_> = world.machines.keys().cloned().collect();
        for id in ids {
            if world.chance.below(6) == 0 && world.kill_agent(&id) {
                dead.push(id);
            }
        }
    }
    for id in dead {
        world.start_agent(&id);
    }
    world.advance(at(19 * HOUR));
    let report = world.report();
    assert!(world.measure.served > 80, "{report}");
    assert!(world.measure.ends > 20, "{report}");
    assert_eq!(world.measure.lost, [], "{report}");
    is_at_rest(&world);
}

/// Somebody ends instances at any moment, busy ones too: each finishes what it records, and is replaced.
#[test]
fn instances_that_are_ended_at_any_moment_finish_their_recordings() {
    let mut world = World::new(9);
    let mut recordings = recordings(9, 9..12).into_iter().peekable();
    let mut busy = 0;
    for minute in 1..=3 * 30 {
        let until = at(9 * HOUR + 120 * minute);
        while let Some((when, length)) = recordings.next_if(|(when, _)| *when < until) {
            world.advance(when);
            let took = world.record(length);
            // One in eight is to end in the second in which its recording begins: it still reads IDLE.
            if let Some(id) = took.filter(|_| world.chance.below(8) == 0) {
                block_on(world.group.terminate(&id, Decrement::No)).unwrap();
                busy += 1;
            }
        }
        world.advance(until);
        let mut ids = world.in_state(&Lifecycle::InService);
        let index = world.chance.below(u64::try_from(ids.len()).unwrap().max(1));
        if let Some(id) = ids.drain(..).nth(usize::try_from(index).unwrap()) {
            busy += u32::from(world.machines[&id].jibri.lock().is_recording());
            block_on(world.group.terminate(&id, Decrement::No)).unwrap();
        }
    }
    world.advance(at(18 * HOUR));
    let report = world.report();
    assert!(busy > 40, "{busy} busy ones: {report}");
    assert_eq!(world.measure.lost, [], "{report}");
    is_at_rest(&world);
}

/// Somebody lowers the capacity in the middle of the day. The protected ones stay, and growth lifts the capacity again before the
/// debt takes those that become idle.
#[test]
fn a_lowered_capacity_loses_nothing_and_is_lifted_again() {
    let mut world = World::new(10);
    live(&mut world, 10, 8..11);
    let before = world.desired();
    assert!(before > 20, "{}", world.report());
    block_on(world.group.set_capacity(2)).unwrap();
    live(&mut world, 11, 11..12);
    let report = world.report();
    assert!(world.desired() > 20, "{report}");
    assert!(world.measure.refusals() < 0.1, "{report}");
    world.advance(at(18 * HOUR));
    assert_eq!(world.measure.lost, [], "{report}");
    is_at_rest(&world);
}
