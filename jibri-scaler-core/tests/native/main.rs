//! Native mode as a whole: agents, alarms and hooks over the simulated group.

mod chance;
mod day;
mod jibri;
mod measure;
mod trouble;
mod world;
