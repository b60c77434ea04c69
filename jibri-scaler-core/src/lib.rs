#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod class;
mod explain;
mod instance;
mod lifecycle;
mod limits;
mod memory;
mod plan;
pub mod policy;
pub mod port;
pub mod retirement;
mod snapshot;
mod status;
mod tally;
mod tick;
mod time;

pub use class::Class;
pub use explain::{Explanation, Finding, Severity, Stage, Step};
pub use instance::{DrainPath, EmptyInstanceId, Instance, InstanceId, Reachability, Report, Zone};
pub use lifecycle::Lifecycle;
pub use limits::{Limits, OutOfRange};
pub use memory::Memory;
pub use plan::{Effect, Plan};
pub use snapshot::{FleetSnapshot, Group};
pub use status::{BusyStatus, ComponentHealth, HealthStatus, JibriStatus};
pub use tally::Tally;
pub use tick::Tick;
pub use time::{ParseTimestampError, Timestamp};
