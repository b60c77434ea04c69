//! What goes into the agent, and what comes out of it.

use std::time::Duration;

use crate::{
    Finding, Timestamp,
    agent::port::{
        CheckResult, DrainPoint, HookResult, Latch, Notices, OwnState, SavedState, ServiceState,
        SignalPoint, SignalSum, TargetState, Transition,
    },
    port::{Decrement, Listing, PortErrorKind, ProbeOutcome, Told},
};

/// Something that has happened: time has passed, or what came of an [`Act`].
///
/// ```
/// use jibri_scaler_core::agent::{ActKind, Input, port::ServiceState};
///
/// assert_eq!(Input::Service(vec![ServiceState::Running]).answers(), Some(ActKind::ReadService));
/// assert_eq!(Input::Tick.answers(), None);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Input {
    /// Time has passed. To be given about once a second.
    Tick,
    /// Somebody says that the health has changed: it is read now.
    Hint,
    /// What came of reading the health of each Jibri of this machine.
    Health(Vec<ProbeOutcome>),
    /// The target of the instance's lifecycle.
    Target(Result<Option<TargetState>, PortErrorKind>),
    /// What the host announces.
    Notices(Result<Notices, PortErrorKind>),
    /// Where the process of each Jibri of this machine is.
    Service(Vec<ServiceState>),
    /// What the group says of the instance.
    Own(Result<Option<OwnState>, PortErrorKind>),
    /// The latch that was found.
    LatchLoaded(Result<Option<Latch>, PortErrorKind>),
    /// Whether the latch was set.
    LatchSet(Result<(), PortErrorKind>),
    /// Whether the latch was removed.
    LatchCleared(Result<(), PortErrorKind>),
    /// What the agent before has saved.
    StateLoaded(Result<Option<SavedState>, PortErrorKind>),
    /// Whether the state was saved.
    StateSaved(Result<(), PortErrorKind>),
    /// What came of telling each Jibri of this machine, in the order of their [health](Self::Health).
    Told(Vec<Told>),
    /// Whether the points were published.
    Published(Result<(), PortErrorKind>),
    /// Whether the point of the drain was published.
    DrainPublished(Result<(), PortErrorKind>),
    /// Whether the protection was set.
    ProtectionSet(Result<(), PortErrorKind>),
    /// Whether an action waited that was prolonged.
    Heartbeat(Result<bool, PortErrorKind>),
    /// Whether an action waited that was completed.
    Completed(Result<bool, PortErrorKind>),
    /// Whether the end of the instance was accepted.
    Ended(Result<(), PortErrorKind>),
    /// Whether the Jibri was started.
    Started(Result<(), PortErrorKind>),
    /// Whether the request to stop at once was taken.
    Stopped(Result<(), PortErrorKind>),
    /// Whether the machine may be given back.
    ReleaseChecked(CheckResult),
    /// Whether the Jibri could record.
    SelfChecked(CheckResult),
    /// The sums of the window that was asked for.
    Sums(Result<Vec<SignalSum>, PortErrorKind>),
    /// The group and its instances.
    Listed(Result<Listing, PortErrorKind>),
}

impl Input {
    /// The kind of act that this is the outcome of.
    #[must_use]
    pub const fn answers(&self) -> Option<ActKind> {
        Some(match self {
            Self::Tick | Self::Hint => return None,
            Self::Health(_) => ActKind::ReadHealth,
            Self::Target(_) => ActKind::ReadTarget,
            Self::Notices(_) => ActKind::ReadNotices,
            Self::Service(_) => ActKind::ReadService,
            Self::Own(_) => ActKind::Look,
            Self::LatchLoaded(_) => ActKind::LoadLatch,
            Self::LatchSet(_) => ActKind::SetLatch,
            Self::LatchCleared(_) => ActKind::ClearLatch,
            Self::StateLoaded(_) => ActKind::LoadState,
            Self::StateSaved(_) => ActKind::SaveState,
            Self::Told(_) => ActKind::Tell,
            Self::Published(_) => ActKind::Publish,
            Self::DrainPublished(_) => ActKind::PublishDrain,
            Self::ProtectionSet(_) => ActKind::SetProtection,
            Self::Heartbeat(_) => ActKind::Heartbeat,
            Self::Completed(_) => ActKind::Complete,
            Self::Ended(_) => ActKind::End,
            Self::Started(_) => ActKind::StartService,
            Self::Stopped(_) => ActKind::StopNow,
            Self::ReleaseChecked(_) => ActKind::CheckRelease,
            Self::SelfChecked(_) => ActKind::CheckSelf,
            Self::Sums(_) => ActKind::ReadSums,
            Self::Listed(_) => ActKind::List,
        })
    }
}

/// Something that the driver is to do, and to answer with the [`Input`] of the same kind.
///
/// An agent has at most one act of each [kind](ActKind) outstanding.
///
/// ```
/// use jibri_scaler_core::agent::{Act, ActKind};
///
/// assert_eq!(Act::SetProtection(true).kind(), ActKind::SetProtection);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Act {
    /// Read the health of each Jibri of this machine.
    ReadHealth,
    /// Read the target of the instance's lifecycle from its metadata.
    ReadTarget,
    /// Read from the metadata what the host announces.
    ReadNotices,
    /// See where the process of each Jibri is.
    ReadService,
    /// Ask the group for this instance.
    Look,
    /// Load the latch.
    LoadLatch,
    /// Set this latch.
    SetLatch(Latch),
    /// Remove the latch.
    ClearLatch,
    /// Load what the agent before has saved.
    LoadState,
    /// Save this.
    SaveState(SavedState),
    /// Tell each Jibri of this machine to end when it is free.
    Tell,
    /// Publish these points, in one request, once.
    Publish(Vec<SignalPoint>),
    /// Publish that the instance is held, once.
    PublishDrain(DrainPoint),
    /// Set or take away the protection from scale-in.
    SetProtection(bool),
    /// Prolong the wait of this hook.
    Heartbeat(Transition),
    /// End the wait of this hook.
    Complete(Transition, HookResult),
    /// End this instance.
    End(Decrement),
    /// Start the Jibri.
    StartService,
    /// Stop the Jibri at once: its host is about to go.
    StopNow,
    /// Run the release check.
    CheckRelease,
    /// Run the self check.
    CheckSelf,
    /// Read the sums of the periods in `from..to`.
    ReadSums {
        /// The start of the first period.
        from: Timestamp,
        /// The end of the last period.
        to: Timestamp,
        /// How long a period is.
        period: Duration,
    },
    /// List the group.
    List,
}

