use std::{ops::RangeInclusive, time::Duration};

use super::SimHook;
use crate::{OutOfRange, Timestamp, Zone, agent::port::Transition};

/// How a simulated group behaves.
///
/// Made by [`new`](Self::new) and the `with_` methods; those that can be given a wrong value refuse it.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::sim::SimGroupConfig;
///
/// let config = SimGroupConfig::new(1, 20, 2)?
///     .with_seed(7)
///     .with_launch_delay(Duration::from_secs(60)..=Duration::from_secs(120))?
///     .with_launch_failures(0.05, Duration::from_secs(30))?
///     .with_new_instances_protected(true);
/// assert!(config.with_launch_failures(1.5, Duration::from_secs(30)).is_err());
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own, reached by its own method"
)]
pub struct SimGroupConfig {
    pub(super) min_size: u32,
    pub(super) max_size: u32,
    pub(super) desired: u32,
    pub(super) name: Box<str>,
    pub(super) seed: u64,
    pub(super) zones: Vec<Zone>,
    pub(super) launch_delay: RangeInclusive<Duration>,
    pub(super) termination_delay: Duration,
    pub(super) notice_delay: Duration,
    pub(super) launch_failure: f64,
    pub(super) launch_retry: Duration,
    pub(super) outages: Vec<(Timestamp, Timestamp)>,
    pub(super) shortages: Vec<(Zone, Timestamp, Timestamp)>,
    pub(super) new_instances_protected: bool,
    pub(super) launch_times_listed: bool,
    pub(super) starts_in_service: bool,
    pub(super) listing_lag: Duration,
    pub(super) launching_hook: Option<SimHook>,
    pub(super) terminating_hook: Option<SimHook>,
    pub(super) retains: bool,
}

impl SimGroupConfig {
    /// A group with these bounds and this desired capacity: launches that take one to two minutes and never fail, terminations
    /// that take half a minute, two zones, no hooks, new instances unprotected, a listing that is current and has no launch times.
    ///
    /// # Errors
    /// Where `min_size` ≤ `desired` ≤ `max_size` does not hold.
    pub fn new(min_size: u32, max_size: u32, desired: u32) -> Result<Self, OutOfRange> {
        if !(min_size..=max_size).contains(&desired) {
            return Err(OutOfRange::new(
                "desired",
                desired.to_string(),
                "min_size–max_size",
            ));
        }
        Ok(Self {
            min_size,
            max_size,
            desired,
            name: "sim".into(),
            seed: 0,
            zones: vec![Zone::from("sim-1a"), Zone::from("sim-1b")],
            launch_delay: Duration::from_secs(60)..=Duration::from_secs(120),
            termination_delay: Duration::from_secs(30),
            notice_delay: Duration::from_secs(60),
            launch_failure: 0.0,
            launch_retry: Duration::from_secs(60),
            outages: Vec::new(),
            shortages: Vec::new(),
            new_instances_protected: false,
            launch_times_listed: false,
            starts_in_service: false,
            listing_lag: Duration::ZERO,
            launching_hook: None,
            terminating_hook: None,
            retains: false,
        })
    }

    /// The name that errors give the group. Default `sim`.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// The seed of all chance. Two groups of one seed that are asked the same at the same times behave the same. Default 0.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The availability zones. The group launches where it has fewest instances.
    ///
    /// # Errors
    /// Where there are none.
    pub fn with_zones<'a>(
        mut self,
        zones: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, OutOfRange> {
        self.zones = zones.into_iter().map(Zone::from).collect();
        if self.zones.is_empty() {
            return Err(OutOfRange::new("zones", "empty".into(), "one or more"));
        }
        Ok(self)
    }

    /// How long an instance is pending: uniform over this range.
    ///
    /// # Errors
    /// Where the range is empty.
    pub fn with_launch_delay(
        mut self,
        delay: RangeInclusive<Duration>,
    ) -> Result<Self, OutOfRange> {
        if delay.is_empty() {
            return Err(OutOfRange::new(
                "launch_delay",
                format!("{delay:?}"),
                "shortest–longest",
            ));
        }
        self.launch_delay = delay;
        Ok(self)
    }

