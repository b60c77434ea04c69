use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why an operator asks for something: one line of 1 to 200 characters.
///
/// It is shown in findings, logs and pages, so it must not hold what is secret.
///
/// ```
/// use jibri_scaler_core::operator::Reason;
///
/// let reason: Reason = "the upload is broken".parse()?;
/// assert_eq!(reason.to_string(), "the upload is broken");
/// assert!("".parse::<Reason>().is_err());
/// # Ok::<(), jibri_scaler_core::operator::BadReason>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(Box<str>);

impl Reason {
    /// The longest reason, in characters.
    pub const LONGEST: usize = 200;

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = BadReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            Err(BadReason::Empty)
        } else if text.chars().count() > Self::LONGEST {
            Err(BadReason::TooLong)
        } else if text.chars().any(char::is_control) {
            // Findings are lines of logs, and nobody may write lines of their own into those.
            Err(BadReason::Control)
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl TryFrom<String> for Reason {
    type Error = BadReason;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0.into()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no [`Reason`].
///
/// ```
/// use jibri_scaler_core::operator::{BadReason, Reason};
///
/// assert_eq!(" ".parse::<Reason>(), Err(BadReason::Empty));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadReason {
    /// Nothing but white space.
    #[error("the reason is empty: say in a few words why, for those who see it later")]
    Empty,
    /// More than [`Reason::LONGEST`] characters.
    #[error("the reason is longer than 200 characters: shorten it, or link to the rest")]
    TooLong,
    /// It has control characters, such as a line break.
    #[error("the reason has line breaks or other control characters: write it on one line")]
    Control,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_that_is_not_too_long() {
        let longest = "ä".repeat(Reason::LONGEST);
        for (text, expected) in [
            ("  why ", Ok("why")),
            (&longest, Ok(&*longest)),
            ("", Err(BadReason::Empty)),
            (" \n", Err(BadReason::Empty)),
            (&format!("{longest}a"), Err(BadReason::TooLong)),
            ("a\nb", Err(BadReason::Control)),
            ("a\u{1b}[31mb", Err(BadReason::Control)),
        ] {
            let reason = text.parse::<Reason>();
            assert_eq!(
                reason.as_ref().map(Reason::as_str).map_err(|error| *error),
                expected
            );
        }
        assert!(serde_json::from_str::<Reason>(r#""""#).is_err());
    }
}
