use std::time::Duration;

use crate::Timestamp;

/// What came of a simulation. Times of instances are summed over all of them, and add up to what is billed.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Limits, Timestamp, backtest::{Environment, PolicyScaler, Session, Trace, simulate}, policy::MinIdle};
///
/// let at = Timestamp::from_secs;
/// let trace = Trace::new([Session::new(at(0), at(600))?, Session::new(at(1), at(300))?]);
/// let mut scaler = PolicyScaler::new(MinIdle::new(1)?, Limits::default());
/// let outcome = simulate(&trace, &Environment::new(0, 9)?, &mut scaler);
/// assert_eq!((outcome.requests, outcome.served, outcome.lost), (2, 1, 0), "one was spare, and there were two");
/// assert_eq!(outcome.refused, [at(1)]);
/// assert_eq!(outcome.overhead() + outcome.busy, outcome.billed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// From when on, and until when, was counted.
    pub counted: Option<(Timestamp, Timestamp)>,
    /// Recordings that were asked for.
    pub requests: u64,
    /// Recordings that a Jibri took.
    pub served: u64,
    /// When a recording found no Jibri, in order.
    pub refused: Vec<Timestamp>,
    /// Recordings that were under way on a machine when it was ended. Always zero where Jibris are told to end first.
    pub lost: u64,
    /// Time that instances were launching, from the request on.
    pub booting: Duration,
    /// Time that instances could have taken a recording.
    pub idle: Duration,
    /// Time that instances were recording, or uploading.
    pub busy: Duration,
    /// Time that instances were there to no use: their Jibri had ended, or was used up.
    pub draining: Duration,
    /// What is billed: for each instance the time from its launch to its end, summed up apart from the above.
    pub billed: Duration,
    /// Launches that succeeded.
    pub launches: u64,
    /// Launches that failed.
    pub failed_launches: u64,
    /// The most instances at one time.
    pub peak: u32,
    /// Time without a single Jibri that could have taken a recording. It is no measure of refusals: those come when many start.
    pub none_idle: Duration,
    /// A sample of each tick, if they were asked for.
    pub series: Vec<Sample>,
}

impl Outcome {
    /// How long was counted.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.counted
            .map_or(Duration::ZERO, |(from, until)| until.since(from))
    }

    /// The share of the recordings asked for that were refused, 0 to 1; absent where none were asked for.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 recordings")]
    pub fn refused_share(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.refused.len() as f64 / self.requests as f64)
    }

    /// What the spare costs: all time of instances but that of recording.
    #[must_use]
    pub fn overhead(&self) -> Duration {
        self.booting + self.idle + self.draining
    }

    /// The instances that the overhead amounts to on average.
    #[must_use]
    pub fn mean_overhead(&self) -> f64 {
        share_of(self.overhead().as_secs_f64(), self.span())
    }

    /// Launches that succeeded, per day.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 launches")]
    pub fn launches_per_day(&self) -> f64 {
        share_of(self.launches as f64 * 86_400.0, self.span())
    }

    /// What 30 days cost at this price for an hour of an instance.
    #[must_use]
    pub fn cost_per_30_days(&self, price_per_hour: f64) -> f64 {
        share_of(
            self.billed.as_secs_f64() * price_per_hour * 720.0,
            self.span(),
        )
    }
}

fn share_of(amount: f64, span: Duration) -> f64 {
    if span.is_zero() {
        0.0
    } else {
        amount / span.as_secs_f64()
    }
}

/// How many instances were doing what just before a tick.
///
/// ```
/// let sample = jibri_scaler_core::backtest::Sample::default();
/// assert_eq!(sample.idle, 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// The time of the tick.
    pub at: Timestamp,
    /// The desired capacity.
    pub desired: u32,
    /// Launching.
    pub booting: u32,
    /// Free to take a recording.
    pub idle: u32,
    /// Recording.
    pub busy: u32,
    /// There to no use.
    pub draining: u32,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            at: Timestamp::from_secs(0),
            desired: 0,
            booting: 0,
            idle: 0,
            busy: 0,
            draining: 0,
        }
    }
}
