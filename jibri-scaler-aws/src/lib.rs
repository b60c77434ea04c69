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
#[cfg(feature = "dynamodb")]
mod leadership;
#[cfg(feature = "dynamodb")]
mod memory_store;
mod metric;
mod name;
mod ownership;
mod page;
pub mod provision;
mod publisher;
mod sink;
#[cfg(feature = "dynamodb")]
mod table;

pub use budget::{CallBudget, InvalidBudget};
pub use build::BuildError;
#[cfg(feature = "ec2")]
#[cfg_attr(docsrs, doc(cfg(feature = "ec2")))]
pub use ec2::Ec2Listing;
pub use group::AutoScalingGroup;
#[cfg(feature = "dynamodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "dynamodb")))]
pub use leadership::{Clock, DynamoDbLeadership, LeadershipError};
#[cfg(feature = "dynamodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "dynamodb")))]
pub use memory_store::DynamoDbMemory;
pub use name::{ControllerName, GroupName, InvalidName, Namespace, TableName};
pub use ownership::{CONTROLLER_TAG, Ownership};
pub use sink::CloudWatchSink;
