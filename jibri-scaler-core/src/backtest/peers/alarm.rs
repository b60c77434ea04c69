use std::{fmt, time::Duration};

use super::{
    group::{Boots, Members, resize},
    periods::Periods,
};
use crate::{
    Timestamp,
    backtest::{Fleet, Scaler},
    time::readable,
};

/// Two CloudWatch alarms on the number of idle Jibris, and simple scaling policies that add one and take one away: what forums and
/// blogs say.
///
/// Sources: [Auto-Scaling Jibri in AWS](https://community.jitsi.org/t/auto-scaling-jibri-in-aws/101329) (“when <N idle
/// instances”), [Autoscaling Jibri Containers on AWS](https://preetmishra.com/blog/autoscaling-jibri-containers-on-aws) (two alarms
/// around a threshold, simple scaling), and for the cooldown of 300 s, in which no alarm is heard, the user guide of EC2 Auto Scaling.
/// They leave the thresholds open: [`Default`] keeps two idle.
///
/// ```
/// use jibri_scaler_core::backtest::peers::Alarm;
///
/// let alarm = Alarm::default();
/// assert_eq!((alarm.step(1), alarm.step(2), alarm.step(3)), (1, 0, -1));
/// assert_eq!(alarm.to_string(), "+1 below 2 idle for 1m, -1 above 2 for 5m, cooldown 5m");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alarm {
    /// One more below so many idle.
    pub out_below: u32,
    /// One fewer above so many idle.
    pub in_above: u32,
    /// The period of both alarms.
    pub period: Duration,
    /// So many periods must breach before one more is launched.
    pub out_periods: u32,
    /// So many periods must breach before one is ended.
    pub in_periods: u32,
    /// For how long no alarm is heard after an action.
    pub cooldown: Duration,
}

impl Default for Alarm {
    fn default() -> Self {
        Self {
            out_below: 2,
            in_above: 2,
            period: Duration::from_secs(60),
            out_periods: 1,
            in_periods: 5,
            cooldown: Duration::from_secs(300),
        }
    }
}

impl Alarm {
    /// What an alarm on so many idle Jibris does.
    #[must_use]
    pub const fn step(&self, idle: u32) -> i32 {
        if idle < self.out_below {
            1
        } else if idle > self.in_above {
            -1
        } else {
            0
        }
    }

    pub(super) fn scaler(&self) -> impl Scaler + 'static {
        Run {
            idle: Periods::new(self.period, self.out_periods.max(self.in_periods)),
            settings: self.clone(),
            last_action: None,
        }
    }

    /// From few idle to many, for each way to set the rest.
    pub(super) fn curves() -> Vec<Vec<Self>> {
        let mut curves = Vec::new();
        for cooldown in [60, 300] {
            for (period, in_periods) in [(30, 4), (60, 5), (60, 15)] {
                let settings = |spare: u32| Self {
                    out_below: spare,
                    in_above: spare + spare.div_ceil(4),
                    period: Duration::from_secs(period),
                    in_periods,
                    cooldown: Duration::from_secs(cooldown),
                    ..Self::default()
                };
                curves.push(super::SPARES.map(settings).to_vec());
            }
        }
        curves
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "+1 below {} idle for {}, -1 above {} for {}, cooldown {}",
            self.out_below,
            readable(self.period * self.out_periods),
            self.in_above,
            readable(self.period * self.in_periods),
            readable(self.cooldown)
        )
    }
}

struct Run {
    settings: Alarm,
    idle: Periods,
    last_action: Option<Timestamp>,
}

impl Scaler for Run {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        let members = Members::look(fleet);
        let (now, settings) = (fleet.now(), &self.settings);
        let over = self.idle.publish(now, members.idle.into());
        let desired = fleet.group().desired;
        let cooling = |at: Timestamp| now.since(at) < settings.cooldown;
        let mut to = desired;
        if over && !self.last_action.is_some_and(cooling) {
            let low = |idle: f64| idle < settings.out_below.into();
            let high = |idle: f64| idle > settings.in_above.into();
            if self.idle.all(settings.out_periods, low) {
                to = desired.saturating_add(1);
            } else if self.idle.all(settings.in_periods, high) {
                to = desired.saturating_sub(1);
            }
        }
        resize(fleet, to, Boots::LeftAlone);
        if fleet.group().desired != desired {
            self.last_action = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::peers::tests::sizes;

    #[test]
    fn one_is_added_per_cooldown_however_many_are_missing() {
        let settings = Alarm {
            out_below: 9,
            in_above: 9,
            ..Alarm::default()
        };
        // The first whole minute is over at 60 s; nobody is idle.
        let sizes = sizes(settings.scaler(), [(9000, 9001)], 0, 1000);
        assert_eq!(sizes, [(0, 0), (60, 1), (360, 2), (660, 3), (960, 4)]);
    }

    #[test]
    fn one_is_ended_after_the_surplus_has_lasted() {
        let sizes = sizes(Alarm::default().scaler(), [(9000, 9001)], 5, 2000);
        // One more, since nobody is idle in the first minute; then idle from 120 s on, so that the five minutes up to 420 s breach.
        let expected = [(0, 5), (60, 6), (420, 5), (720, 4), (1020, 3), (1320, 2)];
        assert_eq!(sizes, expected);
    }

    #[test]
    fn those_that_record_are_left_alone() {
        let settings = Alarm {
            out_below: 0,
            in_above: 0,
            in_periods: 1,
            cooldown: Duration::from_secs(60),
            ..Alarm::default()
        };
        let sizes = sizes(settings.scaler(), [(110, 5000), (115, 5000)], 4, 2000);
        assert_eq!(sizes, [(0, 4), (180, 3), (240, 2)]);
    }
}
