//! What a decision asks to be done.

use serde::{Deserialize, Serialize};

use crate::InstanceId;

/// One thing to be done. It leaves nothing to choose.
///
/// ```
/// use jibri_scaler_core::Effect;
///
/// let effect = Effect::Retire { id: "i-0abc".parse()?, replace: false };
/// assert_eq!(serde_json::to_string(&effect).unwrap(), r#"{"kind":"retire","id":"i-0abc","replace":false}"#);
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever applies a plan must know every effect"
)]
pub enum Effect {
    /// Protect the instance from scale-in.
    Protect {
        /// The instance.
        id: InstanceId,
    },
    /// Set the desired capacity to this absolute number, which is above the present one.
    SetCapacity {
        /// The desired capacity to set.
        to: u32,
    },
    /// Begin to retire the instance. The retirement lasts from seconds to hours.
    Retire {
        /// The instance.
        id: InstanceId,
        /// Whether the group is to replace it.
        replace: bool,
    },
}

impl Effect {
    /// The name of its kind, as it is serialized.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Protect { .. } => "protect",
            Self::SetCapacity { .. } => "set_capacity",
            Self::Retire { .. } => "retire",
        }
    }
}

/// What is to be done, in this order: protect, set the capacity, retire.
///
/// ```
/// use jibri_scaler_core::Plan;
///
/// assert!(Plan::default().is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[must_use = "a plan does nothing until a controller applies it"]
#[non_exhaustive]
pub struct Plan {
    /// The effects, in order.
    pub effects: Vec<Effect>,
}

impl Plan {
    /// Whether there is nothing to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    /// The instances to protect.
    pub fn protects(&self) -> impl Iterator<Item = &InstanceId> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Protect { id } => Some(id),
            _ => None,
        })
    }

    /// The desired capacity to set, if it is to change.
    #[must_use]
    pub fn capacity(&self) -> Option<u32> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::SetCapacity { to } => Some(*to),
            _ => None,
        })
    }

    /// The retirements to begin, and whether each instance is to be replaced.
    pub fn retires(&self) -> impl Iterator<Item = (&InstanceId, bool)> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Retire { id, replace } => Some((id, *replace)),
            _ => None,
        })
    }
}
