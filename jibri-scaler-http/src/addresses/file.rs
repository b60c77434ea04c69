use std::{collections::BTreeMap, ops::Range};

use jibri_scaler_core::InstanceId;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Addresses, ApiBases, BaseUrl};

const HEALTH: &str = "health";
const INTERNAL: &str = "internal";

/// A text that is not an addresses file. The message has the line, the key, and what is allowed there.
///
/// ```
/// use jibri_scaler_http::Addresses;
///
/// let error = Addresses::from_toml("[\"i-0abc\"]\nhealht = \"http://10.0.0.7:2222\"").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "line 2: `i-0abc` has the unknown key `healht`: only `health` and `internal` are allowed",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct InvalidFile {
    line: usize,
    what: String,
}

impl InvalidFile {
    /// The line of the file that is wrong, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }
}

impl Addresses {
    /// Reads an addresses file: TOML with a table for each instance id, which has the addresses of both APIs.
    ///
    /// ```
    /// use jibri_scaler_http::Addresses;
    ///
    /// Addresses::from_toml(r#"
    ///     ["i-0abc"]
    ///     health = "http://10.0.0.7:2222"
    ///     internal = "http://10.0.0.7:3333"
    /// "#)?;
    /// # Ok::<(), jibri_scaler_http::addresses::InvalidFile>(())
    /// ```
    ///
    /// # Errors
    /// Where the text is no TOML, a key is missing or unknown, a value is not an address, or two instances have the same one.
    pub fn from_toml(text: &str) -> Result<Self, InvalidFile> {
        let file = File(text);
        let document = DeTable::parse(text)
            .map_err(|error| file.wrong(error.span().unwrap_or_default(), error.message()))?;
        let mut map = Vec::new();
        // Told at the address of another one, a Jibri that records would be taken for the one that has gone.
        let mut owners = BTreeMap::new();
        for (key, value) in document.get_ref() {
            let id: InstanceId = key.get_ref().parse().map_err(|_| {
                file.wrong(
                    key.span(),
                    "a table has an empty name: it must be an instance id",
                )
            })?;
            let DeValue::Table(table) = value.get_ref() else {
                return Err(file.wrong(
                    key.span(),
                    format!("`{id}` must be a table with `{HEALTH}` and `{INTERNAL}`"),
                ));
            };
            let bases = file.bases(&id, key.span(), table)?;
            for base in [&bases.health, &bases.internal] {
                let owner = owners.entry(base.to_string()).or_insert_with(|| id.clone());
                if *owner != id {
                    return Err(file.wrong(
                        key.span(),
                        format!("`{id}` has the address `{base}` of `{owner}`: each instance has its own Jibri"),
                    ));
                }
            }
            map.push((id, bases));
        }
        Ok(Self::from_map(map))
    }
}

struct File<'a>(&'a str);

impl File<'_> {
    fn bases(
        &self,
        id: &InstanceId,
        header: Range<usize>,
        table: &DeTable<'_>,
    ) -> Result<ApiBases, InvalidFile> {
        let mut health = None;
        let mut internal = None;
        for (key, value) in table {
            let slot = match key.get_ref().as_ref() {
                HEALTH => &mut health,
                INTERNAL => &mut internal,
                other => {
                    return Err(self.wrong(
                        key.span(),
                        format!(
                            "`{id}` has the unknown key `{other}`: only `{HEALTH}` and `{INTERNAL}` are allowed"
                        ),
                    ));
                }
            };
            *slot = Some(self.base(id, key, value)?);
        }
        match (health, internal) {
            (Some(health), Some(internal)) => Ok(ApiBases::new(health, internal)),
            (None, _) => Err(self.missing(id, header, HEALTH, 2222)),
            (_, None) => Err(self.missing(id, header, INTERNAL, 3333)),
        }
    }

    fn base(
        &self,
        id: &InstanceId,
        key: &Spanned<toml::de::DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<BaseUrl, InvalidFile> {
        let name = key.get_ref();
        let Some(text) = value.get_ref().as_str() else {
            return Err(self.wrong(
                key.span(),
                format!("`{name}` of `{id}` must be a text like \"http://10.0.0.7:2222\""),
            ));
        };
        text.parse().map_err(|error: super::InvalidUrl| {
            let why = error.why();
            self.wrong(
                key.span(),
                format!(
                    "`{name}` of `{id}` is not the address of an API: {why}; write it like \"http://10.0.0.7:2222\""
                ),
            )
        })
    }

    fn missing(&self, id: &InstanceId, at: Range<usize>, key: &str, port: u16) -> InvalidFile {
        self.wrong(
            at,
            format!("`{id}` lacks `{key}`: add {key} = \"http://10.0.0.7:{port}\""),
        )
    }

    fn wrong(&self, at: Range<usize>, what: impl Into<String>) -> InvalidFile {
        let before = self.0.as_bytes().iter().take(at.start);
        InvalidFile {
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
            what: what.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::port::Target;

    use super::*;
    use crate::AddressBook as _;

    #[test]
    fn a_file_is_read() {
        let book = Addresses::from_toml(
            "[\"i-0a\"]\nhealth = \"http://a:1\"\ninternal = \"http://a:2\"\n\
             [i-0b]\nhealth = \"http://b:1\"\ninternal = \"http://b:2\"\n",
        )
        .unwrap();
        let find = |id: &str| book.find(&Target::new(id.parse().unwrap()));
        assert_eq!(find("i-0a").unwrap().internal.as_str(), "http://a:2");
        assert_eq!(find("i-0b").unwrap().health.as_str(), "http://b:1");
        assert!(find("i-0c").is_err());
        assert!(Addresses::from_toml("").is_ok(), "no instance yet");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let good = "health = \"http://a:1\"\ninternal = \"http://a:2\"\n";
        let cases = [
            ("health = \"http://a:1\"\n", 1, "`health` must be a table"),
            ("\n[\"\"]\n", 2, "empty name"),
            ("\n\n[x]\nhealth = \"http://a:1\"\n", 3, "lacks `internal`"),
            ("[x]\ninternal = \"http://a:1\"\n", 1, "lacks `health`"),
            ("[x]\nhealth = 2222\n", 2, "`health` of `x` must be a text"),
            ("[x]\nhealth = \"a:2222\"\n", 2, "begin with `http://`"),
            ("[x]\n[x.health]\n", 2, "must be a text"),
            (&format!("[x]\n{good}port = 1\n"), 4, "unknown key `port`"),
            (&format!("[x]\n{good}[x]\n{good}"), 4, "duplicate"),
            (
                &format!("[x]\n{good}[y]\nhealth = \"http://b:1\"\ninternal = \"http://A:2/\"\n"),
                4,
                "`y` has the address `http://a:2` of `x`",
            ),
            ("[x]\n\nhealth = \n", 3, ""),
            ("[x", 1, ""),
        ];
        for (text, line, what) in cases {
            let error = Addresses::from_toml(text).unwrap_err();
            assert_eq!(error.line(), line, "{text:?}: {error}");
            assert!(error.to_string().contains(what), "{text:?}: {error}");
        }
    }
}
