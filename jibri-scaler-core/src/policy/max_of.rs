use super::{NotProportional, Policy, Proportional, Situation, Vote};
use crate::TimeZone;

/// The largest vote of several policies. The vote carries the name of the winner; on a tie the first wins.
///
/// Without any policy nothing is wanted.
///
/// ```
/// use jibri_scaler_core::{
///     Group, Tally, Timestamp,
///     policy::{MaxOf, MinIdle, Percent, PercentIdle, Policy, Situation},
/// };
///
/// let policy = MaxOf::new([
///     Box::new(MinIdle::new(2)?) as Box<dyn Policy>,
///     Box::new(PercentIdle::new(Percent::new(20.0)?)),
/// ]);
/// let tally = Tally::default();
/// let winner = |in_use| policy.vote(&Situation::new(Timestamp::from_secs(0), Group::new(0, 99, 0), &tally, in_use)).policy;
/// assert_eq!(winner(8), "min_idle"); // both want 2
/// assert_eq!(winner(9), "percent_idle");
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Debug, Default)]
pub struct MaxOf(Vec<Box<dyn Policy>>);

impl MaxOf {
    /// The largest vote of these, the first winning a tie.
    pub fn new(policies: impl IntoIterator<Item = Box<dyn Policy>>) -> Self {
        Self(policies.into_iter().collect())
    }
}

impl Policy for MaxOf {
    fn vote(&self, situation: &Situation<'_>) -> Vote {
        let votes = self.0.iter().map(|policy| policy.vote(situation));
        votes
            .reduce(|best, vote| if vote.spare > best.spare { vote } else { best })
            .unwrap_or_else(|| Vote::new("none", 0, "there is no policy"))
    }
    fn proportional(&self) -> Result<Proportional, NotProportional> {
        let mut parts = self.0.iter().map(Policy::proportional);
        parts.try_fold(Proportional::default(), |all, part| Ok(all.or_more(part?)))
    }
    fn demand_zone(&self) -> Option<&TimeZone> {
        self.0.iter().find_map(Policy::demand_zone)
    }
}
