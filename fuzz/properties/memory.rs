//! What a controller remembers, from its file.

use std::{sync::LazyLock, time::Duration};

use jibri_scaler_core::{
    Limits, Memory, PolicyFile, Tick, Timestamp, check, decide,
    port::{Presence, Told},
    retirement::{Retirement, Work},
};

/// Four times the same group: two idle ones, a busy one, two silent ones, one that boots, two broken ones and one that leaves.
const TICKS: &str = include_str!("ticks.jsonl");
/// The one that is certainly busy: it is told where it is retired by hand, and ends when it is done.
const BUSY: &str = "i-3";
/// Those of them that are certainly free.
const MAY_GO: [&str; 4] = ["i-1", "i-2", "i-7", "i-8"];

static SEEN: LazyLock<Vec<Tick>> = LazyLock::new(|| {
    let read = |line| serde_json::from_str(line).expect("a tick");
    TICKS.lines().map(read).collect()
});

/// It is refused or read; what was read is written and read as the same; and whatever it says, the decisions that start from it
/// keep the rules and retire nobody that is busy, but by hand, or of whom nothing certain is known.
pub(crate) fn property(file: &[u8]) {
    let Ok(memory) = serde_json::from_slice::<Memory>(file) else {
        return;
    };
    let written = serde_json::to_vec(&memory).expect("a memory can be written");
    let again: Memory = serde_json::from_slice(&written).expect("a written memory can be read");
    assert_eq!(again, memory);
    for now in [Timestamp::MIN, Timestamp::from_secs(0), Timestamp::MAX] {
        let resumed = memory.clone().resumed(now, &Limits::default());
        for memory in [&memory, &resumed] {
            for retirement in memory.retirements().values() {
                go_on(retirement.clone(), now);
            }
        }
    }

    let policy = PolicyFile::from_toml("min_idle = 0\nidle_timeout = '0s'\nsurplus_hold = '0s'");
    let policy = policy.expect("a policy");
    let mut memory = memory;
    for tick in &*SEEN {
        let decision = decide(
            &policy.policy(),
            &policy.limits,
            &tick.snapshot,
            tick.at,
            memory,
        );
        assert_eq!(check(&tick.snapshot, &policy.limits, &decision), []);
        for (id, _) in decision.plan.retires() {
            let by_hand = decision.memory.operator().retires().contains_key(id);
            let told = by_hand && id.as_str() == BUSY;
            assert!(told || MAY_GO.contains(&id.as_str()), "{id} is retired");
        }
        memory = decision.memory;
        memory.assume_told(tick.at);
    }
}

/// A retirement that was read goes on without a panic, whatever is seen next.
fn go_on(mut retirement: Retirement, now: Timestamp) {
    const SPAN: Duration = Duration::from_secs(120);
    let limits = Limits::default();
    retirement.interrupted(now, &limits);
    for work in [Work::Unknown, Work::Free, Work::Busy] {
        retirement.reported(work, now, &limits);
        for presence in [Presence::BothRefuse, Presence::Unclear, Presence::Answers] {
            retirement.looked(presence, now, &limits);
            retirement.heard(now);
            let _ = retirement.is_still_gone(presence, now, &limits);
        }
        retirement.told(Told::Yes, now);
        retirement.still_in_service(now, SPAN);
        retirement.give_up_untold(now, &limits);
        retirement.asking(now);
        retirement.released(retirement.replace(), now);
        let _ = retirement.next(now, &limits);
    }
}
