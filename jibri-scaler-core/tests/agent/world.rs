//! A group of instances in memory, each with a Jibri and an agent, on virtual time.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use jibri_scaler_core::{
    InstanceId, Lifecycle, Timestamp,
    agent::{
        AgentConfig, AgentEvent, AgentLoop, Ending, GroupPorts, LocalPorts,
        port::{
            DrainPoint, HookResult, Latch, Notices, SavedState, ServiceState, SignalPoint,
            TargetState,
        },
    },
    port::PortErrorKind,
};

use crate::{
    ports::Port,
    queue::{Shared, items, push},
    several::{Second, targets},
};

pub(crate) const START: i64 = 1_763_800_000;
pub(crate) const GONE: ServiceState = ServiceState::Ended { code: Some(255) };

/// How long after it has accepted a recording a Jibri says that it is busy.
const BUSY_AFTER: i64 = 3;

/// Something that happens to an instance, and its name.
pub(crate) type Case = (&'static str, fn(&mut Member));

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The shared state.
#[derive(Default)]
pub(crate) struct State {
    /// Seconds since [`START`], by the true clock.
    pub(crate) now: i64,
    pub(crate) min: u32,
    pub(crate) desired: u32,
    pub(crate) members: BTreeMap<InstanceId, Member>,
    /// What was published, by whom.
    pub(crate) points: Vec<(InstanceId, SignalPoint)>,
    /// What has happened, for tests of order.
    pub(crate) journal: Vec<(i64, InstanceId, String)>,
    pub(crate) findings: Vec<(InstanceId, String)>,
    /// Recordings that were cut off, or whose upload was.
    pub(crate) lost: u32,
    pub(crate) drain_points: Vec<(InstanceId, DrainPoint)>,
    pub(crate) retention: bool,
    /// Whether the listing knows of the terminating hook, and whether the group's tag lets agents end themselves.
    pub(crate) hook: bool,
    pub(crate) shrinks: bool,
    /// How long that hook waits, in seconds.
    pub(crate) hook_timeout: i64,
    sleepers: Vec<Waker>,
}

/// An instance and its Jibri, as they really are.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Member {
    pub(crate) lifecycle: Lifecycle,
    pub(crate) protected: bool,
    /// What the metadata say, or that they cannot be read.
    pub(crate) target: Result<Option<TargetState>, PortErrorKind>,
    pub(crate) notices: Notices,
    /// How far its clock is ahead, in microseconds.
    pub(crate) skew: i64,
    pub(crate) latch: Option<Latch>,
    /// What its agent has saved beside the latch.
    pub(crate) saved: Option<SavedState>,
    pub(crate) process: ServiceState,
    /// A recording: since when, and until when.
    pub(crate) session: Option<(i64, i64)>,
    pub(crate) told: bool,
    /// The second Jibri of the instance, if it has one.
    pub(crate) second: Option<Second>,
    pub(crate) status: (&'static str, &'static str),
    pub(crate) single_use: bool,
    /// Whether the upload of what is recorded fails.
    pub(crate) finalize_fails: bool,
    pub(crate) files_left: bool,
    /// Whether something starts the process again in spite of the latch, how often.
    pub(crate) stubborn_restarts: u32,
    pub(crate) self_check: bool,
    /// When the hook gives up.
    pub(crate) hook_until: i64,
    pub(crate) heartbeats: u32,
    pub(crate) completed: Vec<HookResult>,
    /// What fails, by the name of the call.
    pub(crate) failing: BTreeMap<&'static str, PortErrorKind>,
    /// What takes so many seconds.
    pub(crate) slow: BTreeMap<&'static str, i64>,
    /// Calls under way, by name.
    pub(crate) under_way: BTreeMap<&'static str, u32>,
    /// Listings show it as it was at this time.
    pub(crate) stale_list: Option<Vec<(InstanceId, Lifecycle, bool)>>,
}

impl Member {
    fn in_service() -> Self {
        Self {
            lifecycle: Lifecycle::InService,
            protected: true,
            target: Ok(Some(TargetState::InService)),
            notices: Notices::default(),
            skew: 0,
            latch: None,
            saved: None,
            process: ServiceState::Running,
            session: None,
            told: false,
            second: None,
            status: ("IDLE", "HEALTHY"),
            single_use: false,
            finalize_fails: false,
            files_left: false,
            stubborn_restarts: 0,
            self_check: true,
            hook_until: 0,
            heartbeats: 0,
            completed: vec![],
            failing: BTreeMap::new(),
            slow: BTreeMap::new(),
            under_way: BTreeMap::new(),
            stale_list: None,
        }
    }

    /// What its health says.
    pub(crate) fn says(&self, now: i64) -> (&'static str, &'static str) {
        match self.session {
            Some((since, _)) if now >= since + BUSY_AFTER => ("BUSY", self.status.1),
            _ => self.status,
        }
    }

