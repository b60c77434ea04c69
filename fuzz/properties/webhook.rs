//! The report of an agent: Jibri's webhook, with the version of the agent.

#[path = "../../jibri-scaler-http/src/reports/body.rs"]
mod body;

use body::Body;

use super::oracle::Json;

/// As for the body of a health answer; and it is never taken for the report of another instance than the one it names.
pub(crate) fn property(webhook: &[u8]) {
    let Some(read) = Body::read(webhook) else {
        return;
    };
    let said = Json::parse(webhook).expect("what was read is JSON");
    let ids = said.all("jibriId");
    assert_eq!(ids, [&Json::Text(read.id.as_str().to_owned())]);
    if read.status.is_available() {
        assert!(said.is_plainly_idle(), "read as available: {said:?}");
    }
    let written = Body::write(&read.id, &read.status, &read.version);
    let again = Body::read(&written).expect("what was written can be read");
    assert_eq!(
        (again.id, again.status, again.version),
        (read.id, read.status, read.version)
    );
}
