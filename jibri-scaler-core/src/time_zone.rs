//! Time zones with their summer times, from a table inside.

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::OnceLock,
};

use jiff::tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Timestamp;

/// Minutes of a week.
pub(crate) const WEEK: usize = 7 * DAY;
/// Minutes of a day.
pub(crate) const DAY: usize = 1440;

/// A time zone of the IANA time zone database, such as `Europe/Berlin`, with its summer times.
///
/// The database is built in, so that no file of the system is read and every machine sees the same. Rules that change after this
/// library was built are not known to it.
///
/// ```
/// use jibri_scaler_core::TimeZone;
///
/// let zone: TimeZone = "Europe/Berlin".parse()?;
/// assert_eq!(zone.to_string(), "Europe/Berlin");
/// assert_eq!(TimeZone::default().to_string(), "UTC");
///
/// let error = "Europe/Berln".parse::<TimeZone>().unwrap_err();
/// assert!(error.to_string().starts_with("`Europe/Berln` is not a time zone"));
/// # Ok::<(), jibri_scaler_core::UnknownTimeZone>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone(tz::TimeZone);

impl TimeZone {
    /// The minute of the week there, from Monday 00:00 by the local clock: 0 to 10,079.
    pub(crate) fn minute_of_week(&self, at: Timestamp) -> usize {
        let time = self.0.to_datetime(at.to_jiff());
        let day = usize::try_from(time.weekday().to_monday_zero_offset()).unwrap_or(0);
        let minute = i16::from(time.hour()) * 60 + i16::from(time.minute());
        day * DAY + usize::try_from(minute).unwrap_or(0)
    }

    /// The date there.
    pub(crate) fn date(&self, at: Timestamp) -> jiff::civil::Date {
        self.0.to_datetime(at.to_jiff()).date()
    }

    /// When the local clock first shows that time; where it skips it, as much before the skip as the time lies after its start.
    pub(crate) fn first(&self, time: jiff::civil::DateTime) -> Option<Timestamp> {
        let moment = self.0.to_ambiguous_timestamp(time).earlier().ok()?;
        Some(Timestamp::from_micros(moment.as_microsecond()))
    }

    /// When the local clock shows that time last; where it skips it, as much after the skip as the time lies before its end.
    pub(crate) fn last(&self, time: jiff::civil::DateTime) -> Option<Timestamp> {
        let moment = self.0.to_ambiguous_timestamp(time).later().ok()?;
        Some(Timestamp::from_micros(moment.as_microsecond()))
    }
}

impl Default for TimeZone {
    /// UTC.
    fn default() -> Self {
        Self(tz::TimeZone::UTC)
    }
}

impl Hash for TimeZone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl FromStr for TimeZone {
    type Err = UnknownTimeZone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        static BUILT_IN: OnceLock<tz::TimeZoneDatabase> = OnceLock::new();
        let zones = BUILT_IN.get_or_init(tz::TimeZoneDatabase::bundled);
        let unknown = || UnknownTimeZone { name: name.into() };
        let zone = zones.get(name).map_err(|_| unknown())?;
        // `Etc/Unknown` is a zone without rules.
        let known = zone.iana_name().is_some() && !zone.is_unknown();
        known.then_some(Self(zone)).ok_or_else(unknown)
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        name.parse().map_err(de::Error::custom)
    }
}

/// A name that no time zone has.
///
/// ```
/// use jibri_scaler_core::TimeZone;
///
/// let error = "CEST".parse::<TimeZone>().unwrap_err();
/// assert!(error.to_string().ends_with("Europe/Berlin or UTC"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a time zone: give a name of the IANA database, like Europe/Berlin or UTC")]
#[non_exhaustive]
pub struct UnknownTimeZone {
    /// The name.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_begins_on_monday_by_the_local_clock() {
        let cases = [
            ("UTC", "2026-11-23T00:00:00Z", 0),
            ("UTC", "2026-11-22T23:59:59.9Z", WEEK - 1),
            ("Europe/Berlin", "2026-11-22T23:00:00Z", 0),
            ("America/New_York", "2026-11-23T05:01:00Z", 1),
            ("Asia/Kathmandu", "2026-11-22T18:15:00Z", 0), // 5:45 ahead
            // Summer and winter: 09:00 is 09:00.
            ("Europe/Berlin", "2026-10-23T07:00:00Z", 4 * DAY + 540),
            ("Europe/Berlin", "2026-10-30T08:00:00Z", 4 * DAY + 540),
        ];
        for (zone, at, minute) in cases {
            let zone: TimeZone = zone.parse().unwrap();
            assert_eq!(
                zone.minute_of_week(at.parse().unwrap()),
                minute,
                "{at} in {zone}"
            );
        }
        for end in [Timestamp::MIN, Timestamp::MAX] {
            let zone: TimeZone = "Pacific/Kiritimati".parse().unwrap();
            assert!(zone.minute_of_week(end) < WEEK);
        }
    }

    #[test]
    fn only_names_of_the_database_are_zones() {
        for name in ["", "Etc/Unknown", "local", "+02:00", "../etc/passwd"] {
            assert!(name.parse::<TimeZone>().is_err(), "{name}");
        }
        let zone: TimeZone = "europe/berlin".parse().unwrap();
        assert_eq!(zone.to_string(), "Europe/Berlin");
        let text = serde_json::to_string(&zone).unwrap();
        assert_eq!(serde_json::from_str::<TimeZone>(&text).unwrap(), zone);
    }
}
