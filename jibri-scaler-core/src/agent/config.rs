//! How an agent is to behave.

use std::time::Duration;

use crate::{
    OutOfRange,
    limits::in_range,
    policy::{MinIdle, PercentIdle},
    time::readable,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// `CloudWatch` keeps what is finer than a minute for three hours; a window that is read must end before that.
const KEPT_FINE: Duration = Duration::from_secs(3 * 3600 - 600);

/// How the idle signal is published.
///
/// Requests per Jibri and month of 30 days, and what they cost at $0.01 for 1000 (`PutMetricData` in us-east-1 as of 2026, without
/// the million that is free each month; see the [prices](https://aws.amazon.com/cloudwatch/pricing/) of today):
///
/// | period | each | batched |
/// |---|---|---|
/// | 10 s | 259,200 requests, $2.59 | 43,200 requests, $0.43 |
/// | 60 s | 43,200 requests, $0.43 | 7,200 requests, $0.07 |
///
/// ```
/// use jibri_scaler_core::agent::Publish;
///
/// assert_eq!(Publish::default(), Publish::Each);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Publish {
    /// One request for each point, in its period. What alarms need.
    #[default]
    Each,
    /// The points of six periods in one request, each with its time: cheaper, and too late for alarms. For dashboards and
    /// controllers. They leave out [how many are in service](crate::native::metric::IN_SERVICE), so that growth by alarm does not
    /// grow by them, and provisioning waits for agents that publish each point.
    Batched,
}

/// What is done with a busy Jibri when Spot takes its instance back in two minutes.
///
/// ```
/// use jibri_scaler_core::agent::OnSpot;
///
/// assert_eq!(OnSpot::default(), OnSpot::Stop);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnSpot {
    /// It stops recording, and finalizes what there is.
    #[default]
    Stop,
    /// It is told to end when it is free, and goes on recording: all of it is lost if that takes longer.
    Drain,
}

/// How an agent behaves.
///
/// Made by [`AgentConfig::default`] and the `with_` methods, which refuse values outside their ranges, so that a configuration out
/// of range does not exist.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{agent::AgentConfig, policy::MinIdle};
///
/// let config = AgentConfig::default()
///     .with_min_idle(MinIdle::new(2)?)
///     .with_period(Duration::from_secs(60))?
///     .with_idle_timeout(Duration::from_secs(300))?;
/// assert_eq!(config.surplus_hold(), Duration::from_secs(300), "by default, as long as the idle timeout");
/// assert!(config.with_period(Duration::from_secs(30)).is_err());
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
pub struct AgentConfig {
    period: Duration,
    publish: Publish,
    freshness: Duration,
    idle_timeout: Duration,
    max_busy: Duration,
    tell_overbusy: bool,
    boot_deadline: Duration,
    on_spot: OnSpot,
    event_lead: Duration,
    launching_hook: bool,
    terminating_hook: bool,
    hook_timeout: Duration,
    reconcile_every: Duration,
    release_check_every: Duration,
    self_check_every: Option<Duration>,
    shrink: bool,
    keep_protected: bool,
    surplus_every: Duration,
    surplus_hold: Option<Duration>,
    min_idle: MinIdle,
    percent_idle: PercentIdle,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            period: 10 * SECOND,
            publish: Publish::Each,
            freshness: 5 * SECOND,
            idle_timeout: 10 * MINUTE,
            max_busy: 12 * HOUR,
            tell_overbusy: false,
            boot_deadline: 10 * MINUTE,
            on_spot: OnSpot::Stop,
            event_lead: 24 * HOUR,
            launching_hook: true,
            terminating_hook: true,
            hook_timeout: HOUR,
            reconcile_every: 15 * MINUTE,
            release_check_every: 10 * MINUTE,
            self_check_every: None,
            shrink: true,
            keep_protected: false,
            surplus_every: 5 * MINUTE,
            surplus_hold: None,
            min_idle: MinIdle::default(),
            percent_idle: PercentIdle::default(),
        }
    }
}

