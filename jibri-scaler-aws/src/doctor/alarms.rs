//! Rules about the alarms.

use super::{
    case::{Case, Sign, span},
    command,
};
use crate::inspect::{Alarm, MetricQuery, PolicyKind, QuerySource};

/// A policy is run by an alarm that does not look at idle Jibris.
pub(super) fn metric(case: &Case<'_>) -> Vec<Sign> {
    case.alarms()
        .iter()
        .filter(|alarm| case.scales(alarm) && !case.reads_idle(alarm))
        .map(|alarm| {
            let read: Vec<_> = alarm.queries.iter().filter_map(described).collect();
            Sign::new(
                format!(
                    "alarm `{}` scales the group by {}, and not by metric `Idle` of namespace `{}` with the one dimension \
                     AutoScalingGroupName: it says nothing of how many Jibris are idle",
                    alarm.name,
                    if read.is_empty() { "nothing".into() } else { read.join(" and ") },
                    case.setup.namespace,
                ),
                "delete the alarm and the policy that it runs, and provision growth by idle Jibris",
            )
            .command(command::cloudwatch("delete-alarms", &["--alarm-names", &alarm.name]))
        })
        .collect()
}

/// An alarm puts the points of `Idle` together in a way that means nothing.
pub(super) fn statistic(case: &Case<'_>) -> Vec<Sign> {
    let mut signs = Vec::new();
    for (alarm, _, statistic, unit) in idle_queries(case) {
        if !["Sum", "Average", "SampleCount"].contains(&statistic) {
            signs.push(Sign::new(
                format!(
                    "alarm `{}` looks at {statistic} of `Idle`: only SUM (how many are idle), AVERAGE (their share) and \
                     SampleCount (how many publish) mean something",
                    alarm.name
                ),
                "provision the alarm again, or take SUM with the period of publishing",
            ));
        }
        if let Some(unit) = unit.filter(|unit| *unit != "Count") {
            signs.push(Sign::new(
                format!(
                    "alarm `{}` looks only at points of `Idle` with the unit {unit}: they are published with Count, so that it \
                     sees none",
                    alarm.name
                ),
                "provision the alarm again, or take its unit away",
            ));
        }
    }
    signs
}

/// The period of an alarm is not that of publishing.
pub(super) fn period(case: &Case<'_>) -> Vec<Sign> {
    let Some(published) = &case.published else {
        return Vec::new();
    };
    let kept = published.period;
    let mut signs = Vec::new();
    for (alarm, query, statistic, _) in idle_queries(case) {
        let Some(period) = query.period else { continue };
        let effect = if period < kept {
            "most of its periods have no point".to_owned()
        } else if !case.scales(alarm) && !query.is_result {
            // Its math may divide by the number of points, as that of the alarms for a human does.
            continue;
        } else if period > kept && statistic != "Average" {
            let times = period.as_secs_f64() / kept.as_secs_f64();
            format!("{statistic} adds up {times:.3} points of each instance").replace(".000", "")
        } else {
            continue;
        };
        let sign = Sign::new(
            format!(
                "alarm `{}` looks at {statistic} of `Idle` over {}, but there is a point of each instance every {}: {effect}",
                alarm.name,
                span(period),
                span(kept)
            ),
            format!(
                "provision the alarm again with a period of {}, or let agents publish at its period",
                span(kept)
            ),
        );
        if !signs.contains(&sign) {
            signs.push(sign);
        }
    }
    signs
}

/// An alarm takes silence for a shortage.
pub(super) fn missing_data(case: &Case<'_>) -> Vec<Sign> {
    case.alarms()
        .iter()
        .filter(|alarm| case.scales(alarm) && alarm.missing_data == "breaching")
        .map(|alarm| {
            Sign::new(
                format!(
                    "alarm `{}` takes missing data for breaching: when nothing is published the group grows up to its maximum size",
                    alarm.name
                ),
                "provision the alarm again, with missing data not breaching",
            )
        })
        .collect()
}

/// An alarm that should scale does nothing, or a policy has none.
pub(super) fn off(case: &Case<'_>) -> Vec<Sign> {
    let dumb = case
        .alarms()
        .iter()
        .filter(|alarm| case.scales(alarm) && !alarm.actions_enabled)
        .map(|alarm| {
            Sign::new(
                format!(
                    "alarm `{}` should scale the group, but its actions are off",
                    alarm.name
                ),
                "switch them on",
            )
            .command(command::cloudwatch(
                "enable-alarm-actions",
                &["--alarm-names", &alarm.name],
            ))
        });
    let idle = case.policies().iter().filter(|policy| {
        policy.enabled
            && matches!(policy.kind, PolicyKind::Simple | PolicyKind::Step)
            && case.setup.alarms.is_ok()
            && case.alarms_of(policy).next().is_none()
    });
    let idle = idle.map(|policy| {
        Sign::new(
            format!(
                "scaling policy `{}` is run by no alarm, so that it does nothing",
                policy.name
            ),
            "provision growth again, or delete the policy",
        )
        .command(command::of_group(
            case.setup,
            "delete-policy",
            &["--policy-name", &policy.name],
        ))
    });
    dumb.chain(idle).collect()
}

