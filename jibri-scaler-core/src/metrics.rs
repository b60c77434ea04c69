//! The numbers that a controller gives through the facade [`metrics`](https://docs.rs/metrics), and their names.
//!
//! The embedder installs a recorder, such as that of `metrics-exporter-prometheus`, and calls [`describe`] once. Without a recorder
//! nothing is counted, and it costs next to nothing. [`METRICS`] has each metric with its kind, unit, labels and meaning, and each
//! histogram with buckets that fit it, which a recorder must be told before it is installed; the names, kinds and labels are part
//! of the public API.
//!
//! A gauge is set in each tick that has observed the group, and stays as it was where one could not; [`LEADS`] is set in that one too. Each
//! series has the label `group`, the name that [`Controller::with_group_name`](crate::Controller::with_group_name) was given; but for
//! [`AWS_REQUESTS`], which are those of the process.
//!
//! Each of several replicas gives numbers of its own. What is to be seen of a group is what the one says that leads: add nothing up over
//! them, and take the series for whose group and process [`LEADS`] is 1.
//!
//! [`EXPECTED_REFUSALS`] is there only where the demand is learned: where a policy has a
//! [`demand_zone`](crate::policy::Policy::demand_zone), such as that of `refuse_at_most` in a policy file, or one had it before and the
//! memory still holds what was learned.
//!
//! ```
//! use jibri_scaler_core::metrics::{METRICS, describe};
//!
//! describe();
//! for metric in METRICS {
//!     println!("| `{}` | {} | {} | {} | {} |", metric.name, metric.kind, metric.unit, metric.labels.join(", "), metric.meaning);
//! }
//! ```

mod emit;

pub(crate) use emit::Meter;

use std::fmt;

/// What kind of metric it is.
///
/// ```
/// use jibri_scaler_core::metrics::Kind;
///
/// assert_eq!(Kind::Gauge.to_string(), "gauge");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// It only rises, while the process lives.
    Counter,
    /// What it is now.
    Gauge,
    /// How a quantity is spread.
    Histogram,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// The unit of a metric.
///
/// ```
/// use jibri_scaler_core::metrics::Unit;
///
/// assert_eq!(Unit::Seconds.to_string(), "seconds");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// A number of things.
    Count,
    /// 0 to 1.
    Share,
    /// Seconds; of a point in time those since the Unix epoch.
    Seconds,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "count",
            Self::Share => "share",
            Self::Seconds => "seconds",
        })
    }
}

/// One metric.
///
/// ```
/// use jibri_scaler_core::metrics::{INSTANCES, METRICS};
///
/// let instances = METRICS.iter().find(|metric| metric.name == INSTANCES).expect("it is in the list");
/// assert_eq!(instances.labels, ["group", "class"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// The labels that each of its series has.
    pub labels: &'static [&'static str],
    /// What it says.
    pub meaning: &'static str,
    /// Of a histogram: the upper bounds of buckets that fit what it measures, in its unit and rising. Empty for other kinds.
    pub buckets: &'static [f64],
}

/// Of ticks: from a group in memory to a listing that takes as long as it may.
const TICK_BUCKETS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// Of boots: from a container that is started to an image that is overdue, and closest about the one to five minutes of an instance
/// of EC2.
const BOOT_BUCKETS: &[f64] = &[
    5.0, 15.0, 30.0, 45.0, 60.0, 90.0, 120.0, 150.0, 180.0, 240.0, 300.0, 420.0, 600.0, 900.0,
    1800.0,
];

macro_rules! metrics {
    ($($name:ident = $text:literal, $kind:ident, $unit:ident, [$($label:literal),*], $meaning:literal $(, $buckets:ident)?;)+) => {
        $(
            #[doc = concat!("`", $text, "`: ", $meaning, ".")]
            pub const $name: &str = $text;
        )+

        /// All metrics.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: $name,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            meaning: $meaning,
            buckets: metrics!(@buckets $($buckets)?),
        },)+];
    };
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
}

