use super::Growth;

/// AWS takes at most so many step adjustments in one policy
/// ([quotas](https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html)).
const MOST: usize = 20;

/// One step adjustment of the growth policy: by how much the group grows while the alarm's value lies in
/// `THRESHOLD + lower .. THRESHOLD + upper`.
///
/// ```
/// use jibri_scaler_core::native::Step;
///
/// let last = Step::new(19, None, 20);
/// assert!(last.contains(24.0) && !last.contains(19.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The lower bound, inclusive, counted from the threshold.
    pub lower: u32,
    /// The upper bound, exclusive, counted from the threshold. The last step has none.
    pub upper: Option<u32>,
    /// How many instances are added.
    pub adjustment: u32,
}

impl Step {
    /// A step.
    #[must_use]
    pub const fn new(lower: u32, upper: Option<u32>, adjustment: u32) -> Self {
        Self {
            lower,
            upper,
            adjustment,
        }
    }

    /// Whether this step is the one for that value of the alarm's metric.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        let breach = value - Growth::THRESHOLD;
        breach >= f64::from(self.lower) && self.upper.is_none_or(|upper| breach < f64::from(upper))
    }
}

/// The steps for shortfalls up to `most` and beyond, each adding at least what is short, up to `most`.
pub(super) fn steps(most: u32) -> Vec<Step> {
    let heights = heights(most.max(1));
    let lowers = std::iter::once(0).chain(heights.iter().copied());
    let step = |(lower, &height)| {
        let upper = (height < most).then_some(height);
        Step::new(lower, upper, height)
    };
    lowers.zip(&heights).map(step).collect()
}

/// The adjustments: one by one at first, then each larger than the one before by the smallest share with which so many steps
/// suffice, so that no step adds more beyond the shortfall than that share of it.
fn heights(most: u32) -> Vec<u32> {
    let mut percent = 0;
    loop {
        let climb = |last: &u32| {
            let share = u64::from(*last) * percent / 100;
            let next = (u64::from(*last) + share.max(1)).min(u64::from(most));
            u32::try_from(next).ok().filter(|next| next > last)
        };
        let heights: Vec<u32> = std::iter::successors(Some(1), climb).take(MOST).collect();
        if heights.last() == Some(&most) {
            return heights;
        }
        percent += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_twenty_every_shortfall_has_its_own_step() {
        for most in 1..=20 {
            assert_eq!(heights(most), (1..=most).collect::<Vec<_>>());
        }
        assert_eq!(steps(1), [Step::new(0, None, 1)]);
        assert_eq!(
            steps(3),
            [
                Step::new(0, Some(1), 1),
                Step::new(1, Some(2), 2),
                Step::new(2, None, 3)
            ]
        );
    }

    #[test]
    fn beyond_twenty_small_shortfalls_stay_exact() {
        assert_eq!(
            heights(100),
            [
                1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 22, 27, 34, 42, 52, 65, 81, 100
            ]
        );
    }
}
