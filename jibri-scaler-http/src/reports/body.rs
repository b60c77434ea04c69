use jibri_scaler_core::{InstanceId, JibriStatus};
use serde::Deserialize;
use serde_json::Value;

/// What an agent of an unknown version says of it.
const NO_VERSION: &str = "unknown";

/// A report as it is on the wire: Jibri's webhook, and the version of the agent.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) id: InstanceId,
    pub(super) status: JibriStatus,
    pub(super) version: String,
}

/// What it says beside the status.
#[derive(Deserialize)]
struct Sender {
    #[serde(rename = "jibriId")]
    id: InstanceId,
    #[serde(default)]
    agent: Value,
}

impl Body {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let Sender { id, agent } = serde_json::from_slice(body).ok()?;
        let version = agent.get("version").and_then(Value::as_str);
        Some(Self {
            id,
            status: JibriStatus::from_body(body)?,
            version: version.unwrap_or(NO_VERSION).to_owned(),
        })
    }

    pub(super) fn write(id: &InstanceId, status: &JibriStatus, version: &str) -> Vec<u8> {
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
                (&read.id, &read.status, &*read.version),
                (&id, &status, "1.2.3")
            );
        }
    }

    #[test]
    fn a_webhook_of_jibri_itself_is_read_and_garbage_is_not() {
        let webhook = br#"{"jibriId":"i-1","status":{"busyStatus":"BUSY","health":{"healthStatus":"HEALTHY","details":{}}}}"#;
        let read = Body::read(webhook).unwrap();
        assert!(read.status.is_busy() && read.version == NO_VERSION);
        for garbage in [
            &b""[..],
            b"null",
            b"[]",
            b"{}",
            br#"{"jibriId":"i-1"}"#,
            br#"{"jibriId":"","status":{"busyStatus":"IDLE"}}"#,
            br#"{"status":{"busyStatus":"IDLE","health":{"healthStatus":"HEALTHY"}}}"#,
            b"\xff\xfe",
            br#"{"jibriId":"i-1","jibriId":"i-2","busy":false}"#,
            br#"{"jibriId":"i-1","busy":true,"busy":false}"#,
        ] {
            assert!(Body::read(garbage).is_none(), "{garbage:?}");
        }
    }
}
