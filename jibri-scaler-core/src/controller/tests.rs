use futures_executor::block_on;

use super::*;
use crate::{
    Effect, Group, Instance, Lifecycle, Plan,
    controller::Applied,
    observe::{MockFleetObserver, Observation},
    policy::MinIdle,
    port::{MockGroupControl, MockMemoryStore},
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

#[test]
fn a_plan_that_breaks_a_rule_is_not_applied_and_leaves_nothing_behind() {
    let mut observer = MockFleetObserver::new();
    observer.expect_observe().returning(|_| {
        let row = Instance::new("i-1".parse().unwrap(), Lifecycle::InService);
        let snapshot = FleetSnapshot::new(Group::new(0, 4, 1), vec![row]);
        Ok(Observation::new(snapshot))
    });
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
