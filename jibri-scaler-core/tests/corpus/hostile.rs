//! Inputs of 64 KiB and over, made here rather than kept.

use std::iter::repeat_n;

type Inputs = Vec<(&'static str, Vec<u8>)>;

const LONG: usize = 64 * 1024;

const IDLE: &str =
    r#"{"status":{"busyStatus":"IDLE","health":{"healthStatus":"HEALTHY","details":{}}}}"#;

/// The same with that in the place of the details.
fn idle_with(details: &str) -> String {
    IDLE.replace("{}", details)
}

fn listed(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(",")
}

/// What is bad for any format.
fn any() -> Inputs {
    vec![
        ("blanks", vec![b' '; LONG]),
        ("NULs", vec![0; LONG]),
        ("invalid UTF-8", vec![0xff; LONG]),
        ("lists in lists", vec![b'['; LONG]),
        ("objects in objects", br#"{"a":"#.repeat(LONG / 5)),
        ("tables in tables", b"{a=".repeat(LONG / 3)),
        ("quotes", vec![b'"'; LONG]),
        ("backslashes", vec![b'\\'; LONG]),
        ("digits", vec![b'9'; LONG]),
        ("lines", vec![b'\n'; LONG]),
    ]
}

pub(crate) fn health_bodies() -> Inputs {
    let mut inputs = any();
    let parts = listed(4000, |i| format!(r#""{i}":{{"healthStatus":"X"}}"#));
    let long = "x".repeat(LONG);
    inputs.extend([
        (
            "many parts",
            idle_with(&format!("{{{parts}}}")).into_bytes(),
        ),
        (
            "one part many times",
            idle_with(&format!("{{{}}}", listed(4000, |_| r#""a":{}"#.into()))).into_bytes(),
        ),
        (
            "a long detail",
            idle_with(&format!(r#"{{"a":{{"detail":"{long}"}}}}"#)).into_bytes(),
        ),
        ("a long value", IDLE.replace("IDLE", &long).into_bytes()),
        ("a long name", IDLE.replace("details", &long).into_bytes()),
        (
            "a status many times",
            format!("{{{}}}", listed(4000, |_| IDLE[1..IDLE.len() - 1].into())).into_bytes(),
        ),
        (
            "blanks after it",
            IDLE.bytes().chain(repeat_n(b' ', LONG)).collect(),
        ),
        ("a long number", idle_with(&"1".repeat(LONG)).into_bytes()),
    ]);
    inputs
}

pub(crate) fn policy_files() -> Inputs {
    let mut inputs = any();
    let lines = |line: &dyn Fn(usize) -> String| (0..4000).map(line).collect::<String>();
    inputs.extend([
        (
            "a long comment",
            format!("# {}", "x".repeat(LONG)).into_bytes(),
        ),
        (
            "many keys",
            lines(&|i| format!("key_{i} = {i}\n")).into_bytes(),
        ),
        (
            "one key many times",
            lines(&|_| "min_idle = 1\n".into()).into_bytes(),
        ),
        (
            "many tables",
            lines(&|i| format!("[table_{i}]\n")).into_bytes(),
        ),
        (
            "a table of many parts",
            format!("[{}]", "a.".repeat(LONG / 2)).into_bytes(),
        ),
        (
            "a long key",
            format!("{} = 1", "k".repeat(LONG)).into_bytes(),
        ),
        (
            "a long duration",
            format!("idle_timeout = '{}'", "1h ".repeat(LONG / 3)).into_bytes(),
        ),
        (
            "a mistake far down",
            format!("{}max_launch = 0", "\n".repeat(LONG)).into_bytes(),
        ),
    ]);
    inputs
}

/// A tick with these rows.
fn tick(rows: &str) -> Vec<u8> {
    format!(
        r#"{{"at":"2026-11-22T10:00:00Z","group":{{"min_size":1,"max_size":9,"desired":3,"safe_retirement":true}},"instances":[{rows}]}}"#
    )
    .into_bytes()
}

fn row(id: &str, more: &str) -> String {
    format!(
        r#"{{"id":"{id}","lifecycle":"InService","protected":false,"reachability":"answered","status":{IDLE}{more}}}"#
    )
}

pub(crate) fn tick_lines() -> Inputs {
    let mut inputs = any();
    let zone = |i: usize| format!(r#","zone":"{i}""#);
    inputs.extend([
        (
            "many instances",
            tick(&listed(500, |i| row(&format!("i-{i}"), ""))),
        ),
        (
            "many that agree on nothing",
            tick(&listed(500, |i| row("i-1", &zone(i)))),
        ),
        ("one many times", tick(&listed(500, |_| row("i-1", "")))),
        ("a long id", tick(&row(&"i".repeat(LONG), ""))),
        (
            "many small ticks",
            [tick(""), vec![b'\n']].concat().repeat(400),
        ),
    ]);
    inputs
}

pub(crate) fn memory_files() -> Inputs {
    const NOW: &str = r#""2026-11-22T10:00:00Z""#;
    let mut inputs = any();
    let memory = |more: String| format!(r#"{{"version":1,{more}}}"#).into_bytes();
    let retirement = |i: usize| {
        format!(
            r#""i-{i}":{{"phase":"gone","since":{NOW},"untold_since":{NOW},"replace":false,"seen_busy":false,"returns":0}}"#
        )
    };
    let trace = |i: usize| {
        format!(
            r#"{{"id":"i-{}","first_seen":{NOW},"heard":true,"idle":[{NOW},{NOW}]}}"#,
            i % 700
        )
    };
    inputs.extend([
        (
            "many retirements",
            memory(format!(r#""retirements":{{{}}}"#, listed(700, retirement))),
        ),
        (
            "many instances, twice",
            memory(format!(r#""instances":[{}]"#, listed(1400, trace))),
        ),
        (
            "many that are kept",
            memory(format!(
                r#""operator":{{"kept":{{{}}}}}"#,
                listed(1500, |i| format!(
                    r#""i-{i}":{{"since":{NOW},"reason":"x"}}"#
                ))
            )),
        ),
        (
            "as many by hand as may be",
            memory(format!(
                r#""operator":{{"retires":{{{}}}}}"#,
                listed(256, |i| format!(
                    r#""i-{i}":{{"since":{NOW},"reason":"x"}}"#
                ))
            )),
        ),
        (
            "a long window",
            memory(format!(
                r#""window":{{"since":{NOW},"lows":[{}]}}"#,
                listed(2500, |i| format!("[{NOW},{i}]"))
            )),
        ),
    ]);
    inputs
}

pub(crate) fn commands() -> Inputs {
    let mut inputs = any();
    let keep = |id: &str, reason: &str| {
        format!(r#"{{"kind":"keep","id":"{id}","reason":"{reason}"}}"#).into_bytes()
    };
    inputs.extend([
        ("a long id", keep(&"i".repeat(LONG), "x")),
        ("a long reason", keep("i-1", &"x".repeat(LONG))),
        ("a reason of spaces", keep("i-1", &" ".repeat(LONG))),
    ]);
    inputs
}

pub(crate) fn audit_logs() -> Inputs {
    let mut inputs = any();
    let line = |more: &str| {
        let tick = String::from_utf8(tick(&row("i-1", ""))).expect("ours");
        let open = tick.strip_suffix('}').expect("an object");
        format!("{open},{more},\"decision\":{{}}}}\n")
    };
    let whole = line(r#""memory":{"version":1}"#);
    inputs.extend([
        ("many lines", whole.repeat(60).into_bytes()),
        (
            "a long policy",
            line(&format!(r##""policy":"#{}""##, "x".repeat(LONG))).into_bytes(),
        ),
    ]);
    inputs
}
