use proptest::prelude::*;

use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn sessions(text: &str) -> Vec<(Timestamp, Timestamp)> {
    let trace = read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
    trace
        .sessions()
        .iter()
        .map(|s| (s.start(), s.end()))
        .collect()
}

fn error(text: &[u8]) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn times_are_rfc_3339_or_seconds_and_rows_come_in_any_order() {
    let expected = [(at(0), at(60)), (at(30), at(30)), (at(30), at(90))];
    for text in [
        "start,end\n0,60\n30,30\n30,90\n",
        "start,end\r\n30,90\r\n30,30\r\n0,60",
        "\u{feff}start,end\n30,90\n\n30,30\n  \n0,60\n\n",
        "end;note;START\n90;x;30\n60;y;0\n30;z;30\n",
        "Start\tEnd\n30\t90\n30\t30\n0\t60\n",
        "start, end, refused, room\n30, 90, , a\n 0 , 60 , false , \"b, c\"\n30,30,0",
        "start,end\n1970-01-01T00:00:30Z,1970-01-01T01:01:30+01:00\n0.0,60.0\n30,30",
    ] {
        assert_eq!(sessions(text), expected, "{text:?}");
    }
}

#[test]
fn fractions_of_seconds_are_kept_to_the_microsecond() {
    assert_eq!(
        sessions("start,end\n0.25,1.000001\n")[0],
        (
            Timestamp::from_micros(250_000),
            Timestamp::from_micros(1_000_001)
        )
    );
    let first = sessions("start,end\n-5,0\n")[0];
    assert_eq!(first.0, at(-5));
}

#[test]
fn one_that_was_refused_needs_no_end() {
    let trace = read(&b"start,end,refused\n0,60,no\n10,,TRUE\n20,15,1\n40,,yes\n"[..]).unwrap();
    assert_eq!((trace.sessions().len(), trace.refused()), (4, 3));
    assert!(trace.imputation().is_some());
}

#[test]
fn mistakes_are_named_with_their_lines_and_what_to_do() {
    let cases: [(&str, &str); 17] = [
        (
            "start,end\n60,0\n",
            "line 2: the session of 1970-01-01T00:01:00Z ends at 1970-01-01T00:00:00Z, before it starts",
        ),
        (
            "start,end\n0,1\n\nnoon,1\n",
            "line 4: the start is `noon`: give a time such as",
        ),
        ("start,end\n0,1\n0,later\n", "line 3: the end is `later`"),
        ("start,end\n0,\n", "line 2: there is no end"),
        ("start,end\n0\n", "line 2: there is no end"),
        ("start,end\n,5\n", "line 2: the start is ``"),
        (
            "start,end,refused\n0,,perhaps\n",
            "line 2: `refused` is `perhaps`: write true or false",
        ),
        (
            "start,end\n1763800000000,1763800001000\n",
            "that looks like milliseconds",
        ),
        (
            "start,end\n2026-11-22T10:00:00,5\n",
            "that has no time zone",
        ),
        ("start,end\n2026-11-22 10:00,5\n", "that has no time zone"),
        ("start,end\nNaN,inf\n", "line 2: the start is `NaN`"),
        (
            "begin,finish\n0,1\n",
            "line 1: the header has no column `start`, but `begin`, `finish`",
        ),
        ("start\n0\n", "the header has no column `end`"),
        (
            "0,60\n30,90\n",
            "the header has no column `start`, but `0`, `60`: the first line must name",
        ),
        ("", "the header has no column `start`, but nothing"),
        ("start,end\n", "no recordings"),
        (
            "start,end\n0,60\n2000000000,2000000060\n",
            "more than five years, from 1970-01-01T00:00:00Z (line 2) to 2033-05-18T03:34:20Z (line 3)",
        ),
    ];
    for (text, expected) in cases {
        let error = error(text.as_bytes());
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn all_lines_are_looked_at_and_some_mistakes_are_shown() {
    let rows = "x,1\n".repeat(9);
    let error = error(format!("start,end\n{rows}").as_bytes());
    assert_eq!(error.matches("line ").count(), 5, "{error}");
    assert!(error.ends_with("and 4 more such lines"), "{error}");
}

#[test]
fn bytes_that_are_no_text_are_named_with_their_line() {
    let error = error(b"start,end\n0,1\n\xff\xfe,3\n");
    assert!(error.contains("line 3: it is not UTF-8"), "{error}");
}

#[test]
fn what_is_shown_of_a_value_is_short_and_on_one_line() {
    let error = error(format!("start,end\n\"{}\u{1b}[31m\n\",1\n", "x".repeat(500)).as_bytes());
    assert!(error.len() < 250 && !error.contains('\u{1b}'), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(bytes.as_slice()).map_err(|error| error.to_string());
    }

    #[test]
    fn no_fields_make_it_panic_and_what_is_read_is_in_order(
        rows in proptest::collection::vec(
            (field(), field(), prop_oneof![Just(String::new()), Just("true".to_owned()), field()]), 0..12),
    ) {
        let rows: Vec<_> = rows.iter().map(|(start, end, refused)| format!("{start},{end},{refused}")).collect();
        if let Ok(trace) = read(format!("start,end,refused\n{}", rows.join("\n")).as_bytes()) {
            prop_assert!(trace.sessions().is_sorted());
            prop_assert!(trace.sessions().iter().all(|s| s.start() <= s.end()));
        }
    }

    #[test]
    fn what_is_written_is_read(rows in proptest::collection::vec((0..100_000_000_i64, 0..100_000_i64), 1..30)) {
        let mut expected: Vec<_> = rows.iter().map(|(start, length)| (at(*start), at(start + length))).collect();
        expected.sort_unstable();
        let rows: Vec<_> = rows.iter().map(|(start, length)| format!("{start},{}", at(start + length))).collect();
        prop_assert_eq!(sessions(&format!("start,end\n{}", rows.join("\n"))), expected);
    }
}

/// Numbers and times of every kind, and what is none.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        (0..3_000_000_000_i64).prop_map(|secs| at(secs).to_string()),
        "\\PC{0,20}",
    ]
}
