//! The Jibris of this machine as the agent needs them.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use jibri_scaler_core::{
    agent::port::{CheckResult, JibriService, ServiceState},
    port::{PortError, PortErrorKind, Target, Told},
};
use jibri_scaler_http::HttpStop;

use crate::{
    checks::{ReleaseCheck, by_command},
    say,
    supervisor::Supervisor,
};

const RELEASE_DEADLINE: Duration = Duration::from_mins(5);
const SELF_DEADLINE: Duration = Duration::from_mins(1);

/// The Jibris of this machine: who runs them, how they are stopped, and what is checked.
#[derive(Debug)]
pub(crate) struct LocalService {
    pub(crate) supervisor: Supervisor,
    pub(crate) stop: HttpStop,
    pub(crate) targets: Vec<Target>,
    pub(crate) release_check: ReleaseCheck,
    pub(crate) self_check: Option<String>,
}

#[async_trait]
impl JibriService for LocalService {
    async fn states(&self) -> Vec<ServiceState> {
        self.supervisor.states().await
    }

    async fn start(&self) -> Result<(), PortError> {
        self.supervisor.start().await
    }

    async fn stop_now(&self) -> Result<(), PortError> {
        let told = join_all(self.targets.iter().map(|target| self.stop.stop_now(target))).await;
        let error = |why: &str| {
            PortError::new(PortErrorKind::Transient, "stop the Jibri at once").with_source(why)
        };
        if told.contains(&Told::Unknown) {
            Err(error(
                "it has not answered yet, as while its finalize script runs; the request stays under way",
            ))
        } else if told.contains(&Told::Yes) {
            // Those that refuse have ended already.
            Ok(())
        } else {
            Err(error("its internal port refused the connection"))
        }
    }

    async fn release_check(&self) -> CheckResult {
        told("release", self.release_check.run(RELEASE_DEADLINE).await)
    }

    async fn self_check(&self) -> CheckResult {
        match &self.self_check {
            Some(command) => told("self", by_command(command, SELF_DEADLINE).await),
            None => CheckResult::Passed,
        }
    }
}

/// What a check has found is in no event of the agent.
fn told(which: &str, result: CheckResult) -> CheckResult {
    match &result {
        CheckResult::Failed(why) => say(format_args!("the {which} check has failed: {why}")),
        CheckResult::Inconclusive(why) => {
            say(format_args!("the {which} check says nothing: {why}"));
        }
        _ => {}
    }
    result
}
