//! The tables of the policy file: windows of the schedule, and reservations.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, Value};

use super::{
    PolicyFileError, count, line_of,
    policies::{Policies, time_zone},
    text, unknown_key, wrong,
};
use crate::{
    TimeZone, Timestamp,
    policy::{Days, Reservation, TimeOfDay, Window},
};

type Table = BTreeMap<Spanned<String>, Spanned<Value>>;

#[derive(Deserialize)]
struct Tables {
    #[serde(default)]
    schedule: Vec<Spanned<Table>>,
    #[serde(default)]
    reservation: Vec<Spanned<Table>>,
}

/// Reads all tables of a file whose other keys were read.
pub(super) fn read(file: &str, policies: &mut Policies) -> Result<(), PolicyFileError> {
    let tables: Tables = toml::from_str(file).map_err(|error| PolicyFileError {
        line: error.span().map_or(1, |span| line_of(file, span.start)),
        what: error.message().trim().into(),
    })?;
    for table in &tables.schedule {
        policies.windows.push(window(file, table)?);
    }
    for table in &tables.reservation {
        policies.reservations.push(reservation(file, table)?);
    }
    Ok(())
}

fn window(
    file: &str,
    table: &Spanned<Table>,
) -> Result<(Window, Option<TimeZone>), PolicyFileError> {
    const KEYS: [&str; 5] = ["days", "from", "to", "zone", "spare"];
    let (mut on, mut from, mut to) = (Days::ALL, TimeOfDay::START, TimeOfDay::END);
    let (mut zone, mut spare) = (None, None);
    each(file, table, |key, value| {
        match key {
            "days" => on = days(value)?,
            "from" => from = time_of_day("schedule.from", value)?,
            "to" => to = time_of_day("schedule.to", value)?,
            "zone" => zone = Some(time_zone("schedule.zone", value)?),
            "spare" => {
                let number = count("schedule.spare", value, "0–10000")?;
                spare = Some(Window::new(number).map_err(text)?);
            }
            unknown => return Err(unknown_key("schedule.", unknown, &KEYS)),
        }
        Ok(())
    })?;
    let missing = "schedule.spare is missing, a whole number in the range 0–10000";
    let window = spare.ok_or_else(|| at(file, table, missing.into()))?;
    Ok((window.on(on).between(from, to), zone))
}

fn reservation(file: &str, table: &Spanned<Table>) -> Result<Reservation, PolicyFileError> {
    const KEYS: [&str; 3] = ["from", "to", "spare"];
    let (mut from, mut to, mut spare) = (None, None, None);
    each(file, table, |key, value| {
        match key {
            "from" => from = Some(moment("reservation.from", value)?),
            "to" => to = Some(moment("reservation.to", value)?),
            "spare" => {
                let allowed = "1–10000";
                let number = count("reservation.spare", value, allowed)?;
                if !(1..=10_000).contains(&number) {
                    return Err(wrong("reservation.spare", value, "a whole number", allowed));
                }
                spare = Some(number);
            }
            unknown => return Err(unknown_key("reservation.", unknown, &KEYS)),
        }
        Ok(())
    })?;
    let (Some(from), Some(to), Some(spare)) = (from, to, spare) else {
        let what = "a reservation needs from, to (RFC 3339) and spare (1–10000)";
        return Err(at(file, table, what.into()));
    };
    Reservation::new(from, to, spare)
        .map_err(|error| at(file, table, format!("reservation: {error}")))
}

/// Takes the keys of a table in the order of the file, so that the first mistake is the one that is named.
fn each(
    file: &str,
    table: &Spanned<Table>,
    mut take: impl FnMut(&str, &Value) -> Result<(), String>,
) -> Result<(), PolicyFileError> {
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        take(key.get_ref(), value.get_ref()).map_err(|what| PolicyFileError {
            line: line_of(file, key.span().start),
            what,
        })?;
    }
    Ok(())
}

fn at(file: &str, table: &Spanned<Table>, what: String) -> PolicyFileError {
    PolicyFileError {
        line: line_of(file, table.span().start),
        what,
    }
}

