//! Keeps a controller's memory in a file.

mod durable;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use jibri_scaler_core::{
    Memory,
    port::{MemoryStore, PortError, PortErrorKind},
};

use crate::disk::{Disk, Patience};

/// A memory store in one JSON file, which is replaced as a whole. One file belongs to one group, and to all replicas that keep it.
///
/// Nothing that is late takes the place of what is newer. In one process one save comes after the other. Between replicas a file beside
/// it, `FILE.lock`, is locked while one is written, and a save that has taken longer than it may is given up as long as it has not begun to
/// rename. A rename that has begun can't be called back: where that hangs, and the file system takes the lock from a replica that it does
/// not hear any more (NFS after 90 s), it may still replace what another replica has saved. That is as if a save was lost: no recording is
/// in danger, and what was saved last comes again with the next save.
#[derive(Debug)]
pub(crate) struct MemoryFile {
    path: PathBuf,
    disk: Disk,
}

impl MemoryFile {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            disk: Disk::default(),
        }
    }

    fn error(&self, what: &str, error: io::Error) -> PortError {
        let kind = match error.kind() {
            io::ErrorKind::TimedOut => PortErrorKind::Transient,
            _ => PortErrorKind::Permanent,
        };
        PortError::new(
            kind,
            format!("{what} the memory file {}", self.path.display()),
        )
        .with_source(error)
    }
}

#[async_trait]
impl MemoryStore for MemoryFile {
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        let path = self.path.clone();
        let text = self.disk.run(move |_| match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => result.map(Some),
        });
        let Some(text) = text.await.map_err(|error| self.error("read", error))? else {
            return Ok(None);
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            // What is JSON and no memory says itself what to do.
            let advice = if error.is_data() {
                ""
            } else {
                ": remove it to start anew (which delays shrinking, and forgets what is paused and kept)"
            };
            self.error("understand", io::Error::other(format!("{error}{advice}")))
        })
    }

    async fn save(&self, memory: &Memory) -> Result<(), PortError> {
        let text = serde_json::to_vec(memory).map_err(|error| self.error("write", error.into()))?;
        let path = self.path.clone();
        let saved = self
            .disk
            .run(move |patience| write(&path, &text, patience))
            .await;
        saved.map_err(|error| self.error("write", error))
    }
}

fn write(path: &Path, text: &[u8], patience: &Patience) -> io::Result<()> {
    // Until this returns nobody else who keeps this group writes.
    let _lock = locked(path)?;
    patience.check()?;
    durable::replace_if(path, text, || patience.check())
}

/// Waits for the lock of this file. It ends with what is returned, or with the process.
fn locked(path: &Path) -> io::Result<File> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(beside)?;
    match lock.lock() {
        // Some file systems have no locks.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        result => result?,
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use jibri_scaler_core::{
        Timestamp,
        conformance::{MemoryStoreFixture, memory_store},
        operator::OperatorCommand,
    };
    use tokio::{
        task::yield_now,
        time::{advance, pause},
    };

    use super::*;
    use crate::disk::LIMIT;

    struct Files(tempfile::TempDir);

    #[async_trait]
    impl MemoryStoreFixture for Files {
        async fn create(&self) -> Box<dyn MemoryStore> {
            let _ = fs::remove_file(self.0.path().join("memory.json"));
            Box::new(MemoryFile::new(self.0.path().join("memory.json")))
        }

        async fn reopen(&self) -> Option<Box<dyn MemoryStore>> {
            Some(Box::new(MemoryFile::new(self.0.path().join("memory.json"))))
        }
    }

    #[tokio::test]
    async fn the_file_is_a_memory_store() {
        let files = Files(tempfile::tempdir().unwrap());
        memory_store(&files).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_no_memory_is_an_error_and_not_an_empty_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.json");
        for (text, why) in [
            ("{\"version\": 7}", "version 7"),
            ("", "remove it to start anew"),
            ("{\"version\": 1", "remove it to start anew"),
        ] {
            fs::write(&path, text).unwrap();
            let report = MemoryFile::new(&path).load().await.unwrap_err().report();
            assert!(
                report.contains("memory.json") && report.contains(why),
                "{report}"
            );
        }
    }

    /// A memory that is told from others by what is kept in it.
    fn keeping(id: &str) -> Memory {
        let command = format!(r#"{{"kind": "keep", "id": "{id}", "reason": "it is looked at"}}"#);
        let command: OperatorCommand = serde_json::from_str(&command).unwrap();
        let mut memory = Memory::default();
        memory.command(&command, Timestamp::from_secs(0)).unwrap();
        memory
    }

    /// Saves while somebody else has the lock, until it is given up.
    async fn given_up(store: &MemoryFile, memory: &Memory) -> PortError {
        let mut save = Box::pin(store.save(memory));
        for _ in 0..100 {
            assert!(
                (&mut save).now_or_never().is_none(),
                "it waits for the lock"
            );
            yield_now().await;
        }
        advance(LIMIT + Duration::from_millis(1)).await;
        save.await.unwrap_err()
    }

    #[tokio::test]
    async fn what_was_given_up_does_not_take_the_place_of_what_another_replica_saved_since() {
        pause();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.json");
        let (old, new) = (MemoryFile::new(&path), MemoryFile::new(&path));
        old.save(&keeping("i-first")).await.unwrap();
        let other = locked(&path).unwrap();
        let error = given_up(&old, &keeping("i-late")).await;
        assert_eq!(error.kind(), PortErrorKind::Transient);
        let report = error.report();
        assert!(
            report.contains("memory.json") && report.contains("after 4 s"),
            "{report}"
        );
        // What came before is there, and nothing else is begun.
        assert_eq!(new.load().await.unwrap(), Some(keeping("i-first")));
        let report = old.save(&keeping("i-later")).await.unwrap_err().report();
        assert!(
            report.contains("memory.json") && report.contains("not ended"),
            "{report}"
        );
        drop(other);
        new.save(&keeping("i-newer")).await.unwrap();
        // The late one has its turn, and does nothing.
        while old.load().await.is_err() {
            yield_now().await;
        }
        assert_eq!(old.load().await.unwrap(), Some(keeping("i-newer")));
        old.save(&keeping("i-newest")).await.unwrap();
        assert_eq!(new.load().await.unwrap(), Some(keeping("i-newest")));
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "the memory and its lock");
    }

    #[tokio::test]
    async fn a_save_that_was_dropped_comes_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.json");
        let store = MemoryFile::new(&path);
        let other = locked(&path).unwrap();
        let dropped = keeping("i-dropped");
        assert!(store.save(&dropped).now_or_never().is_none());
        drop(other);
        store.save(&keeping("i-next")).await.unwrap();
        assert_eq!(store.load().await.unwrap(), Some(keeping("i-next")));
    }

    #[tokio::test]
    async fn one_that_cannot_be_read_in_time_is_named_and_holds_up_nothing() {
        pause();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.json");
        // It is opened when somebody opens it for writing.
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let store = MemoryFile::new(&path);
        let mut load = Box::pin(store.load());
        assert!((&mut load).now_or_never().is_none());
        advance(LIMIT + Duration::from_millis(1)).await;
        let error = load.await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Transient);
        let report = error.report();
        assert!(
            report.contains("read the memory file") && report.contains("after 4 s"),
            "{report}"
        );
        drop(File::options().write(true).open(&path).unwrap());
    }
}
