//! The policy file.

mod policies;
mod tables;

use std::{collections::BTreeMap, fmt, time::Duration};

use toml::{Spanned, Value};

use crate::{
    Limits, OutOfRange,
    policy::{
        AfterRefusal, Lead, MaxOf, MinIdle, Percent, PercentIdle, Policy, RefusalStep, Reservation,
        Reserved, Schedule, Slo, SquareRoot,
    },
};
use policies::Policies;

/// What a policy file says: the policies, whose largest vote counts, and the limits.
///
/// The format is TOML, every key is optional:
///
/// | key | default | range |
/// |---|---|---|
/// | `min_idle` | 1 | 0–10000 |
/// | `percent_idle` | 0 | 0–95, decimals allowed; share of all instances |
/// | `idle_timeout` | `"10m"` | `"0s"`–`"7d"` |
/// | `surplus_hold` | as `idle_timeout` | `"0s"`–`"7d"` |
/// | `report_ttl` | `"45s"` | `"1s"`–`"1h"`, at least twice the interval between ticks |
/// | `boot_deadline` | `"10m"` | `"10s"`–`"24h"` |
/// | `max_launch` | 20 | 1–10000 |
/// | `max_retire` | 10 | 1–10000 |
/// | `max_unknown_percent` | 45 | 1–90, whole |
/// | `percent_idle_max` | none | 1–10000: the share wants no more than so many |
/// | `square_root` | none | `{ base = 0–10000, factor = 0–100 }`, base 0 by default: base + factor·√(in use) |
/// | `refuse_at_most` | none | `"0.001%"`–`"50%"` of the recordings, by what is learned of the demand |
/// | `time_zone` | `"UTC"` | an IANA name: the zone of the learned week, and of windows that name none |
/// | `boot_time` | `"3m"` | `"1s"`–`"24h"`, until 20 boots have been seen |
/// | `report_delay` | `"10s"` | `"0s"`–`"10m"` until a look shows that a recording has started |
/// | `refusal_step` | none | 1–1000 more after a refusal was observed, falling to none |
/// | `refusal_step_for` | `"30m"` | `"1m"`–`"24h"` |
/// | `[[schedule]]` | none | `spare` (0–10000) in a window: `days` (`"mon-fri"`, or a list), `from`, `to` (`"00:00"`–`"24:00"`), `zone` |
/// | `[[reservation]]` | none | `spare` (1–10000) more `from` a moment `to` another, both RFC 3339 |
///
/// The largest vote counts; the step after a refusal and the reservations are added to it.
///
/// ```
/// use jibri_scaler_core::PolicyFile;
///
/// let file = PolicyFile::from_toml("min_idle = 3\nidle_timeout = '5m'")?;
/// assert_eq!(file.limits.idle_timeout().as_secs(), 300);
///
/// let error = PolicyFile::from_toml("min_idle = 3\npercent_idle = 99").unwrap_err();
/// assert_eq!(error.to_string(), "line 2: percent_idle is 99, but must be in the range 0–95");
/// # Ok::<(), jibri_scaler_core::PolicyFileError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyFile {
    /// At least so many idle Jibris.
    pub min_idle: MinIdle,
    /// At least so large a share of idle Jibris.
    pub percent_idle: PercentIdle,
    /// A base, and a factor times the square root of what is in use.
    pub square_root: Option<SquareRoot>,
    /// At most so large a share of refused recordings.
    pub slo: Option<Slo>,
    /// So many at certain times of the week.
    pub schedule: Schedule,
    /// So many more after a refusal.
    pub refusal_step: Option<RefusalStep>,
    /// So many more for single events.
    pub reservations: Vec<Reservation>,
    /// How long it takes until an instance that is wanted is ready, as far as it is not learned.
    pub lead: Lead,
    /// The limits.
    pub limits: Limits,
}

impl PolicyFile {
    /// Reads a policy file.
    ///
    /// # Errors
    /// Where the text is no TOML, a key is not known, or a value is wrong; the error names the line, the key, the value and what is
    /// allowed.
    pub fn from_toml(text: &str) -> Result<Self, PolicyFileError> {
        let table: BTreeMap<Spanned<String>, Spanned<Value>> =
            toml::from_str(text).map_err(|error| {
                let line = error.span().map_or(1, |span| line_of(text, span.start));
                PolicyFileError {
                    line,
                    what: format!("this is not TOML: {}", error.message().trim()),
                }
            })?;
        let mut settings = Settings::default();
        // In the order of the file, so that the first mistake is the one that is named.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let wrong = |what| PolicyFileError {
                line: line_of(text, key.span().start),
                what,
            };
            settings
                .set(key.get_ref(), value.get_ref())
                .map_err(wrong)?;
        }
        tables::read(text, &mut settings.policies)?;
        Ok(settings.policies.into_file(settings.file))
    }

    /// The policy: the largest vote of all that are set, in this order: `min_idle`, `percent_idle`, `square_root`, `slo`, `schedule`;
    /// and what a refusal and the reservations add to it.
    #[must_use]
    pub fn policy(&self) -> MaxOf {
        let mut votes: Vec<Box<dyn Policy>> =
            vec![Box::new(self.min_idle), Box::new(self.percent_idle)];
        votes.extend(self.square_root.map(|one| Box::new(one) as Box<dyn Policy>));
        votes.extend(self.slo.clone().map(|one| Box::new(one) as Box<dyn Policy>));
        if !self.schedule.is_empty() {
            votes.push(Box::new(self.schedule.clone()));
        }
        let mut policy = MaxOf::new(votes);
        if let Some(step) = self.refusal_step {
            policy = MaxOf::new([Box::new(AfterRefusal::new(policy, step)) as Box<dyn Policy>]);
        }
        if !self.reservations.is_empty() {
            let reserved = Reserved::new(policy, self.reservations.iter().copied(), self.lead);
            policy = MaxOf::new([Box::new(reserved) as Box<dyn Policy>]);
        }
        policy
    }
}

