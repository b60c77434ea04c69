//! Everything that was found, to be printed, drawn and written.

use std::time::Duration;

use jibri_scaler_core::{
    Timestamp,
    backtest::{BootTime, Outcome, Trace},
};

use crate::{
    arguments::Arguments,
    candidate::Source,
    compare::{Bounds, Comparison, Row},
    text::{hours, percent},
    tune::Tried,
};

/// All results.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Where the recordings come from.
    pub(crate) origin: String,
    /// What must be known beside every result.
    pub(crate) notes: Vec<String>,
    /// What was presumed, in a sentence.
    pub(crate) assumptions: String,
    pub(crate) counted: Option<(Timestamp, Timestamp)>,
    pub(crate) most_at_once: u32,
    pub(crate) price: f64,
    pub(crate) slo: f64,
    /// The policies.
    pub(crate) policies: Vec<Row>,
    /// Who knows the average week.
    pub(crate) oracle: Vec<Row>,
    pub(crate) bounds: Bounds,
    /// What a search has tried, if there was one.
    pub(crate) curves: Option<Vec<Vec<Tried>>>,
    /// Where the setting that was found is written.
    pub(crate) tuned: Option<String>,
    /// A day of each policy, in the order of the policies.
    pub(crate) days: Vec<String>,
}

impl Report {
    pub(crate) fn new(
        origin: String,
        notes: Vec<String>,
        arguments: &Arguments,
        trace: &Trace,
        found: Comparison,
    ) -> Self {
        let counted = found.rows.first().and_then(|row| row.outcome.counted);
        Self {
            origin,
            notes,
            assumptions: assumptions(arguments),
            counted,
            most_at_once: trace.most_at_once(),
            price: arguments.price,
            slo: arguments.slo,
            policies: found.rows,
            oracle: found.oracle,
            bounds: found.bounds,
            curves: None,
            tuned: None,
            days: Vec::new(),
        }
    }

    /// The policies, and then who knows the average week.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.policies.iter().chain(&self.oracle)
    }

    /// What the recordings are, in a sentence.
    pub(crate) fn recordings(&self) -> String {
        let span = self.counted.map_or(String::new(), |(from, until)| {
            let days = until.since(from).as_secs_f64() / 86_400.0;
            format!(
                ", counted from {} to {} ({days:.1} days)",
                minute(from),
                minute(until)
            )
        });
        format!(
            "{} recording{}, at most {} at once, from {}{span}.",
            self.bounds.recordings,
            if self.bounds.recordings == 1 { "" } else { "s" },
            self.most_at_once,
            self.origin
        )
    }

    /// The cheapest of the policies that refuse no more than the target.
    pub(crate) fn cheapest(&self) -> Option<&Row> {
        let ours = |row: &&Row| !matches!(row.source, Source::Baseline | Source::TunedBaseline);
        let meeting = self
            .policies
            .iter()
            .filter(ours)
            .filter(|row| row.share() <= self.slo);
        meeting.min_by_key(|row| row.outcome.billed)
    }

    /// What to take, in sentences.
    pub(crate) fn advice(&self) -> String {
        let target = percent(self.slo);
        let best = match self.cheapest() {
            Some(row) => format!(
                "The cheapest of these policies that refuses at most {target} is {}: {:.2} per 30 days.",
                row.name,
                row.outcome.cost_per_30_days(self.price)
            ),
            None => format!(
                "None of these policies refuses at most {target}: give more `min_idle`, or let --tune search."
            ),
        };
        match (&self.curves, &self.tuned) {
            (Some(_), Some(file)) => format!("{best} The setting that --tune found is in {file}."),
            (Some(_), None) => format!(
                "{best} --tune found no setting that does: launches are too slow for how suddenly recordings start, or --max-size is too \
                 small; reservations and schedules may help."
            ),
            _ => best,
        }
    }

    /// What nobody beats, in a sentence.
    pub(crate) fn bound_line(&self) -> String {
        let bound = &self.bounds.none_refused;
        format!(
            "Who knew all recordings in advance would refuse none with {} idle and booting hours ({:.2} per 30 days with the recordings), \
             {} launches and at most {} instances. ×bound is the overhead (idle, booting, draining) as a multiple of theirs at as many refusals.",
            hours(bound.overhead),
            self.cost(bound.overhead),
            bound.launches,
            bound.peak
        )
    }

    /// What who knows the average week is for, in a sentence, where there is such a one.
    pub(crate) fn oracle_line(&self) -> Option<String> {
        (!self.oracle.is_empty()).then(|| {
            "Who knows the average week of this very log, but not the recordings, is what learning can come to; `over` is the overhead beyond \
             theirs at the same share of refusals."
                .to_owned()
        })
    }

    /// What so much overhead costs in 30 days, with the recordings.
    pub(crate) fn cost(&self, overhead: Duration) -> f64 {
        // Whoever refused the fewest recorded the longest.
        let busy = self.policies.iter().map(|row| row.outcome.busy);
        let busy = busy.max().unwrap_or_default();
        self.per_30_days(overhead + busy)
    }

    /// What so many hours of instances cost in 30 days.
    pub(crate) fn per_30_days(&self, time: Duration) -> f64 {
        let span = self
            .counted
            .map_or(0.0, |(from, until)| until.since(from).as_secs_f64());
        if span > 0.0 {
            time.as_secs_f64() / span * 720.0 * self.price
        } else {
            0.0
        }
    }

    /// What the overhead of an outcome costs in 30 days.
    pub(crate) fn overhead(&self, outcome: &Outcome) -> f64 {
        self.per_30_days(outcome.overhead())
    }
}

fn assumptions(arguments: &Arguments) -> String {
    let general = format!(
        "A launch takes {}; a tick every {:?}; group size {} to {}; {} per instance-hour; seed {}",
        boot(&arguments.boot),
        arguments.interval,
        arguments.min_size,
        arguments.max_size,
        arguments.price,
        arguments.seed
    );
    let upload = (!arguments.upload.is_zero())
        .then(|| format!("uploads of {:?} beyond the log", arguments.upload));
    let warm_up = (!arguments.warm_up.is_zero())
        .then(|| format!("the first {} hours not counted", hours(arguments.warm_up)));
    let told = arguments
        .count_refusals
        .then(|| "refusals are counted and told".to_owned());
    let parts = [Some(general), upload, warm_up, told];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ") + "."
}

fn boot(boot: &BootTime) -> String {
    format!("{:.0} s on average", boot.mean().as_secs_f64())
}

/// A time, to the minute.
fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}
