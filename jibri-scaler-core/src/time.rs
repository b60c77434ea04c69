//! Moments in time, always given from outside.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in time, in microseconds since the Unix epoch.
///
/// The core never reads a clock: whoever embeds it says what time it is. Parses from and prints as
/// [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) (years 0 to 9999, printed in UTC); digits beyond the microsecond are cut.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::Timestamp;
///
/// let start: Timestamp = "2026-11-22T10:00:00+02:00".parse()?;
/// let later = start + Duration::from_secs(90);
/// assert_eq!(later.to_string(), "2026-11-22T08:01:30Z");
/// assert_eq!(later.since(start), Duration::from_secs(90));
/// // A step back in time is no negative duration, it is none at all.
/// assert_eq!(start.since(later), Duration::ZERO);
/// # Ok::<(), jibri_scaler_core::ParseTimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Year 0, the first moment that can be written in RFC 3339.
    pub const MIN: Self = Self(-62_167_219_200_000_000);
    /// 9999-12-30T22:00:00Z, the last second moment that can be written in every time zone.
    pub const MAX: Self = Self(253_402_207_200_000_000);

    /// The moment `micros` microseconds after the Unix epoch, brought into the range [`MIN`](Self::MIN)..=[`MAX`](Self::MAX).
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// The moment `secs` seconds after the Unix epoch, brought into the representable range.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_micros(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch; negative before it.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    pub(crate) fn to_jiff(self) -> jiff::Timestamp {
        // The range of this type lies inside that of jiff.
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// How long ago `earlier` was, seen from `self`; zero when `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The moment `span` before this one, not before [`MIN`](Self::MIN).
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self::from_micros(self.0.saturating_sub(micros(span)))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    /// The moment `span` after this one, not after [`MAX`](Self::MAX).
    fn add(self, span: Duration) -> Self {
        Self::from_micros(self.0.saturating_add(micros(span)))
    }
}

impl From<std::time::SystemTime> for Timestamp {
    fn from(time: std::time::SystemTime) -> Self {
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => Self::from_micros(micros(after)),
            Err(before) => Self::from_micros(micros(before.duration()).saturating_neg()),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_jiff().fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseTimestampError { text: text.into() };
        let time: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
        let micros = time.as_microsecond();
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(wrong())
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A text that is no RFC 3339 time.
///
/// ```
/// use jibri_scaler_core::Timestamp;
///
/// let error = "noon".parse::<Timestamp>().unwrap_err();
/// assert!(error.to_string().starts_with("`noon` is not a time"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a time: write it like 2026-11-22T10:00:00Z (RFC 3339)")]
pub struct ParseTimestampError {
    text: String,
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// A duration as people write it: `1h 30m`, `45s`, `250ms`.
pub(crate) const fn readable(span: Duration) -> Readable {
    Readable(span)
}

/// See [`readable`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readable(Duration);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_secs();
        if total == 0 {
            return match self.0.subsec_millis() {
                0 => f.write_str("0s"),
                millis => write!(f, "{millis}ms"),
            };
        }
        let parts = [
            (total / 86_400, "d"),
            (total / 3600 % 24, "h"),
            (total / 60 % 60, "m"),
            (total % 60, "s"),
        ];
        let mut space = "";
        for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{space}{number}{unit}")?;
            space = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_times_do_not_overflow() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::MIN.before(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
        for time in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn wrong_texts_are_refused_with_the_text() {
        for text in [
            "",
            "yesterday",
            "2026-11-22",
            "2026-11-22T10:00:00",
            "2026-13-01T00:00:00Z",
        ] {
            let error = text.parse::<Timestamp>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn durations_read_well() {
        let cases = [
            (0, "0s"),
            (45, "45s"),
            (600, "10m"),
            (5400, "1h 30m"),
            (90_061, "1d 1h 1m 1s"),
            (86_401, "1d 1s"),
        ];
        for (secs, text) in cases {
            assert_eq!(readable(Duration::from_secs(secs)).to_string(), text);
        }
        assert_eq!(readable(Duration::from_millis(250)).to_string(), "250ms");
        assert_eq!(readable(Duration::from_millis(2500)).to_string(), "2s");
    }
}
