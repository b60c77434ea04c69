//! Jibri's webhooks, and the report of an agent: the same with the version of the agent.

#[path = "../../jibri-scaler-http/src/reports/body.rs"]
mod body;

use body::{Body, Hint};
use jibri_scaler_core::InstanceId;

use super::oracle::Json;

/// As for the body of a health answer; and it is never taken for the status of another instance than the one it names, nor for the
/// report of an agent where none speaks.
pub(crate) fn property(webhook: &[u8]) {
    session(webhook);
    let Some(read) = Body::read(webhook) else {
        return;
    };
    let said = Json::parse(webhook).expect("what was read is JSON");
    assert!(names(&said, read.id.as_ref()), "{:?}: {said:?}", read.id);
    let agents = said.all("agent");
    assert!(agents.len() <= 1, "{said:?}");
    assert!(read.agent.is_none() || agents.len() == 1, "{said:?}");
    if read.status.is_available() {
        assert!(said.is_plainly_idle(), "read as available: {said:?}");
    }
    let (Some(id), Some(version)) = (read.id, read.agent) else {
        return;
    };
    assert!(version.len() <= 256, "{} bytes are kept", version.len());
    let written = Body::write(&id, &read.status, &version);
    let again = Body::read(&written).expect("what was written can be read");
    assert_eq!(
        (again.id, again.status, again.agent),
        (Some(id), read.status, Some(version))
    );
}

/// The same of a webhook about a session.
fn session(webhook: &[u8]) {
    if let Some(Hint { id }) = Hint::read(webhook) {
        let said = Json::parse(webhook).expect("what was read is JSON");
        assert!(names(&said, id.as_ref()), "{id:?}: {said:?}");
        assert_eq!(said.all("session").len(), 1, "{said:?}");
    }
}

/// Whether it names this instance and no other; or none, where there is none.
fn names(said: &Json, id: Option<&InstanceId>) -> bool {
    match (said.all("jibriId")[..].first(), id) {
        (None, None) => true,
        (Some(Json::Text(name)), id) => {
            said.all("jibriId").len() == 1 && name == id.map_or("", InstanceId::as_str)
        }
        _ => false,
    }
}
