/// An implementation breaks a rule of its port.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::{
///     Timestamp,
///     conformance::metrics_sink,
///     port::{FleetMetrics, MetricsSink, PortError, PortErrorKind},
/// };
///
/// struct Broken;
///
/// #[async_trait]
/// impl MetricsSink for Broken {
///     async fn publish(&self, _: &FleetMetrics) -> Result<(), PortError> {
///         Err(PortError::new(PortErrorKind::Permanent, "publish anything"))
///     }
/// }
///
/// let suite = metrics_sink(&Broken, Timestamp::from_secs(0));
/// let violation = futures_executor::block_on(suite).unwrap_err();
/// assert_eq!(violation.rule(), "metrics_may_be_zero");
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
