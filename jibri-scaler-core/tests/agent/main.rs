//! The agent, alone and with others, over a group in memory and on virtual time.

mod beside;
mod draining;
mod driver;
mod faults;
mod holding;
mod keeping;
mod launching;
mod ports;
mod protecting;
mod publishing;
mod queue;
mod restarting;
mod several;
mod shrinking;
mod spot;
mod stale;
mod world;
