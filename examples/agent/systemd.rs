//! Jibris that systemd runs.

use std::{
    ffi::OsString,
    os::fd::OwnedFd,
    process::{Output, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jibri_scaler_core::{
    agent::port::ServiceState,
    port::{PortError, PortErrorKind},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::Pid,
};
use tokio::{process::Command, time::timeout};

const PROPERTIES: &str =
    "--property=LoadState,ActiveState,SubState,MainPID,ExecMainCode,ExecMainStatus";
const STATE_DEADLINE: Duration = Duration::from_secs(1);
const START_DEADLINE: Duration = Duration::from_secs(10);
/// Of units that did not run beside one that does, systemd is asked again after so long.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// `CLD_EXITED`: the main process ended by itself, with an exit code.
const EXITED: &str = "1";

/// The units of the Jibris on this machine.
#[derive(Debug)]
pub(crate) struct Systemd {
    /// `systemctl`, or what stands for it.
    systemctl: Vec<OsString>,
    units: Vec<String>,
    /// What systemd said last. While all of that runs which ran then, it is not asked again at once: `systemctl` each second would
    /// cost more than all the rest of the agent.
    said: Mutex<Option<Said>>,
}

/// What systemd said, and when.
#[derive(Debug)]
struct Said {
    at: Instant,
    states: Vec<ServiceState>,
    /// The processes that ran.
    running: Vec<OwnedFd>,
}

impl Said {
    /// Whether it need not be asked again: each process runs still that ran, and there was one.
    fn holds(&self) -> bool {
        let runs = |process: &OwnedFd| {
            let mut ended = [PollFd::new(process, PollFlags::IN)];
            poll(&mut ended, Some(&Timespec::default())) == Ok(0)
        };
        let all_ran = self.running.len() == self.states.len();
        !self.running.is_empty()
            && (all_ran || self.at.elapsed() < ASK_AGAIN)
            && self.running.iter().all(runs)
    }
}

impl Systemd {
    pub(crate) fn new(units: Vec<String>) -> Self {
        Self::with_systemctl(vec!["systemctl".into()], units)
    }

    fn with_systemctl(systemctl: Vec<OsString>, units: Vec<String>) -> Self {
        Self {
            systemctl,
            units,
            said: Mutex::default(),
        }
    }

    /// Of each unit; none at all where systemd could not say.
    pub(crate) async fn states(&self) -> Vec<ServiceState> {
        if let Some(states) = self.still_said() {
            return states;
        }
        let Ok(output) = self.call(&["show", PROPERTIES], STATE_DEADLINE).await else {
            return Vec::new();
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let units: Vec<_> = text.split("\n\n").map(Unit::parse).collect();
        if !output.status.success() || units.len() != self.units.len() {
            return Vec::new();
        }
        let states: Vec<_> = units.iter().map(Unit::state).collect();
        let pids = units.iter().filter_map(|unit| unit.main_pid);
        let said = Said {
            at: Instant::now(),
            states: states.clone(),
            // Where one has ended meanwhile, or the kernel can't say, systemd is asked the next time.
            running: pids.filter_map(watch).collect(),
        };
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
        states
    }

    /// Starts all units. One with a condition that does not hold stays down.
    pub(crate) async fn start(&self) -> Result<(), PortError> {
        let error = |why: String| {
            let operation = format!("start {}", self.units.join(", "));
            PortError::new(PortErrorKind::Transient, operation).with_source(why)
        };
        let output = self
            .call(&["start", "--no-block"], START_DEADLINE)
            .await
            .map_err(error)?;
        if output.status.success() {
            Ok(())
        } else {
            Err(error(String::from_utf8_lossy(&output.stderr).trim().into()))
        }
    }

    /// What it said last, where that holds still.
    fn still_said(&self) -> Option<Vec<ServiceState>> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let held = said.take().filter(Said::holds);
        let states = held.as_ref().map(|said| said.states.clone());
        *said = held;
        states
    }

    async fn call(&self, arguments: &[&str], deadline: Duration) -> Result<Output, String> {
        let [program, first @ ..] = self.systemctl.as_slice() else {
            return Err("there is no systemctl".into());
        };
        let output = Command::new(program)
            .args(first)
            .args(arguments)
            .arg("--")
            .args(&self.units)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        match timeout(deadline, output).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(format!("systemctl could not be run: {error}")),
            Err(_) => Err(format!("systemctl did not end within {deadline:?}")),
        }
    }
}

/// Something that becomes readable when the process ends, where the operating system has that.
#[cfg(target_os = "linux")]
fn watch(pid: Pid) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};

    pidfd_open(pid, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn watch(_: Pid) -> Option<OwnedFd> {
    None
}

/// What `systemctl show` says of one unit.
#[derive(Debug, Default)]
struct Unit<'a> {
    load: &'a str,
    active: &'a str,
    sub: &'a str,
    main_pid: Option<Pid>,
    /// How the main process ended last, and with what; 0 and 0 where it never ran, or has not ended.
    code: &'a str,
    status: &'a str,
}

