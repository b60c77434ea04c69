//! The lifecycle states of an instance in an EC2 Auto Scaling group.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! lifecycle {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// Where an instance is in the lifecycle of its Auto Scaling group.
        ///
        /// All values of [`LifecycleState`](https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Instance.html) as of
        /// November 2026. AWS adds to them, so a text unknown here is kept as [`Unknown`](Self::Unknown) and never an error; an
        /// instance in an unknown state is left alone.
        ///
        /// ```
        /// use jibri_scaler_core::Lifecycle;
        ///
        /// assert_eq!(Lifecycle::from("Terminating:Wait"), Lifecycle::TerminatingWait);
        /// assert!(Lifecycle::from("Terminating:Wait").is_leaving());
        /// assert!(Lifecycle::from("Pending:Proceed").is_counting());
        /// assert_eq!(Lifecycle::from("Hovering").to_string(), "Hovering");
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Lifecycle {
            $($(#[$doc])* $variant,)+
            /// A state that is not known here, as AWS wrote it.
            Unknown(Box<str>),
        }

        impl Lifecycle {
            /// All known states.
            pub const KNOWN: &[Self] = &[$(Self::$variant,)+];

            /// The name AWS gives this state.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<&str> for Lifecycle {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Unknown(other.into()),
                }
            }
        }
    };
}

lifecycle! {
    /// Leaving the group without being terminated.
    Detaching = "Detaching",
    /// Left the group without being terminated.
    Detached = "Detached",
    /// On its way into standby.
    EnteringStandby = "EnteringStandby",
    /// Part of the group and in use.
    InService = "InService",
    /// Being launched.
    Pending = "Pending",
    /// Launched, and about to go in service.
    PendingProceed = "Pending:Proceed",
    /// Launched, and held by a lifecycle hook.
    PendingWait = "Pending:Wait",
    /// Documented by AWS as unused.
    Quarantined = "Quarantined",
    /// Its root volume is being replaced.
    ReplacingRootVolume = "ReplacingRootVolume",
    /// Its root volume is replaced, and it is about to return.
    ReplacingRootVolumeProceed = "ReplacingRootVolume:Proceed",
    /// Its root volume is being replaced, held by a lifecycle hook.
    ReplacingRootVolumeWait = "ReplacingRootVolume:Wait",
    /// Its root volume has been replaced.
    RootVolumeReplaced = "RootVolumeReplaced",
    /// Taken out of service by an operator, still in the group.
    Standby = "Standby",
    /// Gone.
    Terminated = "Terminated",
    /// Being terminated.
    Terminating = "Terminating",
    /// About to be terminated, its hooks are done.
    TerminatingProceed = "Terminating:Proceed",
    /// Kept for a human after a lifecycle hook was abandoned.
    TerminatingRetained = "Terminating:Retained",
    /// To be terminated, held by a lifecycle hook.
    TerminatingWait = "Terminating:Wait",
    /// In the warm pool, hibernated.
    WarmedHibernated = "Warmed:Hibernated",
    /// On its way into the warm pool.
    WarmedPending = "Warmed:Pending",
    /// On its way into the warm pool, its hooks are done.
    WarmedPendingProceed = "Warmed:Pending:Proceed",
    /// On its way into the warm pool, kept for a human.
    WarmedPendingRetained = "Warmed:Pending:Retained",
    /// On its way into the warm pool, held by a lifecycle hook.
    WarmedPendingWait = "Warmed:Pending:Wait",
    /// In the warm pool, running.
    WarmedRunning = "Warmed:Running",
    /// In the warm pool, stopped.
    WarmedStopped = "Warmed:Stopped",
    /// Terminated in the warm pool.
    WarmedTerminated = "Warmed:Terminated",
    /// Being terminated in the warm pool.
    WarmedTerminating = "Warmed:Terminating",
    /// About to be terminated in the warm pool, its hooks are done.
    WarmedTerminatingProceed = "Warmed:Terminating:Proceed",
    /// In the warm pool, kept for a human.
    WarmedTerminatingRetained = "Warmed:Terminating:Retained",
    /// To be terminated in the warm pool, held by a lifecycle hook.
    WarmedTerminatingWait = "Warmed:Terminating:Wait",
}

impl Lifecycle {
    /// Whether the instance counts toward the group's desired capacity: `Pending*` and `InService`.
    #[must_use]
    pub fn is_counting(&self) -> bool {
        matches!(self, Self::InService) || self.is_pending()
    }

    /// Whether the instance is being launched: `Pending*`.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        match self {
            Self::Pending | Self::PendingProceed | Self::PendingWait => true,
            Self::Unknown(text) => text.starts_with("Pending"),
            _ => false,
        }
    }

    /// Whether the instance is on its way out of the group or gone: `Terminating*`, `Terminated`, `Detach*`.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        match self {
            Self::Terminating
            | Self::TerminatingProceed
            | Self::TerminatingRetained
            | Self::TerminatingWait
            | Self::Terminated
            | Self::Detaching
            | Self::Detached => true,
            Self::Unknown(text) => text.starts_with("Terminating") || text.starts_with("Detach"),
            _ => false,
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Lifecycle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Lifecycle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::from(&*text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_state_survives_a_round_trip() {
        for state in Lifecycle::KNOWN {
            assert_eq!(&Lifecycle::from(state.as_str()), state);
        }
    }

    #[test]
    fn only_pending_and_in_service_count_and_nothing_counts_while_leaving() {
        let counting: Vec<_> = Lifecycle::KNOWN
            .iter()
            .filter(|s| s.is_counting())
            .map(Lifecycle::as_str)
            .collect();
        assert_eq!(
            counting,
            ["InService", "Pending", "Pending:Proceed", "Pending:Wait"]
        );
        let leaving: Vec<_> = Lifecycle::KNOWN
            .iter()
            .filter(|s| s.is_leaving())
            .map(Lifecycle::as_str)
            .collect();
        assert_eq!(
            leaving,
            [
                "Detaching",
                "Detached",
                "Terminated",
                "Terminating",
                "Terminating:Proceed",
                "Terminating:Retained",
                "Terminating:Wait"
            ]
        );
    }

    #[test]
    fn a_state_that_aws_may_add_below_a_known_one_is_treated_like_it() {
        assert!(Lifecycle::from("Pending:Soon").is_counting());
        assert!(Lifecycle::from("Terminating:Soon").is_leaving());
        assert!(!Lifecycle::from("Warmed:Soon").is_counting());
    }
}
