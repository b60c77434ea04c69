use std::time::Duration;

use crate::{
    OutOfRange,
    agent::port::{HookResult, Transition},
    time::readable,
};

/// A lifecycle hook of a simulated group.
///
/// Source: [`PutLifecycleHook`](https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html).
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{agent::port::{HookResult, Transition}, sim::SimHook};
///
/// let hook = SimHook::new(Transition::Terminating);
/// assert_eq!(hook.heartbeat_timeout(), Duration::from_secs(3600));
/// assert_eq!(hook.default_result(), HookResult::Abandon);
/// assert!(hook.with_heartbeat_timeout(Duration::from_secs(29)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimHook {
    transition: Transition,
    heartbeat_timeout: Duration,
    default_result: HookResult,
}

impl SimHook {
    /// A hook as AWS makes it by default: one hour, then ABANDON.
    #[must_use]
    pub const fn new(transition: Transition) -> Self {
        Self {
            transition,
            heartbeat_timeout: Duration::from_secs(3600),
            default_result: HookResult::Abandon,
        }
    }

    /// How long it waits, and how much longer after a heartbeat.
    ///
    /// # Errors
    /// Where it is outside 30 s–2 h.
    pub fn with_heartbeat_timeout(mut self, timeout: Duration) -> Result<Self, OutOfRange> {
        if !(Duration::from_secs(30)..=Duration::from_secs(7200)).contains(&timeout) {
            let value = format!("\"{}\"", readable(timeout));
            return Err(OutOfRange::new(
                "heartbeat_timeout",
                value,
                "\"30s\"–\"2h\"",
            ));
        }
        self.heartbeat_timeout = timeout;
        Ok(self)
    }

    /// What it does when it has waited long enough.
    #[must_use]
    pub const fn with_default_result(mut self, result: HookResult) -> Self {
        self.default_result = result;
        self
    }

    /// What it holds.
    #[must_use]
    pub const fn transition(&self) -> Transition {
        self.transition
    }

    /// How long it waits without a heartbeat.
    #[must_use]
    pub const fn heartbeat_timeout(&self) -> Duration {
        self.heartbeat_timeout
    }

    /// What it does when it has waited long enough.
    #[must_use]
    pub const fn default_result(&self) -> HookResult {
        self.default_result
    }

    /// How long it waits at most, whatever the heartbeats: a hundred timeouts, and no more than 48 hours.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        (100 * self.heartbeat_timeout).min(Duration::from_secs(48 * 3600))
    }
}
