//! What several examples share.

#[path = "../support/audit_file.rs"]
pub(crate) mod audit_file;
#[path = "../support/disk.rs"]
pub(crate) mod disk;
#[cfg(any(feature = "aws", test))]
#[path = "../support/memory_file.rs"]
pub(crate) mod memory_file;
#[path = "../support/policy_source.rs"]
pub(crate) mod policy_source;
#[cfg(feature = "aws")]
#[path = "../support/templates.rs"]
pub(crate) mod templates;
#[path = "../support/webhooks.rs"]
pub(crate) mod webhooks;
