//! Reading the group and its instances.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_autoscaling::types::{
    AutoScalingGroup as Row, Instance, LaunchTemplateSpecification, MixedInstancesPolicy,
};
use jibri_scaler_core::{
    InstanceId, Lifecycle, Timestamp, Zone,
    port::{PortError, PortErrorKind},
};

use super::{
    DeletionProtection, GroupSetup, Inspector, LaunchedFrom, MaintenancePolicy, Member,
    MixedInstances, Tag, market, page,
};
use crate::{failure::Failure, group::retains_abandoned};

impl Inspector {
    pub(super) async fn group(&self, now: Timestamp) -> Result<GroupSetup, PortError> {
        let operation = || self.of_group("the settings");
        let rows = page::all(operation(), self.timeout, |token, left| async move {
            self.autoscaling
                .describe_auto_scaling_groups()
                .auto_scaling_group_names(self.name.as_str())
                .set_next_token(token)
                .customize()
                .config_override(self.autoscaling_override(left))
                .send()
                .await
                .map(|page| {
                    (
                        page.auto_scaling_groups.unwrap_or_default(),
                        page.next_token,
                    )
                })
                .map_err(|error| {
                    Failure::new("autoscaling:DescribeAutoScalingGroups", error).during(operation())
                })
        })
        .await?;
        let mut found: Option<Row> = None;
        for mut row in rows {
            if row.auto_scaling_group_name() != Some(self.name.as_str()) {
                continue;
            }
            // A group may be spread over pages.
            if let Some(before) = found {
                let mut instances = before.instances.unwrap_or_default();
                instances.extend(row.instances.take().unwrap_or_default());
                row.instances = Some(instances);
            }
            found = Some(row);
        }
        let Some(row) = found else {
            let error = PortError::new(PortErrorKind::Permanent, operation());
            return Err(error.with_source(format!(
                "there is no group of this name in region {} of this account; check the name, the region and the credentials",
                self.sdk.region().map_or("?", |region| region.as_ref()),
            )));
        };
        self.setup(&row, now)
            .map_err(|why| PortError::new(PortErrorKind::Transient, operation()).with_source(why))
    }

    fn setup(&self, row: &Row, now: Timestamp) -> Result<GroupSetup, String> {
        let mut setup = GroupSetup::new(self.name.clone(), now);
        setup.arn.clone_from(&row.auto_scaling_group_arn);
        setup.namespace = self.namespace.clone();
        setup.min_size = number("MinSize", row.min_size)?;
        setup.max_size = number("MaxSize", row.max_size)?;
        setup.desired = number("DesiredCapacity", row.desired_capacity)?;
        setup.zones = row
            .availability_zones()
            .iter()
            .map(|z| Zone::from(z.as_str()))
            .collect();
        setup.instances = row
            .instances()
            .iter()
            .map(member)
            .collect::<Result<_, _>>()?;
        setup.instances.sort_by(|a, b| a.id.cmp(&b.id));
        setup.new_instances_protected = row.new_instances_protected_from_scale_in() == Some(true);
        setup.suspended_processes = row
            .suspended_processes()
            .iter()
            .filter_map(|process| process.process_name.clone())
            .collect();
        if let Some(checks) = row.health_check_type() {
            setup.health_check_type = checks.into();
        }
        setup.health_check_grace = seconds(row.health_check_grace_period).unwrap_or_default();
        // AWS writes "never" as 0.
        setup.max_instance_lifetime =
            seconds(row.max_instance_lifetime).filter(|lifetime| !lifetime.is_zero());
        setup.default_instance_warmup = seconds(row.default_instance_warmup);
        setup.launched_from = launched_from(row.launch_template(), row.launch_configuration_name());
        setup.launch_sources = market::sources(row);
        setup.mixed_instances = row.mixed_instances_policy().map(mixed_instances);
        setup.capacity_rebalance = row.capacity_rebalance() == Some(true);
        setup.retains_abandoned = retains_abandoned(row);
        if let Some(protection) = row.deletion_protection() {
            setup.deletion_protection = DeletionProtection::from(protection.as_str());
        }
        setup.maintenance_policy = row.instance_maintenance_policy().and_then(|policy| {
            let percent = |value: Option<i32>| u32::try_from(value?).ok();
            // AWS writes "none" as -1.
            Some(MaintenancePolicy::new(
                percent(policy.min_healthy_percentage)?,
                percent(policy.max_healthy_percentage)?,
            ))
        });
        setup.tags = tags(row);
        setup.collected_metrics = row
            .enabled_metrics()
            .iter()
            .filter_map(|metric| metric.metric.clone())
            .collect();
        Ok(setup)
    }
}

/// The instance of a row, also of one in the warm pool. Its terms are not read yet.
pub(super) fn member(row: &Instance) -> Result<Member, String> {
    let id: InstanceId = row
        .instance_id()
        .unwrap_or_default()
        .parse()
        .map_err(|error| format!("{error}"))?;
    let lifecycle = row.lifecycle_state().map_or("", |state| state.as_str());
    let mut member = Member::new(id, Lifecycle::from(lifecycle));
    member.zone = row.availability_zone().map(Zone::from);
    member.healthy = row
        .health_status()
        .is_none_or(|health| health.eq_ignore_ascii_case("healthy"));
    member.protected = row.protected_from_scale_in() == Some(true);
    member.instance_type.clone_from(&row.instance_type);
    member.market = Err(market::unasked());
    member.launched_from = launched_from(row.launch_template(), row.launch_configuration_name());
    Ok(member)
}

/// A time span of so many seconds; `None` where there is none, or it is negative.
pub(super) fn seconds(number: Option<i32>) -> Option<Duration> {
    u64::try_from(number?).ok().map(Duration::from_secs)
}

fn number(key: &str, number: Option<i32>) -> Result<u32, String> {
    number
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| format!("its {key} is missing or negative"))
}

fn launched_from(
    template: Option<&LaunchTemplateSpecification>,
    configuration: Option<&str>,
) -> Option<String> {
    let from = match template {
        Some(template) => LaunchedFrom::template(template),
        None => LaunchedFrom::configuration(configuration?),
    };
    Some(from.to_string())
}

fn mixed_instances(policy: &MixedInstancesPolicy) -> MixedInstances {
    let distribution = policy.instances_distribution();
    let value = |number: Option<i32>| u32::try_from(number?).ok();
    MixedInstances::new(
        distribution
            .and_then(|d| value(d.on_demand_base_capacity))
            .unwrap_or(0),
        // 100 is the default of AWS.
        distribution
            .and_then(|d| value(d.on_demand_percentage_above_base_capacity))
            .unwrap_or(100),
    )
}

fn tags(row: &Row) -> BTreeMap<String, Tag> {
    row.tags()
        .iter()
        .filter_map(|tag| {
            let value = Tag::new(
                tag.value().unwrap_or_default(),
                tag.propagate_at_launch() == Some(true),
            );
            Some((tag.key.clone()?, value))
        })
        .collect()
}
