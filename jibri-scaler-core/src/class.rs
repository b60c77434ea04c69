//! The class of an instance: what it counts as.

use std::fmt;

/// What an instance counts as. Each distinct instance is in exactly one class.
///
/// | class | grows toward the wanted spare? | may be retired? |
/// |---|---|---|
/// | spare | yes | yes, when surplus and long enough idle |
/// | booting | yes, it is coming | no: nothing can be told yet |
/// | overdue | no | no: a wrong address would end running Jibris |
/// | busy | no | only by hand: it is told, and ends when it is done |
/// | expired, unhealthy | no | yes, and replaced where it is missed |
/// | unknown | no | no: it may be recording |
/// | retiring | no | it already is |
/// | other | no | no: it is not ours |
///
/// ```
/// use jibri_scaler_core::Class;
///
/// assert!(Class::Spare.may_be_retired());
/// assert!(!Class::Unknown.may_be_retired());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a class more is a change of the decision, which its users must see"
)]
pub enum Class {
    /// On its way out: `Terminating*`, `Terminated`, `Detach*`, or told by us.
    Retiring,
    /// Standby, warm pool, or a lifecycle state not known here.
    Other,
    /// Coming up: never heard and inside its boot deadline, or still pending.
    Booting,
    /// Never heard, and past the boot deadline.
    Overdue,
    /// Heard before, and nothing certain is known now: stale, refusing, unreadable, or contradicting itself.
    Unknown,
    /// Recording, or running the finalize script, whatever its health.
    Busy,
    /// Unhealthy, and not busy.
    Unhealthy,
    /// Used in single-use mode.
    Expired,
    /// Idle, healthy, and heard lately.
    Spare,
}

impl Class {
    /// The name of the class, as the tally has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retiring => "retiring",
            Self::Other => "other",
            Self::Booting => "booting",
            Self::Overdue => "overdue",
            Self::Unknown => "unknown",
            Self::Busy => "busy",
            Self::Unhealthy => "unhealthy",
            Self::Expired => "expired",
            Self::Spare => "spare",
        }
    }

    /// Whether a controller may ever begin to retire an instance of this class by itself.
    #[must_use]
    pub const fn may_be_retired(self) -> bool {
        matches!(self, Self::Spare | Self::Unhealthy | Self::Expired)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
