//! A group with its Jibris and controllers, on one virtual time.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use jibri_scaler_core::{
    Controller, InstanceId, Lifecycle, Limits, Timestamp,
    agent::port::Transition,
    controller::{TickError, TickReport},
    native::{SHRINK_ENABLED, SHRINK_TAG},
    observe::{AgentReports, JoinedObserver},
    policy::{MaxOf, MinIdle, Percent, PercentIdle, Policy},
    port::{Decrement, GroupControl as _},
    sim::{HookEnd, SimEventKind, SimGroup, SimGroupConfig, SimHook, TerminationCause},
};

use super::{
    agents::{Agents, HOOK_TIMEOUT},
    chance::Chance,
    fleet::{Fleet, MOMENT, Setting},
    kind::Kind,
    network::Outside,
    ports::{Api, Calls, Store},
    secs,
    trouble::Trouble,
};

/// How far apart the ticks are.
pub(crate) const INTERVAL: Duration = Duration::from_secs(15);
pub(crate) const BOOT_DEADLINE: Duration = Duration::from_secs(240);

const ZONES: [&str; 3] = ["sim-1a", "sim-1b", "sim-1c"];

pub(crate) fn limits() -> Limits {
    Limits::default()
        .with_idle_timeout(secs(60))
        .and_then(|limits| limits.with_gone_after(secs(45)))
        .and_then(|limits| limits.with_boot_deadline(BOOT_DEADLINE))
        .and_then(|limits| limits.with_max_launch(6))
        .and_then(|limits| limits.with_max_retire(4))
        .unwrap()
}

/// A controller, with its own clock, its own way to the group and its own memory.
pub(crate) struct Side {
    /// 0 or 1.
    number: usize,
    pub(crate) controller: Controller,
    reports: Arc<AgentReports>,
    pub(crate) calls: Arc<Mutex<Calls>>,
    pub(crate) store: Store,
    /// By how many seconds its clock is wrong.
    pub(crate) skew: i64,
}

/// The sizes of a group, and how many idle ones it wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) min_idle: u32,
    pub(crate) percent: f64,
}

impl Sizes {
    fn draw(chance: &mut Chance) -> Self {
        let mut below = |limit| u32::try_from(chance.below(limit)).unwrap();
        Self {
            min: below(4),
            max: 7 + below(6),
            min_idle: 1 + below(3),
            percent: f64::from(below(3)) * 15.0,
        }
    }

