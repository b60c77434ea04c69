//! What only EC2 knows: what launch templates ask for, and what instances are.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_ec2::{
    config::Builder,
    types::{
        Filter, Instance, LaunchTemplateInstanceMarketOptions, LaunchTemplateVersion, Reservation,
    },
};
use jibri_scaler_core::port::{PortError, PortErrorKind};

use super::Market;
use crate::{
    call::{self, Configure as _},
    failure::Failure,
    inspect::{GroupSetup, Inspector, Member, Section, Unread, page, section},
};

/// The tag that Auto Scaling gives each instance of a group, and nobody else can.
const GROUP_TAG: &str = "tag:aws:autoscaling:groupName";

/// As many instances as one page may have.
const PAGE: i32 = 1000;

impl Inspector {
    /// What that version of a launch template asks for. It is looked up by the id, or where there is none, by the name.
    pub(super) async fn template_market(
        &self,
        (id, name): (Option<&str>, Option<&str>),
        version: &str,
        operation: String,
        left: Duration,
    ) -> Result<Market, PortError> {
        // EC2 takes one of the two.
        let name = name.filter(|_| id.is_none());
        let during = operation.as_str();
        let rows = page::all(operation.clone(), left, |token, left| async move {
            self.ec2
                .describe_launch_template_versions()
                .set_launch_template_id(id.map(Into::into))
                .set_launch_template_name(name.map(Into::into))
                .versions(version)
                .set_next_token(token)
                .customize()
                .config_override(self.ec2_override(left))
                .send()
                .await
                .map(|page| {
                    let rows = page.launch_template_versions.unwrap_or_default();
                    (rows, page.next_token)
                })
                .map_err(|error| {
                    Failure::new("ec2:DescribeLaunchTemplateVersions", error).during(during)
                })
        })
        .await?;
        // A version is one row.
        let data = rows
            .first()
            .and_then(LaunchTemplateVersion::launch_template_data);
        match data {
            Some(data) => Ok(asked_for(data.instance_market_options())),
            None => Err(PortError::new(PortErrorKind::Permanent, operation)
                .with_source("EC2 answered without this version, or without what is in it")),
        }
    }

    /// Fills in what the instances are.
    pub(super) async fn instance_markets(&self, setup: &mut GroupSetup) {
        let pool = setup.warm_pool.as_mut().ok().and_then(Option::as_mut);
        let pooled = pool.map(|pool| &mut pool.instances[..]).unwrap_or_default();
        let mut members: Vec<_> = setup.instances.iter_mut().chain(pooled).collect();
        if members.is_empty() {
            return;
        }
        let known = section::of(self.lifecycles().await);
        for member in &mut members {
            member.market = of(member, &known);
        }
    }

    /// The terms of all instances of the group, by their ids.
    async fn lifecycles(&self) -> Result<BTreeMap<String, Market>, PortError> {
        let operation = || self.of_group("the lifecycles of the instances");
        let filter = Filter::builder()
            .name(GROUP_TAG)
            .values(literal(self.name.as_str()))
            .build();
        let filter = &filter;
        let rows = page::all(operation(), self.timeout, |token, left| async move {
            self.ec2
                .describe_instances()
                .filters(filter.clone())
                .max_results(PAGE)
                .set_next_token(token)
                .customize()
                .config_override(self.ec2_override(left))
                .send()
                .await
                .map(|page| (page.reservations.unwrap_or_default(), page.next_token))
                .map_err(|error| Failure::new("ec2:DescribeInstances", error).during(operation()))
        })
        .await?;
        let instances = rows.iter().flat_map(Reservation::instances);
        Ok(instances
            .filter_map(|row| Some((row.instance_id()?.to_owned(), lifecycle(row))))
            .collect())
    }

    fn ec2_override(&self, left: Duration) -> Builder {
        let patience = call::read(&self.sdk, left);
        Builder::new().with_patience(patience)
    }
}

fn asked_for(options: Option<&LaunchTemplateInstanceMarketOptions>) -> Market {
    let Some(options) = options else {
        return Market::OnDemand;
    };
    match options.market_type() {
        Some(kind) => Market::from(kind.as_str()),
        None if options.spot_options().is_some() => Market::Spot,
        None => Market::OnDemand,
    }
}

/// On-Demand instances have no lifecycle.
fn lifecycle(row: &Instance) -> Market {
    row.instance_lifecycle()
        .map_or(Market::OnDemand, |kind| Market::from(kind.as_str()))
}

fn of(member: &Member, known: &Section<BTreeMap<String, Market>>) -> Section<Market> {
    let market = known
        .as_ref()
        .map_err(Clone::clone)?
        .get(member.id.as_str());
    market.cloned().ok_or_else(|| {
        let why = "EC2 does not list it as an instance of the group: not yet, or no more";
        Unread::new(PortErrorKind::Transient, why)
    })
}

/// A value of a filter in which EC2 sees no wildcard.
fn literal(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        LaunchTemplateSpotMarketOptions, MarketType,
        builders::LaunchTemplateInstanceMarketOptionsBuilder as MarketOptions,
    };

    use super::*;

    #[test]
    fn a_template_asks_for_spot_by_its_market_type_or_by_options_for_spot() {
        let options = MarketOptions::default;
        let spot = LaunchTemplateSpotMarketOptions::builder().build();
        for (options, expected) in [
            (None, Market::OnDemand),
            (Some(options()), Market::OnDemand),
            (
                Some(options().market_type(MarketType::OnDemand)),
                Market::OnDemand,
            ),
            (Some(options().market_type(MarketType::Spot)), Market::Spot),
            (Some(options().spot_options(spot)), Market::Spot),
            (
                Some(options().market_type(MarketType::CapacityBlock)),
                Market::Other("capacity-block".into()),
            ),
        ] {
            let options = options.map(MarketOptions::build);
            assert_eq!(asked_for(options.as_ref()), expected, "{options:?}");
        }
    }

    #[test]
    fn wildcards_in_the_name_of_a_group_are_none() {
        assert_eq!(literal(r"jibri*?\1"), r"jibri\*\?\\1");
    }
}
