use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use futures_util::task::noop_waker;
use jibri_scaler_core::{
    Controller, InstanceId, Memory,
    observe::JoinedObserver,
    policy::MinIdle,
    port::{
        Decrement, DrainClient, GroupControl, GroupListing, HealthProbe, Listing, MemoryStore,
        PortError, Presence, ProbeOutcome, Target, Told,
    },
};

use crate::world::{INTERVAL, World, limits, secs};

/// Every call waits once before it acts and once after.
pub(crate) struct Hesitant<T>(Arc<T>);

impl<T> Clone for Hesitant<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Gives way once, and asks to be polled again.
async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if gave_way {
            return Poll::Ready(());
        }
        gave_way = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

macro_rules! hesitantly {
    ($call:expr) => {{
        give_way().await;
        let outcome = $call.await;
        give_way().await;
        outcome
    }};
}

#[async_trait]
impl<T: GroupListing> GroupListing for Hesitant<T> {
    async fn list(&self) -> Result<Listing, PortError> {
        hesitantly!(self.0.list())
    }
}

#[async_trait]
impl<T: GroupControl> GroupControl for Hesitant<T> {
    async fn protect(&self, ids: &[InstanceId]) -> Result<(), PortError> {
        hesitantly!(self.0.protect(ids))
    }

    async fn set_capacity(&self, desired: u32) -> Result<(), PortError> {
        hesitantly!(self.0.set_capacity(desired))
    }

    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
        hesitantly!(self.0.terminate(id, decrement))
    }

    async fn complete_termination(&self, id: &InstanceId) -> Result<(), PortError> {
        hesitantly!(self.0.complete_termination(id))
    }
}

#[async_trait]
impl<T: HealthProbe> HealthProbe for Hesitant<T> {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        hesitantly!(self.0.probe(target))
    }
}

#[async_trait]
impl<T: DrainClient> DrainClient for Hesitant<T> {
    async fn is_reachable(&self, target: &Target) -> bool {
        hesitantly!(self.0.is_reachable(target))
    }

    async fn tell(&self, target: &Target) -> Told {
        hesitantly!(self.0.tell(target))
    }

    async fn look(&self, target: &Target) -> Presence {
        hesitantly!(self.0.look(target))
    }
}

#[async_trait]
impl<T: MemoryStore> MemoryStore for Hesitant<T> {
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        hesitantly!(self.0.load())
    }

    async fn save(&self, memory: &Memory) -> Result<(), PortError> {
        hesitantly!(self.0.save(memory))
    }
}

impl Hesitant<()> {
    /// A controller of this world, all of whose ports hesitate.
    pub(crate) fn controller(world: &World, min_idle: u32) -> Controller {
        let (group, jibris) = (Arc::clone(&world.group), Arc::clone(&world.jibris));
        let (group, jibris) = (Hesitant(group), Hesitant(jibris));
        let deadline = || Box::pin(std::future::pending()) as std::pin::Pin<Box<_>>;
        let observer = JoinedObserver::new(group.clone(), jibris.clone(), deadline);
        let policy = MinIdle::new(min_idle).unwrap();
        Controller::new(policy, limits(), observer.with_drain(jibris.clone()), group)
            .with_drain(jibris)
            .with_memory(Hesitant(Arc::clone(&world.store)))
    }
}

/// Ticks once, and drops the tick after so many polls, if it takes so many. Returns whether it was dropped.
pub(crate) fn tick_dropped_after(world: &World, controller: &mut Controller, polls: usize) -> bool {
    let waker = noop_waker();
    let mut context = Context::from_waker(&waker);
    let mut tick = pin!(controller.tick(world.now));
    let pending = |_| tick.as_mut().poll(&mut context).is_pending();
    (0..polls).all(pending)
}

#[test]
fn a_tick_dropped_at_any_await_forgets_no_retirement_and_loses_no_recording() {
    // A tick that does everything awaits fewer times than this.
    let mut longest = 0;
    for polls in 1..24 {
        let mut world = World::running(0, 9, 5);
        let mut controller = Hesitant::controller(&world, 2);
        for tick in 0..90 {
            if tick % 9 == 8 {
                world.jibris.record(tick, secs(90));
            }
            // Every second tick is dropped; the retirements must go on all the same.
            let polls = if tick % 2 == 0 { polls } else { 1000 };
            let before: Vec<_> = known(&controller);
            let dropped = tick_dropped_after(&world, &mut controller, polls);
            assert!(!dropped || polls < 1000);
            if dropped {
                longest = longest.max(polls);
                let listed = world.in_service();
                let forgotten =
                    |id: &&InstanceId| !known(&controller).contains(id) && listed.contains(id);
                assert_eq!(before.iter().find(forgotten), None, "after {polls} polls");
            }
            world.advance(INTERVAL);
            assert_eq!(world.lost(), [], "after {polls} polls");
        }
        assert!(
            world.desired() < 5,
            "it came down, with each second tick dropped after {polls} polls"
        );
    }
    assert!((15..23).contains(&longest), "{longest} polls were not all");
}

pub(crate) fn known(controller: &Controller) -> Vec<InstanceId> {
    let memory = controller.memory();
    memory.map_or_else(Vec::new, |memory| {
        memory.retirements().keys().cloned().collect()
    })
}
