//! The limits that hold for every policy.

use std::{ops::RangeInclusive, time::Duration};

use crate::time::readable;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// What two controllers need beside a supervisor that restarts whatever ends, with 15 s for each.
const TWO_RESTARTS_AND_THREE_LOOKS: Duration = Duration::from_secs(75);

/// The limits that hold whatever the policies want: how long a surplus must last, how old a report may be, how much may be
/// launched and retired at once.
///
/// Made by [`Limits::default`] and the `with_` methods, which refuse values outside their ranges, so that limits out of range
/// do not exist.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::Limits;
///
/// let limits = Limits::default().with_idle_timeout(Duration::from_secs(300))?;
/// assert_eq!(limits.surplus_hold(), Duration::from_secs(300), "by default, as long as the idle timeout");
/// assert!(limits.with_report_ttl(Duration::ZERO).is_err());
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    idle_timeout: Duration,
    surplus_hold: Option<Duration>,
    report_ttl: Duration,
    boot_deadline: Duration,
    max_launch: u32,
    max_retire: u32,
    max_unknown_percent: u32,
    gone_after: Option<Duration>,
    max_busy: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle_timeout: 10 * MINUTE,
            surplus_hold: None,
            report_ttl: Duration::from_secs(45),
            boot_deadline: 10 * MINUTE,
            max_launch: 20,
            max_retire: 10,
            max_unknown_percent: 45,
            gone_after: None,
            max_busy: 12 * HOUR,
        }
    }
}

macro_rules! duration_limit {
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

macro_rules! count_limit {
    ($($(#[$doc:meta])* $name:ident, $with:ident, $range:expr, $text:literal;)+) => {$(
        $(#[$doc])*
        #[must_use]
        pub const fn $name(&self) -> u32 {
            self.$name
        }

        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), "), range ", $text, ".")]
        ///
        /// # Errors
        /// Where the value is out of that range.
        pub fn $with(mut self, value: u32) -> Result<Self, OutOfRange> {
            if !$range.contains(&value) {
                return Err(OutOfRange::new(stringify!($name), value.to_string(), $text));
            }
            self.$name = value;
            Ok(self)
        }
    )+};
}

impl Limits {
    duration_limit! {
        /// How long a Jibri must have been idle before it may be retired. Default 10 minutes.
        idle_timeout, with_idle_timeout, Duration::ZERO..=WEEK, "\"0s\"–\"7d\"";
        /// How long an instance may take from its launch to its first answer. Default 10 minutes.
        boot_deadline, with_boot_deadline, Duration::from_secs(10)..=24 * HOUR, "\"10s\"–\"24h\"";
        /// How long a Jibri may be busy before that is a finding. It is never ended for it. Default 12 hours.
        max_busy, with_max_busy, MINUTE..=WEEK, "\"1m\"–\"7d\"";
    }

    count_limit! {
        /// How many launches may be outstanding. Default 20.
        max_launch, with_max_launch, (1..=10_000), "1–10000";
        /// How many retirements may be under way, not counting Jibris that finish a recording. Default 10.
        max_retire, with_max_retire, (1..=10_000), "1–10000";
        /// The global stop: while more than this share, in percent, of the instances that count toward the desired capacity (and at
        /// least two of them) is unknown or overdue, nothing is retired or replaced, and launches add up to one wanted spare.
        /// Default 45, as in the Kubernetes Cluster Autoscaler (`max-total-unready-percentage`).
        max_unknown_percent, with_max_unknown_percent, (1..=90), "1–90";
    }

    /// How old a report may be and still count, and how far apart ticks may be and still count as observed without a gap. Default
    /// 45 s. It must be at least twice the interval between ticks.
    #[must_use]
    pub const fn report_ttl(&self) -> Duration {
        self.report_ttl
    }

