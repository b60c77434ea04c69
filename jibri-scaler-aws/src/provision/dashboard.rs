//! The dashboard.

use jibri_scaler_core::native::{GROUP_DIMENSION, Growth, metric};
use serde_json::{Value, json};

use super::{Current, Options};
use crate::{
    GroupName,
    metric::{GROUP_NAMESPACE, TERMINATING},
};

/// The name of the group's dashboard.
///
/// Names of dashboards have letters, digits, `-` and `_` only, those of groups more; two groups never share one.
pub(super) fn name(group: &GroupName) -> String {
    let letters = group.as_str().chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() || c == '-' => c.to_string(),
        // Group names are ASCII.
        c => format!("_{:02X}", u32::from(c)),
    });
    std::iter::once("jibri-scaler-".to_owned())
        .chain(letters)
        .collect()
}

/// Whether two bodies show the same.
pub(super) fn same(left: &str, right: &str) -> bool {
    let parse = |text| serde_json::from_str::<Value>(text).ok();
    left == right || parse(left).is_some_and(|left| parse(right) == Some(left))
}

/// The body: what is there, what is missing, how long it takes, and what waits for a human.
pub(super) fn body(growth: &Growth, current: &Current, options: &Options) -> String {
    let (group, region) = (&current.setup.name, &current.region);
    let period = options.period.as_secs();
    let jibri = |metric: &str, rest: Value| {
        let name = current.setup.namespace.as_str();
        json!([name, metric, GROUP_DIMENSION, group.as_str(), rest])
    };
    let of_group = |metric: &str, label: &str| {
        let rest = json!({ "label": label, "stat": "Maximum", "period": 60 });
        json!([
            GROUP_NAMESPACE,
            metric,
            GROUP_DIMENSION,
            group.as_str(),
            rest
        ])
    };
    let idle = |id: &str, stat: &str, label: &str| {
        let rest = json!({ "id": id, "stat": stat, "label": label, "period": period });
        jibri(metric::IDLE, rest)
    };
    let in_service = json!({
        "id": "inservice", "stat": "Maximum", "label": "in service", "period": period,
    });
    let short =
        json!([{ "expression": growth.expression(), "id": "short", "label": "missing idle" }]);
    let maximum = |label: &str| json!({ "stat": "Maximum", "label": label, "period": 60 });

    let widgets = [
        (
            "Idle Jibris",
            json!([
                idle("idle", "Sum", "idle"),
                idle("n", "SampleCount", "publishing"),
                jibri(metric::IN_SERVICE, in_service),
                short,
            ]),
        ),
        (
            "Instances",
            json!([
                of_group("GroupDesiredCapacity", "desired"),
                of_group("GroupInServiceInstances", "in service"),
                of_group(TERMINATING, "terminating"),
            ]),
        ),
        (
            "Longest, in seconds",
            json!([
                jibri(metric::BUSY_SECONDS, maximum("busy")),
                jibri(
                    metric::HOOK_SECONDS,
                    maximum("held by the terminating hook")
                ),
            ]),
        ),
        (
            "Waiting for a human",
            json!([
                jibri(metric::RETAINED, maximum("retained")),
                jibri(
                    metric::RELEASE_CHECK_FAILED,
                    json!({ "stat": "Sum", "label": "failed release checks", "period": 60 }),
                ),
            ]),
        ),
    ];
    let widget = |(number, (title, metrics)): (usize, (&str, Value))| {
        json!({
            "type": "metric",
            "x": 12 * (number % 2),
            "y": 6 * (number / 2),
            "width": 12,
            "height": 6,
            "properties": { "title": title, "view": "timeSeries", "region": region, "metrics": metrics },
        })
    };
    let widgets: Vec<_> = widgets.into_iter().enumerate().map(widget).collect();
    json!({ "widgets": widgets }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_allowed_and_never_shared() {
        let named = |group: &str| name(&group.parse().unwrap());
        assert_eq!(named("jibri-production"), "jibri-scaler-jibri-production");
        assert_eq!(named("a.b/c_d"), "jibri-scaler-a_2Eb_2Fc_5Fd");
        assert_ne!(named("a.b"), named("a_2Eb"));
    }

    #[test]
    fn white_space_and_order_make_no_difference() {
        assert!(same(r#"{"a":1,"b":[]}"#, r#"{ "b": [], "a": 1 }"#));
        assert!(!same(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(!same("no JSON", "other"));
    }
}
