//! The keys of the policies beyond `min_idle` and `percent_idle`.

use toml::Value;

use super::{PolicyFile, Shown, count, duration, number, text, unknown_key, wrong};
use crate::{
    TimeZone,
    policy::{Lead, PercentIdle, RefusalStep, Reservation, Schedule, Slo, SquareRoot, Window},
};

/// What the keys say, until all are known: some need what others say.
#[derive(Default)]
pub(super) struct Policies {
    percent_idle_max: Option<u32>,
    square_root: Option<SquareRoot>,
    /// Percent.
    refuse_at_most: Option<f64>,
    lead: Lead,
    time_zone: TimeZone,
    refusal_step: Option<u32>,
    refusal_step_for: Option<std::time::Duration>,
    /// Windows, and the zones that they name.
    pub(super) windows: Vec<(Window, Option<TimeZone>)>,
    pub(super) reservations: Vec<Reservation>,
}

const PERCENT: &str = "\"0.001%\"–\"50%\"";

impl Policies {
    /// Takes the value of a key; false where the key is none of these. What is in tables is read by itself.
    pub(super) fn set(&mut self, key: &str, value: &Value) -> Result<bool, String> {
        match key {
            "percent_idle_max" => {
                let most = count("percent_idle_max", value, "1–10000")?;
                PercentIdle::default().with_most(most).map_err(text)?;
                self.percent_idle_max = Some(most);
            }
            "square_root" => self.square_root = Some(square_root(value)?),
            "refuse_at_most" => {
                let percent = percent("refuse_at_most", value, PERCENT)?;
                Slo::new(percent, Lead::default(), TimeZone::default()).map_err(text)?;
                self.refuse_at_most = Some(percent);
            }
            "time_zone" => self.time_zone = time_zone("time_zone", value)?,
            "boot_time" => {
                let boot = duration("boot_time", value, "\"1s\"–\"24h\"")?;
                self.lead = self.lead.with_boot_time(boot).map_err(text)?;
            }
            "report_delay" => {
                let delay = duration("report_delay", value, "\"0s\"–\"10m\"")?;
                self.lead = self.lead.with_report_delay(delay).map_err(text)?;
            }
            "refusal_step" => {
                let step = count("refusal_step", value, "1–1000")?;
                RefusalStep::new(step, RefusalStep::LASTS).map_err(text)?;
                self.refusal_step = Some(step);
            }
            "refusal_step_for" => {
                let lasts = duration("refusal_step_for", value, "\"1m\"–\"24h\"")?;
                RefusalStep::new(1, lasts).map_err(text)?;
                self.refusal_step_for = Some(lasts);
            }
            "schedule" | "reservation" => {
                let tables = value
                    .as_array()
                    .is_some_and(|tables| tables.iter().all(Value::is_table));
                if !tables {
                    return Err(format!(
                        "{key} is {}, but must be tables that begin with [[{key}]]",
                        Shown(value)
                    ));
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The file with these policies.
    pub(super) fn into_file(self, mut file: PolicyFile) -> PolicyFile {
        // Every value was tried when it was read, so nothing is left out here.
        if let Some(capped) = self
            .percent_idle_max
            .and_then(|most| file.percent_idle.with_most(most).ok())
        {
            file.percent_idle = capped;
        }
        file.square_root = self.square_root;
        file.slo = self
            .refuse_at_most
            .and_then(|percent| Slo::new(percent, self.lead, self.time_zone.clone()).ok());
        let zone = self.time_zone;
        let windows = self
            .windows
            .into_iter()
            .map(|(window, named)| window.in_zone(named.unwrap_or_else(|| zone.clone())));
        file.schedule = Schedule::new(windows, self.lead);
        file.refusal_step = self.refusal_step.and_then(|step| {
            RefusalStep::new(step, self.refusal_step_for.unwrap_or(RefusalStep::LASTS)).ok()
        });
        file.reservations = self.reservations;
        file.lead = self.lead;
        file
    }
}

pub(super) fn time_zone(key: &str, value: &Value) -> Result<TimeZone, String> {
    let name = value.as_str().ok_or_else(|| {
        wrong(
            key,
            value,
            "a text",
            "of IANA time zone names, like \"Europe/Berlin\"",
        )
    })?;
    name.parse::<TimeZone>()
        .map_err(|error| format!("{key}: {error}"))
}

/// A text like `1%`.
fn percent(key: &'static str, value: &Value, allowed: &'static str) -> Result<f64, String> {
    let refused = || wrong(key, value, "a text like \"1%\"", allowed);
    let text = value.as_str().ok_or_else(refused)?;
    let number = text.trim().strip_suffix('%').ok_or_else(refused)?;
    number.trim().parse::<f64>().map_err(|_| refused())
}

fn square_root(value: &Value) -> Result<SquareRoot, String> {
    const KEYS: [&str; 2] = ["base", "factor"];
    let table = value.as_table().ok_or_else(|| {
        format!(
            "square_root is {}, but must be like {{ base = 1, factor = 1.5 }}",
            Shown(value)
        )
    })?;
    let (mut base, mut factor) = (0, None);
    for (key, value) in table {
        match key.as_str() {
            "base" => base = count("square_root.base", value, "0–10000")?,
            "factor" => factor = Some(number("square_root.factor", value, "0–100")?),
            unknown => return Err(unknown_key("square_root.", unknown, &KEYS)),
        }
    }
    let factor = factor.ok_or("square_root.factor is missing, a number in the range 0–100")?;
    SquareRoot::new(base, factor).map_err(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Group, Tally, Timestamp,
        policy::{Percent, Policy as _, Situation},
    };

    const FULL: &str = r#"
percent_idle_max = 5
refuse_at_most = "0.5%"
boot_time = "2m"
report_delay = "0s"
time_zone = "Europe/Berlin"
square_root = { factor = 1.5 }
percent_idle = 20
refusal_step = 4
refusal_step_for = "1h"

[[schedule]]
days = ["mon-thu", "sat"]
from = "08:00"
to = "18:00"
spare = 8

[[schedule]]
zone = "Asia/Tokyo"
spare = 2

[[reservation]]
from = 2026-12-01T14:00:00+01:00
to = "2026-12-01T15:00:00+01:00"
spare = 20
"#;

    fn read(text: &str) -> Result<PolicyFile, String> {
        PolicyFile::from_toml(text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_is_read_in_any_order() {
        let file = read(FULL).unwrap();
        let lead = Lead::default()
            .with_boot_time(Duration::from_secs(120))
            .and_then(|lead| lead.with_report_delay(Duration::ZERO))
            .unwrap();
        let zone = |name: &str| name.parse::<TimeZone>().unwrap();
        let share = PercentIdle::new(Percent::new(20.0).unwrap());
        assert_eq!(file.percent_idle, share.with_most(5).unwrap());
        assert_eq!(file.slo, Slo::new(0.5, lead, zone("Europe/Berlin")).ok());
        assert_eq!(file.square_root, SquareRoot::new(0, 1.5).ok());
        assert_eq!(
            file.refusal_step,
            RefusalStep::new(4, Duration::from_secs(3600)).ok()
        );
        let days = "mon-thu".parse::<crate::policy::Days>().unwrap() | "sat".parse().unwrap();
        let office = Window::new(8)
            .unwrap()
            .on(days)
            .between("08:00".parse().unwrap(), "18:00".parse().unwrap())
            .in_zone(zone("Europe/Berlin"));
        let always = Window::new(2).unwrap().in_zone(zone("Asia/Tokyo"));
        assert_eq!(file.schedule, Schedule::new([office, always], lead));
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let event =
            Reservation::new(at("2026-12-01T13:00:00Z"), at("2026-12-01T14:00:00Z"), 20).unwrap();
        assert_eq!(file.reservations, [event]);
    }

    #[test]
    fn the_winner_is_named_and_the_event_is_added() {
        let file = read(FULL).unwrap();
        let policy = file.policy();
        let tally = Tally::default();
        let vote = |now: &str, in_use| {
            let now = now.parse().unwrap();
            let vote = policy.vote(&Situation::new(now, Group::new(0, 99, 0), &tally, in_use));
            (vote.policy.into_owned(), vote.spare)
        };
        let cases = [
            ("2026-11-23T10:00:00Z", 0, "schedule", 8),
            ("2026-11-23T10:00:00Z", 36, "square_root", 9),
            ("2026-11-27T10:00:00Z", 0, "schedule", 2),
            ("2026-11-27T10:00:00Z", 8, "square_root", 5),
            ("2026-12-01T13:30:00Z", 0, "schedule + reservation", 28),
        ];
        for (now, in_use, winner, spare) in cases {
            assert_eq!(
                vote(now, in_use),
                (winner.into(), spare),
                "{now} with {in_use}"
            );
        }
        assert!(policy.proportional().is_err());
        assert_eq!(
            policy.demand_zone(),
            Some(&"Europe/Berlin".parse().unwrap())
        );
        assert_eq!(read("").unwrap().policy().demand_zone(), None);
    }

    #[test]
    fn mistakes_are_named_with_line_key_value_and_range() {
        let cases = [
            (
                "percent_idle_max = 0",
                "line 1: percent_idle_max is 0, but must be in the range 1–10000",
            ),
            (
                "square_root = 2",
                "line 1: square_root is 2, but must be like { base = 1, factor = 1.5 }",
            ),
            ("square_root = {}", "line 1: square_root.factor is missing"),
            (
                "square_root = { factor = 101 }",
                "square_root.factor is 101, but must be in the range 0–100",
            ),
            (
                "square_root = { factor = 'x' }",
                "square_root.factor is \"x\", but must be a number in the range 0–100",
            ),
            (
                "square_root = { base = -1, factor = 1 }",
                "square_root.base is -1, but must be in the range 0–10000",
            ),
            (
                "square_root = { faktor = 1 }",
                "unknown key `square_root.faktor`; the keys are base, factor",
            ),
            (
                "refuse_at_most = 1",
                "refuse_at_most is 1, but must be a text like \"1%\" in the range \"0.001%\"–\"50%\"",
            ),
            (
                "refuse_at_most = '0%'",
                "refuse_at_most is \"0%\", but must be in the range \"0.001%\"–\"50%\"",
            ),
            ("refuse_at_most = 'nan%'", "refuse_at_most is \"NaN%\""),
            (
                "refuse_at_most = 'few'",
                "refuse_at_most is \"few\", but must be a text like",
            ),
            (
                "\ntime_zone = 'CEST'",
                "line 2: time_zone: `CEST` is not a time zone: give a name of the IANA database",
            ),
            ("time_zone = 1", "time_zone is 1, but must be a text"),
            (
                "boot_time = '0s'",
                "boot_time is \"0s\", but must be in the range \"1s\"–\"24h\"",
            ),
            (
                "report_delay = '11m'",
                "report_delay is \"11m\", but must be in the range \"0s\"–\"10m\"",
            ),
            (
                "refusal_step = 1001",
                "refusal_step is 1001, but must be in the range 1–1000",
            ),
            (
                "refusal_step_for = '1s'",
                "refusal_step_for is \"1s\", but must be in the range \"1m\"–\"24h\"",
            ),
            (
                "schedule = 3",
                "line 1: schedule is 3, but must be tables that begin with [[schedule]]",
            ),
            (
                "[reservation]\nspare = 1",
                "line 1: reservation is a table, but must be tables that begin with [[reservation]]",
            ),
        ];
        for (file, message) in cases {
            let error = read(file).unwrap_err();
            assert!(error.contains(message), "{file}: {error}");
        }
    }
}
