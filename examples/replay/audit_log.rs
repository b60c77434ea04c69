//! The audit log, from the file that is written to the decisions that are computed again.

use std::{
    collections::BTreeSet,
    fs,
    future::pending,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use jibri_scaler_core::{
    BusyStatus, Controller, HealthStatus, InstanceId, JibriStatus, PolicyFile, Timestamp,
    audit::Replay,
    observe::JoinedObserver,
    operator::OperatorCommand,
    port::{DrainClient, HealthProbe, PortErrorKind, Presence, ProbeOutcome, Target, Told},
    sim::{SimGroup, SimGroupConfig, SimOperation},
};

use crate::{audit::Counts, audit_file::AuditFile, memory_file::MemoryFile};

const POLICY: &str = "min_idle = 2\nidle_timeout = '30s'\nrefuse_at_most = '1%'";

/// Jibris that are idle, record for ever, or have gone.
#[derive(Default)]
struct Jibris {
    busy: Mutex<BTreeSet<InstanceId>>,
    gone: Mutex<BTreeSet<InstanceId>>,
}

impl Jibris {
    fn has_gone(&self, target: &Target) -> bool {
        self.gone.lock().unwrap().contains(&target.id)
    }
}

#[async_trait]
impl HealthProbe for Jibris {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        if self.has_gone(target) {
            return ProbeOutcome::Refused;
        }
        let busy = if self.busy.lock().unwrap().contains(&target.id) {
            BusyStatus::Busy
        } else {
            BusyStatus::Idle
        };
        ProbeOutcome::Answered(JibriStatus::new(busy, HealthStatus::Healthy))
    }
}

#[async_trait]
impl DrainClient for Jibris {
    async fn is_reachable(&self, target: &Target) -> bool {
        !self.has_gone(target)
    }

    async fn tell(&self, target: &Target) -> Told {
        self.gone.lock().unwrap().insert(target.id.clone());
        Told::Yes
    }

    async fn look(&self, target: &Target) -> Presence {
        if self.has_gone(target) {
            Presence::BothRefuse
        } else {
            Presence::Answers
        }
    }
}

/// A group, its Jibris, and the time.
struct World {
    group: Arc<SimGroup>,
    jibris: Arc<Jibris>,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let now = Timestamp::from_secs(1_795_341_600);
        let config = SimGroupConfig::new(0, 9, 3).unwrap();
        Self {
            group: Arc::new(SimGroup::new(config.with_start_in_service(true), now)),
            jibris: Arc::default(),
            now,
        }
    }

    fn controller(&self, folder: &Path) -> Controller {
        let file = PolicyFile::from_toml(POLICY).unwrap();
        let (group, jibris) = (Arc::clone(&self.group), Arc::clone(&self.jibris));
        let observer = JoinedObserver::new(Arc::clone(&group), Arc::clone(&jibris), || {
            Box::pin(pending())
        })
        .with_drain(Arc::clone(&jibris));
        Controller::new(file.policy(), file.limits, observer, group)
            .with_drain(jibris)
            .with_memory(MemoryFile::new(folder.join("memory.json")))
    }

    async fn tick(&mut self, controller: &mut Controller, audit: &mut AuditFile) -> Option<String> {
        let now = self.now;
        let result = controller.tick(now).await;
        let _ = self.group.advance(now);
        self.now = now + Duration::from_secs(10);
        audit.write(now, result, POLICY).await
    }
}

/// The files of a log, the oldest first.
fn files(path: &Path) -> Vec<String> {
    let older = |number: u32| path.with_added_extension(number.to_string());
    let numbers = (1..).take_while(|number| older(*number).exists());
    let mut files: Vec<_> = numbers
        .map(|number| fs::read_to_string(older(number)).unwrap())
        .collect();
    files.reverse();
    files.push(fs::read_to_string(path).unwrap());
    files
}

fn lines(text: Vec<u8>) -> usize {
    String::from_utf8(text).unwrap().lines().count()
}

/// How many decisions of these lines are computed again as they are recorded.
fn equal(text: &str) -> usize {
    let mut replay = Replay::default();
    let equal = text
        .lines()
        .filter(|line| replay.line(line).unwrap().is_equal());
    equal.count()
}

