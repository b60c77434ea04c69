//! The rights that each part needs, and no others, made from the list of the calls that the code makes.
//!
//! A test holds the list against the source: it fails if code starts to call what is not in the list, or no longer calls what is.

mod call;

use std::collections::BTreeMap;

use serde::Serialize;

use self::call::{CALLS, On};
use super::{dashboard, desired::ALARM_PREFIX};
use crate::{GroupName, Namespace, TableName, name::MEMORY_PREFIX};

/// Who needs rights.
///
/// ```
/// use jibri_scaler_aws::provision::iam::Role;
///
/// assert_eq!("controller".parse(), Ok(Role::Controller));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The agent on each instance: the instance role.
    Agent,
    /// The controller.
    Controller,
    /// Who runs provisioning.
    Provision,
}

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "agent" => Ok(Self::Agent),
            "controller" => Ok(Self::Controller),
            "provision" => Ok(Self::Provision),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}

/// A word that names no role.
///
/// ```
/// use jibri_scaler_aws::provision::iam::Role;
///
/// let error = "root".parse::<Role>().unwrap_err();
/// assert_eq!(error.to_string(), "`root` is no role; the roles are agent, controller and provision");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role; the roles are agent, controller and provision")]
#[non_exhaustive]
pub struct UnknownRole(String);

/// What the rights are for.
///
/// ```
/// use jibri_scaler_aws::provision::iam::Scope;
///
/// let mut scope = Scope::new("jibri-production".parse()?);
/// scope.region = "eu-central-1".into();
/// assert_eq!(scope.account, "ACCOUNT", "to be filled in");
/// # Ok::<(), jibri_scaler_aws::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scope {
    /// The group.
    pub group: GroupName,
    /// The namespace that metrics are published in.
    pub namespace: Namespace,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The region.
    pub region: String,
    /// The number of the account.
    pub account: String,
    /// The table in which the lead of the group is, where one of several controllers leads, and the memory that they share; absent unless
    /// it is set. Where each has a table of its own, make the policy twice.
    pub lead_table: Option<TableName>,
}

impl Scope {
    /// That group with the default namespace, in partition `aws`; region and account are `REGION` and `ACCOUNT`, to be filled in.
    #[must_use]
    pub fn new(group: GroupName) -> Self {
        Self {
            group,
            namespace: Namespace::default(),
            partition: "aws".into(),
            region: "REGION".into(),
            account: "ACCOUNT".into(),
            lead_table: None,
        }
    }

    fn arn(&self, service: &str, region: &str, resource: &str) -> String {
        let (partition, account) = (&self.partition, &self.account);
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// Absent where there is nothing that the rights could be for.
    fn resource(&self, on: On) -> Option<String> {
        let group = literal(self.group.as_str());
        Some(match on {
            On::Anything | On::Namespace => "*".into(),
            On::Group => {
                let resource = format!("autoScalingGroup:*:autoScalingGroupName/{group}");
                self.arn("autoscaling", &self.region, &resource)
            }
            On::Alarms => {
                let resource = format!("alarm:{ALARM_PREFIX}*-{group}");
                self.arn("cloudwatch", &self.region, &resource)
            }
            On::Dashboard => {
                let resource = format!("dashboard/{}", dashboard::name(&self.group));
                self.arn("cloudwatch", "", &resource)
            }
            On::Table => {
                let resource = format!("table/{}", self.lead_table.as_ref()?);
                self.arn("dynamodb", &self.region, &resource)
            }
        })
    }

    /// What holds the rights to a part of the resource.
    fn condition(&self, on: On) -> Option<Condition> {
        let (operator, key, value) = match on {
            On::Namespace => {
                let namespace = Allowed::One(self.namespace.to_string());
                ("StringEquals", "cloudwatch:namespace", namespace)
            }
            // The keys of the items.
            On::Table => {
                let group = literal(self.group.as_str());
                let items = Allowed::All([group.clone(), format!("{MEMORY_PREFIX}{group}")]);
                ("ForAllValues:StringEquals", "dynamodb:LeadingKeys", items)
            }
            _ => return None,
        };
        Some(BTreeMap::from([(operator, BTreeMap::from([(key, value)]))]))
    }
}

/// The policy of that role, as the JSON that IAM takes.
///
/// ```
/// use jibri_scaler_aws::provision::iam::{Role, Scope, policy};
///
/// let policy = policy(Role::Agent, &Scope::new("jibri".parse()?));
/// assert!(policy.contains("autoscaling:CompleteLifecycleAction"));
/// assert!(!policy.contains("autoscaling:SetDesiredCapacity"));
/// # Ok::<(), jibri_scaler_aws::InvalidName>(())
/// ```
#[must_use]
pub fn policy(role: Role, scope: &Scope) -> String {
    let statements = On::ALL.into_iter().filter_map(|on| {
        let mut actions: Vec<_> = CALLS
            .iter()
            .filter(|call| call.on == on && call.roles.contains(&role))
            .map(|call| call.action)
            .collect();
        actions.sort_unstable();
        if actions.is_empty() {
            return None;
        }
        Some(Statement {
            sid: on.sid(),
            effect: "Allow",
            action: actions,
            resource: scope.resource(on)?,
            condition: scope.condition(on),
        })
    });
    let document = Document {
        version: "2012-10-17",
        statement: statements.collect(),
    };
    // Texts and lists always have a form in JSON.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// What IAM cannot limit for that role.
///
/// ```
/// use jibri_scaler_aws::provision::iam::{Role, limits};
///
/// assert!(limits(Role::Agent).contains("any member of its group"));
/// ```
#[must_use]
pub const fn limits(role: Role) -> &'static str {
    match role {
        Role::Agent => {
            "What IAM cannot limit: Auto Scaling has no condition that holds a caller to its own instance. Whoever has this role, and \
             so whoever is root on one Jibri, can end, protect, unprotect and let go any member of its group, recordings and all; can \
             publish any point of any group in the namespace; and can read all groups and metrics of the account in this region. \
             Give it to the instances of this group only, and to one group per role."
        }
        Role::Controller => {
            "What IAM cannot limit: whoever has this role can set any size between the bounds of the group, end any member of it, \
             recordings and all, set any tag of it, take the lead of it from the controllers and make them forget what they \
             remember, publish any point in the namespace, and read all groups of the account in this region."
        }
        Role::Provision => {
            "What IAM cannot limit: UpdateAutoScalingGroup is one right for all settings, the launch template and the bounds \
             included; the scaling policies and alarms it makes may do anything that an alarm or policy of these names can, an \
             alarm with the policy of another group as its action included; and it can read all groups, alarms, metrics, instances and \
             launch templates, with the user data in them, of the account in this region. Give it to people and pipelines, never to instances."
        }
    }
}

/// A text in which IAM sees no wildcard and no variable.
fn literal(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '*' | '?' | '$' => out.extend(['$', '{', c, '}']),
            c => out.push(c),
        }
    }
    out
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: &'a str,
    statement: Vec<Statement<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    sid: &'a str,
    effect: &'a str,
    action: Vec<&'a str>,
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

