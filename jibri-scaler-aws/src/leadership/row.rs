//! The item of a lead in the table, and the two calls that it takes.

use std::time::Duration;

use aws_sdk_dynamodb::{Client, config, types::AttributeValue};
use aws_types::SdkConfig;
use jibri_scaler_core::{
    lease::{Record, Write},
    port::{PortError, PortErrorKind},
};

use crate::{
    GroupName, TableName,
    call::{self, Configure as _, Deadline},
    failure::Failure,
    table::{CHANGED, Item, KEY, left, number},
};

const HOLDER: &str = "holder";
const VERSION: &str = "version";
/// How long the record is heeded. It is no time, so that the expiry of `DynamoDB`, switched on for it, would delete nothing.
const HEEDED: &str = "heeded_ms";

/// The lead of a group.
#[derive(Debug)]
pub(super) struct Row {
    sdk: SdkConfig,
    client: Client,
    pub(super) table: TableName,
    pub(super) group: GroupName,
}

impl Row {
    pub(super) fn new(sdk: &SdkConfig, table: TableName, group: GroupName) -> Self {
        Self {
            sdk: sdk.clone(),
            client: Client::from_conf(config::Builder::from(sdk).counted().build()),
            table,
            group,
        }
    }

    /// What is stored, by a read that sees every write which had ended before it began.
    pub(super) async fn read(&self, deadline: Deadline) -> Result<Option<Record>, PortError> {
        let doing = || {
            format!(
                "read who leads group `{}` in DynamoDB table `{}`",
                self.group, self.table
            )
        };
        let patience = call::read(&self.sdk, left(deadline, doing)?);
        let answer = self
            .client
            .get_item()
            .table_name(self.table.as_str())
            .key(KEY, AttributeValue::S(self.group.to_string()))
            .consistent_read(true)
            .customize()
            .config_override(config::Builder::new().with_patience(patience))
            .send()
            .await
            .map_err(|error| Failure::new("dynamodb:GetItem", error).during(doing()))?;
        let Some(item) = answer.item else {
            return Ok(None);
        };
        let record = record(&item).ok_or_else(|| {
            let advice = format!(
                "the item whose `{KEY}` is `{}` was not written by this library: delete it, or give the leads a table of their own",
                self.group
            );
            PortError::new(PortErrorKind::Permanent, doing()).with_source(advice)
        })?;
        Ok(Some(record))
    }

    /// Writes once, unless what is stored has changed. Returns whether it was written.
    pub(super) async fn write(
        &self,
        write: &Write,
        what: &str,
        deadline: Deadline,
    ) -> Result<bool, PortError> {
        let doing = || {
            format!(
                "{what} the lead of group `{}` in DynamoDB table `{}`",
                self.group, self.table
            )
        };
        let patience = call::act(&self.sdk, left(deadline, doing)?);
        let put = self
            .client
            .put_item()
            .table_name(self.table.as_str())
            .set_item(Some(item(&self.group, &write.record)));
        let put = match &write.unless_changed {
            None => put
                .condition_expression("attribute_not_exists(#key)")
                .expression_attribute_names("#key", KEY),
            Some(stored) => put
                .condition_expression("#version = :version AND #holder = :holder")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_names("#holder", HOLDER)
                .expression_attribute_values(":version", number(stored.version()))
                .expression_attribute_values(":holder", AttributeValue::S(stored.holder().into())),
        };
        let sent = put
            .customize()
            .config_override(config::Builder::new().with_patience(patience))
            .send()
            .await;
        let Err(error) = sent else { return Ok(true) };
        let failure = Failure::new("dynamodb:PutItem", error);
        if failure.has_code(&CHANGED) {
            return Ok(false);
        }
        Err(failure.during(doing()))
    }
}

fn item(group: &GroupName, record: &Record) -> Item {
    let heeded = u64::try_from(record.ttl().as_millis()).unwrap_or(u64::MAX);
    let attributes = [
        (KEY, AttributeValue::S(group.to_string())),
        (HOLDER, AttributeValue::S(record.holder().into())),
        (VERSION, number(record.version())),
        (HEEDED, number(heeded)),
    ];
    attributes.map(|(name, value)| (name.into(), value)).into()
}

fn record(item: &Item) -> Option<Record> {
    let number = |name: &str| -> Option<u64> { item.get(name)?.as_n().ok()?.parse().ok() };
    let holder = item.get(HOLDER)?.as_s().ok()?;
    let heeded = Duration::from_millis(number(HEEDED)?);
    Some(Record::new(holder.as_str(), number(VERSION)?, heeded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_nothing_else_is_one() {
        let written = Record::new("a 1f", u64::MAX, Duration::from_millis(5001));
        let whole = item(&"jibri".parse().unwrap(), &written);
        assert_eq!(record(&whole), Some(written));
        for missing in [HOLDER, VERSION, HEEDED] {
            let mut item = whole.clone();
            item.remove(missing);
            assert_eq!(record(&item), None, "{missing}");
            item.insert(missing.into(), AttributeValue::Bool(true));
            assert_eq!(record(&item), None, "{missing}");
        }
    }
}
