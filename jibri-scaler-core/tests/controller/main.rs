//! The controller, on mocks of the ports for errors and the order of calls, and on a group and Jibris in memory for whole lives.

mod agents;
mod beside_agents;
mod cancel;
mod day;
mod dry_run;
mod effects;
mod follower;
mod give_back;
mod jibris;
mod leader;
mod mocks;
mod restart;
mod retirements;
mod run;
mod takeover;
mod two;
mod world;
