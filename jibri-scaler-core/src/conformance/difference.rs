use std::collections::BTreeMap;

use super::{Checked, GroupRule, Violation};

/// The rules that an implementation is known to break, each with the reason.
///
/// Only for what an implementation stands on and cannot change, such as an emulator. Each is checked to be really broken, so that
/// an entry that is no longer true makes the suite fail.
///
/// ```
/// use jibri_scaler_core::conformance::{Differences, GroupRule};
///
/// let moto = Differences::none()
///     .with(GroupRule::RefusesAboveMax, "moto stores any desired capacity");
/// assert_eq!(moto.iter().count(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Differences(BTreeMap<GroupRule, &'static str>);

impl Differences {
    /// No differences: every rule is kept.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// These differences and one more.
    #[must_use]
    pub fn with(mut self, rule: GroupRule, reason: &'static str) -> Self {
        self.0.insert(rule, reason);
        self
    }

    /// The rules that are broken, each with the reason.
    pub fn iter(&self) -> impl Iterator<Item = (GroupRule, &'static str)> {
        self.0.iter().map(|(rule, reason)| (*rule, *reason))
    }

    pub(super) fn judge(&self, rule: GroupRule, checked: Checked) -> Result<(), Violation> {
        match (checked, self.0.get(&rule)) {
            (Ok(()), None) | (Err(_), Some(_)) => Ok(()),
            (Err(seen), None) => Err(Violation::new(rule.as_str(), seen)),
            (Ok(()), Some(reason)) => {
                let seen =
                    format!("it is kept, so the difference \"{reason}\" is stale: remove it");
                Err(Violation::new(rule.as_str(), seen))
            }
        }
    }
}