impl<'a> Unit<'a> {
    fn parse(text: &'a str) -> Self {
        let mut unit = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match key {
                "LoadState" => unit.load = value,
                "ActiveState" => unit.active = value,
                "SubState" => unit.sub = value,
                "MainPID" => unit.main_pid = value.parse().ok().and_then(Pid::from_raw),
                "ExecMainCode" => unit.code = value,
                "ExecMainStatus" => unit.status = value,
                _ => {}
            }
        }
        unit
    }

    fn state(&self) -> ServiceState {
        if self.main_pid.is_some() {
            return ServiceState::Running;
        }
        match (self.load, self.active, self.code) {
            ("loaded", "activating" | "deactivating" | "reloading", _) => ServiceState::Running,
            // One that is there although its process has ended was made to say so.
            ("loaded", "active", _) if self.sub != "exited" => ServiceState::Running,
            ("loaded", "inactive", "0") => ServiceState::NotStarted,
            ("loaded", "inactive" | "failed", EXITED) => ServiceState::Ended {
                code: self.status.parse().ok(),
            },
            ("loaded", "inactive" | "failed", _) => ServiceState::Ended { code: None },
            _ => ServiceState::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// As systemd 252 printed them, for a unit set up like that of Jibri.
    fn shown(load: &str, active: &str, sub: &str, pid: u32, code: u8, status: u8) -> String {
        format!(
            "MainPID={pid}\nExecMainCode={code}\nExecMainStatus={status}\nLoadState={load}\nActiveState={active}\nSubState={sub}\n"
        )
    }

    #[test]
    fn what_systemd_shows_is_read() {
        let ended = |code| ServiceState::Ended { code };
        let cases = [
            (
                "running",
                shown("loaded", "active", "running", 26770, 0, 0),
                ServiceState::Running,
            ),
            (
                "killed, about to be restarted",
                shown("loaded", "activating", "auto-restart", 0, 2, 9),
                ServiceState::Running,
            ),
            (
                "being stopped",
                shown("loaded", "deactivating", "stop-sigterm", 26770, 0, 0),
                ServiceState::Running,
            ),
            (
                "told to end",
                shown("loaded", "failed", "failed", 0, 1, 255),
                ended(Some(255)),
            ),
            (
                "the failure was reset",
                shown("loaded", "inactive", "dead", 0, 1, 255),
                ended(Some(255)),
            ),
            (
                "killed, and not restarted since the latch was set",
                shown("loaded", "inactive", "dead", 0, 2, 9),
                ended(None),
            ),
            (
                "crashed too often",
                shown("loaded", "failed", "failed", 0, 1, 1),
                ended(Some(1)),
            ),
            (
                "dumped core",
                shown("loaded", "failed", "failed", 0, 3, 6),
                ended(None),
            ),
            (
                "could not be forked",
                shown("loaded", "failed", "failed", 0, 0, 0),
                ended(None),
            ),
            (
                "not started since boot",
                shown("loaded", "inactive", "dead", 0, 0, 0),
                ServiceState::NotStarted,
            ),
            (
                "no such unit",
                shown("not-found", "inactive", "dead", 0, 0, 0),
                ServiceState::Unknown,
            ),
            (
                "masked",
                shown("masked", "inactive", "dead", 0, 0, 0),
                ServiceState::Unknown,
            ),
            (
                "no service that stays",
                shown("loaded", "active", "exited", 0, 1, 0),
                ServiceState::Unknown,
            ),
            (
                "a word of another systemd",
                shown("loaded", "maintenance", "x", 0, 1, 255),
                ServiceState::Unknown,
            ),
            ("nothing", String::new(), ServiceState::Unknown),
        ];
        for (what, text, state) in cases {
            assert_eq!(Unit::parse(&text).state(), state, "{what}");
        }
    }

    /// Prints the file `shown` and counts its calls in the file `calls`.
    fn systemctl(folder: &Path, units: &[&str]) -> Systemd {
        fs::write(
            folder.join("systemctl"),
            "echo \"$@\" >>\"$0.calls\"\ncat \"$0.shown\"\n",
        )
        .unwrap();
        let systemctl = vec!["sh".into(), folder.join("systemctl").into()];
        Systemd::with_systemctl(systemctl, units.iter().map(ToString::to_string).collect())
    }

    fn show(folder: &Path, units: &[String]) {
        fs::write(folder.join("systemctl.shown"), units.join("\n")).unwrap();
    }

    fn calls(folder: &Path) -> usize {
        let calls = fs::read_to_string(folder.join("systemctl.calls"));
        calls.unwrap_or_default().lines().count()
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn systemd_is_asked_once_while_the_process_runs_and_again_when_it_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let systemd = systemctl(folder.path(), &["jibri.service"]);
        // Ends when its standard input is closed.
        let mut jibri = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = jibri.id().unwrap();
        show(
            folder.path(),
            &[shown("loaded", "active", "running", pid, 0, 0)],
        );
        for _ in 0..3 {
            assert_eq!(patient(&systemd).await, ServiceState::Running);
        }
        let asked = calls(folder.path());
        assert_eq!(asked, 1);

        drop(jibri.stdin.take());
        jibri.wait().await.unwrap();
        show(
            folder.path(),
            &[shown("loaded", "failed", "failed", 0, 1, 255)],
        );
        for _ in 0..2 {
            assert_eq!(
                patient(&systemd).await,
                ServiceState::Ended { code: Some(255) }
            );
        }
        assert!(calls(folder.path()) > asked + 1);
    }

    /// The end of one beside it that runs is seen, though not at once: its state is believed for some seconds.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn one_that_has_ended_is_seen_beside_one_that_runs() {
        let folder = tempfile::tempdir().unwrap();
        let systemd = systemctl(folder.path(), &["jibri@1.service", "jibri@2.service"]);
        let running = |pid| shown("loaded", "active", "running", pid, 0, 0);
        let start = || Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let (mut first, mut second) = (start(), start());
        let pids = [first.id().unwrap(), second.id().unwrap()];
        show(folder.path(), &pids.map(running));
        assert_eq!(patient(&systemd).await, ServiceState::Running);
        let ended = shown("loaded", "failed", "failed", 0, 1, 255);
        show(folder.path(), &[running(pids[0]), ended]);
        assert_eq!(systemd.states().await, [ServiceState::Running; 2]);

        second.kill().await.unwrap();
        let states = loop {
            let states = systemd.states().await;
            if !states.is_empty() {
                break states;
            }
        };
        let gone = ServiceState::Ended { code: Some(255) };
        assert_eq!(states, [ServiceState::Running, gone]);
        let asked = calls(folder.path());
        assert_eq!(systemd.states().await, states);
        assert_eq!(calls(folder.path()), asked);
        first.kill().await.unwrap();
    }

    #[tokio::test]
    async fn several_units_are_asked_for_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let systemd = systemctl(folder.path(), &["jibri@1.service", "jibri@2.service"]);
        let ended = |code| shown("loaded", "failed", "failed", 0, 1, code);
        show(folder.path(), &[ended(255), ended(1)]);
        assert_eq!(
            patient(&systemd).await,
            ServiceState::Ended { code: Some(1) }
        );
        let called = fs::read_to_string(folder.path().join("systemctl.calls")).unwrap();
        let line = format!("show {PROPERTIES} -- jibri@1.service jibri@2.service");
        assert_eq!(called.lines().next(), Some(line.as_str()));
        // One of them is missing in the answer.
        show(folder.path(), &[ended(255)]);
        assert_eq!(systemd.states().await, []);
    }

    #[tokio::test]
    async fn units_are_started_and_a_refusal_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let systemd = systemctl(folder.path(), &["jibri.service"]);
        show(folder.path(), &[]);
        systemd.start().await.unwrap();
        let called = fs::read_to_string(folder.path().join("systemctl.calls")).unwrap();
        assert_eq!(called, "start --no-block -- jibri.service\n");
        fs::write(
            folder.path().join("systemctl"),
            "echo 'Unit is masked.' >&2; exit 1",
        )
        .unwrap();
        let report = systemd.start().await.unwrap_err().report();
        assert_eq!(
            report,
            "could not start jibri.service (transient): Unit is masked."
        );
    }

    #[tokio::test]
    async fn without_systemd_nothing_is_known() {
        let systemd = Systemd::with_systemctl(
            vec!["/nowhere/systemctl".into()],
            vec!["jibri.service".into()],
        );
        assert_eq!(systemd.states().await, []);
        let report = systemd.start().await.unwrap_err().report();
        assert!(report.contains("systemctl could not be run"), "{report}");
    }

    /// A machine may be too slow for the deadline.
    async fn patient(systemd: &Systemd) -> ServiceState {
        loop {
            match ServiceState::of_all(&systemd.states().await) {
                ServiceState::Unknown => {}
                state => return state,
            }
        }
    }
}
