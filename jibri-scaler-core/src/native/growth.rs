use std::time::Duration;

use super::{Step, step::steps};
use crate::policy::{NotProportional, Percent, Policy};

/// The policy as a CloudWatch alarm and a step scaling policy.
///
/// The alarm watches one number, the shortfall
/// short = max(`min_idle`, ⌈p·(n − idle)/(100 − p)⌉) − idle, and grows the group while it is 1 or more. `idle` is the SUM of
/// [`IDLE`](super::metric::IDLE) over a period, `n` its `SampleCount`. It is the same vote that the policy gives a controller.
///
/// ```
/// use jibri_scaler_core::{native::Growth, policy::{MaxOf, MinIdle, Percent, PercentIdle, Policy}};
///
/// let policy = MaxOf::new([
///     Box::new(MinIdle::new(2)?) as Box<dyn Policy>,
///     Box::new(PercentIdle::new(Percent::new(20.0)?)),
/// ]);
/// let growth = Growth::new(&policy, 20, 1)?;
/// assert_eq!(growth.short(1.0, 10.0), 2.0); // 9 busy ones want 3 idle ones
/// assert_eq!(growth.adjustment(2.0), 2);
/// assert_eq!(
///     growth.expression(),
///     "IF(2 * n >= inservice, IF(CEIL(1 * (n - idle) / 4) > 2, CEIL(1 * (n - idle) / 4), 2) - idle, 0)"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The guard: at least half must speak
/// Agents that fall silent must not read as busy ones. Without any point there is no SUM and the alarm is not breaching: missing
/// data never grows, which is why the group's minimum size must be at least 1. Where only some are silent, the shortfall would be
/// too large, and where new instances are silent too (a bad image), growth would not end below the maximum size. So the value is 0
/// while `n` is less than half of `inservice`, the number of instances in service.
///
/// Auto Scaling's own metric of that number has one point a minute, some minutes late. In an alarm with a period of 10 s five of
/// six values of it would be missing, and `FILL` would not help: how far back an alarm looks is not documented, and where no point
/// is in that range nothing is filled in. So the agents publish the number themselves, as [`IN_SERVICE`](super::metric::IN_SERVICE),
/// in the same request as [`IDLE`](super::metric::IDLE): what counts a publisher also brings the guard, at any period. Some of
/// them know it from a listing of the group, some minutes ago, the others say 1; runaway growth is slower than that, since
/// instances must boot. Where no agent has ever listed the group, and where agents publish in batches, the value is missing, and
/// nothing grows.
///
/// # 2 of 2 periods
/// The newest sum may be partial: the alarm can look while points still arrive. The period before is whole by then. So both must
/// be short ([`Growth::PERIODS`]), and the step is chosen by the smaller of the two (aggregation `Minimum`), since a partial sum
/// can overstate the shortfall. What is missing after that follows with the next action: while the alarm lasts it acts once a minute.
///
/// # The warm-up
/// While an instance warms up, Auto Scaling counts it toward the step, so that the repeated action does not launch what is already
/// coming. An instance that is past its warm-up and has not yet been published in both periods is launched a second time. So the
/// warm-up is at least the 95th percentile of the time to boot plus two periods: [`Growth::warm_up`]. Beyond that it only delays:
/// an instance that is taken at once is counted as coming for as long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    min: u32,
    share: Percent,
    most: u32,
}

impl Growth {
    /// The alarm breaches at this shortfall or more (`GreaterThanOrEqualToThreshold`).
    pub const THRESHOLD: f64 = 1.0;

    /// So many periods, one after the other, must be short: M and N of the alarm.
    pub const PERIODS: u32 = 2;