    /// Sets [`report_ttl`](Self::report_ttl), range "1s"–"1h", and no longer than a [`gone_after`](Self::gone_after) that was set.
    ///
    /// # Errors
    /// Where the value is out of that range.
    pub fn with_report_ttl(mut self, value: Duration) -> Result<Self, OutOfRange> {
        let range = Duration::from_secs(1)..=HOUR;
        self.report_ttl = in_range("report_ttl", value, &range, "\"1s\"–\"1h\"")?;
        if let Some(gone_after) = self.gone_after.filter(|gone_after| *gone_after < value) {
            let (value, gone_after) = (readable(value), readable(gone_after));
            let value = format!("\"{value}\" with a gone_after of {gone_after}");
            return Err(OutOfRange::new("report_ttl", value, "\"1s\"–gone_after"));
        }
        Ok(self)
    }

    /// How long both ports of a Jibri that was told to end must refuse before it counts as gone. Default 2 minutes, or 75 s more than
    /// [`report_ttl`](Self::report_ttl) where that is longer, and at most 1 hour.
    ///
    /// It is to be longer than any supervisor takes to restart a Jibri. Where a supervisor restarts even one that was told to end, and a
    /// second controller tells it too, it is to be as long as two restarts, `report_ttl`, and three times what a tick takes until it
    /// looks, together: the default leaves at least 15 s for a restart and 15 s for a tick, up to the hour. With less, the model of the
    /// protocol finds that one of them takes a Jibri for gone that is restarted (`docs/safety.md` in the repository).
    ///
    /// It is never shorter than `report_ttl`: ticks may be as far apart as that and still count as without a gap, and nobody sees what
    /// happens between two of them.
    #[must_use]
    pub fn gone_after(&self) -> Duration {
        let default = || (self.report_ttl + TWO_RESTARTS_AND_THREE_LOOKS).clamp(2 * MINUTE, HOUR);
        self.gone_after.unwrap_or_else(default)
    }

    /// Sets [`gone_after`](Self::gone_after), range `report_ttl`–"1h". Where both are set, `report_ttl` is set first.
    ///
    /// # Errors
    /// Where the value is out of that range.
    ///
    /// ```
    /// use std::time::Duration;
    /// use jibri_scaler_core::Limits;
    ///
    /// let error = Limits::default().with_gone_after(Duration::from_secs(30)).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "gone_after is \"30s\" with a report_ttl of 45s, but must be in the range report_ttl–\"1h\"",
    /// );
    /// ```
    pub fn with_gone_after(mut self, value: Duration) -> Result<Self, OutOfRange> {
        if !(self.report_ttl..=HOUR).contains(&value) {
            let (value, ttl) = (readable(value), readable(self.report_ttl));
            let value = format!("\"{value}\" with a report_ttl of {ttl}");
            return Err(OutOfRange::new("gone_after", value, "report_ttl–\"1h\""));
        }
        self.gone_after = Some(value);
        Ok(self)
    }

    /// How far apart two requests to the same Jibri to end are, at least: [`gone_after`](Self::gone_after) and
    /// [`report_ttl`](Self::report_ttl) together. A controller that has begun without a memory waits for as long before it tells anybody
    /// directly, since it may have told them before. So it ends a Jibri once at most while another controller with the same limits takes
    /// that for gone.
    ///
    /// ```
    /// use std::time::Duration;
    /// use jibri_scaler_core::Limits;
    ///
    /// assert_eq!(Limits::default().tell_interval(), Duration::from_secs(165));
    /// ```
    #[must_use]
    pub fn tell_interval(&self) -> Duration {
        self.gone_after() + self.report_ttl
    }

    /// How long the group must have had a surplus, observed without a gap, before any of it may go. Default: the idle timeout.
    #[must_use]
    pub fn surplus_hold(&self) -> Duration {
        self.surplus_hold.unwrap_or(self.idle_timeout)
    }

    /// Sets [`surplus_hold`](Self::surplus_hold), range "0s"–"7d".
    ///
    /// # Errors
    /// Where the value is out of that range.
    pub fn with_surplus_hold(mut self, value: Duration) -> Result<Self, OutOfRange> {
        self.surplus_hold = Some(in_range(
            "surplus_hold",
            value,
            &(Duration::ZERO..=WEEK),
            "\"0s\"–\"7d\"",
        )?);
        Ok(self)
    }
}

