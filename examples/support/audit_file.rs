//! Appends a line per tick to a file that is rotated by its size.
//!
//! Rotation is our own: `file-rotate` takes a file that it can't open for one that is written, and a log that loses lines in silence
//! proves nothing.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    mem,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use jibri_scaler_core::{
    Timestamp,
    audit::{FailedTick, Recorder},
    controller::{TickError, TickReport},
};
use rustix::io::Errno;

use crate::disk::Disk;

/// An audit log: `FILE`, and before it `FILE.1`, `FILE.2` and so on, the older the higher.
///
/// Whatever goes wrong is said once, and nothing is held up by it for longer than [`LIMIT`](crate::disk::LIMIT), once: while a line can't be
/// written, those after it are left out. What was written is in the hands of the system, not yet on the disk: a crash of the machine may
/// lose the last lines.
///
/// One process writes it: a line leaves out what the line before has. While it does, it has the lock of `FILE.lock`.
#[derive(Debug)]
pub(crate) struct AuditFile {
    path: PathBuf,
    disk: Disk,
    log: Arc<Mutex<Log>>,
    /// How many lines were written. One that was given up may be written later.
    written: Arc<AtomicU64>,
    /// How many there should be by now, without those that were said to be missing.
    due: u64,
    fails: bool,
}

/// The file, which is touched by one piece of work at a time.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    /// A file that would become larger is put aside first.
    size: u64,
    /// How many are kept beside the one that is written.
    keep: u32,
    recorder: Recorder,
    /// Whether half a line may have been written.
    broken: bool,
    /// Kept here, so that a write which hangs keeps it too; given back with the process at the latest. Absent where it is no file, as a pipe.
    _lock: Option<File>,
}

impl AuditFile {
    /// Opens or makes the file, unless somebody else writes it. What a crash has left of a last line is cut off.
    pub(crate) async fn open(path: &Path, size: u64, keep: u32) -> Result<Self, String> {
        let disk = Disk::default();
        let opened = path.to_owned();
        let opened = disk.run(move |_| {
            let mut file = open(&opened)?;
            let lock = file.metadata()?.is_file().then(|| lock(&opened));
            let lock = lock.transpose()?;
            // Only now: before, it may be half a line that somebody else writes.
            cut_half_a_line(&mut file)?;
            Ok(lock)
        });
        let lock = opened
            .await
            .map_err(|error| format!("audit file {}: can't be opened: {error}", path.display()))?;
        let log = Log {
            path: path.into(),
            size,
            keep,
            recorder: Recorder::default(),
            broken: false,
            _lock: lock,
        };
        Ok(Self {
            path: path.into(),
            disk,
            log: Arc::new(Mutex::new(log)),
            written: Arc::default(),
            due: 0,
            fails: false,
        })
    }

    /// The same log, for whoever goes on with it after a defect: what hangs goes on to be waited for by nobody, and the lock stays.
    #[allow(dead_code, reason = "only `embed` starts anew")]
    pub(crate) fn again(&self) -> Self {
        Self {
            path: self.path.clone(),
            disk: self.disk.clone(),
            log: Arc::clone(&self.log),
            written: Arc::clone(&self.written),
            due: self.written.load(Ordering::SeqCst),
            fails: false,
        }
    }

    /// Writes the line of the tick of that time. Returns what is to be said about it, if anything.
    pub(crate) async fn write(
        &mut self,
        now: Timestamp,
        result: Result<TickReport, TickError>,
        policy: &str,
    ) -> Option<String> {
        self.due += 1;
        let (log, written) = (Arc::clone(&self.log), Arc::clone(&self.written));
        let policy = policy.to_owned();
        let appended = self.disk.run(move |_| {
            // What a panic has left is begun anew.
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.append(now, &result, &policy)?;
            written.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let path = self.path.display();
        match appended.await {
            Ok(()) if self.fails => {
                self.fails = false;
                let written = self.written.load(Ordering::SeqCst);
                let missing = self.due.saturating_sub(written);
                self.due = written;
                Some(format!(
                    "audit file {path}: written again; {missing} ticks are missing"
                ))
            }
            Ok(()) => None,
            Err(_) if self.fails => None,
            Err(error) => {
                self.fails = true;
                Some(format!(
                    "audit file {path}: can't be written: {error}; the ticks go on without it, and each tries again"
                ))
            }
        }
    }
}

impl Log {
    fn append(
        &mut self,
        now: Timestamp,
        result: &Result<TickReport, TickError>,
        policy: &str,
    ) -> io::Result<()> {
        let was_broken = mem::replace(&mut self.broken, true);
        // Opened anew each time, so that a file that somebody took away is made again.
        let mut file = open(&self.path)?;
        if was_broken {
            // On a full disk half a line may have been written, and what follows must not rest on a line that is not there.
            cut_half_a_line(&mut file)?;
            self.recorder.begin_anew();
        }
        let length = file.metadata()?.len();
        if length == 0 {
            self.recorder.begin_anew();
        }
        let mut line = self.line(now, result, policy)?;
        if length > 0 && length.saturating_add(line.len() as u64) > self.size {
            self.rotate()?;
            file = open(&self.path)?;
            self.recorder.begin_anew();
            line = self.line(now, result, policy)?;
        }
        file.write_all(&line)?;
        if let Ok(report) = result {
            self.recorder.written(report, Some(policy));
        }
        self.broken = false;
        Ok(())
    }

    fn line(
        &self,
        now: Timestamp,
        result: &Result<TickReport, TickError>,
        policy: &str,
    ) -> io::Result<Vec<u8>> {
        let mut line = match result {
            Ok(report) => serde_json::to_vec(&self.recorder.entry(report, Some(policy)))?,
            Err(error) => serde_json::to_vec(&FailedTick::new(now, error))?,
        };
        line.push(b'\n');
        Ok(line)
    }

    fn rotate(&self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            match fs::rename(self.older(number), self.older(number + 1)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        fs::rename(&self.path, self.older(1))
    }

    fn older(&self, number: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)
}

/// Takes the lock of a log, which ends with what is returned, or with the process.
fn lock(path: &Path) -> io::Result<File> {
    // Beside the file itself, where the path is a link to it, such as `/dev/stdout`.
    let mut beside = fs::canonicalize(path)?.into_os_string();
    beside.push(".lock");
    let named = |error: io::Error| {
        let lock = Path::new(&beside).display();
        io::Error::new(error.kind(), format!("its lock {lock}: {error}"))
    };
    let opened = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&beside);
    let lock = opened.map_err(named)?;
    match lock.try_lock() {
        // Some file systems have no locks, and NFS has none without its lock service.
        Err(TryLockError::Error(error))
            if error.kind() != io::ErrorKind::Unsupported
                && error.raw_os_error() != Some(Errno::NOLCK.raw_os_error()) =>
        {
            Err(named(error))
        }
        Err(TryLockError::WouldBlock) => Err(io::Error::other(
            "another process writes it, or a write to it hangs; give each replica an audit log of its own, and end the other one if it \
             is no replica",
        )),
        _ => Ok(lock),
    }
}

/// Cuts off what comes after the last line break.
fn cut_half_a_line(file: &mut File) -> io::Result<()> {
    const PART: u64 = 64 * 1024;
    let mut end = file.metadata()?.len();
    let length = end;
    let mut part = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(PART);
        file.seek(SeekFrom::Start(start))?;
        part.clear();
        (&*file).take(end - start).read_to_end(&mut part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if end < length {
        file.set_len(end)?;
    }
    Ok(())
}
