use jibri_scaler_core::{DrainPath, Memory, operator::OperatorCommand, standings};

use crate::common::{Jibri, Run, all, at, plan};

/// What is said of each after these ticks, the last one included.
fn said(run: &mut Run, ticks: &[i64], fleet: &[Jibri]) -> Vec<String> {
    let (last, before) = ticks.split_last().unwrap();
    for secs in before {
        run.pass(*secs, fleet);
    }
    let snapshot = run.snapshot(*last, fleet);
    let all = standings(
        &run.policy,
        &run.limits,
        &snapshot,
        at(*last),
        run.memory.clone(),
    );
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

/// What is said of `i-a`, which has been idle for long, in a group with this policy and these others.
fn said_of_an_idle_one(group: (u32, u32, u32), policy: &str, others: &[Jibri]) -> String {
    let mut run = Run::new(group, policy);
    let fleet = all(&[&[Jibri::idle("i-a")], others]);
    said(&mut run, &TICKS, &fleet).remove(0)
}

#[test]
fn whatever_holds_back_an_idle_one_is_said() {
    let dark = |id: &str| Jibri::idle(id).refused();
    let busy = Jibri::busy;
    let blind = "i-a spare: stays: too little of the group can be seen, and nothing is retired until it can be";
    // The group, its policy, the others, and what is said of one that could go.
    let table = [
        (
            (0, 9, 2),
            "min_idle = 0",
            vec![busy("i-b")],
            "i-a spare: goes now",
        ),
        (
            (0, 9, 2),
            "min_idle = 1",
            vec![busy("i-b")],
            "i-a spare: may go when there is a surplus: idle for 2m",
        ),
        (
            (2, 9, 2),
            "min_idle = 0",
            vec![busy("i-b")],
            "i-a spare: stays: the group would fall below its minimum size of 2",
        ),
        // Two are unknown: of four that is more than 45 %, of five not.
        (
            (0, 9, 4),
            "min_idle = 0",
            vec![busy("i-b"), dark("i-y"), dark("i-z")],
            blind,
        ),
        (
            (0, 9, 5),
            "min_idle = 0",
            vec![busy("i-b"), busy("i-c"), dark("i-y"), dark("i-z")],
            "i-a spare: goes now",
        ),
        (
            (0, 9, 4),
            "min_idle = 0\nmax_unknown_percent = 60",
            vec![busy("i-b"), dark("i-y"), dark("i-z")],
            "i-a spare: goes now",
        ),
        // It is the one that goes, and no other beside it.
        (
            (0, 9, 3),
            "min_idle = 0\nmax_retire = 1",
            vec![Jibri::idle("i-b"), busy("i-c")],
            "i-a spare: goes now",
        ),
    ];
    for (group, policy, others, expected) in table {
        let run = |policy: &str| said_of_an_idle_one(group, policy, &others);
        // The clocks are as long as the ticks before the last one, so that it goes in that, if it goes.
        let policy = format!("{policy}\nidle_timeout = '2m'");
        assert_eq!(run(&policy), expected, "{group:?} {policy}");
    }
}

#[test]
fn those_that_wait_for_others_to_leave_are_said_to() {
    let fleet = [
        Jibri::idle("i-a"),
        Jibri::idle("i-b"),
        Jibri::idle("i-c"),
        Jibri::unhealthy("i-d"),
        Jibri::busy("i-e"),
    ];
    let waits = "waits: 1 of at most 1 retirements are under way";
    // The broken one goes at once, and is not gone yet.
    let mut run = Run::new((0, 9, 5), "min_idle = 0\nmax_retire = 1");
    let expected = [
        format!("i-a spare: {waits}"),
        format!("i-b spare: {waits}"),
        format!("i-c spare: {waits}"),
        "i-d retiring: is leaving: told".into(),
        "i-e busy: stays: it records".into(),
    ];
    assert_eq!(said(&mut run, &TICKS, &fleet), expected);
    // With room for two, one idle one goes beside it, and by the memory that comes back it is on its way.
    let mut run = Run::new(
        (0, 9, 5),
        "min_idle = 0\nmax_retire = 2\nidle_timeout = '2m'",
    );
    let both = waits.replace('1', "2");
    let mut expected = [
        "i-a spare: goes now".to_owned(),
        format!("i-b spare: {both}"),
        format!("i-c spare: {both}"),
        "i-d retiring: is leaving: told".into(),
        "i-e busy: stays: it records".into(),
    ];
    assert_eq!(said(&mut run, &TICKS, &fleet), expected);
    let decision = run.decide(120, &fleet);
    assert_eq!(plan(&decision), "retire i-a");
    expected[0] = "i-a retiring: is leaving: requested".into();
    assert_eq!(said(&mut run, &[120], &fleet), expected);
}

#[test]
fn of_broken_ones_the_same_is_said() {
    let (ill, used) = (Jibri::unhealthy("i-a"), Jibri::expired("i-b"));
    let dark = |id: &str| Jibri::idle(id).refused();
    let first = |policy: &str, fleet: &[Jibri]| {
        let mut run = Run::new((0, 9, 9), policy);
        said(&mut run, &[0], fleet)
    };
    let fleet = [ill.clone(), used];
    assert_eq!(
        first("min_idle = 0", &fleet),
        ["i-a unhealthy: goes now", "i-b expired: goes now"]
    );
    assert_eq!(
        first("min_idle = 9\nmax_retire = 1", &fleet),
        [
            "i-a unhealthy: goes now, and is replaced",
            "i-b expired: waits: 1 of at most 1 retirements are under way"
        ]
    );
    let blind = first("min_idle = 0", &[ill.clone(), dark("i-y"), dark("i-z")]);
    let said = "i-a unhealthy: stays: too little of the group can be seen, and nothing is retired until it can be";
    assert_eq!(blind[0], said);
    // After a gap only what answers now is broken, and too few have.
    let mut run = Run::new((0, 9, 3), "min_idle = 0\nboot_deadline = '24h'");
    let silent = [
        Jibri::silent("i-a"),
        Jibri::silent("i-b"),
        Jibri::silent("i-c"),
    ];
    run.pass(0, &silent);
    let answers = [ill, Jibri::silent("i-b"), Jibri::silent("i-c")];
    let dazed = self::said(&mut run, &[3600], &answers);
    assert_eq!(dazed[0], said);
}

#[test]
fn one_that_can_not_go_is_said_why_whatever_the_group_does() {
    let table = [
        (
            Jibri::idle("i-a").timed_out(100),
            "spare: stays: it did not answer in this tick",
        ),
        (
            Jibri::idle("i-a").drain(DrainPath::None),
            "spare: stays: there is no way to tell it to end",
        ),
        (
            Jibri::unhealthy("i-a").drain(DrainPath::None),
            "unhealthy: stays: there is no way to tell it to end",
        ),
        (
            Jibri::silent("i-a").launched(-3600),
            "overdue: stays: it never answered, and may run under a wrong address",
        ),
        (
            Jibri::idle("i-a").refused(),
            "unknown: stays: it may be recording",
        ),
    ];
    for (jibri, expected) in table {
        let mut run = Run::new((0, 9, 2), "min_idle = 0\nidle_timeout = '1m'");
        let fleet = [jibri, Jibri::busy("i-b")];
        let said = said(&mut run, &[120], &fleet);
        assert_eq!(said[0], format!("i-a {expected}"));
    }
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    run.group.safe_retirement = false;
    assert_eq!(
        said(&mut run, &TICKS, &[Jibri::idle("i-a")]),
        ["i-a spare: stays: there is no way to tell it to end"]
    );
}

#[test]
fn one_that_is_to_go_by_hand_is_said_what_it_waits_for() {
    let dark = |id: &str| Jibri::idle(id).refused();
    let retire = r#"{"kind": "retire", "id": "i-a", "reason": "no sound"}"#;
    let table = [
        (vec![], "goes now, and is replaced"),
        (
            vec![dark("i-y"), dark("i-z")],
            "is to go by hand (no sound), but waits: too little of the group can be seen",
        ),
    ];
    for (others, expected) in table {
        let mut run = Run::new((0, 9, 1), "min_idle = 1");
        let fleet = all(&[&[Jibri::idle("i-a")], &others]);
        run.pass(0, &fleet);
        let command: OperatorCommand = serde_json::from_str(retire).unwrap();
        run.memory.command(&command, at(0)).unwrap();
        assert_eq!(
            said(&mut run, &[30], &fleet)[0],
            format!("i-a spare: {expected}")
        );
    }
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
