//! Being one of several replicas, of which one leads.

use std::error::Error;

use aws_config::SdkConfig;
use jibri_scaler_aws::TableName;
use jibri_scaler_core::Controller;

use crate::arguments::Arguments;

/// The same as a replica that asks for the lead in this table.
#[cfg(feature = "dynamodb")]
pub(crate) fn in_table(
    controller: Controller,
    table: &TableName,
    sdk: &SdkConfig,
    arguments: &Arguments,
) -> Result<Controller, Box<dyn Error>> {
    /// Long enough that a slow tick does not lose it.
    const SHORTEST: std::time::Duration = std::time::Duration::from_secs(30);
    let leadership = jibri_scaler_aws::DynamoDbLeadership::new(
        sdk,
        table.clone(),
        arguments.group.clone(),
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
