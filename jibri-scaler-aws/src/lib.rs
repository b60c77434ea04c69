#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod agent;
mod budget;
mod build;
mod call;
pub mod doctor;
#[cfg(any(feature = "ec2", test))]
mod ec2;
mod failure;
mod group;
pub mod inspect;
mod metric;
mod name;
mod ownership;
mod page;
pub mod provision;
mod publisher;
mod sink;

pub use build::BuildError;
#[cfg(feature = "ec2")]
pub use budget::{CallBudget, InvalidBudget};
#[cfg_attr(docsrs, doc(cfg(feature = "ec2")))]
pub use ec2::Ec2Listing;
pub use group::AutoScalingGroup;
pub use name::{ControllerName, GroupName, InvalidName, Namespace};
pub use ownership::{CONTROLLER_TAG, Ownership};
pub use sink::CloudWatchSink;
