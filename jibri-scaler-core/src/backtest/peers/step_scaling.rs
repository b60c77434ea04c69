use std::{fmt, time::Duration};

use super::{
    group::{Boots, Members, resize, warming},
    periods::Periods,
};
use crate::{
    backtest::{Fleet, Scaler},
    time::readable,
};

/// AWS step scaling with steps as large as what is missing: an alarm on `min_idle` − idle, and one on the surplus.
///
/// Source: the user guide of EC2 Auto Scaling, “Step and simple scaling policies”: the adjustment is added to the capacity without the
/// instances that warm up, so that an alarm that goes on does not launch what is coming; nothing is scaled in while a scale-out is
/// under way. A warm-up of 300 s is the default (that of the default cooldown). The thresholds are the operator's: [`Default`] keeps
/// two idle, and takes a surplus of more than two away after five minutes.
///
/// ```
/// use jibri_scaler_core::backtest::peers::StepScaling;
///
/// let policy = StepScaling::default();
/// // The example of the guide: 10 instances, of which 2 warm up, and 3 more are asked for; then 1 is.
/// assert_eq!((policy.grown(10, 2, 3), policy.grown(10, 2, 1)), (11, 10));
/// assert_eq!(policy.to_string(), "2 idle, steps of what is missing, warm-up 5m, down by the surplus above 2 more after 5m");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepScaling {
    /// So many are to be idle.
    pub min_idle: u32,
    /// So many more may be, before any is too many.
    pub band: u32,
    /// The period of both alarms.
    pub period: Duration,
    /// So many periods must be short before what is missing is launched.
    pub out_periods: u32,
    /// So many periods must have a surplus before it is ended.
    pub in_periods: u32,
    /// For how long an instance warms up.
    pub warm_up: Duration,
}

impl Default for StepScaling {
    fn default() -> Self {
        Self {
            min_idle: 2,
            band: 2,
            period: Duration::from_secs(60),
            out_periods: 1,
            in_periods: 5,
            warm_up: Duration::from_secs(300),
        }
    }
}

impl StepScaling {
    /// The desired capacity after an adjustment by so many, of a group that desires so many, of which so many warm up.
    #[must_use]
    pub const fn grown(&self, desired: u32, warming: u32, adjustment: u32) -> u32 {
        let to = desired.saturating_sub(warming).saturating_add(adjustment);
        if to > desired { to } else { desired }
    }

    pub(super) fn scaler(&self) -> impl Scaler + 'static {
        Run {
            idle: Periods::new(self.period, self.out_periods.max(self.in_periods)),
            settings: self.clone(),
        }
    }

    pub(super) fn curves() -> Vec<Vec<Self>> {
        let mut curves = Vec::new();
        for warm_up in [180, 300] {
            for (period, in_periods, band) in [(30, 4, 0), (60, 5, 0), (60, 5, 2), (60, 15, 0)] {
                let settings = |min_idle: u32| Self {
                    min_idle,
                    band,
                    period: Duration::from_secs(period),
                    in_periods,
                    warm_up: Duration::from_secs(warm_up),
                    ..Self::default()
                };
                curves.push(super::SPARES.map(settings).to_vec());
            }
        }
        curves
    }
}

impl fmt::Display for StepScaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} idle, steps of what is missing, warm-up {}, down by the surplus above {} more after {}",
            self.min_idle,
            readable(self.warm_up),
            self.band,
            readable(self.period * self.in_periods)
        )
    }
}

struct Run {
    settings: StepScaling,
    idle: Periods,
}

impl Scaler for Run {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        let members = Members::look(fleet);
        let (now, settings) = (fleet.now(), &self.settings);
        let over = self.idle.publish(now, members.idle.into());
        let mut to = fleet.group().desired;
        if let Some(idle) = self.idle.newest().filter(|_| over) {
            let warm = warming(fleet, now.before(settings.warm_up));
            let most = f64::from(settings.min_idle.saturating_add(settings.band));
            let min_idle = f64::from(settings.min_idle);
            if self.idle.all(settings.out_periods, |idle| idle < min_idle) {
                to = settings.grown(to, warm, whole(min_idle - idle));
            } else if warm == 0 && self.idle.all(settings.in_periods, |idle| idle > most) {
                to = to.saturating_sub(whole(idle - most));
            }
        }
        resize(fleet, to, Boots::LeftAlone);
    }
}

/// Up to a whole number, which a difference of two counts is.
pub(super) fn whole(number: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates, and no group has so many"
    )]
    let whole = number.max(0.0).ceil() as u32;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::peers::tests::sizes;

    #[test]
    fn an_alarm_that_goes_on_does_not_launch_what_warms_up() {
        // The example of the user guide: +1 at 60 while one warms up adds nothing, +3 adds two more.
        let policy = StepScaling::default();
        for (desired, warming, adjustment, grown) in
            [(11, 1, 1, 11), (11, 1, 3, 13), (10, 0, 0, 10), (3, 5, 1, 3)]
        {
            assert_eq!(policy.grown(desired, warming, adjustment), grown);
        }
        let settings = StepScaling {
            min_idle: 4,
            ..StepScaling::default()
        };
        let sizes = sizes(settings.scaler(), [(9000, 9001)], 0, 2000);
        assert_eq!(sizes, [(0, 0), (60, 4)], "in one step, and once");
    }

    #[test]
    fn the_surplus_goes_in_one_step_when_nothing_warms_up_any_more() {
        let sizes = sizes(StepScaling::default().scaler(), [(9000, 9001)], 9, 2000);
        // Idle from 120 s on, five whole minutes at 420 s, and warm by then.
        assert_eq!(sizes, [(0, 9), (420, 4)]);
    }
}
