use jibri_scaler_core::{InstanceId, JibriStatus};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

/// What an agent of an unknown version says of it.
const NO_VERSION: &str = "unknown";
/// What is kept of a version.
const LONGEST_VERSION: usize = 64;

/// A pushed status as it is on the wire: Jibri's webhook, or the same with the version of an agent.
#[derive(Debug)]
pub(crate) struct Body {
    /// Whose it is; absent where `jibriId` is missing or empty, as in a Jibri that was told no name.
    pub(crate) id: Option<InstanceId>,
    pub(crate) status: JibriStatus,
    /// The version of the agent; absent where no agent speaks.
    pub(crate) agent: Option<String>,
}

/// What it says beside the status.
#[derive(Deserialize)]
struct Sender {
    #[serde(rename = "jibriId", default)]
    id: String,
    #[serde(default)]
    agent: Option<Value>,
}

/// A webhook about a session. What it says of the session is not kept: the Jibri is asked.
#[derive(Debug)]
pub(crate) struct Hint {
    /// As in [`Body`].
    pub(crate) id: Option<InstanceId>,
}

#[derive(Deserialize)]
struct Session {
    #[serde(rename = "jibriId", default)]
    id: String,
    #[serde(rename = "session")]
    _session: SessionStatus,
}

#[derive(Deserialize)]
struct SessionStatus {
    #[serde(rename = "status")]
    _status: String,
    #[serde(rename = "failure", default)]
    _failure: IgnoredAny,
}

impl Body {
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let Sender { id, agent } = serde_json::from_slice(body).ok()?;
        let version = |agent: Value| {
            let version = agent.get("version").and_then(Value::as_str);
            let version = version.unwrap_or(NO_VERSION).chars();
            version.take(LONGEST_VERSION).collect()
        };
        Some(Self {
            id: id.parse().ok(),
            status: JibriStatus::from_body(body)?,
            agent: agent.map(version),
        })
    }

    pub(crate) fn write(id: &InstanceId, status: &JibriStatus, version: &str) -> Vec<u8> {
        let mut body = serde_json::json!(status);
        if let Some(body) = body.as_object_mut() {
            body.insert("jibriId".to_owned(), id.as_str().into());
            body.insert(
                "agent".to_owned(),
                serde_json::json!({ "version": version }),
            );
        }
        body.to_string().into_bytes()
    }
}

impl Hint {
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        // A list of the same values would do for serde.
        if !body.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        let session: Session = serde_json::from_slice(body).ok()?;
        Some(Self {
            id: session.id.parse().ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::{BusyStatus, HealthStatus};

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let id: InstanceId = "i-0abc".parse().unwrap();
        for busy in [BusyStatus::Idle, BusyStatus::Busy, BusyStatus::Expired] {
            let status = JibriStatus::new(busy, HealthStatus::Unhealthy);
            let read = Body::read(&Body::write(&id, &status, "1.2.3")).unwrap();
            assert_eq!(
                (read.id.as_ref(), &read.status, read.agent.as_deref()),
                (Some(&id), &status, Some("1.2.3"))
            );
        }
    }

    #[test]
    fn a_webhook_of_jibri_itself_is_read_and_is_no_report_of_an_agent() {
        let webhook = |more: &str| {
            let health = r#"{"healthStatus":"HEALTHY","details":{}}"#;
            format!(r#"{{{more}"status":{{"busyStatus":"BUSY","health":{health}}}}}"#).into_bytes()
        };
        let read = |more| Body::read(&webhook(more)).unwrap();
        let named = read(r#""jibriId":"i-1","#);
        assert!(named.status.is_busy() && named.agent.is_none());
        assert_eq!(named.id, Some("i-1".parse().unwrap()));
        for unnamed in [r#""jibriId":"","#, "", r#""agent":null,"#] {
            let read = read(unnamed);
            assert!(read.id.is_none() && read.agent.is_none(), "{unnamed}");
        }
        for no_version in [r#""agent":{},"#, r#""agent":7,"#] {
            assert_eq!(read(no_version).agent.as_deref(), Some(NO_VERSION));
        }
        let long = format!(r#""agent":{{"version":"{}"}},"#, "é".repeat(5000));
        assert_eq!(read(&long).agent.unwrap().chars().count(), LONGEST_VERSION);
    }

    #[test]
    fn garbage_is_not_read() {
        for garbage in [
            &b""[..],
            b"null",
            b"[]",
            b"{}",
            br#"{"jibriId":"i-1"}"#,
            br#"{"jibriId":7,"busy":true}"#,
            br#"{"jibriId":null,"busy":true}"#,
            b"\xff\xfe",
            br#"{"jibriId":"i-1","jibriId":"i-2","busy":false}"#,
            br#"{"jibriId":"i-1","busy":true,"busy":false}"#,
        ] {
            assert!(Body::read(garbage).is_none(), "{garbage:?}");
            assert!(Hint::read(garbage).is_none(), "{garbage:?}");
        }
    }

    #[test]
    fn a_session_webhook_says_whose_it_is() {
        let read = |body: &str| Hint::read(body.as_bytes()).map(|hint| hint.id);
        let off = r#""session":{"sessionId":"a","status":"OFF","failure":{"reason":"ERROR"},"shouldRetry":true}"#;
        let named = read(&format!(r#"{{"jibriId":"i-1",{off}}}"#));
        assert_eq!(named, Some(Some("i-1".parse().unwrap())));
        assert_eq!(read(&format!("{{{off}}}")), Some(None));
        for other in [
            r#"{"jibriId":"i-1","session":{}}"#,
            r#"{"jibriId":"i-1","session":null}"#,
            r#"{"jibriId":"i-1","busy":true}"#,
            r#"["i-1",{"sessionId":"a","status":"ON"}]"#,
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
