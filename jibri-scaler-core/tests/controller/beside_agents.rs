//! The controller and real agents over one group in memory, one second after the other.

use std::{
    collections::{BTreeMap, VecDeque},
    future::{Future, pending},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use futures_executor::block_on;
use futures_util::stream;
use jibri_scaler_core::{
    BusyStatus, Controller, HealthStatus, InstanceId, JibriStatus, Lifecycle, Limits, Timestamp,
    agent::{
        AgentConfig, AgentLoop, Ending, GroupPorts, LocalPorts,
        port::{
            CheckResult, HookResult, JibriService, Latch, LatchStore, ServiceState, Transition,
        },
    },
    native::{SHRINK_ENABLED, SHRINK_TAG},
    observe::{AgentReport, AgentReports, JoinedObserver},
    policy::MinIdle,
    port::{HealthProbe, PortError, ProbeOutcome, Target},
    sim::{HookEnd, SimEventKind, SimGroupConfig, SimHook, SimMetrics, TerminationCause},
};

use crate::{
    jibris::{BOOT, Jibris},
    world::{World, limits, secs},
};

/// What an agent has on its machine.
#[derive(Clone)]
struct Machine {
    id: InstanceId,
    jibris: Arc<Jibris>,
    /// Where the agent reports, if it does.
    reports: Option<Arc<AgentReports>>,
    now: Arc<Mutex<Timestamp>>,
    latch: Arc<Mutex<Option<Latch>>>,
    release_check: CheckResult,
}

#[async_trait]
impl HealthProbe for Machine {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        let outcome = self.jibris.probe(target).await;
        if let (Some(reports), Some(status)) = (&self.reports, outcome.status()) {
            let at = *self.now.lock().unwrap();
            let report = AgentReport::new(at, status.clone(), "0.1.0");
            // Before the controller has listed it there is no such instance.
            let _ = reports.receive(&self.id, report);
        }
        outcome
    }
}

#[async_trait]
impl JibriService for Machine {
    async fn states(&self) -> Vec<ServiceState> {
        vec![if self.jibris.is_up(&self.id) {
            ServiceState::Running
        } else {
            ServiceState::Ended { code: Some(255) }
        }]
    }

