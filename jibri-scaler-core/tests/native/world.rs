//! A simulated group whose instances boot, each with a Jibri and an agent, grown by an alarm, on one virtual time.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::{Stream, stream};
use jibri_scaler_core::{
    InstanceId, Lifecycle, Timestamp,
    agent::{AgentConfig, AgentEvent, AgentLoop, Ending, GroupPorts, LocalPorts, port::Transition},
    native::{Growth, SHRINK_ENABLED, SHRINK_TAG},
    policy::{MaxOf, MinIdle, Percent, PercentIdle, Policy},
    sim::{
        HookEnd, SimAlarm, SimEvent, SimEventKind, SimGroup, SimGroupConfig, SimHook, SimMetrics,
        SimStepPolicy,
    },
};

use crate::{chance::Chance, jibri::Jibri, measure::Measure};

pub(crate) const MIN_IDLE: u32 = 3;
pub(crate) const PERCENT_IDLE: f64 = 20.0;
pub(crate) const MAX_SIZE: u32 = 50;
/// Within this 95 % of all instances are in service and answer.
const BOOT: Duration = Duration::from_secs(180);

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn at(secs: i64) -> Timestamp {
    // A midnight.
    Timestamp::from_secs(1_763_769_600 + secs)
}

fn min_idle() -> MinIdle {
    MinIdle::new(MIN_IDLE).unwrap()
}

fn percent_idle() -> PercentIdle {
    PercentIdle::new(Percent::new(PERCENT_IDLE).unwrap())
}

type Run = Pin<Box<dyn Future<Output = Ending> + Send>>;
type Ticks = Arc<Mutex<VecDeque<Timestamp>>>;

/// An instance that has booted.
pub(crate) struct Machine {
    pub(crate) jibri: Jibri,
    agent: Option<(Run, Ticks)>,
    /// When its agent has its next tick.
    tick: Timestamp,
    /// How long after each multiple of the pace it has one anyway. One of them is after six tenths of a period and before three
    /// quarters of it, where its point is due, whatever its phase.
    offset: Duration,
}

impl Machine {
    fn regular_tick(&self, now: Timestamp, pace: Duration) -> Timestamp {
        let pace = i64::try_from(pace.as_micros()).unwrap();
        let before = now.before(self.offset).as_micros().div_euclid(pace);
        Timestamp::from_micros((before + 1) * pace) + self.offset
    }
}

pub(crate) struct World {
    pub(crate) group: Arc<SimGroup>,
    pub(crate) metrics: Arc<SimMetrics>,
    pub(crate) machines: BTreeMap<InstanceId, Machine>,
    pub(crate) now: Timestamp,
    pub(crate) events: Vec<SimEvent>,
    pub(crate) measure: Measure,
    pub(crate) chance: Chance,
    /// What agents found, for a failed test.
    pub(crate) findings: Arc<Mutex<Vec<String>>>,
    alarm: SimAlarm,
    policy: SimStepPolicy,
    config: AgentConfig,
    /// How far apart the ticks of an agent are at most.
    pace: Duration,
    /// One in so many instances never boots; none where this is 0.
    pub(crate) never_boots: u64,
    /// Instances that were launched and boot until then.
    booting: BTreeMap<InstanceId, Timestamp>,
}

impl World {
    /// A group of one that begins at midnight, whose signal and alarm have a period of a minute.
    pub(crate) fn new(seed: u64) -> Self {
        let metrics = SimMetrics::standard(at(0)).with_delay(secs(8));
        Self::with_period(seed, MINUTE, metrics)
    }

    /// The same with a period of 10 s.
    pub(crate) fn of_ten_seconds(seed: u64) -> Self {
        let metrics = SimMetrics::high_resolution(at(0)).with_delay(secs(2));
        Self::with_period(seed, secs(10), metrics)
    }

