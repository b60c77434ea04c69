//! Changes of the group.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_autoscaling::{
    Client, config,
    types::{InstanceLifecyclePolicy, RetentionAction, RetentionTriggers, StepAdjustment, Tag},
};
use aws_types::SdkConfig;
use jibri_scaler_core::{
    agent::port::{HookResult, Transition},
    port::{PortError, PortErrorKind},
};

use super::{Provisioner, patience};
use crate::{
    call::Configure as _,
    failure::Failure,
    inspect::{Hook, ScalingPolicy},
};

/// The only granularity there is.
const GRANULARITY: &str = "1Minute";

/// What Auto Scaling says where there is no such hook or policy.
const ABSENT: [&str; 3] = ["No Lifecycle Hook found", "not found", "does not exist"];

pub(super) fn client(sdk: &SdkConfig, timeout: Duration) -> Client {
    let patience = patience(sdk, timeout);
    let config = config::Builder::from(sdk)
        .counted()
        .with_patience(patience)
        .build();
    Client::from_conf(config)
}

impl Provisioner {
    pub(super) async fn put_hook(&self, hook: &Hook) -> Result<(), PortError> {
        let transition = match hook.transition {
            Some(Transition::Launching) => "autoscaling:EC2_INSTANCE_LAUNCHING",
            _ => "autoscaling:EC2_INSTANCE_TERMINATING",
        };
        let result = match hook.default_result {
            HookResult::Continue => "CONTINUE",
            _ => "ABANDON",
        };
        self.autoscaling
            .put_lifecycle_hook()
            .auto_scaling_group_name(self.name.as_str())
            .lifecycle_hook_name(&hook.name)
            .lifecycle_transition(transition)
            .heartbeat_timeout(seconds(hook.heartbeat_timeout))
            .default_result(result)
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:PutLifecycleHook", error)
                    .during(self.doing(&format!("put lifecycle hook `{}`", hook.name)))
            })?;
        Ok(())
    }

    pub(super) async fn delete_hook(&self, name: &str) -> Result<(), PortError> {
        let result = self
            .autoscaling
            .delete_lifecycle_hook()
            .auto_scaling_group_name(self.name.as_str())
            .lifecycle_hook_name(name)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::new("autoscaling:DeleteLifecycleHook", error));
        or_absent(result, || {
            self.doing(&format!("delete lifecycle hook `{name}`"))
        })
    }

    pub(super) async fn set_retention(&self, retain: bool) -> Result<(), PortError> {
        let action = if retain {
            RetentionAction::Retain
        } else {
            RetentionAction::Terminate
        };
        let triggers = RetentionTriggers::builder()
            .terminate_hook_abandon(action)
            .build();
        let policy = InstanceLifecyclePolicy::builder()
            .retention_triggers(triggers)
            .build();
        self.autoscaling
            .update_auto_scaling_group()
            .auto_scaling_group_name(self.name.as_str())
            .instance_lifecycle_policy(policy)
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:UpdateAutoScalingGroup", error)
                    .during(self.doing("set the instance lifecycle policy"))
            })?;
        Ok(())
    }

    pub(super) async fn set_protection(&self, protect: bool) -> Result<(), PortError> {
        self.autoscaling
            .update_auto_scaling_group()
            .auto_scaling_group_name(self.name.as_str())
            .new_instances_protected_from_scale_in(protect)
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:UpdateAutoScalingGroup", error)
                    .during(self.doing("set the protection of new instances"))
            })?;
        Ok(())
    }

    pub(super) async fn set_health_check(&self, kind: &str) -> Result<(), PortError> {
        self.autoscaling
            .update_auto_scaling_group()
            .auto_scaling_group_name(self.name.as_str())
            .health_check_type(kind)
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:UpdateAutoScalingGroup", error)
                    .during(self.doing(&format!("set {kind} as the health checks")))
            })?;
        Ok(())
    }

    pub(super) async fn suspend(&self, process: &str) -> Result<(), PortError> {
        self.autoscaling
            .suspend_processes()
            .auto_scaling_group_name(self.name.as_str())
            .scaling_processes(process)
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:SuspendProcesses", error)
                    .during(self.doing(&format!("suspend process {process}")))
            })?;
        Ok(())
    }

    pub(super) async fn resume(&self, process: &str) -> Result<(), PortError> {
        self.autoscaling
            .resume_processes()
            .auto_scaling_group_name(self.name.as_str())
            .scaling_processes(process)
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:ResumeProcesses", error)
                    .during(self.doing(&format!("resume process {process}")))
            })?;
        Ok(())
    }

    pub(super) async fn enable_metrics(&self, metrics: &BTreeSet<String>) -> Result<(), PortError> {
        self.autoscaling
            .enable_metrics_collection()
            .auto_scaling_group_name(self.name.as_str())
            .set_metrics(Some(metrics.iter().cloned().collect()))
            .granularity(GRANULARITY)
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:EnableMetricsCollection", error)
                    .during(self.doing("enable the group metrics"))
            })?;
        Ok(())
    }

    pub(super) async fn disable_metrics(
        &self,
        metrics: &BTreeSet<String>,
    ) -> Result<(), PortError> {
        self.autoscaling
            .disable_metrics_collection()
            .auto_scaling_group_name(self.name.as_str())
            .set_metrics(Some(metrics.iter().cloned().collect()))
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:DisableMetricsCollection", error)
                    .during(self.doing("disable the group metrics"))
            })?;
        Ok(())
    }

    pub(super) async fn put_policy(&self, policy: &ScalingPolicy) -> Result<(), PortError> {
        let steps = policy.steps.iter().map(|step| {
            StepAdjustment::builder()
                .set_metric_interval_lower_bound(step.lower)
                .set_metric_interval_upper_bound(step.upper)
                .scaling_adjustment(step.adjustment)
                .build()
        });
        self.autoscaling
            .put_scaling_policy()
            .auto_scaling_group_name(self.name.as_str())
            .policy_name(&policy.name)
            .policy_type("StepScaling")
            .set_adjustment_type(policy.adjustment_type.clone())
            .set_metric_aggregation_type(policy.metric_aggregation.clone())
            .set_estimated_instance_warmup(policy.instance_warmup.map(seconds))
            .set_step_adjustments(Some(steps.collect()))
            .enabled(policy.enabled)
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:PutScalingPolicy", error)
                    .during(self.doing(&format!("put scaling policy `{}`", policy.name)))
            })?;
        Ok(())
    }

    pub(super) async fn delete_policy(&self, name: &str) -> Result<(), PortError> {
        let result = self
            .autoscaling
            .delete_policy()
            .auto_scaling_group_name(self.name.as_str())
            .policy_name(name)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::new("autoscaling:DeletePolicy", error));
        or_absent(result, || {
            self.doing(&format!("delete scaling policy `{name}`"))
        })
    }

    /// What an alarm has as its action to run that policy.
    pub(super) async fn policy_arn(&self, name: &str) -> Result<String, PortError> {
        let operation = || self.doing(&format!("look up scaling policy `{name}`"));
        let answer = self
            .autoscaling
            .describe_policies()
            .auto_scaling_group_name(self.name.as_str())
            .policy_names(name)
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:DescribePolicies", error).during(operation())
            })?;
        let mut policies = answer.scaling_policies().iter();
        policies
            .find(|policy| policy.policy_name() == Some(name))
            .and_then(|policy| policy.policy_arn())
            .map(str::to_owned)
            .ok_or_else(|| {
                PortError::new(PortErrorKind::Transient, operation())
                    .with_source("it is not listed yet, though it was put; plan and apply again")
            })
    }

    pub(super) async fn put_tag(&self, key: &str, value: &str) -> Result<(), PortError> {
        let tag = self.tag(key).value(value).propagate_at_launch(false);
        self.autoscaling
            .create_or_update_tags()
            .tags(tag.build())
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:CreateOrUpdateTags", error)
                    .during(self.doing(&format!("set tag `{key}`")))
            })?;
        Ok(())
    }

    pub(super) async fn delete_tag(&self, key: &str) -> Result<(), PortError> {
        self.autoscaling
            .delete_tags()
            .tags(self.tag(key).build())
            .send()
            .await
            .map_err(|error| {
                Failure::new("autoscaling:DeleteTags", error)
                    .during(self.doing(&format!("delete tag `{key}`")))
            })?;
        Ok(())
    }

    fn tag(&self, key: &str) -> aws_sdk_autoscaling::types::builders::TagBuilder {
        Tag::builder()
            .resource_id(self.name.as_str())
            .resource_type("auto-scaling-group")
            .key(key)
    }
}

/// What is not there is deleted.
fn or_absent(
    result: Result<(), Failure>,
    operation: impl FnOnce() -> String,
) -> Result<(), PortError> {
    match result {
        Err(failure) if !failure.is_validation_error(&ABSENT) => Err(failure.during(operation())),
        _ => Ok(()),
    }
}

fn seconds(span: Duration) -> i32 {
    i32::try_from(span.as_secs()).unwrap_or(i32::MAX)
}
