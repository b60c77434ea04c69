//! The audit log: every decision can be computed again from it.

use std::sync::Arc;

use futures_executor::block_on;
use jibri_scaler_core::{
    Controller, PolicyFile, Tick,
    audit::{AuditError, Recorder, Replay},
    operator::OperatorCommand,
    port::PortErrorKind,
    sim::SimOperation,
};

use crate::world::{INTERVAL, World, secs};

const POLICY: &str = "min_idle = 2\nidle_timeout = '60s'\nrefuse_at_most = '1%'";
const OTHER: &str = "min_idle = 0\nidle_timeout = '30s'";

fn controller(world: &World, policy: &str) -> Controller {
    let file = PolicyFile::from_toml(policy).unwrap();
    let group = Arc::clone(&world.group);
    Controller::new(file.policy(), file.limits, world.observer(), group)
        .with_drain(Arc::clone(&world.jibris))
        .with_memory(Arc::clone(&world.store))
        .with_interval(INTERVAL)
        .unwrap()
}

struct Log {
    recorder: Recorder,
    lines: Vec<String>,
    policy: &'static str,
}

impl Log {
    fn steps(&mut self, world: &mut World, controller: &mut Controller, ticks: u32) {
        for _ in 0..ticks {
            let report = world.step(controller);
            let entry = self.recorder.entry(&report, Some(self.policy));
            self.lines.push(serde_json::to_string(&entry).unwrap());
            self.recorder.written(&report, Some(self.policy));
        }
    }
}

/// Grows, fails, retires, is told things, restarts, and gets another policy.
fn log() -> Vec<String> {
    let mut world = World::running(0, 9, 1);
    let mut controller = controller(&world, POLICY);
    let mut log = Log {
        recorder: Recorder::default(),
        lines: vec![],
        policy: POLICY,
    };
    world
        .group
        .fail_next(SimOperation::SetCapacity, PortErrorKind::Transient);
    log.steps(&mut world, &mut controller, 25);
    let id = world.in_service()[0].clone();
    assert!(world.jibris.record_on(&id, secs(200)));
    let say = |json: String| serde_json::from_str::<OperatorCommand>(&json).unwrap();
    let retire = say(format!(
        r#"{{"kind":"retire","id":"{id}","reason":"no sound"}}"#
    ));
    block_on(controller.command(&retire, world.now)).unwrap();
    log.steps(&mut world, &mut controller, 5);
    // A restart: what is written next holds everything, since nobody knows what was written last.
    controller = self::controller(&world, POLICY);
    log.recorder = Recorder::default();
    log.steps(&mut world, &mut controller, 5);
    let file = PolicyFile::from_toml(OTHER).unwrap();
    controller
        .replace_policy(file.policy(), file.limits)
        .unwrap();
    log.policy = OTHER;
    log.steps(&mut world, &mut controller, 40);
    log.lines
}

fn has(line: &str, member: &str) -> bool {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line.get(member).is_some()
}

#[test]
fn each_decision_is_computed_again_to_the_last_bit() {
    let lines = log();
    let mut replay = Replay::default();
    let mut retired = 0;
    for line in &lines {
        let replayed = replay.line(line).unwrap();
        assert!(
            replayed.is_equal(),
            "{} {}",
            replayed.recorded,
            replayed.recomputed()
        );
        retired += replayed.decision.plan.retires().count();
    }
    assert!(retired >= 2, "by hand, and by the other policy");
    // From any line that holds everything, those before it are not needed.
    let whole = |line: &String| has(line, "memory") && has(line, "policy");
    let wholes = lines.iter().filter(|line| whole(line)).count();
    assert_eq!(wholes, 2, "the start and the restart");
    let from = lines.iter().rposition(whole).unwrap();
    let mut replay = Replay::default();
    assert!(
        lines[from..]
            .iter()
            .all(|line| replay.line(line).unwrap().is_equal())
    );
}

#[test]
fn what_the_line_before_says_is_not_repeated() {
    let lines = log();
    let with = |member| lines.iter().filter(|line| has(line, member)).count();
    assert_eq!(with("policy"), 3);
    let repeated = with("memory");
    assert!(repeated < lines.len() / 2, "{repeated} of {}", lines.len());
    // What became of the plan is recorded.
    let applied: Vec<_> = lines.iter().filter(|line| has(line, "applied")).collect();
    assert!(applied.iter().any(|line| line.contains(r#""failed"]"#)));
    assert!(
        lines
            .iter()
            .any(|line| line.contains(r#""from":"requested","to":"told""#))
    );
    assert!(lines.iter().any(|line| line.contains("(transient)")));
}

#[test]
fn a_line_is_a_tick() {
    for line in log() {
        let tick: Tick = serde_json::from_str(&line).unwrap();
        let again = serde_json::to_string(&tick).unwrap();
        assert!(line.starts_with(again.strip_suffix('}').unwrap()));
    }
}

#[test]
fn another_past_is_another_decision() {
    let lines = log();
    let changed = lines[0].replace("min_idle = 2", "min_idle = 5");
    assert!(!Replay::default().line(&changed).unwrap().is_equal());
    // Without what the operator said, the decision is another one.
    let at = lines
        .iter()
        .position(|line| line.contains("no sound"))
        .unwrap();
    let mut replay = Replay::default();
    for line in &lines[..at] {
        assert!(replay.line(line).unwrap().is_equal());
    }
    let mut line: serde_json::Value = serde_json::from_str(&lines[at]).unwrap();
    line.as_object_mut().unwrap().remove("memory").unwrap();
    assert!(!replay.line(&line.to_string()).unwrap().is_equal());
}

#[test]
fn a_line_that_cannot_be_computed_again_says_why() {
    let lines = log();
    let middle = lines.iter().find(|line| !has(line, "policy")).unwrap();
    let error = |line: &str| Replay::default().line(line).unwrap_err();
    assert!(matches!(error(middle), AuditError::NoPolicy));
    let mut replay = Replay::with_policy(PolicyFile::from_toml(POLICY).unwrap());
    let without = lines.iter().find(|line| !has(line, "memory")).unwrap();
    assert!(matches!(replay.line(without), Err(AuditError::NoMemory)));
    assert!(matches!(error("{}"), AuditError::Malformed(_)));
    let other = lines[0].replace("min_idle", "min_idel");
    assert!(matches!(error(&other), AuditError::Policy(_)));
    let other = lines[0].replacen(r#""version":1"#, r#""version":2"#, 1);
    assert!(matches!(error(&other), AuditError::Malformed(_)));
}