    async fn start(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn stop_now(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn release_check(&self) -> CheckResult {
        self.release_check.clone()
    }

    async fn self_check(&self) -> CheckResult {
        CheckResult::Passed
    }
}

#[async_trait]
impl LatchStore for Machine {
    async fn load(&self) -> Result<Option<Latch>, PortError> {
        Ok(self.latch.lock().unwrap().clone())
    }

    async fn set(&self, latch: &Latch) -> Result<(), PortError> {
        *self.latch.lock().unwrap() = Some(latch.clone());
        Ok(())
    }

    async fn clear(&self) -> Result<(), PortError> {
        *self.latch.lock().unwrap() = None;
        Ok(())
    }
}

type Run = Pin<Box<dyn Future<Output = Ending> + Send>>;
type Ticks = Arc<Mutex<VecDeque<Timestamp>>>;

/// A world whose instances have agents too.
struct Beside {
    world: World,
    agents: BTreeMap<InstanceId, (Run, Ticks)>,
    /// The time, for the agents.
    now: Arc<Mutex<Timestamp>>,
    reports: Arc<AgentReports>,
    /// Whether agents report to the controller, and it hears them.
    heard: bool,
    release_check: CheckResult,
    /// Whether anybody in service was ever unprotected.
    unprotected: bool,
}

impl Beside {
    fn new(count: u32, heard: bool, release_check: CheckResult) -> Self {
        let config = SimGroupConfig::new(0, 9, count).unwrap();
        let config = config
            .with_start_in_service(true)
            .with_new_instances_protected(true)
            .with_hook(SimHook::new(Transition::Terminating))
            .with_retention(true);
        let world = World::new(config);
        world.group.set_tag(SHRINK_TAG, SHRINK_ENABLED);
        let mut beside = Self {
            now: Arc::new(Mutex::new(world.now)),
            world,
            agents: BTreeMap::new(),
            reports: Arc::default(),
            heard,
            release_check,
            unprotected: false,
        };
        beside.world.advance(BOOT);
        beside
    }

    fn controller(&self, min_idle: u32, limits: Limits) -> Controller {
        let world = &self.world;
        let (group, jibris) = (Arc::clone(&world.group), Arc::clone(&world.jibris));
        let mut observer = JoinedObserver::new(Arc::clone(&group), Arc::clone(&jibris), || {
            Box::pin(pending())
        })
        .with_drain(Arc::clone(&jibris));
        if self.heard {
            observer = observer.with_agents(Arc::clone(&self.reports), limits.report_ttl());
        }
        let policy = MinIdle::new(min_idle).unwrap();
        Controller::new(policy, limits, observer, group).with_drain(jibris)
    }

    fn start_agent(&mut self, id: &InstanceId) {
        let machine = Machine {
            id: id.clone(),
            jibris: Arc::clone(&self.world.jibris),
            reports: self.heard.then(|| Arc::clone(&self.reports)),
            now: Arc::clone(&self.now),
            latch: Arc::default(),
            release_check: self.release_check.clone(),
        };
        let group = &self.world.group;
        let member = || group.member(id);
        let signal = SimMetrics::high_resolution(self.world.now);
        let local = LocalPorts::new(
            machine.clone(),
            Arc::clone(&self.world.jibris),
            machine.clone(),
            machine,
        );
        let ports = GroupPorts::new(member(), member(), signal, Arc::clone(group));
        let config = AgentConfig::default()
            .with_idle_timeout(secs(60))
            .unwrap()
            .with_launching_hook(false)
            .with_keep_protected(true);
        let agent = AgentLoop::new(config, id.clone(), local, ports);
        let ticks = Ticks::default();
        let clock = Arc::clone(&ticks);
        let clock = stream::poll_fn(move |_| match clock.lock().unwrap().pop_front() {
            Some(tick) => Poll::Ready(Some(tick)),
            None => Poll::Pending,
        });
        let run = async move { agent.run(clock, stream::pending(), |_| {}).await };
        self.agents.insert(id.clone(), (Box::pin(run), ticks));
    }

    /// So many seconds, with a tick of the controller each ten.
    fn pass(&mut self, controller: &mut Controller, seconds: u32) {
        for second in 0..seconds {
            let listing = self.world.group.current();
            for row in &listing.instances {
                let is_in_service = row.lifecycle == Lifecycle::InService;
                self.unprotected |= is_in_service && !row.protected;
                if is_in_service && !self.agents.contains_key(&row.id) {
                    self.start_agent(&row.id);
                }
            }
            for (id, (run, ticks)) in &mut self.agents {
                if self.world.group.is_running(id) {
                    ticks.lock().unwrap().push_back(self.world.now);
                    let mut context = Context::from_waker(Waker::noop());
                    for _ in 0..4 {
                        if run.as_mut().poll(&mut context).is_ready() {
                            *run = Box::pin(pending());
                        }
                    }
                }
            }
            if second % 10 == 0 {
                let report = block_on(controller.tick(self.world.now)).unwrap();
                assert_eq!(report.breaches, [], "{report}");
            }
            self.world.advance(secs(1));
            *self.now.lock().unwrap() = self.world.now;
        }
    }

    fn in_state(&self, lifecycle: &Lifecycle) -> usize {
        let rows = self.world.group.current().instances.into_iter();
        rows.filter(|row| row.lifecycle == *lifecycle).count()
    }

    fn launched(&self) -> usize {
        let launched = |kind: &SimEventKind| matches!(kind, SimEventKind::Launched { .. });
        let events = self.world.events.iter();
        events.filter(|event| launched(&event.kind)).count()
    }

    fn completed(&self) -> Vec<HookResult> {
        let completed = |kind: &SimEventKind| match kind {
            SimEventKind::HookEnded {
                result,
                how: HookEnd::Completed,
                ..
            } => Some(*result),
            _ => None,
        };
        let events = self.world.events.iter();
        events.filter_map(|event| completed(&event.kind)).collect()
    }
}

/// A controller that does not hear the agents (it takes no reports, or they have the wrong token) retires directly. The agent is there
/// all the same, and finds that something is left.
#[test]
fn an_agent_that_is_not_heard_keeps_what_was_not_uploaded() {
    // It fails after the third time.
    let hangs = CheckResult::Inconclusive("it hangs".into());
    let mut beside = Beside::new(2, false, hangs);
    let mut controller = beside.controller(1, limits());
    beside.pass(&mut controller, 1200);
    assert_eq!(beside.completed(), [HookResult::Abandon]);
    assert_eq!(beside.in_state(&Lifecycle::TerminatingRetained), 1);
    assert_eq!(beside.in_state(&Lifecycle::InService), 1);
}

/// The surplus goes through the controller alone, each instance once, and nothing is ever unprotected.
#[test]
fn agents_leave_size_and_protection_to_the_controller() {
    for heard in [true, false] {
        let mut beside = Beside::new(5, heard, CheckResult::Passed);
        let mut controller = beside.controller(2, limits());
        beside.pass(&mut controller, 3600);
        assert!(!beside.unprotected, "heard: {heard}");
        let gone = beside.world.gone();
        assert!(
            gone.iter()
                .all(|(_, why)| *why == TerminationCause::Requested)
        );
        assert_eq!(gone.len(), 3, "heard: {heard}");
        assert_eq!(beside.in_state(&Lifecycle::InService), 2);
        assert_eq!(beside.world.desired(), 2);
        assert_eq!(beside.completed(), [HookResult::Continue; 3]);
    }
}

/// Agent and controller see it at the same time, and both act.
#[test]
fn what_is_broken_for_both_is_replaced_once() {
    let broken = [
        JibriStatus::new(BusyStatus::Idle, HealthStatus::Unhealthy),
        JibriStatus::new(BusyStatus::Expired, HealthStatus::Healthy),
    ];
    for heard in [true, false] {
        for status in broken.clone() {
            let mut beside = Beside::new(2, heard, CheckResult::Passed);
            // The other one is spare enough, none goes as surplus meanwhile, and the group may not become smaller.
            beside.world.group.set_bounds(2, 9).unwrap();
            let limits = limits().with_surplus_hold(secs(7200)).unwrap();
            let mut controller = beside.controller(1, limits);
            beside.pass(&mut controller, 120);
            let launched = beside.launched();
            let id = beside.world.in_service()[0].clone();
            let case = format!("{status:?}, heard: {heard}");
            beside
                .world
                .jibris
                .change(&id, |jibri| jibri.health = Some(status));
            beside.pass(&mut controller, 3600);
            assert_eq!(
                beside.world.gone(),
                [(id, TerminationCause::Requested)],
                "{case}"
            );
            assert_eq!(beside.launched(), launched + 1, "{case}");
            assert_eq!(beside.in_state(&Lifecycle::InService), 2, "{case}");
            assert_eq!(beside.world.desired(), 2, "{case}");
            assert_eq!(beside.world.lost(), [], "{case}");
        }
    }
}
