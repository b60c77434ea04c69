//! Who may have been told by the leader of before is told again only later.

use std::sync::Arc;

use futures_executor::block_on;
use jibri_scaler_core::{BusyStatus, Controller, HealthStatus, JibriStatus, Timestamp};

use crate::{
    leader::{lead::Leads, replica, step},
    world::{INTERVAL, World, limits, secs},
};

fn told(world: &World) -> usize {
    world.jibris.tally(|tally| tally.told.len())
}

/// Ticks of one until so many requests have arrived.
fn until_told(
    world: &mut World,
    leads: &Leads,
    controller: &mut Controller,
    times: usize,
) -> Timestamp {
    for _ in 0..60 {
        let now = world.now;
        let _ = step(world, leads, &mut [controller]);
        if told(world) == times {
            return now;
        }
    }
    panic!("no request {times} within ten minutes");
}

fn breaks(world: &World, at: usize) {
    let id = world.in_service()[at].clone();
    let broken = JibriStatus::new(BusyStatus::Idle, HealthStatus::Unhealthy);
    world
        .jibris
        .change(&id, |jibri| jibri.health = Some(broken));
}

/// The clock of the one before may have been behind, and what it has asked a shorter time ago than it seems.
#[test]
fn one_whose_answer_was_lost_is_asked_again_an_interval_after_the_next_one_leads() {
    let mut world = World::running(0, 9, 2);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    let _ = step(&mut world, &leads, &mut [&mut a, &mut b]);
    breaks(&world, 0);
    let id = world.in_service()[0].clone();
    world.jibris.change(&id, |jibri| jibri.loses_answers = true);
    let asked = until_told(&mut world, &leads, &mut a, 1);
    // Its supervisor brings it back.
    let now = world.now;
    world.jibris.change(&id, |jibri| jibri.start(now));
    let _ = step(&mut world, &leads, &mut [&mut a]);
    let _ = step(&mut world, &leads, &mut [&mut a]);
    block_on(a.resign()).unwrap();
    let _ = step(&mut world, &leads, &mut [&mut b]);
    assert!(b.leads());
    let led = world.now;
    let again = until_told(&mut world, &leads, &mut b, 2);
    assert!(
        again.since(led) + INTERVAL >= limits().tell_interval(),
        "{asked:?} {led:?} {again:?}"
    );
}

/// After a gap in what was saved, more may have been done than a store has kept.
#[test]
fn after_a_gap_the_next_one_tells_nobody_for_an_interval() {
    let mut world = World::running(0, 9, 2);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    let _ = step(&mut world, &leads, &mut [&mut a, &mut b]);
    let _ = step(&mut world, &leads, &mut [&mut a]);
    drop(a);
    let gap = limits().report_ttl() + INTERVAL;
    world.advance(gap);
    leads.pass(gap);
    let loaded = world.now;
    while !b.leads() {
        let _ = step(&mut world, &leads, &mut [&mut b]);
    }
    breaks(&world, 0);
    let first = until_told(&mut world, &leads, &mut b, 1);
    assert_eq!(first.since(loaded), limits().tell_interval());
    // Whoever goes on for as long without a gap knows who was told.
    breaks(&world, 1);
    let began = world.now;
    let second = until_told(&mut world, &leads, &mut b, 2);
    assert!(second.since(began) < secs(60), "{second:?} {began:?}");
}