/// A policy file that can't be used.
///
/// ```
/// use jibri_scaler_core::PolicyFile;
///
/// let error = PolicyFile::from_toml("min_idel = 3").unwrap_err();
/// assert_eq!(error.line, 1);
/// assert!(error.what.starts_with("unknown key `min_idel`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
#[non_exhaustive]
pub struct PolicyFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there, and what is allowed.
    pub what: String,
}

struct Settings {
    file: PolicyFile,
    policies: Policies,
}

impl Default for Settings {
    fn default() -> Self {
        let min_idle = MinIdle::default();
        let percent_idle = PercentIdle::default();
        Self {
            file: PolicyFile {
                min_idle,
                percent_idle,
                square_root: None,
                slo: None,
                schedule: Schedule::default(),
                refusal_step: None,
                reservations: Vec::new(),
                lead: Lead::default(),
                limits: Limits::default(),
            },
            policies: Policies::default(),
        }
    }
}

const KEYS: [&str; 19] = [
    "min_idle",
    "percent_idle",
    "idle_timeout",
    "surplus_hold",
    "report_ttl",
    "boot_deadline",
    "max_launch",
    "max_retire",
    "max_unknown_percent",
    "percent_idle_max",
    "square_root",
    "refuse_at_most",
    "time_zone",
    "boot_time",
    "report_delay",
    "refusal_step",
    "refusal_step_for",
    "schedule",
    "reservation",
];

impl Settings {
    fn set(&mut self, key: &str, value: &Value) -> Result<(), String> {
        let limits = self.file.limits.clone();
        self.file.limits = match key {
            "min_idle" => {
                self.file.min_idle =
                    MinIdle::new(count("min_idle", value, "0–10000")?).map_err(text)?;
                limits
            }
            "percent_idle" => {
                self.file.percent_idle = PercentIdle::new(
                    Percent::new(number("percent_idle", value, "0–95")?).map_err(text)?,
                );
                limits
            }
            "idle_timeout" => limits
                .with_idle_timeout(duration("idle_timeout", value, WEEK)?)
                .map_err(text)?,
            "surplus_hold" => limits
                .with_surplus_hold(duration("surplus_hold", value, WEEK)?)
                .map_err(text)?,
            "report_ttl" => limits
                .with_report_ttl(duration("report_ttl", value, "\"1s\"–\"1h\"")?)
                .map_err(text)?,
            "boot_deadline" => limits
                .with_boot_deadline(duration("boot_deadline", value, "\"10s\"–\"24h\"")?)
                .map_err(text)?,
            "max_launch" => limits
                .with_max_launch(count("max_launch", value, "1–10000")?)
                .map_err(text)?,
            "max_retire" => limits
                .with_max_retire(count("max_retire", value, "1–10000")?)
                .map_err(text)?,
            "max_unknown_percent" => limits
                .with_max_unknown_percent(count("max_unknown_percent", value, "1–90")?)
                .map_err(text)?,
            other if self.policies.set(other, value)? => limits,
            unknown => return Err(unknown_key("", unknown, &KEYS)),
        };
        Ok(())
    }
}

const WEEK: &str = "\"0s\"–\"7d\"";

fn count(key: &'static str, value: &Value, allowed: &'static str) -> Result<u32, String> {
    let whole = value
        .as_integer()
        .ok_or_else(|| wrong(key, value, "a whole number", allowed))?;
    u32::try_from(whole).map_err(|_| text(OutOfRange::new(key, whole.to_string(), allowed)))
}

fn number(key: &'static str, value: &Value, allowed: &'static str) -> Result<f64, String> {
    match value {
        Value::Float(number) => Ok(*number),
        // All whole numbers near the range are exact; the others are refused either way.
        Value::Integer(number) => Ok(i32::try_from(*number).map_or(f64::MAX, f64::from)),
        other => Err(wrong(key, other, "a number", allowed)),
    }
}

fn duration(key: &'static str, value: &Value, allowed: &'static str) -> Result<Duration, String> {
    let refused = || wrong(key, value, "a duration like \"90s\" or \"1h 30m\"", allowed);
    let text = value.as_str().ok_or_else(refused)?;
    let span: jiff::Span = text.parse().map_err(|_| refused())?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let signed = span.to_duration(days).map_err(|_| refused())?;
    signed.try_into().map_err(|_| refused())
}

