//! One agent per machine.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Write as _},
    path::Path,
};

#[cfg(target_os = "linux")]
use std::{
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

/// Held while the agent runs. The operating system lets go of it however the process ends.
///
/// It is two locks. The one beside the latch keeps two agents from one latch. The other is a name that only one process of a
/// network namespace can have: agents of one namespace reach the same Jibris, wherever each keeps its latch, and those in containers
/// that have a namespace of their own don't.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
    #[cfg(target_os = "linux")]
    _name: UnixDatagram,
}

impl Lock {
    /// Takes the lock beside the latch, and that name. Elsewhere than on Linux there are no such names, and the first is all.
    pub(crate) fn take(latch: &Path, name: &str) -> Result<Self, String> {
        let file = beside(latch)?;
        #[cfg(not(target_os = "linux"))]
        let _ = name;
        Ok(Self {
            _file: file,
            #[cfg(target_os = "linux")]
            _name: named(name)?,
        })
    }
}

const TWO: &str = "two would count every Jibri twice; stop it first, or name all Jibris of this machine to one agent, each with \
                   --jibri";

/// The lock beside the latch. Its file tells whose it is.
fn beside(latch: &Path) -> Result<File, String> {
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
                "another agent runs on this machine, with process id {}: {TWO}",
                holder.trim()
            ));
        }
        Err(TryLockError::Error(error)) => return Err(cannot(error)),
    }
    let id = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.write_all(id.as_bytes()))
        .map_err(cannot)?;
    Ok(file)
}

/// An abstract Unix socket of that name, on which nobody sends anything.
#[cfg(target_os = "linux")]
fn named(name: &str) -> Result<UnixDatagram, String> {
    let address = SocketAddr::from_abstract_name(name);
    let socket = address.and_then(|address| UnixDatagram::bind_addr(&address));
    socket.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another agent runs on this machine, or in its network namespace, and has the lock @{name} (`ss -xap | grep @{name}` \
             names its process): {TWO}"
        ),
        _ => format!(
            "could not take the lock @{name}, which keeps a second agent off: {error}; name another with --host-lock"
        ),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::Arguments;

    /// No other process of this machine has it.
    fn name(of: &str) -> String {
        format!("jibri-scaler-test-{of}-{}", std::process::id())
    }

    #[test]
    fn a_second_agent_is_refused_until_the_first_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let latch = folder.path().join("made/latch");
        let (one, other) = (name("latch-one"), name("latch-other"));
        let first = Lock::take(&latch, &one).unwrap();
        let refused = Lock::take(&latch, &other).unwrap_err();
        let id = format!("process id {}:", std::process::id());
        assert!(refused.contains(&id), "{refused}");
        drop(first);
        Lock::take(&latch, &other).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_agent_with_another_latch_is_refused_too() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let taken = name("host");
        let first = Lock::take(&one, &taken).unwrap();
        let second = Arguments::parse_from([
            "agent",
            &format!("--latch={}", other.display()),
            &format!("--host-lock={taken}"),
        ]);
        let refused = crate::run(second).await.unwrap_err().to_string();
        assert!(
            refused.contains("another agent runs") && refused.contains(&format!("@{taken}")),
            "{refused}"
        );
        drop(first);
        let again = Lock::take(&other, &taken).unwrap();
        Lock::take(&one, &name("elsewhere")).unwrap();
        drop(again);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_cannot_be_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Lock::take(&folder.path().join("latch"), &"x".repeat(200)).unwrap_err();
        assert!(refused.contains("--host-lock"), "{refused}");
    }

    #[test]
    fn a_lock_that_cannot_be_made_says_where() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let refused = Lock::take(&folder.path().join("file/latch"), &name("nowhere")).unwrap_err();
        assert!(refused.contains("file/latch.lock"), "{refused}");
    }
}
