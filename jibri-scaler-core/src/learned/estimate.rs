//! The rate at which recordings start, from few observations.

use std::{ops::Range, time::Duration};

use super::cells::Cells;
use crate::{
    TimeZone, Timestamp,
    time_zone::{DAY, WEEK},
};

/// How many starts each prior weighs.
const PRIOR: f64 = 0.5;
/// Where nothing is known at all, one such prior an hour.
const FIRST_MINUTES: f64 = 60.0;
/// The hour around a minute: so many minutes before it and after it.
const AROUND: usize = 30;
const WORKING_DAYS: Range<usize> = 0..5;
const WEEKEND: Range<usize> = 5..7;
const MICROS: f64 = 60_000_000.0;

/// Starts and minutes in which one could have come.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    starts: f64,
    minutes: f64,
}

impl Seen {
    fn and(self, weight: f64, (starts, minutes): (f64, f64)) -> Self {
        Self {
            starts: self.starts + weight * starts,
            minutes: self.minutes + weight * minutes,
        }
    }

    /// Starts a minute, drawn toward this rate.
    fn toward(self, prior: f64) -> f64 {
        (self.starts + PRIOR) / (self.minutes + PRIOR / prior)
    }
}

#[derive(Debug)]
pub(super) struct Estimate<'a> {
    cells: &'a Cells,
    zone: &'a TimeZone,
    /// Starts a minute, over the whole week.
    overall: f64,
}

impl<'a> Estimate<'a> {
    /// Absent where nothing has been learned.
    pub(super) fn new(cells: &'a Cells, zone: &'a TimeZone) -> Option<Self> {
        let seen = Seen::default().and(1.0, cells.week());
        let overall = (seen.starts + PRIOR) / (seen.minutes + FIRST_MINUTES);
        (seen.minutes > 0.0).then_some(Self {
            cells,
            zone,
            overall,
        })
    }

    /// Starts a minute in a minute of the week.
    fn rate(&self, cell: usize) -> f64 {
        let days = if WORKING_DAYS.contains(&(cell / DAY)) {
            WORKING_DAYS
        } else {
            WEEKEND
        };
        let minute = cell % DAY;
        // The hour around it, on the same day: what is beyond midnight is taken from the other end.
        let (from, to) = (minute + DAY - AROUND, minute + DAY + AROUND + 1);
        let hour = days.clone().fold(Seen::default(), |seen, day| {
            let part = |from: usize, to: usize| self.cells.sum(day * DAY + from..day * DAY + to);
            match (from < DAY, to > 2 * DAY) {
                (true, _) => seen.and(1.0, part(from, DAY)).and(1.0, part(0, to - DAY)),
                (_, true) => seen
                    .and(1.0, part(from - DAY, DAY))
                    .and(1.0, part(0, to - 2 * DAY)),
                _ => seen.and(1.0, part(from - DAY, to - DAY)),
            }
        });
        let such = days.fold(Seen::default(), |seen, day| {
            self.kernel(seen, day * DAY + minute)
        });
        let own = self.kernel(Seen::default(), cell);
        own.toward(such.toward(hour.toward(self.overall)))
    }

    /// Adds a minute and its neighbours: people are not punctual to the minute, and a kernel of two minutes blurs no peak.
    fn kernel(&self, seen: Seen, cell: usize) -> Seen {
        seen.and(0.25, self.cells.cell(cell + WEEK - 1))
            .and(0.5, self.cells.cell(cell))
            .and(0.25, self.cells.cell(cell + 1))
    }

    pub(super) fn between(&self, from: Timestamp, to: Timestamp) -> f64 {
        self.sums(from, to.since(from)).at(to)
    }

    pub(super) fn peak(&self, now: Timestamp, lead: Duration) -> f64 {
        let sums = self.sums(now, lead.saturating_mul(2));
        let end = now + lead;
        // The rate is constant within each minute, so a maximum is where one end of the lead is at the edge of a minute.
        let edges = sums.edges().flat_map(|edge| [edge, edge.before(lead)]);
        let starts = edges
            .filter(|start| (now..=end).contains(start))
            .chain([now, end]);
        starts
            .map(|start| sums.at(start + lead) - sums.at(start))
            .fold(0.0, f64::max)
    }

    /// The expected starts from `from` on, for `length`.
    fn sums(&self, from: Timestamp, length: Duration) -> Sums {
        let first = from.as_micros().div_euclid(60_000_000);
        let last = (from + length).as_micros().div_euclid(60_000_000);
        let mut sum = 0.0;
        let minutes = (first..=last).map(|number| {
            let start = Timestamp::from_micros(number.saturating_mul(60_000_000));
            let rate = self.rate(self.zone.minute_of_week(start));
            let before = sum;
            sum += rate;
            (start, before, rate)
        });
        let minutes: Vec<_> = minutes.collect();
        let mut sums = Sums { minutes, base: 0.0 };
        sums.base = sums.at(from);
        sums
    }
}

