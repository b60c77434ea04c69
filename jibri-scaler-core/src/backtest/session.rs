use std::time::Duration;

use crate::Timestamp;

/// One recording that was asked for: from the request to the moment at which its Jibri is free again, upload included.
///
/// ```
/// use jibri_scaler_core::{Timestamp, backtest::Session};
///
/// let (start, end) = (Timestamp::from_secs(0), Timestamp::from_secs(60));
/// assert_eq!(Session::new(start, end)?.length().as_secs(), 60);
/// assert!(Session::new(end, start).is_err());
/// # Ok::<(), jibri_scaler_core::backtest::NegativeSession>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

impl Session {
    /// A recording with these ends; it may have no length.
    ///
    /// # Errors
    /// Where the end is before the start.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, NegativeSession> {
        if end < start {
            return Err(NegativeSession { start, end });
        }
        Ok(Self { start, end })
    }

    /// When it was asked for.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// When its Jibri is free again.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        self.end
    }

    /// How long it holds a Jibri.
    #[must_use]
    pub fn length(self) -> Duration {
        self.end.since(self.start)
    }
}

/// A recording that would end before it starts.
///
/// ```
/// use jibri_scaler_core::{Timestamp, backtest::Session};
///
/// let error = Session::new(Timestamp::from_secs(1), Timestamp::from_secs(0)).unwrap_err();
/// assert!(error.to_string().contains("before it starts"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the session of {start} ends at {end}, before it starts: exchange the two, or leave it out"
)]
#[non_exhaustive]
pub struct NegativeSession {
    /// The start that was given.
    pub start: Timestamp,
    /// The end that was given.
    pub end: Timestamp,
}
