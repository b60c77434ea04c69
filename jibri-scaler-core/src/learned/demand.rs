use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    cells::{Cells, MINUTE, START},
    estimate::Estimate,
    level::Level,
};
use crate::{TimeZone, Timestamp};

/// When recordings start, by the minute of the week of a time zone.
///
/// Each of the 10,080 minutes has a count of starts and how long somebody could have started one: time in which no Jibri was spare
/// counts only by the share in which one was, so that the rate is that of the demand and not of what was served
/// (λ = accepted ÷ (1 − blocked share)). Each week the older counts lose a fifth, so that a week ago counts 0.8 and five weeks ago a third.
/// A minute that nobody watched stays as it was.
///
/// Four weeks of one minute are few, so a rate is drawn toward that of the same minute of the day on all working days (or weekends),
/// that toward the hour around it, and that toward the whole week; each prior weighs half a start.
///
/// A mean over weeks lags behind a demand that grows. So the last 400 starts are put beside what the weeks before let expect in the
/// same minutes, and where they are more, [`peak`](Self::peak) is so many times larger, up to four times.
///
/// It takes 30 KB, shared between clones. As JSON it has at most 67,500 bytes; a group with 240 starts on each working day has about
/// 6,000, and an empty week about 100. A minute knows at most 200 starts a week.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{Timestamp, learned::WeeklyDemand};
///
/// let minute = Duration::from_secs(60);
/// let monday: Timestamp = "2026-11-02T00:00:00Z".parse()?;
/// let mut demand = WeeklyDemand::new("UTC".parse()?);
/// // Four weeks with six starts at 09:00 on each day.
/// for minutes in 0..4 * 10_080 {
///     let from = monday + minute * minutes;
///     demand.observe(from, from + minute, if minutes % 1440 == 540 { 6 } else { 0 }, 1.0);
/// }
/// let next: Timestamp = "2026-12-01T09:00:00Z".parse()?;
/// assert!(demand.expected_starts(next.before(minute), next + 2 * minute) > 5.0);
/// assert!(demand.expected_starts(next + 10 * minute, next + 60 * minute) < 0.5);
/// assert!(demand.peak(next.before(3 * minute), 3 * minute).is_some_and(|peak| peak > 5.0), "it is ordered now");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WeeklyDemand {
    zone: TimeZone,
    cells: Arc<Cells>,
    minute: Option<Minute>,
    level: Level,
}

/// The minute that is not over yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Minute {
    /// Minutes since the Unix epoch.
    number: i64,
    /// In units.
    starts: u32,
    /// Microseconds in which somebody could have started a recording.
    open: u32,
    /// Microseconds that were observed.
    observed: u32,
}

const MICROS: i64 = MINUTE as i64;

impl WeeklyDemand {
    pub(super) const VERSION: u32 = 1;

