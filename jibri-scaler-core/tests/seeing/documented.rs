//! What the documentation says of metrics and events is what they are.

use std::fmt::Write as _;

use jibri_scaler_core::{
    metrics::{Kind, METRICS},
    trace,
};

const OPERATING: &str = include_str!("../../../docs/operating.md");

#[test]
fn the_table_of_the_metrics_is_that_of_the_code() {
    let mut table = String::new();
    for metric in METRICS {
        let labels: Vec<_> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (name, kind, unit, meaning) = (metric.name, metric.kind, metric.unit, metric.meaning);
        let labels = labels.join(", ");
        writeln!(
            table,
            "| `{name}` | {kind} | {unit} | {labels} | {meaning} |"
        )
        .unwrap();
    }
    assert!(
        OPERATING.contains(&table),
        "docs/operating.md lacks:\n{table}"
    );
}

#[test]
fn each_histogram_has_buckets_of_its_own_that_are_documented() {
    for metric in METRICS {
        let (name, buckets) = (metric.name, metric.buckets);
        assert_eq!(buckets.is_empty(), metric.kind != Kind::Histogram, "{name}");
        if buckets.is_empty() {
            continue;
        }
        assert!(buckets.is_sorted_by(|a, b| a < b), "{name}: {buckets:?}");
        assert!(buckets.iter().all(|b| *b > 0.0 && b.is_finite()), "{name}");
        let shown: Vec<_> = buckets.iter().map(ToString::to_string).collect();
        let row = format!("| `{name}` | {} |", shown.join(", "));
        assert!(OPERATING.contains(&row), "docs/operating.md lacks:\n{row}");
    }
}

#[test]
fn the_table_of_the_events_is_that_of_the_code() {
    // The rows of the module's documentation, with the targets written out.
    let source = include_str!("../../src/trace.rs");
    let rows = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | [`"));
    let targets = [
        ("TICK", trace::TICK),
        ("DECISION", trace::DECISION),
        ("STEP", trace::STEP),
        ("EFFECT", trace::EFFECT),
        ("RETIREMENT", trace::RETIREMENT),
        ("FINDING", trace::FINDING),
        ("BREACH", trace::BREACH),
        ("PROBLEM", trace::PROBLEM),
        ("PROBE", trace::PROBE),
        ("OPERATOR", trace::OPERATOR),
        ("POLICY", trace::POLICY),
    ];
    let mut count = 0;
    for (row, (name, target)) in rows.zip(targets) {
        let rest = row.strip_prefix(name).unwrap().strip_prefix("`]").unwrap();
        let row = format!("| `{target}`{rest}");
        assert!(OPERATING.contains(&row), "docs/operating.md lacks:\n{row}");
        count += 1;
    }
    assert_eq!(count, targets.len());
}
