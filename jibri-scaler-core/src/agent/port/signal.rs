use std::time::Duration;

use async_trait::async_trait;

use crate::{
    Timestamp,
    port::{PortError, forward},
};

/// One data point of the idle signal: 1 where the instance can take a recording, else 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalPoint {
    /// When it was observed.
    pub at: Timestamp,
    /// Idle, healthy, and read just now.
    pub idle: bool,
}

impl SignalPoint {
    /// The point observed at that time.
    #[must_use]
    pub const fn new(at: Timestamp, idle: bool) -> Self {
        Self { at, idle }
    }
}

/// What all instances of the group have published in one closed period.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SignalSum {
    /// The start of the period.
    pub at: Timestamp,
    /// SUM: the number of idle instances.
    pub idle: f64,
    /// `SampleCount`: the number of instances that have published.
    pub publishers: f64,
}

impl SignalSum {
    /// The sum of the period that starts then.
    #[must_use]
    pub const fn new(at: Timestamp, idle: f64, publishers: f64) -> Self {
        Self {
            at,
            idle,
            publishers,
        }
    }
}

/// The idle signal of the group: one point per instance and period.
///
/// # Contract
/// - [`publish`](Self::publish) makes exactly one request, and never a second: a point that arrives twice counts twice.
/// - A point that may be lost is an error, and is not sent again by the caller either.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait IdleSignal: Send + Sync {
    /// Publishes these points of this instance, each with its own time, in one request. No points, no request.
    ///
    /// # Errors
    /// Where they may be lost.
    async fn publish(&self, points: &[SignalPoint]) -> Result<(), PortError>;

    /// The sums of the periods in `from..to`, oldest first. Periods without a point are left out.
    ///
    /// # Errors
    /// Where they could not be read whole.
    async fn sums(
        &self,
        from: Timestamp,
        to: Timestamp,
        period: Duration,
    ) -> Result<Vec<SignalSum>, PortError>;
}

forward!(IdleSignal {
    publish(points: &[SignalPoint]) -> Result<(), PortError>;
    sums(from: Timestamp, to: Timestamp, period: Duration) -> Result<Vec<SignalSum>, PortError>;
});
