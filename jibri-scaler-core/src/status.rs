//! What a Jibri says about itself.

mod unambiguous;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct as _};
use serde_json::Value;

pub(crate) use unambiguous::Unambiguous;

/// Whether a Jibri has work, as `status.busyStatus` of its health endpoint says.
///
/// Source: `ComponentBusyStatus.kt` of [jitsi/jibri](https://github.com/jitsi/jibri).
///
/// ```
/// use jibri_scaler_core::BusyStatus;
///
/// assert_eq!(BusyStatus::from("BUSY"), BusyStatus::Busy);
/// // A value of some later version is kept; it never reads as idle.
/// assert_eq!(BusyStatus::from("NAPPING").as_str(), "NAPPING");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BusyStatus {
    /// Starting, recording, stopping, or running its finalize script. Published seconds after the recording was accepted.
    Busy,
    /// In single-use mode and used. It still accepts a recording over HTTP.
    Expired,
    /// Nothing is running, as far as Jibri has published.
    Idle,
    /// Missing, or a value not known here, as Jibri wrote it.
    Unknown(Box<str>),
}

impl BusyStatus {
    /// The name Jibri gives this value; empty where the value was missing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Busy => "BUSY",
            Self::Expired => "EXPIRED",
            Self::Idle => "IDLE",
            Self::Unknown(text) => text,
        }
    }
}

impl From<&str> for BusyStatus {
    fn from(text: &str) -> Self {
        match text {
            "BUSY" => Self::Busy,
            "EXPIRED" => Self::Expired,
            "IDLE" => Self::Idle,
            other => Self::Unknown(other.into()),
        }
    }
}

/// Whether a Jibri believes that it can record, as `status.health.healthStatus` says.
///
/// Source: `ComponentHealthStatus.kt` of [jitsi/jibri](https://github.com/jitsi/jibri). Jibri never goes back from
/// `UNHEALTHY` to `HEALTHY` without a restart.
///
/// ```
/// use jibri_scaler_core::HealthStatus;
///
/// assert_eq!(HealthStatus::from("HEALTHY"), HealthStatus::Healthy);
/// assert_eq!(HealthStatus::from("HEALTHYISH"), HealthStatus::Unknown("HEALTHYISH".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HealthStatus {
    /// Nothing has failed since the process started.
    Healthy,
    /// Something on the machine failed; only a restart clears it.
    Unhealthy,
    /// Missing, or a value not known here, as Jibri wrote it.
    Unknown(Box<str>),
}

impl HealthStatus {
    /// The name Jibri gives this value; empty where the value was missing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
            Self::Unknown(text) => text,
        }
    }
}

impl From<&str> for HealthStatus {
    fn from(text: &str) -> Self {
        match text {
            "HEALTHY" => Self::Healthy,
            "UNHEALTHY" => Self::Unhealthy,
            other => Self::Unknown(other.into()),
        }
    }
}

/// The health of one part of a Jibri, an entry of `status.health.details`.
///
/// ```
/// use jibri_scaler_core::{HealthStatus, JibriStatus};
///
/// let body = br#"{"status":{"busyStatus":"IDLE","health":{"healthStatus":"UNHEALTHY",
///     "details":{"JibriManager":{"healthStatus":"UNHEALTHY","detail":""}}}}}"#;
/// let status = JibriStatus::from_body(body).expect("a body of today");
/// assert_eq!(status.details["JibriManager"].health, HealthStatus::Unhealthy);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComponentHealth {
    /// Whether the part works.
    pub health: HealthStatus,
    /// What the part says about it; often empty.
    pub detail: Box<str>,
}

/// What a Jibri's health endpoint returned.
///
/// Reads today's body and the one of versions before 6.5 (2018), ignores unknown members, and keeps unknown values. The shape
/// before 6.5, `{"busy": true}`, had no health and reads as healthy. A member that occurs twice in one object says nothing.
///
/// ```
/// use jibri_scaler_core::{BusyStatus, HealthStatus, JibriStatus};
///
/// let body = r#"{"status":{"busyStatus":"IDLE","health":{"healthStatus":"HEALTHY","details":{}}}}"#;
/// let status = JibriStatus::from_body(body.as_bytes()).expect("a body of today");
/// assert_eq!((status.busy, status.health), (BusyStatus::Idle, HealthStatus::Healthy));
///
/// let old = JibriStatus::from_body(br#"{"busy":true}"#).expect("a body of 2018");
/// assert_eq!(old.busy, BusyStatus::Busy);
///
/// assert_eq!(JibriStatus::from_body(b"<html>"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JibriStatus {
    /// Whether it has work.
    pub busy: BusyStatus,
    /// Whether it believes that it can record.
    pub health: HealthStatus,
    /// The health of its parts, by their names. The names are not fixed.
    pub details: BTreeMap<Box<str>, ComponentHealth>,
    /// The XMPP environment of the running session. Absent does *not* mean idle.
    pub environment: Option<Box<str>>,
}

