//! Files on a shared file system that hangs.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};

use futures_util::FutureExt as _;
use tokio::{
    sync::mpsc,
    task::yield_now,
    time::{Instant, advance, pause},
};

use super::*;
use crate::{audit_file::AuditFile, disk::LIMIT, support::memory_file::MemoryFile};

/// A file that nobody can open for reading alone, or for writing alone, as long as this is there.
struct Hanging(PathBuf);

impl Hanging {
    fn at(path: &Path) -> Self {
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
        Self(path.into())
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // Who waits for the other end has it now.
        let _ = File::options().read(true).write(true).open(&self.0);
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Lets the time pass that work on a file may take, until it is so: again, where a thread had not begun it yet.
async fn out_of_time(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_mins(1), "never: {what}");
        advance(LIMIT + Duration::from_millis(1)).await;
        for _ in 0..1000 {
            yield_now().await;
        }
    }
}

/// A group that is told when to tick.
struct Ticking {
    group: Group,
    ticks: mpsc::UnboundedSender<Timestamp>,
    now: Timestamp,
    _policy: NamedTempFile,
}

impl Ticking {
    async fn new(name: &str, controller: Controller, audit: Option<AuditFile>) -> Self {
        let (group, worker, policy) = kept(name, controller).await;
        let (ticks, times) = mpsc::unbounded_channel();
        let times = stream::unfold(times, |mut times| async move {
            Some((times.recv().await?, times))
        });
        tokio::spawn(worker.with_audit(audit).run(times.boxed()));
        Self {
            group,
            ticks,
            now: NOW,
            _policy: policy,
        }
    }

    /// One whose memory is in this file.
    async fn with_memory(memory: &Path, audit: Option<AuditFile>) -> Self {
        let (group, observer) = observer();
        let controller = controller(observer, group).with_memory(MemoryFile::new(memory));
        Self::new("hangs", controller, audit).await
    }

    async fn good() -> Self {
        Self::new("good", controller(observer().1, sim()), None).await
    }

    fn begin(&mut self) {
        self.now = self.now + Duration::from_secs(10);
        self.ticks.send(self.now).unwrap();
    }

    fn has_ticked(&self) -> bool {
        self.group.view().at == Some(self.now)
    }