/// A setting has a value outside its range.
///
/// ```
/// use jibri_scaler_core::Limits;
///
/// let error = Limits::default().with_max_launch(0).unwrap_err();
/// assert_eq!(error.to_string(), "max_launch is 0, but must be in the range 1–10000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}, but must be in the range {allowed}")]
#[non_exhaustive]
pub struct OutOfRange {
    /// The setting.
    pub key: &'static str,
    /// The value that was refused.
    pub value: String,
    /// The range that is allowed.
    pub allowed: &'static str,
}

impl OutOfRange {
    pub(crate) const fn new(key: &'static str, value: String, allowed: &'static str) -> Self {
        Self {
            key,
            value,
            allowed,
        }
    }
}

/// The value, where it is in that range.
pub(crate) fn in_range(
    key: &'static str,
    value: Duration,
    range: &RangeInclusive<Duration>,
    allowed: &'static str,
) -> Result<Duration, OutOfRange> {
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(OutOfRange::new(
            key,
            format!("\"{}\"", readable(value)),
            allowed,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_inside_their_ranges() {
        let d = Limits::default();
        let again = Limits::default()
            .with_idle_timeout(d.idle_timeout())
            .and_then(|l| l.with_surplus_hold(d.surplus_hold()))
            .and_then(|l| l.with_report_ttl(d.report_ttl()))
            .and_then(|l| l.with_boot_deadline(d.boot_deadline()))
            .and_then(|l| l.with_gone_after(d.gone_after()))
            .and_then(|l| l.with_max_busy(d.max_busy()))
            .and_then(|l| l.with_max_launch(d.max_launch()))
            .and_then(|l| l.with_max_retire(d.max_retire()))
            .and_then(|l| l.with_max_unknown_percent(d.max_unknown_percent()));
        assert_eq!(again.map(|l| l.surplus_hold()), Ok(d.surplus_hold()));
    }

    /// Otherwise two looks would do, one slow tick apart, and a Jibri could record between them.
    #[test]
    fn gone_takes_at_least_as_long_as_nobody_may_look() {
        let (second, limits) = (Duration::from_secs(1), Limits::default);
        let ttl = limits().report_ttl();
        assert_eq!(
            limits().with_gone_after(ttl).map(|l| l.gone_after()),
            Ok(ttl)
        );
        let error = limits()
            .with_gone_after(Duration::from_secs(44))
            .unwrap_err();
        assert_eq!(
            (error.key, error.allowed),
            ("gone_after", "report_ttl–\"1h\"")
        );
        assert!(limits().with_gone_after(HOUR).is_ok());
        assert!(limits().with_gone_after(HOUR + second).is_err());

        let minute = || limits().with_gone_after(MINUTE).unwrap();
        assert!(minute().with_report_ttl(MINUTE).is_ok());
        let error = minute().with_report_ttl(MINUTE + second).unwrap_err();
        assert_eq!(
            error.to_string(),
            "report_ttl is \"1m 1s\" with a gone_after of 1m, but must be in the range \"1s\"–gone_after"
        );
        // One that was not set follows.
        let default = |ttl| limits().with_report_ttl(ttl).unwrap().gone_after();
        assert_eq!(default(45 * second), 2 * MINUTE);
        assert_eq!(default(46 * second), 2 * MINUTE + second);
        assert_eq!(default(second), 2 * MINUTE);
        assert_eq!(default(HOUR), HOUR);
    }

    #[test]
    fn edges_are_allowed_and_what_lies_beyond_is_not() {
        let limits = Limits::default;
        assert!(limits().with_idle_timeout(WEEK).is_ok());
        assert!(
            limits()
                .with_idle_timeout(WEEK + Duration::from_millis(1))
                .is_err()
        );
        assert!(
            limits()
                .with_report_ttl(Duration::from_millis(999))
                .is_err()
        );
        assert!(limits().with_boot_deadline(Duration::from_secs(9)).is_err());
        assert!(limits().with_max_retire(10_000).is_ok());
        assert!(limits().with_max_retire(10_001).is_err());
        assert!(limits().with_max_unknown_percent(90).is_ok());
        for wrong in [0, 91, u32::MAX] {
            let error = limits().with_max_unknown_percent(wrong).unwrap_err();
            assert_eq!((error.key, error.allowed), ("max_unknown_percent", "1–90"));
        }
    }
}