#[tokio::test]
async fn decisions_are_the_same_over_rotated_files_a_restart_and_a_command() {
    const TICKS: usize = 120;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let size = 40_000;
    let mut world = World::new();
    let mut controller = world.controller(folder.path());
    let mut audit = AuditFile::open(&path, size, 100).await.unwrap();
    let id = world.group.current().instances[0].id.clone();
    world.jibris.busy.lock().unwrap().insert(id);
    for tick in 0..TICKS {
        if tick == 40 {
            let other = world.group.current().instances[1].id.clone();
            let command = format!(r#"{{"kind":"retire","id":"{other}","reason":"no sound"}}"#);
            let command: OperatorCommand = serde_json::from_str(&command).unwrap();
            controller.command(&command, world.now).await.unwrap();
        }
        if tick == 60 {
            controller = world.controller(folder.path());
            drop(audit);
            audit = AuditFile::open(&path, size, 100).await.unwrap();
        }
        assert_eq!(world.tick(&mut controller, &mut audit).await, None);
    }
    let files = files(&path);
    assert!(files.len() > 5, "{} files", files.len());
    assert_eq!(equal(&files.concat()), TICKS);
    // Each file can be read without those before it.
    let each: usize = files.iter().map(|file| equal(file)).sum();
    assert_eq!(each, TICKS);
    let whole = files.concat();
    assert!(whole.contains("no sound") && whole.contains(r#""kind":"retire""#));
    assert!(files.iter().all(|file| file.len() as u64 <= size));
    // As `replay --audit` does it.
    let mut decisions = Vec::new();
    let differ = crate::audit::replay(None, whole.as_bytes(), &mut decisions, |_| {});
    assert_eq!(differ.unwrap(), Counts::default());
    let decisions = String::from_utf8(decisions).unwrap();
    assert_eq!(decisions.lines().count(), TICKS);
    // One that was recorded otherwise is found, and the others are not.
    let needle = r#""decision":{"at":"2026-11-22T10:13:20Z","wanted_spare":"#;
    assert!(whole.contains(needle), "{whole}");
    let forged = whole.replace(needle, &format!("{needle}1"));
    let mut lines = vec![];
    let out = std::io::sink();
    let differ = crate::audit::replay(None, forged.as_bytes(), out, |line| lines.push(line));
    assert_eq!((differ.unwrap().differ, lines), (1, vec![81]));
    // As ticks they are what another policy is tried on.
    let other = PolicyFile::from_toml("min_idle = 4").unwrap();
    crate::replay(&other, whole.as_bytes(), Vec::new()).unwrap();
}

#[tokio::test]
async fn a_tick_that_failed_has_a_line_on_which_nothing_rests() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut world = World::new();
    let mut controller = world.controller(folder.path());
    // So small that some files begin with a tick that failed.
    let mut audit = AuditFile::open(&path, 10_000, 100).await.unwrap();
    for tick in 0..60 {
        if tick % 3 == 0 {
            let (call, kind) = (SimOperation::List, PortErrorKind::Throttled);
            world.group.fail_next(call, kind);
        }
        assert_eq!(world.tick(&mut controller, &mut audit).await, None);
    }
    let files = files(&path);
    let failed = |line: &&str| line.contains(r#""failed":"the group could not be observed"#);
    let begins = files.iter().filter_map(|file| file.lines().next());
    assert!(begins.filter(failed).count() > 0, "{} files", files.len());
    let mut counts = Vec::new();
    for file in &files {
        let mut decisions = Vec::new();
        let replayed = crate::audit::replay(None, file.as_bytes(), &mut decisions, |_| {});
        let replayed = replayed.unwrap();
        counts.push((lines(decisions), replayed.differ, replayed.failed));
    }
    let sum = counts.iter().fold((0, 0, 0), |sum, file| {
        (sum.0 + file.0, sum.1 + file.1, sum.2 + file.2)
    });
    assert_eq!(sum, (40, 0, 20), "{counts:?}");
    // Between two of them a line goes on from the decision before, without the memory.
    let whole = files.concat();
    let all: Vec<_> = whole.lines().collect();
    let rests = |lines: &[&str]| failed(&lines[0]) && !lines[1].contains(r#""memory":"#);
    assert!(all.windows(2).any(rests), "{whole}");
    // Another policy is tried on what was seen.
    let mut decisions = Vec::new();
    let other = PolicyFile::from_toml("min_idle = 4").unwrap();
    crate::replay(&other, whole.as_bytes(), &mut decisions).unwrap();
    assert_eq!(lines(decisions), 40);
}

#[tokio::test]
async fn no_more_files_are_kept_than_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut world = World::new();
    let mut controller = world.controller(folder.path());
    // Smaller than a line: each is a file of its own.
    let mut audit = AuditFile::open(&path, 1, 3).await.unwrap();
    for _ in 0..8 {
        assert_eq!(world.tick(&mut controller, &mut audit).await, None);
    }
    let files = files(&path);
    assert_eq!(files.len(), 4);
    let times: Vec<_> = files.iter().map(|file| file[..30].to_owned()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(
        files
            .iter()
            .all(|file| file.lines().count() == 1 && equal(file) == 1)
    );
}

#[tokio::test]
async fn half_a_line_that_a_crash_has_left_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut world = World::new();
    let mut controller = world.controller(folder.path());
    let mut audit = AuditFile::open(&path, 1_000_000, 1).await.unwrap();
    world.tick(&mut controller, &mut audit).await;
    drop(audit);
    let whole = fs::read_to_string(&path).unwrap();
    for half in ["{\"at\":\"2026", &"x".repeat(200_000)] {
        fs::write(&path, format!("{whole}{half}")).unwrap();
        AuditFile::open(&path, 1_000_000, 1).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        fs::write(&path, half).unwrap();
        AuditFile::open(&path, 1_000_000, 1).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }
}

#[tokio::test]
async fn a_full_disk_is_said_once_and_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new();
    let mut controller = world.controller(folder.path());
    let mut audit = AuditFile::open(Path::new("/dev/full"), 1_000_000, 1)
        .await
        .unwrap();
    let said = world.tick(&mut controller, &mut audit).await.unwrap();
    assert!(
        said.contains("/dev/full") && said.contains("No space left") && said.contains("go on"),
        "{said}"
    );
    assert_eq!(world.tick(&mut controller, &mut audit).await, None);
}

#[tokio::test]
async fn what_is_missing_is_said_when_it_works_again_and_the_next_line_rests_on_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs").join("audit.jsonl");
    fs::create_dir(path.parent().unwrap()).unwrap();
    let mut world = World::new();
    let mut controller = world.controller(folder.path());
    let mut audit = AuditFile::open(&path, 1_000_000, 1).await.unwrap();
    assert_eq!(world.tick(&mut controller, &mut audit).await, None);
    let aside = folder.path().join("aside");
    fs::rename(path.parent().unwrap(), &aside).unwrap();
    assert!(world.tick(&mut controller, &mut audit).await.is_some());
    assert_eq!(world.tick(&mut controller, &mut audit).await, None);
    fs::rename(&aside, path.parent().unwrap()).unwrap();
    let said = world.tick(&mut controller, &mut audit).await.unwrap();
    assert!(said.contains("2 ticks are missing"), "{said}");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!((text.lines().count(), equal(&text)), (2, 2));
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named() {
    let error = AuditFile::open(Path::new("/nowhere/audit.jsonl"), 1, 1)
        .await
        .unwrap_err();
    assert!(error.contains("/nowhere/audit.jsonl"), "{error}");
}

#[tokio::test]
async fn a_log_that_somebody_writes_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut world = World::new();
    let mut controller = world.controller(folder.path());
    let mut audit = AuditFile::open(&path, 1_000_000, 1).await.unwrap();
    world.tick(&mut controller, &mut audit).await;
    // A line that is being written.
    let half = format!("{}{{", fs::read_to_string(&path).unwrap());
    fs::write(&path, &half).unwrap();
    let error = AuditFile::open(&path, 1_000_000, 1).await.unwrap_err();
    assert!(
        error.contains("audit.jsonl")
            && error.contains("give each replica an audit log of its own"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), half);
    // Its end gives it back.
    drop(audit);
    AuditFile::open(&path, 1_000_000, 1).await.unwrap();
}