impl JibriStatus {
    /// A status with these two values and nothing else.
    #[must_use]
    pub const fn new(busy: BusyStatus, health: HealthStatus) -> Self {
        Self {
            busy,
            health,
            details: BTreeMap::new(),
            environment: None,
        }
    }

    /// Reads the body of a health answer; `None` where it is not JSON of a known shape.
    #[must_use]
    pub fn from_body(body: &[u8]) -> Option<Self> {
        let Unambiguous(body) = serde_json::from_slice(body).ok()?;
        Self::from_json(&body)
    }

    /// Reads a health answer that is already JSON; `None` where it is of no known shape. A [`Value`] has forgotten what its text
    /// said twice, so where there is the text, read it [`from_body`](Self::from_body).
    #[must_use]
    pub fn from_json(body: &Value) -> Option<Self> {
        let body = body.as_object()?;
        let Some(status) = body.get("status") else {
            let busy = if body.get("busy")?.as_bool()? {
                BusyStatus::Busy
            } else {
                BusyStatus::Idle
            };
            return Some(Self::new(busy, HealthStatus::Healthy));
        };
        let status = status.as_object()?;
        let health = status.get("health");
        let mut read = Self::new(
            BusyStatus::from(text_of(status.get("busyStatus"))),
            HealthStatus::from(text_of(health.and_then(|h| h.get("healthStatus")))),
        );
        if let Some(details) = health
            .and_then(|h| h.get("details"))
            .and_then(Value::as_object)
        {
            for (name, detail) in details {
                let health = HealthStatus::from(text_of(detail.get("healthStatus")));
                let detail = text_of(detail.get("detail")).into();
                read.details
                    .insert(name.as_str().into(), ComponentHealth { health, detail });
            }
        }
        let environment = body
            .get("environmentContext")
            .and_then(|e| e.get("name"))
            .and_then(Value::as_str);
        read.environment = environment.map(Into::into);
        Some(read)
    }

    /// Whether a recording or its finalize script may be running: `BUSY`, whatever the health.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.busy == BusyStatus::Busy
    }

    /// Whether it says that it is ready for a recording: `IDLE` and `HEALTHY`.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.busy == BusyStatus::Idle && self.health == HealthStatus::Healthy
    }
}

impl Serialize for JibriStatus {
    /// Writes today's shape of the health body.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let details: serde_json::Map<String, Value> = self
            .details
            .iter()
            .map(|(name, part)| {
                let part = serde_json::json!({"healthStatus": part.health.as_str(), "detail": part.detail});
                (name.to_string(), part)
            })
            .collect();
        // A missing value was read as an empty text and is left out again.
        let mut status = serde_json::Map::new();
        if !self.busy.as_str().is_empty() {
            status.insert("busyStatus".into(), self.busy.as_str().into());
        }
        let known = !self.health.as_str().is_empty();
        if known || !details.is_empty() {
            let mut health = serde_json::json!({ "details": details });
            if known {
                health["healthStatus"] = self.health.as_str().into();
            }
            status.insert("health".into(), health);
        }
        let mut body = serializer
            .serialize_struct("JibriStatus", 1 + usize::from(self.environment.is_some()))?;
        body.serialize_field("status", &status)?;
        if let Some(name) = &self.environment {
            body.serialize_field("environmentContext", &serde_json::json!({"name": name}))?;
        }
        body.end()
    }
}

impl<'de> Deserialize<'de> for JibriStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Unambiguous(body) = Unambiguous::deserialize(deserializer)?;
        Self::from_json(&body)
            .ok_or_else(|| de::Error::custom("not the body of a Jibri health answer"))
    }
}

