//! Lines of an audit log.

use jibri_scaler_core::{PolicyFile, Tick, audit::Replay, check};

/// Each line is refused or computed again; what is computed keeps the rules, and is the same when it is computed once more.
pub(crate) fn property(log: &[u8]) {
    let Ok(log) = std::str::from_utf8(log) else {
        return;
    };
    let default = || PolicyFile::from_toml("").expect("a policy of defaults");
    let mut replay = Replay::with_policy(default());
    let mut policy = default();
    for line in log.lines() {
        let Ok(replayed) = replay.line(line) else {
            continue;
        };
        let tick: Tick = serde_json::from_str(line).expect("a line is a tick");
        let line: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        if let Some(text) = line.get("policy").and_then(|text| text.as_str()) {
            policy = PolicyFile::from_toml(text).expect("it was read before");
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