macro_rules! durations {
    ($($(#[$doc:meta])* $name:ident, $with:ident, $range:expr, $text:literal;)+) => {$(
        $(#[$doc])*
        #[must_use]
        pub const fn $name(&self) -> Duration {
            self.$name
        }

        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), "), range ", $text, ".")]
        ///
        /// # Errors
        /// Where the value is out of that range.
        pub fn $with(mut self, value: Duration) -> Result<Self, OutOfRange> {
            self.$name = in_range(stringify!($name), value, &$range, $text)?;
            Ok(self)
        }
    )+};
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident, $with:ident, $type:ty;)+) => {$(
        $(#[$doc])*
        #[must_use]
        pub const fn $name(&self) -> $type {
            self.$name
        }

        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
        #[must_use]
        pub const fn $with(mut self, value: $type) -> Self {
            self.$name = value;
            self
        }
    )+};
}

impl AgentConfig {
    durations! {
        /// How old a reading of the health may be and still count. Default 5 s.
        freshness, with_freshness, SECOND..=MINUTE, "\"1s\"–\"1m\"";
        /// How long a Jibri must have been idle and healthy, without a gap, before the protection is dropped, or its instance
        /// is surplus. Default 10 minutes.
        idle_timeout, with_idle_timeout, Duration::ZERO..=WEEK, "\"0s\"–\"7d\"";
        /// How long a Jibri may be busy before that is a finding. It is never ended for it. Default 12 hours.
        max_busy, with_max_busy, MINUTE..=WEEK, "\"1m\"–\"7d\"";
        /// How long a Jibri may take until it first answers. Default 10 minutes. The heartbeat timeout of the launching hook is
        /// to be the same.
        boot_deadline, with_boot_deadline, 10 * SECOND..=24 * HOUR, "\"10s\"–\"24h\"";
        /// How long before a scheduled event of its host the instance is drained and replaced. Default 24 hours: longer than any
        /// recording.
        event_lead, with_event_lead, Duration::ZERO..=WEEK, "\"0s\"–\"7d\"";
        /// The heartbeat timeout of the terminating hook where the [listing](crate::port::Listing::hook_timeout) of the group cannot
        /// say it, as without the right to; where it can, that counts. A heartbeat is sent every quarter of it, and every minute
        /// at least before the group was listed. Default 1 hour, as AWS has it. AWS waits no longer than 100 times as long, and 48
        /// hours.
        hook_timeout, with_hook_timeout, 30 * SECOND..=2 * HOUR, "\"30s\"–\"2h\"";
        /// How often the group is asked whether it sees this instance as the agent does; never less often than a heartbeat would
        /// be due. Default 15 minutes.
        reconcile_every, with_reconcile_every, MINUTE..=24 * HOUR, "\"1m\"–\"24h\"";
        /// How often a release check that has failed is run again on an instance that was kept for it. Default 10 minutes.
        release_check_every, with_release_check_every, MINUTE..=24 * HOUR, "\"1m\"–\"24h\"";
        /// How far apart an agent looks whether it is surplus, aligned to the clock. Default 5 minutes.
        surplus_every, with_surplus_every, 5 * MINUTE..=24 * HOUR, "\"5m\"–\"24h\"";
    }

    choices! {
        /// How the idle signal is published. Default: each point in its period.
        publish, with_publish, Publish;
        /// Whether a Jibri that is busy past [`max_busy`](Self::max_busy) is told to end when it is free, so that its instance is
        /// replaced then. Default: no.
        tell_overbusy, with_tell_overbusy, bool;
        /// What is done with a busy Jibri on a Spot notice. Default: stop it.
        on_spot, with_on_spot, OnSpot;
        /// Whether the group has the [launching hook](crate::agent::HOOK_LAUNCHING). Default: yes.
        launching_hook, with_launching_hook, bool;
        /// Whether the group has the [terminating hook](crate::agent::HOOK_TERMINATING). Default: yes. Without it, and where the
        /// [listing](crate::port::Listing::drains_on_termination) does not know of it, the protection from scale-in is never
        /// dropped, and a surplus agent drains first and ends its instance then, since nothing would hold the instance otherwise.
        /// An agent that is told so in a group that has the hook never ends itself: there only unprotected ones do.
        terminating_hook, with_terminating_hook, bool;
        /// Whether the instance stays protected from scale-in for life, and is never ended by its agent as surplus, because a
        /// controller chooses what goes. Default: no; then the protection is dropped while the Jibri is idle for
        /// [`idle_timeout`](Self::idle_timeout) in a group that was just listed with the terminating hook and with the
        /// [tag](crate::native::SHRINK_TAG) that lets agents shrink it.
        keep_protected, with_keep_protected, bool;
        /// Whether the agent ends its instance when it is surplus. Default: yes; but only while the
        /// [tag](crate::native::SHRINK_TAG) of the group allows it.
        shrink, with_shrink, bool;
        /// At least so many idle Jibris are wanted. Default 1.
        min_idle, with_min_idle, MinIdle;
        /// So large a share of all is wanted idle. Default 0.
        percent_idle, with_percent_idle, PercentIdle;
        /// How often the self check runs while the Jibri is idle; it also runs before the instance comes into service. One that
        /// fails keeps the instance out. After three in a row that say nothing, a minute apart, it comes in unchecked. Default:
        /// never.
        self_check_every, with_self_check_every, Option<Duration>;
    }

