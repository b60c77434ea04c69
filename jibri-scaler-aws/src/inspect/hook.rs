//! Lifecycle hooks.

use std::time::Duration;

use aws_sdk_autoscaling::types::LifecycleHook as Row;
use jibri_scaler_core::{
    agent::port::{HookResult, Transition},
    port::PortError,
};

use super::{Inspector, group::seconds};
use crate::failure::Failure;

/// The longest that any hook holds an instance
/// ([`PutLifecycleHook`](https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html)).
const LONGEST_HOLD: Duration = Duration::from_hours(48);

/// Heartbeats prolong the wait to so many times the timeout at most (ibidem).
const MOST_HEARTBEATS: u32 = 100;

/// A lifecycle hook of the group.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_aws::inspect::Hook;
/// use jibri_scaler_core::agent::port::{HookResult, Transition};
///
/// let hook = Hook::new("drain", Transition::Terminating, Duration::from_secs(30), HookResult::Abandon);
/// assert_eq!(hook.longest_hold, Duration::from_mins(50));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// What it holds; `None` for a transition that is not known here.
    pub transition: Option<Transition>,
    /// How long it holds an instance of which it hears nothing, 30 s to 2 h.
    pub heartbeat_timeout: Duration,
    /// How long it holds an instance at most, however many heartbeats come: 100 times the timeout, and not over 48 h.
    pub longest_hold: Duration,
    /// What becomes of an instance whose wait runs out.
    pub default_result: HookResult,
    /// Where AWS sends a message when an instance waits: the ARN of a queue or topic.
    pub notification_target: Option<String>,
}

impl Hook {
    /// A hook without a notification target, with the longest hold that follows from its timeout.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        transition: Transition,
        heartbeat_timeout: Duration,
        default_result: HookResult,
    ) -> Self {
        Self {
            name: name.into(),
            transition: Some(transition),
            heartbeat_timeout,
            longest_hold: longest_hold(heartbeat_timeout),
            default_result,
            notification_target: None,
        }
    }
}

impl Inspector {
    pub(super) async fn hooks(&self) -> Result<Vec<Hook>, PortError> {
        let answer = self
            .autoscaling
            .describe_lifecycle_hooks()
            .auto_scaling_group_name(self.name.as_str())
            .customize()
            .config_override(self.autoscaling_override(self.timeout))
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:DescribeLifecycleHooks", error)
                    .during(self.of_group("the lifecycle hooks"))
            })?;
        Ok(answer.lifecycle_hooks().iter().map(hook).collect())
    }
}

fn hook(row: &Row) -> Hook {
    // The default of AWS.
    let timeout = seconds(row.heartbeat_timeout).unwrap_or(Duration::from_hours(1));
    Hook {
        name: row.lifecycle_hook_name().unwrap_or_default().into(),
        transition: match row.lifecycle_transition() {
            Some("autoscaling:EC2_INSTANCE_LAUNCHING") => Some(Transition::Launching),
            Some("autoscaling:EC2_INSTANCE_TERMINATING") => Some(Transition::Terminating),
            _ => None,
        },
        heartbeat_timeout: timeout,
        longest_hold: seconds(row.global_timeout).unwrap_or_else(|| longest_hold(timeout)),
        default_result: match row.default_result() {
            Some("CONTINUE") => HookResult::Continue,
            // The default of AWS.
            _ => HookResult::Abandon,
        },
        notification_target: row
            .notification_target_arn
            .clone()
            .filter(|arn| !arn.is_empty()),
    }
}

fn longest_hold(timeout: Duration) -> Duration {
    LONGEST_HOLD.min(timeout.saturating_mul(MOST_HEARTBEATS))
}
