//! What the items of the `DynamoDB` table have in common.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use jibri_scaler_core::port::{PortError, PortErrorKind};

use crate::call::Deadline;

/// The one key of the table, a string: of a lead the name of its group, of a memory that with something before it.
pub(crate) const KEY: &str = "lead";

/// What `DynamoDB` says where the condition of a write does not hold.
pub(crate) const CHANGED: [&str; 1] = ["ConditionalCheckFailedException"];

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// What is left for a request.
pub(crate) fn left(deadline: Deadline, doing: impl Fn() -> String) -> Result<Duration, PortError> {
    deadline.remaining().ok_or_else(|| {
        PortError::new(PortErrorKind::Transient, doing()).with_source("its time was used up")
    })
}
