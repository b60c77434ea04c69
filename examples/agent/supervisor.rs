//! Who runs the Jibris of this machine, and what that one says of them.

use std::time::Duration;

use jibri_scaler_core::{
    agent::port::ServiceState,
    port::{PortError, PortErrorKind},
};

use crate::{
    command::{self, OutOfMemory},
    systemd::Systemd,
};

const STATE_DEADLINE: Duration = Duration::from_secs(2);
const START_DEADLINE: Duration = Duration::from_mins(1);

/// Who runs the Jibris.
#[derive(Debug)]
pub(crate) enum Supervisor {
    Systemd(Systemd),
    /// Two commands of the shell, for containers.
    Commands {
        /// Prints a line for each Jibri, as `docker inspect` does with `--format '{{.State.Status}} {{.State.ExitCode}}'`.
        state: String,
        start: Option<String>,
    },
}

impl Supervisor {
    /// Where each Jibri is; none at all where nobody could say.
    pub(crate) async fn states(&self) -> Vec<ServiceState> {
        let state = match self {
            Self::Systemd(systemd) => return systemd.states().await,
            Self::Commands { state, .. } => state,
        };
        match command::run(state, STATE_DEADLINE, OutOfMemory::GoesFirst).await {
            Ok(run) if run.status.is_some_and(|status| status.success()) => {
                run.output.lines().map(line_state).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(crate) async fn start(&self) -> Result<(), PortError> {
        let start = match self {
            Self::Systemd(systemd) => return systemd.start().await,
            Self::Commands { start, .. } => start,
        };
        let error = |kind, what: String| PortError::new(kind, "start the Jibri").with_source(what);
        let Some(start) = start else {
            let advice = "there is no --start-command that does it".into();
            return Err(error(PortErrorKind::Permanent, advice));
        };
        let failed = |what| error(PortErrorKind::Transient, format!("`{start}` {what}"));
        match command::run(start, START_DEADLINE, OutOfMemory::AsUsual).await {
            Ok(run) => match run.status {
                Some(status) if status.success() => Ok(()),
                Some(status) => Err(failed(format!(
                    "ended with {status}: {}",
                    run.on_one_line()
                ))),
                None => Err(failed(format!("did not end within {START_DEADLINE:?}"))),
            },
            Err(why) => Err(failed(format!("could not be run: {why}"))),
        }
    }
}

/// The words of `docker inspect`, and those of podman where they are others.
fn line_state(line: &str) -> ServiceState {
    let mut words = line.split_whitespace();
    let status = words.next().unwrap_or_default();
    let code = words.next().map(str::parse::<i32>);
    match (status, code) {
        ("created" | "configured" | "initialized", _) => ServiceState::NotStarted,
        ("running" | "restarting" | "paused" | "removing" | "stopping", _) => ServiceState::Running,
        ("exited" | "dead" | "stopped", Some(Ok(code))) => ServiceState::Ended { code: Some(code) },
        ("exited" | "dead" | "stopped", None) => ServiceState::Ended { code: None },
        _ => ServiceState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ended(code: i32) -> ServiceState {
        ServiceState::Ended { code: Some(code) }
    }

    #[tokio::test]
    async fn containers_are_where_the_command_says() {
        let state = async |command: &str| {
            let commands = Supervisor::Commands {
                state: command.into(),
                start: None,
            };
            ServiceState::of_all(&commands.states().await)
        };
        for (printed, expected) in [
            ("running 0", ServiceState::Running),
            ("restarting 255", ServiceState::Running),
            ("created 0", ServiceState::NotStarted),
            ("exited 255", ended(255)),
            ("exited", ServiceState::Ended { code: None }),
            ("exited today", ServiceState::Unknown),
            ("Error: no such object: jibri", ServiceState::Unknown),
            ("", ServiceState::Unknown),
            (r"exited 255\nrunning 0", ServiceState::Running),
            (r"exited 255\nexited 137", ended(137)),
        ] {
            let command = format!("printf '{printed}\\n'");
            assert_eq!(state(&command).await, expected, "{printed}");
        }
        assert_eq!(state("echo running; exit 1").await, ServiceState::Unknown);
    }

    #[tokio::test]
    async fn containers_are_started_by_the_command_and_not_without_one() {
        let start = async |command: Option<&str>| {
            let commands = Supervisor::Commands {
                state: "true".into(),
                start: command.map(Into::into),
            };
            commands.start().await.map_err(|error| error.report())
        };
        assert_eq!(start(Some("true")).await, Ok(()));
        let refused = start(Some("echo no such container; exit 1"))
            .await
            .unwrap_err();
        assert!(
            refused.ends_with("exit status: 1: no such container"),
            "{refused}"
        );
        assert!(start(None).await.unwrap_err().contains("--start-command"));
    }
}
