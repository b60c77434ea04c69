//! The policy file.

use std::time::Duration;

use jibri_scaler_core::{FleetSnapshot, Group, Memory, PolicyFile, Timestamp, check, decide};

/// It is refused with a line that there is and a reason of a bounded length; or all of it is in range, and decides.
pub(crate) fn property(file: &[u8]) {
    // Files are read as text.
    let Ok(text) = std::str::from_utf8(file) else {
        return;
    };
    let file = match PolicyFile::from_toml(text) {
        Ok(file) => file,
        Err(error) => {
            let lines = 1 + text.matches('\n').count();
            assert!((1..=lines).contains(&error.line), "{error}");
            assert!(!error.what.is_empty());
            assert!(error.what.len() <= 1000 + 4 * text.len(), "{error}");
            return;
        }
    };
    let limits = &file.limits;
    let week = Duration::from_secs(7 * 24 * 3600);
    assert!(limits.idle_timeout() <= week && limits.surplus_hold() <= week);
    let second = Duration::from_secs(1);
    assert!((second..=3600 * second).contains(&limits.report_ttl()));
    assert!((10 * second..=86_400 * second).contains(&limits.boot_deadline()));
    for limit in [limits.max_launch(), limits.max_retire()] {
        assert!((1..=10_000).contains(&limit));
    }
    let group = FleetSnapshot::new(Group::new(0, u32::MAX, 7), Vec::new());
    let decision = decide(
        &file.policy(),
        limits,
        &group,
        Timestamp::from_secs(0),
        Memory::default(),
    );
    assert_eq!(check(&group, limits, &decision), []);
    assert!(decision.plan.capacity().unwrap_or(7) <= 7 + limits.max_launch());
}
