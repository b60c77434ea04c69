use std::time::Duration;

use async_trait::async_trait;

use crate::{
    Timestamp,
    port::{PortError, forward},
};

/// What one instance publishes in one period, in one request: the point of the idle signal, 1 where it can take a recording, else
/// 0, and beside it what alarms read of the rest.
///
/// ```
/// use jibri_scaler_core::{Timestamp, agent::port::SignalPoint};
///
/// let mut point = SignalPoint::new(Timestamp::from_secs(30), true);
/// point.in_service = Some(12);
/// assert!(point.idle);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalPoint {
    /// When it was observed.
    pub at: Timestamp,
    /// Idle, healthy, and read just now.
    pub idle: bool,
    /// At least so many instances are in service: as many as the agent has listed in the last minutes, or 1, itself, where it has
    /// not lately. Absent until it has listed the group once, and in [batches](crate::agent::Publish::Batched). Without it
    /// [growth](crate::native::Growth) by alarm stops.
    pub in_service: Option<u32>,
    /// How many were kept for a human in that listing; absent where the agent has not listed the group lately.
    pub retained: Option<u32>,
    /// How long the Jibri has been busy; absent where it is not.
    pub busy_for: Option<Duration>,
}

impl SignalPoint {
    /// The point observed at that time, with nothing beside it.
    #[must_use]
    pub const fn new(at: Timestamp, idle: bool) -> Self {
        Self {
            at,
            idle,
            in_service: None,
            retained: None,
            busy_for: None,
        }
    }
}

/// What an instance publishes whose termination is held: nothing of the idle signal, since it is not in service.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, agent::port::DrainPoint};
///
/// let mut point = DrainPoint::new(Timestamp::from_secs(30), Duration::from_secs(900));
/// point.release_check_failed = true;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainPoint {
    /// When it was observed.
    pub at: Timestamp,
    /// How long the terminating hook has held the instance.
    pub held_for: Duration,
    /// Whether it is kept since just now: its release check has failed, or its Jibri has crashed.
    pub release_check_failed: bool,
}

impl DrainPoint {
    /// The point observed at that time, of an instance that is not kept.
    #[must_use]
    pub const fn new(at: Timestamp, held_for: Duration) -> Self {
        Self {
            at,
            held_for,
            release_check_failed: false,
        }
    }
}

/// What all instances of the group have published in one closed period.
///
/// ```
/// use jibri_scaler_core::{Timestamp, agent::port::SignalSum};
///
/// let sum = SignalSum::new(Timestamp::from_secs(1_763_800_000), 3.0, 12.0);
/// assert_eq!(sum.idle / sum.publishers, 0.25, "the idle share");
/// ```
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
/// - [`publish`](Self::publish) and [`publish_drain`](Self::publish_drain) make exactly one request, and never a second: a point
///   that arrives twice counts twice. The metrics are those of [`native::metric`](crate::native::metric).
/// - A point that may be lost is an error, and is not sent again by the caller either.
/// - Cancellation: a point whose future is dropped may have been published, and is not sent again. [`sums`](Self::sums) is harmless.
///
/// ```
/// use std::time::Duration;
/// use async_trait::async_trait;
/// use jibri_scaler_core::{
///     Timestamp,
///     agent::port::{DrainPoint, IdleSignal, SignalPoint, SignalSum},
///     port::PortError,
/// };
///
/// /// Prints the points, and knows of none.
/// struct Printed;
///
/// #[async_trait]
/// impl IdleSignal for Printed {
///     async fn publish(&self, points: &[SignalPoint]) -> Result<(), PortError> {
///         for point in points {
///             println!("{} {}", point.at, u8::from(point.idle));
///         }
///         Ok(())
///     }
///
///     async fn publish_drain(&self, point: DrainPoint) -> Result<(), PortError> {
///         println!("{} held for {:?}", point.at, point.held_for);
///         Ok(())
///     }
///
///     async fn sums(
///         &self, _from: Timestamp, _to: Timestamp, _period: Duration,
///     ) -> Result<Vec<SignalSum>, PortError> {
///         Ok(vec![])
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait IdleSignal: Send + Sync {
    /// Publishes these points of this instance, each with its own time, in one request. No points, no request.
    ///
    /// # Errors
    /// Where they may be lost.
    async fn publish(&self, points: &[SignalPoint]) -> Result<(), PortError>;

    /// Publishes the point of an instance whose termination is held, in one request.
    ///
    /// # Errors
    /// Where it may be lost.
    async fn publish_drain(&self, point: DrainPoint) -> Result<(), PortError>;

    /// The sums of the periods that lie in `from..to` as a whole, oldest first. Periods begin at multiples of their length since
    /// the Unix epoch; those without a point are left out.
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
    publish_drain(point: DrainPoint) -> Result<(), PortError>;
    sums(from: Timestamp, to: Timestamp, period: Duration) -> Result<Vec<SignalSum>, PortError>;
});
