//! A guide: policies, retirement, adapters, the simulator. It holds no code, is there in the documentation only, and is no part of the public API:
//! it may change in any release.

#[doc = include_str!("guide/policies.md")]
pub mod policies {}

#[doc = include_str!("guide/retirement.md")]
pub mod retirement {}

#[doc = include_str!("guide/adapters.md")]
pub mod adapters {}

#[doc = include_str!("guide/simulator.md")]
pub mod simulator {}
