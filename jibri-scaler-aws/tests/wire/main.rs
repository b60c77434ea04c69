//! The adapters against answers in AWS's own words: what the emulator moto does not do.

mod agent;
mod answers;
mod budget;
mod cbor;
mod group;
mod history;
mod inspect;
mod leadership;
mod memory_store;
mod ownership;
mod provision;
#[cfg(feature = "metrics")]
mod requests;
mod sink;
