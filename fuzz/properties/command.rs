//! What an operator says, from the body of a request.

use jibri_scaler_core::{Memory, Timestamp, operator::OperatorCommand};

/// It is refused or read; what was read is written and read as the same; it is taken or refused, and what is refused changes
/// nothing; what is remembered of it can be kept.
pub(crate) fn property(body: &[u8]) {
    let Ok(command) = serde_json::from_slice::<OperatorCommand>(body) else {
        return;
    };
    let written = serde_json::to_vec(&command).expect("a command can be written");
    let again: OperatorCommand =
        serde_json::from_slice(&written).expect("a written command can be read");
    assert_eq!(again, command);
    let mut memory = Memory::default();
    for now in [
        Timestamp::MIN,
        Timestamp::from_secs(1_795_341_600),
        Timestamp::MAX,
    ] {
        for _ in 0..2 {
            let before = memory.clone();
            if let Err(error) = memory.command(&command, now) {
                assert!(error.to_string().len() <= 1000 + 2 * body.len(), "{error}");
                assert_eq!(memory, before);
            }
        }
        let kept = serde_json::to_vec(&memory).expect("a memory can be written");
        let kept: Memory = serde_json::from_slice(&kept).expect("a written memory can be read");
        assert_eq!(kept, memory);
    }
}
