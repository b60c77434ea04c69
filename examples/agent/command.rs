//! Commands of the operator, each with a deadline.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use futures_util::future::join;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
    time::timeout,
};

/// So much of the output is kept; the rest is read and dropped.
const KEPT: usize = 2048;

/// How a command went.
#[derive(Debug)]
pub(crate) struct Run {
    /// How it ended; `None` where it was killed at its deadline.
    pub(crate) status: Option<ExitStatus>,
    /// The beginning of what it printed.
    pub(crate) output: String,
}

impl Run {
    /// What it printed, for a line of a log.
    pub(crate) fn on_one_line(&self) -> String {
        let words: Vec<_> = self.output.split_whitespace().collect();
        words.join(" ")
    }
}

/// When memory runs out, whose turn it is to lose a process.
///
/// The agent's unit keeps the kernel from taking the agent's memory, and children inherit that: a Chrome of the self check would
/// outlive the one that records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutOfMemory {
    /// What the agent runs for itself goes before what Jibri runs.
    GoesFirst,
    /// As anything that the machine starts by itself: what a command starts may be the Jibri, and inherits this.
    AsUsual,
}

impl OutOfMemory {
    /// Runs first in the shell. To raise it needs no rights.
    fn raise(self) -> String {
        let least = match self {
            Self::GoesFirst => 500,
            Self::AsUsual => 0,
        };
        format!(
            "{{ read -r oom_adj </proc/self/oom_score_adj && [ \"$oom_adj\" -lt {least} ] && \
             echo {least} >/proc/self/oom_score_adj; }} 2>/dev/null\nunset oom_adj"
        )
    }
}

/// Runs a command of the shell. When it has ended, at its deadline, and where the future is dropped, every process of its group
/// is killed.
pub(crate) async fn run(
    command: &str,
    deadline: Duration,
    out_of_memory: OutOfMemory,
) -> io::Result<Run> {
    let mut child = Command::new("/bin/sh")
        .args([
            "-c",
            &format!("{}\nexec 2>&1\n{command}", out_of_memory.raise()),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let mut output = Vec::with_capacity(KEPT);
    let stdout = child.stdout.take();
    let ended = async {
        let status = child.wait().await;
        // What it left behind would keep the output open.
        drop(group);
        status
    };
    let both = join(ended, keep_beginning(stdout, &mut output));
    let status = match timeout(deadline, both).await {
        Ok((status, ())) => Some(status?),
        Err(_) => None,
    };
    Ok(Run {
        status,
        output: String::from_utf8_lossy(&output).into_owned(),
    })
}

async fn keep_beginning(source: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut source) = source else { return };
    let mut buffer = [0; 512];
    // What can't be read is not shown.
    while let Ok(length @ 1..) = source.read(&mut buffer).await {
        let room = KEPT - kept.len();
        kept.extend_from_slice(&buffer[..length.min(room)]);
    }
}

/// The processes of a command; they are killed when this is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // Where they have all ended there is nobody to kill.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OutOfMemory::GoesFirst, *};

    const AMPLE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn the_exit_code_and_both_outputs_are_told() {
        let run = run("echo out; echo  err >&2; exit 3", AMPLE, GoesFirst)
            .await
            .unwrap();
        assert_eq!(run.status.unwrap().code(), Some(3));
        assert_eq!(run.output, "out\nerr\n");
        assert_eq!(run.on_one_line(), "out err");
    }

    /// What the agent's unit sets for itself is inherited, and would keep all that a check starts.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn memory_is_taken_from_commands_before_it_is_taken_from_a_jibri() {
        let command = "cat /proc/self/oom_score_adj; (cat /proc/self/oom_score_adj)";
        assert_eq!(
            run(command, AMPLE, GoesFirst).await.unwrap().output,
            "500\n500\n"
        );
    }

    /// A Jibri that such a command starts would go first of all, or outlive what the machine needs more.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_jibri_that_a_command_starts_is_as_any_other() {
        let as_usual = OutOfMemory::AsUsual.raise();
        let score = |before: i32| {
            let script = format!(
                "echo {before} >/proc/self/oom_score_adj || exit 1\n{as_usual}\ncat /proc/self/oom_score_adj"
            );
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &script])
                .output();
            let output = output.unwrap();
            let score = String::from_utf8(output.stdout).unwrap();
            output.status.success().then(|| score.trim().to_owned())
        };
        assert_eq!(score(700).as_deref(), Some("700"));
        // As the agent's unit has it. Only root may lower it.
        assert!(matches!(score(-900).as_deref(), Some("0") | None));
    }

    #[tokio::test]
    async fn only_the_beginning_of_a_long_output_is_kept() {
        let run = run("yes | head -c 1000000; exit 1", AMPLE, GoesFirst)
            .await
            .unwrap();
        assert_eq!(run.status.unwrap().code(), Some(1));
        assert_eq!(run.output.len(), KEPT);
    }

    #[tokio::test]
    async fn what_a_command_leaves_behind_is_killed_at_its_end() {
        let run = run("sleep 1000 & echo $!", AMPLE, GoesFirst).await.unwrap();
        assert!(run.status.unwrap().success());
        until_gone(run.output.trim()).await;
    }

    #[tokio::test]
    async fn a_command_is_killed_at_its_deadline_with_all_that_it_started() {
        let run = run(
            "sh -c 'echo $$; sleep 1000' & wait",
            Duration::from_secs(1),
            GoesFirst,
        );
        let run = run.await.unwrap();
        assert!(run.status.is_none());
        let child = run.output.trim();
        until_gone(child).await;
    }

    #[tokio::test]
    async fn a_command_nobody_waits_for_any_more_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("id");
        let command = format!(
            "echo $$ >{0}.new; mv {0}.new {0}; sleep 1000",
            file.display()
        );
        let id = tokio::select! {
            run = run(&command, AMPLE, GoesFirst) => panic!("{run:?}"),
            id = async {
                loop {
                    if let Ok(id) = std::fs::read_to_string(&file) {
                        break id;
                    }
                    tokio::task::yield_now().await;
                }
            } => id,
        };
        until_gone(id.trim()).await;
    }

    /// Waits until the process has ended, if it is not yet reaped as well.
    async fn until_gone(id: &str) {
        let stat = format!("/proc/{}/stat", id.parse::<u32>().unwrap());
        // The state is the third field, after the name in brackets.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    }
}
