//! `DescribeInstances` on the wire.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::{
    Client, config,
    types::{Instance as Row, Reservation},
};
use aws_types::SdkConfig;
use jibri_scaler_core::{InstanceId, Timestamp};

use super::details::{DescribeInstances, Details, Page, Refusal, describing};
use crate::{
    CallBudget, GroupName,
    budget::{self, Call, CountRetries, Share},
    call::{self, Configure as _},
    failure::Failure,
};

/// EC2 in the account and region of a configuration.
#[derive(Clone, Debug)]
pub(super) struct Ec2 {
    sdk: SdkConfig,
    client: Client,
    share: Option<Share>,
}

impl Ec2 {
    pub(super) fn new(sdk: &SdkConfig) -> Self {
        Self {
            sdk: sdk.clone(),
            client: Client::from_conf(config::Builder::from(sdk).counted().build()),
            share: None,
        }
    }

    pub(super) fn set_budget(&mut self, budget: &CallBudget, group: &GroupName) {
        let share = budget.share(group.as_str(), &self.sdk);
        let config = config::Builder::from(&self.sdk)
            .counted()
            .interceptor(CountRetries(share.clone()));
        self.client = Client::from_conf(config.build());
        self.share = Some(share);
    }
}

#[async_trait]
impl DescribeInstances for Ec2 {
    async fn page(
        &self,
        ids: &[InstanceId],
        token: Option<String>,
        left: Duration,
    ) -> Result<Page, Refusal> {
        let turn = budget::turn(self.share.as_ref(), Call::Read, left).await;
        let left = turn.map_err(|failure| Refusal::Other(failure.during(describing(ids))))?;
        let patience = call::read(&self.sdk, left);
        let result = self
            .client
            .describe_instances()
            .set_instance_ids(Some(ids.iter().map(ToString::to_string).collect()))
            .set_next_token(token)
            .customize()
            .config_override(config::Builder::new().with_patience(patience))
            .send()
            .await;
        match result {
            Ok(answer) => {
                let reservations = answer.reservations.unwrap_or_default();
                let rows = reservations.iter().flat_map(Reservation::instances);
                Ok(Page {
                    rows: rows.filter_map(row).collect(),
                    next_token: answer.next_token,
                })
            }
            Err(error) => {
                let failure = Failure::new("ec2:DescribeInstances", error);
                let unknown = failure
                    .message_of("InvalidInstanceID.NotFound")
                    .map(str::to_owned);
                let error = failure.during(describing(ids));
                Err(match unknown {
                    Some(message) => Refusal::NotFound { message, error },
                    None => Refusal::Other(error),
                })
            }
        }
    }
}

fn row(row: &Row) -> Option<(String, Details)> {
    let launched_at = row.launch_time().and_then(|time| time.to_millis().ok());
    // In a subnet without IPv4 there is only the other one.
    let address = row.private_ip_address().or_else(|| row.ipv6_address());
    let details = Details {
        launched_at: launched_at.map(|millis| Timestamp::from_micros(millis.saturating_mul(1000))),
        private_ip: address.and_then(|address| address.parse().ok()),
    };
    Some((row.instance_id()?.to_owned(), details))
}
