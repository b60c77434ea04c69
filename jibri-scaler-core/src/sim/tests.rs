mod faults;
mod hooks;
mod member;
mod scaling;

use std::{collections::BTreeMap, time::Duration};

use futures_executor::block_on;

use super::draws::{Draws, Purpose};
use super::*;
use crate::{Instance, Lifecycle};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn config(min: u32, max: u32, desired: u32) -> SimGroupConfig {
    SimGroupConfig::new(min, max, desired).unwrap()
}

/// A group whose first instances are in service, whose launches take 60 s and whose terminations take 30 s.
fn running(min: u32, max: u32, desired: u32) -> SimGroup {
    let config = config(min, max, desired).with_start_in_service(true);
    group(config)
}

fn group(config: SimGroupConfig) -> SimGroup {
    let group = SimGroup::new(
        config.with_launch_delay(secs(60)..=secs(60)).unwrap(),
        at(0),
    );
    group.advance(at(0));
    group
}

fn ids(group: &SimGroup, wanted: &Lifecycle) -> Vec<InstanceId> {
    let rows = group.current().instances;
    let rows = rows.into_iter().filter(|row| row.lifecycle == *wanted);
    rows.map(|row| row.id).collect()
}

fn in_service(group: &SimGroup) -> Vec<InstanceId> {
    ids(group, &Lifecycle::InService)
}

fn row(group: &SimGroup, id: &InstanceId) -> Option<Instance> {
    let mut rows = group.current().instances.into_iter();
    rows.find(|row| row.id == *id)
}

fn set(group: &SimGroup, desired: u32) {
    block_on(group.set_capacity(desired)).unwrap();
}

fn kinds(events: Vec<SimEvent>) -> Vec<SimEventKind> {
    events.into_iter().map(|event| event.kind).collect()
}

