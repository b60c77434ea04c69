//! Which commands are taken, and what is remembered of them.

use std::time::Duration;

use jibri_scaler_core::{
    InstanceId, Memory,
    operator::{CommandError, Direction, LONGEST_PAUSE, MOST_INSTANCES, OperatorCommand},
};

use crate::{
    command,
    common::{Jibri, Run, at},
};

fn id(id: &str) -> InstanceId {
    id.parse().unwrap()
}

fn said(commands: &[&str]) -> (Memory, Result<(), CommandError>) {
    let mut memory = Memory::default();
    let mut result = Ok(());
    for json in commands {
        assert_eq!(result, Ok(()), "before {json}");
        let before = memory.clone();
        result = memory.command(&command(json), at(0));
        if result.is_err() {
            assert_eq!(memory, before, "an error changes nothing");
        }
    }
    (memory, result)
}

#[test]
fn a_pause_ends_within_thirty_days_from_now() {
    let pause = |until| OperatorCommand::Pause {
        direction: Direction::Both,
        until,
        reason: "why".parse().unwrap(),
    };
    let longest = at(0) + LONGEST_PAUSE;
    let too_long = longest + Duration::from_micros(1);
    let past = |until| Err(CommandError::Past { until, now: at(0) });
    for (until, expected) in [
        (at(0), past(at(0))),
        (at(-1), past(at(-1))),
        (at(1), Ok(())),
        (longest, Ok(())),
        (too_long, Err(CommandError::TooLong { until: too_long })),
    ] {
        let result = Memory::default().command(&pause(until), at(0));
        assert_eq!(result, expected, "{until}");
    }
    let error = CommandError::TooLong { until: too_long }.to_string();
    assert!(error.contains("30d"), "{error}");
}

#[test]
fn each_direction_is_paused_and_resumed_by_itself() {
    let pause =
        |what| format!(r#"{{"kind":"pause","direction":"{what}","until":"@60","reason":"why"}}"#);
    let resume = |what| format!(r#"{{"kind":"resume","direction":"{what}"}}"#);
    for (commands, growing, shrinking) in [
        (vec![pause("growing")], true, false),
        (vec![pause("shrinking")], false, true),
        (vec![pause("both")], true, true),
        (vec![pause("both"), resume("growing")], false, true),
        (vec![pause("both"), resume("shrinking")], true, false),
        (vec![pause("both"), resume("both")], false, false),
        (vec![resume("both")], false, false),
    ] {
        let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
        let (memory, result) = said(&commands);
        assert_eq!(result, Ok(()));
        let paused = |direction| memory.operator().pause(direction).is_some();
        assert_eq!(paused(Direction::Growing), growing, "{commands:?}");
        assert_eq!(paused(Direction::Shrinking), shrinking, "{commands:?}");
        assert_eq!(paused(Direction::Both), growing && shrinking);
    }
}

#[test]
fn what_contradicts_what_was_said_before_is_refused() {
    let keep = r#"{"kind":"keep","id":"a","reason":"its disk"}"#;
    let retire = r#"{"kind":"retire","id":"a","reason":"no sound"}"#;
    let kept = CommandError::Kept {
        id: id("a"),
        reason: "its disk".parse().unwrap(),
    };
    let not_asked = CommandError::NotAsked { id: id("a") };
    let (unkeep, cancel) = (
        r#"{"kind":"unkeep","id":"a"}"#,
        r#"{"kind":"cancel_retire","id":"a"}"#,
    );
    for (commands, expected) in [
        (vec![keep, retire], Err(kept)),
        (vec![keep, unkeep, retire], Ok(())),
        (vec![keep, keep], Ok(())),
        (vec![retire, retire], Ok(())),
        (vec![unkeep], Err(CommandError::NotKept { id: id("a") })),
        (vec![cancel], Err(not_asked.clone())),
        (vec![retire, cancel], Ok(())),
        (vec![retire, cancel, cancel], Err(not_asked)),
    ] {
        assert_eq!(said(&commands).1, expected, "{commands:?}");
    }
}

#[test]
fn what_has_begun_cannot_be_taken_back_nor_asked_for_again() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    run.pass(0, &[Jibri::busy("a")]);
    let retire = command(r#"{"kind":"retire","id":"a","reason":"no sound"}"#);
    run.memory.command(&retire, at(1)).unwrap();
    run.pass(30, &[Jibri::busy("a")]);
    for again in [retire, command(r#"{"kind":"cancel_retire","id":"a"}"#)] {
        let error = run.memory.command(&again, at(31)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("has begun already, and can't be taken back"),
            "{error}"
        );
    }
}

#[test]
fn there_is_a_bound_to_the_instances() {
    let mut memory = Memory::default();
    let most = u32::try_from(MOST_INSTANCES).unwrap();
    let (keep, retire) = (
        |n: u32| OperatorCommand::Keep {
            id: id(&format!("k-{n}")),
            until: None,
            reason: "why".parse().unwrap(),
        },
        |n: u32| OperatorCommand::Retire {
            id: id(&format!("r-{n}")),
            replace: false,
            reason: "why".parse().unwrap(),
        },
    );
    for n in 0..most {
        memory.command(&keep(n), at(0)).unwrap();
        memory.command(&retire(n), at(0)).unwrap();
    }
    for (command, what) in [
        (keep(most), "kept"),
        (retire(most), "to be retired by hand"),
    ] {
        let error = memory.command(&command, at(0)).unwrap_err();
        assert_eq!(error, CommandError::TooMany { what });
    }
    // The same again is no more.
    assert_eq!(memory.command(&keep(7), at(0)), Ok(()));
    assert_eq!(memory.operator().kept().len(), MOST_INSTANCES);
}

#[test]
fn bodies_that_are_no_commands_are_refused_by_name() {
    for (body, named) in [
        (r#"{"kind":"stop"}"#, "stop"),
        (r#"{"kind":"resume"}"#, "direction"),
        (r#"{"kind":"resume","direction":"sideways"}"#, "sideways"),
        (
            r#"{"kind":"pause","direction":"both","reason":"why"}"#,
            "until",
        ),
        (
            r#"{"kind":"pause","direction":"both","until":"soon","reason":"why"}"#,
            "soon",
        ),
        (r#"{"kind":"keep","id":"a","reason":""}"#, "empty"),
        (r#"{"kind":"keep","id":"","reason":"why"}"#, "empty"),
        (
            r#"{"kind":"retire","id":"a","reason":"why","force":true}"#,
            "force",
        ),
    ] {
        let error = serde_json::from_str::<OperatorCommand>(body).unwrap_err();
        assert!(error.to_string().contains(named), "{error} names {named}");
    }
}

#[test]
fn memory_from_before_there_were_operators_is_read_and_nothing_is_written_where_nothing_was_said() {
    let text = serde_json::to_string(&Memory::default()).unwrap();
    assert!(!text.contains("operator"), "{text}");
    let old: Memory = serde_json::from_str(r#"{"version":1}"#).unwrap();
    assert_eq!(old, Memory::default());
    let (memory, _) = said(&[
        r#"{"kind":"pause","direction":"both","until":"@60","reason":"why"}"#,
        r#"{"kind":"keep","id":"a","until":"@90","reason":"why"}"#,
        r#"{"kind":"retire","id":"b","replace":true,"reason":"why"}"#,
    ]);
    let text = serde_json::to_string(&memory).unwrap();
    assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), memory);
}