/// Operator, key and what it must be.
type Condition = BTreeMap<&'static str, BTreeMap<&'static str, Allowed>>;

#[derive(Serialize)]
#[serde(untagged)]
enum Allowed {
    One(String),
    All([String; 2]),
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn scope(group: &str) -> Scope {
        let mut scope = Scope::new(group.parse().unwrap());
        (scope.region, scope.account) = ("eu-central-1".into(), "123456789012".into());
        scope
    }

    #[test]
    fn the_policy_of_an_agent_is_what_iam_takes() {
        assert_eq!(
            policy(Role::Agent, &scope("jibri")),
            r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Read",
      "Effect": "Allow",
      "Action": [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLifecycleHooks",
        "cloudwatch:GetMetricData"
      ],
      "Resource": "*"
    },
    {
      "Sid": "Publish",
      "Effect": "Allow",
      "Action": [
        "cloudwatch:PutMetricData"
      ],
      "Resource": "*",
      "Condition": {
        "StringEquals": {
          "cloudwatch:namespace": "Jibri"
        }
      }
    },
    {
      "Sid": "Group",
      "Effect": "Allow",
      "Action": [
        "autoscaling:CompleteLifecycleAction",
        "autoscaling:RecordLifecycleActionHeartbeat",
        "autoscaling:SetInstanceProtection",
        "autoscaling:TerminateInstanceInAutoScalingGroup"
      ],
      "Resource": "arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:*:autoScalingGroupName/jibri"
    }
  ]
}"#
        );
    }

    #[test]
    fn a_controller_may_take_the_lead_of_its_group_and_keep_its_memory_and_those_of_no_other() {
        let mut scope = scope("jibri?");
        assert!(!policy(Role::Controller, &scope).contains("dynamodb:"));
        scope.lead_table = Some("leads".parse().unwrap());
        for role in [Role::Agent, Role::Provision] {
            assert!(!policy(role, &scope).contains("dynamodb:"), "{role:?}");
        }
        let policy: Value = serde_json::from_str(&policy(Role::Controller, &scope)).unwrap();
        let lead = policy["Statement"].as_array().unwrap().last().unwrap();
        let expected = serde_json::json!({
            "Sid": "Table",
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:PutItem"],
            "Resource": "arn:aws:dynamodb:eu-central-1:123456789012:table/leads",
            "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["jibri${?}", "memory:jibri${?}"]}},
        });
        assert_eq!(*lead, expected);
    }

    #[test]
    fn acts_are_limited_to_the_group_and_what_is_made_for_it() {
        for role in [Role::Agent, Role::Controller, Role::Provision] {
            let policy: Value = serde_json::from_str(&policy(role, &scope("jibri"))).unwrap();
            for statement in policy["Statement"].as_array().unwrap() {
                if statement["Resource"] != "*" || statement["Condition"].is_object() {
                    continue;
                }
                for action in statement["Action"].as_array().unwrap() {
                    let (_, operation) = action.as_str().unwrap().split_once(':').unwrap();
                    assert!(
                        operation.starts_with("Describe") || operation.starts_with("Get"),
                        "{role:?} may {operation} everywhere"
                    );
                }
            }
        }
    }

    #[test]
    fn what_looks_like_a_wildcard_in_a_name_is_none() {
        let text = policy(Role::Agent, &scope("jibri*$"));
        assert!(
            text.contains("autoScalingGroupName/jibri${*}${$}\""),
            "{text}"
        );
    }
}
