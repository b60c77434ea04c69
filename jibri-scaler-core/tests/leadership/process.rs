//! A process in which a replica runs: its clock, its part of the lease, and what it has begun.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jibri_scaler_core::{
    Timestamp,
    lease::{Lease, Record, Write},
    port::{Leadership, PortError, PortErrorKind},
};

use crate::{chance::Chance, time::Time, world::secs};

/// How long a lead lasts: three ticks.
pub(crate) const TTL: Duration = Duration::from_secs(30);

/// Where it is written who leads.
#[derive(Debug, Default)]
pub(crate) struct Table(Mutex<Option<Record>>);

impl Table {
    fn read(&self) -> Option<Record> {
        self.0.lock().unwrap().clone()
    }

    fn write(&self, write: &Write) -> bool {
        let mut stored = self.0.lock().unwrap();
        let fits = *stored == write.unless_changed;
        if fits {
            *stored = Some(write.record.clone());
        }
        fits
    }
}

/// How often the memory was saved, where the store refuses a save over what its process has not seen.
#[derive(Debug)]
pub(crate) struct Saves(Option<AtomicU64>);

impl Saves {
    pub(crate) fn new(refuses: bool) -> Self {
        Self(refuses.then(AtomicU64::default))
    }

    /// Whether those are refused that another replica has overtaken.
    pub(crate) const fn refuse(&self) -> bool {
        self.0.is_some()
    }

    fn now(&self) -> u64 {
        let saves = self.0.as_ref();
        saves.map_or(0, |saves| saves.load(Ordering::Relaxed))
    }
}

/// What is wrong between a process and what it calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wrong {
    /// The table can't be reached.
    pub(crate) cut_off: bool,
    /// Some calls fail, before or after they have acted.
    pub(crate) calls_fail: bool,
    /// Some calls take seconds.
    pub(crate) is_slow: bool,
}

#[derive(Debug)]
struct Inner {
    lease: Lease,
    chance: Chance,
    wrong: Wrong,
    failed: u64,
    /// Which save of the memory it has seen last, and how many of its own came too late.
    seen_save: u64,
    refused: u64,
    /// What was begun although it did not lead.
    unled: Vec<&'static str>,
    /// What has arrived in this tick although it did not lead any more, and when that was begun. Jibris are spoken to all at once.
    late: BTreeSet<(Timestamp, &'static str)>,
}

#[derive(Debug)]
pub(crate) struct Process {
    time: Arc<Time>,
    table: Arc<Table>,
    saves: Arc<Saves>,
    /// Its clock began anywhere, and runs a little too fast or too slow.
    offset: Duration,
    speed: f64,
    inner: Mutex<Inner>,
}

impl Process {
    pub(crate) fn new(
        name: &str,
        time: &Arc<Time>,
        (table, saves): &(Arc<Table>, Arc<Saves>),
        mut chance: Chance,
    ) -> Self {
        Self {
            time: Arc::clone(time),
            table: Arc::clone(table),
            saves: Arc::clone(saves),
            offset: secs(chance.below(1_000_000)),
            speed: 0.92 + 0.16 * chance.share(),
            inner: Mutex::new(Inner {
                lease: Lease::new(name, TTL).unwrap(),
                chance,
                wrong: Wrong::default(),
                failed: 0,
                seen_save: 0,
                refused: 0,
                unled: Vec::new(),
                late: BTreeSet::new(),
            }),
        }
    }

    pub(crate) fn set_wrong(&self, wrong: Wrong) {
        self.inner.lock().unwrap().wrong = wrong;
    }

    /// A tick begins.
    pub(crate) fn begin_tick(&self) {
        self.inner.lock().unwrap().late.clear();
    }

    /// What is wrong with what it has done.
    pub(crate) fn misdeed(&self) -> Option<String> {
        let inner = self.inner.lock().unwrap();
        if let Some(call) = inner.unled.first() {
            return Some(format!("{call} was begun by one that does not lead"));
        }
        (inner.late.len() > 1).then(|| format!("late in one tick: {:?}", inner.late))
    }

    /// How many calls have arrived late in this tick, at most one.
    pub(crate) fn late(&self) -> u64 {
        self.inner.lock().unwrap().late.len() as u64
    }

