//! The group and its instances as data.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jibri_scaler_core::{InstanceId, Lifecycle, Timestamp, Zone};

use super::{Alarm, Hook, LaunchSource, Market, Refresh, ScalingPolicy, Section, Signal, WarmPool};
use crate::{GroupName, Namespace};

/// How an Auto Scaling group is set up.
///
/// ```
/// use jibri_scaler_aws::inspect::GroupSetup;
/// use jibri_scaler_core::Timestamp;
///
/// let setup = GroupSetup::new("jibri".parse()?, Timestamp::from_secs(1_763_800_000));
/// assert_eq!(setup.health_check_type, "EC2");
/// assert_eq!(setup.hooks, Ok(vec![]));
/// assert!(!setup.retains_abandoned);
/// # Ok::<(), jibri_scaler_aws::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GroupSetup {
    /// Its name.
    pub name: GroupName,
    /// Its ARN, where AWS gave one.
    pub arn: Option<String>,
    /// The namespace in which [`signal`](Self::signal) was looked for.
    pub namespace: Namespace,
    /// When it was read.
    pub read_at: Timestamp,
    /// The lowest desired capacity.
    pub min_size: u32,
    /// The highest desired capacity.
    pub max_size: u32,
    /// How many instances it is to have.
    pub desired: u32,
    /// The zones it launches in.
    pub zones: Vec<Zone>,
    /// Its instances, in the order of their ids, those on their way out included.
    pub instances: Vec<Member>,
    /// Whether new instances are born protected from scale-in.
    pub new_instances_protected: bool,
    /// The names of the processes that are suspended, such as `AZRebalance`.
    pub suspended_processes: BTreeSet<String>,
    /// What decides that an instance is unhealthy: `EC2`, or a list with commas that adds `ELB`, `EBS` or `VPC_LATTICE`.
    pub health_check_type: String,
    /// How long a new instance is not checked.
    pub health_check_grace: Duration,
    /// After this age an instance is replaced; `None` for never.
    pub max_instance_lifetime: Option<Duration>,
    /// How long a new instance counts as warming up; `None` where not set.
    pub default_instance_warmup: Option<Duration>,
    /// What new instances are launched from, for a human: the name and version of a launch template, or a launch configuration.
    pub launched_from: Option<String>,
    /// All that new instances are launched from, and whether it asks for Spot: the launch template or configuration of the group,
    /// or the launch templates of its mixed instances policy and of the overrides in it.
    pub launch_sources: Vec<LaunchSource>,
    /// How instance types and Spot are mixed, where they are.
    pub mixed_instances: Option<MixedInstances>,
    /// Whether Spot instances are replaced when they are at risk.
    pub capacity_rebalance: bool,
    /// Whether an instance whose termination hook was abandoned is kept as `Terminating:Retained`: the instance lifecycle policy
    /// `TerminateHookAbandon = retain`.
    pub retains_abandoned: bool,
    /// Whether the group can be deleted.
    pub deletion_protection: DeletionProtection,
    /// How far replacements may take the group under or over its size, where set.
    pub maintenance_policy: Option<MaintenancePolicy>,
    /// Its tags, by key.
    pub tags: BTreeMap<String, Tag>,
    /// The group metrics that are collected, such as `GroupInServiceInstances`.
    pub collected_metrics: BTreeSet<String>,
    /// Its lifecycle hooks.
    pub hooks: Section<Vec<Hook>>,
    /// Its scaling policies.
    pub policies: Section<Vec<ScalingPolicy>>,
    /// The instance refresh that is under way, if one is.
    pub refresh: Section<Option<Refresh>>,
    /// Its warm pool, if it has one.
    pub warm_pool: Section<Option<WarmPool>>,
    /// The alarms that concern it: those that run one of its policies, and those over metrics that
    /// have its name as the dimension `AutoScalingGroupName`.
    pub alarms: Section<Vec<Alarm>>,
    /// What its Jibris have published of late.
    pub signal: Section<Signal>,
}

impl GroupSetup {
    /// An empty group with AWS's defaults: EC2 health checks, no hooks, no policies, no protection.
    #[must_use]
    pub fn new(name: GroupName, read_at: Timestamp) -> Self {
        Self {
            name,
            arn: None,
            namespace: Namespace::default(),
            read_at,
            min_size: 0,
            max_size: 0,
            desired: 0,
            zones: Vec::new(),
            instances: Vec::new(),
            new_instances_protected: false,
            suspended_processes: BTreeSet::new(),
            health_check_type: "EC2".into(),
            health_check_grace: Duration::ZERO,
            max_instance_lifetime: None,
            default_instance_warmup: None,
            launched_from: None,
            launch_sources: Vec::new(),
            mixed_instances: None,
            capacity_rebalance: false,
            retains_abandoned: false,
            deletion_protection: DeletionProtection::None,
            maintenance_policy: None,
            tags: BTreeMap::new(),
            collected_metrics: BTreeSet::new(),
            hooks: Ok(Vec::new()),
            policies: Ok(Vec::new()),
            refresh: Ok(None),
            warm_pool: Ok(None),
            alarms: Ok(Vec::new()),
            signal: Ok(Signal::default()),
        }
    }

