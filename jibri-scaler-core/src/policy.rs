//! Policies: how many idle Jibris are wanted, and why.
//!
//! A policy only says how much spare is wanted. What must hold for every policy (bounds, rates, stale views, never a busy
//! Jibri) is not its business, so that no policy can break it.
//!
//! [`MinIdle`], [`PercentIdle`], [`SquareRoot`], [`Slo`] and [`Schedule`] say how much is wanted, [`MaxOf`] takes the most of them, and
//! [`Reserved`] and [`AfterRefusal`] add to that.

mod after_refusal;
mod clause;
mod days;
mod lead;
mod max_of;
mod min_idle;
mod percent_idle;
mod proportional;
mod reservation;
mod schedule;
mod slo;
mod square_root;
mod window;

pub use after_refusal::{AfterRefusal, RefusalStep};
pub(crate) use clause::Clause;
pub use days::{Days, ParseDaysError, ParseTimeOfDayError, TimeOfDay};
pub use lead::Lead;
pub use max_of::MaxOf;
pub use min_idle::MinIdle;
pub use percent_idle::{Percent, PercentIdle};
pub use proportional::{NotProportional, Proportional};
pub use reservation::{EmptyReservation, Reservation, Reserved};
pub use schedule::Schedule;
pub use slo::Slo;
pub use square_root::SquareRoot;
pub use window::Window;

use std::{borrow::Cow, fmt};

use crate::{Because, Group, Tally, TimeZone, Timestamp, learned::Learned};

/// What a policy may look at.
///
/// ```
/// use jibri_scaler_core::{Group, Tally, Timestamp, policy::Situation};
///
/// let tally = Tally::default();
/// let situation = Situation::new(Timestamp::from_secs(0), Group::new(1, 9, 1), &tally, 4);
/// assert_eq!(situation.in_use, 4);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Situation<'a> {
    /// The time of the decision.
    pub now: Timestamp,
    /// Bounds and desired capacity of the group.
    pub group: Group,
    /// The instances by class.
    pub tally: &'a Tally,
    /// Instances that count toward the desired capacity and are neither spare, booting nor retiring.
    pub in_use: u32,
    /// What has been learned of the group.
    pub learned: &'a Learned,
}

static NOTHING: Learned = Learned::nothing();

impl<'a> Situation<'a> {
    /// The situation of a group of which nothing has been learned.
    #[must_use]
    pub const fn new(now: Timestamp, group: Group, tally: &'a Tally, in_use: u32) -> Self {
        Self {
            now,
            group,
            tally,
            in_use,
            learned: &NOTHING,
        }
    }

    /// The same with what has been learned.
    #[must_use]
    pub const fn with_learned(mut self, learned: &'a Learned) -> Self {
        self.learned = learned;
        self
    }
}

/// How many idle Jibris a policy wants, and why.
///
/// The reason is any text, or a value that becomes text only where it is printed: [`Because::display`].
///
/// ```
/// use jibri_scaler_core::policy::Vote;
///
/// let vote = Vote::new("office_hours", 5, "it is a working day");
/// assert_eq!(vote.spare, 5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vote {
    /// The name of the policy.
    pub policy: Cow<'static, str>,
    /// How many idle Jibris are wanted.
    pub spare: u32,
    /// Why, as a clause with the numbers.
    pub because: Because,
}

impl Vote {
    /// A vote.
    pub fn new(
        policy: impl Into<Cow<'static, str>>,
        spare: u32,
        because: impl Into<Because>,
    ) -> Self {
        Self {
            policy: policy.into(),
            spare,
            because: because.into(),
        }
    }
}

/// Says how many idle Jibris are wanted.
///
/// # Contract
/// - Deterministic: the same situation gives the same vote.
/// - Monotonic: one more busy Jibri never lowers the vote.
/// - Any number is allowed; the decision keeps it inside all bounds.
///
/// ```
/// use jibri_scaler_core::policy::{Policy, Situation, Vote};
///
/// /// As many spare ones as are in use.
/// #[derive(Debug)]
/// struct Mirror;
///
/// impl Policy for Mirror {
///     fn vote(&self, situation: &Situation<'_>) -> Vote {
///         Vote::new("mirror", situation.in_use, format!("{} are in use", situation.in_use))
///     }
/// }
/// ```
pub trait Policy: fmt::Debug + Send + Sync {
    /// The vote in this situation.
    fn vote(&self, situation: &Situation<'_>) -> Vote;

    /// The vote as a function of what is in use alone, where it is one: what an alarm can compute in place of a controller.
    ///
    /// # Errors
    /// Where it is not, which is what an implementation says unless it knows better.
    fn proportional(&self) -> Result<Proportional, NotProportional> {
        Err(NotProportional::of::<Self>())
    }

    /// The time zone in whose week the demand is to be learned, where the policy needs that.
    fn demand_zone(&self) -> Option<&TimeZone> {
        None
    }
}

impl<P: Policy + ?Sized> Policy for Box<P> {
    fn vote(&self, situation: &Situation<'_>) -> Vote {
        (**self).vote(situation)
    }

    fn proportional(&self) -> Result<Proportional, NotProportional> {
        (**self).proportional()
    }

    fn demand_zone(&self) -> Option<&TimeZone> {
        (**self).demand_zone()
    }
}

impl<P: Policy + ?Sized> Policy for std::sync::Arc<P> {
    fn vote(&self, situation: &Situation<'_>) -> Vote {
        (**self).vote(situation)
    }

    fn proportional(&self) -> Result<Proportional, NotProportional> {
        (**self).proportional()
    }

    fn demand_zone(&self) -> Option<&TimeZone> {
        (**self).demand_zone()
    }
}
