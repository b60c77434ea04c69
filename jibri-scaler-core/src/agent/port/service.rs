use async_trait::async_trait;

use crate::port::{PortError, forward};

/// The process of a Jibri, as its supervisor (systemd, a container runtime) sees it.
///
/// ```
/// use jibri_scaler_core::agent::port::ServiceState;
///
/// let told_to_end = ServiceState::Ended { code: Some(255) };
/// let crashed = ServiceState::Ended { code: Some(1) };
/// assert_ne!(told_to_end, crashed);
/// ```
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

impl ServiceState {
    /// Where several are together: running while any is, unknown while one may be, and ended when all are that were started, with
    /// the first code that is not 255. None at all is unknown.
    ///
    /// ```
    /// use jibri_scaler_core::agent::port::ServiceState;
    ///
    /// let told_to_end = ServiceState::Ended { code: Some(255) };
    /// assert_eq!(ServiceState::of_all(&[told_to_end, ServiceState::Running]), ServiceState::Running);
    /// assert_eq!(ServiceState::of_all(&[told_to_end, ServiceState::NotStarted]), told_to_end);
    /// ```
    #[must_use]
    pub fn of_all(states: &[Self]) -> Self {
        let rank = |state: &&Self| match state {
            Self::Running => 0,
            Self::Unknown => 1,
            Self::Ended { code: Some(255) } => 3,
            Self::Ended { .. } => 2,
            Self::NotStarted => 4,
        };
        states
            .iter()
            .min_by_key(rank)
            .copied()
            .unwrap_or(Self::Unknown)
    }
}

/// What a check on this machine gave.
///
/// ```
/// use jibri_scaler_core::agent::port::CheckResult;
///
/// let of = |left: usize| match left {
///     0 => CheckResult::Passed,
///     left => CheckResult::Failed(format!("{left} recordings were not uploaded")),
/// };
/// assert_eq!(of(0), CheckResult::Passed);
/// ```
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
/// - [`states`](Self::states) never fails and ends within a second or so.
/// - The checks may take longer; they end by a deadline of their own, and are harmless.
/// - Cancellation: a [`start`](Self::start) or [`stop_now`](Self::stop_now) whose future is dropped may have been taken, and may be repeated.
///   A check whose future is dropped leaves no process behind. [`states`](Self::states) is harmless.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::{
///     agent::port::{CheckResult, JibriService, ServiceState},
///     port::PortError,
/// };
///
/// /// Nobody can say anything about the process, so that its machine is never given back.
/// struct Unseen;
///
/// #[async_trait]
/// impl JibriService for Unseen {
///     async fn states(&self) -> Vec<ServiceState> {
///         vec![ServiceState::Unknown]
///     }
///
///     async fn start(&self) -> Result<(), PortError> {
///         Ok(())
///     }
///
///     async fn stop_now(&self) -> Result<(), PortError> {
///         Ok(())
///     }
///
///     async fn release_check(&self) -> CheckResult {
///         CheckResult::Inconclusive("there is none".into())
///     }
///
///     async fn self_check(&self) -> CheckResult {
///         CheckResult::Inconclusive("there is none".into())
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait JibriService: Send + Sync {
    /// Where the process of each Jibri is, always in the same order. None at all is not known.
    async fn states(&self) -> Vec<ServiceState>;

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
    states() -> Vec<ServiceState>;
    start() -> Result<(), PortError>;
    stop_now() -> Result<(), PortError>;
    release_check() -> CheckResult;
    self_check() -> CheckResult;
});

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
            assert_eq!(ServiceState::of_all(each), all, "{each:?}");
        }
    }
}
