use futures_executor::block_on;

use super::*;
use crate::{
    Breach, Effect, Finding, Group, Instance, InstanceId, Lifecycle, Plan, Severity,
    controller::Applied,
    observe::{MockFleetObserver, Observation},
    policy::MinIdle,
    port::{
        Decrement, MockDrainClient, MockGroupControl, MockMemoryStore, PortError, PortErrorKind,
        Presence, Told,
    },
    retirement::{Act, Retirement},
};

/// Asks for more than the group may have, and to retire one of which nothing is known.
fn decide_badly(
    policy: &dyn Policy,
    limits: &Limits,
    snapshot: &FleetSnapshot,
    now: Timestamp,
    memory: Memory,
) -> Decision {
    let mut decision = decide(policy, limits, snapshot, now, memory);
    let id = snapshot.instances()[0].id.clone();
    decision.plan = Plan {
        effects: vec![
            Effect::SetCapacity { to: 99 },
            Effect::Retire { id, replace: false },
        ],
    };
    decision
}

fn observer() -> MockFleetObserver {
    let mut observer = MockFleetObserver::new();
    observer.expect_observe().returning(|_| {
        let row = Instance::new("i-1".parse().unwrap(), Lifecycle::InService);
        let snapshot = FleetSnapshot::new(Group::new(0, 4, 1), vec![row]);
        Ok(Observation::new(snapshot))
    });
    observer
}

