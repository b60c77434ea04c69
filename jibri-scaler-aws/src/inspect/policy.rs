//! Scaling policies.

use std::time::Duration;

use aws_sdk_autoscaling::types::{ScalingPolicy as Row, StepAdjustment as StepRow};
use jibri_scaler_core::port::PortError;

use super::{Inspector, group::seconds, page};
use crate::failure::Failure;

/// How a policy decides by how much to scale.
///
/// ```
/// use jibri_scaler_aws::inspect::PolicyKind;
///
/// assert_eq!(PolicyKind::from("StepScaling"), PolicyKind::Step);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyKind {
    /// One adjustment, then a cooldown.
    Simple,
    /// An adjustment by how far the alarm's threshold is exceeded.
    Step,
    /// Keeps a metric at a value, with alarms of its own.
    TargetTracking,
    /// Ahead of a forecast.
    Predictive,
    /// A kind unknown here, as AWS wrote it.
    Unknown(Box<str>),
}

impl From<&str> for PolicyKind {
    fn from(text: &str) -> Self {
        match text {
            "SimpleScaling" => Self::Simple,
            "StepScaling" => Self::Step,
            "TargetTrackingScaling" => Self::TargetTracking,
            "PredictiveScaling" => Self::Predictive,
            other => Self::Unknown(other.into()),
        }
    }
}

/// One step of a step policy: the adjustment for an excess over the threshold in `lower..upper`.
///
/// ```
/// use jibri_scaler_aws::inspect::StepAdjustment;
///
/// let step = StepAdjustment::new(Some(0.0), None, 2);
/// assert_eq!(step.adjustment, 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepAdjustment {
    /// Where it begins, above the threshold; `None` for minus infinity.
    pub lower: Option<f64>,
    /// Where it ends; `None` for infinity.
    pub upper: Option<f64>,
    /// By how much to scale, as the adjustment type of the policy says.
    pub adjustment: i32,
}

impl StepAdjustment {
    /// A step between these bounds.
    #[must_use]
    pub const fn new(lower: Option<f64>, upper: Option<f64>, adjustment: i32) -> Self {
        Self {
            lower,
            upper,
            adjustment,
        }
    }
}

/// A scaling policy of the group.
///
/// ```
/// use jibri_scaler_aws::inspect::{PolicyKind, ScalingPolicy, StepAdjustment};
///
/// let mut policy = ScalingPolicy::new("grow", PolicyKind::Step);
/// policy.steps = vec![StepAdjustment::new(Some(0.0), None, 1)];
/// assert!(!policy.can_shrink());
/// policy.steps.push(StepAdjustment::new(None, Some(0.0), -1));
/// assert!(policy.can_shrink());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScalingPolicy {
    /// Its name.
    pub name: String,
    /// Its ARN, which is what an alarm has as its action; where AWS gave one.
    pub arn: Option<String>,
    /// Its kind.
    pub kind: PolicyKind,
    /// Whether it does anything.
    pub enabled: bool,
    /// How adjustments are meant: `ChangeInCapacity`, `ExactCapacity` or `PercentChangeInCapacity`; simple and step policies.
    pub adjustment_type: Option<String>,
    /// The adjustment of a simple policy.
    pub adjustment: Option<i32>,
    /// The steps of a step policy, in AWS's order.
    pub steps: Vec<StepAdjustment>,
    /// The least number of instances that a percentage changes.
    pub min_adjustment_magnitude: Option<u32>,
    /// How the points of a step policy's alarm are put together: `Average`, `Minimum` or `Maximum`.
    pub metric_aggregation: Option<String>,
    /// How long an instance it launched is not counted as able.
    pub instance_warmup: Option<Duration>,
    /// How long a simple policy rests.
    pub cooldown: Option<Duration>,
    /// Whether a target tracking policy only grows.
    pub scale_in_disabled: bool,
    /// The names of the alarms that run it.
    pub alarms: Vec<String>,
}

impl ScalingPolicy {
    /// An enabled policy that does nothing.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: PolicyKind) -> Self {
        Self {
            name: name.into(),
            arn: None,
            kind,
            enabled: true,
            adjustment_type: None,
            adjustment: None,
            steps: Vec::new(),
            min_adjustment_magnitude: None,
            metric_aggregation: None,
            instance_warmup: None,
            cooldown: None,
            scale_in_disabled: false,
            alarms: Vec::new(),
        }
    }

    /// Whether it may lower the desired capacity. An exact capacity may.
    #[must_use]
    pub fn can_shrink(&self) -> bool {
        let exact = self.adjustment_type.as_deref() == Some("ExactCapacity");
        match self.kind {
            PolicyKind::Simple => exact || self.adjustment.is_some_and(|by| by < 0),
            PolicyKind::Step => exact || self.steps.iter().any(|step| step.adjustment < 0),
            PolicyKind::TargetTracking => !self.scale_in_disabled,
            PolicyKind::Predictive => false,
            PolicyKind::Unknown(_) => true,
        }
    }
}

impl Inspector {
    pub(super) async fn policies(&self) -> Result<Vec<ScalingPolicy>, PortError> {
        let operation = || self.of_group("the scaling policies");
        let rows = page::all(operation(), self.timeout, |token, left| async move {
            self.autoscaling
                .describe_policies()
                .auto_scaling_group_name(self.name.as_str())
                .set_next_token(token)
                .customize()
                .config_override(self.autoscaling_override(left))
                .send()
                .await
                .map(|page| (page.scaling_policies.unwrap_or_default(), page.next_token))
                .map_err(|error| {
                    Failure::new("autoscaling:DescribePolicies", error).during(operation())
                })
        })
        .await?;
        Ok(rows.into_iter().map(policy).collect())
    }
}

fn policy(row: Row) -> ScalingPolicy {
    let kind = PolicyKind::from(row.policy_type.as_deref().unwrap_or_default());
    let mut policy = ScalingPolicy::new(row.policy_name.unwrap_or_default(), kind);
    policy.arn = row.policy_arn;
    policy.enabled = row.enabled != Some(false);
    policy.adjustment_type = row.adjustment_type;
    policy.adjustment = row.scaling_adjustment;
    policy.steps = row.step_adjustments.iter().flatten().map(step).collect();
    policy.min_adjustment_magnitude = row
        .min_adjustment_magnitude
        .and_then(|number| u32::try_from(number).ok());
    policy.metric_aggregation = row.metric_aggregation_type;
    policy.instance_warmup = seconds(row.estimated_instance_warmup);
    policy.cooldown = seconds(row.cooldown);
    policy.scale_in_disabled = row
        .target_tracking_configuration
        .is_some_and(|tracking| tracking.disable_scale_in == Some(true));
    policy.alarms = row
        .alarms
        .into_iter()
        .flatten()
        .filter_map(|alarm| alarm.alarm_name)
        .collect();
    policy
}

fn step(row: &StepRow) -> StepAdjustment {
    StepAdjustment::new(
        row.metric_interval_lower_bound,
        row.metric_interval_upper_bound,
        row.scaling_adjustment.unwrap_or(0),
    )
}
