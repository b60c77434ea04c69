//! `Ec2Listing`, and whether a group has Spot instances, on the wire: against answers in the words of EC2, and against the emulator moto.
//!
//! A target of its own, since the EC2 SDK takes minutes and gigabytes to build. What needs no SDK (which instances are asked for,
//! what is kept) is tested in the crate.

#[allow(dead_code, reason = "the tests of the other services use more of it")]
#[path = "../wire/answers.rs"]
mod answers;
#[path = "../moto/differences.rs"]
mod differences;
#[allow(dead_code, reason = "the tests of the other services use more of it")]
#[path = "../moto/fixture.rs"]
mod fixture;
mod moto;
#[path = "../moto/server.rs"]
mod server;
mod spot;
mod wire;
