//! The real controller on a group and Jibris in memory, in half of the seeds with a real agent beside each Jibri, while everything
//! goes wrong that can, all drawn from a seed.

mod agents;
#[path = "../../native/chance.rs"]
#[allow(dead_code, reason = "only a part of it is used here")]
mod chance;
mod figures;
mod fleet;
mod inject;
mod jibri;
mod kind;
mod life;
mod machine;
mod mail;
mod network;
mod ports;
mod trouble;
mod world;

use std::time::Duration;

pub(crate) use figures::Figures;

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
