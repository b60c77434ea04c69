//! What a controller lets be seen of it: its events and its numbers.

#[path = "../controller/jibris.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod jibris;
#[path = "../controller/world.rs"]
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod world;

mod captured;
mod dashboards;
mod documented;

mod events;
mod numbers;
mod recorded;
mod script;
