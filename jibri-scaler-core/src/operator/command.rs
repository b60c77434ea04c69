use serde::{Deserialize, Serialize};

use super::{ByHand, Keep, LONGEST_PAUSE, MOST_INSTANCES, Operator, Pause, Reason};
use crate::{InstanceId, Memory, Timestamp, time::readable};

/// What of the scaling is meant.
///
/// ```
/// use jibri_scaler_core::operator::Direction;
///
/// assert_eq!(serde_json::to_string(&Direction::Both)?, r#""both""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Direction {
    /// Raising the desired capacity.
    Growing,
    /// Retiring instances.
    Shrinking,
    /// The two of them.
    Both,
}

impl Direction {
    /// The name, as it is serialized.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Growing => "growing",
            Self::Shrinking => "shrinking",
            Self::Both => "both",
        }
    }

    const fn includes(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Both, _) | (Self::Growing, Self::Growing) | (Self::Shrinking, Self::Shrinking)
        )
    }
}

/// What an operator says to a group. As JSON it is the body of a request: an object with `kind`.
///
/// ```
/// use jibri_scaler_core::operator::OperatorCommand;
///
/// for body in [
///     r#"{"kind": "pause", "direction": "both", "until": "2026-11-22T12:00:00Z", "reason": "a demonstration"}"#,
///     r#"{"kind": "resume", "direction": "growing"}"#,
///     r#"{"kind": "keep", "id": "i-0abc", "until": "2026-11-23T00:00:00Z", "reason": "its disk is looked at"}"#,
///     r#"{"kind": "unkeep", "id": "i-0abc"}"#,
///     r#"{"kind": "retire", "id": "i-0def", "replace": true, "reason": "its sound is broken"}"#,
///     r#"{"kind": "cancel_retire", "id": "i-0def"}"#,
/// ] {
///     let command: OperatorCommand = serde_json::from_str(body)?;
///     assert_eq!(command, serde_json::from_str(&serde_json::to_string(&command)?)?);
/// }
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum OperatorCommand {
    /// Do not grow, or not shrink, until then. It takes the place of a pause that is under way.
    Pause {
        /// What is not to be done.
        direction: Direction,
        /// When it ends: later than now, and within [`LONGEST_PAUSE`].
        until: Timestamp,
        /// Why.
        reason: Reason,
    },
    /// End a pause before its time. Nothing happens where there is none.
    Resume {
        /// What may be done again.
        direction: Direction,
    },
    /// Do not retire this instance. Of one whose retirement is under way only a finding comes: what was told can't be untold.
    Keep {
        /// The instance.
        id: InstanceId,
        /// When that ends; without it, when it is taken back or the instance is no longer listed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Why.
        reason: Reason,
    },
    /// Keep this instance no longer.
    Unkeep {
        /// The instance.
        id: InstanceId,
    },
    /// Retire this instance, by the same protocol as any other, as soon as that is safe. A busy one is told, and ends when it is done.
    Retire {
        /// The instance.
        id: InstanceId,
        /// Whether the group is to replace it. It is replaced in any case where it would be missed.
        #[serde(default)]
        replace: bool,
        /// Why.
        reason: Reason,
    },
    /// Take back a retirement by hand that has not begun.
    CancelRetire {
        /// The instance.
        id: InstanceId,
    },
}

impl OperatorCommand {
    /// The name of its kind, as it is serialized.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Keep { .. } => "keep",
            Self::Unkeep { .. } => "unkeep",
            Self::Retire { .. } => "retire",
            Self::CancelRetire { .. } => "cancel_retire",
        }
    }
}

/// A command that can't be taken. Nothing has changed.
///
/// ```
/// use jibri_scaler_core::{Memory, Timestamp, operator::{CommandError, OperatorCommand}};
///
/// let id: jibri_scaler_core::InstanceId = "i-0abc".parse()?;
/// let error = Memory::default().command(&OperatorCommand::Unkeep { id: id.clone() }, Timestamp::from_secs(0)).unwrap_err();
/// assert_eq!(error, CommandError::NotKept { id });
/// assert_eq!(error.to_string(), "i-0abc is not kept, so there is nothing to take back");
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It would end before it began.
    #[error("`until` is {until}, and it is {now}: give a time that is to come")]
    Past {
        /// When it would end.
        until: Timestamp,
        /// What time it is.
        now: Timestamp,
    },
    /// A pause that is longer than [`LONGEST_PAUSE`].
    #[error(
        "`until` is {until}, and a pause may last for {} at most: change the policy or the group where it is to last",
        readable(LONGEST_PAUSE)
    )]
    TooLong {
        /// When it would end.
        until: Timestamp,
    },
    /// More than [`MOST_INSTANCES`] instances.
    #[error(
        "{MOST_INSTANCES} instances are {what} already, and no more may be: take some back first"
    )]
    TooMany {
        /// What they are.
        what: &'static str,
    },
    /// The instance is not kept.
    #[error("{id} is not kept, so there is nothing to take back")]
    NotKept {
        /// The instance.
        id: InstanceId,
    },
    /// The instance is kept, and is to be retired.
    #[error("{id} is kept ({reason}): take that back first (unkeep)")]
    Kept {
        /// The instance.
        id: InstanceId,
        /// Why it is kept.
        reason: Reason,
    },
    /// The retirement of the instance has begun already, or was given up on.
    #[error("the retirement of {id} {how}")]
    Begun {
        /// The instance.
        id: InstanceId,
        /// How far it has come, and what follows from that.
        how: &'static str,
    },
    /// Nobody asked for the instance to be retired.
    #[error("nobody asked for {id} to be retired, so there is nothing to take back")]
    NotAsked {
        /// The instance.
        id: InstanceId,
    },
}

