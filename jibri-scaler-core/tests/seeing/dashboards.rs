//! The Grafana dashboard shows what there is, and all of it.

use std::collections::BTreeSet;

use jibri_scaler_core::metrics::{
    BOOT_SECONDS, EFFECTS, Kind, LEADS, METRICS, Metric, RETIREMENT_STEPS, TIME_TO_READY,
};
use serde_json::Value;

const GRAFANA: &str = include_str!("../../../docs/dashboards/grafana.json");

/// The metrics of an expression. A histogram is there as its sum, its count and its buckets.
fn metrics(expression: &str) -> Vec<&'static Metric> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_name(c));
    let names = words.filter(|word| word.starts_with("jibri_scaler"));
    let metric = |name: &str| {
        let found = METRICS.iter().find(|metric| match metric.kind {
            Kind::Histogram => ["_sum", "_count", "_bucket"]
                .iter()
                .any(|part| name.strip_suffix(part) == Some(metric.name)),
            _ => metric.name == name,
        });
        found.unwrap_or_else(|| panic!("{name} is no metric"))
    };
    names.map(metric).collect()
}

/// Takes the series of the replica that leads.
const OF_THE_LEADER: &str = " and on (group, instance) jibri_scaler_leads == 1";

/// What only the one that leads counts, and what loses nothing where two count it: each may have led within the window of a rate.
const OF_ACTS: [&str; 4] = [BOOT_SECONDS, EFFECTS, RETIREMENT_STEPS, TIME_TO_READY];

/// What stands between two braces that are doubled, or after `by (`.
fn labels<'a>(legend: &'a str, expression: &'a str) -> Vec<&'a str> {
    let legend = legend.split("{{").skip(1);
    let legend = legend.map(|rest| rest.split("}}").next().unwrap());
    let by = expression.split("by (").skip(1);
    let by = by.flat_map(|rest| rest.split(')').next().unwrap().split(", "));
    legend.chain(by).collect()
}

#[test]
fn it_shows_every_metric_and_no_other_with_labels_that_it_has() {
    let dashboard: Value = serde_json::from_str(GRAFANA).unwrap();
    let (mut shown, mut spread) = (BTreeSet::new(), BTreeSet::new());
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64()), "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let of_the_leader = expression.matches(OF_THE_LEADER).count();
            let expression = expression.replace(OF_THE_LEADER, "");
            let labels = labels(target["legendFormat"].as_str().unwrap(), &expression);
            let metrics = metrics(&expression);
            assert!(!metrics.is_empty(), "{expression}");
            // Replicas that see the same group are not added up: each is shown by itself, or only the one that leads.
            let by_replica = labels.iter().filter(|label| **label == "instance").count();
            let by_replica = by_replica > expression.matches("by (").count();
            let counts_leaders = metrics.iter().all(|metric| metric.name == LEADS);
            let of_acts = metrics.iter().all(|it| OF_ACTS.contains(&it.name));
            assert!(
                of_the_leader == metrics.len()
                    || (of_the_leader == 0 && (by_replica || counts_leaders || of_acts)),
                "{expression}"
            );
            for metric in metrics {
                shown.insert(metric.name);
                if expression.contains("_bucket{") {
                    spread.insert(metric.name);
                }
                // `le` is that of the buckets, `instance` what Prometheus says of where a series is from.
                for label in labels.iter().filter(|l| !["le", "instance"].contains(*l)) {
                    assert!(metric.labels.contains(label), "{label} in {expression}");
                }
                let of_groups = expression.contains("$group");
                assert_eq!(of_groups, metric.labels.contains(&"group"), "{expression}");
                // A quantile is taken over buckets, and over nothing else.
                let is_quantile = expression.contains("histogram_quantile(");
                assert_eq!(is_quantile, expression.contains("_bucket{"), "{expression}");
                assert_eq!(is_quantile, expression.contains("by (le"), "{expression}");
                let is_rate = expression.contains("rate(");
                assert_eq!(is_rate, metric.kind != Kind::Gauge, "{expression}");
            }
        }
    }
    let all: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(shown, all);
    let histograms = METRICS.iter().filter(|m| m.kind == Kind::Histogram);
    assert_eq!(spread, histograms.map(|metric| metric.name).collect());
    let variables = dashboard["templating"]["list"].to_string();
    assert!(
        !metrics(&variables).is_empty(),
        "the groups are found by a metric"
    );
}
