//! What an operator asks of a group: not to grow, not to shrink, to keep an instance, to retire one.
//!
//! It is part of the [`Memory`](crate::Memory), so that [`decide`](fn@crate::decide) stays pure and every decision can be computed
//! again. An [`OperatorCommand`] puts it in, by [`Controller::command`](crate::Controller::command) or by
//! [`Memory::command`](crate::Memory::command); what has expired drops out by itself.
//!
//! | asked | what happens while it lasts |
//! |---|---|
//! | growing is paused | the desired capacity is not raised, not even to the minimum size. Broken instances are replaced all the same |
//! | shrinking is paused | no retirement begins: of no idle one, no broken one, and none by hand. One that was told can't be untold, and goes on |
//! | an instance is kept | no retirement of it begins. It counts as ever, so that others may go in its place |
//! | an instance is retired by hand | it is retired by the [protocol](crate::retirement), never killed: one that records is told, and ends when it is done |
//!
//! Each is a finding of every decision while it lasts. Idle times and the surplus are observed on during a pause, so that what is too
//! much goes as soon as it ends.

mod command;
mod reason;

pub use command::{CommandError, Direction, OperatorCommand};
pub use reason::{BadReason, Reason};

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{InstanceId, Timestamp};

/// The longest pause: what is to last longer is a change of the policy, or of the group.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 86_400);

/// So many instances may be kept, and so many may be asked to be retired, at once.
pub const MOST_INSTANCES: usize = 256;

/// What is asked of a group at the moment.
///
/// ```
/// use jibri_scaler_core::{Memory, Timestamp, operator::{Direction, OperatorCommand}};
///
/// let now: Timestamp = "2026-11-22T10:00:00Z".parse()?;
/// let command: OperatorCommand = serde_json::from_str(
///     r#"{"kind": "pause", "direction": "growing", "until": "2026-11-22T12:00:00Z", "reason": "the subnet is full"}"#,
/// )?;
/// let mut memory = Memory::default();
/// memory.command(&command, now)?;
/// let pause = memory.operator().pause(Direction::Growing).expect("it was just paused");
/// assert_eq!(pause.reason().as_str(), "the subnet is full");
/// assert!(memory.operator().pause(Direction::Shrinking).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Operator {
    #[serde(skip_serializing_if = "Option::is_none")]
    growing: Option<Pause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shrinking: Option<Pause>,
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "bounded"
    )]
    kept: BTreeMap<InstanceId, Keep>,
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "bounded"
    )]
    retires: BTreeMap<InstanceId, ByHand>,
}

impl Operator {
    /// The pause of that direction; of [`Both`](Direction::Both) the one that ends first, if both are paused.
    #[must_use]
    pub fn pause(&self, direction: Direction) -> Option<&Pause> {
        match direction {
            Direction::Growing => self.growing.as_ref(),
            Direction::Shrinking => self.shrinking.as_ref(),
            Direction::Both => {
                let both = self.growing.as_ref().zip(self.shrinking.as_ref());
                both.map(|(a, b)| if a.until <= b.until { a } else { b })
            }
        }
    }

    /// The instances that are kept.
    #[must_use]
    pub const fn kept(&self) -> &BTreeMap<InstanceId, Keep> {
        &self.kept
    }

    /// The instances that are to be retired by hand: those that wait, and those whose retirement is under way.
    #[must_use]
    pub const fn retires(&self) -> &BTreeMap<InstanceId, ByHand> {
        &self.retires
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Forgets what has expired.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        self.growing.take_if(|pause| pause.until <= now);
        self.shrinking.take_if(|pause| pause.until <= now);
        self.kept
            .retain(|_, keep| keep.until.is_none_or(|until| until > now));
    }

    /// Forgets that the instance is kept.
    pub(crate) fn forget_keep(&mut self, id: &InstanceId) {
        self.kept.remove(id);
    }

    /// Forgets that the instance is to be retired by hand.
    pub(crate) fn forget_retire(&mut self, id: &InstanceId) {
        self.retires.remove(id);
    }
}

/// No more instances than can have been asked for.
fn bounded<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<InstanceId, T>, D::Error> {
    let map = BTreeMap::deserialize(deserializer)?;
    if map.len() <= MOST_INSTANCES {
        Ok(map)
    } else {
        let (length, most) = (map.len(), MOST_INSTANCES);
        let error = format!("{length} instances are kept, or to be retired; at most {most} can be");
        Err(de::Error::custom(error))
    }
}

/// A pause of growing or of shrinking.
///
/// ```
/// use jibri_scaler_core::operator::Pause;
///
/// fn say(pause: &Pause) -> String {
///     format!("until {}: {}", pause.until(), pause.reason())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pause {
    since: Timestamp,
    until: Timestamp,
    reason: Reason,
}

impl Pause {
    /// When it was asked for.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// When it ends; at that moment it has ended.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }
}

/// That an instance is kept.
///
/// ```
/// use jibri_scaler_core::operator::Keep;
///
/// fn say(keep: &Keep) -> String {
///     match keep.until() {
///         Some(until) => format!("until {until}: {}", keep.reason()),
///         None => keep.reason().to_string(),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Keep {
    since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    reason: Reason,
}

impl Keep {
    /// When it was asked for.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// When it ends; absent where it lasts until it is taken back, or the instance is no longer listed.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }
}

/// That an instance is to be retired by hand.
///
/// ```
/// use jibri_scaler_core::operator::ByHand;
///
/// fn say(by_hand: &ByHand) -> String {
///     format!("asked for at {}: {}", by_hand.since(), by_hand.reason())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ByHand {
    since: Timestamp,
    #[serde(default)]
    replace: bool,
    reason: Reason,
}

impl ByHand {
    /// When it was asked for.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Whether the group is asked to replace it. It is replaced in any case where spare would be missing, or the group would fall below
    /// its minimum size.
    #[must_use]
    pub const fn replace(&self) -> bool {
        self.replace
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }
}