fn text_of(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<JibriStatus> {
        JibriStatus::from_body(body.as_bytes())
    }

    #[test]
    fn bodies_of_all_versions_are_read() {
        use BusyStatus as B;
        use HealthStatus as H;
        let cases = [
            (
                r#"{"status":{"busyStatus":"IDLE","health":{"healthStatus":"HEALTHY","details":{}}}}"#,
                B::Idle,
                H::Healthy,
            ),
            (
                r#"{"status":{"busyStatus":"BUSY","health":{"healthStatus":"HEALTHY","details":{}}},"environmentContext":{"name":"e"}}"#,
                B::Busy,
                H::Healthy,
            ),
            (
                r#"{"status":{"busyStatus":"IDLE","health":{"healthStatus":"UNHEALTHY","details":{"JibriManager":{"healthStatus":"UNHEALTHY","detail":""}}}}}"#,
                B::Idle,
                H::Unhealthy,
            ),
            (
                r#"{"status":{"busyStatus":"EXPIRED","health":{"healthStatus":"HEALTHY"}}}"#,
                B::Expired,
                H::Healthy,
            ),
            (r#"{"busy":true}"#, B::Busy, H::Healthy),
            (
                r#"{"busy":false,"environmentContext":{"name":"x"}}"#,
                B::Idle,
                H::Healthy,
            ),
            (
                r#"{"status":{"busyStatus":"idle","health":{"healthStatus":"HEALTHY"}}}"#,
                B::Unknown("idle".into()),
                H::Healthy,
            ),
            (
                r#"{"status":{"busyStatus":"IDLE"}}"#,
                B::Idle,
                H::Unknown("".into()),
            ),
            (
                r#"{"status":{"busyStatus":"IDLE","health":"HEALTHY"}}"#,
                B::Idle,
                H::Unknown("".into()),
            ),
            (
                r#"{"status":{"busyStatus":7,"health":{"healthStatus":null}}}"#,
                B::Unknown("".into()),
                H::Unknown("".into()),
            ),
            (
                r#"{"status":{},"more":[1]}"#,
                B::Unknown("".into()),
                H::Unknown("".into()),
            ),
        ];
        for (body, busy, health) in cases {
            let status = read(body).unwrap_or_else(|| panic!("{body}"));
            assert_eq!((&status.busy, &status.health), (&busy, &health), "{body}");
            let again = serde_json::to_string(&status).unwrap();
            let again = read(&again).unwrap();
            assert_eq!(
                (again.busy, again.health),
                (busy, health),
                "written and read again: {body}"
            );
        }
    }

    #[test]
    fn what_is_no_health_body_is_not_read() {
        for body in [
            "",
            "null",
            "[]",
            "7",
            "\"IDLE\"",
            "{}",
            "{\"busy\":\"no\"}",
            "{\"status\":\"IDLE\"}",
            "<html></html>",
            "{\"status\":{",
        ] {
            assert_eq!(read(body), None, "{body}");
        }
    }

    #[test]
    fn what_is_said_twice_is_not_read_as_idle() {
        const HEALTHY: &str = r#""health":{"healthStatus":"HEALTHY"}"#;
        let busy = format!(r#""status":{{"busyStatus":"BUSY",{HEALTHY}}}"#);
        let idle = format!(r#""status":{{"busyStatus":"IDLE",{HEALTHY}}}"#);
        for body in [
            format!("{{{busy},{idle}}}"),
            format!("{{{idle},{idle}}}"),
            format!(r#"{{"status":{{"busyStatus":"BUSY","busyStatus":"IDLE",{HEALTHY}}}}}"#),
            format!(r#"{{"status":{{"busyStatus":"IDLE","health":7,{HEALTHY}}}}}"#),
            r#"{"status":{"busyStatus":"IDLE","health":{"healthStatus":"X","healthStatus":"HEALTHY"}}}"#.into(),
            r#"{"busy":true,"busy":false}"#.into(),
        ] {
            let available = read(&body).is_some_and(|status| status.is_available());
            let parsed = serde_json::from_str(&body).is_ok_and(|s: JibriStatus| s.is_available());
            assert!(!available && !parsed, "{body}");
        }
    }

    #[test]
    fn the_health_of_parts_is_kept_where_that_of_the_whole_is_missing() {
        let status = read(r#"{"status":{"health":{"details":{"A":{"detail":"d"}}}}}"#).unwrap();
        assert_eq!(status.details.len(), 1);
        let written = serde_json::to_string(&status).unwrap();
        assert_eq!(read(&written), Some(status), "{written}");
    }

    #[test]
    fn only_idle_and_healthy_is_available() {
        for busy in ["IDLE", "BUSY", "EXPIRED", "", "Idle"] {
            for health in ["HEALTHY", "UNHEALTHY", "", "OK"] {
                let status = JibriStatus::new(busy.into(), health.into());
                assert_eq!(status.is_available(), busy == "IDLE" && health == "HEALTHY");
            }
        }
    }
}
