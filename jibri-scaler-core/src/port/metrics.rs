use async_trait::async_trait;

use super::{PortError, forward};
use crate::{Tally, Timestamp};

/// The numbers of one tick.
///
/// `Idle` is published as one datum with the values 1 and 0 and the counts [`idle`](Self::idle) and [`others`](Self::others), so
/// that SUM over a period is the number of idle Jibris and AVERAGE the idle share, exactly as the points of agents add up.
///
/// ```
/// use jibri_scaler_core::{Tally, Timestamp, port::FleetMetrics};
///
/// let mut tally = Tally::default();
/// (tally.spare, tally.busy, tally.unknown) = (1, 2, 1);
/// let metrics = FleetMetrics::new(Timestamp::from_secs(0), &tally, 5, 2);
/// assert_eq!((metrics.idle, metrics.others), (1, 3));
/// assert_eq!(metrics.idle_share, Some(0.25));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FleetMetrics {
    /// When it was observed.
    pub at: Timestamp,
    /// Idle, healthy Jibris with a fresh report.
    pub idle: u32,
    /// The other reporting instances: busy, expired, unhealthy and unknown ones.
    pub others: u32,
    /// Busy Jibris.
    pub busy: u32,
    /// Instances that are coming up.
    pub booting: u32,
    /// Unhealthy Jibris that are not busy.
    pub unhealthy: u32,
    /// Used single-use Jibris.
    pub expired: u32,
    /// Instances that were heard before and about which nothing is known now.
    pub unknown: u32,
    /// Instances on their way out.
    pub retiring: u32,
    /// All instances.
    pub total: u32,
    /// The desired capacity of the group.
    pub desired: u32,
    /// How many idle Jibris the policies want.
    pub wanted_spare: u32,
    /// Idle Jibris ÷ reporting instances, 0 to 1; absent where none report.
    pub idle_share: Option<f64>,
}

impl FleetMetrics {
    /// The numbers of a tick with this tally, desired capacity and wanted spare.
    #[must_use]
    pub fn new(at: Timestamp, tally: &Tally, desired: u32, wanted_spare: u32) -> Self {
        Self {
            at,
            idle: tally.spare,
            others: tally.reporting() - tally.spare,
            busy: tally.busy,
            booting: tally.booting,
            unhealthy: tally.unhealthy,
            expired: tally.expired,
            unknown: tally.unknown,
            retiring: tally.retiring,
            total: tally.total,
            desired,
            wanted_spare,
            idle_share: tally.idle_share(),
        }
    }
}

/// Publishes the numbers of a tick.
///
/// # Contract
/// - At most once: a publication that may have arrived is not repeated, since a repeated point counts twice. A lost point is an
///   error, and a gap in the graph.
/// - The points carry the time of the observation.
/// - A future that is dropped may have published.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::port::{FleetMetrics, MetricsSink, PortError};
///
/// /// Writes a line per tick.
/// struct Lines;
///
/// #[async_trait]
/// impl MetricsSink for Lines {
///     async fn publish(&self, metrics: &FleetMetrics) -> Result<(), PortError> {
///         println!("{} idle {} busy {}", metrics.at, metrics.idle, metrics.busy);
///         Ok(())
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait MetricsSink: Send + Sync {
    /// Publishes these numbers, once.
    ///
    /// # Errors
    /// Where it is not certain that they were published.
    async fn publish(&self, metrics: &FleetMetrics) -> Result<(), PortError>;
}

forward!(MetricsSink { publish(metrics: &FleetMetrics) -> Result<(), PortError>; });
