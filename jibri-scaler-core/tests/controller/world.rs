//! A group in memory with Jibris on its instances, on one virtual time.

use std::{future::pending, sync::Arc, time::Duration};

use futures_executor::block_on;
use jibri_scaler_core::{
    Controller, InstanceId, Lifecycle, Limits, Memory, Timestamp,
    controller::{Progress, TickReport},
    observe::JoinedObserver,
    policy::MinIdle,
    port::{KeptMemory, MemoryStore as _},
    retirement::{Phase, Retirement},
    sim::{SimEvent, SimEventKind, SimGroup, SimGroupConfig, TerminationCause},
};

use crate::jibris::{BOOT, Jibris};

pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Idle and hold for one minute, reports good for 45 s, gone after as long of refusals, five minutes to boot or to be told.
pub(crate) fn limits() -> Limits {
    Limits::default()
        .with_idle_timeout(secs(60))
        .and_then(|limits| limits.with_gone_after(secs(45)))
        .and_then(|limits| limits.with_boot_deadline(secs(300)))
        .unwrap()
}

/// What a controller remembers that has seen nothing yet, and knows that it has done nothing.
pub(crate) fn remembered(now: Timestamp) -> Memory {
    let text = format!(
        r#"{{"version": 1, "last_tick": "{now}", "window": {{"since": "{now}", "lows": []}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

pub(crate) struct World {
    pub(crate) group: Arc<SimGroup>,
    pub(crate) jibris: Arc<Jibris>,
    pub(crate) store: Arc<KeptMemory>,
    pub(crate) now: Timestamp,
    /// Everything that the group did.
    pub(crate) events: Vec<SimEvent>,
}

impl World {
    pub(crate) fn new(config: SimGroupConfig) -> Self {
        let now = at(0);
        let mut world = Self {
            group: Arc::new(SimGroup::new(config, now)),
            jibris: Arc::new(Jibris::new(now)),
            store: Arc::default(),
            now,
            events: Vec::new(),
        };
        world.settle();
        world
    }

    /// A group that has so many instances in service whose Jibris have booted, with these bounds.
    pub(crate) fn running(min_size: u32, max_size: u32, desired: u32) -> Self {
        let config = SimGroupConfig::new(min_size, max_size, desired).unwrap();
        let mut world = Self::new(config.with_start_in_service(true));
        world.advance(BOOT);
        // Its controller has not begun just now, so that it knows whom it has told.
        block_on(world.store.save(&remembered(world.now))).unwrap();
        world
    }

    pub(crate) fn observer(&self) -> JoinedObserver {
        let (group, jibris) = (Arc::clone(&self.group), Arc::clone(&self.jibris));
        JoinedObserver::new(group, jibris, || Box::pin(pending()))
            .with_drain(Arc::clone(&self.jibris))
    }

    /// A controller that wants so many idle ones and keeps its memory in the store of this world.
    pub(crate) fn controller(&self, min_idle: u32) -> Controller {
        let policy = MinIdle::new(min_idle).unwrap();
        Controller::new(policy, limits(), self.observer(), Arc::clone(&self.group))
            .with_drain(Arc::clone(&self.jibris))
            .with_memory(Arc::clone(&self.store))
            .with_interval(INTERVAL)
            .unwrap()
    }

    /// Lets time go on, event by event.
    pub(crate) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        loop {
            let next = self.group.next_event().filter(|next| *next <= end);
            let now = next.unwrap_or(end);
            self.now = now;
            self.jibris.advance(now);
            self.settle();
            if next.is_none() {
                return;
            }
        }
    }

    /// Lets the machines follow what the group did.
    pub(crate) fn settle(&mut self) {
        for event in self.group.advance(self.now) {
            if let SimEventKind::InService { id } = &event.kind {
                self.jibris.boot(id, event.at + BOOT);
            }
            // Held by a hook or retained, it runs on.
            if let Some(id) = event.kind.id()
                && !self.group.is_running(id)
            {
                self.jibris.end_machine(id);
            }
            self.events.push(event);
        }
    }

    /// One tick, and the interval after it.
    pub(crate) fn step(&mut self, controller: &mut Controller) -> TickReport {
        let report = block_on(controller.tick(self.now)).unwrap();
        assert_eq!(report.breaches, [], "{report}");
        for progress in &report.progress {
            assert!(is_one_phase(progress), "{report}");
        }
        self.settle();
        self.advance(INTERVAL);
        report
    }

    /// So many ticks.
    pub(crate) fn steps(&mut self, controller: &mut Controller, ticks: u32) {
        for _ in 0..ticks {
            let _ = self.step(controller);
        }
    }

    /// Ticks until this holds after one, for an hour at most. Returns what it found.
    pub(crate) fn until<T>(
        &mut self,
        controller: &mut Controller,
        mut found: impl FnMut(&Self, &Controller, &TickReport) -> Option<T>,
    ) -> T {
        for _ in 0..360 {
            let report = self.step(controller);
            if let Some(found) = found(self, controller, &report) {
                return found;
            }
        }
        panic!("it did not happen in an hour: {:?}", controller.memory());
    }

    /// Ticks until a retirement begins, and returns whose.
    pub(crate) fn until_one_is_told(&mut self, controller: &mut Controller) -> InstanceId {
        self.until(controller, |_, controller, _| {
            let told = |(id, r): (&InstanceId, &Retirement)| {
                (r.phase() == Phase::Told).then(|| id.clone())
            };
            controller.memory()?.retirements().iter().find_map(told)
        })
    }

    /// Ticks until the retirement of this one has come so far.
    pub(crate) fn until_phase(&mut self, controller: &mut Controller, id: &InstanceId, to: Phase) {
        self.until(controller, |_, controller, _| {
            (phase(controller, id) == Some(to)).then_some(())
        });
    }

    pub(crate) fn in_service(&self) -> Vec<InstanceId> {
        let rows = self.group.current().instances.into_iter();
        rows.filter(|row| row.lifecycle == Lifecycle::InService)
            .map(|row| row.id)
            .collect()
    }

    pub(crate) fn is_in_service(&self, id: &InstanceId) -> bool {
        self.in_service().contains(id)
    }

    pub(crate) fn desired(&self) -> u32 {
        self.group.current().group.desired
    }

    /// The instances that went, and why.
    pub(crate) fn gone(&self) -> Vec<(InstanceId, TerminationCause)> {
        let gone = |event: &SimEvent| match &event.kind {
            SimEventKind::Terminating { id, why } => Some((id.clone(), *why)),
            _ => None,
        };
        self.events.iter().filter_map(gone).collect()
    }

    pub(crate) fn lost(&self) -> Vec<InstanceId> {
        self.jibris.tally(|tally| tally.lost.clone())
    }

    pub(crate) fn saved(&self) -> Option<Memory> {
        block_on(self.store.load()).unwrap()
    }
}

pub(crate) fn phase(controller: &Controller, id: &InstanceId) -> Option<Phase> {
    let retirement = controller.memory()?.retirements().get(id)?;
    Some(retirement.phase())
}

/// Whether there is such an arrow in the table of the protocol.
fn is_one_phase(progress: &Progress) -> bool {
    use Phase::{Finishing, GivenUp, Gone, Released, Requested, Told};
    matches!(
        (progress.from, progress.to),
        (Requested, Told | GivenUp)
            | (Told, Finishing | Gone | Requested | GivenUp)
            | (Finishing, Gone | Requested | GivenUp)
            | (Gone, Released | Requested | GivenUp)
            | (Released, Gone)
    )
}
