//! Whether the machine may be given back, and whether its Jibri could record.

use std::{fs, io, path::PathBuf, time::Duration};

use jibri_scaler_core::agent::port::CheckResult;
use tokio::{task::spawn_blocking, time::timeout};

use crate::command::{self, OutOfMemory};

/// What the shell says where a command can't be executed, or is not there.
const NOT_STARTED: [i32; 2] = [126, 127];
/// So many files that are left over are named.
const NAMED: usize = 3;

/// What must be true before the machine is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReleaseCheck {
    /// This command ends with 0.
    Command(String),
    /// No file is in these folders, nor in any below them.
    NoFiles(Vec<PathBuf>),
}

impl ReleaseCheck {
    pub(crate) async fn run(&self, deadline: Duration) -> CheckResult {
        match self {
            Self::Command(command) => by_command(command, deadline).await,
            Self::NoFiles(folders) => no_files(folders.clone(), deadline).await,
        }
    }
}

/// The command is killed at the deadline. One that ended with another code than 0 has failed; one that could not do its work (it
/// is not there, was killed, took too long) has found nothing.
pub(crate) async fn by_command(command: &str, deadline: Duration) -> CheckResult {
    let run = match command::run(command, deadline, OutOfMemory::GoesFirst).await {
        Ok(run) => run,
        Err(error) => {
            return CheckResult::Inconclusive(format!("`{command}` could not be started: {error}"));
        }
    };
    let printed = run.on_one_line();
    let said = |what: String| {
        if printed.is_empty() {
            format!("`{command}` {what}")
        } else {
            format!("`{command}` {what}: {printed}")
        }
    };
    let Some(status) = run.status else {
        return CheckResult::Inconclusive(said(format!("did not end within {deadline:?}")));
    };
    match status.code() {
        Some(0) => CheckResult::Passed,
        Some(code) if NOT_STARTED.contains(&code) => {
            CheckResult::Inconclusive(said("could not be started".into()))
        }
        Some(code) => CheckResult::Failed(said(format!("ended with {code}"))),
        None => CheckResult::Inconclusive(said("was killed".into())),
    }
}

async fn no_files(folders: Vec<PathBuf>, deadline: Duration) -> CheckResult {
    // The folders may be on a network.
    let search = spawn_blocking(move || search(folders));
    match timeout(deadline, search).await {
        Ok(Ok(Ok(found))) if found.is_empty() => CheckResult::Passed,
        Ok(Ok(Ok(found))) => CheckResult::Failed(format!("there is still {}", found.join(", "))),
        Ok(Ok(Err(why))) => CheckResult::Inconclusive(why),
        Ok(Err(error)) => CheckResult::Inconclusive(error.to_string()),
        Err(_) => CheckResult::Inconclusive(format!(
            "the recordings could not be looked for within {deadline:?}"
        )),
    }
}

/// The first files that are found. A link is one, whatever it points to; an empty folder is what an upload leaves behind.
fn search(mut folders: Vec<PathBuf>) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let unreadable = |error: io::Error| {
            format!(
                "could not read {}: {error}; name the folder of the recordings with --recordings",
                folder.display()
            )
        };
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.file_type().map_err(unreadable)?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().display().to_string());
                if found.len() == NAMED {
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const AMPLE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn a_command_passes_fails_or_says_nothing() {
        let check = async |command: &str| by_command(command, AMPLE).await;
        assert_eq!(check("true").await, CheckResult::Passed);
        let failed = check("echo no upload; exit 2").await;
        let said = "`echo no upload; exit 2` ended with 2: no upload";
        assert_eq!(failed, CheckResult::Failed(said.into()));
        for (command, why) in [
            ("/nowhere/self-check", "could not be started"),
            ("/etc", "could not be started"),
            ("kill -9 $$", "was killed"),
        ] {
            let result = check(command).await;
            assert!(
                matches!(&result, CheckResult::Inconclusive(said) if said.contains(why)),
                "{result:?}"
            );
        }
        let late = by_command("sleep 1000", Duration::from_millis(10)).await;
        let said = "`sleep 1000` did not end within 10ms";
        assert_eq!(late, CheckResult::Inconclusive(said.into()));
    }

    #[tokio::test]
    async fn the_recordings_are_gone_when_no_file_is_left_at_any_depth() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (root.path().join("one"), root.path().join("two"));
        let check = ReleaseCheck::NoFiles(vec![one.clone(), two.clone()]);
        let missing = check.run(AMPLE).await;
        assert!(
            matches!(&missing, CheckResult::Inconclusive(why) if why.contains("--recordings")),
            "{missing:?}"
        );
        fs::create_dir_all(one.join("session/empty")).unwrap();
        fs::create_dir_all(two.join("session")).unwrap();
        assert_eq!(check.run(AMPLE).await, CheckResult::Passed);

        let link = one.join("session/link");
        symlink("/nowhere", &link).unwrap();
        let left = CheckResult::Failed(format!("there is still {}", link.display()));
        assert_eq!(check.run(AMPLE).await, left);
        fs::remove_file(link).unwrap();
        for number in 0..5 {
            fs::write(two.join("session").join(format!("{number}.mp4")), "").unwrap();
        }
        let CheckResult::Failed(why) = check.run(AMPLE).await else {
            panic!("recordings are left")
        };
        assert_eq!(why.matches(".mp4").count(), NAMED, "{why}");
    }

    const SELF_CHECK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/agent/self-check.sh");

    /// Runs the self check that is shipped, as the user of this test, with these settings.
    async fn self_check(settings: &str) -> CheckResult {
        let command = format!("JIBRI_USER=$(id -un) PAUSE=0 {settings} {SELF_CHECK}");
        by_command(&command, AMPLE).await
    }

    /// A browser that shows every page.
    fn chrome(folder: &tempfile::TempDir) -> String {
        let file = folder.path().join("chrome");
        fs::write(&file, "echo '<p>alive</p>'").unwrap();
        // Not executed by itself: a file that was just written may still be open in the child of another test.
        format!("CHROME=sh CHROME_FLAGS='{}'", file.display())
    }

    #[tokio::test]
    async fn the_shipped_self_check_wants_a_chrome_that_starts_and_a_connection_that_is_jibris() {
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let port = format!("XMPP_PORT={} XMPP_HOST=127.0.0.1", address.port());
        let chrome = chrome(&folder);
        let CheckResult::Failed(why) = self_check(&format!("{chrome} {port}")).await else {
            panic!("nobody is connected")
        };
        assert!(why.contains("no connection of"), "{why}");

        let _connected = tokio::net::TcpStream::connect(address).await.unwrap();
        assert_eq!(
            self_check(&format!("{chrome} {port}")).await,
            CheckResult::Passed
        );
        let CheckResult::Failed(why) = self_check(&format!("CHROME=false {port}")).await else {
            panic!("Chrome does not start")
        };
        assert!(why.contains("shows no page"), "{why}");

        let dead = tokio::net::TcpSocket::new_v4().unwrap();
        dead.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = dead.local_addr().unwrap().port();
        let port = format!("XMPP_PORT={port} XMPP_HOST=127.0.0.1");
        let result = self_check(&format!("{chrome} {port}")).await;
        assert!(matches!(result, CheckResult::Inconclusive(_)), "{result:?}");
    }
}
