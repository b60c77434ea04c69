use async_trait::async_trait;

use crate::port::{PortError, forward};

/// The process of a Jibri, as its supervisor (systemd, a container runtime) sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceState {
    /// It has not been started since the machine came up.
    NotStarted,
    /// It runs, or is being started or restarted.
    Running,
    /// It has ended, and the supervisor leaves it down.
    Ended {
        /// The exit code; `None` where a signal ended it, or the code is not known.
        code: Option<i32>,
    },
    /// The supervisor could not say.
    Unknown,
}

/// What a check on this machine gave.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CheckResult {
    /// All is well.
    Passed,
    /// It is not; what was found, for a human.
    Failed(String),
    /// The check did not end in time, or could not be started.
    Inconclusive(String),
}

/// The Jibri of this machine, or all of them, as processes.
///
/// # Contract
/// - [`state`](Self::state) never fails and ends within a second or so.
/// - The checks may take longer; they end by a deadline of their own, and are harmless.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait JibriService: Send + Sync {
    /// Where the process is. With several Jibris: running while any is; ended when all are, with the first code that is not 255.
    async fn state(&self) -> ServiceState;

    /// Starts it, as on an instance that leaves a warm pool. Starting one that runs changes nothing.
    ///
    /// # Errors
    /// Where the supervisor refused or could not be asked.
    async fn start(&self) -> Result<(), PortError>;

    /// Stops it at once, as before a Spot interruption: Jibri's internal `shutdown`, which ends the recording, finalizes it and
    /// exits. It may return before that is done.
    ///
    /// # Errors
    /// Where it is not known whether the request was taken.
    async fn stop_now(&self) -> Result<(), PortError>;

    /// Whether the machine may be given back: nothing is left on it that must be kept.
    async fn release_check(&self) -> CheckResult;

    /// Whether the Jibri could record if it were asked now.
    async fn self_check(&self) -> CheckResult;
}

forward!(JibriService {
    state() -> ServiceState;
    start() -> Result<(), PortError>;
    stop_now() -> Result<(), PortError>;
    release_check() -> CheckResult;
    self_check() -> CheckResult;
});
