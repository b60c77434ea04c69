//! What the day came to.

use std::{fmt, time::Duration};

/// The sums of a day.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    pub(crate) asked: u32,
    pub(crate) served: u32,
    /// Nobody was idle when it was asked for.
    pub(crate) refused: u32,
    /// Accepted, and cut off: the instance was ended under it.
    pub(crate) lost: u32,
    pub(crate) finished: u32,
    pub(crate) launches: u32,
    pub(crate) retired: u32,
    pub(crate) ticks: u32,
    pub(crate) failed_ticks: u32,
    pub(crate) idle: Duration,
    pub(crate) booting: Duration,
    pub(crate) busy: Duration,
    pub(crate) leaving: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = |time: Duration| time.as_secs_f64() / 3600.0;
        writeln!(f, "recordings asked for  {:>7}", self.asked)?;
        writeln!(f, "           served     {:>7}", self.served)?;
        writeln!(f, "           refused    {:>7}", self.refused)?;
        writeln!(f, "           lost       {:>7}", self.lost)?;
        writeln!(f, "instance-hours busy   {:>9.1}", hours(self.busy))?;
        writeln!(f, "               idle   {:>9.1}", hours(self.idle))?;
        writeln!(f, "               booting{:>9.1}", hours(self.booting))?;
        writeln!(f, "               leaving{:>9.1}", hours(self.leaving))?;
        writeln!(f, "launches              {:>7}", self.launches)?;
        writeln!(f, "retired               {:>7}", self.retired)?;
        write!(f, "ticks                 {:>7}", self.ticks)?;
        if self.failed_ticks > 0 {
            write!(f, " ({} failed)", self.failed_ticks)?;
        }
        Ok(())
    }
}
