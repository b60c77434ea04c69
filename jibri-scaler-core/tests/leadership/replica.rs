//! One of the replicas: the process that runs now, and what it is at.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use jibri_scaler_core::{
    Controller, Timestamp,
    controller::{TickError, TickReport},
    observe::JoinedObserver,
    policy::MinIdle,
    port::Leadership as _,
};

use crate::{
    chance::Chance,
    ports::Far,
    process::{Process, Saves, Table},
    time::Time,
    world::{INTERVAL, World, limits, secs},
};

/// How many idle ones are wanted.
pub(crate) const MIN_IDLE: u32 = 2;

type Ticked = (Box<Controller>, Result<TickReport, TickError>);

enum Doing {
    Waits(Box<Controller>),
    Ticks(Pin<Box<dyn Future<Output = Ticked>>>),
    Resigns(Pin<Box<dyn Future<Output = ()>>>),
    /// There is no process.
    Nothing,
}

pub(crate) struct Replica {
    name: &'static str,
    /// How many processes there were before.
    generation: u32,
    pub(crate) process: Arc<Process>,
    doing: Doing,
    /// When it ticks next, or starts.
    next: Timestamp,
    /// By how many seconds its time of day is wrong.
    skew: i64,
    /// Until when it does not go on, and whether it led when it was frozen.
    frozen: Option<(Timestamp, bool)>,
}

impl Replica {
    pub(crate) fn new(
        name: &'static str,
        world: &World,
        time: &Arc<Time>,
        table: &(Arc<Table>, Arc<Saves>),
        chance: &mut Chance,
    ) -> Self {
        // Seconds to minutes, either way.
        let most = [3, 40, 600][usize::try_from(chance.below(3)).unwrap()];
        let skew =
            i64::try_from(chance.below(2 * most + 1)).unwrap() - i64::try_from(most).unwrap();
        let mut replica = Self {
            name,
            generation: 0,
            process: process(name, 0, time, table, chance),
            doing: Doing::Nothing,
            next: world.now + secs(chance.below(10)),
            skew,
            frozen: None,
        };
        replica.doing = Doing::Waits(replica.controller(world, time));
        replica
    }

    /// Starts a new process, where there is none and it is time. Returns the one before it.
    pub(crate) fn start(
        &mut self,
        world: &World,
        time: &Arc<Time>,
        table: &(Arc<Table>, Arc<Saves>),
        chance: &mut Chance,
    ) -> Option<Arc<Process>> {
        if self.is_there() || self.next > world.now {
            return None;
        }
        self.generation += 1;
        let process = process(self.name, self.generation, time, table, chance);
        let before = mem::replace(&mut self.process, process);
        self.doing = Doing::Waits(self.controller(world, time));
        Some(before)
    }

    fn controller(&self, world: &World, time: &Arc<Time>) -> Box<Controller> {
        let clock = Arc::clone(time);
        let deadline = move || {
            let clock = Arc::clone(&clock);
            let at = clock.now() + secs(4);
            Box::pin(async move { clock.until(at).await }) as Pin<Box<_>>
        };
        let group = || Far::new(&world.group, &self.process);
        let jibris = || Far::new(&world.jibris, &self.process);
        let observer = JoinedObserver::new(group(), jibris(), deadline).with_drain(jibris());
        let policy = MinIdle::new(MIN_IDLE).unwrap();
        let controller = Controller::new(policy, limits(), observer, group())
            .with_drain(jibris())
            .with_memory(Far::new(&world.store, &self.process))
            .with_leadership(Arc::clone(&self.process))
            .with_interval(INTERVAL)
            .unwrap();
        Box::new(controller)
    }

    pub(crate) const fn is_there(&self) -> bool {
        !matches!(self.doing, Doing::Nothing)
    }

    pub(crate) const fn is_in_a_tick(&self) -> bool {
        matches!(self.doing, Doing::Ticks(_))
    }

    /// Whether its process believes that it leads, also while it is frozen.
    pub(crate) fn leads(&self) -> bool {
        self.is_there() && self.process.leads()
    }

    pub(crate) const fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    pub(crate) fn freeze(&mut self, until: Timestamp) {
        self.frozen = Some((until, self.leads()));
    }

    /// Lets it go on where that is due. Returns whether it led when it was frozen, and does not any more.
    pub(crate) fn thaw(&mut self, now: Timestamp) -> bool {
        match self.frozen {
            Some((until, led)) if until <= now => {
                self.frozen = None;
                led && !self.leads()
            }
            _ => false,
        }
    }

    /// Its process is killed, and another starts then.
    pub(crate) fn kill(&mut self, next: Timestamp) {
        self.doing = Doing::Nothing;
        self.frozen = None;
        self.next = next;
    }

    /// It is told to end, and another process starts then. Returns whether it was at nothing else.
    pub(crate) fn end(&mut self, next: Timestamp) -> bool {
        match mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Waits(mut controller) => {
                self.doing = Doing::Resigns(Box::pin(async move {
                    let _ = controller.resign().await;
                }));
                self.next = next;
                true
            }
            other => {
                self.doing = other;
                false
            }
        }
    }

    /// Goes on as far as it can. Returns what a tick gave that has ended.
    pub(crate) fn go_on(&mut self, now: Timestamp) -> Option<Result<TickReport, TickError>> {
        if self.is_frozen() {
            return None;
        }
        let mut context = Context::from_waker(Waker::noop());
        let (doing, ticked) = match mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Waits(mut controller) if self.next <= now => {
                self.next = (self.next + INTERVAL).max(now);
                self.process.begin_tick();
                let wall = now.as_micros() + self.skew * 1_000_000;
                let tick = Box::pin(async move {
                    let result = controller.tick(Timestamp::from_micros(wall)).await;
                    (controller, result)
                });
                (Doing::Ticks(tick), None)
            }
            Doing::Ticks(mut tick) => match tick.as_mut().poll(&mut context) {
                Poll::Ready((controller, result)) => (Doing::Waits(controller), Some(result)),
                Poll::Pending => (Doing::Ticks(tick), None),
            },
            Doing::Resigns(mut resigning) => match resigning.as_mut().poll(&mut context) {
                Poll::Ready(()) => (Doing::Nothing, None),
                Poll::Pending => (Doing::Resigns(resigning), None),
            },
            other => (other, None),
        };
        self.doing = doing;
        ticked
    }
}

fn process(
    name: &str,
    generation: u32,
    time: &Arc<Time>,
    table: &(Arc<Table>, Arc<Saves>),
    chance: &mut Chance,
) -> Arc<Process> {
    let own = Chance(chance.below(u64::MAX));
    let name = format!("{name} {generation}");
    Arc::new(Process::new(&name, time, table, own))
}
