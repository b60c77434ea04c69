//! Launches that fail, listings that lag, calls that fail.

use super::*;

#[test]
fn failed_launches_are_tried_again_and_the_desired_capacity_stays() {
    let config = config(0, 9, 0).with_launch_failures(1.0, secs(20)).unwrap();
    let group = group(config);
    set(&group, 2);
    assert_eq!(
        kinds(group.advance(at(0))),
        [SimEventKind::LaunchFailed, SimEventKind::LaunchFailed]
    );
    let events = group.advance(at(40));
    let times: Vec<_> = events.iter().map(|event| event.at).collect();
    assert_eq!(times, [at(20), at(20), at(40), at(40)]);
    assert_eq!(group.current().group.desired, 2);
    set(&group, 1);
    assert_eq!(group.advance(at(60)).len(), 1, "one is no longer wanted");
    set(&group, 0);
    assert_eq!(group.next_event(), None);
}

#[test]
fn some_launches_fail_with_a_probability_and_the_group_gets_there() {
    let config = config(0, 100, 100)
        .with_launch_failures(0.3, secs(20))
        .unwrap();
    let group = SimGroup::new(config, at(0));
    let events = group.advance(at(3600));
    let failed = events
        .iter()
        .filter(|event| event.kind == SimEventKind::LaunchFailed);
    let failed = failed.count();
    assert!((15..90).contains(&failed), "{failed}");
    assert_eq!(in_service(&group).len(), 100);
}

#[test]
fn an_outage_fails_every_launch_in_its_time_only() {
    let config = config(0, 9, 0)
        .with_launch_outage(at(10), at(130))
        .with_launch_failures(0.0, secs(60))
        .unwrap();
    let group = group(config);
    set(&group, 1);
    group.advance(at(10));
    assert_eq!(ids(&group, &Lifecycle::Pending).len(), 1);
    set(&group, 2);
    let events = group.advance(at(1000));
    let failed = |event: &&SimEvent| event.kind == SimEventKind::LaunchFailed;
    let times: Vec<_> = events.iter().filter(failed).map(|event| event.at).collect();
    assert_eq!(times, [at(10), at(70)]);
    assert_eq!(in_service(&group).len(), 2);
}

#[test]
fn a_failed_launch_leaves_the_delays_of_the_others_as_they_are() {
    let delays = |outage: bool| {
        let mut config = config(0, 9, 0);
        if outage {
            config = config.with_launch_outage(at(0), at(1));
        }
        let group = SimGroup::new(config, at(0));
        set(&group, 1);
        group.advance(at(500));
        block_on(group.set_capacity(2)).unwrap();
        let events = group.advance(at(1000));
        events.last().unwrap().at.since(at(500))
    };
    let first = Draws::new(0);
    let range = secs(60)..=secs(120);
    let nth = |n| first.within(Purpose::LaunchDelay, n, &range);
    assert_eq!((delays(false), delays(true)), (nth(1), nth(2)));
}

#[test]
fn a_lagging_listing_shows_what_was() {
    let config = config(0, 9, 1).with_start_in_service(true);
    let group = group(config.with_listing_lag(secs(10)));
    let listed = || block_on(group.list()).unwrap();
    group.advance(at(100));
    let before = group.current();
    set(&group, 2);
    assert_eq!(listed(), before);
    group.advance(at(109));
    assert_eq!(listed(), before);
    group.advance(at(110));
    assert_eq!((listed().group.desired, listed().instances.len()), (2, 2));
    assert_eq!(listed(), group.current());
    group.advance(at(169));
    assert_eq!(listed().instances[1].lifecycle, Lifecycle::Pending);
    assert_eq!(group.current().instances[1].lifecycle, Lifecycle::InService);
    group.advance(at(170));
    assert_eq!(listed().instances[1].lifecycle, Lifecycle::InService);
}

#[test]
fn launch_times_are_listed_only_where_asked_for() {
    let listed = |config: SimGroupConfig| {
        let group = SimGroup::new(config, at(7));
        group.current().instances[0].launched_at
    };
    assert_eq!(listed(config(0, 1, 1)), None);
    assert_eq!(
        listed(config(0, 1, 1).with_launch_times_listed(true)),
        Some(at(7))
    );
}

#[test]
fn set_faults_hit_their_operation_in_order_and_once() {
    let group = running(0, 9, 1);
    group.fail_next(SimOperation::SetCapacity, PortErrorKind::Throttled);
    group.lose_next_answer(SimOperation::SetCapacity);
    group.fail_next(SimOperation::List, PortErrorKind::Permanent);
    let error = block_on(group.set_capacity(2)).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Throttled);
    assert_eq!(group.current().group.desired, 1, "nothing was done");
    let error = block_on(group.set_capacity(3)).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Transient);
    assert_eq!(
        group.current().group.desired,
        3,
        "done, but the answer was lost"
    );
    assert!(block_on(group.set_capacity(4)).is_ok());
    assert!(block_on(group.list()).is_err());
    assert!(block_on(group.list()).is_ok());
    assert!(block_on(group.protect(&in_service(&group))).is_ok());
}

#[test]
fn a_deleted_group_is_a_permanent_error() {
    let group = running(1, 9, 2);
    let all = in_service(&group);
    group.delete();
    let errors = [
        block_on(group.list()).map(drop).unwrap_err(),
        block_on(group.protect(&all)).unwrap_err(),
        block_on(group.set_capacity(2)).unwrap_err(),
    ];
    assert!(
        errors
            .iter()
            .all(|error| error.kind() == PortErrorKind::Permanent)
    );
    assert!(block_on(group.terminate(&all[0], Decrement::Yes)).is_ok());
    group.advance(at(100));
    assert_eq!(group.current().instances, []);
}

#[test]
fn a_zone_without_capacity_is_passed_over_and_taken_again_later() {
    let config = config(0, 9, 0)
        .with_zone_shortage("sim-1a", at(0), at(100))
        .with_zone_shortage("sim-1b", at(50), at(60));
    let group = group(config.with_launch_failures(0.0, secs(20)).unwrap());
    let zones = |events: Vec<SimEvent>| {
        let zone = |event: SimEvent| match event.kind {
            SimEventKind::Launched { zone, .. } => Some(zone.as_str().to_owned()),
            SimEventKind::LaunchFailed => Some("none".to_owned()),
            _ => None,
        };
        events.into_iter().filter_map(zone).collect::<Vec<_>>()
    };
    set(&group, 2);
    assert_eq!(zones(group.advance(at(50))), ["sim-1b", "sim-1b"]);
    set(&group, 3);
    assert_eq!(zones(group.advance(at(69))), ["none"], "both are short");
    assert_eq!(
        zones(group.advance(at(99))),
        ["sim-1b"],
        "it is tried again"
    );
    group.advance(at(100));
    set(&group, 5);
    assert_eq!(zones(group.advance(at(100))), ["sim-1a", "sim-1a"]);
}
