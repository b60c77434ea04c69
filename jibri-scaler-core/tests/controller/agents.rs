//! Instances whose own agents drain them, in a group with the hook; and a group that somebody else scales.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_executor::block_on;
use jibri_scaler_core::{
    BusyStatus, Controller, DrainPath, Group, HealthStatus, Instance, InstanceId, JibriStatus,
    Lifecycle, Reachability, Timestamp,
    controller::{Applied, TickReport},
    observe::{AgentReport, AgentReports, FleetObserver, JoinedObserver},
    policy::MinIdle,
    port::{
        Decrement, GroupControl, GroupListing, Listing, MockDrainClient, MockGroupOwnership,
        PortError, PortErrorKind, ProbeOutcome, Target,
    },
    retirement::Phase,
};

use crate::{
    mocks::{Mocks, row, tick},
    world::{at, limits},
};

const IDLE: (BusyStatus, HealthStatus) = (BusyStatus::Idle, HealthStatus::Healthy);

/// A group whose rows a test changes, and what was asked of it.
#[derive(Default)]
struct Hooked {
    rows: Mutex<Vec<Instance>>,
    desired: Mutex<u32>,
    without_hook: Mutex<bool>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl GroupListing for Hooked {
    async fn list(&self) -> Result<Listing, PortError> {
        let group = Group::new(0, 9, *self.desired.lock().unwrap());
        let mut listing = Listing::new(group, self.rows.lock().unwrap().clone());
        listing.drains_on_termination = !*self.without_hook.lock().unwrap();
        Ok(listing)
    }
}

#[async_trait]
impl GroupControl for Hooked {
    async fn protect(&self, _: &[InstanceId]) -> Result<(), PortError> {
        Ok(())
    }

    async fn set_capacity(&self, desired: u32) -> Result<(), PortError> {
        self.asked.lock().unwrap().push(format!("set {desired}"));
        Ok(())
    }

    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(format!("terminate {id} {decrement:?}"));
        Ok(())
    }

    async fn complete_termination(&self, id: &InstanceId) -> Result<(), PortError> {
        self.asked.lock().unwrap().push(format!("complete {id}"));
        Ok(())
    }
}

/// Agents on all instances of a hooked group; nothing else answers.
struct World {
    group: Arc<Hooked>,
    reports: Arc<AgentReports>,
    now: i64,
}

impl World {
    fn new(ids: &[&str]) -> Self {
        let rows = ids.iter().map(|id| {
            let mut row = Instance::new(id.parse().unwrap(), Lifecycle::InService);
            row.protected = true;
            row
        });
        let group = Hooked {
            rows: Mutex::new(rows.collect()),
            desired: Mutex::new(u32::try_from(ids.len()).unwrap()),
            ..Hooked::default()
        };
        let world = Self {
            group: Arc::new(group),
            reports: Arc::default(),
            now: 0,
        };
        let ids: Vec<InstanceId> = ids.iter().map(|id| id.parse().unwrap()).collect();
        world.reports.list(&ids);
        world
    }

    fn observer(&self) -> JoinedObserver {
        let nobody = |_: &Target| ProbeOutcome::Refused;
        let deadline = || Box::pin(std::future::pending()) as std::pin::Pin<Box<_>>;
        JoinedObserver::new(Arc::clone(&self.group), Probe(nobody), deadline)
            .with_agents(Arc::clone(&self.reports), limits().report_ttl())
    }

    fn controller(&self, min_idle: u32) -> Controller {
        let policy = MinIdle::new(min_idle).unwrap();
        Controller::new(policy, limits(), self.observer(), Arc::clone(&self.group))
    }

    fn report(&self, id: &str, (busy, health): &(BusyStatus, HealthStatus)) {
        let status = JibriStatus::new(busy.clone(), health.clone());
        let report = AgentReport::new(at(self.now), status, "0.1.0");
        self.reports.receive(&id.parse().unwrap(), report).unwrap();
    }

    fn step(&mut self, controller: &mut Controller) -> TickReport {
        let report = tick(controller, self.now);
        self.now += 10;
        report
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.group.asked.lock().unwrap())
    }
}

struct Probe<F>(F);

#[async_trait]
impl<F: Fn(&Target) -> ProbeOutcome + Send + Sync> jibri_scaler_core::port::HealthProbe
    for Probe<F>
{
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        (self.0)(target)
    }
}

