use async_trait::async_trait;

use crate::{
    Timestamp,
    port::{PortError, forward},
};

/// Where Auto Scaling wants this instance to go: the target of its transition, not where it is.
///
/// The values of `autoscaling/target-lifecycle-state` in the
/// [instance metadata](https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html).
///
/// ```
/// use jibri_scaler_core::agent::port::TargetState;
///
/// assert_eq!(TargetState::from("Terminated"), TargetState::Terminated);
/// assert_eq!(TargetState::from("Warmed:Stopped"), TargetState::Warmed);
/// assert_eq!(TargetState::from("Elsewhere"), TargetState::Unknown("Elsewhere".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TargetState {
    /// It is to leave the group without ending.
    Detached,
    /// It is to be in service.
    InService,
    /// It is to be in standby.
    Standby,
    /// It is to end: drain.
    Terminated,
    /// It is to be in, or to end in, the warm pool: its Jibri is not started.
    Warmed,
    /// A target unknown here, as AWS wrote it.
    Unknown(Box<str>),
}

impl From<&str> for TargetState {
    fn from(text: &str) -> Self {
        match text {
            "Detached" => Self::Detached,
            "InService" => Self::InService,
            "Standby" => Self::Standby,
            "Terminated" => Self::Terminated,
            warmed if warmed.starts_with("Warmed:") => Self::Warmed,
            other => Self::Unknown(other.into()),
        }
    }
}

/// What the host announces of this instance's end.
///
/// ```
/// use jibri_scaler_core::{Timestamp, agent::port::Notices};
///
/// let mut notices = Notices::default();
/// notices.spot_ends_at = Some(Timestamp::from_secs(1_763_800_120));
/// assert_eq!(notices.event_at, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notices {
    /// When Spot takes the instance back, once it has said so: about two minutes ahead.
    pub spot_ends_at: Option<Timestamp>,
    /// The earliest time of a scheduled event that stops, reboots or retires the host.
    pub event_at: Option<Timestamp>,
}

/// The metadata of the instance that the agent runs on.
///
/// # Contract
/// - What is not there (HTTP 404) is `None`, never an error; what could not be read is an error, never `None`.
/// - Harmless and cancel-safe.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::{
///     agent::port::{InstanceMetadata, Notices, TargetState},
///     port::PortError,
/// };
///
/// /// A machine outside of EC2, of which nothing is announced.
/// struct OnMyDesk;
///
/// #[async_trait]
/// impl InstanceMetadata for OnMyDesk {
///     async fn target_state(&self) -> Result<Option<TargetState>, PortError> {
///         Ok(None)
///     }
///
///     async fn notices(&self) -> Result<Notices, PortError> {
///         Ok(Notices::default())
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait InstanceMetadata: Send + Sync {
    /// The target of this instance's lifecycle; `None` before its first transition, or outside a group.
    ///
    /// # Errors
    /// Where it could not be read.
    async fn target_state(&self) -> Result<Option<TargetState>, PortError>;

    /// What is announced of its end.
    ///
    /// # Errors
    /// Where it could not be read.
    async fn notices(&self) -> Result<Notices, PortError>;
}

forward!(InstanceMetadata {
    target_state() -> Result<Option<TargetState>, PortError>;
    notices() -> Result<Notices, PortError>;
});