fn unknown_key(table: &str, key: &str, keys: &[&str]) -> String {
    format!(
        "unknown key `{table}{key}`; the keys are {}",
        keys.join(", ")
    )
}

fn wrong(key: &str, value: &Value, kind: &str, allowed: &str) -> String {
    format!(
        "{key} is {}, but must be {kind} in the range {allowed}",
        Shown(value)
    )
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is the last use of the error, in map_err"
)]
fn text(error: OutOfRange) -> String {
    error.to_string()
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}

/// A value as it stands in the file, on one line.
struct Shown<'a>(&'a Value);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => write!(f, "{text:?}"),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number}"),
            Value::Boolean(truth) => write!(f, "{truth}"),
            Value::Datetime(time) => write!(f, "{time}"),
            Value::Array(_) => f.write_str("a list"),
            Value::Table(_) => f.write_str("a table"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_defaults() {
        let file = PolicyFile::from_toml("# nothing\n").unwrap();
        assert_eq!(file, Settings::default().file);
        assert_eq!(file.min_idle, MinIdle::new(1).unwrap());
        assert_eq!(
            file.percent_idle,
            PercentIdle::new(Percent::new(0.0).unwrap())
        );
    }

    #[test]
    fn every_key_is_read() {
        let file = PolicyFile::from_toml(
            "min_idle = 0\npercent_idle = 12.5\nidle_timeout = '0s'\nsurplus_hold = '7d'\nreport_ttl = '1h'\n\
             boot_deadline = '90s'\nmax_launch = 1\nmax_retire = 10_000\nmax_unknown_percent = 30\n",
        )
        .unwrap();
        let limits = &file.limits;
        assert_eq!(file.min_idle, MinIdle::new(0).unwrap());
        assert_eq!(
            file.percent_idle,
            PercentIdle::new(Percent::new(12.5).unwrap())
        );
        let seconds = [
            limits.idle_timeout(),
            limits.surplus_hold(),
            limits.report_ttl(),
            limits.boot_deadline(),
        ];
        assert_eq!(seconds.map(|d| d.as_secs()), [0, 604_800, 3600, 90]);
        assert_eq!((limits.max_launch(), limits.max_retire()), (1, 10_000));
        assert_eq!(limits.max_unknown_percent(), 30);
    }

    #[test]
    fn mistakes_are_named_with_line_key_value_and_range() {
        let cases = [
            (
                "min_idle = -1",
                "line 1: min_idle is -1, but must be in the range 0–10000",
            ),
            (
                "\nmin_idle = 10001",
                "line 2: min_idle is 10001, but must be in the range 0–10000",
            ),
            (
                "min_idle = 1.5",
                "line 1: min_idle is 1.5, but must be a whole number in the range 0–10000",
            ),
            (
                "min_idle = '3'",
                "line 1: min_idle is \"3\", but must be a whole number in the range 0–10000",
            ),
            (
                "percent_idle = nan",
                "line 1: percent_idle is NaN, but must be in the range 0–95",
            ),
            (
                "percent_idle = true",
                "line 1: percent_idle is true, but must be a number in the range 0–95",
            ),
            (
                "percent_idle = 99999999999",
                "but must be in the range 0–95",
            ),
            (
                "idle_timeout = 600",
                "idle_timeout is 600, but must be a duration like",
            ),
            ("idle_timeout = '-5m'", "in the range \"0s\"–\"7d\""),
            (
                "idle_timeout = '8d'",
                "idle_timeout is \"8d\", but must be in the range \"0s\"–\"7d\"",
            ),
            (
                "idle_timeout = 'soon'",
                "idle_timeout is \"soon\", but must be a duration",
            ),
            (
                "idle_timeout = '1 month'",
                "idle_timeout is \"1 month\", but must be a duration",
            ),
            (
                "report_ttl = '500ms'",
                "report_ttl is \"500ms\", but must be in the range \"1s\"–\"1h\"",
            ),
            ("boot_deadline = '25h'", "in the range \"10s\"–\"24h\""),
            (
                "max_launch = 0",
                "line 1: max_launch is 0, but must be in the range 1–10000",
            ),
            (
                "max_retire = []",
                "line 1: max_retire is a list, but must be a whole number in the range 1–10000",
            ),
            (
                "max_unknown_percent = 91",
                "line 1: max_unknown_percent is 91, but must be in the range 1–90",
            ),
            (
                "max_unknown_percent = 45.5",
                "line 1: max_unknown_percent is 45.5, but must be a whole number in the range 1–90",
            ),
            (
                "min_idle = 1\n\nmin_idel = 2",
                "line 3: unknown key `min_idel`; the keys are min_idle, ",
            ),
            (
                "min_idle = 1\nmin_idle = 2",
                "line 2: this is not TOML: duplicate key",
            ),
            ("min_idle = 1\n[table]\nx = 1", "unknown key `table`"),
            ("min_idle 3", "line 1: this is not TOML"),
        ];
        for (file, message) in cases {
            let error = PolicyFile::from_toml(file).unwrap_err().to_string();
            assert!(error.contains(message), "{file}: {error}");
        }
    }
}
