//! Recorded ticks, one a line, replayed through the decision.

use std::sync::LazyLock;

use jibri_scaler_core::{Memory, PolicyFile, Tick, check, decide};

use super::oracle::Json;

/// Short times, so that a few lines can reach a retirement.
const POLICY: &str = "min_idle = 2\npercent_idle = 20\nidle_timeout = '20s'\nsurplus_hold = '10s'\nboot_deadline = '1m'";

/// Read once: it takes longer than a short input.
static FILE: LazyLock<PolicyFile> =
    LazyLock::new(|| PolicyFile::from_toml(POLICY).expect("the policy is one"));

/// Each line is refused or read as what it says; what was read is written and read as the same; every decision keeps the rules,
/// and counts no more Jibris as spare than say plainly that they are.
pub(crate) fn property(lines: &[u8]) {
    let file = &*FILE;
    let policy = file.policy();
    let mut memory = Memory::default();
    for line in lines.split(|byte| *byte == b'\n') {
        let Ok(tick) = serde_json::from_slice::<Tick>(line) else {
            continue;
        };
        let written = serde_json::to_string(&tick).expect("a tick can be written");
        let again: Tick = serde_json::from_str(&written).expect("a written tick can be read");
        assert_eq!(again, tick);

        let decision = decide(&policy, &file.limits, &tick.snapshot, tick.at, memory);
        assert_eq!(check(&tick.snapshot, &file.limits, &decision), []);
        assert!(decision.tally.spare as usize <= plainly_idle(line));
        serde_json::to_string(&decision).expect("a decision can be written");
        memory = decision.memory;
        memory.assume_told(tick.at);
    }
}

fn plainly_idle(line: &[u8]) -> usize {
    let said = Json::parse(line).expect("what was read is JSON");
    let [Json::List(rows)] = said.all("instances")[..] else {
        panic!("what was read has one list of instances");
    };
    let idle = |row: &&Json| matches!(row.all("status")[..], [body] if body.is_plainly_idle());
    rows.iter().filter(idle).count()
}