#[test]
fn a_surplus_one_with_an_agent_is_ended_through_the_hook_with_a_decrement_and_never_told_from_here()
{
    let mut world = World::new(&["i-1", "i-2"]);
    let mut controller = world.controller(1);
    let mut asked = Vec::new();
    for _ in 0..9 {
        for id in ["i-1", "i-2"] {
            world.report(id, &IDLE);
        }
        let report = world.step(&mut controller);
        assert!(report.problems.is_empty(), "{report}");
        asked.extend(world.asked());
    }
    assert_eq!(
        asked,
        ["terminate i-1 Yes"],
        "once, and only one of the two"
    );
    let retirement = &controller.memory().unwrap().retirements()[&"i-1".parse().unwrap()];
    assert_eq!(retirement.phase(), Phase::Terminating);
}

#[test]
fn without_the_hook_or_without_a_fresh_agent_nothing_is_ended() {
    for silent in [false, true] {
        let mut world = World::new(&["i-1", "i-2"]);
        *world.group.without_hook.lock().unwrap() = !silent;
        let mut controller = world.controller(1);
        for step in 0..30 {
            if !silent || step == 0 {
                world.report("i-1", &IDLE);
                world.report("i-2", &IDLE);
            }
            let _ = world.step(&mut controller);
        }
        let ended = world
            .asked()
            .into_iter()
            .any(|asked| asked.starts_with("terminate"));
        assert!(!ended, "silent: {silent}");
    }
}

#[test]
fn where_the_hook_goes_between_deciding_and_asking_it_is_not_asked() {
    let mut world = World::new(&["i-1"]);
    // Unhealthy and not busy: it goes at once.
    let unhealthy = (BusyStatus::Idle, HealthStatus::Unhealthy);
    world.report("i-1", &unhealthy);
    let mut controller = world.controller(0).with_dry_run(true);
    let _ = world.step(&mut controller);
    let mut controller = controller.with_dry_run(false);
    *world.group.without_hook.lock().unwrap() = true;
    world.report("i-1", &unhealthy);
    let _ = world.step(&mut controller);
    assert!(world.asked().is_empty());
    // With it back, it goes.
    *world.group.without_hook.lock().unwrap() = false;
    world.report("i-1", &unhealthy);
    let _ = world.step(&mut controller);
    assert_eq!(world.asked(), ["terminate i-1 Yes"]);
}

#[test]
fn a_lost_request_is_repeated_after_a_while_and_only_while_the_agent_is_there() {
    let mut world = World::new(&["i-1"]);
    let unhealthy = (BusyStatus::Idle, HealthStatus::Unhealthy);
    let mut controller = world.controller(0);
    let mut asked = 0;
    for _ in 0..7 {
        world.report("i-1", &unhealthy);
        let _ = world.step(&mut controller);
        asked += world.asked().len();
    }
    assert_eq!(asked, 2, "once, and once more after `report_ttl`");
    for _ in 0..40 {
        let _ = world.step(&mut controller);
    }
    assert!(world.asked().is_empty(), "its agent is silent");
    let retirement = &controller.memory().unwrap().retirements()[&"i-1".parse().unwrap()];
    assert_eq!(retirement.phase(), Phase::GivenUp);
}

#[test]
fn one_that_records_while_it_is_ended_takes_no_place_from_others() {
    let mut world = World::new(&["i-1", "i-2"]);
    let limits = limits().with_max_retire(1).unwrap();
    let policy = MinIdle::new(0).unwrap();
    let mut controller =
        Controller::new(policy, limits, world.observer(), Arc::clone(&world.group));
    let unhealthy = (BusyStatus::Idle, HealthStatus::Unhealthy);
    world.report("i-1", &unhealthy);
    world.report("i-2", &unhealthy);
    let _ = world.step(&mut controller);
    let first = world.asked();
    assert_eq!(first, ["terminate i-1 Yes"], "one place");
    world.group.rows.lock().unwrap()[0].lifecycle = Lifecycle::TerminatingWait;
    for _ in 0..2 {
        world.report("i-1", &(BusyStatus::Busy, HealthStatus::Healthy));
        world.report("i-2", &unhealthy);
        let _ = world.step(&mut controller);
    }
    assert_eq!(world.asked(), ["terminate i-2 Yes"]);
}

