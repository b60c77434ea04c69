//! On which terms EC2 gives the instances of a group, and who says so.

#[cfg(feature = "ec2")]
mod ec2;
mod reading;

use std::fmt;

use aws_sdk_autoscaling::types::{AutoScalingGroup as Row, LaunchTemplateSpecification};
use jibri_scaler_core::port::PortErrorKind;

use super::{Section, Unread};

/// On which terms EC2 gives an instance: the market type of a launch template, or the lifecycle of an instance.
///
/// ```
/// use jibri_scaler_aws::inspect::Market;
///
/// assert_eq!(Market::from("spot").is_taken_back(), Some(true));
/// assert_eq!(Market::OnDemand.is_taken_back(), Some(false));
/// assert_eq!(Market::from("auction").is_taken_back(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Market {
    /// It stays until it is ended.
    OnDemand,
    /// AWS takes it back
    /// [two minutes after a notice](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html).
    Spot,
    /// It runs in a Capacity Reservation whose owner takes it back, also
    /// [two minutes after a notice](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/capacity-consumer-procedures.html).
    InterruptibleCapacityReservation,
    /// Terms unknown here, as EC2 wrote them, such as `capacity-block`.
    Other(Box<str>),
}

impl Market {
    /// Whether an instance can be taken back in the middle of a recording; `None` where the terms are unknown here.
    #[must_use]
    pub const fn is_taken_back(&self) -> Option<bool> {
        match self {
            Self::OnDemand => Some(false),
            Self::Spot | Self::InterruptibleCapacityReservation => Some(true),
            Self::Other(_) => None,
        }
    }
}

impl From<&str> for Market {
    fn from(text: &str) -> Self {
        match text {
            "on-demand" => Self::OnDemand,
            "spot" => Self::Spot,
            "interruptible-capacity-reservation" => Self::InterruptibleCapacityReservation,
            other => Self::Other(other.into()),
        }
    }
}

/// For a human: `On-Demand`, `Spot`, `an interruptible Capacity Reservation`, or the words of EC2.
impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OnDemand => "On-Demand",
            Self::Spot => "Spot",
            Self::InterruptibleCapacityReservation => "an interruptible Capacity Reservation",
            Self::Other(text) => text,
        })
    }
}

/// What instances are launched from.
///
/// ```
/// use jibri_scaler_aws::inspect::LaunchedFrom;
///
/// let template = LaunchedFrom::Template {
///     id: Some("lt-0abc".into()),
///     name: Some("jibri".into()),
///     version: "$Latest".into(),
/// };
/// assert_eq!(template.to_string(), "launch template jibri, version $Latest");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LaunchedFrom {
    /// A launch template, by its id, its name or both.
    Template {
        /// Its id.
        id: Option<String>,
        /// Its name.
        name: Option<String>,
        /// A number, `$Latest` or `$Default`.
        version: String,
    },
    /// A launch configuration.
    Configuration {
        /// Its name.
        name: String,
    },
}

impl LaunchedFrom {
    pub(super) fn template(template: &LaunchTemplateSpecification) -> Self {
        Self::Template {
            id: template.launch_template_id.clone(),
            name: template.launch_template_name.clone(),
            // The default of AWS.
            version: template.version().unwrap_or("$Default").into(),
        }
    }

    pub(super) fn configuration(name: &str) -> Self {
        Self::Configuration { name: name.into() }
    }
}

impl fmt::Display for LaunchedFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template { id, name, version } => {
                let name = name.as_ref().or(id.as_ref()).map_or("?", String::as_str);
                write!(f, "launch template {name}, version {version}")
            }
            Self::Configuration { name } => write!(f, "launch configuration {name}"),
        }
    }
}

/// What new instances of a group are launched from, and on which terms.
///
/// ```
/// use jibri_scaler_aws::inspect::{LaunchSource, LaunchedFrom, Market};
///
/// let from = LaunchedFrom::Configuration { name: "jibri".into() };
/// let source = LaunchSource::new(from, Ok(Market::Spot));
/// assert_eq!(source.market, Ok(Market::Spot));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaunchSource {
    /// The launch template or configuration.
    pub from: LaunchedFrom,
    /// The terms that it asks for. Those of a mixed instances policy are apart from this.
    pub market: Section<Market>,
}