/// Growth is decided by one period alone, which may not be whole.
pub(super) fn partial(case: &Case<'_>) -> Vec<Sign> {
    case.alarms()
        .iter()
        .filter(|alarm| {
            case.scales(alarm) && case.reads_idle(alarm) && alarm.datapoints_to_alarm < 2
        })
        .map(|alarm| {
            Sign::new(
                format!(
                    "alarm `{}` acts on a single period: the newest SUM may still be partial, and then too much is launched",
                    alarm.name
                ),
                "provision the alarm again, with 2 of 2 periods",
            )
        })
        .collect()
}

/// Every look at our idle signal: the alarm, the query, the statistic and the unit.
fn idle_queries<'a>(
    case: &'a Case<'_>,
) -> impl Iterator<Item = (&'a Alarm, &'a MetricQuery, &'a str, Option<&'a str>)> {
    case.alarms().iter().flat_map(move |alarm| {
        alarm
            .queries
            .iter()
            .filter_map(move |query| match &query.source {
                QuerySource::Metric {
                    statistic, unit, ..
                } if case.is_idle(&query.source) => {
                    Some((alarm, query, statistic.as_str(), unit.as_deref()))
                }
                _ => None,
            })
    })
}

fn described(query: &MetricQuery) -> Option<String> {
    match &query.source {
        QuerySource::Metric {
            namespace, metric, ..
        } => Some(format!("`{metric}` of `{namespace}`")),
        QuerySource::Expression(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Doctor, sample};
    use super::*;
    use crate::inspect::GroupSetup;

    fn alarm(setup: &mut GroupSetup) -> &mut Alarm {
        &mut setup.alarms.as_mut().unwrap()[0]
    }

    /// Changes the first query of the growth alarm, which is SUM of `Idle`.
    fn with(change: impl Fn(&mut String, &mut String, &mut Option<String>)) -> GroupSetup {
        let mut setup = sample::native();
        let QuerySource::Metric {
            metric,
            statistic,
            unit,
            ..
        } = &mut alarm(&mut setup).queries[0].source
        else {
            panic!("no metric");
        };
        change(metric, statistic, unit);
        setup
    }

    #[test]
    fn growth_by_anything_else_than_idle_is_found() {
        let mut setup = sample::native();
        for query in &mut alarm(&mut setup).queries {
            if let QuerySource::Metric {
                namespace, metric, ..
            } = &mut query.source
            {
                (*namespace, *metric) = ("AWS/EC2".into(), "CPUUtilization".into());
            }
        }
        let finding = sample::only(&setup, "alarm_metric");
        assert!(
            finding.what.contains("`CPUUtilization` of `AWS/EC2`"),
            "{}",
            finding.what
        );
        assert_eq!(
            finding.commands,
            ["aws cloudwatch delete-alarms --alarm-names jibri-grow"]
        );
    }

    #[test]
    fn statistics_and_units_that_mean_nothing_are_found() {
        for wrong in ["Maximum", "Minimum", "p95"] {
            let setup = with(|_, statistic, _| *statistic = wrong.into());
            let finding = sample::only(&setup, "alarm_statistic");
            assert!(finding.what.contains(wrong), "{}", finding.what);
        }
        let setup = with(|_, _, unit| *unit = Some("Percent".into()));
        assert!(
            sample::only(&setup, "alarm_statistic")
                .what
                .contains("unit Percent")
        );
        let setup = with(|_, _, unit| *unit = Some("Count".into()));
        assert_eq!(Doctor::default().examine(&setup), []);
    }

    #[test]
    fn the_period_must_be_that_of_publishing() {
        let mut setup = sample::native();
        for query in &mut alarm(&mut setup).queries {
            query.period = query.period.map(|_| Duration::from_mins(1));
        }
        let findings = Doctor::default().examine(&setup);
        assert!(
            findings
                .iter()
                .all(|finding| finding.rule == "alarm_period")
        );
        assert!(
            findings[0].what.contains("Sum adds up 6 points"),
            "{}",
            findings[0].what
        );
        // AVERAGE is right over any longer period, and blind over a shorter one.
        let mut setup = with(|_, statistic, _| *statistic = "Average".into());
        alarm(&mut setup).queries.truncate(1);
        alarm(&mut setup).queries[0].period = Some(Duration::from_mins(1));
        assert_eq!(Doctor::default().examine(&setup), []);
        setup.signal = Ok(sample::signal(Duration::from_mins(1), 2.0, 4.0));
        alarm(&mut setup).queries[0].period = Some(Duration::from_secs(10));
        let finding = sample::only(&setup, "alarm_period");
        assert!(finding.what.contains("have no point"), "{}", finding.what);
    }

    #[test]
    fn missing_data_must_not_grow() {
        let mut setup = sample::native();
        alarm(&mut setup).missing_data = "breaching".into();
        sample::only(&setup, "alarm_missing_data");
    }

    #[test]
    fn alarms_that_are_off_are_found() {
        let mut setup = sample::native();
        alarm(&mut setup).actions_enabled = false;
        assert_eq!(
            sample::only(&setup, "alarm_off").commands,
            ["aws cloudwatch enable-alarm-actions --alarm-names jibri-grow"]
        );
        setup.alarms = Ok(vec![]);
        assert_eq!(
            sample::only(&setup, "alarm_off").commands,
            [
                "aws autoscaling delete-policy --auto-scaling-group-name jibri --policy-name jibri-grow"
            ]
        );
    }

    #[test]
    fn one_period_alone_is_not_to_decide() {
        let mut setup = sample::native();
        alarm(&mut setup).datapoints_to_alarm = 1;
        sample::only(&setup, "alarm_partial_period");
    }
}
