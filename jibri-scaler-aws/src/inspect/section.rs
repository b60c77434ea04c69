use std::fmt;

use jibri_scaler_core::port::{PortError, PortErrorKind};

/// A part of a [`GroupSetup`](super::GroupSetup) that may be missing, with the reason.
pub type Section<T> = Result<T, Unread>;

/// Why a section is missing.
///
/// ```
/// use jibri_scaler_aws::inspect::Unread;
/// use jibri_scaler_core::port::PortErrorKind;
///
/// let unread = Unread::new(PortErrorKind::Permanent, "AWS answered AccessDenied");
/// assert_eq!(unread.to_string(), "could not be read: AWS answered AccessDenied");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct Unread {
    /// Whether it is worth another try.
    pub kind: PortErrorKind,
    /// What happened, on one line.
    pub why: String,
}

impl Unread {
    /// A section that could not be read, and why.
    #[must_use]
    pub fn new(kind: PortErrorKind, why: impl Into<String>) -> Self {
        Self {
            kind,
            why: why.into(),
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not be read: {}", self.why)
    }
}

/// The section made of what a read gave.
pub(super) fn of<T>(read: Result<T, PortError>) -> Section<T> {
    read.map_err(|error| Unread::new(error.kind(), error.report()))
}