/// The expected starts since a moment, by the minute.
struct Sums {
    /// The start of each minute, the starts before it, and those in it.
    minutes: Vec<(Timestamp, f64, f64)>,
    /// What lies before the moment.
    base: f64,
}

impl Sums {
    fn at(&self, moment: Timestamp) -> f64 {
        let index = self
            .minutes
            .partition_point(|(start, _, _)| *start <= moment);
        let Some((start, before, rate)) = index
            .checked_sub(1)
            .and_then(|index| self.minutes.get(index))
        else {
            return 0.0;
        };
        let share = (moment.since(*start).as_secs_f64() * 1e6 / MICROS).min(1.0);
        before + rate * share - self.base
    }

    fn edges(&self) -> impl Iterator<Item = Timestamp> {
        self.minutes.iter().map(|(start, _, _)| *start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learned::cells::{MINUTE, START};
    use proptest::prelude::*;

    /// So many weeks of the same starts in each minute of the week.
    fn cells(weeks: usize, starts: impl Fn(usize) -> u32) -> Cells {
        let mut cells = Cells::default();
        for _ in 0..weeks {
            for minute in 0..WEEK {
                cells.add(minute, starts(minute) * START, MINUTE, MINUTE);
            }
        }
        cells
    }

    fn monday(minute: u32) -> Timestamp {
        let monday: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        monday + Duration::from_secs(60) * minute
    }

    #[test]
    fn a_quiet_night_is_learned_to_be_quiet_and_a_peak_to_be_one() {
        let zone = TimeZone::default();
        let cells = cells(4, |minute| {
            if minute / DAY < 5 && minute % DAY == 540 {
                6
            } else {
                0
            }
        });
        let estimate = Estimate::new(&cells, &zone).unwrap();
        let hour = |from| estimate.between(monday(from), monday(from + 60));
        assert!((6.0..=7.5).contains(&hour(510)), "{}", hour(510));
        assert!(hour(120) < 0.05, "{}", hour(120));
        assert!(
            hour(5 * 1440 + 510) < 0.1,
            "the weekend is another matter: {}",
            hour(5 * 1440 + 510)
        );
        let minutes = |from, to| estimate.between(monday(from), monday(to));
        assert!(minutes(538, 543) > 5.5, "the peak is not blurred");
    }

    #[test]
    fn one_day_knows_what_the_other_working_days_know() {
        let zone = TimeZone::default();
        let mut cells = Cells::default();
        for minute in 0..4 * DAY {
            let starts = if minute % DAY == 540 { 6 * START } else { 0 };
            cells.add(minute, starts, MINUTE, MINUTE);
        }
        let estimate = Estimate::new(&cells, &zone).unwrap();
        let friday = 4 * 1440 + 539;
        let expected = estimate.between(monday(friday), monday(friday + 3));
        assert!((2.0..6.0).contains(&expected), "{expected}");
    }

    #[test]
    fn little_is_expected_where_little_is_known() {
        let zone = TimeZone::default();
        assert!(Estimate::new(&Cells::default(), &zone).is_none());
        let mut cells = Cells::default();
        cells.add(0, START, MINUTE, MINUTE);
        let hour = Estimate::new(&cells, &zone)
            .unwrap()
            .between(monday(300), monday(360));
        assert!((1.0..2.0).contains(&hour), "{hour}");
    }

    #[test]
    fn the_peak_looks_two_leads_ahead() {
        let zone = TimeZone::default();
        let cells = cells(4, |minute| if minute % DAY == 540 { 6 } else { 0 });
        let estimate = Estimate::new(&cells, &zone).unwrap();
        let lead = Duration::from_secs(300);
        let peak = |minute| estimate.peak(monday(minute), lead);
        assert!(peak(528) < 1.0 && peak(533) > 5.0 && peak(540) > 2.0 && peak(543) < 1.0);
        assert!(estimate.peak(monday(540), Duration::ZERO) < 1e-9);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_peak_is_the_largest_and_grows_with_lead_and_demand(
            seed in 0_usize..1000, now in 0_u32..10_000, offset in 0_u64..60, lead in 1_u64..900, more in 0_u64..900,
        ) {
            let zone = TimeZone::default();
            let starts = |minute: usize| u32::from((minute * 31 + seed).is_multiple_of(11)) * 3;
            let (some, double) = (cells(2, starts), cells(2, |minute| starts(minute) * 2));
            let (some, double) = (Estimate::new(&some, &zone).unwrap(), Estimate::new(&double, &zone).unwrap());
            let now = monday(now) + Duration::from_secs(offset);
            let lead = Duration::from_secs(lead);
            let peak = some.peak(now, lead);
            for step in 0..=20 {
                let start = now + lead * step / 20;
                prop_assert!(some.between(start, start + lead) <= peak + 1e-9);
            }
            prop_assert!(some.peak(now, lead + Duration::from_secs(more)) >= peak - 1e-9);
            prop_assert!(double.peak(now, lead) >= peak - 1e-9);
        }
    }
}
