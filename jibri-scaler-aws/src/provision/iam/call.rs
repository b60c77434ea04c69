//! All calls that the code makes, and for whom.

use super::Role;

/// What a right is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// IAM knows no resource for it, or the call is about all there are.
    Anything,
    /// The same, but a condition holds it to one namespace.
    Namespace,
    Group,
    Alarms,
    Dashboard,
    /// The items of the group in the table of the leads: its lead, and its memory.
    Table,
}

impl On {
    pub(super) const ALL: [Self; 6] = [
        Self::Anything,
        Self::Namespace,
        Self::Group,
        Self::Alarms,
        Self::Dashboard,
        Self::Table,
    ];

    pub(super) const fn sid(self) -> &'static str {
        match self {
            Self::Anything => "Read",
            Self::Namespace => "Publish",
            Self::Group => "Group",
            Self::Alarms => "Alarms",
            Self::Dashboard => "Dashboard",
            Self::Table => "Table",
        }
    }
}

/// A call, by its IAM action.
pub(super) struct Call {
    pub(super) action: &'static str,
    pub(super) on: On,
    pub(super) roles: &'static [Role],
}

const fn call(action: &'static str, on: On, roles: &'static [Role]) -> Call {
    Call { action, on, roles }
}

use Role::{Agent, Controller, Provision};

/// The list. What is called elsewhere in this crate fails its test.
pub(super) const CALLS: &[Call] = &[
    call(
        "autoscaling:CompleteLifecycleAction",
        On::Group,
        &[Agent, Controller],
    ),
    call(
        "autoscaling:CreateOrUpdateTags",
        On::Group,
        &[Controller, Provision],
    ),
    call("autoscaling:DeleteLifecycleHook", On::Group, &[Provision]),
    call("autoscaling:DeletePolicy", On::Group, &[Provision]),
    call("autoscaling:DeleteTags", On::Group, &[Provision]),
    call(
        "autoscaling:DescribeAutoScalingGroups",
        On::Anything,
        &[Agent, Controller, Provision],
    ),
    call(
        "autoscaling:DescribeAutoScalingInstances",
        On::Anything,
        &[Agent],
    ),
    call(
        "autoscaling:DescribeInstanceRefreshes",
        On::Anything,
        &[Provision],
    ),
    call(
        "autoscaling:DescribeLaunchConfigurations",
        On::Anything,
        &[Provision],
    ),
    call(
        "autoscaling:DescribeLifecycleHooks",
        On::Anything,
        &[Agent, Controller, Provision],
    ),
    call(
        "autoscaling:DescribePolicies",
        On::Anything,
        &[Controller, Provision],
    ),
    call("autoscaling:DescribeTags", On::Anything, &[Controller]),
    call("autoscaling:DescribeWarmPool", On::Anything, &[Provision]),
    call(
        "autoscaling:DisableMetricsCollection",
        On::Group,
        &[Provision],
    ),
    call(
        "autoscaling:EnableMetricsCollection",
        On::Group,
        &[Provision],
    ),
    call("autoscaling:PutLifecycleHook", On::Group, &[Provision]),
    call("autoscaling:PutScalingPolicy", On::Group, &[Provision]),
    call(
        "autoscaling:RecordLifecycleActionHeartbeat",
        On::Group,
        &[Agent],
    ),
    call("autoscaling:ResumeProcesses", On::Group, &[Provision]),
    call("autoscaling:SetDesiredCapacity", On::Group, &[Controller]),
    call(
        "autoscaling:SetInstanceProtection",
        On::Group,
        &[Agent, Controller, Provision],
    ),
    call("autoscaling:SuspendProcesses", On::Group, &[Provision]),
    call(
        "autoscaling:TerminateInstanceInAutoScalingGroup",
        On::Group,
        &[Agent, Controller],
    ),
    call(
        "autoscaling:UpdateAutoScalingGroup",
        On::Group,
        &[Provision],
    ),
    call("cloudwatch:DeleteAlarms", On::Alarms, &[Provision]),
    call("cloudwatch:DeleteDashboards", On::Dashboard, &[Provision]),
    call("cloudwatch:DescribeAlarms", On::Anything, &[Provision]),
    call("cloudwatch:GetDashboard", On::Dashboard, &[Provision]),
    call(
        "cloudwatch:GetMetricData",
        On::Anything,
        &[Agent, Provision],
    ),
    call("cloudwatch:PutDashboard", On::Dashboard, &[Provision]),
    call("cloudwatch:PutMetricAlarm", On::Alarms, &[Provision]),
    call(
        "cloudwatch:PutMetricData",
        On::Namespace,
        &[Agent, Controller],
    ),
    // No call of its own: the tags of an alarm need it.
    call("cloudwatch:TagResource", On::Alarms, &[Provision]),
    call("dynamodb:GetItem", On::Table, &[Controller]),
    call("dynamodb:PutItem", On::Table, &[Controller]),
    call(
        "ec2:DescribeInstances",
        On::Anything,
        &[Controller, Provision],
    ),
    call(
        "ec2:DescribeLaunchTemplateVersions",
        On::Anything,
        &[Provision],
    ),
];

#[cfg(test)]
mod tests;
