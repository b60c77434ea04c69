#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doc)]
#[path = "guide.rs"]
pub mod _guide;
pub mod agent;
pub mod audit;
#[cfg(feature = "sim")]
#[cfg_attr(docsrs, doc(cfg(feature = "sim")))]
pub mod backtest;
mod check;
mod class;
#[cfg(feature = "toml")]
mod config;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
pub mod controller;
mod decide;
mod decision;
pub mod erlang;
mod explain;
mod instance;
pub mod learned;
pub mod lease;
mod lifecycle;
mod limits;
mod memory;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod metrics;
pub mod native;
pub mod observe;
pub mod operator;
mod plan;
pub mod policy;
pub mod port;
pub mod refusals;
pub mod retirement;
#[doc(hidden)]
pub mod safeguard;
#[cfg(feature = "sim")]
#[cfg_attr(docsrs, doc(cfg(feature = "sim")))]
pub mod sim;
mod snapshot;
mod status;
mod tally;
mod tick;
mod time;
mod time_zone;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub mod trace;
pub mod wake;

pub use check::{Breach, Rule, check};
pub use class::Class;
#[cfg(feature = "toml")]
pub use config::{PolicyFile, PolicyFileError};
pub use controller::Controller;
pub use decide::{Standing, Verdict, decide, standings};
pub use decision::Decision;
pub use explain::{Because, Explanation, Finding, Severity, Stage, Step};
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
pub use time_zone::{TimeZone, UnknownTimeZone};
