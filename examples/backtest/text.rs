//! What is printed.

use std::{fmt, time::Duration};

use crate::{compare::Row, report::Report};

const COLUMNS: [(&str, usize); 12] = [
    ("refused", 8),
    ("share", 8),
    ("95 % interval", 15),
    ("idle h", 9),
    ("boot h", 8),
    ("busy h", 9),
    ("drain h", 8),
    ("per 30 d", 10),
    ("launch/d", 9),
    ("peak", 5),
    ("×bound", 7),
    ("over", 6),
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self
            .rows()
            .map(|row| row.name.chars().count())
            .max()
            .unwrap_or(0)
            .clamp(12, 44);
        writeln!(f, "{}", self.recordings())?;
        for note in &self.notes {
            writeln!(f, "{note}.")?;
        }
        writeln!(f, "{}\n", self.assumptions)?;
        write!(f, "{:<widest$}", "policy")?;
        for (name, width) in COLUMNS {
            write!(f, " {name:>width$}")?;
        }
        writeln!(f)?;
        for row in self.rows() {
            write!(f, "{:<widest$}", shortened(&row.name, widest))?;
            for ((_, width), cell) in COLUMNS.iter().zip(cells(row, self.price)) {
                write!(f, " {cell:>width$}")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "\n{}", self.bound_line())?;
        if let Some(line) = self.oracle_line() {
            writeln!(f, "{line}")?;
        }
        write!(f, "{}", self.advice())
    }
}

/// The cells of a row, in the order of the columns.
pub(crate) fn cells(row: &Row, price: f64) -> [String; 12] {
    let outcome = &row.outcome;
    let none = || "–".to_owned();
    [
        outcome.refused.len().to_string(),
        percent(row.share()),
        row.interval.map_or_else(none, |interval| {
            format!("{}–{}", percent(interval.low), percent(interval.high))
        }),
        hours(outcome.idle),
        hours(outcome.booting),
        hours(outcome.busy),
        hours(outcome.draining),
        format!("{:.2}", outcome.cost_per_30_days(price)),
        format!("{:.1}", outcome.launches_per_day()),
        outcome.peak.to_string(),
        row.times_bound
            .map_or_else(none, |times| format!("{times:.1}")),
        row.over_oracle
            .map_or_else(none, |over| format!("{:+.0} %", 100.0 * over)),
    ]
}

/// A share in percent, with as many digits as it takes to tell it from zero.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        0.0 => "0 %".into(),
        p if p < 0.095 => format!("{p:.3} %"),
        p if p < 9.95 => format!("{p:.2} %"),
        p => format!("{p:.1} %"),
    }
}

pub(crate) fn hours(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() / 3600.0)
}

/// The end of a name says more than its start, which may be a long path.
fn shortened(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most {
        return name.to_owned();
    }
    "…"
        .chars()
        .chain(name.chars().skip(length + 1 - most))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_digits_they_need() {
        let shares = [0.0, 0.000_01, 0.000_5, 0.000_95, 0.01, 0.099_4, 0.5, 1.0].map(percent);
        assert_eq!(
            shares,
            [
                "0 %", "0.001 %", "0.050 %", "0.10 %", "1.00 %", "9.94 %", "50.0 %", "100.0 %"
            ]
        );
    }

    #[test]
    fn of_a_long_name_the_end_is_shown() {
        assert_eq!(shortened("policies/a.toml", 8), "…/a.toml");
        assert_eq!(shortened("größe", 5), "größe");
    }
}
