use super::Violation;
use crate::{
    Tally, Timestamp,
    port::{FleetMetrics, MetricsSink},
};

/// Checks that a metrics sink takes all numbers that a tick can have. The names of its rules begin with `metrics`.
///
/// The points are stamped `now` and just before, since `CloudWatch` takes none that are far from the present.
///
/// # Errors
/// The first rule that is broken.
pub async fn metrics_sink(sink: &dyn MetricsSink, now: Timestamp) -> Result<(), Violation> {
    let micros = |before| Timestamp::from_micros(now.as_micros().saturating_sub(before));
    // An empty group: all numbers are zero, and no share of idle ones.
    let zeros = FleetMetrics::new(micros(3), &Tally::default(), 0, 0);
    let mut some = zeros.clone();
    (some.at, some.idle, some.others, some.total) = (micros(2), 1, 2, 3);
    some.idle_share = Some(1.0 / 3.0);
    let mut none_idle = some.clone();
    (none_idle.at, none_idle.idle) = (micros(1), 0);
    none_idle.idle_share = Some(0.0);
    let cases = [
        ("metrics_may_be_zero", zeros),
        ("metrics_may_have_fractions", some),
        ("metrics_may_have_no_idle_ones", none_idle),
        ("metrics_may_be_large", largest(now)),
    ];
    for (rule, metrics) in cases {
        sink.publish(&metrics)
            .await
            .map_err(|error| Violation::new(rule, error.report()))?;
    }
    Ok(())
}

const fn largest(at: Timestamp) -> FleetMetrics {
    FleetMetrics {
        at,
        idle: u32::MAX,
        others: u32::MAX,
        busy: u32::MAX,
        booting: u32::MAX,
        unhealthy: u32::MAX,
        expired: u32::MAX,
        unknown: u32::MAX,
        retiring: u32::MAX,
        total: u32::MAX,
        desired: u32::MAX,
        wanted_spare: u32::MAX,
        idle_share: Some(1.0),
    }
}