metrics! {
    INSTANCES = "jibri_scaler_instances", Gauge, Count, ["group", "class"],
        "instances of the class, such as `spare` or `busy`";
    COMING = "jibri_scaler_coming", Gauge, Count, ["group"],
        "instances that will become spare without anything being done: booting, launches outstanding, replacements";
    IDLE_SHARE = "jibri_scaler_idle_share", Gauge, Share, ["group"],
        "spare instances ÷ reporting instances; no number (NaN) where none report";
    WANTED_SPARE = "jibri_scaler_wanted_spare", Gauge, Count, ["group"],
        "how many spare ones the policies want, before any bound";
    WANTED_SPARE_WINNER = "jibri_scaler_wanted_spare_winner", Gauge, Count, ["group", "policy"],
        "1 for the policy that wants the most, 0 for one that did before";
    DESIRED = "jibri_scaler_desired", Gauge, Count, ["group"],
        "the desired capacity of the group, as it was listed";
    MIN_SIZE = "jibri_scaler_min_size", Gauge, Count, ["group"],
        "the minimum size of the group";
    MAX_SIZE = "jibri_scaler_max_size", Gauge, Count, ["group"],
        "the maximum size of the group";
    FINDINGS = "jibri_scaler_findings", Gauge, Count, ["group", "severity"],
        "findings of the newest tick";
    PAUSED = "jibri_scaler_paused", Gauge, Count, ["group", "direction"],
        "1 while an operator has paused `growing` or `shrinking`, else 0";
    KEPT = "jibri_scaler_kept", Gauge, Count, ["group"],
        "instances that an operator keeps";
    LEADS = "jibri_scaler_leads", Gauge, Count, ["group"],
        "1 while this replica leads, or is the only one, else 0; as of its newest tick; 0 in a dry run";
    TICKS = "jibri_scaler_ticks_total", Counter, Count, ["group", "outcome"],
        "ticks: `ok`, with `problems`, or `failed`, which could not observe or load the memory";
    TICK_SECONDS = "jibri_scaler_tick_seconds", Histogram, Seconds, ["group"],
        "how long a tick took; only where the controller has a stopwatch", TICK_BUCKETS;
    LAST_TICK = "jibri_scaler_last_tick_timestamp_seconds", Gauge, Seconds, ["group"],
        "when the group was observed last";
    EFFECTS = "jibri_scaler_effects_total", Counter, Count, ["group", "kind", "applied"],
        "effects of plans by what became of them: `done`, `failed`, `skipped`, `dry_run`";
    PORT_ERRORS = "jibri_scaler_port_errors_total", Counter, Count, ["group", "operation", "kind"],
        "failed calls of ports by operation and kind: `permanent`, `throttled`, `transient`";
    PROBE_FAILURES = "jibri_scaler_probe_failures_total", Counter, Count, ["group", "outcome"],
        "health probes that were not answered with a health, such as `refused` or `timed_out`";
    RETIREMENTS = "jibri_scaler_retirements", Gauge, Count, ["group", "phase"],
        "retirements under way or given up on, by phase";
    RETIREMENT_AGE = "jibri_scaler_retirement_age_seconds", Gauge, Seconds, ["group", "phase"],
        "how long ago the oldest retirement in the phase was decided; 0 where there is none";
    RETIREMENT_STEPS = "jibri_scaler_retirement_steps_total", Counter, Count, ["group", "phase"],
        "retirements that came into the phase";
    BOOT_SECONDS = "jibri_scaler_boot_seconds", Histogram, Seconds, ["group"],
        "from the launch of an instance to the first answer of its Jibri", BOOT_BUCKETS;
    TIME_TO_READY = "jibri_scaler_time_to_ready_seconds", Histogram, Seconds, ["group"],
        "from the launch of an instance to its first healthy IDLE, or BUSY where it was taken before", BOOT_BUCKETS;
    EXPECTED_REFUSALS = "jibri_scaler_expected_refusals", Gauge, Count, ["group"],
        "recordings refused since the process began, as is to be expected; only where the demand is learned (`refuse_at_most`)";
    REFUSED = "jibri_scaler_refused_total", Counter, Count, ["group"],
        "recordings refused; only where somebody counts them";
    AWS_REQUESTS = "jibri_scaler_aws_requests_total", Counter, Count, ["service", "call", "outcome"],
        "attempts of requests to AWS: `ok`, `error` for an answer that is one, `no_answer`; by `jibri-scaler-aws` with its feature `metrics`";
}

/// Gives the installed recorder the unit and the meaning of each metric. Call it once, after the recorder was installed.
pub fn describe() {
    for metric in METRICS {
        let unit = match metric.unit {
            // The facade has a percent only, which would be a hundred times as much.
            Unit::Count | Unit::Share => ::metrics::Unit::Count,
            Unit::Seconds => ::metrics::Unit::Seconds,
        };
        match metric.kind {
            Kind::Counter => ::metrics::describe_counter!(metric.name, unit, metric.meaning),
            Kind::Gauge => ::metrics::describe_gauge!(metric.name, unit, metric.meaning),
            Kind::Histogram => ::metrics::describe_histogram!(metric.name, unit, metric.meaning),
        }
    }
}
