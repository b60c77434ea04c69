//! The rule about what takes instances back, and what is said where that could not be told.

use jibri_scaler_core::InstanceId;

use super::{
    case::{Case, Sign},
    command,
};
use crate::inspect::{GroupSetup, LaunchedFrom, Reason, Spot, Unknown};

/// Instances can be taken back in the middle of a recording.
pub(super) fn there(case: &Case<'_>) -> Vec<Sign> {
    let rebalance = if case.setup.capacity_rebalance {
        ", and capacity rebalancing replaces them even before"
    } else {
        ""
    };
    let spot = Spot::of(case.setup);
    let sign = |reason: &Reason<'_>| {
        let what = format!(
            "{reason}: AWS takes such an instance back two minutes after it says so, which no hook and no protection delays, and \
             which is less than a recording{rebalance}"
        );
        let sign = Sign::new(what, fix(reason));
        match reason {
            Reason::Members(_, ids) => sign.about(cloned(ids)),
            _ => sign,
        }
    };
    spot.reasons().iter().map(sign).collect()
}

const fn fix(reason: &Reason<'_>) -> &'static str {
    match reason {
        Reason::Mixed(_) => {
            "set OnDemandPercentageAboveBaseCapacity to 100 in the mixed instances policy of the group; what runs on Spot by then \
             is replaced when it is retired"
        }
        Reason::Source(LaunchedFrom::Configuration { .. }, _) => {
            "let the group launch from a launch template without InstanceMarketOptions; what was launched by then is replaced when \
             it is retired"
        }
        Reason::Source(..) => {
            "make a version of the launch template without InstanceMarketOptions, and let the group launch from that; what was \
             launched by then is replaced when it is retired"
        }
        Reason::Members(..) => {
            "retire them once the group launches On-Demand instances, so that each ends when its recording is done"
        }
    }
}

/// Whether there is Spot could not be told.
pub(super) fn not_excluded(case: &Case<'_>) -> Vec<Sign> {
    let spot = Spot::of(case.setup);
    let sign = |unknown: &Unknown<'_>| {
        let sign = Sign::new(
            format!(
                "Spot, which ends recordings, could not be excluded for {unknown}: {}",
                unknown.why
            ),
            "see to that, or look by hand: what these commands print must not name Spot, or have a price",
        );
        let by_hand = look(case.setup, unknown).into_iter();
        by_hand.fold(sign.about(cloned(&unknown.members)), Sign::command)
    };
    spot.not_excluded().iter().map(sign).collect()
}

/// The commands that print what could not be told.
fn look(setup: &GroupSetup, unknown: &Unknown<'_>) -> Vec<String> {
    let sources = unknown.sources.iter().map(|from| match from {
        LaunchedFrom::Template { id, name, version } => {
            let by = match (id, name) {
                (Some(id), _) => ["--launch-template-id", id],
                (None, name) => [
                    "--launch-template-name",
                    name.as_deref().unwrap_or_default(),
                ],
            };
            let rest = [
                "--versions",
                version,
                "--query",
                "LaunchTemplateVersions[].LaunchTemplateData.InstanceMarketOptions",
            ];
            command::ec2(
                "describe-launch-template-versions",
                &[&by[..], &rest].concat(),
            )
        }
        LaunchedFrom::Configuration { name } => command::autoscaling(
            "describe-launch-configurations",
            &[
                "--launch-configuration-names",
                name,
                "--query",
                "LaunchConfigurations[].SpotPrice",
            ],
        ),
    });
    let instances = (!unknown.members.is_empty()).then(|| {
        let of_group = format!("Name=tag:aws:autoscaling:groupName,Values={}", setup.name);
        command::ec2(
            "describe-instances",
            &[
                "--filters",
                &of_group,
                "--query",
                "Reservations[].Instances[].[InstanceId,InstanceLifecycle]",
            ],
        )
    });
    sources.chain(instances).collect()
}

