//! One instance of the simulated group, and the Jibri on it, as they really are.

use super::meter::Use;
use crate::{InstanceId, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Booting,
    Free,
    Recording,
    Expired,
    /// Its process has ended.
    Gone,
}

impl State {
    pub(super) const fn counts_as(self) -> Use {
        match self {
            Self::Booting => Use::Booting,
            Self::Free => Use::Idle,
            Self::Recording => Use::Busy,
            Self::Expired | Self::Gone => Use::Draining,
        }
    }
}

/// What a look at a Jibri shows.
///
/// ```
/// use jibri_scaler_core::backtest::{Reading, Seen};
///
/// fn is_spare(seen: &Seen) -> bool {
///     seen.answered && !seen.leaving && seen.reading == Reading::Idle
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reading {
    /// It has never answered.
    Never,
    /// It says IDLE.
    Idle,
    /// It says BUSY.
    Busy,
    /// It says EXPIRED.
    Expired,
    /// It refuses the connection.
    Refused,
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) number: u32,
    pub(super) id: InstanceId,
    pub(super) launched_at: Timestamp,
    pub(super) state: State,
    /// Told to end when it is free.
    pub(super) told: bool,
    /// Being ended by the group, held by its hook until its agent has drained it.
    pub(super) leaving: bool,
    pub(super) selected_at: Timestamp,
    pub(super) failed_at: Timestamp,
    /// Which recording this is, so that what was to happen in an earlier one does not.
    pub(super) epoch: u32,
    /// What has arrived of its state so far.
    pub(super) reading: Reading,
    /// Whether this tick has an answer.
    pub(super) answered: bool,
    /// The newest answer that a tick had, and the time it describes.
    pub(super) report: Option<(Timestamp, Reading)>,
}

impl Machine {
    pub(super) const fn new(number: u32, id: InstanceId, launched_at: Timestamp) -> Self {
        Self {
            number,
            id,
            launched_at,
            state: State::Booting,
            told: false,
            leaving: false,
            selected_at: Timestamp::MIN,
            failed_at: Timestamp::MIN,
            epoch: 0,
            reading: Reading::Never,
            answered: false,
            report: None,
        }
    }
}