    /// Nothing learned yet, in this zone.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            cells: Arc::default(),
            minute: None,
            level: Level::default(),
        }
    }

    /// The zone whose week it is.
    #[must_use]
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Takes in that so many recordings started between two moments, and in what share of that time (0 to 1) one could have started.
    ///
    /// Nothing where the second moment is not after the first; at most the last week of a longer time.
    pub fn observe(&mut self, from: Timestamp, to: Timestamp, starts: u32, open: f64) {
        let from = from
            .max(to.before(Duration::from_secs(7 * 86_400)))
            .as_micros();
        let to = to.as_micros();
        let length = to.saturating_sub(from);
        if length <= 0 {
            return;
        }
        // Starts are spread evenly, without losing any to rounding.
        let units = i128::from(starts.min(1_000_000) * START);
        let before = |at: i64| units * i128::from(at - from) / i128::from(length);
        let open = if open > 0.0 { open.min(1.0) } else { 0.0 };
        let mut at = from;
        while at < to {
            let number = at.div_euclid(MICROS);
            let end = number.saturating_add(1).saturating_mul(MICROS).min(to);
            self.turn_to(number);
            if let Some(minute) = &mut self.minute {
                let part = u32::try_from(end - at).unwrap_or(0);
                let started = u32::try_from(before(end) - before(at)).unwrap_or(0);
                minute.starts = minute.starts.saturating_add(started);
                minute.observed = minute.observed.saturating_add(part).min(MINUTE);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "at most a minute, and not negative"
                )]
                let exposed = (f64::from(part) * open).round() as u32;
                minute.open = minute.open.saturating_add(exposed).min(MINUTE);
            }
            at = end;
        }
    }

    /// How many starts are expected between two moments, by the weeks before, and raised where more is asked for of late than before; 0 where
    /// the second is not after the first, or nothing has been learned.
    #[must_use]
    pub fn expected_starts(&self, from: Timestamp, to: Timestamp) -> f64 {
        let estimate = Estimate::new(&self.cells, &self.zone);
        estimate.map_or(0.0, |estimate| {
            estimate.between(from, to) * self.level.factor()
        })
    }

    /// The largest number of starts that is expected in any lead time within reach: the maximum over `s` from `now` to `now + lead` of
    /// those between `s` and `s + lead`. What is ordered now is there one lead later, and must then last for one more. Raised where more
    /// is asked for of late than before. Absent where nothing has been learned.
    #[must_use]
    pub fn peak(&self, now: Timestamp, lead: Duration) -> Option<f64> {
        let estimate = Estimate::new(&self.cells, &self.zone)?;
        Some(estimate.peak(now, lead) * self.level.factor())
    }

    /// Puts a minute beside the same one of the weeks before, where somebody watched that.
    fn compare(&mut self, cell: usize, done: Minute) {
        let (starts, watched) = self.cells.cell(cell);
        if watched >= 0.5 {
            let open = f64::from(done.open) / f64::from(MINUTE);
            let seen = f64::from(done.starts) / f64::from(START);
            self.level.add(seen, starts / watched * open);
        }
    }

    /// Closes the minute before, if this is another one.
    fn turn_to(&mut self, number: i64) {
        if let Some(done) = self.minute.filter(|minute| minute.number != number) {
            let start = Timestamp::from_micros(done.number.saturating_mul(MICROS));
            let cell = self.zone.minute_of_week(start);
            self.compare(cell, done);
            Arc::make_mut(&mut self.cells).add(cell, done.starts, done.open, done.observed);
            self.minute = None;
        }
        self.minute.get_or_insert_with(|| Minute {
            number,
            ..Minute::default()
        });
    }
}

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    zone: TimeZone,
    cells: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minute: Option<Minute>,
    #[serde(default, skip_serializing_if = "Level::is_unknown")]
    level: Level,
}

