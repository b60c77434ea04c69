//! The results as JSON. The format is described in `docs/backtest.md`.

use std::time::Duration;

use jibri_scaler_core::Timestamp;
use serde::Serialize;

use crate::{candidate::Source, compare::Row, report::Report, tune::Tried};

/// All results, as they are written.
pub(crate) fn value(report: &Report) -> impl Serialize + use<'_> {
    let (from, until) = report.counted.unzip();
    let row = |row| Policy::new(row, report.price);
    Results {
        origin: &report.origin,
        notes: &report.notes,
        assumptions: &report.assumptions,
        from,
        until,
        recordings: report.bounds.recordings,
        most_at_once: report.most_at_once,
        price: report.price,
        slo: report.slo,
        policies: report.policies.iter().map(row).collect(),
        rate_oracle: report.oracle.iter().map(row).collect(),
        bound: Bound {
            overhead_hours: hours(report.bounds.none_refused.overhead),
            launches: report.bounds.none_refused.launches,
            peak: report.bounds.none_refused.peak,
            frontier: report
                .bounds
                .corners
                .iter()
                .map(|corner| Corner {
                    refused: corner.refused,
                    overhead_hours: hours(corner.overhead),
                })
                .collect(),
        },
        cheapest: report.cheapest().map(|row| row.name.as_str()),
        tuned: report.tuned.as_deref(),
        tried: report
            .curves
            .as_ref()
            .map(|curves| curves.iter().flatten().map(Setting::new).collect()),
    }
}

#[derive(Serialize)]
struct Results<'a> {
    origin: &'a str,
    notes: &'a [String],
    assumptions: &'a str,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    recordings: u64,
    most_at_once: u32,
    price: f64,
    slo: f64,
    policies: Vec<Policy<'a>>,
    rate_oracle: Vec<Policy<'a>>,
    bound: Bound,
    cheapest: Option<&'a str>,
    tuned: Option<&'a str>,
    tried: Option<Vec<Setting>>,
}

#[derive(Serialize)]
struct Policy<'a> {
    name: &'a str,
    source: Source,
    recordings: u64,
    refused: usize,
    refused_share: f64,
    interval: Option<[f64; 2]>,
    idle_hours: f64,
    booting_hours: f64,
    busy_hours: f64,
    draining_hours: f64,
    billed_hours: f64,
    cost_per_30_days: f64,
    launches: u64,
    launches_per_day: f64,
    peak: u32,
    times_bound: Option<f64>,
    over_rate_oracle: Option<f64>,
}

impl<'a> Policy<'a> {
    fn new(row: &'a Row, price: f64) -> Self {
        let outcome = &row.outcome;
        Self {
            name: &row.name,
            source: row.source,
            recordings: outcome.requests,
            refused: outcome.refused.len(),
            refused_share: row.share(),
            interval: row.interval.map(|interval| [interval.low, interval.high]),
            idle_hours: hours(outcome.idle),
            booting_hours: hours(outcome.booting),
            busy_hours: hours(outcome.busy),
            draining_hours: hours(outcome.draining),
            billed_hours: hours(outcome.billed),
            cost_per_30_days: outcome.cost_per_30_days(price),
            launches: outcome.launches,
            launches_per_day: outcome.launches_per_day(),
            peak: outcome.peak,
            times_bound: row.times_bound,
            over_rate_oracle: row.over_oracle,
        }
    }
}

#[derive(Serialize)]
struct Bound {
    overhead_hours: f64,
    launches: u64,
    peak: u32,
    frontier: Vec<Corner>,
}

#[derive(Serialize)]
struct Corner {
    refused: u64,
    overhead_hours: f64,
}

#[derive(Serialize)]
struct Setting {
    min_idle: u32,
    percent_idle: u32,
    hold_seconds: u64,
    refused_share: f64,
    overhead_hours: f64,
    billed_hours: f64,
}

impl Setting {
    fn new(tried: &Tried) -> Self {
        Self {
            min_idle: tried.setting.min_idle,
            percent_idle: tried.setting.percent_idle,
            hold_seconds: tried.setting.hold.as_secs(),
            refused_share: tried.share(),
            overhead_hours: hours(tried.outcome.overhead()),
            billed_hours: hours(tried.outcome.billed),
        }
    }
}

fn hours(time: Duration) -> f64 {
    time.as_secs_f64() / 3600.0
}
