use std::borrow::Cow;

use super::Percent;

/// A vote of the form max(`min`, ⌈u·`share`/(100 − `share`)⌉), where `u` are in use: what a CloudWatch alarm can compute.
///
/// ```
/// use jibri_scaler_core::policy::{MinIdle, Policy, Proportional};
///
/// let three = MinIdle::new(3)?.proportional().ok();
/// assert_eq!(three, Some(Proportional::new(3, Default::default())));
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proportional {
    /// At least so many idle Jibris.
    pub min: u32,
    /// At least so large a share of all instances.
    pub share: Percent,
}

impl Proportional {
    /// A vote with these numbers.
    #[must_use]
    pub const fn new(min: u32, share: Percent) -> Self {
        Self { min, share }
    }

    /// The larger of two votes, whatever is in use.
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        Self {
            min: self.min.max(other.min),
            share: self.share.max(other.share),
        }
    }
}

/// The policy's vote depends on more than the number of idle and busy Jibris, or in a way that is no [`Proportional`].
///
/// ```
/// use jibri_scaler_core::policy::{Policy, Situation, Vote};
///
/// #[derive(Debug)]
/// struct OfficeHours;
///
/// impl Policy for OfficeHours {
///     fn vote(&self, _: &Situation<'_>) -> Vote {
///         Vote::new("office_hours", 5, "it is a working day")
///     }
/// }
///
/// let refused = OfficeHours.proportional().unwrap_err();
/// assert_eq!(refused.policy, "OfficeHours");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the vote of policy `{policy}` {reason}")]
#[non_exhaustive]
pub struct NotProportional {
    /// The type of the policy.
    pub policy: String,
    /// Why not, as a clause whose subject is the vote.
    pub reason: Cow<'static, str>,
}

impl NotProportional {
    /// That policy.
    pub fn new(policy: impl Into<String>) -> Self {
        Self {
            policy: policy.into(),
            reason: "does not follow from the number of idle and busy Jibris alone".into(),
        }
    }

    /// The same for this reason, a clause whose subject is the vote.
    #[must_use]
    pub fn because(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = reason.into();
        self
    }

    /// The policy of that type, by the last part of its name.
    pub(super) fn of<P: ?Sized>() -> Self {
        let name = std::any::type_name::<P>();
        let base = name.split('<').next().unwrap_or(name);
        Self::new(base.rsplit("::").next().unwrap_or(base))
    }
}
