//! What the agent asks of the world, beside [`HealthProbe`](crate::port::HealthProbe), [`DrainClient`](crate::port::DrainClient)
//! and [`GroupListing`](crate::port::GroupListing).
//!
//! | port | question or act | implementations |
//! |---|---|---|
//! | [`InstanceMetadata`] | where is this instance to go, and does it end soon? | `jibri-scaler-aws` |
//! | [`OwnInstance`] | protect it, hold its termination, end it | `jibri-scaler-aws` |
//! | [`IdleSignal`] | publish whether the Jibri is idle, and read what all have published | `jibri-scaler-aws` |
//! | [`JibriService`] | the process of the Jibri, and the checks on this machine | the embedder's own |
//! | [`LatchStore`] | the restart latch | the embedder's own |
//! | [`StateStore`] | what is known over a restart of the agent beside the latch | the embedder's own, or none |
//!
//! As with the [other ports](crate::port) every call ends by itself within a bounded time, and a future that is dropped may or
//! may not have acted.

mod latch;
mod metadata;
mod own_instance;
mod service;
mod signal;
mod state;

pub use latch::{Latch, LatchStore};
pub use metadata::{InstanceMetadata, Notices, TargetState};
pub use own_instance::{HookResult, OwnInstance, OwnState, Transition};
pub use service::{CheckResult, JibriService, ServiceState};
pub use signal::{DrainPoint, IdleSignal, SignalPoint, SignalSum};
pub use state::{SavedState, StateStore};

#[cfg(feature = "mock")]
pub use self::{
    latch::MockLatchStore, metadata::MockInstanceMetadata, own_instance::MockOwnInstance,
    service::MockJibriService, signal::MockIdleSignal, state::MockStateStore,
};