#[test]
fn an_agent_speaks_for_its_instance_and_is_ready_only_while_it_was_heard_just_now() {
    let mut world = World::new(&["i-1"]);
    let observer = world.observer();
    let seen = |world: &World| {
        let all = block_on(observer.observe(at(world.now))).unwrap();
        let row = &all.snapshot.instances()[0];
        (
            row.reachability,
            row.drain,
            row.report.as_ref().map(|report| report.received_at),
            all.failures.len(),
        )
    };
    world.report("i-1", &IDLE);
    assert_eq!(
        seen(&world),
        (Reachability::Answered, DrainPath::Agent, Some(at(0)), 0)
    );
    world.now = 22;
    assert_eq!(
        seen(&world),
        (Reachability::Answered, DrainPath::Agent, Some(at(0)), 0)
    );
    world.now = 23;
    assert_eq!(
        seen(&world),
        (Reachability::TimedOut, DrainPath::Agent, Some(at(0)), 0)
    );
    world.now = 46;
    assert_eq!(
        seen(&world),
        (Reachability::Refused, DrainPath::None, Some(at(0)), 1),
        "silent for longer than `report_ttl`, it is asked itself"
    );
}

#[test]
fn a_clock_that_steps_back_keeps_no_dead_agent_alive() {
    let mut world = World::new(&["i-1"]);
    let observer = world.observer();
    world.now = 10_000;
    world.report("i-1", &IDLE);
    let path = |now| {
        block_on(observer.observe(at(now)))
            .unwrap()
            .snapshot
            .instances()[0]
            .drain
    };
    assert_eq!(path(10_000), DrainPath::Agent);
    assert_eq!(path(100), DrainPath::Agent, "as if it was heard just now");
    assert_eq!(path(145), DrainPath::Agent);
    assert_eq!(path(146), DrainPath::None, "older than `report_ttl`");
}

/// Its own agent can drain it only where the hook holds it: without the hook it is told directly where that is possible.
#[test]
fn without_the_hook_one_whose_agent_is_heard_is_retired_directly_where_it_can_be_told() {
    for (without_hook, reachable, path) in [
        (true, true, DrainPath::Direct),
        (true, false, DrainPath::None),
        (false, true, DrainPath::Agent),
    ] {
        let world = World::new(&["i-1"]);
        *world.group.without_hook.lock().unwrap() = without_hook;
        let mut drain = MockDrainClient::new();
        drain.expect_is_reachable().return_const(reachable);
        let answers = |_: &Target| {
            ProbeOutcome::Answered(JibriStatus::new(BusyStatus::Busy, HealthStatus::Healthy))
        };
        let deadline = || Box::pin(std::future::pending()) as std::pin::Pin<Box<_>>;
        let observer = JoinedObserver::new(Arc::clone(&world.group), Probe(answers), deadline)
            .with_drain(drain)
            .with_agents(Arc::clone(&world.reports), limits().report_ttl());
        world.report("i-1", &IDLE);
        let all = block_on(observer.observe(at(5))).unwrap();
        let row = &all.snapshot.instances()[0];
        assert_eq!(row.drain, path, "{without_hook} {reachable}");
        assert_eq!(row.reachability, Reachability::Answered);
    }
}

#[test]
fn one_given_back_directly_is_let_go_by_the_hook_and_no_other_is() {
    let mocks = Mocks::default();
    let status = JibriStatus::new(BusyStatus::Idle, HealthStatus::Unhealthy);
    let mut group = Group::new(0, 10, 2);
    group.safe_retirement = true;
    let rows = |lifecycle: Lifecycle| {
        let mut waiting = row("i-1", status.clone());
        waiting.lifecycle = lifecycle;
        waiting.protected = true;
        let mut other = row(
            "i-2",
            JibriStatus::new(BusyStatus::Busy, HealthStatus::Healthy),
        );
        other.lifecycle = Lifecycle::TerminatingWait;
        vec![waiting, other]
    };
    let mut gone = rows(Lifecycle::InService);
    gone[0].reachability = Reachability::Refused;
    let completed = |mocks: &Mocks| -> Vec<String> {
        let calls = mocks.calls().into_iter();
        calls.filter(|call| call.starts_with("complete")).collect()
    };
    // Told, both ports refuse for 45 s, given back.
    let _ = tick(
        &mut mocks.controller(0, group, rows(Lifecycle::InService)),
        0,
    );
    for secs in [10, 20, 30, 40, 50, 60, 70] {
        let _ = tick(&mut mocks.controller(0, group, gone.clone()), secs);
    }
    let released = mocks.saved.lock().unwrap().last().cloned().unwrap();
    assert!(released.retirements()[&"i-1".parse().unwrap()].was_released());
    assert_eq!(completed(&mocks), [""; 0], "it does not wait yet");
    let waiting = |secs: i64, drain| {
        let mut rows = rows(Lifecycle::TerminatingWait);
        rows[0].drain = drain;
        let _ = tick(&mut mocks.controller(0, group, rows), secs);
        completed(&mocks)
    };
    for secs in (80..=660).step_by(20) {
        let completed = waiting(secs, DrainPath::Direct);
        assert_eq!(completed, [""; 0], "an agent may be there unheard");
    }
    let completed = waiting(680, DrainPath::Agent);
    assert_eq!(completed, [""; 0], "its agent is heard, and does it");
    assert_eq!(waiting(700, DrainPath::Direct), ["complete i-1"]);
}

