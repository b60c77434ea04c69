//! The conformance suites, run on the implementations that the core has, and on broken ones that they must find out.

mod group;
mod jibri;
mod leadership;
mod stores;