impl Memory {
    /// Takes in what an operator says. The next decision heeds it.
    ///
    /// ```
    /// use jibri_scaler_core::{Memory, Timestamp, operator::OperatorCommand};
    ///
    /// let mut memory = Memory::default();
    /// let keep = OperatorCommand::Keep { id: "i-0abc".parse()?, until: None, reason: "its disk is looked at".parse()? };
    /// memory.command(&keep, Timestamp::from_secs(0))?;
    /// assert_eq!(memory.operator().kept().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Where it can't be taken; the memory is then as it was.
    pub fn command(
        &mut self,
        command: &OperatorCommand,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let before = self.operator.clone();
        self.operator.expire(now);
        let result = self.take_in(command, now);
        if result.is_err() {
            self.operator = before;
        }
        result
    }

    fn take_in(&mut self, command: &OperatorCommand, now: Timestamp) -> Result<(), CommandError> {
        match command {
            OperatorCommand::Pause {
                direction,
                until,
                reason,
            } => {
                later(*until, now)?;
                if until.since(now) > LONGEST_PAUSE {
                    return Err(CommandError::TooLong { until: *until });
                }
                let pause = Pause {
                    since: now,
                    until: *until,
                    reason: reason.clone(),
                };
                self.operator.set_pause(*direction, Some(&pause));
            }
            OperatorCommand::Resume { direction } => self.operator.set_pause(*direction, None),
            OperatorCommand::Keep { id, until, reason } => {
                until.map_or(Ok(()), |until| later(until, now))?;
                room(&self.operator.kept, id, "kept")?;
                let keep = Keep {
                    since: now,
                    until: *until,
                    reason: reason.clone(),
                };
                self.operator.kept.insert(id.clone(), keep);
            }
            OperatorCommand::Unkeep { id } => {
                if self.operator.kept.remove(id).is_none() {
                    return Err(CommandError::NotKept { id: id.clone() });
                }
            }
            OperatorCommand::Retire {
                id,
                replace,
                reason,
            } => {
                if let Some(keep) = self.operator.kept.get(id) {
                    let (id, reason) = (id.clone(), keep.reason.clone());
                    return Err(CommandError::Kept { id, reason });
                }
                self.not_begun(id)?;
                room(&self.operator.retires, id, "to be retired by hand")?;
                let by_hand = ByHand {
                    since: now,
                    replace: *replace,
                    reason: reason.clone(),
                };
                self.operator.retires.insert(id.clone(), by_hand);
            }
            OperatorCommand::CancelRetire { id } => {
                if !self.operator.retires.contains_key(id) {
                    return Err(CommandError::NotAsked { id: id.clone() });
                }
                self.not_begun(id)?;
                self.operator.retires.remove(id);
            }
        }
        Ok(())
    }

    fn not_begun(&self, id: &InstanceId) -> Result<(), CommandError> {
        let how = match self.retirements().get(id).map(|r| r.phase().is_under_way()) {
            None => return Ok(()),
            Some(true) => {
                "has begun already, and can't be taken back: its Jibri may have been told to end"
            }
            Some(false) => {
                "was given up on: it could not be told, or came back each time. Look at the internal port and at the supervisor"
            }
        };
        Err(CommandError::Begun {
            id: id.clone(),
            how,
        })
    }
}

impl Operator {
    fn set_pause(&mut self, direction: Direction, pause: Option<&Pause>) {
        if direction.includes(Direction::Growing) {
            self.growing = pause.cloned();
        }
        if direction.includes(Direction::Shrinking) {
            self.shrinking = pause.cloned();
        }
    }
}

fn later(until: Timestamp, now: Timestamp) -> Result<(), CommandError> {
    if until > now {
        Ok(())
    } else {
        Err(CommandError::Past { until, now })
    }
}

/// Whether there is room for one more, or it is there already.
fn room<T>(
    map: &std::collections::BTreeMap<InstanceId, T>,
    id: &InstanceId,
    what: &'static str,
) -> Result<(), CommandError> {
    if map.len() < MOST_INSTANCES || map.contains_key(id) {
        Ok(())
    } else {
        Err(CommandError::TooMany { what })
    }
}
