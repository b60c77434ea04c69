//! One agent per machine.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Write as _},
    path::Path,
};

/// Held while the agent runs. The operating system lets go of it however the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock beside the latch, of which there is one per machine too.
    pub(crate) fn beside(latch: &Path) -> Result<Self, String> {
        let mut path = latch.as_os_str().to_owned();
        path.push(".lock");
        let path = Path::new(&path);
        let cannot = |error| {
            format!(
                "could not lock {}, which keeps a second agent off: {error}; name a latch in a folder that the agent may write to",
                path.display()
            )
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(cannot)?;
        }
        // Not truncated: another agent may hold it.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut file = file.map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for a human.
                let _ = file.read_to_string(&mut holder);
                return Err(format!(
                    "another agent runs on this machine, with process id {}: two would count every Jibri twice; stop it first, or \
                     name all Jibris of this machine to one agent, each with --jibri",
                    holder.trim()
                ));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        let id = format!("{}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.write_all(id.as_bytes()))
            .map_err(cannot)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_is_refused_until_the_first_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let latch = folder.path().join("made/latch");
        let first = Lock::beside(&latch).unwrap();
        let refused = Lock::beside(&latch).unwrap_err();
        let id = format!("process id {}:", std::process::id());
        assert!(refused.contains(&id), "{refused}");
        drop(first);
        Lock::beside(&latch).unwrap();
    }

    #[test]
    fn a_lock_that_cannot_be_made_says_where() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let refused = Lock::beside(&folder.path().join("file/latch")).unwrap_err();
        assert!(refused.contains("file/latch.lock"), "{refused}");
    }
}