    /// How long an instance is terminating before it is no longer listed.
    #[must_use]
    pub const fn with_termination_delay(mut self, delay: Duration) -> Self {
        self.termination_delay = delay;
        self
    }

    /// How long it takes the group to notice that a machine has ended behind its back. Default one minute.
    #[must_use]
    pub const fn with_notice_delay(mut self, delay: Duration) -> Self {
        self.notice_delay = delay;
        self
    }

    /// With what probability a launch fails, and how much later the group tries again.
    ///
    /// # Errors
    /// Where the probability is outside 0–1 or the group would try again in less than a second.
    pub fn with_launch_failures(
        mut self,
        probability: f64,
        retry_after: Duration,
    ) -> Result<Self, OutOfRange> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(OutOfRange::new(
                "launch_failure",
                probability.to_string(),
                "0–1",
            ));
        }
        // A launch that fails for ever and is retried at once would never let time go on.
        if retry_after < Duration::from_secs(1) {
            return Err(OutOfRange::new(
                "retry_after",
                format!("{retry_after:?}"),
                "\"1s\" or more",
            ));
        }
        self.launch_failure = probability;
        self.launch_retry = retry_after;
        Ok(self)
    }

    /// Adds a time, from the first moment to just before the second, in which every launch fails.
    #[must_use]
    pub fn with_launch_outage(mut self, from: Timestamp, until: Timestamp) -> Self {
        self.outages.push((from, until));
        self
    }

    /// Adds a time, from the first moment to just before the second, in which this zone has no capacity: what would be launched
    /// there is launched in another zone.
    #[must_use]
    pub fn with_zone_shortage(mut self, zone: &str, from: Timestamp, until: Timestamp) -> Self {
        self.shortages.push((Zone::from(zone), from, until));
        self
    }

    /// Whether instances are protected from scale-in from the moment they come into service. Default no.
    #[must_use]
    pub const fn with_new_instances_protected(mut self, protected: bool) -> Self {
        self.new_instances_protected = protected;
        self
    }

    /// Whether the listing has launch times. Auto Scaling's has none, and that is the default.
    #[must_use]
    pub const fn with_launch_times_listed(mut self, listed: bool) -> Self {
        self.launch_times_listed = listed;
        self
    }

    /// Whether the first instances are in service from the start instead of being launched then. Default no.
    #[must_use]
    pub const fn with_start_in_service(mut self, in_service: bool) -> Self {
        self.starts_in_service = in_service;
        self
    }

    /// How old the state is that the listing shows. Default zero. Auto Scaling promises no read-after-write.
    #[must_use]
    pub const fn with_listing_lag(mut self, lag: Duration) -> Self {
        self.listing_lag = lag;
        self
    }

    /// Adds a lifecycle hook, in place of one of the same transition. Default none.
    #[must_use]
    pub const fn with_hook(mut self, hook: SimHook) -> Self {
        match hook.transition() {
            Transition::Launching => self.launching_hook = Some(hook),
            Transition::Terminating => self.terminating_hook = Some(hook),
        }
        self
    }

    /// Whether the instance lifecycle policy of the group retains an instance whose termination was abandoned. Default no.
    #[must_use]
    pub const fn with_retention(mut self, retains: bool) -> Self {
        self.retains = retains;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_are_refused_by_name() {
        let config = || SimGroupConfig::new(1, 4, 2).unwrap();
        let second = Duration::from_secs(1);
        let refused = [
            (SimGroupConfig::new(3, 4, 2), "desired"),
            (SimGroupConfig::new(1, 4, 5), "desired"),
            (SimGroupConfig::new(4, 1, 2), "desired"),
            (config().with_zones([]), "zones"),
            (
                config().with_launch_delay(2 * second..=second),
                "launch_delay",
            ),
            (config().with_launch_failures(1.1, second), "launch_failure"),
            (
                config().with_launch_failures(f64::NAN, second),
                "launch_failure",
            ),
            (
                config().with_launch_failures(0.1, second / 2),
                "retry_after",
            ),
        ];
        for (result, key) in refused {
            assert_eq!(result.unwrap_err().key, key);
        }
    }
}
