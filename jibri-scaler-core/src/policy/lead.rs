use std::time::Duration;

use crate::{OutOfRange, learned::Learned, time::readable};

/// How long it takes until an instance that is wanted now is ready: until the next look, plus until that shows what is, plus the boot.
///
/// The time between looks and the boot time are learned: the average spacing of the ticks, and the time within which nine of ten of
/// the last boots were done. Until then they are 30 s, and [`boot_time`](Self::with_boot_time).
///
/// ```
/// use jibri_scaler_core::{learned::Learned, policy::Lead};
///
/// assert_eq!(Lead::default().of(&Learned::default()).as_secs(), 30 + 10 + 180);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    boot_time: Duration,
    report_delay: Duration,
}

impl Default for Lead {
    fn default() -> Self {
        Self {
            boot_time: Duration::from_secs(180),
            report_delay: Duration::from_secs(10),
        }
    }
}

impl Lead {
    const INTERVAL: Duration = Duration::from_secs(30);

    /// Sets how long instances are taken to boot until that has been learned, range "1s"–"24h". Default 3 minutes.
    ///
    /// # Errors
    /// Where the value is out of that range.
    pub fn with_boot_time(mut self, value: Duration) -> Result<Self, OutOfRange> {
        let range = Duration::from_secs(1)..=Duration::from_secs(86_400);
        if !range.contains(&value) {
            let value = format!("\"{}\"", readable(value));
            return Err(OutOfRange::new("boot_time", value, "\"1s\"–\"24h\""));
        }
        self.boot_time = value;
        Ok(self)
    }

    /// Sets how long it takes until a look shows that a recording has started, range "0s"–"10m": a Jibri reads IDLE until its Chrome
    /// is up, and agents report now and then. Default 10 seconds.
    ///
    /// # Errors
    /// Where the value is out of that range.
    pub fn with_report_delay(mut self, value: Duration) -> Result<Self, OutOfRange> {
        if value > Duration::from_secs(600) {
            let value = format!("\"{}\"", readable(value));
            return Err(OutOfRange::new("report_delay", value, "\"0s\"–\"10m\""));
        }
        self.report_delay = value;
        Ok(self)
    }

    /// The lead, with what has been learned.
    #[must_use]
    pub fn of(&self, learned: &Learned) -> Duration {
        let boot = learned.boots().p90().unwrap_or(self.boot_time);
        let interval = learned.interval().unwrap_or(Self::INTERVAL);
        // However a memory came about, a lead is no longer than limits can make it.
        let boot = boot.min(Duration::from_secs(86_400));
        let interval = interval.min(Duration::from_secs(3600));
        interval
            .saturating_add(self.report_delay)
            .saturating_add(boot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learned::BootTimes;

    #[test]
    fn what_has_been_learned_takes_the_place_of_what_was_said() {
        let lead = Lead::default()
            .with_boot_time(Duration::from_secs(60))
            .and_then(|lead| lead.with_report_delay(Duration::ZERO))
            .unwrap();
        assert_eq!(lead.of(&Learned::default()).as_secs(), 90);
        let mut boots = BootTimes::default();
        (0..20).for_each(|_| boots.record(Duration::from_secs(240)));
        assert_eq!(
            lead.of(&Learned::default().with_boots(boots)).as_secs(),
            270
        );
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let lead = Lead::default();
        assert!(lead.with_boot_time(Duration::ZERO).is_err());
        assert!(lead.with_boot_time(Duration::from_secs(86_401)).is_err());
        assert!(lead.with_report_delay(Duration::from_secs(601)).is_err());
    }
}