fn terminations(events: &[SimEvent]) -> Vec<(InstanceId, TerminationCause)> {
    let of = |event: &SimEvent| match &event.kind {
        SimEventKind::Terminating { id, why } => Some((id.clone(), *why)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

#[test]
fn a_launch_is_pending_then_in_service_and_says_so() {
    let group = group(config(0, 4, 0).with_new_instances_protected(true));
    set(&group, 1);
    let [pending] = &ids(&group, &Lifecycle::Pending)[..] else {
        panic!("one is launched")
    };
    assert!(!row(&group, pending).unwrap().protected);
    assert_eq!(group.next_event(), Some(at(60)));
    let events = group.advance(at(59));
    assert_eq!(
        kinds(events),
        [SimEventKind::Launched {
            id: pending.clone(),
            zone: "sim-1a".into()
        }]
    );
    let events = group.advance(at(100));
    assert_eq!(
        events,
        [SimEvent {
            at: at(60),
            kind: SimEventKind::InService {
                id: pending.clone()
            }
        }]
    );
    assert!(row(&group, pending).unwrap().protected);
    assert_eq!((group.next_event(), group.now()), (None, at(100)));
}

#[test]
fn launch_delays_come_from_the_seed_and_fill_their_range() {
    let times = |seed| {
        let config = config(0, 50, 50).with_seed(seed);
        let group = SimGroup::new(config, at(0));
        let events = group.advance(at(1000));
        let of = |event: &SimEvent| {
            matches!(event.kind, SimEventKind::InService { .. }).then_some(event.at)
        };
        events.iter().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(times(1), times(1));
    assert_ne!(times(1), times(2));
    assert!(times(1).iter().all(|t| (at(60)..=at(120)).contains(t)));
    assert!(times(1).is_sorted());
}

#[test]
fn ids_are_those_of_ec2_in_shape_and_never_repeat() {
    let group = running(0, 100, 100);
    let other = SimGroup::new(config(0, 1, 1).with_seed(1), at(0));
    let ids = in_service(&group);
    assert!(ids.iter().all(|id| id.as_str().len() == 19));
    assert!(
        ids.is_sorted_by(|a, b| a < b),
        "in the order of their launch"
    );
    assert!(!ids.contains(&other.current().instances[0].id));
}

#[test]
fn capacity_outside_the_bounds_is_refused_and_changes_nothing() {
    let group = running(1, 3, 2);
    let before = group.current();
    for desired in [0, 4] {
        let error = block_on(group.set_capacity(desired)).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Permanent);
        assert!(
            error.report().contains(&desired.to_string()),
            "{}",
            error.report()
        );
    }
    assert_eq!(group.current(), before);
    assert_eq!(group.advance(at(0)), []);
}

#[test]
fn zones_are_filled_evenly_and_emptied_evenly_the_oldest_first() {
    let config = config(0, 9, 5).with_start_in_service(true);
    let group = group(config.with_zones(["a", "b", "c"]).unwrap());
    let zones = |group: &SimGroup| {
        let mut sizes = BTreeMap::new();
        for row in group.current().instances {
            if row.lifecycle == Lifecycle::InService {
                *sizes.entry(row.zone.unwrap().to_string()).or_insert(0) += 1;
            }
        }
        sizes.into_values().collect::<Vec<u32>>()
    };
    assert_eq!(zones(&group), [2, 2, 1]);
    let first = in_service(&group);
    set(&group, 3);
    assert_eq!(zones(&group), [1, 1, 1]);
    let gone = terminations(&group.advance(at(0)));
    let expected = [&first[0], &first[1]].map(|id| (id.clone(), TerminationCause::ScaleIn));
    assert_eq!(gone, expected);
}

#[test]
fn lowering_takes_the_unprotected_one_even_from_a_smaller_zone() {
    let group = running(0, 9, 3);
    let all = in_service(&group);
    // Zone a has the first and the third.
    group.set_protection(&[all[0].clone(), all[2].clone()], true);
    set(&group, 1);
    assert_eq!(in_service(&group), [all[0].clone(), all[2].clone()]);
    assert_eq!(group.current().group.desired, 1);
}

#[test]
fn the_first_that_loses_its_protection_pays_the_debt() {
    let group = running(0, 9, 3);
    let all = in_service(&group);
    block_on(group.protect(&all)).unwrap();
    set(&group, 2);
    assert_eq!(in_service(&group), all);
    group.advance(at(3600));
    assert_eq!(in_service(&group), all, "however long it takes");
    group.set_protection(&all[1..2], false);
    group.set_protection(&all[2..], false);
    assert_eq!(in_service(&group), [all[0].clone(), all[2].clone()]);
}

#[test]
fn pending_ones_are_waited_for_when_the_capacity_is_lowered() {
    let group = group(config(0, 9, 2));
    set(&group, 1);
    assert_eq!(ids(&group, &Lifecycle::Pending).len(), 2);
    group.advance(at(60));
    assert_eq!(in_service(&group).len(), 1);
}

#[test]
fn protection_is_for_those_in_service_or_standby_and_passes_over_others() {
    let group = running(0, 9, 2);
    let all = in_service(&group);
    set(&group, 3);
    let pending = ids(&group, &Lifecycle::Pending);
    block_on(group.terminate(&all[1], Decrement::Yes)).unwrap();
    let unknown = "i-unknown".parse().unwrap();
    let asked = [pending[0].clone(), all[1].clone(), unknown, all[0].clone()];
    block_on(group.protect(&asked)).unwrap();
    let protected = group.current().instances.into_iter();
    let protected: Vec<_> = protected
        .filter(|row| row.protected)
        .map(|row| row.id)
        .collect();
    assert_eq!(protected, [all[0].clone()]);
}

#[test]
fn a_termination_with_decrement_takes_exactly_that_instance_even_a_protected_one() {
    let group = running(1, 9, 3);
    let all = in_service(&group);
    group.set_protection(&all, true);
    block_on(group.terminate(&all[1], Decrement::Yes)).unwrap();
    assert_eq!(group.current().group.desired, 2);
    assert_eq!(ids(&group, &Lifecycle::Terminating), [all[1].clone()]);
    block_on(group.terminate(&all[1], Decrement::Yes)).unwrap();
    assert_eq!(
        group.current().group.desired,
        2,
        "again is no second decrement"
    );
    let events = group.advance(at(30));
    assert_eq!(
        terminations(&events),
        [(all[1].clone(), TerminationCause::Requested)]
    );
    assert_eq!(row(&group, &all[1]), None);
    assert_eq!(in_service(&group).len(), 2);
    block_on(group.terminate(&all[1], Decrement::Yes)).unwrap();
    assert_eq!(group.current().group.desired, 2);
}

#[test]
fn a_decrement_at_the_minimum_size_is_refused_and_the_instance_stays() {
    let group = running(2, 9, 2);
    let before = group.current();
    let error = block_on(group.terminate(&in_service(&group)[0], Decrement::Yes)).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Permanent);
    assert!(
        error.report().contains("desiredSize equals minSize (2)"),
        "{}",
        error.report()
    );
    assert_eq!(group.current(), before);
}

#[test]
fn a_termination_without_decrement_launches_a_replacement_in_the_emptied_zone() {
    let group = running(2, 9, 2);
    let all = in_service(&group);
    block_on(group.terminate(&all[1], Decrement::No)).unwrap();
    let launched = ids(&group, &Lifecycle::Pending);
    assert_eq!(launched.len(), 1);
    assert_eq!(
        row(&group, &launched[0]).unwrap().zone,
        Some("sim-1b".into())
    );
    assert_eq!(group.current().group.desired, 2);
}

#[test]
fn a_termination_without_decrement_pays_a_debt_instead_of_being_replaced() {
    let group = running(0, 9, 3);
    let all = in_service(&group);
    group.set_protection(&all, true);
    set(&group, 2);
    block_on(group.terminate(&all[0], Decrement::No)).unwrap();
    assert_eq!(ids(&group, &Lifecycle::Pending), []);
}

#[test]
fn the_bounds_take_the_desired_capacity_with_them() {
    let group = running(0, 9, 3);
    group.set_bounds(5, 9).unwrap();
    assert_eq!(group.current().group.desired, 5);
    assert_eq!(ids(&group, &Lifecycle::Pending).len(), 2);
    group.set_bounds(0, 2).unwrap();
    assert_eq!(group.current().group.desired, 2);
    assert_eq!(group.set_bounds(3, 2).unwrap_err().key, "min_size");
    assert_eq!(group.current().group.max_size, 2);
}

#[test]
fn a_machine_lost_behind_the_groups_back_is_noticed_later_and_replaced() {
    let group = group(
        config(2, 9, 2)
            .with_start_in_service(true)
            .with_new_instances_protected(true)
            .with_notice_delay(secs(45)),
    );
    let all = in_service(&group);
    assert!(group.lose_machine(&all[0]));
    group.advance(at(44));
    assert_eq!(in_service(&group), all, "not noticed yet");
    let events = group.advance(at(45));
    assert_eq!(
        terminations(&events),
        [(all[0].clone(), TerminationCause::Unhealthy)]
    );
    assert_eq!(ids(&group, &Lifecycle::Pending).len(), 1);
    assert_eq!(group.current().group.desired, 2);
    assert!(!group.lose_machine(&all[0]), "it is on its way out");
}

#[test]
fn standby_takes_an_instance_out_of_the_capacity_and_back() {
    let group = running(1, 3, 2);
    let all = in_service(&group);
    group.enter_standby(&all[0], Decrement::Yes).unwrap();
    assert_eq!(ids(&group, &Lifecycle::Standby), [all[0].clone()]);
    assert_eq!(
        (group.current().group.desired, group.next_event()),
        (1, None)
    );
    assert!(
        group.enter_standby(&all[1], Decrement::Yes).is_err(),
        "at the minimum size"
    );
    group.enter_standby(&all[1], Decrement::No).unwrap();
    assert_eq!(ids(&group, &Lifecycle::Pending).len(), 1, "replaced");
    group.exit_standby(&all[0]).unwrap();
    group.exit_standby(&all[1]).unwrap();
    assert_eq!(group.current().group.desired, 3);
    assert!(
        group.exit_standby(&all[1]).is_err(),
        "not in standby any more"
    );
    block_on(group.terminate(&all[0], Decrement::Yes)).unwrap();
    group.enter_standby(&all[1], Decrement::No).unwrap();
    assert!(group.exit_standby(&all[1]).is_ok());
    assert!(
        group.enter_standby(&all[0], Decrement::No).is_err(),
        "terminating"
    );
}

#[test]
fn ending_one_in_standby_lowers_no_capacity_it_is_no_part_of() {
    let group = running(1, 3, 2);
    let id = &in_service(&group)[0];
    group.enter_standby(id, Decrement::Yes).unwrap();
    block_on(group.terminate(id, Decrement::Yes)).unwrap();
    assert_eq!(
        ids(&group, &Lifecycle::Terminating),
        *std::slice::from_ref(id)
    );
    assert_eq!(group.current().group.desired, 1);
}

#[test]
fn time_never_goes_back() {
    let group = running(0, 9, 1);
    group.advance(at(100));
    group.advance(at(50));
    assert_eq!(group.now(), at(100));
    set(&group, 2);
    assert_eq!(group.next_event(), Some(at(160)));
}

#[test]
fn the_same_seed_and_acts_give_the_same_events() {
    let trace = |seed| {
        let config = config(0, 50, 10)
            .with_seed(seed)
            .with_launch_failures(0.2, secs(15))
            .unwrap();
        let group = SimGroup::new(config, at(0));
        let mut events = group.advance(at(50));
        for (now, desired) in [(100, 30), (150, 5), (300, 12)] {
            set(&group, desired);
            events.extend(group.advance(at(now)));
        }
        events
    };
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}
