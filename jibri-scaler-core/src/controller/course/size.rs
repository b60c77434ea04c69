//! The size of the group while a tick changes it.

use crate::{
    retirement::Retirement,
    safeguard::{Safeguard, holds},
};

/// What decides whether an instance goes with a decrement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Size {
    pub(super) min: u32,
    pub(super) listed: u32,
    pub(super) desired: u32,
    /// Spare or coming.
    pub(super) there: u32,
    pub(super) wanted: u32,
}

impl Size {
    /// With a decrement only while the group stays large enough, and nothing is missing.
    pub(super) fn decrements(&self, retirement: &Retirement) -> bool {
        let missing = self.there < self.wanted && holds(Safeguard::ReplaceWhatIsMissing);
        let is_above = self.desired > self.min || !holds(Safeguard::DecrementAboveMin);
        !retirement.replace() && !missing && is_above
    }
}
