use std::time::Duration;

use serde_json::Value;

use super::{Request, Sink};

/// Why a `startService` is not taken up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 412 with this text.
    Missing(&'static str),
    /// 500.
    Unreadable,
}

/// The members of the body that Jibri knows; another one makes it unreadable.
const KNOWN: [&str; 6] = [
    "sessionId",
    "callParams",
    "callLoginParams",
    "sinkType",
    "youTubeStreamKey",
    "sipClientParams",
];

/// Reads the parameters of `startService` as strictly as Jibri does. How long to record is no parameter of the real one: it is
/// the query `seconds`.
pub(super) fn read(
    content_type: &str,
    query: Option<&str>,
    body: &[u8],
) -> Result<Request, Refusal> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::Unreadable);
    }
    let body: Value = serde_json::from_slice(body).map_err(|_| Refusal::Unreadable)?;
    let params = body.as_object().ok_or(Refusal::Unreadable)?;
    if params.keys().any(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Refusal::Unreadable);
    }
    let text = |key: &str| params.get(key).and_then(Value::as_str);
    let has = |key: &str| params.get(key).is_some_and(|value| !value.is_null());
    let session = text("sessionId").ok_or(Refusal::Unreadable)?;
    if !has("callParams") {
        return Err(Refusal::Unreadable);
    }
    let sip_address = match params.get("sipClientParams") {
        None | Some(Value::Null) => None,
        Some(sip) => {
            let address = sip.get("sipAddress").and_then(Value::as_str);
            Some(address.ok_or(Refusal::Unreadable)?.into())
        }
    };
    let sink = text("sinkType").ok_or(Refusal::Unreadable)?;
    let sink = match sink.to_ascii_lowercase().as_str() {
        "file" | "stream" if !has("callLoginParams") => {
            return Err(Refusal::Missing("Call login params missing"));
        }
        "stream" if !has("youTubeStreamKey") => {
            return Err(Refusal::Missing("Stream key missing"));
        }
        "gateway" if sip_address.is_none() => {
            return Err(Refusal::Missing("SIP client params missing"));
        }
        "file" => Sink::File,
        "stream" => Sink::Stream,
        "gateway" => Sink::Gateway,
        _ => return Err(Refusal::Unreadable),
    };
    let seconds = query
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("seconds="));
    let duration = match seconds {
        None => None,
        Some(text) => Some(Duration::from_secs(
            text.parse().map_err(|_| Refusal::Unreadable)?,
        )),
    };
    Ok(Request::Start {
        session: session.into(),
        duration,
        sink,
        sip_address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        r#"{"sessionId":"s","callParams":{},"callLoginParams":{},"sinkType":"FILE"}"#;

    #[test]
    fn a_start_is_read() {
        let request = read(
            "application/json; charset=utf-8",
            Some("seconds=600"),
            FILE.as_bytes(),
        );
        let start = |duration| Request::Start {
            session: "s".into(),
            duration,
            sink: Sink::File,
            sip_address: None,
        };
        assert_eq!(request, Ok(start(Some(Duration::from_secs(600)))));
        let request = read("application/json", None, FILE.as_bytes());
        assert_eq!(request, Ok(start(None)));
    }

    #[test]
    fn a_gateway_has_a_sip_address() {
        let gateway = |sip: &str| {
            let body = format!(
                r#"{{"sessionId":"s","callParams":{{}},"sinkType":"Gateway","sipClientParams":{sip}}}"#
            );
            read("application/json", None, body.as_bytes())
        };
        let request = gateway(r#"{"sipAddress":"room@sip.example"}"#).unwrap();
        let expected = Request::Start {
            session: "s".into(),
            duration: None,
            sink: Sink::Gateway,
            sip_address: Some("room@sip.example".into()),
        };
        assert_eq!(request, expected);
        assert_eq!(gateway("{}"), Err(Refusal::Unreadable));
    }

    #[test]
    fn wrong_starts_are_refused_as_jibri_does() {
        let cases = [
            (
                r#"{"sessionId":"s","callParams":{},"sinkType":"file"}"#,
                Refusal::Missing("Call login params missing"),
            ),
            (
                r#"{"sessionId":"s","callParams":{},"callLoginParams":{},"sinkType":"stream"}"#,
                Refusal::Missing("Stream key missing"),
            ),
            (
                r#"{"sessionId":"s","callParams":{},"sinkType":"gateway"}"#,
                Refusal::Missing("SIP client params missing"),
            ),
            (
                r#"{"callParams":{},"sinkType":"file"}"#,
                Refusal::Unreadable,
            ),
            (
                r#"{"sessionId":"s","sinkType":"file"}"#,
                Refusal::Unreadable,
            ),
            (
                r#"{"sessionId":"s","callParams":{},"sinkType":"cinema"}"#,
                Refusal::Unreadable,
            ),
            (
                r#"{"sessionId":"s","callParams":{},"sinkType":"file","x":1}"#,
                Refusal::Unreadable,
            ),
            ("{", Refusal::Unreadable),
            ("[]", Refusal::Unreadable),
        ];
        for (body, refusal) in cases {
            assert_eq!(
                read("application/json", None, body.as_bytes()),
                Err(refusal),
                "{body}"
            );
        }
        assert_eq!(
            read("text/plain", None, FILE.as_bytes()),
            Err(Refusal::Unreadable)
        );
        let badly = read("application/json", Some("seconds=x"), FILE.as_bytes());
        assert_eq!(badly, Err(Refusal::Unreadable));
    }
}
