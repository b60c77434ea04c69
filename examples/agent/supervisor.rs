//! Who runs the Jibris of this machine, and what that one says of them.

use std::time::Duration;

use jibri_scaler_core::{
    agent::port::ServiceState,
    port::{PortError, PortErrorKind},
};

use crate::{command, systemd::Systemd};

/// A Jibri that ended because it was told to.
const RETIRED: i32 = 255;
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
    /// Where all Jibris together are.
    pub(crate) async fn state(&self) -> ServiceState {
        let state = match self {
            Self::Systemd(systemd) => return systemd.state().await,
            Self::Commands { state, .. } => state,
        };
        match command::run(state, STATE_DEADLINE).await {
            Ok(run) if run.status.is_some_and(|status| status.success()) => {
                combined(run.output.lines().map(line_state))
            }
            _ => ServiceState::Unknown,
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
        match command::run(start, START_DEADLINE).await {
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

/// Running while any is, unknown while one may be, and ended when all are that were started, with the first code that is not 255.
pub(crate) fn combined(states: impl IntoIterator<Item = ServiceState>) -> ServiceState {
    let retired = ServiceState::Ended {
        code: Some(RETIRED),
    };
    let rank = |state: &ServiceState| match state {
        ServiceState::Running => 0,
        ServiceState::Ended { .. } if *state == retired => 3,
        ServiceState::Ended { .. } => 2,
        ServiceState::NotStarted => 4,
        // And what is not known here either.
        _ => 1,
    };
    let first = states.into_iter().min_by_key(rank);
    first.unwrap_or(ServiceState::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ended(code: i32) -> ServiceState {
        ServiceState::Ended { code: Some(code) }
    }

    #[test]
    fn several_jibris_run_while_one_does_and_have_ended_when_all_have() {
        use ServiceState::{NotStarted, Running, Unknown};
        let killed = ServiceState::Ended { code: None };
        let cases: [(&[ServiceState], ServiceState); 9] = [
            (&[ended(255), Running], Running),
            (&[Unknown, Running], Running),
            (&[ended(255), Unknown], Unknown),
            (&[ended(255), ended(255)], ended(255)),
            (&[ended(255), ended(0), ended(1)], ended(0)),
            (&[ended(255), killed], killed),
            (&[NotStarted, ended(255)], ended(255)),
            (&[NotStarted, NotStarted], NotStarted),
            (&[], Unknown),
        ];
        for (each, all) in cases {
            assert_eq!(combined(each.iter().copied()), all, "{each:?}");
        }
    }

    #[tokio::test]
    async fn containers_are_where_the_command_says() {
        let state = async |command: &str| {
            let commands = Supervisor::Commands {
                state: command.into(),
                start: None,
            };
            commands.state().await
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
