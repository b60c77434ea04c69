//! Answers and ticks in time, whatever the controller does.

use std::{future::pending, pin::pin, sync::Mutex};

use async_trait::async_trait;
use jibri_scaler_core::{
    Controller, Group, Instance, Lifecycle, Limits,
    observe::JoinedObserver,
    policy::MinIdle,
    port::{
        Decrement, GroupControl, GroupListing, HealthProbe, Listing, PortError, ProbeOutcome,
        Target,
    },
    wake::promptly,
};
use tokio::time::sleep;

use super::*;

/// A group of i-1 whose listing, after the first, hangs where it is to.
#[derive(Clone, Default)]
struct Grouped {
    hangs: bool,
    listed: Arc<Mutex<u32>>,
}

#[async_trait]
impl GroupListing for Grouped {
    async fn list(&self) -> Result<Listing, PortError> {
        let before = {
            let mut listed = self.listed.lock().unwrap();
            *listed += 1;
            *listed - 1
        };
        if self.hangs && before > 0 {
            pending::<()>().await;
        }
        let row = Instance::new(id("i-1"), Lifecycle::InService);
        Ok(Listing::new(Group::new(0, 9, 1), vec![row]))
    }
}

#[async_trait]
impl GroupControl for Grouped {
    async fn protect(&self, _: &[InstanceId]) -> Result<(), PortError> {
        Ok(())
    }

    async fn set_capacity(&self, _: u32) -> Result<(), PortError> {
        Ok(())
    }

    async fn terminate(&self, _: &InstanceId, _: Decrement) -> Result<(), PortError> {
        Ok(())
    }

    async fn complete_termination(&self, _: &InstanceId) -> Result<(), PortError> {
        Ok(())
    }
}

struct Silent;

#[async_trait]
impl HealthProbe for Silent {
    async fn probe(&self, _: &Target) -> ProbeOutcome {
        ProbeOutcome::TimedOut
    }
}

/// A controller of that group that hears what the receiver takes in.
fn controller(world: &World, group: &Grouped) -> Controller {
    let limits = Limits::default();
    let observer = JoinedObserver::new(group.clone(), Silent, || {
        Box::pin(sleep(Duration::from_secs(1)))
    })
    .with_agents(Arc::clone(&world.reports), limits.report_ttl());
    Controller::new(MinIdle::new(0).unwrap(), limits, observer, group.clone())
}

#[tokio::test]
async fn it_answers_while_the_controller_hangs() {
    let world = World::new();
    let group = Grouped {
        hangs: true,
        ..Grouped::default()
    };
    let mut controller = controller(&world, &group);
    let _first = controller.tick(Timestamp::from_secs(0)).await.unwrap();
    let mut stuck = pin!(controller.tick(Timestamp::from_secs(10)));
    assert!(stuck.as_mut().now_or_never().is_none());
    assert_eq!(*group.listed.lock().unwrap(), 2);
    for busy in ["BUSY", "IDLE"] {
        let body = status("i-1", busy, Some("1"));
        let answer = world.post(SHARED, STATUS, &body).now_or_never();
        assert_eq!(answer.expect("it waits for nothing"), 200);
        assert_eq!(world.agent("i-1").as_deref(), Some(busy));
    }
    assert!(stuck.now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_report_is_acted_on_at_once_and_many_are_one_tick() {
    let world = World::new();
    let group = Grouped::default();
    let mut controller = controller(&world, &group);
    let started = tokio::time::Instant::now();
    let now = move || Timestamp::from_secs(0) + started.elapsed();
    let every_10_s = futures_util::stream::unfold(0, move |round| async move {
        tokio::time::sleep_until(started + Duration::from_secs(10 * round)).await;
        Some((now(), round + 1))
    });
    let stop = Box::pin(sleep(Duration::from_secs(31)));
    let ticks = promptly(every_10_s, world.reports.wakes(), now, || {
        sleep(Duration::from_secs(2))
    });
    let ticks = ticks.take_until(stop);
    let mut seen = Vec::new();
    let run = controller.run(ticks, |report| {
        let report = report.unwrap();
        seen.push((started.elapsed().as_millis(), report.decision.tally.busy));
    });
    let pushes = async {
        sleep(Duration::from_secs(4)).await;
        for _ in 0..50 {
            let busy = status("i-1", "BUSY", Some("1"));
            assert_eq!(world.post(SHARED, STATUS, &busy).await, 200);
        }
        // The next news come within the distance.
        sleep(Duration::from_millis(500)).await;
        assert_eq!(
            world.post(SHARED, SESSION, &session("i-1", "ON")).await,
            200
        );
        assert_eq!(
            world.post(SHARED, SESSION, &session("i-1", "ON")).await,
            200
        );
    };
    tokio::join!(run, pushes);
    // (The clock stands still but for timers.)
    let at: Vec<_> = seen.iter().map(|(at, _)| at / 100).collect();
    assert_eq!(at, [0, 40, 60, 100, 200, 300]);
    assert_eq!(
        seen.iter().map(|(_, busy)| *busy).collect::<Vec<_>>()[..4],
        [0, 1, 1, 1]
    );
}