    /// Takes `gracefulShutdown`: atomic with the start of a recording.
    pub(crate) fn graceful_shutdown(&mut self) -> bool {
        if self.process != ServiceState::Running {
            return false;
        }
        self.told = true;
        if self.session.is_none() {
            self.exit();
        }
        true
    }

    pub(crate) fn exit(&mut self) {
        self.process = GONE;
        self.told = false;
        if self.stubborn_restarts > 0 {
            self.stubborn_restarts -= 1;
            self.process = ServiceState::Running;
        }
    }

    /// Starts a recording, if it is there to accept one.
    pub(crate) fn record(&mut self, now: i64, seconds: i64) -> bool {
        let accepts = self.process == ServiceState::Running && self.session.is_none();
        if accepts {
            self.session = Some((now, now + seconds));
        }
        accepts
    }

    pub(crate) fn end_session(&mut self) {
        self.session = None;
        self.files_left |= self.finalize_fails;
        if self.single_use {
            self.status.0 = "EXPIRED";
        }
        if self.told {
            self.exit();
        }
    }

    /// The group begins to end it.
    pub(crate) fn terminate(&mut self) {
        if !self.lifecycle.is_leaving() {
            self.lifecycle = Lifecycle::Terminating;
            if let Ok(target) = &mut self.target {
                *target = Some(TargetState::Terminated);
            }
        }
    }
}

impl State {
    pub(crate) fn member(&mut self, id: &InstanceId) -> &mut Member {
        self.members.get_mut(id).expect("a member")
    }

    pub(crate) fn wall(&self, id: &InstanceId) -> Timestamp {
        let micros = (START + self.now) * 1_000_000;
        Timestamp::from_micros(micros + self.members[id].skew)
    }

    /// The machine is gone, whatever was on it.
    pub(crate) fn destroy(&mut self, id: &InstanceId) {
        let member = self.member(id);
        let second = member.second.as_ref();
        let records = member.session.is_some() || second.is_some_and(|it| it.session.is_some());
        let is_lost = records || member.files_left;
        member.lifecycle = Lifecycle::Terminated;
        member.session = None;
        self.lost += u32::from(is_lost);
    }

    /// One second passes.
    fn pass(&mut self) {
        self.now += 1;
        let (now, retention, hook_timeout) = (self.now, self.retention, self.hook_timeout);
        let mut destroyed = vec![];
        for (id, member) in &mut self.members {
            if member.session.is_some_and(|(_, until)| now >= until) {
                member.end_session();
            }
            if let Some(second) = &mut member.second {
                second.pass(now);
            }
            match member.lifecycle {
                Lifecycle::Terminating => {
                    member.lifecycle = Lifecycle::TerminatingWait;
                    member.hook_until = now + hook_timeout;
                }
                Lifecycle::PendingProceed => member.lifecycle = Lifecycle::InService,
                Lifecycle::TerminatingWait if now >= member.hook_until && retention => {
                    member.lifecycle = Lifecycle::TerminatingRetained;
                }
                Lifecycle::TerminatingWait if now >= member.hook_until => {
                    destroyed.push(id.clone());
                }
                Lifecycle::TerminatingProceed => destroyed.push(id.clone()),
                _ => {}
            }
        }
        for id in destroyed {
            self.destroy(&id);
        }
        for sleeper in self.sleepers.drain(..) {
            sleeper.wake();
        }
    }
}

type Run = Pin<Box<dyn Future<Output = Ending> + Send>>;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Running {
    run: Run,
    flag: Arc<Flag>,
    ticks: Shared<Timestamp>,
    hints: Shared<()>,
}

/// The state, for the ports.
#[derive(Clone)]
pub(crate) struct Shelf(pub(crate) Arc<Mutex<State>>);

/// The group, and the agents that run in it.
pub(crate) struct World {
    pub(crate) shelf: Shelf,
    pub(crate) config: AgentConfig,
    agents: BTreeMap<InstanceId, Running>,
    pub(crate) endings: BTreeMap<InstanceId, Ending>,
}

pub(crate) fn id(n: usize) -> InstanceId {
    format!("i-{n:03}").parse().unwrap()
}

impl World {
    /// So many instances in service, idle, protected, each with an agent that starts now.
    pub(crate) fn new(count: usize, config: AgentConfig) -> Self {
        let mut world = Self::without_agents(count, config);
        for n in 0..count {
            world.start_agent(&id(n));
        }
        world
    }

