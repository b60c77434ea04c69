//! The instances of a snapshot, counted by class.

use serde::{Deserialize, Serialize};

use crate::Class;

/// How many instances are in which class, with the two numbers that the field knows: the idle count (what SUM over 1 for idle
/// and 0 for the others gives) and the idle share (what AVERAGE gives).
///
/// ```
/// use jibri_scaler_core::{Class, Tally};
///
/// let mut tally = Tally::default();
/// assert_eq!(tally.idle_share(), None, "where nothing reports there is no share, neither 0 nor NaN");
/// for class in [Class::Spare, Class::Busy, Class::Busy, Class::Booting] {
///     tally.add(class);
/// }
/// assert_eq!((tally.idle(), tally.reporting(), tally.total), (1, 3, 4));
/// assert_eq!(tally.idle_share(), Some(1.0 / 3.0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tally {
    /// Idle and healthy with a fresh report.
    pub spare: u32,
    /// Coming up.
    pub booting: u32,
    /// Never heard, and past the boot deadline.
    pub overdue: u32,
    /// Recording, or running the finalize script.
    pub busy: u32,
    /// Used in single-use mode.
    pub expired: u32,
    /// Unhealthy and not busy.
    pub unhealthy: u32,
    /// Heard before, and nothing certain is known now.
    pub unknown: u32,
    /// On the way out.
    pub retiring: u32,
    /// In standby, in a warm pool, or in a state not known here.
    pub other: u32,
    /// All distinct instances.
    pub total: u32,
}

impl Tally {
    /// Counts one more instance of this class.
    pub fn add(&mut self, class: Class) {
        let count = match class {
            Class::Retiring => &mut self.retiring,
            Class::Other => &mut self.other,
            Class::Booting => &mut self.booting,
            Class::Overdue => &mut self.overdue,
            Class::Unknown => &mut self.unknown,
            Class::Busy => &mut self.busy,
            Class::Unhealthy => &mut self.unhealthy,
            Class::Expired => &mut self.expired,
            Class::Spare => &mut self.spare,
        };
        *count = count.saturating_add(1);
        self.total = self.total.saturating_add(1);
    }

    /// The number of idle Jibris.
    #[must_use]
    pub const fn idle(&self) -> u32 {
        self.spare
    }

    /// The instances that report or should: spare, busy, expired, unhealthy and unknown ones.
    #[must_use]
    pub const fn reporting(&self) -> u32 {
        self.spare + self.busy + self.expired + self.unhealthy + self.unknown
    }

    /// Idle Jibris ÷ reporting instances, 0 to 1; absent where none report.
    #[must_use]
    pub fn idle_share(&self) -> Option<f64> {
        (self.reporting() > 0).then(|| f64::from(self.spare) / f64::from(self.reporting()))
    }
}
