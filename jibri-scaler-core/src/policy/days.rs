use std::{fmt, str::FromStr};

/// Days of the week.
///
/// Reads three-letter names and ranges of them: `mon`, `mon-fri`, `sat-sun`, `fri-mon`.
///
/// ```
/// use jibri_scaler_core::policy::Days;
///
/// let working: Days = "mon-fri".parse()?;
/// assert_eq!(working.to_string(), "mon-fri");
/// assert_eq!((working | "sun".parse()?).to_string(), "mon-fri, sun");
/// assert!("someday".parse::<Days>().is_err());
/// # Ok::<(), jibri_scaler_core::policy::ParseDaysError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// One bit a day, Monday the lowest.
    days: u8,
}

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    /// Every day.
    pub const ALL: Self = Self { days: 0x7f };

    /// Whether this day is among them; 0 is Monday.
    pub(super) const fn contains(self, day: usize) -> bool {
        day < 7 && self.days >> day & 1 == 1
    }
}

impl std::ops::BitOr for Days {
    type Output = Self;

    /// The days of both.
    fn bitor(self, other: Self) -> Self {
        Self {
            days: self.days | other.days,
        }
    }
}

impl FromStr for Days {
    type Err = ParseDaysError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |name: &str| {
            NAMES
                .iter()
                .position(|known| known.eq_ignore_ascii_case(name.trim()))
        };
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err(ParseDaysError { text: text.into() });
        };
        let count = (last + 7 - first) % 7;
        let days = (0..=count).fold(0, |days, step| days | 1 << ((first + step) % 7));
        Ok(Self { days })
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let mut day = 0;
        while day < 7 {
            if !self.contains(day) {
                day += 1;
                continue;
            }
            let run = (day..7).take_while(|day| self.contains(*day)).count();
            f.write_str(if first { "" } else { ", " })?;
            f.write_str(NAMES[day])?;
            if run > 1 {
                write!(f, "-{}", NAMES[day + run - 1])?;
            }
            first = false;
            day += run;
        }
        Ok(())
    }
}

/// A text that names no days.
///
/// ```
/// use jibri_scaler_core::policy::Days;
///
/// let error = "monday".parse::<Days>().unwrap_err();
/// assert_eq!(error.to_string(), "`monday` is no day of the week: write mon, tue, wed, thu, fri, sat, sun, or a range like mon-fri");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no day of the week: write {}, or a range like mon-fri", NAMES.join(", "))]
pub struct ParseDaysError {
    text: String,
}

/// A time of the day to the minute, `00:00` to `24:00`, the end of the day.
///
/// ```
/// use jibri_scaler_core::policy::TimeOfDay;
///
/// let eight: TimeOfDay = "08:00".parse()?;
/// assert_eq!(eight.to_string(), "08:00");
/// assert!("24:01".parse::<TimeOfDay>().is_err());
/// # Ok::<(), jibri_scaler_core::policy::ParseTimeOfDayError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    minutes: u16,
}

impl TimeOfDay {
    /// The start of the day.
    pub const START: Self = Self { minutes: 0 };
    /// The end of the day.
    pub const END: Self = Self { minutes: 1440 };

    /// Minutes since the start of the day, 0 to 1440.
    pub(super) const fn minutes(self) -> u16 {
        self.minutes
    }
}

impl FromStr for TimeOfDay {
    type Err = ParseTimeOfDayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseTimeOfDayError { text: text.into() };
        let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str| {
            let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            digits
                .then(|| text.parse::<u16>().ok())
                .flatten()
                .ok_or_else(wrong)
        };
        let (hour, minute) = (number(hour)?, number(minute)?);
        let minutes = hour * 60 + minute;
        if minute < 60 && minutes <= Self::END.minutes {
            Ok(Self { minutes })
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

/// A text that is no time of the day.
///
/// ```
/// use jibri_scaler_core::policy::TimeOfDay;
///
/// let error = "8am".parse::<TimeOfDay>().unwrap_err();
/// assert_eq!(error.to_string(), "`8am` is no time of the day: write it like 08:00, from 00:00 to 24:00");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no time of the day: write it like 08:00, from 00:00 to 24:00")]
pub struct ParseTimeOfDayError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_ranges_are_read() {
        let cases = [
            ("mon", "mon"),
            ("MON-Fri", "mon-fri"),
            ("sat - sun", "sat-sun"),
            ("fri-mon", "mon, fri-sun"),
            ("mon-sun", "mon-sun"),
            ("wed-tue", "mon-sun"),
        ];
        for (text, shown) in cases {
            assert_eq!(text.parse::<Days>().unwrap().to_string(), shown, "{text}");
        }
        for text in ["", "-", "mon-", "mon,tue", "mon-fri-sat", "m"] {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_read_to_the_minute() {
        for text in ["00:00", "08:05", "23:59", "24:00"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
        for text in [
            "", "8:00", "08:60", "24:01", "25:00", "08:00:00", "+8:00", "99:99", "08:0 ",
        ] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
    }
}
