//! What is learned from tick to tick, and the policies that live on it and on the time.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod common;
#[path = "../properties/fleets.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod fleets;

mod boots;
mod demand;
mod former;
mod odd;
mod refusals;
mod restart;
mod windows;
