use super::hooks::Wait;
use crate::{
    InstanceId, Lifecycle, Timestamp,
    agent::port::{Notices, TargetState},
};

/// Where an instance is, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Stage {
    Pending { until: Timestamp },
    PendingWait(Wait),
    PendingProceed { until: Timestamp },
    InService,
    Standby,
    Terminating { until: Timestamp },
    TerminatingWait(Wait),
    TerminatingProceed { until: Timestamp },
    Retained,
}

impl Stage {
    pub(in crate::sim) const fn lifecycle(self) -> Lifecycle {
        match self {
            Self::Pending { .. } => Lifecycle::Pending,
            Self::PendingWait(_) => Lifecycle::PendingWait,
            Self::PendingProceed { .. } => Lifecycle::PendingProceed,
            Self::InService => Lifecycle::InService,
            Self::Standby => Lifecycle::Standby,
            Self::Terminating { .. } => Lifecycle::Terminating,
            Self::TerminatingWait(_) => Lifecycle::TerminatingWait,
            Self::TerminatingProceed { .. } => Lifecycle::TerminatingProceed,
            Self::Retained => Lifecycle::TerminatingRetained,
        }
    }

    /// Whether it counts toward the desired capacity.
    pub(in crate::sim) const fn is_counting(self) -> bool {
        self.is_pending() || matches!(self, Self::InService)
    }

    pub(in crate::sim) const fn is_pending(self) -> bool {
        matches!(
            self,
            Self::Pending { .. } | Self::PendingWait(_) | Self::PendingProceed { .. }
        )
    }

    pub(in crate::sim) const fn is_leaving(self) -> bool {
        !self.is_counting() && !matches!(self, Self::Standby)
    }

    pub(in crate::sim) const fn can_be_protected(self) -> bool {
        matches!(self, Self::InService | Self::Standby)
    }

    /// When it is gone, where its machine is being ended.
    pub(in crate::sim) const fn ends_at(self) -> Option<Timestamp> {
        match self {
            Self::Terminating { until } | Self::TerminatingProceed { until } => Some(until),
            _ => None,
        }
    }

    /// When it leaves this stage by itself.
    pub(in crate::sim) const fn until(self) -> Option<Timestamp> {
        match self {
            Self::Pending { until }
            | Self::PendingProceed { until }
            | Self::Terminating { until }
            | Self::TerminatingProceed { until } => Some(until),
            Self::PendingWait(wait) | Self::TerminatingWait(wait) => Some(wait.until()),
            Self::InService | Self::Standby | Self::Retained => None,
        }
    }

    /// The target of its transition, as its metadata shows it.
    pub(in crate::sim) const fn target(self) -> Option<TargetState> {
        match self {
            Self::Pending { .. } => None,
            Self::PendingWait(_) | Self::PendingProceed { .. } | Self::InService => {
                Some(TargetState::InService)
            }
            Self::Standby => Some(TargetState::Standby),
            Self::Terminating { .. }
            | Self::TerminatingWait(_)
            | Self::TerminatingProceed { .. }
            | Self::Retained => Some(TargetState::Terminated),
        }
    }
}

#[derive(Clone, Debug)]
pub(in crate::sim) struct Member {
    pub(in crate::sim) id: InstanceId,
    /// Index into the configured zones.
    pub(in crate::sim) zone: usize,
    pub(in crate::sim) launched_at: Timestamp,
    pub(in crate::sim) stage: Stage,
    pub(in crate::sim) protected: bool,
    /// When it came into service; absent also where it was there from the start.
    pub(in crate::sim) in_service_since: Option<Timestamp>,
    pub(in crate::sim) notices: Notices,
    /// When the group will notice that the machine has ended, if it has.
    pub(in crate::sim) noticed_at: Option<Timestamp>,
}

impl Member {
    pub(in crate::sim) const fn is_counting(&self) -> bool {
        self.stage.is_counting()
    }

    pub(in crate::sim) const fn is_leaving(&self) -> bool {
        self.stage.is_leaving()
    }

    /// Whether its machine runs.
    pub(in crate::sim) const fn is_running(&self) -> bool {
        self.noticed_at.is_none() && self.stage.ends_at().is_none()
    }

    /// When something next happens to it by itself.
    pub(in crate::sim) fn next(&self) -> Option<Timestamp> {
        let noticed = self.noticed_at.filter(|_| !self.is_leaving());
        self.stage.until().into_iter().chain(noticed).min()
    }
}
