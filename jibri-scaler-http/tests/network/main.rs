//! A bad network between us and the Jibris.

#[path = "../common/mod.rs"]
mod common;
mod controller;
mod group;
mod outcomes;
#[path = "../proxy/mod.rs"]
mod proxy;
