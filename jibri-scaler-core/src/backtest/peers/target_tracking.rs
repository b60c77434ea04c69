use std::{fmt, time::Duration};

use super::{
    group::{Boots, Members, resize, warming},
    periods::Periods,
    step_scaling::whole,
};
use crate::{
    backtest::{Fleet, Scaler},
    time::readable,
};

/// AWS target tracking on the share of Jibris that are busy, so that the rest is idle.
///
/// Sources: the user guide of EC2 Auto Scaling, “Target tracking scaling policies” (capacity without what warms up, times metric, by
/// target; nothing is scaled in while a scale-out is under way), and the alarms it creates: above the target for 3 minutes, and below
/// nine tenths of it for 15. It is also the rule of Amazon `GameLift` (`PercentAvailableGameSessions`) and of `AppStream`
/// (`CapacityUtilization`). Without an instance in service there is no metric, so that the group needs a minimum size. [`Default`] keeps
/// 20 % idle of at least two.
///
/// ```
/// use jibri_scaler_core::backtest::peers::TargetTracking;
///
/// let policy = TargetTracking::default();
/// assert_eq!(policy.wanted(10, 0.9), 12); // 9 busy ones are 80 % of 11.25
/// assert_eq!(policy.to_string(), "20% idle of at least 2, up after 3m, down after 15m, warm-up 5m");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TargetTracking {
    /// The share that is to be idle, in percent.
    pub idle_percent: f64,
    /// The minimum size of the group.
    pub at_least: u32,
    /// The period of both alarms.
    pub period: Duration,
    /// So many periods must be above the target before the group grows.
    pub out_periods: u32,
    /// So many periods must be below nine tenths of the target before it shrinks.
    pub in_periods: u32,
    /// For how long an instance warms up.
    pub warm_up: Duration,
}

impl Default for TargetTracking {
    fn default() -> Self {
        Self {
            idle_percent: 20.0,
            at_least: 2,
            period: Duration::from_secs(60),
            out_periods: 3,
            in_periods: 15,
            warm_up: Duration::from_secs(300),
        }
    }
}

/// It scales in below this part of the target.
const LOW: f64 = 0.9;

impl TargetTracking {
    /// The busy share that is tracked.
    fn target(&self) -> f64 {
        (1.0 - self.idle_percent / 100.0).max(0.01)
    }

    /// The capacity at which so many instances with that busy share have the target share.
    #[must_use]
    pub fn wanted(&self, capacity: u32, busy_share: f64) -> u32 {
        // A millionth, so that what is a whole number but for rounding stays one.
        whole(f64::from(capacity) * busy_share / self.target() - 1e-6)
    }

    pub(super) fn scaler(&self) -> impl Scaler + 'static {
        Run {
            busy: Periods::new(self.period, self.out_periods.max(self.in_periods)),
            settings: self.clone(),
        }
    }

    pub(super) fn curves() -> Vec<Vec<Self>> {
        let mut curves = Vec::new();
        for at_least in [2, 4, 8, 12, 16, 24] {
            for (period, out_periods, in_periods, warm_up) in
                [(60, 3, 15, 300), (60, 3, 15, 180), (30, 1, 15, 180)]
            {
                let settings = |idle_percent| Self {
                    idle_percent,
                    at_least,
                    period: Duration::from_secs(period),
                    out_periods,
                    in_periods,
                    warm_up: Duration::from_secs(warm_up),
                };
                curves.push(super::SHARES.map(settings).to_vec());
            }
        }
        curves
    }
}

impl fmt::Display for TargetTracking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}% idle of at least {}, up after {}, down after {}, warm-up {}",
            self.idle_percent,
            self.at_least,
            readable(self.period * self.out_periods),
            readable(self.period * self.in_periods),
            readable(self.warm_up)
        )
    }
}

struct Run {
    settings: TargetTracking,
    busy: Periods,
}

impl Scaler for Run {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        let members = Members::look(fleet);
        let (now, settings) = (fleet.now(), &self.settings);
        let in_service = members.idle + members.busy;
        let over = in_service > 0 && {
            let share = f64::from(members.busy) / f64::from(in_service);
            self.busy.publish(now, share)
        };
        let desired = fleet.group().desired;
        let mut to = desired;
        if let Some(share) = self.busy.newest().filter(|_| over) {
            let target = settings.target();
            let warm = warming(fleet, now.before(settings.warm_up));
            let wanted = settings.wanted(desired.saturating_sub(warm), share);
            if self.busy.all(settings.out_periods, |share| share > target) {
                to = desired.max(wanted);
            } else if warm == 0
                && self
                    .busy
                    .all(settings.in_periods, |share| share < LOW * target)
            {
                to = desired.min(wanted);
            }
        }
        resize(fleet, to.max(settings.at_least), Boots::LeftAlone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::peers::tests::sizes;

    #[test]
    fn the_capacity_is_in_proportion_to_the_metric() {
        let policy = TargetTracking::default();
        for (capacity, busy_share, wanted) in [
            (10, 0.8, 10),
            (10, 0.9, 12),
            (10, 1.0, 13),
            (10, 0.4, 5),
            (10, 0.0, 0),
        ] {
            assert_eq!(policy.wanted(capacity, busy_share), wanted, "{busy_share}");
        }
    }

    #[test]
    fn it_grows_after_three_minutes_and_shrinks_after_fifteen() {
        let policy = TargetTracking::default();
        // Both are taken at once: 100 % from 120 s on, so that three whole minutes breach at 300 s. Two busy ones are 80 % of 2.5.
        let busy = sizes(policy.scaler(), [(105, 9000), (110, 9000)], 2, 3000);
        assert_eq!(busy, [(0, 2), (300, 3)]);
        // Idle from 120 s on.
        let idle = sizes(policy.scaler(), [(9000, 9001)], 6, 3000);
        assert_eq!(idle, [(0, 6), (1020, 2)]);
    }
}
