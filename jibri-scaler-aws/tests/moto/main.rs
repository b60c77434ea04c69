//! The adapters on the wire, against the emulator moto.
//!
//! moto stores what it is told and refuses next to nothing. What it does not do like AWS (states but `InService`, refusals,
//! throttling) is tested in `wire`.

mod agent;
mod conformance;
mod controller;
mod differences;
mod doctor;
mod fixture;
mod group;
mod inspect;
mod leadership;
mod memory_store;
mod network;
mod ownership;
mod provision;
#[path = "../../../jibri-scaler-http/tests/proxy/mod.rs"]
mod proxy;
mod server;
mod sink;
