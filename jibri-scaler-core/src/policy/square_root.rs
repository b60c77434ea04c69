use super::{Clause, NotProportional, Policy, Proportional, Situation, Vote};
use crate::OutOfRange;

/// A base, and a factor times the square root of what is in use.
///
/// By how much a sum of many independent recordings deviates from its mean grows with the square root of their number, so the *share*
/// that must be spare falls with the size of the group. A fixed share protects a small group too little and a large one too much;
/// this does neither.
///
/// ```
/// use jibri_scaler_core::{
///     Group, Tally, Timestamp,
///     policy::{Policy, Situation, SquareRoot},
/// };
///
/// let policy = SquareRoot::new(1, 1.5)?;
/// let tally = Tally::default();
/// let spare = |in_use| policy.vote(&Situation::new(Timestamp::from_secs(0), Group::new(0, 99, 0), &tally, in_use)).spare;
/// assert_eq!((spare(0), spare(1), spare(16), spare(100)), (1, 3, 7, 16));
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SquareRoot {
    base: u32,
    /// Thousandths, so that the result is exact.
    factor: u32,
}

impl SquareRoot {
    /// `base` (range 0–10000) plus `factor` (range 0–100, exact to three decimals) times the square root of what is in use, rounded up.
    ///
    /// # Errors
    /// Where a number is out of its range, or not a number.
    pub fn new(base: u32, factor: f64) -> Result<Self, OutOfRange> {
        if base > 10_000 {
            let value = base.to_string();
            return Err(OutOfRange::new("square_root.base", value, "0–10000"));
        }
        if !(0.0..=100.0).contains(&factor) {
            let value = factor.to_string();
            return Err(OutOfRange::new("square_root.factor", value, "0–100"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "in 0..=100_000, as just checked"
        )]
        let factor = (factor * 1e3).round() as u32;
        Ok(Self { base, factor })
    }
}

impl Policy for SquareRoot {
    fn vote(&self, situation: &Situation<'_>) -> Vote {
        let (factor, in_use) = (u128::from(self.factor), u128::from(situation.in_use));
        let square = factor * factor * in_use;
        let root = square.isqrt();
        let root = root + u128::from(root * root < square);
        let part = u32::try_from(root.div_ceil(1000)).unwrap_or(u32::MAX);
        let because = Clause::SquareRoot {
            base: self.base,
            factor: f64::from(self.factor) / 1e3,
            in_use: situation.in_use,
        };
        Vote::new("square_root", self.base.saturating_add(part), because)
    }

    fn proportional(&self) -> Result<Proportional, NotProportional> {
        if self.factor == 0 {
            return Ok(Proportional::new(self.base, super::Percent::default()));
        }
        Err(NotProportional::new("square_root")
            .because("follows a square root, and alarms a share of what is in use"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Group, Tally, Timestamp};

    fn spare(base: u32, factor: f64, in_use: u32) -> u32 {
        let tally = Tally::default();
        let situation = Situation::new(Timestamp::MIN, Group::new(0, 1, 0), &tally, in_use);
        SquareRoot::new(base, factor)
            .unwrap()
            .vote(&situation)
            .spare
    }

    #[test]
    fn the_root_is_exact_and_rounded_up() {
        let cases = [
            (0, 0.0, 100, 0),
            (2, 0.0, 100, 2),
            (0, 1.0, 99, 10),
            (0, 1.0, 100, 10),
            (0, 1.0, 101, 11),
            (0, 0.1, 1, 1),
            (0, 0.001, 1_000_000, 1),
            (1, 2.5, 4, 6),
            (10_000, 100.0, u32::MAX, 6_563_600),
        ];
        for (base, factor, in_use, expected) in cases {
            assert_eq!(
                spare(base, factor, in_use),
                expected,
                "{base} + {factor}·√{in_use}"
            );
        }
    }

    #[test]
    fn an_alarm_can_not_follow_it() {
        let refused = SquareRoot::new(1, 1.0).unwrap().proportional().unwrap_err();
        assert!(refused.to_string().contains("square root"), "{refused}");
        assert_eq!(
            SquareRoot::new(3, 0.0)
                .unwrap()
                .proportional()
                .map(|vote| vote.min),
            Ok(3)
        );
        for (base, factor) in [(10_001, 1.0), (1, -0.1), (1, 100.1), (1, f64::NAN)] {
            assert!(SquareRoot::new(base, factor).is_err());
        }
    }

    proptest! {
        #[test]
        fn one_more_busy_jibri_never_lowers_the_vote(base in 0..100_u32, factor in 0.0..100.0_f64, in_use in 0..1_000_000_u32) {
            prop_assert!(spare(base, factor, in_use + 1) >= spare(base, factor, in_use));
        }
    }
}