    pub(crate) fn failed(&self) -> u64 {
        self.inner.lock().unwrap().failed
    }

    /// How many of its saves were refused since they came too late.
    pub(crate) fn refused(&self) -> u64 {
        self.inner.lock().unwrap().refused
    }

    /// It has loaded the memory.
    pub(crate) fn loaded(&self) {
        self.inner.lock().unwrap().seen_save = self.saves.now();
    }

    /// It saves the memory, unless another has since it has loaded or saved. Then it has seen that.
    pub(crate) fn saves(&self) -> Result<(), PortError> {
        let mut inner = self.inner.lock().unwrap();
        let now = self.saves.now();
        if inner.seen_save != now {
            inner.seen_save = now;
            inner.refused += 1;
            let what = "save: another replica has saved since";
            return Err(PortError::new(PortErrorKind::Permanent, what));
        }
        if let Some(saves) = &self.saves.0 {
            inner.seen_save = saves.fetch_add(1, Ordering::Relaxed) + 1;
        }
        Ok(())
    }

    /// Time that passes on the way to another machine, or back.
    pub(crate) async fn wait(&self) {
        let takes = {
            let mut inner = self.inner.lock().unwrap();
            let slow = inner.wrong.is_slow && inner.chance.below(30) == 0;
            let most = if slow { 6000 } else { 300 };
            Duration::from_millis(20 + inner.chance.below(most))
        };
        self.time.until(self.time.now() + takes).await;
    }

    /// Fails now and then, while calls do.
    pub(crate) fn may_fail(&self, doing: &str) -> Result<(), PortError> {
        let mut inner = self.inner.lock().unwrap();
        if inner.wrong.calls_fail && inner.chance.below(8) == 0 {
            inner.failed += 1;
            return Err(PortError::new(PortErrorKind::Transient, doing));
        }
        Ok(())
    }

    /// Something is begun that only who leads may do. Returns when.
    pub(crate) fn begins(&self, call: &'static str) -> Timestamp {
        if !self.leads() {
            self.inner.lock().unwrap().unled.push(call);
        }
        self.time.now()
    }

    /// It arrives.
    pub(crate) fn arrives(&self, call: &'static str, begun: Timestamp) {
        if !self.leads() {
            self.inner.lock().unwrap().late.insert((begun, call));
        }
    }

    /// By its clock, which never goes back.
    fn clock(&self) -> Duration {
        let passed = self.time.now().since(Timestamp::from_secs(0));
        self.offset + passed.mul_f64(self.speed)
    }

    fn reach(&self, doing: &str) -> Result<(), PortError> {
        if self.inner.lock().unwrap().wrong.cut_off {
            return Err(PortError::new(PortErrorKind::Transient, doing));
        }
        self.may_fail(doing)
    }
}

/// The two calls of [`Lease`], as any table makes them.
#[async_trait]
impl Leadership for Process {
    async fn campaign(&self) -> Result<bool, PortError> {
        let begun = self.clock();
        self.wait().await;
        self.reach("read who leads")?;
        let stored = self.table.read();
        self.wait().await;
        let ended = self.clock();
        let write = self.inner.lock().unwrap().lease.read(stored, begun, ended);
        let Some(write) = write else { return Ok(false) };
        let begun = self.clock();
        self.wait().await;
        self.reach("write who leads")?;
        let written = self.table.write(&write);
        self.wait().await;
        // The answer may be lost although it was written.
        self.reach("write who leads")?;
        let mut inner = self.inner.lock().unwrap();
        if written {
            inner.lease.written(&write, begun);
        } else {
            inner.lease.refused();
        }
        drop(inner);
        Ok(self.leads())
    }

    fn leads(&self) -> bool {
        let clock = self.clock();
        self.inner.lock().unwrap().lease.leads(clock)
    }

    async fn resign(&self) -> Result<(), PortError> {
        let _ = self.inner.lock().unwrap().lease.resign(None);
        self.wait().await;
        self.reach("read who leads")?;
        let stored = self.table.read();
        self.wait().await;
        let write = self.inner.lock().unwrap().lease.resign(stored);
        if let Some(write) = write {
            self.wait().await;
            self.reach("give up the lead")?;
            self.table.write(&write);
        }
        Ok(())
    }
}
