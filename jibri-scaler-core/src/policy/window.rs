use std::time::Duration;

use jiff::{
    ToSpan as _,
    civil::{Date, Time},
};

use super::{Days, TimeOfDay};
use crate::{OutOfRange, TimeZone, Timestamp};

/// So many idle Jibris at certain times of the week.
///
/// A window belongs to the day on which it begins. One that ends at or before the time at which it begins ends on the next day; so
/// `22:00` to `06:00` on `fri` ends on Saturday, and a window from a time to the same time lasts one day.
///
/// In the night in which the clock skips an hour or shows one twice, a window is never shorter than it says: one that begins in an hour
/// that comes twice begins with the first, one that ends in it ends with the second; one that begins in an hour that is skipped begins as
/// much earlier as it was to begin after the skip, and one that ends there ends as much later.
///
/// ```
/// use jibri_scaler_core::policy::Window;
///
/// let window = Window::new(8)?
///     .on("mon-fri".parse()?)
///     .between("08:00".parse()?, "18:30".parse()?)
///     .in_zone("Europe/Berlin".parse()?);
/// assert!(window.contains("2026-11-23T07:00:00Z".parse()?));
/// assert!(!window.contains("2026-11-23T17:30:00Z".parse()?), "the end is not part of it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    spare: u32,
    days: Days,
    from: TimeOfDay,
    to: TimeOfDay,
    zone: TimeZone,
}

impl Window {
    /// So many at any time, range 0–10000; [`on`](Self::on) and [`between`](Self::between) say when.
    ///
    /// # Errors
    /// Where the number is out of that range.
    pub fn new(spare: u32) -> Result<Self, OutOfRange> {
        if spare > 10_000 {
            return Err(OutOfRange::new(
                "schedule.spare",
                spare.to_string(),
                "0–10000",
            ));
        }
        Ok(Self {
            spare,
            days: Days::ALL,
            from: TimeOfDay::START,
            to: TimeOfDay::END,
            zone: TimeZone::default(),
        })
    }

    /// The same beginning on these days only. Default: all.
    #[must_use]
    pub const fn on(mut self, days: Days) -> Self {
        self.days = days;
        self
    }

    /// The same between these times. Default: the whole day.
    #[must_use]
    pub const fn between(mut self, from: TimeOfDay, to: TimeOfDay) -> Self {
        self.from = from;
        self.to = to;
        self
    }

    /// The same by the clock of this zone. Default: UTC.
    #[must_use]
    pub fn in_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// How many idle Jibris are wanted in it.
    #[must_use]
    pub const fn spare(&self) -> u32 {
        self.spare
    }

    /// Whether this moment lies in it.
    #[must_use]
    pub fn contains(&self, moment: Timestamp) -> bool {
        self.is_near(moment, Duration::ZERO)
    }

    /// Whether it lasts now, or begins within `lead`.
    pub(super) fn is_near(&self, now: Timestamp, lead: Duration) -> bool {
        let soon = now + lead;
        let (today, last) = (self.zone.date(now), self.zone.date(soon));
        // One that began two days ago can still last, where it is a day long and the clock was put back.
        let mut day = today.saturating_sub(2.days());
        let end = last.saturating_add(1.day());
        while day <= end {
            if let Some((from, to)) = self.on_day(day)
                && from <= soon
                && now < to
            {
                return true;
            }
            match day.tomorrow() {
                Ok(next) => day = next,
                Err(_) => return false,
            }
        }
        false
    }

    /// From when to when it lasts that begins on that day; absent where none begins.
    fn on_day(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
        if !self.days.contains(weekday) {
            return None;
        }
        let over_midnight = self.to <= self.from;
        let last_day = if over_midnight {
            day.tomorrow().ok()?
        } else {
            day
        };
        let from = self.zone.first(on(day, self.from)?)?;
        let to = self.zone.last(on(last_day, self.to)?)?;
        Some((from, to))
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}–{} {}", self.days, self.from, self.to, self.zone)
    }
}

