#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod build;
mod call;
mod failure;
mod group;
pub mod inspect;
mod name;
mod ownership;
mod sink;

pub use build::BuildError;
pub use group::AutoScalingGroup;
pub use name::{ControllerName, GroupName, InvalidName, Namespace};
pub use ownership::{CONTROLLER_TAG, Ownership};
pub use sink::CloudWatchSink;
