//! How things read in a table.

use std::{collections::BTreeSet, time::Duration};

use jibri_scaler_core::agent::port::{HookResult, Transition};

use crate::inspect::{Alarm, Hook, ScalingPolicy};

/// A time span of whole seconds: `1h 30m`.
pub(super) fn span(span: Duration) -> String {
    let total = span.as_secs();
    let parts = [
        (total / 3600, "h"),
        (total / 60 % 60, "m"),
        (total % 60, "s"),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if parts.is_empty() {
        return "0s".into();
    }
    parts.join(" ")
}

pub(super) fn hook(hook: &Hook) -> String {
    let transition = match hook.transition {
        Some(Transition::Launching) => "launching",
        Some(Transition::Terminating) => "terminating",
        _ => "unknown transition",
    };
    let result = match hook.default_result {
        HookResult::Continue => "then CONTINUE",
        _ => "then ABANDON",
    };
    format!(
        "{transition}, waits {}, {result}",
        span(hook.heartbeat_timeout)
    )
}

pub(super) fn policy(policy: &ScalingPolicy) -> String {
    let last = policy.steps.iter().map(|step| step.adjustment).max();
    let warm_up = policy.instance_warmup.map_or_else(|| "none".into(), span);
    let off = if policy.enabled { "" } else { ", disabled" };
    format!(
        "{} steps up to {:+}, warm-up {warm_up}{off}",
        policy.steps.len(),
        last.unwrap_or(0)
    )
}

pub(super) fn alarm(alarm: &Alarm) -> String {
    let result = alarm.queries.iter().find(|query| query.is_result);
    let watched = result.map_or("?", |query| match &query.source {
        crate::inspect::QuerySource::Metric { metric, .. } => metric,
        crate::inspect::QuerySource::Expression(_) => &query.id,
    });
    let period = alarm.queries.iter().find_map(|query| query.period);
    let threshold = alarm
        .threshold
        .map_or_else(|| "?".into(), |threshold| threshold.to_string());
    format!(
        "{watched} ≥ {threshold} in {} of {} × {}",
        alarm.datapoints_to_alarm,
        alarm.evaluation_periods,
        period.map_or_else(|| "?".into(), span)
    )
}

/// Metrics of the group, by what they count.
pub(super) fn group_metrics(metrics: &BTreeSet<String>) -> String {
    let short = metrics
        .iter()
        .map(|name| name.strip_prefix("Group").unwrap_or(name));
    format!("group metrics {}", short.collect::<Vec<_>>().join(", "))
}

pub(super) fn yes(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_readable() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (320, "5m 20s"),
            (7200, "2h"),
            (90_061, "25h 1m 1s"),
        ];
        for (seconds, text) in cases {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
