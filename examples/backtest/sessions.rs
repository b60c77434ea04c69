//! Recordings from a CSV file.

use std::{fmt, io::Read, time::Duration};

use csv::{ReaderBuilder, StringRecord, Trim};
use jibri_scaler_core::{
    Timestamp,
    backtest::{Session, Trace},
};

/// What a log may span. More is a mistake in one of its times, and would be simulated for hours.
const LONGEST: Duration = Duration::from_hours(5 * 366 * 24);
/// A time in seconds above this (the year 5138) is one in milliseconds.
const MILLISECONDS: f64 = 1e11;
/// So many mistakes are shown.
const SHOWN: usize = 5;

/// Reads recordings: CSV with a header that has `start` and `end`, perhaps `refused`, and what else it likes. Commas, semicolons or tabs
/// are found out from the header. Times are RFC 3339, or seconds since 1970. A row that was refused needs no end.
///
/// # Errors
/// Where a row is wrong, with its line; all rows are looked at.
pub(crate) fn read(mut from: impl Read) -> Result<Trace, Unreadable> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)
        .map_err(|error| Unreadable::whole(format!("could not be read: {error}")))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut rows = ReaderBuilder::new()
        .delimiter(delimiter(bytes))
        .flexible(true)
        .trim(Trim::All)
        .from_reader(bytes);
    let header = rows.headers().map_err(|error| Unreadable {
        mistakes: vec![mistake(&error, bytes)],
    })?;
    let columns = Columns::find(header)?;
    let mut found = Found::default();
    let mut mistakes = Vec::new();
    for row in rows.records() {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                mistakes.push(mistake(&error, bytes));
                continue;
            }
        };
        // A line of blanks is no recording.
        if row.iter().all(str::is_empty) {
            continue;
        }
        let line = row
            .position()
            .map_or(0, |position| line_of(bytes, position));
        if let Err(what) = columns.read(&row).and_then(|row| found.add(line, row)) {
            mistakes.push(Mistake { line, what });
        }
    }
    if mistakes.is_empty() {
        found.into_trace()
    } else {
        Err(Unreadable { mistakes })
    }
}

/// What is read from so far.
#[derive(Default)]
struct Found {
    sessions: Vec<Session>,
    refused: Vec<Timestamp>,
    /// The first and the last time, and their lines.
    earliest: Option<(Timestamp, u64)>,
    latest: Option<(Timestamp, u64)>,
}

impl Found {
    fn add(
        &mut self,
        line: u64,
        (start, end): (Timestamp, Option<Timestamp>),
    ) -> Result<(), String> {
        match end {
            Some(end) => {
                let session = Session::new(start, end).map_err(|error| error.to_string())?;
                self.sessions.push(session);
            }
            None => self.refused.push(start),
        }
        let end = end.unwrap_or(start);
        if self.earliest.is_none_or(|(earliest, _)| start < earliest) {
            self.earliest = Some((start, line));
        }
        if self.latest.is_none_or(|(latest, _)| end > latest) {
            self.latest = Some((end, line));
        }
        Ok(())
    }

    fn into_trace(self) -> Result<Trace, Unreadable> {
        if let (Some((earliest, first)), Some((latest, last))) = (self.earliest, self.latest)
            && latest.since(earliest) > LONGEST
        {
            return Err(Unreadable::whole(format!(
                "it spans more than five years, from {earliest} (line {first}) to {latest} (line {last}): is one of the two wrong? \
                 Else give a part of it"
            )));
        }
        if self.sessions.is_empty() && self.refused.is_empty() {
            return Err(Unreadable::whole(
                "it has a header and no recordings: give a log with at least one".into(),
            ));
        }
        Ok(Trace::new(self.sessions).with_refused(self.refused))
    }
}

/// Where in a row is what.
struct Columns {
    start: usize,
    end: usize,
    refused: Option<usize>,
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, Unreadable> {
        let find = |name: &str| {
            header
                .iter()
                .position(|column| column.eq_ignore_ascii_case(name))
        };
        let needed = |name| {
            find(name).ok_or_else(|| {
                let names: Vec<_> = header.iter().map(|name| format!("`{}`", name.escape_debug())).collect();
                let what = format!(
                    "the header has no column `{name}`, but {}: the first line must name the columns, such as `start,end`",
                    if names.is_empty() { "nothing".into() } else { shortened(&names.join(", ")) },
                );
                Unreadable { mistakes: vec![Mistake { line: 1, what }] }
            })
        };
        Ok(Self {
            start: needed("start")?,
            end: needed("end")?,
            refused: find("refused"),
        })
    }

