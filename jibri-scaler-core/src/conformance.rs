//! What every implementation of a port must do, as code: call it from the tests of an adapter.
//!
//! **This is not a stable part of the public API.** It may change in any release: rules are added as they are learnt.
//!
//! | suite | ports | fixture |
//! |---|---|---|
//! | [`group`] | [`GroupListing`](crate::port::GroupListing), [`GroupControl`](crate::port::GroupControl) | [`GroupFixture`] |
//! | [`health_probe`] | [`HealthProbe`](crate::port::HealthProbe) | [`JibriFixture`] |
//! | [`drain_client`] | [`DrainClient`](crate::port::DrainClient), with a probe to watch | [`JibriFixture`] |
//! | [`leadership`] | [`Leadership`](crate::port::Leadership) | [`LeadershipFixture`] |
//! | [`memory_store`] | [`MemoryStore`](crate::port::MemoryStore) | [`MemoryStoreFixture`] |
//! | [`metrics_sink`] | [`MetricsSink`](crate::port::MetricsSink) | none |
//!
//! The suites run on any executor, read no clock and never wait by themselves: the fixture does. They return the first
//! [`Violation`] instead of panicking, so that a test can also show that a broken implementation is found out. A fixture that
//! cannot do its own work panics.
//!
//! Cancellation: a suite whose future is dropped leaves its groups, Jibris, leads and stores to the fixture. The methods of a fixture are awaited
//! to their end as long as the suite is.

mod difference;
mod group;
mod jibri;
mod leadership;
mod memory;
mod metrics;
mod violation;

pub use difference::Differences;
pub use group::{GroupFixture, GroupPorts, GroupRule, group};
pub use jibri::{JibriBehaviour, JibriFixture, drain_client, health_probe};
pub use leadership::{LeadershipFixture, leadership};
pub use memory::{MemoryStoreFixture, memory_store};
pub use metrics::metrics_sink;
pub use violation::Violation;

/// What came of checking one rule: what was seen instead, where it is broken.
type Checked = Result<(), String>;

/// Ends the check with what was seen, unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($seen:tt)+) => {
        if !$condition {
            return Err(format!($($seen)+));
        }
    };
}
use ensure;
