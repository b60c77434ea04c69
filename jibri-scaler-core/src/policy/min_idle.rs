use super::{Clause, NotProportional, Percent, Policy, Proportional, Situation, Vote};
use crate::OutOfRange;

/// At least so many idle Jibris, always.
///
/// ```
/// use jibri_scaler_core::policy::MinIdle;
///
/// let policy = MinIdle::new(3)?;
/// assert!(MinIdle::new(10_001).is_err());
/// # let _ = policy;
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinIdle(u32);

impl MinIdle {
    /// At least `count` idle Jibris, range 0–10000.
    ///
    /// # Errors
    /// Where the count is out of that range.
    pub fn new(count: u32) -> Result<Self, OutOfRange> {
        if count > 10_000 {
            return Err(OutOfRange::new("min_idle", count.to_string(), "0–10000"));
        }
        Ok(Self(count))
    }
}

impl Default for MinIdle {
    /// At least one.
    fn default() -> Self {
        Self(1)
    }
}

impl Policy for MinIdle {
    fn vote(&self, _: &Situation<'_>) -> Vote {
        Vote::new("min_idle", self.0, Clause::MinIdle(self.0))
    }
    fn proportional(&self) -> Result<Proportional, NotProportional> {
        Ok(Proportional::new(self.0, Percent::default()))
    }
}