    /// Three ticks, for which no time passes.
    async fn goes_on(&mut self) {
        let began = Instant::now();
        for _ in 0..3 {
            self.begin();
            until("a tick", || self.has_ticked()).await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    /// Waits until it has a problem that says this, for as long as work on a file may take.
    async fn says(&self, what: &str) -> String {
        let mut said = None;
        out_of_time(what, || {
            let view = self.group.view();
            said = view
                .problems
                .iter()
                .find(|said| said.contains(what))
                .cloned();
            said.is_some()
        })
        .await;
        said.unwrap()
    }
}

#[tokio::test]
async fn a_memory_that_cannot_be_read_costs_nothing_to_the_other_group_and_is_named() {
    pause();
    let folder = tempfile::tempdir().unwrap();
    let memory = folder.path().join("hangs.json");
    let hanging = Hanging::at(&memory);
    let (mut hangs, mut good) = (
        Ticking::with_memory(&memory, None).await,
        Ticking::good().await,
    );
    hangs.begin();
    good.goes_on().await;
    let view = hangs.group.view();
    assert!(view.at.is_none() && view.problems.is_empty(), "it waits");
    let said = hangs.says("after 4 s").await;
    assert!(
        said.contains("read the memory file") && said.contains("hangs.json"),
        "{said}"
    );
    hangs.begin();
    let said = hangs.says("not ended").await;
    assert!(said.contains("hangs.json"), "{said}");
    good.goes_on().await;
    // It is well again.
    drop(hanging);
    until("another tick", || {
        hangs.begin();
        hangs.group.view().at.is_some() && memory.exists()
    })
    .await;
}

#[tokio::test]
async fn a_memory_that_cannot_be_written_lets_its_own_group_grow_and_is_named() {
    pause();
    let folder = tempfile::tempdir().unwrap();
    let memory = folder.path().join("hangs.json");
    // Who writes it locks this first.
    let lock = folder.path().join("hangs.json.lock");
    let _hanging = Hanging::at(&lock);
    let (mut hangs, mut good) = (
        Ticking::with_memory(&memory, None).await,
        Ticking::good().await,
    );
    hangs.begin();
    good.goes_on().await;
    assert!(hangs.group.view().at.is_none(), "it waits");
    let said = hangs.says("after 4 s").await;
    assert!(
        said.contains("write the memory file") && said.contains("hangs.json"),
        "{said}"
    );
    hangs.begin();
    until("its second tick", || hangs.has_ticked()).await;
    assert!(hangs.says("not ended").await.contains("hangs.json"));
    assert_eq!(hangs.group.view().group.unwrap().desired, 2, "it has grown");
}

#[tokio::test]
async fn an_audit_log_that_cannot_be_written_costs_nothing_to_the_other_group_and_little_to_its_own()
 {
    pause();
    let folder = tempfile::tempdir().unwrap();
    let (memory, log) = (folder.path().join("memory"), folder.path().join("log"));
    let _hanging = Hanging::at(&log);
    // A pipe that is full takes nothing more until somebody reads.
    let mut full = File::options().read(true).write(true).open(&log).unwrap();
    full.write_all(&vec![b'\n'; 65536]).unwrap();
    let audit = AuditFile::open(&log, 1_000_000, 1).await.unwrap();
    let (mut hangs, mut good) = (
        Ticking::with_memory(&memory, Some(audit)).await,
        Ticking::good().await,
    );
    hangs.begin();
    until("its first tick", || hangs.has_ticked()).await;
    hangs.begin();
    good.goes_on().await;
    assert!(!hangs.has_ticked(), "it waits for its line");
    out_of_time("its second tick", || hangs.has_ticked()).await;
    // From then on it leaves lines out, and waits no more.
    hangs.goes_on().await;
    let mut rest = vec![0; 65536];
    full.read_exact(&mut rest).unwrap();
}

#[tokio::test]
async fn a_policy_file_that_cannot_be_read_keeps_the_policy() {
    pause();
    let (one, mut worker, file) = group("one", observer().1).await;
    worker.tick(NOW).await;
    std::fs::remove_file(file.path()).unwrap();
    let _hanging = Hanging::at(file.path());
    let mut tick = Box::pin(worker.tick(NOW + Duration::from_secs(10)));
    assert!((&mut tick).now_or_never().is_none());
    advance(LIMIT + Duration::from_millis(1)).await;
    tick.await;
    let said = one.view().said.clone().unwrap();
    assert!(
        said.contains("after 4 s") && said.contains("the policy stays as it was"),
        "{said}"
    );
    assert_eq!(one.view().at, Some(NOW + Duration::from_secs(10)));
}

/// A group in memory whose policy file hangs from the start on.
#[cfg(not(feature = "aws"))]
#[tokio::test]
async fn a_policy_file_that_hangs_is_waited_for_by_one_thread_however_often_it_is_looked_at() {
    use clap::Parser as _;

    use crate::{arguments::Arguments, keep, keeper::Fault, ports::World};

    pause();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    let hanging = Hanging::at(&path);
    let words = ["embed", &format!("--group=one={}", path.display())];
    let arguments = Arguments::try_parse_from(words).unwrap();
    let world = World::new(&arguments).await.unwrap();
    let mut preparing = Box::pin(keep(arguments, world));
    assert!((&mut preparing).now_or_never().is_none(), "it waits");
    advance(LIMIT + Duration::from_millis(1)).await;
    let (_, mut groups) = preparing.await.unwrap();
    let (_, mut keeper) = groups.remove(0);
    let fault = |begun| match begun {
        Err(Fault::Policy(why)) => why,
        Err(Fault::CommandLine(why)) => panic!("{why}"),
        Ok(_) => panic!("it hangs"),
    };
    let first = fault(keeper.begin().await);
    assert!(first.contains("after 4 s"), "{first}");
    for _ in 0..5 {
        // None of them waits, so that none has begun to read.
        let again = keeper.begin().now_or_never().expect("it does not wait");
        let again = fault(again);
        assert!(again.contains("has not ended"), "{again}");
    }
    // It is well again.
    drop(hanging);
    std::fs::write(&path, "report_ttl = '2m'").unwrap();
    let began = std::time::Instant::now();
    while let Err(fault) = keeper.begin().await {
        assert!(began.elapsed() < Duration::from_mins(1), "{fault:?}");
        yield_now().await;
    }
}
