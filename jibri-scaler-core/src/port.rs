//! The ports: what the core asks of the world, each with its contract.
//!
//! | port | question or act | implementations |
//! |---|---|---|
//! | [`GroupListing`] | which instances does the group have? | `jibri-scaler-aws`, `sim` |
//! | [`HealthProbe`] | what does one Jibri say? | `jibri-scaler-http` |
//! | [`DrainClient`] | tell one Jibri to end when it is free | `jibri-scaler-http` |
//! | [`GroupControl`] | protect, grow, give back | `jibri-scaler-aws`, `sim` |
//! | [`MemoryStore`] | keep what must outlive the process | [`KeptMemory`], the embedder's own |
//! | [`GroupOwnership`] | does anybody else change the size of the group? | `jibri-scaler-aws` |
//! | [`Leadership`] | does this replica act, or another one? | `jibri-scaler-aws` |
//! | [`MetricsSink`] | publish what was counted | `jibri-scaler-aws` |
//!
//! All are dyn-compatible, and each works behind a reference, a `Box` or an `Arc`. Every call must end by itself within a bounded
//! time: an implementation that speaks to a network sets its own timeouts. A future that is dropped before it ends may or may
//! not have acted, so every act is safe to repeat.

mod control;
mod drain;
mod error;
mod leadership;
mod listing;
mod memory_store;
mod metrics;
mod ownership;
mod probe;

pub use control::{Decrement, GroupControl};
pub use drain::{DrainClient, Knock, Presence, Told};
pub use error::{PortError, PortErrorKind};
pub use leadership::Leadership;
pub use listing::{GroupListing, Listing};
pub use memory_store::{KeptMemory, MemoryStore};
pub use metrics::{FleetMetrics, MetricsSink};
pub use ownership::GroupOwnership;
pub use probe::{HealthProbe, ProbeOutcome, Target};

#[cfg(feature = "mock")]
pub use self::{
    control::MockGroupControl, drain::MockDrainClient, leadership::MockLeadership,
    listing::MockGroupListing, memory_store::MockMemoryStore, metrics::MockMetricsSink,
    ownership::MockGroupOwnership, probe::MockHealthProbe,
};

/// Implements a port for everything that points to an implementation.
macro_rules! forward {
    ($port:ident { $($method:ident($($arg:ident: $type:ty),*) -> $out:ty;)+ }) => {
        forward!(@one $port, &T, { $($method($($arg: $type),*) -> $out;)+ });
        forward!(@one $port, Box<T>, { $($method($($arg: $type),*) -> $out;)+ });
        forward!(@one $port, std::sync::Arc<T>, { $($method($($arg: $type),*) -> $out;)+ });
    };
    (@one $port:ident, $pointer:ty, { $($method:ident($($arg:ident: $type:ty),*) -> $out:ty;)+ }) => {
        #[async_trait::async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<T: $port + ?Sized> $port for $pointer {
            $(async fn $method(&self, $($arg: $type),*) -> $out {
                (**self).$method($($arg),*).await
            })+
        }
    };
}
pub(crate) use forward;
