//! One instance of the group and what is known of its Jibri.

use std::{fmt, net::IpAddr, str::FromStr};

use compact_str::CompactString;
#[cfg(feature = "sim")]
use compact_str::format_compact;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{JibriStatus, Lifecycle, Timestamp};

/// The id of an instance, such as `i-0abcdef1234567890`. Never empty.
///
/// ```
/// use jibri_scaler_core::InstanceId;
///
/// let id: InstanceId = "i-0abc".parse()?;
/// assert_eq!(id.as_str(), "i-0abc");
/// assert!("".parse::<InstanceId>().is_err());
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(CompactString);

impl InstanceId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the instance of this number in a simulation. Their order is that of the numbers.
    #[cfg(feature = "sim")]
    pub(crate) fn numbered(number: u32) -> Self {
        Self(format_compact!("i-{number:08x}"))
    }

    /// The number of the instance in a simulation.
    #[cfg(feature = "sim")]
    pub(crate) fn number(&self) -> Option<u32> {
        u32::from_str_radix(self.0.strip_prefix("i-")?, 16).ok()
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for InstanceId {
    type Err = EmptyInstanceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            Err(EmptyInstanceId)
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl Serialize for InstanceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for InstanceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// An instance id without a character in it.
///
/// ```
/// use jibri_scaler_core::InstanceId;
///
/// let error = "".parse::<InstanceId>().unwrap_err();
/// assert_eq!(error.to_string(), "an instance id must not be empty");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an instance id must not be empty")]
#[non_exhaustive]
pub struct EmptyInstanceId;

/// What came of this tick's attempt to read an instance's health.
///
/// ```
/// use jibri_scaler_core::Reachability;
///
/// let parsed: Reachability = serde_json::from_str(r#""timed_out""#)?;
/// assert_eq!(parsed, Reachability::TimedOut);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reachability {
    /// There was an HTTP answer.
    Answered,
    /// Nothing has ever answered since the instance was launched.
    Never,
    /// The connection was refused, or broken in a way that says that nobody is there.
    Refused,
    /// No answer came in time, or the connection broke on the way.
    TimedOut,
}

/// How an instance can be retired without losing a recording. Found out per instance, never assumed.
///
/// ```
/// use jibri_scaler_core::DrainPath;
///
/// assert_eq!(serde_json::to_string(&DrainPath::Direct)?, r#""direct""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DrainPath {
    /// Through the lifecycle hook of the group and the agent on the instance.
    Agent,
    /// By calling the Jibri's internal API, which has answered over HTTP before.
    Direct,
    /// There is no safe way: it is scaled out and never in.
    None,
}

/// An answer of a Jibri and when it was received.
///
/// ```
/// use jibri_scaler_core::{Report, Timestamp};
///
/// let garbage = Report::new(Timestamp::from_secs(0), None);
/// assert_eq!(garbage.status, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// When it was received, by the clock of the receiver.
    pub received_at: Timestamp,
    /// What it said; `None` where the answer could not be read.
    pub status: Option<JibriStatus>,
}

impl Report {
    /// An answer received at that time; `None` for one that could not be read.
    #[must_use]
    pub const fn new(received_at: Timestamp, status: Option<JibriStatus>) -> Self {
        Self {
            received_at,
            status,
        }
    }
}

/// One instance of the group: what the group says of it, and the newest that its Jibri said.
///
/// ```
/// use jibri_scaler_core::{
///     BusyStatus, HealthStatus, Instance, JibriStatus, Lifecycle, Reachability, Report, Timestamp,
/// };
///
/// let mut instance = Instance::new("i-0abc".parse()?, Lifecycle::InService);
/// instance.reachability = Reachability::Answered;
/// instance.report = Some(Report::new(
///     Timestamp::from_secs(1_763_800_000),
///     Some(JibriStatus::new(BusyStatus::Idle, HealthStatus::Healthy)),
/// ));
/// assert!(!instance.protected);
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its availability zone, where known.
    pub zone: Option<Zone>,
    /// Where it is in the lifecycle of its group.
    pub lifecycle: Lifecycle,
    /// Whether it is protected from scale-in.
    pub protected: bool,
    /// When it was launched, where known.
    pub launched_at: Option<Timestamp>,
    /// Its private address, where known.
    pub private_ip: Option<IpAddr>,
    /// The newest answer of its Jibri that was ever received.
    pub report: Option<Report>,
    /// What came of this tick's attempt to read its health.
    pub reachability: Reachability,
    /// How it can be retired.
    pub drain: DrainPath,
}

impl Instance {
    /// An instance of which nothing is known but its id and its lifecycle state: unprotected, never heard, with no safe way to
    /// be retired.
    #[must_use]
    pub const fn new(id: InstanceId, lifecycle: Lifecycle) -> Self {
        Self {
            id,
            zone: None,
            lifecycle,
            protected: false,
            launched_at: None,
            private_ip: None,
            report: None,
            reachability: Reachability::Never,
            drain: DrainPath::None,
        }
    }

    /// The newest status that could be read, if the newest answer could.
    #[must_use]
    pub fn status(&self) -> Option<&JibriStatus> {
        self.report.as_ref()?.status.as_ref()
    }
}

/// The name of an availability zone, such as `eu-central-1a`.
///
/// ```
/// use jibri_scaler_core::Zone;
///
/// assert_eq!(Zone::from("eu-central-1a").as_str(), "eu-central-1a");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Zone(CompactString);

impl Zone {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Zone {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
