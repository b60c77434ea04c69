//! A run in which everything happens that is to be seen.

use std::sync::atomic::{AtomicU64, Ordering};
use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_executor::block_on;
use jibri_scaler_core::{
    Controller, InstanceId, PolicyFile, Timestamp,
    observe::{FleetObserver, JoinedObserver, Observation},
    operator::OperatorCommand,
    port::{PortError, PortErrorKind, ProbeOutcome},
    retirement::Phase,
    sim::SimOperation,
};

use crate::world::{INTERVAL, World, limits, secs};

/// What must not be seen by anybody: part of an address, say.
pub(crate) const SECRET: &str = "hunter2";

const POLICY: &str = "min_idle = 3\nrefuse_at_most = '1%'\ntime_zone = 'UTC'";

/// Counts one refused recording in each tick, and one Jibri that could not be reached.
struct Observer {
    inner: JoinedObserver,
    lost: InstanceId,
}

#[async_trait]
impl FleetObserver for Observer {
    async fn observe(&self, now: Timestamp) -> Result<Observation, PortError> {
        let mut seen = self.inner.observe(now).await?;
        seen.snapshot = seen.snapshot.with_refused(1);
        let how = format!("http://user:{SECRET}@10.0.0.1");
        seen.failures
            .insert(self.lost.clone(), ProbeOutcome::Unreachable(how));
        Ok(seen)
    }
}

/// Grows, is paused and resumed, retires by hand, keeps, is throttled, and can't list the group once. Returns how many ticks it took.
pub(crate) fn play() -> u32 {
    let mut world = World::running(0, 9, 1);
    let observer = Observer {
        inner: world.observer(),
        lost: world.in_service()[0].clone(),
    };
    let file = PolicyFile::from_toml(POLICY).unwrap();
    let passed = Arc::new(AtomicU64::new(0));
    let stopwatch = move || Duration::from_millis(passed.fetch_add(250, Ordering::Relaxed));
    let group = Arc::clone(&world.group);
    let mut controller = Controller::new(file.policy(), limits(), observer, group)
        .with_drain(Arc::clone(&world.jibris))
        .with_memory(Arc::clone(&world.store))
        .with_group_name("recorders")
        .with_interval(INTERVAL)
        .unwrap()
        .with_stopwatch(stopwatch);
    let mut ticks = 0;
    let mut steps = |world: &mut World, controller: &mut Controller, count| {
        world.steps(controller, count);
        ticks += count;
    };
    let say = |world: &World, controller: &mut Controller, json: &str| {
        let until = world.now + secs(120);
        let json = json.replace("UNTIL", &until.to_string());
        let command: OperatorCommand = serde_json::from_str(&json).unwrap();
        block_on(controller.command(&command, world.now))
    };

    let pause = r#"{"kind":"pause","direction":"growing","until":"UNTIL","reason":"the subnet"}"#;
    say(&world, &mut controller, pause).unwrap();
    steps(&mut world, &mut controller, 2);
    say(
        &world,
        &mut controller,
        r#"{"kind":"resume","direction":"both"}"#,
    )
    .unwrap();
    world
        .group
        .fail_next(SimOperation::SetCapacity, PortErrorKind::Throttled);
    steps(&mut world, &mut controller, 20);
    let id = world.in_service()[0].clone();
    let other = world.in_service()[1].clone();
    let keep = format!(r#"{{"kind":"keep","id":"{other}","until":"UNTIL","reason":"its disk"}}"#);
    say(&world, &mut controller, &keep).unwrap();
    let retire = format!(r#"{{"kind":"retire","id":"{other}","reason":"no sound"}}"#);
    say(&world, &mut controller, &retire).unwrap_err();
    say(
        &world,
        &mut controller,
        &retire.replace(other.as_str(), id.as_str()),
    )
    .unwrap();
    for _ in 0..20 {
        steps(&mut world, &mut controller, 1);
    }
    world
        .group
        .fail_next(SimOperation::List, PortErrorKind::Transient);
    block_on(controller.tick(world.now)).unwrap_err();
    let other = PolicyFile::from_toml("min_idle = 1").unwrap();
    controller.replace_policy(other.policy(), limits()).unwrap();
    steps(&mut world, &mut controller, 3);
    // Everything that the group began has come to an end.
    assert!(!world.is_in_service(&id));
    let memory = controller.memory().unwrap();
    assert!(
        memory
            .retirements()
            .values()
            .all(|r| r.phase() != Phase::GivenUp)
    );
    ticks + 1
}