impl LaunchSource {
    /// What asks for these terms.
    #[must_use]
    pub const fn new(from: LaunchedFrom, market: Section<Market>) -> Self {
        Self { from, market }
    }
}

/// What the group launches from, each once: its launch template or configuration, or those of its mixed instances policy. The
/// terms are not read yet.
pub(super) fn sources(row: &Row) -> Vec<LaunchSource> {
    let mixed = row
        .mixed_instances_policy()
        .and_then(|policy| policy.launch_template());
    let overrides = mixed.map_or(&[][..], |mixed| mixed.overrides());
    let templates = row
        .launch_template()
        .into_iter()
        .chain(mixed.and_then(|mixed| mixed.launch_template_specification()))
        .chain(
            overrides
                .iter()
                .filter_map(|with| with.launch_template_specification()),
        )
        .map(LaunchedFrom::template);
    let configuration = row
        .launch_configuration_name()
        .map(LaunchedFrom::configuration);
    let mut sources: Vec<LaunchSource> = Vec::new();
    for from in templates.chain(configuration) {
        if !sources.iter().any(|source| source.from == from) {
            sources.push(LaunchSource::new(from, Err(unasked())));
        }
    }
    sources
}

/// Why the terms are not known as long as EC2 was not asked.
pub(super) fn unasked() -> Unread {
    let why = if cfg!(feature = "ec2") {
        "EC2 was not asked"
    } else {
        "only EC2 knows it, and jibri-scaler-aws was built without its feature `ec2` (the examples: --features ec2)"
    };
    Unread::new(PortErrorKind::Permanent, why)
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::{
        LaunchTemplate, LaunchTemplateOverrides, MixedInstancesPolicy,
    };

    use super::*;

    fn specification(
        id: Option<&str>,
        name: Option<&str>,
        version: Option<&str>,
    ) -> LaunchTemplateSpecification {
        LaunchTemplateSpecification::builder()
            .set_launch_template_id(id.map(Into::into))
            .set_launch_template_name(name.map(Into::into))
            .set_version(version.map(Into::into))
            .build()
    }

    fn names(row: &Row) -> Vec<String> {
        let sources = sources(row);
        assert!(sources.iter().all(|source| source.market.is_err()));
        sources
            .iter()
            .map(|source| source.from.to_string())
            .collect()
    }

    #[test]
    fn everything_that_the_group_launches_from_is_found() {
        let jibri = specification(Some("lt-1"), Some("jibri"), Some("$Latest"));
        let direct = Row::builder().launch_template(jibri.clone()).build();
        assert_eq!(names(&direct), ["launch template jibri, version $Latest"]);

        let configured = Row::builder().launch_configuration_name("old").build();
        assert_eq!(names(&configured), ["launch configuration old"]);

        let other = specification(Some("lt-2"), None, None);
        let with = |template: &LaunchTemplateSpecification| {
            LaunchTemplateOverrides::builder()
                .launch_template_specification(template.clone())
                .build()
        };
        let template = LaunchTemplate::builder()
            .launch_template_specification(jibri.clone())
            .overrides(LaunchTemplateOverrides::builder().build())
            .overrides(with(&other))
            .overrides(with(&jibri))
            .overrides(with(&other));
        let policy = MixedInstancesPolicy::builder().launch_template(template.build());
        let mixed = Row::builder()
            .mixed_instances_policy(policy.build())
            .build();
        assert_eq!(
            names(&mixed),
            [
                "launch template jibri, version $Latest",
                "launch template lt-2, version $Default"
            ]
        );
        assert_eq!(names(&Row::builder().build()), [""; 0]);
    }

    #[test]
    fn terms_are_read_as_ec2_writes_them() {
        for (text, market, taken_back) in [
            ("on-demand", Market::OnDemand, Some(false)),
            ("spot", Market::Spot, Some(true)),
            (
                "interruptible-capacity-reservation",
                Market::InterruptibleCapacityReservation,
                Some(true),
            ),
            (
                "capacity-block",
                Market::Other("capacity-block".into()),
                None,
            ),
        ] {
            assert_eq!(Market::from(text), market);
            assert_eq!(market.is_taken_back(), taken_back, "{text}");
        }
    }
}