    pub(crate) fn without_agents(count: usize, config: AgentConfig) -> Self {
        let state = State {
            members: (0..count).map(|n| (id(n), Member::in_service())).collect(),
            desired: u32::try_from(count).unwrap(),
            min: 0,
            retention: true,
            hook: true,
            shrinks: true,
            hook_timeout: 3600,
            ..State::default()
        };
        Self {
            shelf: Shelf(Arc::new(Mutex::new(state))),
            config,
            agents: BTreeMap::new(),
            endings: BTreeMap::new(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shelf.0.lock().unwrap()
    }

    /// Changes an instance.
    pub(crate) fn change<T>(&self, id: &InstanceId, change: impl FnOnce(&mut Member) -> T) -> T {
        change(self.state().member(id))
    }

    pub(crate) fn start_agent(&mut self, id: &InstanceId) {
        let port = || Port::new(self.shelf.clone(), id.clone());
        let local = LocalPorts::new(port(), port(), port(), port()).with_state(port());
        let group = GroupPorts::new(port(), port(), port(), port());
        let agent = AgentLoop::new(self.config.clone(), id.clone(), local, group)
            .with_targets(self.change(id, |member| targets(id, member)));
        let (ticks, hints) = (Shared::default(), Shared::default());
        let (tick_stream, hint_stream) = (items(&ticks), items(&hints));
        let (state, own) = (Arc::clone(&self.shelf.0), id.clone());
        let tell = move |event: AgentEvent| {
            if let AgentEvent::Found(finding) = event {
                let mut state = state.lock().unwrap();
                state.findings.push((own.clone(), finding.to_string()));
            }
        };
        let run = async move { agent.run(tick_stream, hint_stream, tell).await };
        let running = Running {
            run: Box::pin(run),
            flag: Arc::new(Flag(AtomicBool::new(true))),
            ticks,
            hints,
        };
        self.agents.insert(id.clone(), running);
    }

    /// The agent is killed: what is under way is dropped.
    pub(crate) fn kill_agent(&mut self, id: &InstanceId) {
        self.agents.remove(id);
        self.change(id, |member| member.under_way.clear());
    }

    pub(crate) fn has_agent(&self, id: &InstanceId) -> bool {
        self.agents.contains_key(id)
    }

    pub(crate) fn hint(&mut self, id: &InstanceId) {
        push(&self.agents[id].hints, ());
        self.poll();
    }

    /// So many seconds pass.
    pub(crate) fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.state().pass();
            for (id, agent) in &self.agents {
                push(&agent.ticks, self.state().wall(id));
            }
            self.poll();
        }
    }

    /// Lets time pass until it holds, for at most so many seconds.
    pub(crate) fn until(&mut self, seconds: i64, holds: impl Fn(&mut State) -> bool) -> bool {
        for _ in 0..seconds {
            if holds(&mut self.state()) {
                return true;
            }
            self.pass(1);
        }
        holds(&mut self.state())
    }

    fn poll(&mut self) {
        loop {
            let mut is_quiet = true;
            let mut ended = vec![];
            for (id, agent) in &mut self.agents {
                if !agent.flag.0.swap(false, Ordering::Relaxed) {
                    continue;
                }
                is_quiet = false;
                let waker = Waker::from(Arc::clone(&agent.flag));
                let mut context = Context::from_waker(&waker);
                if let Poll::Ready(ending) = agent.run.as_mut().poll(&mut context) {
                    ended.push((id.clone(), ending));
                }
            }
            for (id, ending) in ended {
                self.agents.remove(&id);
                self.endings.insert(id, ending);
            }
            if is_quiet {
                return;
            }
        }
    }

    /// What was done by or to an instance, by the names of the calls.
    pub(crate) fn calls(&self, id: &InstanceId, prefix: &str) -> Vec<(i64, String)> {
        let state = self.state();
        let own = state.journal.iter().filter(|(_, of, _)| of == id);
        own.filter(|(_, _, call)| call.starts_with(prefix))
            .map(|(at, _, call)| (*at, call.clone()))
            .collect()
    }

    pub(crate) fn found(&self, text: &str) -> usize {
        let state = self.state();
        let found = state
            .findings
            .iter()
            .filter(|(_, said)| said.contains(text));
        found.count()
    }
}

impl Shelf {
    /// Notes a call and waits as long as it takes here. Returns the kind of failure that is to be met.
    pub(crate) async fn call(
        &self,
        id: &InstanceId,
        name: &'static str,
        detail: &str,
    ) -> Option<PortErrorKind> {
        let (until, failure) = {
            let mut state = self.0.lock().unwrap();
            let now = state.now;
            state
                .journal
                .push((now, id.clone(), format!("{name}{detail}")));
            let member = state.member(id);
            let count = member.under_way.entry(name).or_default();
            *count += 1;
            assert_eq!(*count, 1, "two calls to {name} at once");
            let slow = member.slow.get(name).copied().unwrap_or(0);
            (now + slow, member.failing.get(name).copied())
        };
        std::future::poll_fn(|context| {
            let mut state = self.0.lock().unwrap();
            if state.now >= until {
                return Poll::Ready(());
            }
            state.sleepers.push(context.waker().clone());
            Poll::Pending
        })
        .await;
        let mut state = self.0.lock().unwrap();
        state.member(id).under_way.remove(name);
        failure
    }
}
