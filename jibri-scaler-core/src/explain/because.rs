use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::sentence::Sentence;
use crate::policy::Clause;

/// Why something was decided: a value that becomes text only where it is printed.
///
/// A decision holds the numbers of its reasons, not sentences made of them: most of the decisions of a simulation are read by nobody.
/// `Display` makes the sentence. Two are equal where they print the same, so that one that was written as JSON (which is the sentence
/// itself) and read again equals the first.
///
/// A [policy](crate::policy::Policy) gives its own reason as any text, or as any value that prints itself, which
/// [`display`](Self::display) takes:
///
/// ```
/// use jibri_scaler_core::Because;
///
/// let text = Because::from("it is Monday");
/// assert_eq!(text, "it is Monday");
/// assert_eq!(serde_json::to_string(&text)?, r#""it is Monday""#);
/// assert_eq!(Because::from(format!("{} are in use", 7)), "7 are in use");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Because(Reason);

#[derive(Clone)]
enum Reason {
    Clause(Clause),
    Sentence(Sentence),
}

impl Because {
    /// The reason that this value prints, made into text only where it is read. It must print the same each time.
    ///
    /// ```
    /// use std::fmt;
    /// use jibri_scaler_core::Because;
    ///
    /// struct InUse(u32);
    ///
    /// impl fmt::Display for InUse {
    ///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    ///         write!(f, "{} are in use", self.0)
    ///     }
    /// }
    ///
    /// assert_eq!(Because::display(InUse(7)), "7 are in use");
    /// ```
    pub fn display(reason: impl fmt::Display + Send + Sync + 'static) -> Self {
        Clause::Displayed(Arc::new(reason)).into()
    }

    /// The same as part of a sentence.
    pub(crate) fn into_clause(self) -> Clause {
        match self.0 {
            Reason::Clause(clause) => clause,
            Reason::Sentence(sentence) => Clause::Displayed(Arc::new(sentence)),
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Clause(clause) => clause.fmt(f),
            Reason::Sentence(sentence) => sentence.fmt(f),
        }
    }
}

/// The text, in quotes.
impl fmt::Debug for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl From<&'static str> for Because {
    fn from(text: &'static str) -> Self {
        Cow::Borrowed(text).into()
    }
}

impl From<String> for Because {
    fn from(text: String) -> Self {
        Cow::<'static, str>::Owned(text).into()
    }
}

impl From<Cow<'static, str>> for Because {
    fn from(text: Cow<'static, str>) -> Self {
        Clause::Text(text).into()
    }
}

impl From<Clause> for Because {
    fn from(clause: Clause) -> Self {
        Self(Reason::Clause(clause))
    }
}

impl From<Sentence> for Because {
    fn from(sentence: Sentence) -> Self {
        Self(Reason::Sentence(sentence))
    }
}

impl PartialEq for Because {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Reason::Clause(Clause::Text(text)), _) => *other == **text,
            (_, Reason::Clause(Clause::Text(text))) => *self == **text,
            _ => *self == *other.to_string(),
        }
    }
}

impl Eq for Because {}

impl PartialEq<str> for Because {
    fn eq(&self, text: &str) -> bool {
        use fmt::Write as _;

        let mut rest = Rest(text);
        write!(rest, "{self}").is_ok() && rest.0.is_empty()
    }
}

impl PartialEq<&str> for Because {
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

/// What of a text is yet to be printed.
struct Rest<'a>(&'a str);

impl fmt::Write for Rest<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
        Ok(())
    }
}

impl Serialize for Because {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Because {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(max_size: u32) -> Because {
        Sentence::Bounds {
            min_size: 1,
            max_size,
        }
        .into()
    }

    #[test]
    fn what_prints_the_same_is_equal_however_it_came_about() {
        let text = "the group may have 1 to 9 instances";
        let same = [
            bounds(9),
            text.into(),
            text.to_owned().into(),
            Because::display(text),
            bounds(9).into_clause().into(),
        ];
        for (one, other) in same.iter().zip(same.iter().cycle().skip(1)) {
            assert_eq!(one, other);
            assert_eq!(*one, text);
            assert_eq!(format!("{one:?}"), format!("{text:?}"));
        }
        let others = [
            bounds(8),
            bounds(99),
            "".into(),
            Because::display("the group may"),
        ];
        for other in &others {
            assert_ne!(bounds(9), *other);
            assert_ne!(*other, bounds(9));
            assert_ne!(*other, text);
        }
    }

    #[test]
    fn it_is_written_as_its_text_and_read_again_as_an_equal() {
        let quoted = Because::display("say \"no\"\n");
        for because in [bounds(9), quoted] {
            let json = serde_json::to_string(&because).unwrap();
            assert_eq!(json, serde_json::to_string(&because.to_string()).unwrap());
            let read: Because = serde_json::from_str(&json).unwrap();
            assert_eq!(read, because);
        }
        assert!(serde_json::from_str::<Because>("7").is_err());
    }
}