    fn with_period(seed: u64, period: Duration, metrics: SimMetrics) -> Self {
        let now = at(0);
        let launching = SimHook::new(Transition::Launching);
        let config = SimGroupConfig::new(1, MAX_SIZE, 1)
            .and_then(|config| config.with_launch_delay(secs(20)..=secs(60)))
            .unwrap()
            .with_seed(seed)
            .with_new_instances_protected(true)
            .with_hook(launching.with_heartbeat_timeout(secs(600)).unwrap())
            .with_hook(SimHook::new(Transition::Terminating))
            .with_retention(true)
            .with_listing_lag(secs(10));
        let group = Arc::new(SimGroup::new(config, now));
        group.set_tag(SHRINK_TAG, SHRINK_ENABLED);
        let policy = MaxOf::new([
            Box::new(min_idle()) as Box<dyn Policy>,
            Box::new(percent_idle()),
        ]);
        let growth = Growth::new(&policy, 20, 1).unwrap();
        let warm_up = Growth::warm_up(BOOT, period);
        let agent = AgentConfig::default()
            .with_min_idle(min_idle())
            .with_percent_idle(percent_idle())
            .with_period(period)
            // The ticks are farther apart than a second: see `Self::tick`.
            .and_then(|config| config.with_freshness(secs(45)))
            .unwrap();
        Self {
            metrics: Arc::new(metrics),
            machines: BTreeMap::new(),
            now,
            events: Vec::new(),
            measure: Measure::default(),
            chance: Chance(!seed),
            findings: Arc::default(),
            alarm: SimAlarm::of_growth(growth.clone(), now, period).unwrap(),
            policy: SimStepPolicy::of_growth(&growth, warm_up),
            config: agent,
            pace: period.min(secs(30)),
            never_boots: 0,
            booting: BTreeMap::new(),
            group,
        }
    }

    /// Lets time go on, event by event.
    pub(crate) fn advance(&mut self, until: Timestamp) {
        while let Some(next) = self.next().filter(|next| *next <= until) {
            self.step(next);
        }
        self.step(until.max(self.now));
    }

    fn next(&self) -> Option<Timestamp> {
        let machines = self.machines.values().flat_map(|machine| {
            let agent = machine.agent.as_ref().map(|_| machine.tick);
            agent.into_iter().chain(machine.jibri.lock().next())
        });
        let booting = self.booting.values().copied();
        let others = self.group.next_event().into_iter().chain(booting);
        let alarm = self.alarm.next_evaluation();
        machines.chain(others).chain([alarm]).min()
    }

    fn step(&mut self, now: Timestamp) {
        self.measure.pass(now.since(self.now), &self.machines);
        self.now = now;
        for machine in self.machines.values_mut() {
            let mut jibri = machine.jibri.lock();
            let changes = jibri.next().is_some_and(|next| next <= now);
            jibri.advance(now);
            if changes {
                // It is read every second.
                machine.tick = machine.tick.min(now + secs(1));
            }
        }
        self.settle();
        self.boot();
        self.metrics.advance(now);
        if let Some(values) = self.alarm.evaluate(&self.metrics) {
            self.group
                .scale_out(&self.policy, &values, self.alarm.threshold());
            self.settle();
        }
        let due =
            |(id, machine): (&InstanceId, &Machine)| (machine.tick <= now).then(|| id.clone());
        let due: Vec<_> = self.machines.iter().filter_map(due).collect();
        for id in due {
            self.tick(&id);
        }
    }

    /// Gives an agent its tick. It has one now and then, and right after everything that it would see in one each second.
    fn tick(&mut self, id: &InstanceId) {
        let Some(machine) = self.machines.get_mut(id) else {
            return;
        };
        let Some((run, ticks)) = &mut machine.agent else {
            return;
        };
        ticks.lock().unwrap().push_back(self.now);
        // Every call is answered at once, so it comes to rest in a poll or a few.
        let mut context = Context::from_waker(Waker::noop());
        let mut ended = false;
        for _ in 0..4 {
            if run.as_mut().poll(&mut context).is_ready() {
                ended = true;
                break;
            }
        }
        let is_draining = {
            let jibri = machine.jibri.lock();
            jibri.latch.is_some() && !jibri.is_recording()
        };
        machine.tick = if is_draining {
            self.now + secs(5)
        } else {
            machine.regular_tick(self.now, self.pace)
        };
        if ended {
            machine.agent = None;
        }
        self.settle();
    }

    /// Lets the machines follow what the group did.
    fn settle(&mut self) {
        for event in self.group.advance(self.now) {
            match &event.kind {
                SimEventKind::HookWaits {
                    id,
                    transition: Transition::Launching,
                } => {
                    let boots = secs(30 + self.chance.below(60));
                    if self.never_boots == 0 || self.chance.below(self.never_boots) > 0 {
                        self.booting.insert(id.clone(), self.now + boots);
                    }
                }
                SimEventKind::Launched { id, .. } => self.measure.launched(id),
                SimEventKind::Terminating { id, .. } => {
                    self.measure.ended(id);
                    if let Some(machine) = self.machines.get_mut(id) {
                        // The metadata are read every five seconds.
                        machine.tick = machine.tick.min(self.now + secs(5));
                    }
                }
                _ => {}
            }
            if let Some(id) = event.kind.id()
                && !self.group.is_running(id)
            {
                self.booting.remove(id);
                if let Some(machine) = self.machines.remove(id)
                    && machine.jibri.lock().is_recording()
                {
                    self.measure.lost.push(id.clone());
                }
            }
            self.events.push(event);
        }
    }
}

