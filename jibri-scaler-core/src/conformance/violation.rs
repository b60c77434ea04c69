/// An implementation breaks a rule of its port.
///
/// ```
/// use jibri_scaler_core::conformance::GroupRule;
///
/// assert_eq!(GroupRule::RefusesAboveMax.as_str(), "RefusesAboveMax");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule} is broken: {seen}")]
pub struct Violation {
    rule: &'static str,
    seen: String,
}

impl Violation {
    pub(super) const fn new(rule: &'static str, seen: String) -> Self {
        Self { rule, seen }
    }

    /// The name of the rule.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        self.rule
    }

    /// What was seen that breaks it.
    #[must_use]
    pub fn seen(&self) -> &str {
        &self.seen
    }
}
