//! The decision, sentence by sentence as it is defined.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod common;

mod back_off;
mod classes;
mod counts;
mod desired;
mod explanation;
mod formats;
mod growing;
mod jumps;
mod replacing;
mod sentences;
mod shrinking;
mod standing;
mod victims;
mod wanted;
