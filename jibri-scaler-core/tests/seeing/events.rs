use std::collections::{BTreeMap, BTreeSet};

use jibri_scaler_core::trace;
use tracing::Level;

use crate::{
    captured::{Captured, Entry},
    script::{SECRET, play},
};

/// The fields of each target: those that each event has, and those that it may have.
const FIELDS: [(&str, &[&str], &[&str]); 9] = [
    (
        trace::TICK,
        &["group", "operation", "kind", "error", "message"],
        &[],
    ),
    (
        trace::DECISION,
        &[
            "group",
            "wanted_spare",
            "winner",
            "spare",
            "coming",
            "booting",
            "overdue",
            "busy",
            "expired",
            "unhealthy",
            "unknown",
            "retiring",
            "other",
            "total",
            "desired",
            "effects",
            "dry_run",
        ],
        &[],
    ),
    (
        trace::STEP,
        &["group", "stage", "before", "after", "because"],
        &[],
    ),
    (
        trace::EFFECT,
        &["group", "kind", "applied"],
        &["id", "to", "replace"],
    ),
    (
        trace::RETIREMENT,
        &["group", "id", "from", "to", "age_seconds", "replace"],
        &[],
    ),
    (trace::FINDING, &["group", "severity", "what", "fix"], &[]),
    (
        trace::PROBLEM,
        &["group", "operation", "kind", "error"],
        &[],
    ),
    (trace::PROBE, &["group", "id", "outcome"], &[]),
    (
        trace::OPERATOR,
        &["group", "command"],
        &["direction", "id", "until", "reason", "error"],
    ),
];

fn events() -> (u32, Captured) {
    let captured = Captured::default();
    let ticks = tracing::subscriber::with_default(captured.clone(), play);
    (ticks, captured)
}

fn of<'a>(events: &'a [Entry], target: &str) -> Vec<&'a Entry> {
    events
        .iter()
        .filter(|event| event.target == target)
        .collect()
}

#[test]
fn each_event_has_the_fields_that_are_documented() {
    let (_, captured) = events();
    let events = captured.events();
    let targets: BTreeSet<_> = events.iter().map(|event| &*event.target).collect();
    let expected = FIELDS.iter().map(|(target, ..)| *target);
    assert_eq!(targets, expected.chain([trace::POLICY]).collect());
    for (target, always, sometimes) in FIELDS {
        let mut met = BTreeSet::new();
        for event in of(&events, target) {
            let names: BTreeSet<_> = event.fields.keys().map(String::as_str).collect();
            let missing: Vec<_> = always
                .iter()
                .filter(|name| !names.contains(*name))
                .collect();
            assert!(missing.is_empty(), "{target} lacks {missing:?}: {event:?}");
            met.extend(event.fields.keys().cloned());
        }
        let known: BTreeSet<_> = always
            .iter()
            .chain(sometimes)
            .map(|name| (*name).to_owned())
            .collect();
        assert_eq!(met, known, "{target}");
    }
    assert!(
        events
            .iter()
            .all(|event| event.fields["group"] == "recorders")
    );
}

#[test]
fn each_tick_is_a_span_of_its_group_with_all_its_events_inside() {
    let (ticks, captured) = events();
    let spans = captured.spans();
    assert_eq!(spans.len(), ticks as usize);
    let names = |span: &BTreeMap<String, String>| span.keys().cloned().collect::<Vec<_>>();
    assert!(spans.iter().all(|span| names(span) == ["at", "group"]));
    assert!(spans.iter().all(|span| span["group"] == "recorders"));
    for event in captured.events() {
        let between = [trace::OPERATOR, trace::POLICY].contains(&&*event.target);
        assert_eq!(event.span.is_none(), between, "{event:?}");
    }
}

#[test]
fn a_retirement_is_told_phase_by_phase() {
    let (_, captured) = events();
    let events = captured.events();
    let phases: Vec<_> = of(&events, trace::RETIREMENT)
        .iter()
        .map(|event| (event.fields["from"].clone(), event.fields["to"].clone()))
        .collect();
    let expected = [
        ("requested", "told"),
        ("told", "gone"),
        ("gone", "released"),
    ];
    assert_eq!(
        phases,
        expected.map(|(from, to)| (from.to_owned(), to.to_owned()))
    );
}

#[test]
fn the_level_says_whether_somebody_should_look() {
    let (_, captured) = events();
    let events = captured.events();
    for finding in of(&events, trace::FINDING) {
        let expected = match &*finding.fields["severity"] {
            "info" => Level::INFO,
            "warning" => Level::WARN,
            _ => Level::ERROR,
        };
        assert_eq!(finding.level, expected);
    }
    for decision in of(&events, trace::DECISION) {
        let quiet = decision.fields["effects"] == "0";
        let expected = if quiet { Level::DEBUG } else { Level::INFO };
        assert_eq!(decision.level, expected);
    }
    for effect in of(&events, trace::EFFECT) {
        let well = effect.fields["applied"] == "done";
        assert_eq!(effect.level, if well { Level::INFO } else { Level::WARN });
    }
    assert!(
        of(&events, trace::EFFECT)
            .iter()
            .any(|event| event.level == Level::WARN)
    );
    assert_eq!(of(&events, trace::TICK)[0].level, Level::ERROR);
    let operator = of(&events, trace::OPERATOR);
    let refused = operator.iter().filter(|event| event.level == Level::WARN);
    assert_eq!(refused.count(), 1);
}

#[test]
fn no_address_is_in_any_event() {
    let (_, captured) = events();
    for event in captured.events() {
        assert!(!format!("{event:?}").contains(SECRET), "{event:?}");
    }
}