    /// Growth by that policy, adding at most `max_launch` at once, of a group with that minimum size.
    ///
    /// # Errors
    /// Where an alarm can't do what the policy says.
    pub fn new(
        policy: &(impl Policy + ?Sized),
        max_launch: u32,
        min_size: u32,
    ) -> Result<Self, NotByAlarm> {
        let vote = policy.proportional()?;
        if min_size == 0 {
            return Err(NotByAlarm::EmptyGroup);
        }
        if vote.min == 0 {
            return Err(NotByAlarm::NothingWanted);
        }
        Ok(Self {
            min: vote.min,
            share: vote.share,
            most: max_launch.max(1),
        })
    }

    /// How many idle Jibris are missing while `idle` of `n` publishing ones are idle; 0 or less where none is.
    #[must_use]
    pub fn short(&self, idle: f64, n: f64) -> f64 {
        let (part, whole) = self.share.idle_to_busy();
        // Whole numbers until the division, as in the text: no share is rounded up that divides evenly.
        let shared = (f64::from(part) * (n - idle) / f64::from(whole)).ceil();
        shared.max(f64::from(self.min)) - idle
    }

    /// What the alarm compares with its threshold: the shortfall, or 0 where fewer than half of those in service have published.
    #[must_use]
    pub fn value(&self, idle: f64, n: f64, in_service: f64) -> f64 {
        if 2.0 * n >= in_service {
            self.short(idle, n)
        } else {
            0.0
        }
    }

    /// The same as CloudWatch metric math over three metrics of one period: `idle` (SUM) and `n` (`SampleCount`) of
    /// [`IDLE`](super::metric::IDLE), `inservice` (Maximum) of [`IN_SERVICE`](super::metric::IN_SERVICE).
    ///
    /// It takes the larger of two with IF, since arrays of MAX are documented for time series, not for constants.
    #[must_use]
    pub fn expression(&self) -> String {
        let min = self.min;
        let wanted = match self.share.idle_to_busy() {
            (0, _) => min.to_string(),
            (part, whole) => {
                let shared = format!("CEIL({part} * (n - idle) / {whole})");
                format!("IF({shared} > {min}, {shared}, {min})")
            }
        };
        format!("IF(2 * n >= inservice, {wanted} - idle, 0)")
    }

    /// The step adjustments, at most 20, by the size of the shortfall: exact for small ones, and never less than what is short, up
    /// to the most that may be launched at once. The last is open-ended.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        steps(self.most)
    }

    /// How many instances the step policy adds at that value of the alarm, before those that warm up are taken off.
    #[must_use]
    pub fn adjustment(&self, value: f64) -> u32 {
        let steps = self.steps();
        let step = steps.iter().find(|step| step.contains(value));
        step.map_or(0, |step| step.adjustment)
    }

    /// The instance warm-up, in whole seconds: the time within which 95 % boot, and two periods.
    #[must_use]
    pub fn warm_up(boot_p95: Duration, period: Duration) -> Duration {
        let needed = boot_p95.saturating_add(period * Self::PERIODS);
        Duration::from_secs(needed.as_secs() + u64::from(needed.subsec_nanos() > 0))
    }
}

/// Why an alarm can't do what a policy says, and what to do instead.
///
/// ```
/// use jibri_scaler_core::{native::{Growth, NotByAlarm}, policy::MinIdle};
///
/// assert_eq!(Growth::new(&MinIdle::default(), 20, 0), Err(NotByAlarm::EmptyGroup));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotByAlarm {
    /// A schedule, an SLO, or a policy of one's own.
    #[error(
        "an alarm can't follow this policy: {0}; run the controller for it, or leave it out and provision min_idle and percent_idle"
    )]
    Policy(#[from] NotProportional),
    /// An empty group publishes nothing, and missing data never grows.
    #[error(
        "the minimum size of the group is 0: an empty group publishes nothing and missing data never grows, so it would stay \
         empty; set the minimum size to 1 or more, or run the controller"
    )]
    EmptyGroup,
    /// Without any wanted spare nothing would ever grow.
    #[error(
        "the policy wants no idle Jibri, so the group would never grow; set min_idle to 1 or more, or percent_idle above 0"
    )]
    NothingWanted,
}
