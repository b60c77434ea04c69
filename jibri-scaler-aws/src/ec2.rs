//! What only EC2 knows of the instances of a group: launch times and private addresses.
//!
//! Without the feature `ec2` this is built for its tests alone, which need no SDK.

mod details;
#[cfg(feature = "ec2")]
mod listing;
#[cfg(feature = "ec2")]
mod request;
#[cfg(test)]
mod tests;

#[cfg(feature = "ec2")]
pub use listing::Ec2Listing;