    /// The start, and the end of one that was not refused.
    fn read(&self, row: &StringRecord) -> Result<(Timestamp, Option<Timestamp>), String> {
        let field = |at| row.get(at).unwrap_or("");
        let start = time("start", field(self.start))?;
        if refused(self.refused.map_or("", field))? {
            // What is there must be a time, although it is not needed.
            if !field(self.end).is_empty() {
                time("end", field(self.end))?;
            }
            return Ok((start, None));
        }
        if field(self.end).is_empty() {
            return Err(
                "there is no end: give the one it had, leave the row out if it has none yet, or say that it was refused in a column \
                 `refused`"
                    .into(),
            );
        }
        Ok((start, Some(time("end", field(self.end))?)))
    }
}

fn time(column: &str, text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let wrong = |advice: &str| {
        let text = shortened(&text.escape_debug().to_string());
        Err(format!("the {column} is `{text}`: {advice}"))
    };
    match text.parse::<f64>() {
        Ok(seconds) if (MILLISECONDS..MILLISECONDS * 1e9).contains(&seconds.abs()) => {
            wrong("that looks like milliseconds; give seconds since 1970, or RFC 3339")
        }
        Ok(seconds) if seconds.is_finite() && seconds.abs() < MILLISECONDS => {
            #[expect(clippy::cast_possible_truncation, reason = "below 2^63 microseconds")]
            let micros = (seconds * 1e6).round() as i64;
            Ok(Timestamp::from_micros(micros))
        }
        // A date with a time, and no zone.
        _ if text.parse::<jiff::civil::DateTime>().is_ok() => {
            wrong("that has no time zone; add `Z`, or an offset such as `+02:00`")
        }
        _ => wrong("give a time such as 2026-11-22T10:00:00Z, or seconds since 1970"),
    }
}

fn refused(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "" | "0" | "false" | "no" => Ok(false),
        "1" | "true" | "yes" => Ok(true),
        _ => Err(format!(
            "`refused` is `{}`: write true or false",
            shortened(&text.escape_debug().to_string())
        )),
    }
}

/// The one of the usual separators that the first line has most of.
fn delimiter(bytes: &[u8]) -> u8 {
    let bytes = bytes.trim_ascii_start();
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    let first = String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]);
    let count = |sign: u8| first.matches(char::from(sign)).count();
    let found = [b';', b'\t']
        .into_iter()
        .find(|sign| count(*sign) > count(b','));
    found.unwrap_or(b',')
}

fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain("…".chars()).collect()
}

/// Why there are no recordings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    mistakes: Vec<Mistake>,
}

#[derive(Debug, PartialEq, Eq)]
struct Mistake {
    /// From 1; 0 where it is about all of it.
    line: u64,
    what: String,
}

impl Unreadable {
    fn whole(what: String) -> Self {
        Self {
            mistakes: vec![Mistake { line: 0, what }],
        }
    }
}

fn mistake(error: &csv::Error, bytes: &[u8]) -> Mistake {
    let line = error
        .position()
        .map_or(0, |position| line_of(bytes, position));
    let what = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8 text: save it as UTF-8".to_owned(),
        _ => error.to_string(),
    };
    Mistake { line, what }
}

/// The line of a row, whose position is that of the empty lines before it.
fn line_of(bytes: &[u8], position: &csv::Position) -> u64 {
    let at = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = bytes.get(at..).unwrap_or(&[]);
    let empty = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    position.line() + empty.filter(|byte| **byte == b'\n').count() as u64
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.mistakes.iter().take(SHOWN).enumerate() {
            if number > 0 {
                f.write_str("\n  ")?;
            }
            if mistake.line > 0 {
                write!(f, "line {}: ", mistake.line)?;
            }
            f.write_str(&mistake.what)?;
        }
        match self.mistakes.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more such lines"),
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests;
