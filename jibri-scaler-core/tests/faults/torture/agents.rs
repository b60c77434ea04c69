//! The agents, one on each machine.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures_util::{Stream, stream};
use jibri_scaler_core::{
    InstanceId, Timestamp,
    agent::{AgentConfig, AgentEvent, AgentLoop, Ending, GroupPorts, LocalPorts},
    sim::SimGroup,
};

use super::{
    chance::Chance,
    fleet::{Fleet, MOMENT},
    kind::Kind,
    machine::Machine,
    secs,
    world::BOOT_DEADLINE,
};

/// How long the hook waits without a heartbeat.
pub(crate) const HOOK_TIMEOUT: Duration = Duration::from_secs(300);

/// How far apart the ticks of an agent are while its Jibri serves, and nothing happens to its instance.
const PACE: Duration = Duration::from_secs(15);

fn config() -> AgentConfig {
    AgentConfig::default()
        .with_launching_hook(false)
        .with_keep_protected(true)
        .with_hook_timeout(HOOK_TIMEOUT)
        .and_then(|config| config.with_boot_deadline(BOOT_DEADLINE))
        .and_then(|config| config.with_release_check_every(secs(60)))
        // Its ticks are farther apart than a second.
        .and_then(|config| config.with_freshness(2 * PACE))
        .and_then(|config| config.with_period(secs(60)))
        .unwrap()
}

type Run = Pin<Box<dyn Future<Output = Ending> + Send>>;
type Ticks = Arc<Mutex<VecDeque<Timestamp>>>;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Running {
    run: Run,
    ticks: Ticks,
    flag: Arc<Flag>,
    next_tick: Timestamp,
}

/// What an agent is.
enum Agent {
    Running(Running),
    /// It was killed, and is started again then.
    Down(Timestamp),
    /// Its instance is about to end, as far as it knows.
    Done,
}

/// All agents of a group.
pub(crate) struct Agents {
    config: AgentConfig,
    fleet: Arc<Fleet>,
    group: Arc<SimGroup>,
    each: BTreeMap<InstanceId, Agent>,
    chance: Chance,
    /// How far their clocks are wrong, in seconds.
    skews: BTreeMap<InstanceId, i64>,
    /// What they have found, if anybody wants to know.
    pub(crate) notes: Arc<Mutex<Vec<String>>>,
}

impl Agents {
    pub(crate) fn new(seed: u64, fleet: &Arc<Fleet>, group: &Arc<SimGroup>) -> Self {
        Self {
            config: config(),
            fleet: Arc::clone(fleet),
            group: Arc::clone(group),
            each: BTreeMap::new(),
            chance: Chance(seed),
            skews: BTreeMap::new(),
            notes: Arc::default(),
        }
    }

    /// The agent of this machine starts, with nothing but what its latch says.
    pub(crate) fn start(&mut self, id: &InstanceId, now: Timestamp) {
        let machine = || Machine::new(id, &self.fleet, &self.group);
        let local = LocalPorts::new(machine(), machine(), machine(), machine());
        let group = GroupPorts::new(machine(), machine(), machine(), machine());
        let agent = AgentLoop::new(self.config.clone(), id.clone(), local, group);
        let ticks = Ticks::default();
        let clock = items(&ticks);
        let (notes, own) = (Arc::clone(&self.notes), id.clone());
        let tell = move |event: AgentEvent| {
            if let AgentEvent::Found(finding) = event {
                notes
                    .lock()
                    .unwrap()
                    .push(format!("{own}: {}", finding.what));
            }
        };
        let run = async move { agent.run(clock, stream::pending(), tell).await };
        let running = Running {
            run: Box::pin(run),
            ticks,
            flag: Arc::new(Flag(AtomicBool::new(true))),
            next_tick: now,
        };
        self.each.insert(id.clone(), Agent::Running(running));
    }

    /// Something happens to this instance, which its agent sees in the metadata within a few seconds.
    pub(crate) fn hurry(&mut self, id: &InstanceId, now: Timestamp) {
        if let Some(Agent::Running(running)) = self.each.get_mut(id) {
            running.next_tick = running.next_tick.min(now + MOMENT);
        }
    }

    /// Its clock jumps.
    pub(crate) fn jump(&mut self, id: &InstanceId, by: i64) {
        *self.skews.entry(id.clone()).or_default() += by;
    }

    /// Whether there is one that runs or is started again.
    pub(crate) fn looks_after(&self, id: &InstanceId) -> bool {
        matches!(self.each.get(id), Some(Agent::Running(_) | Agent::Down(_)))
    }

    /// For people.
    pub(crate) fn describe(&self, id: &InstanceId) -> String {
        match self.each.get(id) {
            Some(Agent::Running(running)) => format!("next tick {}", running.next_tick),
            Some(Agent::Down(until)) => format!("down until {until}"),
            Some(Agent::Done) => "done".into(),
            None => "no agent".into(),
        }
    }

    /// Those that were killed are started again now.
    pub(crate) fn mend(&mut self, now: Timestamp) {
        for agent in self.each.values_mut() {
            if let Agent::Down(until) = agent {
                *until = now;
            }
        }
    }

    /// Lets all of them do what is due.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        let here = self.fleet.lock().ids();
        self.each.retain(|id, _| here.contains(id));
        let is_due = |agent: &Agent| matches!(agent, Agent::Down(until) if *until <= now);
        let again = self.each.iter().filter(|(_, agent)| is_due(agent));
        let again: Vec<_> = again.map(|(id, _)| id.clone()).collect();
        for id in again {
            self.start(&id, now);
        }
        for (id, agent) in &mut self.each {
            let Agent::Running(running) = agent else {
                continue;
            };
            if running.next_tick <= now {
                let skew = self.skews.get(id).copied().unwrap_or_default();
                let wall = Timestamp::from_micros(now.as_micros() + skew * 1_000_000);
                running.ticks.lock().unwrap().push_back(wall);
                running.flag.0.store(true, Ordering::Relaxed);
            } else if !running.flag.0.load(Ordering::Relaxed) {
                continue;
            }
            let waker = Waker::from(Arc::clone(&running.flag));
            let mut context = Context::from_waker(&waker);
            let mut has_ended = false;
            while running.flag.0.swap(false, Ordering::Relaxed) && !has_ended {
                has_ended = running.run.as_mut().poll(&mut context).is_ready();
            }
            let mut fleet = self.fleet.lock();
            let Some(place) = fleet.places.get_mut(id) else {
                continue;
            };
            let is_draining = place.jibri.latch.is_some();
            if running.next_tick <= now {
                running.next_tick = now + if is_draining { MOMENT } else { PACE };
            }
            if place.agent_is_dead {
                place.agent_is_dead = false;
                place.agent_dies_after = None;
                let moments = 1 + match self.chance.below(4) {
                    // Longer than the hook waits, and than a controller waits for an agent.
                    0 => self.chance.below(150),
                    _ => self.chance.below(12),
                };
                *agent = Agent::Down(now + MOMENT * u32::try_from(moments).unwrap());
                fleet.counts.one(Kind::AgentsKilled);
            } else if has_ended {
                *agent = Agent::Done;
            }
        }
    }
}

fn items(ticks: &Ticks) -> impl Stream<Item = Timestamp> + Send + use<> {
    let ticks = Arc::clone(ticks);
    stream::poll_fn(move |_| match ticks.lock().unwrap().pop_front() {
        Some(tick) => Poll::Ready(Some(tick)),
        None => Poll::Pending,
    })
}
