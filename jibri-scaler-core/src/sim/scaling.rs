use std::time::Duration;

use crate::native::{Growth, Step};

/// How a step policy makes one value of the periods that its alarm has evaluated.
///
/// ```
/// use jibri_scaler_core::sim::Aggregation;
///
/// assert_eq!(Aggregation::default(), Aggregation::Average, "as in Auto Scaling");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Aggregation {
    /// Their mean.
    #[default]
    Average,
    /// The largest.
    Maximum,
    /// The smallest.
    Minimum,
}

impl Aggregation {
    fn of(self, values: &[f64]) -> Option<f64> {
        let values = values.iter().copied();
        match self {
            Self::Average => {
                let (sum, count) =
                    values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
                (count > 0.0).then(|| sum / count)
            }
            Self::Maximum => values.reduce(f64::max),
            Self::Minimum => values.reduce(f64::min),
        }
    }
}

/// A step scaling policy that grows a group, of the type `ChangeInCapacity`.
///
/// The step is chosen by how far the value is beyond the threshold of the alarm; where there is no value, by zero. What warms up is
/// counted toward it: see [`SimGroup::scale_out`](super::SimGroup::scale_out).
///
/// Source: [step scaling](https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html).
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{native::Step, sim::SimStepPolicy};
///
/// let steps = vec![Step::new(0, Some(3), 1), Step::new(3, None, 4)];
/// let policy = SimStepPolicy::new(steps, Duration::from_secs(300));
/// assert_eq!(policy.adjustment(&[2.0, 4.0], 1.0), 1, "3 on average is 2 beyond the threshold");
/// assert_eq!(policy.adjustment(&[4.0], 1.0), 4);
/// assert_eq!(policy.adjustment(&[0.0], 1.0), 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimStepPolicy {
    steps: Vec<Step>,
    warm_up: Duration,
    aggregation: Aggregation,
}

impl SimStepPolicy {
    /// A policy with these steps, whose instances warm up for so long after they came into service.
    #[must_use]
    pub const fn new(steps: Vec<Step>, warm_up: Duration) -> Self {
        Self {
            steps,
            warm_up,
            aggregation: Aggregation::Average,
        }
    }

    /// The policy that goes with [`SimAlarm::of_growth`](super::SimAlarm::of_growth).
    #[must_use]
    pub fn of_growth(growth: &Growth, warm_up: Duration) -> Self {
        Self::new(growth.steps(), warm_up).with_aggregation(Aggregation::Minimum)
    }

    /// How it makes one value of several.
    #[must_use]
    pub const fn with_aggregation(mut self, aggregation: Aggregation) -> Self {
        self.aggregation = aggregation;
        self
    }

    /// How long an instance warms up.
    #[must_use]
    pub const fn warm_up(&self) -> Duration {
        self.warm_up
    }

    /// How many instances it adds to those that are warm, where the alarm with that threshold saw these values.
    #[must_use]
    pub fn adjustment(&self, values: &[f64], threshold: f64) -> u32 {
        let value = self.aggregation.of(values).unwrap_or(threshold);
        let breach = value - threshold;
        let fits = |step: &&Step| {
            breach >= f64::from(step.lower)
                && step.upper.is_none_or(|upper| breach < f64::from(upper))
        };
        self.steps
            .iter()
            .find(fits)
            .map_or(0, |step| step.adjustment)
    }
}
