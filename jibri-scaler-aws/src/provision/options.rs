use std::{sync::Arc, time::Duration};

use jibri_scaler_core::{Limits, policy::Policy};

/// The periods that agents publish in and an alarm can have.
const PERIODS: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(1)];

/// What to provision a group for.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_aws::provision::Options;
/// use jibri_scaler_core::{Limits, policy::MinIdle};
///
/// let options = Options::new(MinIdle::default(), Limits::default())
///     .with_period(Duration::from_secs(60))?
///     .with_boot_p95(Duration::from_secs(150))
///     .with_topic("arn:aws:sns:eu-central-1:123456789012:jibri")?;
/// # let _ = options;
/// # Ok::<(), jibri_scaler_aws::provision::InvalidOption>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) policy: Arc<dyn Policy>,
    pub(super) limits: Limits,
    pub(super) period: Duration,
    pub(super) boot_p95: Duration,
    pub(super) topic: Option<String>,
    pub(super) allow_spot: bool,
    pub(super) batched: bool,
}

impl Options {
    /// For this policy and these limits: a period of 10 s, no alarms to a human, no Spot. The boot deadline counts as the time to
    /// boot until a better one is given.
    #[must_use]
    pub fn new(policy: impl Policy + 'static, limits: Limits) -> Self {
        Self {
            policy: Arc::new(policy),
            period: PERIODS[0],
            boot_p95: limits.boot_deadline(),
            limits,
            topic: None,
            allow_spot: false,
            batched: false,
        }
    }

    /// The period that the agents publish in: 10 s or 60 s.
    ///
    /// # Errors
    /// Where it is another.
    pub fn with_period(mut self, period: Duration) -> Result<Self, InvalidOption> {
        if !PERIODS.contains(&period) {
            return Err(InvalidOption::Period(period));
        }
        self.period = period;
        Ok(self)
    }

    /// The time within which 95 % of the instances have booted, from the launch to the first answer of the Jibri. The warm-up of
    /// the growth policy follows from it.
    #[must_use]
    pub const fn with_boot_p95(mut self, boot_p95: Duration) -> Self {
        self.boot_p95 = boot_p95;
        self
    }

    /// The ARN of the SNS topic that alarms for a human go to. Without one there are none but the growth alarm.
    ///
    /// # Errors
    /// Where it is not the ARN of an SNS topic.
    pub fn with_topic(mut self, arn: impl Into<String>) -> Result<Self, InvalidOption> {
        let arn = arn.into();
        let is_topic = arn.split(':').collect::<Vec<_>>();
        if !matches!(is_topic[..], ["arn", _, "sns", region, account, name] if !region.is_empty() && !account.is_empty() && !name.is_empty())
        {
            return Err(InvalidOption::Topic(arn));
        }
        self.topic = Some(arn);
        Ok(self)
    }

    /// Whether a group with Spot instances is taken, though Spot ends a recording after two minutes. It is seen in a mixed
    /// instances policy and in a launch configuration, and with the feature `ec2` in launch templates and in the instances. Where
    /// one of these could not be read, the plan has a note that says so.
    #[must_use]
    pub const fn with_spot_allowed(mut self, allowed: bool) -> Self {
        self.allow_spot = allowed;
        self
    }

    /// Whether the agents publish several periods in one request; growth by alarm is refused for such agents.
    #[must_use]
    pub const fn with_batched_publishing(mut self, batched: bool) -> Self {
        self.batched = batched;
        self
    }
}

/// An option that can't be used.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_aws::provision::Options;
/// use jibri_scaler_core::{Limits, policy::MinIdle};
///
/// let options = Options::new(MinIdle::default(), Limits::default());
/// let error = options.with_period(Duration::from_secs(30)).unwrap_err();
/// assert_eq!(error.to_string(), "the period is 30 s, but agents publish every 10 s or every 60 s");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOption {
    /// No agent publishes in that period.
    #[error("the period is {} s, but agents publish every 10 s or every 60 s", .0.as_secs_f64())]
    Period(Duration),
    /// No SNS topic has that ARN.
    #[error(
        "`{0}` is not the ARN of an SNS topic, like arn:aws:sns:eu-central-1:123456789012:jibri"
    )]
    Topic(String),
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::policy::MinIdle;

    use super::*;

    #[test]
    fn only_arns_of_topics_are_topics() {
        let with = |arn: &str| Options::new(MinIdle::default(), Limits::default()).with_topic(arn);
        assert!(with("arn:aws-cn:sns:cn-north-1:123456789012:jibri").is_ok());
        for bad in [
            "jibri",
            "arn:aws:sqs:eu-central-1:123456789012:jibri",
            "arn:aws:sns:eu-central-1:123456789012",
            "arn:aws:sns:eu-central-1:123456789012:",
            "arn:aws:sns:eu-central-1:123456789012:jibri:0b3c",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