impl Act {
    /// What kind of act it is.
    #[must_use]
    pub const fn kind(&self) -> ActKind {
        match self {
            Self::ReadHealth => ActKind::ReadHealth,
            Self::ReadTarget => ActKind::ReadTarget,
            Self::ReadNotices => ActKind::ReadNotices,
            Self::ReadService => ActKind::ReadService,
            Self::Look => ActKind::Look,
            Self::LoadLatch => ActKind::LoadLatch,
            Self::SetLatch(_) => ActKind::SetLatch,
            Self::ClearLatch => ActKind::ClearLatch,
            Self::LoadState => ActKind::LoadState,
            Self::SaveState(_) => ActKind::SaveState,
            Self::Tell => ActKind::Tell,
            Self::Publish(_) => ActKind::Publish,
            Self::PublishDrain(_) => ActKind::PublishDrain,
            Self::SetProtection(_) => ActKind::SetProtection,
            Self::Heartbeat(_) => ActKind::Heartbeat,
            Self::Complete(..) => ActKind::Complete,
            Self::End(_) => ActKind::End,
            Self::StartService => ActKind::StartService,
            Self::StopNow => ActKind::StopNow,
            Self::CheckRelease => ActKind::CheckRelease,
            Self::CheckSelf => ActKind::CheckSelf,
            Self::ReadSums { .. } => ActKind::ReadSums,
            Self::List => ActKind::List,
        }
    }
}

/// The kinds of acts. `Display` completes the sentence "could not …".
///
/// ```
/// use jibri_scaler_core::agent::ActKind;
///
/// assert_eq!(ActKind::SetLatch.to_string(), "set the restart latch");
/// assert!(ActKind::SetLatch.changes_something());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the kind of the Act of its name")]
pub enum ActKind {
    ReadHealth,
    ReadTarget,
    ReadNotices,
    ReadService,
    Look,
    LoadLatch,
    SetLatch,
    ClearLatch,
    LoadState,
    SaveState,
    Tell,
    Publish,
    PublishDrain,
    SetProtection,
    Heartbeat,
    Complete,
    End,
    StartService,
    StopNow,
    CheckRelease,
    CheckSelf,
    ReadSums,
    List,
}

impl ActKind {
    /// Whether such an act changes something, rather than looking or checking.
    #[must_use]
    pub const fn changes_something(self) -> bool {
        match self {
            Self::ReadHealth
            | Self::ReadTarget
            | Self::ReadNotices
            | Self::ReadService
            | Self::Look
            | Self::LoadLatch
            | Self::LoadState
            | Self::CheckRelease
            | Self::CheckSelf
            | Self::ReadSums
            | Self::List => false,
            Self::SetLatch
            | Self::ClearLatch
            | Self::SaveState
            | Self::Tell
            | Self::Publish
            | Self::PublishDrain
            | Self::SetProtection
            | Self::Heartbeat
            | Self::Complete
            | Self::End
            | Self::StartService
            | Self::StopNow => true,
        }
    }
}

impl std::fmt::Display for ActKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ReadHealth => "read the health",
            Self::ReadTarget => "read the target state",
            Self::ReadNotices => "read the notices of the host",
            Self::ReadService => "see where the process is",
            Self::Look => "ask the group for this instance",
            Self::LoadLatch => "load the restart latch",
            Self::SetLatch => "set the restart latch",
            Self::ClearLatch => "remove the restart latch",
            Self::LoadState => "load the saved state",
            Self::SaveState => "save since when the Jibri is busy",
            Self::Tell => "tell the Jibri to end when it is free",
            Self::Publish => "publish the idle signal",
            Self::PublishDrain => "publish that this instance drains",
            Self::SetProtection => "set the scale-in protection",
            Self::Heartbeat => "prolong the wait of the hook",
            Self::Complete => "complete the hook",
            Self::End => "end this instance",
            Self::StartService => "start the Jibri",
            Self::StopNow => "stop the Jibri at once",
            Self::CheckRelease => "run the release check",
            Self::CheckSelf => "run the self check",
            Self::ReadSums => "read the idle signal of the group",
            Self::List => "list the group",
        })
    }
}

/// What comes out of the agent.
///
/// ```
/// use jibri_scaler_core::agent::{Act, Output};
///
/// assert_eq!(Output::Do(Act::Tell).act(), Some(&Act::Tell));
/// assert_eq!(Output::Finished.act(), None);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Begin this.
    Do(Act),
    /// Something that somebody should know. Given once while it lasts.
    Found(Finding),
    /// The instance has been given back: there is nothing left to do.
    Finished,
}

impl Output {
    /// The act that is to be begun, if it is one.
    #[must_use]
    pub const fn act(&self) -> Option<&Act> {
        match self {
            Self::Do(act) => Some(act),
            _ => None,
        }
    }
}
