//! Where one instance is in its group.

use aws_sdk_autoscaling::{Client, config, types::AutoScalingInstanceDetails};
use jibri_scaler_core::{
    InstanceId,
    port::{PortError, PortErrorKind},
};

use crate::{
    call::{Configure as _, Patience},
    failure::Failure,
};

/// The row of that instance, in whatever group it is; `None` where it is in none. Reading is `call::read`.
pub(super) async fn row(
    client: &Client,
    id: &InstanceId,
    patience: Patience,
) -> Result<Option<AutoScalingInstanceDetails>, PortError> {
    let operation = || format!("ask which Auto Scaling group instance `{id}` is in");
    let page = client
        .describe_auto_scaling_instances()
        .instance_ids(id.as_str())
        .customize()
        .config_override(config::Builder::new().with_patience(patience))
        .send()
        .await
        .map_err(|error| {
            Failure::new("autoscaling:DescribeAutoScalingInstances", error).during(operation())
        })?;
    let more = page.next_token().is_some_and(|token| !token.is_empty());
    let row = page
        .auto_scaling_instances
        .unwrap_or_default()
        .into_iter()
        .find(|row| row.instance_id() == Some(id.as_str()));
    // One instance is one page. If that ever changes, an instance must not be taken for one that has left its group.
    if row.is_none() && more {
        return Err(PortError::new(PortErrorKind::Transient, operation())
            .with_source("the answer has further pages although only one instance was asked for"));
    }
    Ok(row)
}