impl Serialize for WeeklyDemand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Saved {
            version: Self::VERSION,
            zone: self.zone.clone(),
            cells: self.cells.to_text(),
            minute: self.minute,
            level: self.level,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WeeklyDemand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = Saved::deserialize(deserializer)?;
        let way_out = "use the release that wrote it, or learn anew (which takes weeks)";
        if saved.version != Self::VERSION {
            return Err(de::Error::custom(format!(
                "a learned demand of version {} can't be read, only version {}: {way_out}",
                saved.version,
                Self::VERSION
            )));
        }
        let cells = Cells::from_text(&saved.cells).ok_or_else(|| {
            de::Error::custom(format!("the learned demand can't be read: {way_out}"))
        })?;
        Ok(Self {
            zone: saved.zone,
            cells: Arc::new(cells),
            minute: saved.minute,
            level: saved.level,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn demand(zone: &str) -> WeeklyDemand {
        WeeklyDemand::new(zone.parse().unwrap())
    }

    /// Starts and minutes of exposure in the cells of a day, once the minute under way is closed.
    fn sums(demand: &WeeklyDemand, cells: std::ops::Range<usize>) -> (f64, f64) {
        let mut demand = demand.clone();
        demand.turn_to(i64::MIN);
        let add = |a: (f64, f64), b: (f64, f64)| (a.0 + b.0, a.1 + b.1);
        cells
            .map(|cell| demand.cells.cell(cell))
            .fold((0.0, 0.0), add)
    }

    #[test]
    fn a_look_over_several_minutes_is_spread_and_nothing_is_lost() {
        let mut demand = demand("UTC");
        let monday = at("2026-11-23T00:00:30Z");
        demand.observe(monday, monday + Duration::from_secs(150), 7, 1.0);
        assert_eq!(sums(&demand, 0..3), (7.0, 2.5));
        assert_eq!(sums(&demand, 0..1), (1.390_625, 0.5));
        assert_eq!(sums(&demand, 3..10_080), (0.0, 0.0));
    }

    #[test]
    fn time_that_goes_back_or_stands_still_teaches_nothing() {
        let mut demand = demand("UTC");
        let monday = at("2026-11-23T00:00:00Z");
        let before = demand.clone();
        demand.observe(monday, monday, 5, 1.0);
        demand.observe(monday, monday.before(Duration::from_secs(1)), 5, 1.0);
        assert_eq!(demand, before);
        for (from, to) in [
            (Timestamp::MIN, Timestamp::MAX),
            (
                Timestamp::MAX.before(Duration::from_secs(1)),
                Timestamp::MAX,
            ),
        ] {
            demand.observe(from, to, u32::MAX, f64::NAN);
        }
        assert_eq!(
            sums(&demand, 0..10_080).1.to_bits(),
            0,
            "a share that is no number is none"
        );
    }

    #[test]
    fn the_week_follows_the_local_clock_through_summer_time() {
        let mut berlin = demand("Europe/Berlin");
        // 09:00 on the local clock of a Monday, in winter and in summer.
        for start in ["2026-03-23T08:00:00Z", "2026-03-30T07:00:00Z"] {
            berlin.observe(at(start), at(start) + Duration::from_secs(60), 1, 1.0);
        }
        assert_eq!(sums(&berlin, 540..541), (1.796_875, 1.8));
        // The night in which 02:00 to 03:00 comes twice, and the one in which it does not come.
        for (night, hours) in [("2026-10-24T22:00:00Z", 25), ("2026-03-28T23:00:00Z", 23)] {
            let mut berlin = demand("Europe/Berlin");
            berlin.observe(
                at(night),
                at(night) + Duration::from_secs(hours * 3600),
                0,
                1.0,
            );
            let sunday = 6 * 1440;
            let (_, exposed) = sums(&berlin, sunday..sunday + 1440);
            let twice = if hours == 25 { 60.0 * 1.8 } else { 0.0 };
            assert!(
                (exposed - (23.0 * 60.0 + twice)).abs() < 1e-9,
                "{exposed} in {hours} hours"
            );
            assert_eq!(sums(&berlin, 0..sunday), (0.0, 0.0));
        }
    }

    #[test]
    fn it_is_read_as_it_was_written_and_other_versions_are_refused() {
        let mut demand = demand("Asia/Kolkata");
        demand.observe(
            at("2026-11-23T00:00:30Z"),
            at("2026-11-23T05:10:10Z"),
            99,
            0.5,
        );
        let text = serde_json::to_string(&demand).unwrap();
        assert_eq!(serde_json::from_str::<WeeklyDemand>(&text).unwrap(), demand);
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("\"cells\":\"", "\"cells\":\"?"),
            ("Kolkata", "Nowhere"),
        ] {
            let error = serde_json::from_str::<WeeklyDemand>(&text.replace(from, to))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("can't be read") || error.contains("Nowhere"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_demand_that_grows_is_not_lagged_behind() {
        let minute = Duration::from_secs(60);
        let monday = at("2026-11-02T00:00:00Z");
        let mut demand = demand("UTC");
        // A fifth more each week.
        let counts = [20, 24, 29, 35, 41, 50, 60, 72];
        for (week, starts) in (0..).zip(counts) {
            for minutes in 0..5 * 1440_u32 {
                let from = monday + minute * (week * 10_080 + minutes);
                let now = minutes % 60 == 0 && (9..17).contains(&(minutes % 1440 / 60));
                let count = if now { starts } else { 0 };
                demand.observe(from, from + minute, count, 1.0);
            }
        }
        let nine = at("2026-12-28T09:00:00Z");
        let lead = Duration::from_secs(180);
        let peak = demand.peak(nine.before(minute), lead).unwrap();
        let last_week = 72.0;
        assert!(
            (0.8..1.2).contains(&(peak / last_week)),
            "{peak}, where {last_week} came"
        );
        let expected = demand.expected_starts(nine.before(minute), nine + 2 * minute);
        assert!((expected - peak).abs() < 1e-9, "raised alike");
        let text = serde_json::to_string(&demand).unwrap();
        assert_eq!(serde_json::from_str::<WeeklyDemand>(&text).unwrap(), demand);
        // What was written before there was a level is read, and grows anew.
        let mut text: serde_json::Value = serde_json::to_value(&demand).unwrap();
        assert!(text.as_object_mut().unwrap().remove("level").is_some());
        let read: WeeklyDemand = serde_json::from_value(text).unwrap();
        // The weeks before alone lag behind.
        let by_the_weeks = read.peak(nine.before(minute), lead).unwrap();
        assert!(by_the_weeks < 0.75 * last_week, "{by_the_weeks}");
    }
}
