use crate::{
    InstanceId, Timestamp, Zone,
    agent::port::{HookResult, Transition},
};

/// Something that happened in a simulated group, and when.
///
/// ```
/// use jibri_scaler_core::{Timestamp, sim::{SimGroup, SimGroupConfig, SimEventKind}};
///
/// let start = Timestamp::from_secs(0);
/// let group = SimGroup::new(SimGroupConfig::new(0, 4, 1)?, start);
/// let events = group.advance(start);
/// assert!(matches!(&events[0].kind, SimEventKind::Launched { .. }));
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimEvent {
    /// When it happened, in the time of the group.
    pub at: Timestamp,
    /// What happened.
    pub kind: SimEventKind,
}

/// What can happen in a simulated group.
///
/// ```
/// use jibri_scaler_core::sim::SimEventKind;
///
/// assert_ne!(SimEventKind::LaunchFailed, SimEventKind::InService { id: "i-0".parse()? });
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SimEventKind {
    /// The group launched an instance, which is pending now.
    Launched {
        /// Its id.
        id: InstanceId,
        /// Its availability zone.
        zone: Zone,
    },
    /// A launch failed; the group tries again later.
    LaunchFailed,
    /// An instance came into service.
    InService {
        /// Its id.
        id: InstanceId,
    },
    /// A lifecycle hook holds an instance.
    HookWaits {
        /// Its id.
        id: InstanceId,
        /// Where it was going.
        transition: Transition,
    },
    /// A lifecycle hook holds an instance no longer.
    HookEnded {
        /// Its id.
        id: InstanceId,
        /// Where it was going.
        transition: Transition,
        /// With what result.
        result: HookResult,
        /// What ended the wait.
        how: HookEnd,
    },
    /// An instance is kept for a human, since its termination was abandoned.
    Retained {
        /// Its id.
        id: InstanceId,
    },
    /// An instance is on its way out. Its machine runs on while a hook holds it.
    Terminating {
        /// Its id.
        id: InstanceId,
        /// Why it goes.
        why: TerminationCause,
    },
    /// An instance is gone, and no longer listed.
    Terminated {
        /// Its id.
        id: InstanceId,
    },
}

impl SimEventKind {
    /// The instance that it happened to, if to one.
    #[must_use]
    pub const fn id(&self) -> Option<&InstanceId> {
        match self {
            Self::Launched { id, .. }
            | Self::InService { id }
            | Self::HookWaits { id, .. }
            | Self::HookEnded { id, .. }
            | Self::Retained { id }
            | Self::Terminating { id, .. }
            | Self::Terminated { id } => Some(id),
            Self::LaunchFailed => None,
        }
    }
}

/// Why an instance of a simulated group goes.
///
/// ```
/// use jibri_scaler_core::sim::TerminationCause;
///
/// assert_ne!(TerminationCause::ScaleIn, TerminationCause::Requested);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TerminationCause {
    /// The group was deleted.
    GroupDeleted,
    /// The lifecycle action of its launch was abandoned.
    LaunchAbandoned,
    /// It was named by [`terminate`](crate::port::GroupControl::terminate).
    Requested,
    /// The group chose it, to come down to its desired capacity.
    ScaleIn,
    /// The group noticed that its machine had ended behind its back.
    Unhealthy,
}

/// What ended the wait of a lifecycle hook.
///
/// ```
/// use jibri_scaler_core::sim::HookEnd;
///
/// assert_ne!(HookEnd::Completed, HookEnd::TimedOut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HookEnd {
    /// Somebody completed the action.
    Completed,
    /// The hook was deleted.
    Deleted,
    /// No heartbeat came in time, or the longest wait was over: the hook's default result was taken.
    TimedOut,
}
