//! The body of a health answer.

use jibri_scaler_core::JibriStatus;

use super::oracle::Json;

/// It is read or it is not; none that is not plainly idle is read as available; what was read is written so that it is read again.
pub(crate) fn property(body: &[u8]) {
    let Some(status) = JibriStatus::from_body(body) else {
        return;
    };
    if status.is_available() {
        let said = Json::parse(body).expect("what was read is JSON");
        assert!(said.is_plainly_idle(), "read as available: {said:?}");
    }
    let written = serde_json::to_vec(&status).expect("a status can be written");
    let again = JibriStatus::from_body(&written).expect("what was written can be read");
    assert_eq!(again, status);
}
