use std::fmt;

use super::{Clause, NotProportional, Policy, Proportional, Situation, Vote};
use crate::OutOfRange;

/// A share of 0 to 95 percent, exact to six decimals.
///
/// ```
/// use jibri_scaler_core::policy::Percent;
///
/// assert_eq!(Percent::new(12.5)?.to_string(), "12.5%");
/// assert!(Percent::new(95.1).is_err());
/// assert!(Percent::new(f64::NAN).is_err());
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent {
    /// Millionths of a percent, so that sums are exact.
    millionths: u32,
}

const ONE: u32 = 1_000_000;

impl Percent {
    /// So many percent, range 0–95; digits beyond the sixth decimal are rounded.
    ///
    /// # Errors
    /// Where the number is out of that range, or not a number.
    pub fn new(percent: f64) -> Result<Self, OutOfRange> {
        if !(0.0..=95.0).contains(&percent) {
            return Err(OutOfRange::new("percent_idle", percent.to_string(), "0–95"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "in 0..=95_000_000, as just checked"
        )]
        let millionths = (percent * f64::from(ONE)).round() as u32;
        Ok(Self { millionths })
    }

    const fn is_zero(self) -> bool {
        self.millionths == 0
    }

    /// How many idle ones go with how many busy ones: p : (100 − p), in lowest terms.
    pub(crate) const fn idle_to_busy(self) -> (u32, u32) {
        let (idle, busy) = (self.millionths, 100 * ONE - self.millionths);
        let (mut divisor, mut rest) = (busy, idle);
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        (idle / divisor, busy / divisor)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.millionths) / f64::from(ONE))
    }
}

/// So large a share of *all* instances is to be idle.
///
/// With `u` in use, the smallest number of spare ones that is `p` percent of all is ⌈u·p/(100−p)⌉. It is at least 1 when `p` is
/// above 0: a share of nothing would be nothing for ever.
///
/// ```
/// use jibri_scaler_core::{
///     Group, Tally, Timestamp,
///     policy::{Percent, PercentIdle, Policy, Situation},
/// };
///
/// let policy = PercentIdle::new(Percent::new(20.0)?);
/// let tally = Tally::default();
/// let spare = |in_use| policy.vote(&Situation::new(Timestamp::from_secs(0), Group::new(0, 99, 0), &tally, in_use)).spare;
/// assert_eq!((spare(0), spare(8), spare(9)), (1, 2, 3)); // 2 of 10 are 20 %, 3 of 12 are 25 %
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PercentIdle {
    share: Percent,
    most: Option<u32>,
}

impl PercentIdle {
    /// So large a share of all instances.
    #[must_use]
    pub const fn new(percent: Percent) -> Self {
        Self {
            share: percent,
            most: None,
        }
    }

    /// The same wanting no more than so many, range 1–10000: a large group needs a smaller share.
    ///
    /// # Errors
    /// Where the number is out of that range.
    pub fn with_most(mut self, most: u32) -> Result<Self, OutOfRange> {
        if !(1..=10_000).contains(&most) {
            return Err(OutOfRange::new(
                "percent_idle_max",
                most.to_string(),
                "1–10000",
            ));
        }
        self.most = Some(most);
        Ok(self)
    }
}

impl Policy for PercentIdle {
    fn vote(&self, situation: &Situation<'_>) -> Vote {
        let (part, in_use) = (
            u64::from(self.share.millionths),
            u64::from(situation.in_use),
        );
        let exact = (in_use * part).div_ceil(u64::from(100 * ONE) - part);
        let spare = u32::try_from(exact)
            .unwrap_or(u32::MAX)
            .max(u32::from(!self.share.is_zero()));
        let cap = self.most.filter(|most| *most < spare);
        let because = Clause::PercentIdle {
            share: self.share,
            in_use: situation.in_use,
            cap,
        };
        let spare = cap.unwrap_or(spare);
        Vote::new("percent_idle", spare, because)
    }

    fn proportional(&self) -> Result<Proportional, NotProportional> {
        if self.most.is_some() && !self.share.is_zero() {
            return Err(NotProportional::new("percent_idle")
                .because("stops at percent_idle_max, and an alarm's share does not"));
        }
        Ok(Proportional::new(
            u32::from(!self.share.is_zero()),
            self.share,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Group, Tally, Timestamp};

    fn spare(percent: f64, in_use: u32) -> u32 {
        let tally = Tally::default();
        let situation = Situation::new(Timestamp::MIN, Group::new(0, 1, 0), &tally, in_use);
        PercentIdle::new(Percent::new(percent).unwrap())
            .vote(&situation)
            .spare
    }

    #[test]
    fn the_share_is_exact() {
        let cases = [
            (0.0, 50, 0),
            (50.0, 7, 7),
            (95.0, 1, 19),
            (0.1, 999, 1),
            (0.1, 1000, 2),
            (12.5, 7, 1),
            (12.5, 8, 2),
            (33.3, 667, 333),
        ];
        for (percent, in_use, expected) in cases {
            assert_eq!(
                spare(percent, in_use),
                expected,
                "{percent} % with {in_use} in use"
            );
        }
    }

    #[test]
    fn a_share_may_have_a_most() {
        let tally = Tally::default();
        let capped = PercentIdle::new(Percent::new(50.0).unwrap())
            .with_most(3)
            .unwrap();
        let vote = |in_use| {
            capped.vote(&Situation::new(
                Timestamp::MIN,
                Group::new(0, 1, 0),
                &tally,
                in_use,
            ))
        };
        let spare = [0, 1, 2, 3, 4, u32::MAX].map(|in_use| vote(in_use).spare);
        assert_eq!(spare, [1, 1, 2, 3, 3, 3]);
        assert!(vote(4).because.to_string().ends_with("no more than 3"));
        assert!(!vote(3).because.to_string().contains("no more"));
        let refused = capped.proportional().unwrap_err().to_string();
        assert!(refused.contains("percent_idle_max"), "{refused}");
        assert!(PercentIdle::default().with_most(0).is_err());
        assert!(
            PercentIdle::default()
                .with_most(3)
                .unwrap()
                .proportional()
                .is_ok()
        );
    }

    #[test]
    fn a_share_above_nothing_is_never_nothing() {
        assert_eq!(spare(0.000_001, 0), 1);
        assert_eq!(spare(95.0, u32::MAX), u32::MAX);
    }
}
