//! What has been learned survives a restart, and an older memory is read.

use jibri_scaler_core::{Decision, Memory};

use crate::common::{Jibri, Run, finds, many, plan};

const POLICY: &str = "min_idle = 2\nrefuse_at_most = '1%'\nrefusal_step = 2\nidle_timeout = '60s'";

/// A busy hour: every minute another one is taken and one is given back, and now and then recordings are refused.
fn hour(run: &mut Run, restart: bool) -> Vec<String> {
    (0..120_usize)
        .map(|tick| {
            if restart {
                let text = serde_json::to_string(&run.memory).unwrap();
                run.memory = serde_json::from_str(&text).unwrap();
            }
            run.refused = Some(u32::from(tick % 50 == 17));
            let fleet: Vec<_> = (0..8)
                .map(|number| {
                    let id = format!("i-{number}");
                    if (number + tick / 2) % 4 == 0 {
                        Jibri::busy(&id)
                    } else {
                        Jibri::idle(&id)
                    }
                })
                .collect();
            let decision = run.decide(i64::try_from(tick).unwrap() * 30, &fleet);
            serde_json::to_string(&decision).unwrap()
        })
        .collect()
}

#[test]
fn a_restart_at_each_tick_changes_no_decision() {
    let run = || Run::new((0, 20, 8), POLICY);
    let (mut one, mut other) = (run(), run());
    assert_eq!(hour(&mut one, false), hour(&mut other, true));
    assert_eq!(one.memory, other.memory);
    assert!(one.memory.learned().demand().is_some());
}

/// As the release before learning wrote it.
const OLD: &str = r#"{"version":1,"last_tick":"2026-11-22T10:00:30Z","broken_at":null,"desired_seen":2,"desired_set":null,
    "decrements_due":0,"missing_since":null,"blind_launches":null,
    "window":{"since":"2026-11-22T10:00:00Z","lows":[["2026-11-22T10:00:30Z",0]],"taken":0},
    "instances":[
        {"id":"i-00","first_seen":"2026-11-22T10:00:00Z","heard":true,"overdue":false,
         "report":["2026-11-22T10:00:30Z","2026-11-22T10:00:30Z"],"idle":["2026-11-22T10:00:00Z","2026-11-22T10:00:30Z"],
         "busy_since":null,"unknown_since":null},
        {"id":"i-01","first_seen":"2026-11-22T10:00:00Z","heard":true,"overdue":false,
         "report":["2026-11-22T10:00:30Z","2026-11-22T10:00:30Z"],"idle":["2026-11-22T10:00:00Z","2026-11-22T10:00:30Z"],
         "busy_since":null,"unknown_since":null}],
    "retirements":{}}"#;

#[test]
fn a_memory_from_before_learning_is_read_and_goes_on() {
    let mut run = Run::new((0, 20, 2), POLICY);
    run.memory = serde_json::from_str(OLD).unwrap();
    assert_eq!(run.memory.learned(), Memory::default().learned());
    let decision: Decision = run.tick(60, &many('i', 2, Jibri::idle));
    assert_eq!(plan(&decision), "");
    assert!(
        !finds(&decision, "anew"),
        "no gap: {:?}",
        decision.explanation.findings
    );
    let learned = serde_json::to_value(run.memory.learned()).unwrap();
    assert_eq!(
        learned["boots"],
        serde_json::Value::Null,
        "what was up before is no boot now"
    );
    assert_eq!(learned["interval"], 30_000_000);
    run.pass(90, &[Jibri::busy("i-00"), Jibri::idle("i-01")]);
    assert_eq!(run.tick(120, &many('i', 2, Jibri::idle)).tally.spare, 2);
}
