#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod addresses;
mod client;
mod drain;
mod failure;
#[cfg(feature = "fake")]
pub mod fake;
mod probe;
#[cfg(feature = "receiver")]
#[cfg_attr(docsrs, doc(cfg(feature = "receiver")))]
pub mod receiver;
#[cfg(feature = "reports")]
#[cfg_attr(docsrs, doc(cfg(feature = "reports")))]
pub mod reports;
mod timeout;
#[cfg(feature = "webhook")]
#[cfg_attr(docsrs, doc(cfg(feature = "webhook")))]
pub mod webhook;

pub use addresses::{AddressBook, Addresses};
pub use client::BuildError;
pub use drain::{DrainConfig, HttpDrain, HttpStop};
pub use probe::{HttpProbe, ProbeConfig};
pub use timeout::TimeoutOutOfRange;