impl World {
    /// Starts Jibri and agent of those that have booted.
    fn boot(&mut self) {
        let now = self.now;
        let has_booted = |(id, at): (&InstanceId, &Timestamp)| (*at <= now).then(|| id.clone());
        let booted: Vec<_> = self.booting.iter().filter_map(has_booted).collect();
        for id in booted {
            self.booting.remove(&id);
            let machine = Machine {
                jibri: Jibri::start(now),
                agent: None,
                tick: now,
                offset: if self.config.period() == MINUTE {
                    secs(8 + self.chance.below(5))
                } else {
                    secs(6)
                },
            };
            self.machines.insert(id.clone(), machine);
            self.start_agent(&id);
        }
    }

    /// Starts the agent of this instance, or another one after one that died.
    pub(crate) fn start_agent(&mut self, id: &InstanceId) {
        let Some(machine) = self.machines.get_mut(id) else {
            return;
        };
        let jibri = || machine.jibri.clone();
        let member = || self.group.member(id);
        let signal = Arc::clone(&self.metrics);
        let local = LocalPorts::new(jibri(), jibri(), jibri(), jibri());
        let group = GroupPorts::new(member(), member(), signal, Arc::clone(&self.group));
        let agent = AgentLoop::new(self.config.clone(), id.clone(), local, group);
        let ticks = Ticks::default();
        let clock = items(&ticks);
        let (findings, own) = (Arc::clone(&self.findings), id.clone());
        let tell = move |event: AgentEvent| {
            if !matches!(event, AgentEvent::Begun(_)) {
                findings.lock().unwrap().push(format!("{own}: {event}"));
            }
        };
        let run = async move { agent.run(clock, stream::pending(), tell).await };
        machine.agent = Some((Box::pin(run), ticks));
        machine.tick = self.now;
    }

    /// The agent of this instance dies. Returns whether there was one.
    pub(crate) fn kill_agent(&mut self, id: &InstanceId) -> bool {
        self.machines.get_mut(id).unwrap().agent.take().is_some()
    }

    /// Somebody asks for a recording. Jicofo asks one Jibri after the other, and never queues.
    pub(crate) fn record(&mut self, length: Duration) -> Option<InstanceId> {
        let count = u64::try_from(self.machines.len()).unwrap().max(1);
        let first = usize::try_from(self.chance.below(count)).unwrap();
        let (before, after): (Vec<_>, Vec<_>) =
            (0..).zip(&mut self.machines).partition(|(n, _)| *n < first);
        let took = after
            .into_iter()
            .chain(before)
            .find_map(|(_, (id, machine))| {
                let took = machine.jibri.lock().record(length);
                took.then(|| id.clone())
            });
        self.measure.asked(took.is_some());
        took
    }

    /// For a failed test.
    pub(crate) fn report(&self) -> String {
        let rows = self.group.current().instances.into_iter();
        let rows: Vec<_> = rows
            .map(|row| format!("{} {} {}", row.id, row.lifecycle, row.protected))
            .collect();
        let findings = self.findings.lock().unwrap();
        let last = findings.len().saturating_sub(10);
        format!(
            "{}\nat {}, desired {}: {rows:#?}\n{:#?}",
            self.measure,
            self.now,
            self.desired(),
            &findings[last..]
        )
    }

    /// Whether the hook of its end has waited for it in vain.
    pub(crate) fn has_timed_out(&self, id: &InstanceId) -> bool {
        self.events.iter().any(|event| {
            matches!(
                &event.kind,
                SimEventKind::HookEnded {
                    how: HookEnd::TimedOut,
                    ..
                }
            ) && event.kind.id() == Some(id)
        })
    }

    /// How many could take a recording.
    pub(crate) fn free(&self) -> usize {
        let free = |machine: &&Machine| machine.jibri.lock().is_free();
        self.machines.values().filter(free).count()
    }

    pub(crate) fn desired(&self) -> u32 {
        self.group.current().group.desired
    }

    pub(crate) fn in_state(&self, lifecycle: &Lifecycle) -> Vec<InstanceId> {
        let rows = self.group.current().instances.into_iter();
        let rows = rows.filter(|row| row.lifecycle == *lifecycle);
        rows.map(|row| row.id).collect()
    }
}

fn items(ticks: &Ticks) -> impl Stream<Item = Timestamp> + Send + use<> {
    let ticks = Arc::clone(ticks);
    stream::poll_fn(move |_| match ticks.lock().unwrap().pop_front() {
        Some(tick) => Poll::Ready(Some(tick)),
        None => Poll::Pending,
    })
}