fn cloned(ids: &[&InstanceId]) -> Vec<InstanceId> {
    ids.iter().copied().cloned().collect()
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::{InstanceId, port::PortErrorKind};

    use super::super::{Doctor, sample};
    use crate::inspect::{
        GroupSetup, LaunchSource, LaunchedFrom, Market, MixedInstances, Section, Unread,
    };

    fn template(market: Section<Market>) -> LaunchSource {
        let from = LaunchedFrom::Template {
            id: Some("lt-1".into()),
            name: Some("jibri".into()),
            version: "$Latest".into(),
        };
        LaunchSource::new(from, market)
    }

    fn configuration(market: Section<Market>) -> LaunchSource {
        let from = LaunchedFrom::Configuration {
            name: "jibri".into(),
        };
        LaunchSource::new(from, market)
    }

    fn launching_from(source: LaunchSource) -> GroupSetup {
        let mut setup = sample::native();
        setup.launch_sources = vec![source];
        setup
    }

    fn denied() -> Unread {
        Unread::new(PortErrorKind::Permanent, "AccessDenied")
    }

    #[test]
    fn spot_takes_recordings_whoever_asks_for_it() {
        let mut mixed = sample::native();
        mixed.mixed_instances = Some(MixedInstances::new(2, 30));
        let mut running = launching_from(template(Ok(Market::OnDemand)));
        running.instances[1].market = Ok(Market::Spot);
        for (setup, what, fix, instances) in [
            (
                mixed,
                "70 % of the capacity above 2",
                "OnDemandPercentageAboveBaseCapacity to 100",
                &[][..],
            ),
            (
                launching_from(template(Ok(Market::Spot))),
                "Spot is asked for by launch template jibri, version $Latest: AWS takes",
                "a version of the launch template without InstanceMarketOptions",
                &[],
            ),
            (
                launching_from(configuration(Ok(Market::Spot))),
                "Spot is asked for by launch configuration jibri: AWS takes",
                "a launch template without InstanceMarketOptions",
                &[],
            ),
            (
                running,
                "instance i-b runs on Spot: AWS takes",
                "retire",
                &["i-b"],
            ),
        ] {
            let finding = sample::only(&setup, "spot");
            assert!(finding.what.starts_with(what), "{}", finding.what);
            assert!(finding.fix.contains(fix), "{}", finding.fix);
            let about: Vec<_> = finding.instances.iter().map(InstanceId::as_str).collect();
            assert_eq!(about, instances);
        }
    }

    #[test]
    fn what_is_on_demand_is_fine() {
        for source in [template, configuration] {
            let setup = launching_from(source(Ok(Market::OnDemand)));
            assert_eq!(Doctor::default().examine(&setup), []);
        }
    }

    #[test]
    fn what_could_not_be_told_is_said_with_how_to_look() {
        let mut setup = launching_from(template(Err(denied())));
        for member in &mut setup.instances {
            member.market = Err(denied());
        }
        let finding = sample::only(&setup, "unread");
        assert_eq!(
            finding.what,
            "Spot, which ends recordings, could not be excluded for launch template jibri, version $Latest and 4 instances: \
             AccessDenied"
        );
        assert_eq!(finding.instances.len(), 4);
        assert_eq!(
            finding.commands,
            [
                "aws ec2 describe-launch-template-versions --launch-template-id lt-1 --versions '$Latest' --query \
                 'LaunchTemplateVersions[].LaunchTemplateData.InstanceMarketOptions'",
                "aws ec2 describe-instances --filters Name=tag:aws:autoscaling:groupName,Values=jibri --query \
                 'Reservations[].Instances[].[InstanceId,InstanceLifecycle]'",
            ]
        );
        let setup = launching_from(configuration(Err(denied())));
        assert_eq!(
            sample::only(&setup, "unread").commands,
            [
                "aws autoscaling describe-launch-configurations --launch-configuration-names jibri --query \
                 'LaunchConfigurations[].SpotPrice'"
            ]
        );
    }
}
