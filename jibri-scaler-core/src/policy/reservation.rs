use std::fmt;

use super::{Lead, NotProportional, Policy, Proportional, Situation, Vote};
use crate::{Because, TimeZone, Timestamp};

/// So many more idle Jibris for one event.
///
/// ```
/// use jibri_scaler_core::policy::Reservation;
///
/// let all_hands = Reservation::new("2026-12-01T14:00:00+01:00".parse()?, "2026-12-01T15:30:00+01:00".parse()?, 20)?;
/// assert!(Reservation::new(all_hands.to(), all_hands.from(), 20).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    from: Timestamp,
    to: Timestamp,
    spare: u32,
}

impl Reservation {
    /// So many more from the first moment up to the second.
    ///
    /// # Errors
    /// Where the second is not after the first.
    pub fn new(from: Timestamp, to: Timestamp, spare: u32) -> Result<Self, EmptyReservation> {
        if from < to {
            Ok(Self { from, to, spare })
        } else {
            Err(EmptyReservation { from, to })
        }
    }

    /// When it begins.
    #[must_use]
    pub const fn from(&self) -> Timestamp {
        self.from
    }

    /// When it is over.
    #[must_use]
    pub const fn to(&self) -> Timestamp {
        self.to
    }
}

/// A reservation that is over before it begins.
///
/// ```
/// use jibri_scaler_core::{Timestamp, policy::Reservation};
///
/// let noon: Timestamp = "2026-12-01T12:00:00Z".parse()?;
/// let error = Reservation::new(noon, noon, 1).unwrap_err();
/// assert_eq!(error.to_string(), "to is 2026-12-01T12:00:00Z, but must be after from (2026-12-01T12:00:00Z)");
/// # Ok::<(), jibri_scaler_core::ParseTimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("to is {to}, but must be after from ({from})")]
#[non_exhaustive]
pub struct EmptyReservation {
    /// When it was to begin.
    pub from: Timestamp,
    /// When it was to be over.
    pub to: Timestamp,
}

/// What another policy wants, and what is reserved beside it: all reservations of the moment together.
///
/// Each counts from one [`Lead`] before it begins, so that the Jibris are ready then. Until it ends it is added to what is wanted, however
/// many of the Jibris are recording by then.
///
/// ```
/// use jibri_scaler_core::{
///     Group, Tally, Timestamp,
///     policy::{Lead, MinIdle, Policy, Reservation, Reserved, Situation},
/// };
///
/// let (from, to) = ("2026-12-01T14:00:00Z".parse()?, "2026-12-01T15:00:00Z".parse()?);
/// let policy = Reserved::new(MinIdle::new(2)?, [Reservation::new(from, to, 20)?], Lead::default());
/// let tally = Tally::default();
/// let spare = |now: &str| Ok::<_, jibri_scaler_core::ParseTimestampError>(
///     policy.vote(&Situation::new(now.parse()?, Group::new(0, 99, 0), &tally, 0)).spare);
/// assert_eq!((spare("2026-12-01T13:50:00Z")?, spare("2026-12-01T13:57:00Z")?, spare("2026-12-01T15:00:00Z")?), (2, 22, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved<P> {
    policy: P,
    reservations: Vec<Reservation>,
    lead: Lead,
}

impl<P: Policy> Reserved<P> {
    /// These reservations beside that policy.
    pub fn new(policy: P, reservations: impl IntoIterator<Item = Reservation>, lead: Lead) -> Self {
        Self {
            policy,
            reservations: reservations.into_iter().collect(),
            lead,
        }
    }
}

impl<P: Policy> Policy for Reserved<P> {
    fn vote(&self, situation: &Situation<'_>) -> Vote {
        let vote = self.policy.vote(situation);
        let soon = situation.now + self.lead.of(situation.learned);
        let open = |one: &&Reservation| one.from <= soon && situation.now < one.to;
        let (mut count, mut more) = (0_u32, 0_u32);
        for one in self.reservations.iter().filter(open) {
            count += 1;
            more = more.saturating_add(one.spare);
        }
        if more == 0 {
            return vote;
        }
        Vote::new(
            format!("{} + reservation", vote.policy),
            vote.spare.saturating_add(more),
            Because::display(Added {
                because: vote.because,
                more,
                count,
            }),
        )
    }

    fn proportional(&self) -> Result<Proportional, NotProportional> {
        if self.reservations.is_empty() {
            return self.policy.proportional();
        }
        Err(NotProportional::new("reservation")
            .because("follows from the time, of which alarms know nothing"))
    }

    fn demand_zone(&self) -> Option<&TimeZone> {
        self.policy.demand_zone()
    }
}

/// Why so many more are wanted than another policy wants.
struct Added {
    because: Because,
    more: u32,
    count: u32,
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (because, more, count) = (&self.because, self.more, self.count);
        write!(f, "{because}; {more} more by {count} reservations")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        Group, Tally,
        policy::{MinIdle, SquareRoot},
    };

    fn reservation(from: i64, to: i64, spare: u32) -> Reservation {
        Reservation::new(Timestamp::from_secs(from), Timestamp::from_secs(to), spare).unwrap()
    }

    fn vote(policy: &dyn Policy, now: Timestamp, in_use: u32) -> Vote {
        policy.vote(&Situation::new(
            now,
            Group::new(0, 9, 0),
            &Tally::default(),
            in_use,
        ))
    }

    #[test]
    fn reservations_add_up_from_one_lead_before_until_the_end() {
        let reservations = [reservation(1000, 2000, 5), reservation(1500, 3000, 7)];
        let policy = Reserved::new(MinIdle::new(2).unwrap(), reservations, Lead::default());
        // The lead is 220 s.
        let cases = [
            (0, 2),
            (779, 2),
            (780, 7),
            (1000, 7),
            (1279, 7),
            (1280, 14),
            (1999, 14),
            (2000, 9),
            (2999, 9),
            (3000, 2),
        ];
        for (secs, spare) in cases {
            assert_eq!(
                vote(&policy, Timestamp::from_secs(secs), 0).spare,
                spare,
                "at {secs}"
            );
        }
        let both = vote(&policy, Timestamp::from_secs(1600), 0);
        assert_eq!(both.policy, "min_idle + reservation");
        assert_eq!(
            both.because,
            "at least 2 are always wanted; 12 more by 2 reservations"
        );
        assert_eq!(vote(&policy, Timestamp::from_secs(0), 0).policy, "min_idle");
        let refused = policy.proportional().unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("`reservation` follows from the time"),
            "{refused}"
        );
        assert!(
            Reserved::new(MinIdle::default(), [], Lead::default())
                .proportional()
                .is_ok()
        );
    }

    #[test]
    fn extreme_times_and_numbers_are_no_panic() {
        let always = Reservation::new(Timestamp::MIN, Timestamp::MAX, u32::MAX).unwrap();
        let policy = Reserved::new(MinIdle::default(), [always, always], Lead::default());
        assert_eq!(vote(&policy, Timestamp::MIN, 0).spare, u32::MAX);
        assert_eq!(vote(&policy, Timestamp::MAX, 0).spare, 1);
    }

    proptest! {
        #[test]
        fn one_more_busy_jibri_never_lowers_the_vote(secs in 0..4000_u64, in_use in 0..1000_u32) {
            let base = SquareRoot::new(1, 1.0).unwrap();
            let policy = Reserved::new(base, [reservation(1000, 2000, 5)], Lead::default());
            let now = Timestamp::from_secs(0) + Duration::from_secs(secs);
            prop_assert!(vote(&policy, now, in_use + 1).spare >= vote(&policy, now, in_use).spare);
        }
    }
}
