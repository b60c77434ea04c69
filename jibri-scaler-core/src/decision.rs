//! What came out of deciding.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{Effect, Explanation, Finding, Memory, Plan, Step, Tally, Timestamp};

/// A plan, why it is what it is, and what to remember for the next decision.
///
/// As JSON it is the *decision* format: one object with `at`, `wanted_spare`, `effects`, `tally` (with `coming` and
/// `idle_share`), `explanation` and `findings`. The memory is not part of it.
///
/// ```
/// use jibri_scaler_core::{FleetSnapshot, Group, Limits, Memory, Timestamp, decide, policy::MinIdle};
///
/// let snapshot = FleetSnapshot::new(Group::new(0, 10, 0), vec![]);
/// let decision = decide(&MinIdle::new(2)?, &Limits::default(), &snapshot, Timestamp::from_secs(0), Memory::default());
/// let json = serde_json::to_value(&decision).unwrap();
/// assert_eq!(json["effects"], serde_json::json!([{"kind": "set_capacity", "to": 2}]));
/// assert_eq!(json["tally"]["idle_share"], serde_json::Value::Null);
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a decision does nothing until its plan is applied, and its memory must be given to the next one"]
#[non_exhaustive]
pub struct Decision {
    /// When it was taken.
    pub at: Timestamp,
    /// How many idle Jibris are wanted, before any bound.
    pub wanted_spare: u32,
    /// The policy that wants so many. It is not part of the decision format; there the explanation of `wanted_spare` names it.
    pub winner: Cow<'static, str>,
    /// What is to be done.
    pub plan: Plan,
    /// The instances by class.
    pub tally: Tally,
    /// How many will become spare without anything being done: booting ones, launches outstanding, replacements.
    pub coming: u32,
    /// Why.
    pub explanation: Explanation,
    /// What the next decision needs to know.
    pub memory: Memory,
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Counts<'a> {
            #[serde(flatten)]
            tally: &'a Tally,
            coming: u32,
            idle_share: Option<f64>,
        }
        let effects: &[Effect] = &self.plan.effects;
        let steps: &[Step] = &self.explanation.steps;
        let findings: &[Finding] = &self.explanation.findings;
        let counts = Counts {
            tally: &self.tally,
            coming: self.coming,
            idle_share: self.tally.idle_share(),
        };
        let mut line = serializer.serialize_struct("Decision", 6)?;
        line.serialize_field("at", &self.at)?;
        line.serialize_field("wanted_spare", &self.wanted_spare)?;
        line.serialize_field("effects", effects)?;
        line.serialize_field("tally", &counts)?;
        line.serialize_field("explanation", steps)?;
        line.serialize_field("findings", findings)?;
        line.end()
    }
}
