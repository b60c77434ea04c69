//! The phases of a retirement, and their names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a retirement has come.
///
/// ```
/// use jibri_scaler_core::retirement::Phase;
///
/// assert!(Phase::Finishing.is_under_way());
/// assert!(!Phase::GivenUp.is_under_way());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Decided; the Jibri has not been told yet, as far as is known.
    Requested,
    /// The Jibri was told to end when it is free.
    Told,
    /// Told, and seen BUSY since: it finishes its recording.
    Finishing,
    /// Its process has ended; the machine can be given back.
    Gone,
    /// The machine has been given back.
    Released,
    /// The group was asked to end it; the hook holds it until its agent has drained it.
    Terminating,
    /// It cannot be retired: it could not be told, or it came back too often. It is left as it is until it is no longer listed.
    GivenUp,
}

impl Phase {
    /// All phases.
    pub const ALL: [Self; 7] = [
        Self::Requested,
        Self::Told,
        Self::Finishing,
        Self::Gone,
        Self::Released,
        Self::Terminating,
        Self::GivenUp,
    ];

    /// The name of the phase, as it is serialized.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Told => "told",
            Self::Finishing => "finishing",
            Self::Gone => "gone",
            Self::Released => "released",
            Self::Terminating => "terminating",
            Self::GivenUp => "given_up",
        }
    }

    /// Whether the retirement still goes on, so that the instance counts as retiring.
    #[must_use]
    pub const fn is_under_way(self) -> bool {
        !matches!(self, Self::GivenUp)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
