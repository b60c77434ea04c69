//! The names of AWS things, checked when they are made.

use std::{fmt, str::FromStr};

/// The longest name of a group, and the longest namespace, in characters.
const MAX_LENGTH: usize = 255;

/// The longest name of a controller: with the time it fits into the 256 characters of a tag.
const CONTROLLER_LENGTH: usize = 128;

/// The shortest name of a table.
const SHORTEST_TABLE: usize = 3;

/// What comes before the name of a group in the key of its memory. The name of a group has no colon, so that no lead has such a key.
pub(crate) const MEMORY_PREFIX: &str = "memory:";

macro_rules! name {
    ($type:ident) => {
        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// The name of an Auto Scaling group: 1 to 255 visible ASCII characters without a colon
/// ([`CreateAutoScalingGroup`](https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html)).
///
/// ```
/// use jibri_scaler_aws::GroupName;
///
/// let name: GroupName = "jibri-production".parse()?;
/// assert_eq!(name.as_str(), "jibri-production");
/// assert!("jibri production".parse::<GroupName>().is_err());
/// # Ok::<(), jibri_scaler_aws::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Box<str>);

name!(GroupName);

impl FromStr for GroupName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let what = "the name of an Auto Scaling group";
        check(
            what,
            text,
            MAX_LENGTH,
            "visible ASCII characters without a colon",
            |c| c.is_ascii_graphic() && c != ':',
        )?;
        Ok(Self(text.into()))
    }
}

/// The CloudWatch namespace that metrics are published in: 1 to 255 characters of `A-Z a-z 0-9 . - _ / # :`, not beginning with
/// `AWS/`, which belongs to AWS, nor with a colon
/// ([Namespaces](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Namespace)).
///
/// ```
/// use jibri_scaler_aws::Namespace;
///
/// assert_eq!(Namespace::default().as_str(), "Jibri");
/// assert!("Video/Jibri".parse::<Namespace>().is_ok());
/// assert!("AWS/EC2".parse::<Namespace>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Box<str>);

name!(Namespace);

impl Default for Namespace {
    /// `Jibri`.
    fn default() -> Self {
        Self("Jibri".into())
    }
}

impl FromStr for Namespace {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let what = "a CloudWatch namespace";
        check(
            what,
            text,
            MAX_LENGTH,
            "letters, digits and . - _ / # :",
            |c| c.is_ascii_alphanumeric() || ".-_/#:".contains(c),
        )?;
        for (start, why) in [
            ("AWS/", "must not begin with `AWS/`, which belongs to AWS"),
            (":", "must not begin with a colon"),
        ] {
            if text.starts_with(start) {
                return Err(InvalidName::new(what, text, why));
            }
        }
        Ok(Self(text.into()))
    }
}

/// The name under which a controller leaves its mark on a group: 1 to 128 visible ASCII characters, so that name
/// and time fit into a tag.
///
/// ```
/// use jibri_scaler_aws::ControllerName;
///
/// assert_eq!("scaler-a".parse::<ControllerName>()?.as_str(), "scaler-a");
/// assert!("scaler a".parse::<ControllerName>().is_err());
/// # Ok::<(), jibri_scaler_aws::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ControllerName(Box<str>);

name!(ControllerName);

impl FromStr for ControllerName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let what = "the name of a controller";
        check(
            what,
            text,
            CONTROLLER_LENGTH,
            "visible ASCII characters",
            |c| c.is_ascii_graphic(),
        )?;
        Ok(Self(text.into()))
    }
}

/// The name of a `DynamoDB` table: 3 to 255 characters of `A-Z a-z 0-9 _ - .`
/// ([Naming rules](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html)).
///
/// ```
/// use jibri_scaler_aws::TableName;
///
/// assert_eq!("jibri-scaler-leads".parse::<TableName>()?.as_str(), "jibri-scaler-leads");
/// assert!("no".parse::<TableName>().is_err());
/// # Ok::<(), jibri_scaler_aws::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName(Box<str>);

name!(TableName);

impl FromStr for TableName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let what = "the name of a DynamoDB table";
        check(what, text, MAX_LENGTH, "letters, digits and . - _", |c| {
            c.is_ascii_alphanumeric() || ".-_".contains(c)
        })?;
        if text.len() < SHORTEST_TABLE {
            let why = format!("must have at least {SHORTEST_TABLE} characters");
            return Err(InvalidName::new(what, text, why));
        }
        Ok(Self(text.into()))
    }
}

fn check(
    what: &'static str,
    text: &str,
    max_length: usize,
    allowed: &str,
    is_allowed: impl Fn(char) -> bool,
) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::new(what, text, "must not be empty"));
    }
    if text.chars().count() > max_length {
        let why = format!("must not be longer than {max_length} characters");
        return Err(InvalidName::new(what, text, why));
    }
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(c) => {
            let why = format!("may only have {allowed}, and here is {c:?}");
            Err(InvalidName::new(what, text, why))
        }
        None => Ok(()),
    }
}

/// A text that AWS would not take as this name, or that is no address.
///
/// ```
/// use jibri_scaler_aws::GroupName;
///
/// let error = "a:b".parse::<GroupName>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`a:b` cannot be the name of an Auto Scaling group: it may only have visible ASCII characters without a colon, \
///      and here is ':'",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be {what}: it {why}")]
pub struct InvalidName {
    what: &'static str,
    text: String,
    why: String,
}

impl InvalidName {
    pub(crate) fn new(what: &'static str, text: &str, why: impl Into<String>) -> Self {
        Self {
            what,
            text: text.into(),
            why: why.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_groups_keep_to_the_documented_characters() {
        for good in ["a", "jibri-1_2.3/{x}", &"g".repeat(255)] {
            assert_eq!(good.parse::<GroupName>().unwrap().to_string(), good);
        }
        for bad in ["", "a b", "a:b", "größe", "a\n", &"g".repeat(256)] {
            assert!(bad.parse::<GroupName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_of_controllers_fit_into_a_mark() {
        for good in ["a", "scaler:1@host", &"c".repeat(128)] {
            assert_eq!(good.parse::<ControllerName>().unwrap().to_string(), good);
        }
        for bad in ["", "a b", "größe", &"c".repeat(129)] {
            assert!(bad.parse::<ControllerName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_of_tables_keep_to_the_documented_characters() {
        for good in ["abc", "jibri-1_2.3", &"t".repeat(255)] {
            assert_eq!(good.parse::<TableName>().unwrap().to_string(), good);
        }
        for bad in ["", "ab", "a b", "a:bc", "größe", "a/b", &"t".repeat(256)] {
            assert!(bad.parse::<TableName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn namespaces_keep_to_the_documented_characters() {
        for good in [
            "Jibri",
            "a.b-c_d/e#f:g",
            "AWSome",
            "aws/x",
            &"n".repeat(255),
        ] {
            assert_eq!(good.parse::<Namespace>().unwrap().to_string(), good);
        }
        for bad in ["", "AWS/Jibri", ":a", "a b", "a{b}", "é", &"n".repeat(256)] {
            assert!(bad.parse::<Namespace>().is_err(), "{bad:?}");
        }
    }
}
