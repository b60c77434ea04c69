//! Being one of several replicas, of which one leads.

use std::error::Error;
#[cfg(feature = "dynamodb")]
use std::time::Duration;

use aws_config::SdkConfig;
use jibri_scaler_aws::TableName;
#[cfg(feature = "dynamodb")]
use jibri_scaler_aws::{DynamoDbLeadership, DynamoDbMemory};
use jibri_scaler_core::Controller;

use crate::arguments::Arguments;

/// The same as a replica that asks for the lead in this table, and keeps its memory there unless it has a file of its own.
#[cfg(feature = "dynamodb")]
pub(crate) fn in_table(
    controller: Controller,
    table: &TableName,
    sdk: &SdkConfig,
    arguments: &Arguments,
) -> Result<Controller, Box<dyn Error>> {
    /// Long enough that a slow tick does not lose it.
    const SHORTEST: Duration = Duration::from_secs(30);

    let group = &arguments.group;
    let controller = if arguments.memory.is_none() {
        controller.with_memory(DynamoDbMemory::new(sdk, table.clone(), group.clone())?)
    } else {
        controller
    };
    if arguments.dry_run {
        // One that only says what it would do must not keep the lead from one that does it.
        return Ok(controller);
    }
    let leadership = DynamoDbLeadership::new(
        sdk,
        table.clone(),
        group.clone(),
        &crate::arguments::machine()?,
        SHORTEST.max(arguments.interval * 3),
    )?;
    Ok(controller.with_leadership(leadership))
}

#[cfg(not(feature = "dynamodb"))]
pub(crate) fn in_table(
    _: Controller,
    _: &TableName,
    _: &SdkConfig,
    _: &Arguments,
) -> Result<Controller, Box<dyn Error>> {
    Err(
        "this controller was built without `--lead-table`: build it with `--features dynamodb`"
            .into(),
    )
}