    /// How far apart the points of the idle signal are. Default 10 s.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// Sets [`period`](Self::period): 10 s or 60 s.
    ///
    /// # Errors
    /// Where it is neither, or the [`surplus_hold`](Self::surplus_hold) is longer than `CloudWatch` keeps so fine a signal.
    pub fn with_period(mut self, value: Duration) -> Result<Self, OutOfRange> {
        if value != 10 * SECOND && value != MINUTE {
            return Err(OutOfRange::new(
                "period",
                format!("\"{}\"", readable(value)),
                "\"10s\" or \"1m\"",
            ));
        }
        self.period = value;
        self.with_readable_window()
    }

    /// For how long the group must have had a surplus before any of it may go. Default: the idle timeout, or as long as `CloudWatch`
    /// keeps so fine a signal.
    #[must_use]
    pub fn surplus_hold(&self) -> Duration {
        let readable = if self.period < MINUTE {
            KEPT_FINE
        } else {
            WEEK
        };
        self.surplus_hold
            .unwrap_or_else(|| self.idle_timeout.min(readable))
    }

    /// Sets [`surplus_hold`](Self::surplus_hold), range "0s"–"7d", with a period of 10 s to "2h 50m".
    ///
    /// # Errors
    /// Where the value is out of that range.
    pub fn with_surplus_hold(mut self, value: Duration) -> Result<Self, OutOfRange> {
        let range = Duration::ZERO..=WEEK;
        self.surplus_hold = Some(in_range("surplus_hold", value, &range, "\"0s\"–\"7d\"")?);
        self.with_readable_window()
    }

    fn with_readable_window(self) -> Result<Self, OutOfRange> {
        if self.period < MINUTE {
            let range = Duration::ZERO..=KEPT_FINE;
            let allowed = "\"0s\"–\"2h 50m\" with a period of 10s";
            in_range("surplus_hold", self.surplus_hold(), &range, allowed)?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_inside_their_ranges() {
        let d = AgentConfig::default();
        let again = AgentConfig::default()
            .with_period(d.period())
            .and_then(|c| c.with_freshness(d.freshness()))
            .and_then(|c| c.with_idle_timeout(d.idle_timeout()))
            .and_then(|c| c.with_max_busy(d.max_busy()))
            .and_then(|c| c.with_boot_deadline(d.boot_deadline()))
            .and_then(|c| c.with_event_lead(d.event_lead()))
            .and_then(|c| c.with_hook_timeout(d.hook_timeout()))
            .and_then(|c| c.with_reconcile_every(d.reconcile_every()))
            .and_then(|c| c.with_release_check_every(d.release_check_every()))
            .and_then(|c| c.with_surplus_every(d.surplus_every()));
        assert_eq!(again, Ok(d));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let config = AgentConfig::default;
        let errors = [
            config().with_period(30 * SECOND),
            config().with_freshness(Duration::ZERO),
            config().with_hook_timeout(3 * HOUR),
            config().with_surplus_every(MINUTE),
            config().with_surplus_hold(3 * HOUR),
        ];
        let keys = errors.map(|error| error.expect_err("out of range").key);
        let expected = [
            "period",
            "freshness",
            "hook_timeout",
            "surplus_every",
            "surplus_hold",
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_window_can_be_read_in_whichever_order_it_is_set() {
        let long = 5 * HOUR;
        let minutes = AgentConfig::default().with_period(MINUTE);
        let minutes = minutes.and_then(|c| c.with_surplus_hold(long));
        assert!(minutes.is_ok());
        let fine = minutes.and_then(|c| c.with_period(10 * SECOND));
        assert_eq!(fine.map_err(|error| error.key), Err("surplus_hold"));
        let default = AgentConfig::default().with_idle_timeout(long);
        assert_eq!(default.map(|c| c.surplus_hold()), Ok(KEPT_FINE));
    }
}