    /// Whether that process is suspended.
    ///
    /// ```
    /// # use jibri_scaler_aws::inspect::GroupSetup;
    /// # use jibri_scaler_core::Timestamp;
    /// # let mut setup = GroupSetup::new("jibri".parse()?, Timestamp::from_secs(0));
    /// setup.suspended_processes.insert("AZRebalance".into());
    /// assert!(setup.is_suspended("AZRebalance"));
    /// # Ok::<(), jibri_scaler_aws::InvalidName>(())
    /// ```
    #[must_use]
    pub fn is_suspended(&self, process: &str) -> bool {
        self.suspended_processes.contains(process)
    }

    /// The instances in service.
    ///
    /// ```
    /// # use jibri_scaler_aws::inspect::{GroupSetup, Member};
    /// # use jibri_scaler_core::{Lifecycle, Timestamp};
    /// # let mut setup = GroupSetup::new("jibri".parse()?, Timestamp::from_secs(0));
    /// setup.instances = vec![
    ///     Member::new("i-a".parse()?, Lifecycle::InService),
    ///     Member::new("i-b".parse()?, Lifecycle::TerminatingWait),
    /// ];
    /// assert_eq!(setup.in_service().count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_service(&self) -> impl Iterator<Item = &Member> {
        self.instances
            .iter()
            .filter(|member| member.lifecycle == Lifecycle::InService)
    }
}

/// An instance as its group has it.
///
/// ```
/// use jibri_scaler_aws::inspect::Member;
/// use jibri_scaler_core::Lifecycle;
///
/// let member = Member::new("i-0abc".parse()?, Lifecycle::InService);
/// assert!(member.healthy && !member.protected);
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Its id.
    pub id: InstanceId,
    /// Its availability zone, where known.
    pub zone: Option<Zone>,
    /// Where it is in its lifecycle.
    pub lifecycle: Lifecycle,
    /// Whether Auto Scaling takes it for healthy, which says nothing of its Jibri.
    pub healthy: bool,
    /// Whether it is protected from scale-in.
    pub protected: bool,
    /// Its type, such as `c7i.xlarge`, where known.
    pub instance_type: Option<String>,
    /// What it was launched from, for a human: the name and version of a launch template, or a launch configuration.
    pub launched_from: Option<String>,
    /// On which terms EC2 gives it. Read with the feature `ec2` alone.
    pub market: Section<Market>,
}

impl Member {
    /// A healthy, unprotected On-Demand instance.
    #[must_use]
    pub const fn new(id: InstanceId, lifecycle: Lifecycle) -> Self {
        Self {
            id,
            zone: None,
            lifecycle,
            healthy: true,
            protected: false,
            instance_type: None,
            launched_from: None,
            market: Ok(Market::OnDemand),
        }
    }
}

/// How many of the instances are On-Demand ones.
///
/// ```
/// use jibri_scaler_aws::inspect::MixedInstances;
///
/// assert!(MixedInstances::new(2, 50).has_spot());
/// assert!(!MixedInstances::new(0, 100).has_spot());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MixedInstances {
    /// So much of the capacity is On-Demand before any other is.
    pub on_demand_base: u32,
    /// And this share of what is above, 0 to 100 percent. The rest is Spot.
    pub on_demand_percent_above_base: u32,
}

impl MixedInstances {
    /// A mix with that base of On-Demand capacity and that share above it.
    #[must_use]
    pub const fn new(on_demand_base: u32, on_demand_percent_above_base: u32) -> Self {
        Self {
            on_demand_base,
            on_demand_percent_above_base,
        }
    }

    /// Whether any capacity may be Spot.
    #[must_use]
    pub const fn has_spot(self) -> bool {
        self.on_demand_percent_above_base < 100
    }
}

/// The bounds of an instance maintenance policy, in percent of the desired capacity.
///
/// ```
/// use jibri_scaler_aws::inspect::MaintenancePolicy;
///
/// assert_eq!(MaintenancePolicy::new(100, 110).max_healthy_percent, 110);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaintenancePolicy {
    /// So much stays in service while instances are replaced, 0 to 100.
    pub min_healthy_percent: u32,
    /// So much may be there meanwhile, 100 to 200.
    pub max_healthy_percent: u32,
}

impl MaintenancePolicy {
    /// A policy with these bounds.
    #[must_use]
    pub const fn new(min_healthy_percent: u32, max_healthy_percent: u32) -> Self {
        Self {
            min_healthy_percent,
            max_healthy_percent,
        }
    }
}

/// What keeps the group from being deleted.
///
/// ```
/// use jibri_scaler_aws::inspect::DeletionProtection;
///
/// assert_eq!(DeletionProtection::from("prevent-all-deletion"), DeletionProtection::All);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeletionProtection {
    /// Nothing.
    None,
    /// It cannot be deleted while it has instances.
    Force,
    /// It cannot be deleted.
    All,
    /// A protection unknown here, as AWS wrote it.
    Unknown(Box<str>),
}

impl From<&str> for DeletionProtection {
    fn from(text: &str) -> Self {
        match text {
            "none" => Self::None,
            "prevent-force-deletion" => Self::Force,
            "prevent-all-deletion" => Self::All,
            other => Self::Unknown(other.into()),
        }
    }
}

/// The value of a tag.
///
/// ```
/// use jibri_scaler_aws::inspect::Tag;
///
/// assert_eq!(Tag::new("managed", true).value, "managed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tag {
    /// The value.
    pub value: String,
    /// Whether new instances get the tag too.
    pub at_launch: bool,
}

impl Tag {
    /// A tag of that value.
    #[must_use]
    pub fn new(value: impl Into<String>, at_launch: bool) -> Self {
        Self {
            value: value.into(),
            at_launch,
        }
    }
}