/// A port that says who else is there, and what was asked of it.
fn ownership(
    others: &Arc<Mutex<Result<Vec<String>, PortErrorKind>>>,
) -> (MockGroupOwnership, Arc<Mutex<Vec<&'static str>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut port = MockGroupOwnership::new();
    let (others, looks, marks) = (Arc::clone(others), Arc::clone(&asked), Arc::clone(&asked));
    port.expect_others().returning(move |_: Timestamp| {
        looks.lock().unwrap().push("look");
        let others = others.lock().unwrap().clone();
        others.map_err(|kind| PortError::new(kind, "look up the scaling policies"))
    });
    port.expect_mark().returning(move |_| {
        marks.lock().unwrap().push("mark");
        Ok(())
    });
    (port, asked)
}

#[test]
fn while_somebody_else_scales_the_group_it_is_only_observed() {
    let mocks = Mocks::default();
    let others = Arc::new(Mutex::new(Ok(vec!["scaling policy `grow`".to_owned()])));
    let (port, asked) = ownership(&others);
    let mut controller = mocks.busy_tick().with_ownership(port, false);
    for secs in [0, 10, 50] {
        let report = tick(&mut controller, secs);
        assert!(
            report
                .effects
                .iter()
                .all(|(_, became)| *became == Applied::Skipped)
        );
        let said = report.to_string();
        assert!(
            said.contains("scaling policy `grow` changes the size"),
            "{said}"
        );
    }
    assert_eq!(mocks.calls(), ["load", "observe", "observe", "observe"]);
    assert_eq!(
        *asked.lock().unwrap(),
        ["look"],
        "once a minute, and no mark"
    );
    *others.lock().unwrap() = Ok(vec![]);
    let report = tick(&mut controller, 60);
    assert!(
        report
            .effects
            .iter()
            .all(|(_, became)| *became == Applied::Done)
    );
    assert_eq!(*asked.lock().unwrap(), ["look", "look", "mark"]);
}

#[test]
fn it_may_be_told_to_take_over() {
    let mocks = Mocks::default();
    let others = Arc::new(Mutex::new(Ok(vec!["controller `a`".to_owned()])));
    let (port, asked) = ownership(&others);
    let mut controller = mocks.busy_tick().with_ownership(port, true);
    let report = tick(&mut controller, 0);
    assert!(
        report
            .effects
            .iter()
            .all(|(_, became)| *became == Applied::Done)
    );
    assert!(report.to_string().contains("controller `a`"), "{report}");
    assert_eq!(*asked.lock().unwrap(), ["look", "mark"]);
}

#[test]
fn where_it_cannot_look_it_does_not_act_until_it_has_looked_once() {
    let mocks = Mocks::default();
    let others = Arc::new(Mutex::new(Err(PortErrorKind::Throttled)));
    let (port, asked) = ownership(&others);
    let mut controller = mocks.busy_tick().with_ownership(port, false);
    let report = tick(&mut controller, 0);
    assert!(
        report
            .effects
            .iter()
            .all(|(_, became)| *became == Applied::Skipped)
    );
    assert_eq!(report.problems.len(), 1);
    *others.lock().unwrap() = Ok(vec![]);
    let report = tick(&mut controller, 10);
    assert!(
        report
            .effects
            .iter()
            .all(|(_, became)| *became == Applied::Done)
    );
    // Later failures do not stop it: what it saw last holds.
    *others.lock().unwrap() = Err(PortErrorKind::Transient);
    let report = tick(&mut controller, 100);
    assert_eq!(report.problems.len(), 1, "{report}");
    assert!(!asked.lock().unwrap().is_empty());
    assert!(
        report
            .effects
            .iter()
            .all(|(_, became)| *became == Applied::Done)
    );
}

#[test]
fn a_dry_run_leaves_no_mark() {
    let mocks = Mocks::default();
    let (port, asked) = ownership(&Arc::new(Mutex::new(Ok(vec![]))));
    let mut controller = mocks
        .busy_tick()
        .with_ownership(port, false)
        .with_dry_run(true);
    let _ = tick(&mut controller, 0);
    assert_eq!(*asked.lock().unwrap(), ["look"]);
}