fn days(value: &Value) -> Result<Days, String> {
    let refused = || {
        let allowed = "mon, tue, wed, thu, fri, sat, sun, like \"mon-fri\" or [\"mon\", \"thu\"]";
        wrong("schedule.days", value, "days", allowed)
    };
    let read = |value: &Value| {
        let name = value.as_str().ok_or_else(refused)?;
        name.parse::<Days>().map_err(|_| refused())
    };
    let Some(list) = value.as_array() else {
        return read(value);
    };
    let mut all: Option<Days> = None;
    for day in list {
        let day = read(day)?;
        all = Some(all.map_or(day, |all| all | day));
    }
    all.ok_or_else(refused)
}

fn time_of_day(key: &'static str, value: &Value) -> Result<TimeOfDay, String> {
    let refused = || wrong(key, value, "a time of the day", "\"00:00\"–\"24:00\"");
    let time = value.as_str().ok_or_else(refused)?;
    time.parse().map_err(|_| refused())
}

fn moment(key: &'static str, value: &Value) -> Result<Timestamp, String> {
    let refused = || {
        wrong(
            key,
            value,
            "a time like 2026-11-22T10:00:00+01:00",
            "of RFC 3339, with its offset",
        )
    };
    let time = match value {
        Value::String(text) => text.clone(),
        Value::Datetime(time) => time.to_string(),
        _ => return Err(refused()),
    };
    time.parse().map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use crate::PolicyFile;

    #[test]
    fn mistakes_are_named_with_line_key_value_and_range() {
        let cases = [
            (
                "[[schedule]]\nfrom = '08:00'",
                "line 1: schedule.spare is missing, a whole number in the range 0–10000",
            ),
            (
                "[[schedule]]\nspare = 10001",
                "line 2: schedule.spare is 10001, but must be in the range 0–10000",
            ),
            (
                "[[schedule]]\nspare = 1\n[[schedule]]\nspare = 2\nfrom = '8am'",
                "line 5: schedule.from is \"8am\", but must be a time of the day in the range \"00:00\"–\"24:00\"",
            ),
            (
                "[[schedule]]\nspare = 1\nto = 18",
                "line 3: schedule.to is 18, but must be a time of the day",
            ),
            (
                "[[schedule]]\ndays = 'work'\nspare = 1",
                "line 2: schedule.days is \"work\", but must be days in the range mon, tue",
            ),
            (
                "[[schedule]]\ndays = ['mon', 3]\nspare = 1",
                "line 2: schedule.days is a list, but must be days",
            ),
            (
                "[[schedule]]\ndays = []\nspare = 1",
                "line 2: schedule.days is a list, but must be days",
            ),
            (
                "[[schedule]]\nzone = 'X'\nspare = 1",
                "line 2: schedule.zone: `X` is not a time zone",
            ),
            (
                "[[schedule]]\nspare = 1\nuntil = '18:00'",
                "line 3: unknown key `schedule.until`; the keys are days, from, to, zone, spare",
            ),
            (
                "min_idle = 1\n[[reservation]]\nspare = 2",
                "line 2: a reservation needs from, to (RFC 3339) and spare",
            ),
            (
                "[[reservation]]\nspare = 0",
                "line 2: reservation.spare is 0, but must be a whole number in the range 1–10000",
            ),
            (
                "[[reservation]]\nfrom = '2026-12-01'",
                "line 2: reservation.from is \"2026-12-01\", but must be a time like",
            ),
            (
                "[[reservation]]\nfrom = 2026-12-01T10:00:00",
                "line 2: reservation.from is 2026-12-01T10:00:00, but must be a time like",
            ),
            (
                "[[reservation]]\nfrom = 2026-12-01T10:00:00Z\nto = 2026-12-01T10:00:00Z\nspare = 1",
                "line 1: reservation: to is 2026-12-01T10:00:00Z, but must be after from",
            ),
            (
                "[[reservation]]\nuntil = 1",
                "line 2: unknown key `reservation.until`; the keys are from, to, spare",
            ),
            (
                "schedule = [{ spare = 1 }, { spare = -1 }]",
                "line 1: schedule.spare is -1, but must be in the range 0–10000",
            ),
        ];
        for (file, message) in cases {
            let error = PolicyFile::from_toml(file).unwrap_err().to_string();
            assert!(error.contains(message), "{file}: {error}");
        }
    }
}
