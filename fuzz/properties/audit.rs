//! Lines of an audit log.

use jibri_scaler_core::{
    PolicyFile, Tick,
    audit::{AuditError, FailedTick, Replay},
    check,
};
use serde::Deserialize;

/// What of a line is no part of its tick. Of what nobody reads, as a member that is not known, JSON need not even be a string of characters.
#[derive(Deserialize)]
struct Line {
    policy: Option<String>,
}

/// Each line is refused, or computed again, or that of a tick that failed; what is computed keeps the rules, and is the same when it is
/// computed once more. What failed is no tick, and is the same when it is read once more.
pub(crate) fn property(log: &[u8]) {
    let Ok(log) = std::str::from_utf8(log) else {
        return;
    };
    let default = || PolicyFile::from_toml("").expect("a policy of defaults");
    let mut replay = Replay::with_policy(default());
    let mut policy = default();
    for line in log.lines() {
        let replayed = match replay.line(line) {
            Ok(replayed) => replayed,
            Err(AuditError::TickFailed(failed)) => {
                assert!(serde_json::from_str::<Tick>(line).is_err());
                let again = serde_json::to_string(&failed).expect("it is written");
                let again: FailedTick = serde_json::from_str(&again).expect("and read again");
                assert_eq!(again, failed);
                continue;
            }
            Err(_) => continue,
        };
        let tick: Tick = serde_json::from_str(line).expect("a line is a tick");
        let line: Line = serde_json::from_str(line).expect("a line may have a policy");
        if let Some(text) = line.policy {
            policy = PolicyFile::from_toml(&text).expect("it was read before");
        }
        assert_eq!(
            check(&tick.snapshot, &policy.limits, &replayed.decision),
            []
        );
        let text = replayed.recomputed();
        assert!(!text.is_empty());
        assert_eq!(replayed.is_equal(), replayed.recorded == text);
    }
}