    fn policy(self) -> MaxOf {
        MaxOf::new([
            Box::new(MinIdle::new(self.min_idle).unwrap()) as Box<dyn Policy>,
            Box::new(PercentIdle::new(Percent::new(self.percent).unwrap())),
        ])
    }
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) sizes: Sizes,
    pub(crate) group: Arc<SimGroup>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) setting: Setting,
    /// None of them runs where the setting has none.
    pub(crate) agents: Agents,
    pub(crate) now: Timestamp,
    pub(crate) chance: Chance,
    pub(crate) trouble: Trouble,
    /// The tick that it is.
    pub(crate) tick: u64,
    /// How many machines were ended by hand, since nobody else may.
    pub(crate) left: u64,
    /// On how many a human has saved what was not uploaded.
    pub(crate) saved: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let trouble = Trouble::draw(seed, &mut chance);
        let sizes = Sizes::draw(&mut chance);
        let setting = Setting::of(seed);
        let now = Timestamp::from_secs(1_795_341_600);
        let at = |tick: u64| now + INTERVAL * u32::try_from(tick).unwrap();
        let desired = sizes.min.max(sizes.min_idle + 2);
        let mut config = SimGroupConfig::new(sizes.min, sizes.max, desired)
            .and_then(|config| config.with_zones(ZONES))
            .and_then(|config| config.with_launch_delay(secs(15)..=secs(45)))
            .and_then(|config| config.with_launch_failures(0.0, secs(30)))
            .unwrap()
            .with_seed(seed)
            .with_termination_delay(secs(20))
            .with_start_in_service(true)
            .with_launch_times_listed(chance.below(2) == 0)
            .with_new_instances_protected(chance.below(2) == 0);
        if setting.agents {
            let hook = SimHook::new(Transition::Terminating);
            let hook = hook.with_heartbeat_timeout(HOOK_TIMEOUT).unwrap();
            config = config.with_hook(hook).with_retention(true);
        }
        if let Some(window) = trouble.window(Kind::LaunchesFail) {
            config = config.with_launch_outage(at(window.from), at(window.until));
        }
        for kind in [Kind::ZoneShort, Kind::ZoneLost] {
            if let Some(window) = trouble.window(kind) {
                config = config.with_zone_shortage(ZONES[0], at(window.from), at(window.until));
            }
        }
        if trouble.window(Kind::ListingLags).is_some() {
            config = config.with_listing_lag(secs(5 + chance.below(26)));
        }
        let group = Arc::new(SimGroup::new(config, now));
        group.set_tag(SHRINK_TAG, SHRINK_ENABLED);
        let fleet = Arc::new(Fleet::new(seed ^ 0x5bd1_e995, setting, now));
        let mut world = Self {
            seed,
            sizes,
            agents: Agents::new(seed ^ 0x1b87_3593, &fleet, &group),
            group,
            fleet,
            setting,
            now,
            chance,
            trouble,
            tick: 0,
            left: 0,
            saved: 0,
        };
        world.settle();
        world
    }

    /// A controller whose calls have their own chance.
    pub(crate) fn side(&self, number: usize) -> Side {
        let chance = 0x1000_0001 + u64::try_from(number).unwrap();
        let calls = Arc::new(Mutex::new(Calls::new(self.seed ^ chance)));
        let store = Store::new(&calls);
        let reports = Arc::default();
        self.fleet.lock().mail[number].clear();
        Side {
            number,
            controller: self.controller(&calls, &store, &reports),
            reports,
            calls,
            store,
            skew: 0,
        }
    }

    fn controller(
        &self,
        calls: &Arc<Mutex<Calls>>,
        store: &Store,
        reports: &Arc<AgentReports>,
    ) -> Controller {
        let api = Api {
            group: Arc::clone(&self.group),
            calls: Arc::clone(calls),
        };
        let outside = || Outside(Arc::clone(&self.fleet));
        let mut observer =
            JoinedObserver::new(api.clone(), outside(), || Box::pin(std::future::pending()))
                .with_drain(outside());
        if self.setting.agents {
            observer = observer.with_agents(Arc::clone(reports), limits().report_ttl());
        }
        Controller::new(self.sizes.policy(), limits(), observer, api)
            .with_drain(outside())
            .with_memory(store.clone())
            .with_interval(INTERVAL)
            .unwrap()
    }

    /// Its process is started anew.
    pub(crate) fn restart(&self, side: &mut Side) {
        side.reports = Arc::default();
        side.controller = self.controller(&side.calls, &side.store, &side.reports);
    }

    /// One tick of a controller.
    pub(crate) fn tick_of(&mut self, side: &mut Side) -> Result<TickReport, TickError> {
        side.calls.lock().unwrap().begin_tick();
        let (number, reports) = (side.number, &side.reports);
        self.fleet.lock().mail[number].deliver(self.now, side.skew, reports);
        let skewed = self.now.as_micros() + side.skew * 1_000_000;
        let report = at_once(side.controller.tick(Timestamp::from_micros(skewed)));
        self.settle();
        report
    }

    /// Lets time go on, event by event and moment by moment.
    pub(crate) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while self.now < end {
            let moment = end.min(self.now + MOMENT);
            let event = self.group.next_event().filter(|event| *event > self.now);
            self.now = event.map_or(moment, |event| event.min(moment));
            self.fleet.lock().advance(self.now);
            self.settle();
            if self.setting.agents {
                self.agents.advance(self.now);
                self.settle();
            }
        }
    }

    /// Lets the machines follow what the group did.
    pub(crate) fn settle(&mut self) {
        let mut fleet = self.fleet.lock();
        for event in self.group.advance(self.now) {
            match &event.kind {
                SimEventKind::InService { id } if self.group.is_running(id) => {
                    let dead = self.trouble.is_on(Kind::NeverBoots, self.tick)
                        && self.chance.below(2) == 0;
                    if dead {
                        fleet.counts.one(Kind::NeverBoots);
                    }
                    let boots = event.at + secs(10 + self.chance.below(41));
                    fleet.start(id, Some(boots).filter(|_| !dead));
                    if self.setting.agents && !dead {
                        self.agents.start(id, event.at);
                    }
                    if self.trouble.is_on(Kind::Resurrects, self.tick) {
                        let after = secs(3 + self.chance.below(18));
                        fleet.with(id, |jibri, _| jibri.resurrects = Some(after));
                    }
                }
                SimEventKind::Terminating { id, why } => {
                    if *why == TerminationCause::Unhealthy {
                        fleet.end_machine(id, true);
                    }
                    fleet.leaves(id);
                    self.agents.hurry(id, self.now);
                }
                SimEventKind::HookEnded {
                    how: HookEnd::TimedOut,
                    ..
                } => fleet.counts.one(Kind::HookTimesOut),
                SimEventKind::LaunchFailed => fleet.counts.one(Kind::LaunchesFail),
                SimEventKind::Launched { .. } if self.trouble.is_on(Kind::ZoneShort, self.tick) => {
                    fleet.counts.one(Kind::ZoneShort);
                }
                _ => {}
            }
            // While the hook holds it, or it is retained, a machine runs on.
            if let Some(id) = event.kind.id()
                && !self.group.is_running(id)
            {
                fleet.end_machine(id, false);
            }
        }
    }

    /// A machine is taken by force.
    pub(crate) fn take(&self, id: &InstanceId) -> bool {
        let was_there = self.group.lose_machine(id);
        self.fleet.lock().end_machine(id, true);
        was_there
    }

    /// Whether the group keeps this instance for a human.
    pub(crate) fn is_retained(&self, id: &InstanceId) -> bool {
        let rows = self.group.current().instances;
        rows.iter()
            .any(|row| row.id == *id && row.lifecycle == Lifecycle::TerminatingRetained)
    }

    /// Those that it keeps although somebody has taken their machines.
    pub(crate) fn retained_without_machine(&self) -> Vec<InstanceId> {
        let rows = self.group.current().instances.into_iter();
        let retained = rows.filter(|row| row.lifecycle == Lifecycle::TerminatingRetained);
        let taken = retained.filter(|row| !self.group.is_running(&row.id));
        taken.map(|row| row.id).collect()
    }

    /// A human ends an instance, wherever it is.
    pub(crate) fn end_by_hand(&mut self, id: &InstanceId) {
        self.left += 1;
        self.fleet.lock().end_machine(id, true);
        let rows = self.group.current().instances;
        let row = rows.into_iter().find(|row| row.id == *id);
        match row.map(|row| row.lifecycle) {
            Some(Lifecycle::TerminatingRetained) => {
                let _ = at_once(self.group.terminate(id, Decrement::No));
            }
            Some(Lifecycle::TerminatingWait) => {
                let _ = at_once(self.group.complete_termination(id));
            }
            _ => {
                let _ = self.group.lose_machine(id);
            }
        }
        self.settle();
    }

    /// The zone that is lost, or without capacity, in a seed where one is.
    pub(crate) const fn bad_zone() -> &'static str {
        ZONES[0]
    }
}

/// What a future gives that never waits for anything but itself.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("it waits for something");
}