/// Compiles only if a controller can be kept by a task that may move between threads.
#[test]
fn what_it_does_can_be_spawned() {
    fn spawn(_: impl Future<Output = ()> + Send + 'static) {}
    let policy = MinIdle::new(1).unwrap();
    let mut controller = Controller::new(
        policy,
        Limits::default(),
        MockFleetObserver::new(),
        MockGroupControl::new(),
    );
    spawn(async move {
        let now = Timestamp::from_secs(0);
        let _ = controller.tick(now).await;
        controller.run(futures_util::stream::empty(), drop).await;
        let _ = controller.resign().await;
    });
}

#[test]
fn a_plan_that_breaks_a_rule_is_not_applied_and_leaves_nothing_behind() {
    let observer = observer();
    let mut store = MockMemoryStore::new();
    store.expect_load().times(1).returning(|| Ok(None));
    // No call is expected of the control, and no save of the store: each would panic.
    let policy = MinIdle::new(1).unwrap();
    let control = MockGroupControl::new();
    let mut controller =
        Controller::new(policy, Limits::default(), observer, control).with_memory(store);
    controller.decide = decide_badly;
    for secs in [0, 10] {
        let now = Timestamp::from_secs(secs);
        let report = block_on(controller.tick(now)).unwrap();
        assert!(report.breaches.iter().any(Breach::is_fatal));
        let became = report.effects.iter().map(|(_, became)| *became);
        assert!(became.eq([Applied::Skipped, Applied::Skipped]));
        assert!(report.to_string().contains("refused"), "{report}");
        let memory = controller.memory().unwrap();
        assert!(memory.retirements().is_empty());
        assert_eq!(memory.desired_set, None);
    }
}

#[test]
fn what_the_listing_lacks_is_in_the_report() {
    let lacks = Finding::new(Severity::Warning, "no launch times", "look");
    let seen = lacks.clone();
    let mut observer = MockFleetObserver::new();
    observer.expect_observe().returning(move |_| {
        let mut seen_all = Observation::new(FleetSnapshot::new(Group::new(0, 4, 0), vec![]));
        seen_all.findings.push(seen.clone());
        Ok(seen_all)
    });
    let policy = MinIdle::new(1).unwrap();
    let control = MockGroupControl::new();
    let mut controller =
        Controller::new(policy, Limits::default(), observer, control).with_dry_run(true);
    let report = block_on(controller.tick(Timestamp::from_secs(0))).unwrap();
    assert_eq!(report.findings, [lacks]);
    assert!(report.to_string().contains("no launch times"), "{report}");
}

#[test]
fn a_capacity_that_was_not_set_allows_no_decrement() {
    let at = Timestamp::from_secs;
    let limits = Limits::default();
    let mut gone = Retirement::new(at(0), false);
    gone.told(Told::Yes, at(0));
    for secs in [0, 40, 80, 120] {
        gone.looked(Presence::BothRefuse, at(secs), &limits);
    }
    let mut memory = Memory::default();
    memory.last_tick = Some(at(120));
    memory.retirements.insert("i-1".parse().unwrap(), gone);
    let mut store = MockMemoryStore::new();
    store
        .expect_load()
        .returning(move || Ok(Some(memory.clone())));
    store.expect_save().returning(|_| Ok(()));
    let mut drain = MockDrainClient::new();
    drain.expect_look().returning(|_| Presence::BothRefuse);
    let mut control = MockGroupControl::new();
    control
        .expect_terminate()
        .times(1)
        .withf(|_, decrement| *decrement == Decrement::No)
        .returning(|_, _| Ok(()));
    let policy = MinIdle::new(1).unwrap();
    let mut controller = Controller::new(policy, limits, observer(), control)
        .with_drain(drain)
        .with_memory(store);
    controller.decide = decide_badly;
    let report = block_on(controller.tick(at(130))).unwrap();
    assert_eq!(report.progress.len(), 1, "{report}");
}

/// What one remembers who retires it, and has ticked at second 120.
fn retiring(id: &InstanceId) -> Memory {
    let at = Timestamp::from_secs;
    let mut memory = Memory::default();
    memory.last_tick = Some(at(120));
    memory
        .retirements
        .insert(id.clone(), Retirement::new(at(0), false));
    memory
}

fn deciding_badly(store: MockMemoryStore, drain: MockDrainClient) -> Controller {
    let policy = MinIdle::new(1).unwrap();
    let mut controller = Controller::new(
        policy,
        Limits::default(),
        observer(),
        MockGroupControl::new(),
    )
    .with_drain(drain)
    .with_memory(store);
    controller.decide = decide_badly;
    controller
}

/// Nothing of the plan is saved, but what was under way goes on.
#[test]
fn who_is_told_is_written_down_before_also_where_the_plan_is_refused() {
    let (at, id) = (Timestamp::from_secs, "i-1".parse::<InstanceId>().unwrap());
    let memory = retiring(&id);
    let (mut store, mut drain) = (MockMemoryStore::new(), MockDrainClient::new());
    let mut order = mockall::Sequence::new();
    store
        .expect_load()
        .returning(move || Ok(Some(memory.clone())));
    store
        .expect_save()
        .times(1)
        .in_sequence(&mut order)
        .withf(move |saved| {
            let next = saved.retirements[&id].next(at(131), &Limits::default());
            next == Act::Wait
        })
        .returning(|_| Ok(()));
    drain
        .expect_tell()
        .times(1)
        .in_sequence(&mut order)
        .returning(|_| Told::Unknown);
    let mut controller = deciding_badly(store, drain);
    let _ = block_on(controller.tick(at(130))).unwrap();
}

#[test]
fn who_cannot_be_written_down_is_not_told_where_the_plan_is_refused() {
    let (at, id) = (Timestamp::from_secs, "i-1".parse::<InstanceId>().unwrap());
    let memory = retiring(&id);
    let mut store = MockMemoryStore::new();
    store
        .expect_load()
        .returning(move || Ok(Some(memory.clone())));
    store
        .expect_save()
        .returning(|_| Err(PortError::new(PortErrorKind::Transient, "save")));
    // It panics when it is called.
    let mut controller = deciding_badly(store, MockDrainClient::new());
    let _ = block_on(controller.tick(at(130))).unwrap();
    let next = controller.memory().unwrap().retirements[&id].next(at(131), &Limits::default());
    assert_eq!(next, Act::Tell, "the next tick may");
}
