use super::*;

const TICKS: &str = include_str!("../data/ticks.jsonl");
const POLICY: &str = include_str!("../data/policy.toml");

fn run(policy: &str, ticks: &str) -> (Vec<serde_json::Value>, Result<(), Stopped>) {
    let mut out = Vec::new();
    let policy = PolicyFile::from_toml(policy).unwrap();
    let end = replay(&policy, ticks.as_bytes(), &mut out);
    let lines = out
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    (
        lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect(),
        end,
    )
}

#[test]
fn the_sample_grows_waits_and_retires_the_one_that_was_idle_longest() {
    let (decisions, _) = run(POLICY, TICKS);
    let effects: Vec<_> = decisions
        .iter()
        .map(|decision| decision["effects"].clone())
        .collect();
    assert_eq!(
        effects[0],
        serde_json::json!([{"kind": "set_capacity", "to": 4}])
    );
    assert_eq!(
        effects[6],
        serde_json::json!([{"kind": "retire", "id": "i-0dd", "replace": false}])
    );
    let others = effects
        .iter()
        .enumerate()
        .filter(|(at, _)| ![0, 6].contains(at));
    for (at, effects) in others {
        assert_eq!(
            *effects,
            serde_json::json!([]),
            "tick {at}: retired once, and nothing else"
        );
    }
}

#[test]
fn a_malformed_line_ends_it_after_all_decisions_before_it() {
    let first = TICKS.lines().next().unwrap();
    for (bad, named) in [
        ("{", "EOF while parsing an object at column 1"),
        ("{\"at\":\"noon\"}", "noon"),
        ("\u{1F980}", "expected value"),
    ] {
        let (decisions, end) = run("", &format!("{first}\n\n  \n{first}\n{bad}\n{first}\n"));
        assert_eq!(decisions.len(), 2);
        let message = end.unwrap_err().to_string();
        assert!(
            message.starts_with("line 5 is not a tick: ") && message.contains(named),
            "{message}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_malformed_and_not_a_crash() {
    let mut out = Vec::new();
    let policy = PolicyFile::from_toml("").unwrap();
    let end = replay(&policy, &b"\xff\xfe\n"[..], &mut out);
    assert!(matches!(end, Err(Stopped::Line { number: 1, .. })));
}

#[test]
fn a_last_line_without_an_end_and_lines_of_windows_are_read() {
    let first = TICKS.lines().next().unwrap();
    let (decisions, end) = run("", &format!("{first}\r\n\r\n{first}"));
    assert!(end.is_ok());
    assert_eq!(decisions.len(), 2);
}

#[test]
fn what_a_recording_teaches_is_replayed_too() {
    let policy = "refuse_at_most = '1%'\nrefusal_step = 2\nreport_ttl = '1h'\ntime_zone = 'Europe/Berlin'\n\
                  [[reservation]]\nfrom = 2026-11-22T09:00:00Z\nto = 2026-11-22T10:30:00Z\nspare = 1\n";
    let tick = |minute: u32, refused: u32| {
        let first = TICKS.lines().next().unwrap();
        let (at, refused) = (
            format!("10:{minute:02}:00Z"),
            format!("{{\"refused\":{refused},"),
        );
        first.replace("10:00:00Z", &at).replacen('{', &refused, 1)
    };
    let ticks: Vec<_> = (0..40)
        .map(|minute| tick(minute, u32::from(minute == 35)))
        .collect();
    let (decisions, end) = run(policy, &ticks.join("\n"));
    assert!(end.is_ok());
    let because = |minute: usize| {
        decisions[minute]["explanation"][0]["because"]
            .as_str()
            .unwrap()
    };
    assert!(
        because(0).starts_with("min_idle + reservation wants 2 spare"),
        "{}",
        because(0)
    );
    assert!(
        because(29).starts_with("slo + reservation wants"),
        "{}",
        because(29)
    );
    assert!(because(34).starts_with("slo wants"), "{}", because(34));
    assert!(
        because(36).starts_with("slo + refusal_step wants"),
        "{}",
        because(36)
    );
}