/// That time on that day; `24:00` is the start of the next.
fn on(day: Date, time: TimeOfDay) -> Option<jiff::civil::DateTime> {
    let minutes = i8::try_from(time.minutes() % 60).ok()?;
    let hours = i8::try_from(time.minutes() / 60 % 24).ok()?;
    let day = if time == TimeOfDay::END {
        day.tomorrow().ok()?
    } else {
        day
    };
    Some(day.to_datetime(Time::new(hours, minutes, 0, 0).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(days: &str, from: &str, to: &str, zone: &str) -> Window {
        Window::new(5)
            .unwrap()
            .on(days.parse().unwrap())
            .between(from.parse().unwrap(), to.parse().unwrap())
            .in_zone(zone.parse().unwrap())
    }

    /// When it lasts, looked at each minute of these hours.
    fn lasts(window: &Window, start: &str, hours: u32) -> Option<(String, String, u32)> {
        let start: Timestamp = start.parse().unwrap();
        let minutes = (0..hours * 60).map(|minute| start + Duration::from_secs(60) * minute);
        let inside: Vec<_> = minutes.filter(|minute| window.contains(*minute)).collect();
        let (first, last) = (inside.first()?, inside.last()?);
        let count = u32::try_from(inside.len()).unwrap();
        Some((
            first.to_string(),
            (*last + Duration::from_secs(60)).to_string(),
            count,
        ))
    }

    #[test]
    fn windows_last_when_they_say() {
        let cases = [
            // 2026-11-27 is a Friday.
            (
                ("fri", "08:00", "18:30", "Europe/Berlin"),
                "2026-11-27T07:00:00Z",
                "2026-11-27T17:30:00Z",
            ),
            (
                ("fri", "22:00", "06:00", "UTC"),
                "2026-11-27T22:00:00Z",
                "2026-11-28T06:00:00Z",
            ),
            (
                ("fri", "00:00", "24:00", "UTC"),
                "2026-11-27T00:00:00Z",
                "2026-11-28T00:00:00Z",
            ),
            (
                ("fri", "12:00", "12:00", "UTC"),
                "2026-11-27T12:00:00Z",
                "2026-11-28T12:00:00Z",
            ),
            (
                ("fri", "23:59", "24:00", "UTC"),
                "2026-11-27T23:59:00Z",
                "2026-11-28T00:00:00Z",
            ),
            (
                ("fri", "09:00", "10:00", "Asia/Kolkata"),
                "2026-11-27T03:30:00Z",
                "2026-11-27T04:30:00Z",
            ),
            (
                ("fri", "20:00", "02:00", "America/New_York"),
                "2026-11-28T01:00:00Z",
                "2026-11-28T07:00:00Z",
            ),
        ];
        for ((days, from, to, zone), start, end) in cases {
            let window = window(days, from, to, zone);
            let (first, last, minutes) = lasts(&window, "2026-11-25T00:00:00Z", 120).unwrap();
            assert_eq!((first.as_str(), last.as_str()), (start, end), "{window}");
            let length = end
                .parse::<Timestamp>()
                .unwrap()
                .since(start.parse().unwrap());
            assert_eq!(
                length.as_secs(),
                u64::from(minutes) * 60,
                "{window} lasts without a hole"
            );
        }
    }

    #[test]
    fn in_the_nights_of_the_clock_it_is_never_shorter_than_it_says() {
        // Berlin skips 02:00 to 03:00 on 2026-03-29 and has it twice on 2026-10-25; both are Sundays.
        let cases = [
            (
                "2026-03-29",
                "00:00",
                "06:00",
                "2026-03-28T23:00:00Z",
                "2026-03-29T04:00:00Z",
            ),
            (
                "2026-03-29",
                "02:30",
                "05:00",
                "2026-03-29T00:30:00Z",
                "2026-03-29T03:00:00Z",
            ),
            (
                "2026-03-29",
                "01:00",
                "02:30",
                "2026-03-29T00:00:00Z",
                "2026-03-29T01:30:00Z",
            ),
            (
                "2026-03-29",
                "02:15",
                "02:45",
                "2026-03-29T00:15:00Z",
                "2026-03-29T01:45:00Z",
            ),
            (
                "2026-10-25",
                "00:00",
                "06:00",
                "2026-10-24T22:00:00Z",
                "2026-10-25T05:00:00Z",
            ),
            (
                "2026-10-25",
                "02:30",
                "05:00",
                "2026-10-25T00:30:00Z",
                "2026-10-25T04:00:00Z",
            ),
            (
                "2026-10-25",
                "01:00",
                "02:30",
                "2026-10-24T23:00:00Z",
                "2026-10-25T01:30:00Z",
            ),
            (
                "2026-10-25",
                "02:15",
                "02:45",
                "2026-10-25T00:15:00Z",
                "2026-10-25T01:45:00Z",
            ),
        ];
        for (day, from, to, start, end) in cases {
            let window = window("sun", from, to, "Europe/Berlin");
            let (first, last, _) = lasts(&window, &format!("{day}T00:00:00+12:00"), 48).unwrap();
            assert_eq!(
                (first.as_str(), last.as_str()),
                (start, end),
                "{window} on {day}"
            );
        }
    }

    #[test]
    fn it_is_near_one_lead_before_it_begins() {
        let window = window("mon", "08:00", "09:00", "UTC");
        let near =
            |now: &str, lead| window.is_near(now.parse().unwrap(), Duration::from_secs(lead));
        assert!(near("2026-11-23T07:55:00Z", 300) && !near("2026-11-23T07:54:59Z", 300));
        assert!(
            near("2026-11-22T08:00:00Z", 86_400),
            "as long as a lead may be"
        );
        assert!(near("2026-11-23T08:59:59.999999Z", 0) && !near("2026-11-23T09:00:00Z", 300));
        for end in [Timestamp::MIN, Timestamp::MAX] {
            let _ = window.is_near(end, Duration::from_secs(90_000));
        }
        assert!(Window::new(10_001).is_err());
    }

    proptest! {
        /// The definition once more, by the local clock: outside the nights in which it is changed the two agree.
        #[test]
        fn it_agrees_with_the_local_clock(
            days in 1_u8..128, from in 0_u16..1440, to in 1_u16..=1440, minute in 0_u32..10_080,
        ) {
            let on = (0..7).filter(|day| days >> day & 1 == 1).map(|day| ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][day]);
            let on = on.map(|day| day.parse::<Days>().unwrap()).reduce(|all, day| all | day).unwrap();
            let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60).parse().unwrap();
            let window = Window::new(1).unwrap().on(on).between(time(from), time(to)).in_zone("Europe/Berlin".parse().unwrap());
            // Minutes of the week from Monday, 2026-11-23, 00:00 in Berlin.
            let monday: Timestamp = "2026-11-22T23:00:00Z".parse().unwrap();
            let now = monday + Duration::from_secs(60) * minute;
            let length = if to > from { to - from } else { to + 1440 - from };
            let inside = (0..7_u32).filter(|day| days >> day & 1 == 1).any(|day| {
                let begins = day * 1440 + u32::from(from);
                (minute + 10_080 - begins) % 10_080 < u32::from(length)
            });
            prop_assert_eq!(window.contains(now), inside);
        }
    }
}
