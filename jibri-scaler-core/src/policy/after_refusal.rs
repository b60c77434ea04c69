use std::{fmt, time::Duration};

use super::{NotProportional, Policy, Proportional, Situation, Vote};
use crate::{Because, OutOfRange, TimeZone, time::readable};

/// So many more for a while after a recording was refused, falling evenly to none.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::policy::RefusalStep;
///
/// let half_an_hour = Duration::from_secs(1800);
/// assert!(RefusalStep::new(4, half_an_hour).is_ok());
/// assert!(RefusalStep::new(0, half_an_hour).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalStep {
    step: u32,
    lasts: Duration,
}

impl RefusalStep {
    /// How long it lasts unless said otherwise: half an hour.
    pub const LASTS: Duration = Duration::from_secs(1800);

    /// `step` more (range 1–1000), falling to none over `lasts` (range "1m"–"24h").
    ///
    /// # Errors
    /// Where a value is out of its range.
    pub fn new(step: u32, lasts: Duration) -> Result<Self, OutOfRange> {
        if !(1..=1000).contains(&step) {
            return Err(OutOfRange::new("refusal_step", step.to_string(), "1–1000"));
        }
        if !(Duration::from_secs(60)..=Duration::from_secs(86_400)).contains(&lasts) {
            let value = format!("\"{}\"", readable(lasts));
            return Err(OutOfRange::new("refusal_step_for", value, "\"1m\"–\"24h\""));
        }
        Ok(Self { step, lasts })
    }

    /// How many more are wanted so long after a refusal.
    fn more(&self, age: Duration) -> u32 {
        let left = self.lasts.saturating_sub(age).as_micros();
        let more = (u128::from(self.step) * left).div_ceil(self.lasts.as_micros().max(1));
        u32::try_from(more).unwrap_or(self.step)
    }
}

/// What another policy wants, and a [`RefusalStep`] more after a recording was refused.
///
/// The step begins with the tick that shows refusals ([`FleetSnapshot::with_refused`](crate::FleetSnapshot::with_refused)). Another
/// refusal begins it anew; steps do not add up. The launch budget holds for it as for every wish.
///
/// ```
/// use jibri_scaler_core::policy::{AfterRefusal, MinIdle, RefusalStep};
///
/// let policy = AfterRefusal::new(MinIdle::new(2)?, RefusalStep::new(4, RefusalStep::LASTS)?);
/// # let _ = policy;
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AfterRefusal<P> {
    policy: P,
    step: RefusalStep,
}

impl<P: Policy> AfterRefusal<P> {
    /// That policy, and this step after a refusal.
    pub const fn new(policy: P, step: RefusalStep) -> Self {
        Self { policy, step }
    }
}

impl<P: Policy> Policy for AfterRefusal<P> {
    fn vote(&self, situation: &Situation<'_>) -> Vote {
        let vote = self.policy.vote(situation);
        let Some((at, refused)) = situation.learned.last_refusal() else {
            return vote;
        };
        let age = situation.now.since(at);
        match self.step.more(age) {
            0 => vote,
            more => Vote::new(
                format!("{} + refusal_step", vote.policy),
                vote.spare.saturating_add(more),
                Because::display(Added {
                    because: vote.because,
                    more,
                    refused,
                    age,
                }),
            ),
        }
    }

    fn proportional(&self) -> Result<Proportional, NotProportional> {
        Err(NotProportional::new("refusal_step")
            .because("follows from refusals, of which alarms know nothing"))
    }

    fn demand_zone(&self) -> Option<&TimeZone> {
        self.policy.demand_zone()
    }
}

/// Why so many more are wanted than another policy wants.
struct Added {
    because: Because,
    more: u32,
    refused: u32,
    age: Duration,
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (because, more, refused) = (&self.because, self.more, self.refused);
        let age = readable(self.age);
        write!(
            f,
            "{because}; {more} more, since {refused} refused {age} ago"
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Group, Tally, Timestamp,
        learned::{Learned, Look},
        policy::{MinIdle, SquareRoot},
    };

    const HOUR: Duration = Duration::from_secs(3600);

    fn refused_at(now: Timestamp) -> Learned {
        let mut learned = Learned::default();
        learned.look(&Look {
            now,
            last: None,
            starts: 0,
            refused: Some(2),
            open: false,
            boots: &[],
        });
        learned
    }

    fn vote(policy: &dyn Policy, learned: &Learned, secs: i64, in_use: u32) -> Vote {
        let tally = Tally::default();
        let now = Timestamp::from_secs(secs);
        policy.vote(&Situation::new(now, Group::new(0, 9, 0), &tally, in_use).with_learned(learned))
    }

    #[test]
    fn it_decays_to_the_base() {
        let policy =
            AfterRefusal::new(MinIdle::new(2).unwrap(), RefusalStep::new(4, HOUR).unwrap());
        let learned = refused_at(Timestamp::from_secs(0));
        let cases = [
            (0, 6),
            (1, 6),
            (900, 5),
            (1800, 4),
            (2700, 3),
            (3599, 3),
            (3600, 2),
            (999_999, 2),
        ];
        for (secs, spare) in cases {
            assert_eq!(
                vote(&policy, &learned, secs, 0).spare,
                spare,
                "after {secs} s"
            );
        }
        assert_eq!(vote(&policy, &Learned::default(), 0, 0).policy, "min_idle");
        let after = vote(&policy, &learned, 60, 0);
        assert_eq!(after.policy, "min_idle + refusal_step");
        assert_eq!(
            after.because,
            "at least 2 are always wanted; 4 more, since 2 refused 1m ago"
        );
        assert_eq!(vote(&policy, &learned, 3600, 0).policy, "min_idle");
    }

    #[test]
    fn values_out_of_range_are_refused_and_so_are_alarms() {
        for (step, lasts) in [
            (0, HOUR),
            (1001, HOUR),
            (1, Duration::from_secs(59)),
            (1, HOUR * 25),
        ] {
            assert!(RefusalStep::new(step, lasts).is_err());
        }
        let refused = AfterRefusal::new(MinIdle::default(), RefusalStep::new(1, HOUR).unwrap())
            .proportional()
            .unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("`refusal_step` follows from refusals"),
            "{refused}"
        );
    }

    proptest! {
        #[test]
        fn it_never_adds_more_than_the_step_and_busy_jibris_lower_nothing(
            step in 1..1000_u32, minutes in 1..1440_u64, secs in 0..100_000_i64, in_use in 0..1000_u32,
        ) {
            let base = SquareRoot::new(1, 1.0).unwrap();
            let policy = AfterRefusal::new(base, RefusalStep::new(step, Duration::from_secs(60 * minutes)).unwrap());
            let learned = refused_at(Timestamp::from_secs(0));
            let (with, without) = (vote(&policy, &learned, secs, in_use).spare, vote(&base, &learned, secs, in_use).spare);
            prop_assert!((without..=without + step).contains(&with));
            prop_assert!(vote(&policy, &learned, secs + 1, in_use).spare <= with);
            prop_assert!(vote(&policy, &learned, secs, in_use + 1).spare >= with);
        }
    }
}
