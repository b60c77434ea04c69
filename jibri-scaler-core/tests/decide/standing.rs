use jibri_scaler_core::{DrainPath, Memory, operator::OperatorCommand, standings};

use crate::common::{Jibri, Run, at};

/// What is said of each after these ticks, the last one included.
fn said(run: &mut Run, ticks: &[i64], fleet: &[Jibri]) -> Vec<String> {
    let (last, before) = ticks.split_last().unwrap();
    for secs in before {
        run.pass(*secs, fleet);
    }
    let snapshot = run.snapshot(*last, fleet);
    let all = standings(&run.limits, &snapshot, at(*last), run.memory.clone());
    all.into_iter()
        .map(|standing| format!("{} {}: {}", standing.id, standing.class, standing.verdict))
        .collect()
}

const TICKS: [i64; 5] = [0, 30, 60, 90, 120];

#[test]
fn each_instance_is_said_why_it_may_go_or_not() {
    let fleet = [
        Jibri::idle("i-a"),
        Jibri::idle("i-b").drain(DrainPath::None),
        Jibri::busy("i-c"),
        Jibri::silent("i-d"),
        Jibri::unhealthy("i-e"),
        Jibri::idle("i-f").lifecycle("Terminating:Wait"),
        Jibri::idle("i-g").lifecycle("Standby"),
    ];
    let mut run = Run::new((9, 20, 9), "min_idle = 9");
    run.group.safe_retirement = true;
    let expected = [
        "i-a spare: may go when there is a surplus: idle for 2m",
        "i-b spare: stays: there is no way to tell it to end",
        "i-c busy: stays: it records",
        "i-d booting: stays: nothing can be told yet",
        "i-e retiring: is leaving: told",
        "i-f retiring: is leaving",
        "i-g other: stays: its state is none that is scaled",
    ];
    assert_eq!(said(&mut run, &TICKS, &fleet), expected);
}

#[test]
fn one_that_is_not_idle_for_long_stays() {
    let fleet = [Jibri::idle("i-a")];
    let mut run = Run::new((1, 20, 1), "min_idle = 1");
    let said = said(&mut run, &TICKS[..2], &fleet);
    assert_eq!(
        said,
        ["i-a spare: stays: idle for 30s, and 1m are asked for"]
    );
    assert_eq!(
        self::said(&mut Run::new((1, 20, 1), "min_idle = 1"), &[0], &fleet),
        ["i-a spare: stays: idle for 0s, and 1m are asked for"]
    );
}

#[test]
fn what_operators_ask_is_said() {
    let fleet = [
        Jibri::idle("i-a"),
        Jibri::idle("i-b"),
        Jibri::unhealthy("i-c"),
    ];
    let mut run = Run::new((3, 20, 3), "min_idle = 3");
    let commands = [
        r#"{"kind": "keep", "id": "i-a", "reason": "a demonstration"}"#,
        r#"{"kind": "pause", "direction": "shrinking", "until": "2099-01-01T00:00:00Z", "reason": "a test"}"#,
    ];
    // A pause may last 30 days.
    let until = (at(0) + std::time::Duration::from_secs(86_400)).to_string();
    for command in commands {
        let command = command.replace("2099-01-01T00:00:00Z", &until);
        let command: OperatorCommand = serde_json::from_str(&command).unwrap();
        run.memory.command(&command, at(0)).unwrap();
    }
    let paused = format!("stays: shrinking is paused until {until}");
    let expected = [
        "i-a spare: stays: kept by hand (a demonstration)".to_owned(),
        format!("i-b spare: {paused}"),
        format!("i-c unhealthy: {paused}"),
    ];
    assert_eq!(said(&mut run, &TICKS, &fleet), expected);
    assert_ne!(run.memory, Memory::default());
}
