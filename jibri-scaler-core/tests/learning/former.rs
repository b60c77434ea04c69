//! A memory that an older release wrote is read with all that is in it.
//!
//! `former/` has one memory in each shape that there ever was, from the first to that of today, each as the releases of its time wrote
//! it. A shape that changes needs a file more; none of these is ever changed.

use jibri_scaler_core::{
    Memory,
    retirement::{Phase, Retirement},
};
use serde_json::Value;

use crate::common::{Jibri, Run, at, finds};

const SHAPES: [(&str, &str); 11] = [
    ("as it was first", include_str!("former/1-first.json")),
    (
        "since when it is to be told",
        include_str!("former/2-untold-since.json"),
    ),
    (
        "when time was not watched",
        include_str!("former/3-broken-at.json"),
    ),
    (
        "what was taken out of the hold window",
        include_str!("former/4-taken.json"),
    ),
    ("drained by agents", include_str!("former/5-agent.json")),
    (
        "launches that are held back",
        include_str!("former/6-back-off.json"),
    ),
    ("what was learned", include_str!("former/7-learned.json")),
    (
        "what an operator asked for",
        include_str!("former/8-operator.json"),
    ),
    ("demand that grows", include_str!("former/9-level.json")),
    (
        "when it has refused last",
        include_str!("former/10-refused-at.json"),
    ),
    (
        "when it may have been told last",
        include_str!("former/11-unasked-since.json"),
    ),
];

const POLICY: &str = "min_idle = 0\nrefuse_at_most = '1%'\nidle_timeout = '60s'\nsurplus_hold = '60s'\ntime_zone = 'Europe/Berlin'";

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Whether everything that was written is there still.
fn is_kept(was: &Value, is: Option<&Value>) -> bool {
    match (was, is) {
        (Value::Object(was), Some(Value::Object(is))) => {
            was.iter().all(|(key, was)| is_kept(was, is.get(key)))
        }
        (Value::Array(was), Some(Value::Array(is))) => {
            let each = was.iter().zip(is);
            was.len() == is.len() && each.into_iter().all(|(was, is)| is_kept(was, Some(is)))
        }
        (was, is) => is == Some(was),
    }
}

/// What the memories are about, half a minute later.
fn fleet() -> Vec<Jibri> {
    let idle = ["i-0", "i-1", "i-3", "i-5"].map(Jibri::idle);
    let busy = ["i-2", "i-7", "i-8"].map(Jibri::busy);
    let gone = ["i-4", "i-6"].map(|id| Jibri::idle(id).stamped(at(30)).refused());
    [&idle[..], &busy, &gone].concat()
}

#[test]
fn every_shape_is_read_without_a_loss() {
    for (shape, text) in SHAPES {
        let memory: Memory = serde_json::from_str(text).unwrap();
        let again = serde_json::to_value(&memory).unwrap();
        assert!(is_kept(&value(text), Some(&again)), "{shape}: {again}");
    }
    let (_, newest) = SHAPES[SHAPES.len() - 1];
    let memory: Memory = serde_json::from_str(newest).unwrap();
    let text = serde_json::to_string(&memory).unwrap();
    assert_eq!(
        text,
        newest.trim_end(),
        "the shape has changed: add a file, and leave this one as it is"
    );
}

#[test]
fn every_shape_goes_on_where_it_was() {
    for (shape, text) in SHAPES {
        let mut run = Run::new((0, 20, 9), POLICY);
        run.memory = serde_json::from_str(text).unwrap();
        let before = run.memory.retirements().clone();
        let learned = run.memory.learned().clone();
        assert!(before.len() >= 6, "{shape}");
        assert_eq!(before[&"i-2".parse().unwrap()].phase(), Phase::Finishing);

        let decision = run.decide(60, &fleet());
        assert_eq!(
            decision.tally.retiring,
            u32::try_from(before.len()).unwrap() - 1,
            "{shape}: who was given up on is no more on its way"
        );
        assert!(
            !finds(&decision, "anew"),
            "{shape}: {:?}",
            decision.explanation.findings
        );
        // Nobody is retired again, and no retirement is forgotten.
        let again = decision
            .plan
            .retires()
            .filter(|(id, _)| before.contains_key(*id));
        assert_eq!(again.count(), 0, "{shape}");
        for (id, retirement) in &before {
            let now = &run.memory.retirements()[id];
            let what = |it: &Retirement| (it.since(), it.replace(), it.is_by_agent());
            assert_eq!(what(now), what(retirement), "{shape}: {id}");
        }
        if let Some(demand) = learned.demand() {
            let monday = at(23 * 3600);
            let expected = demand.expected_starts(monday, at(24 * 3600));
            assert!(expected > 1.0, "{shape}: {expected}");
            let now = run
                .memory
                .learned()
                .demand()
                .map(|demand| demand.expected_starts(monday, at(24 * 3600)));
            assert!(
                now.is_some_and(|now| (now / expected - 1.0).abs() < 0.01),
                "{shape}: {now:?} for {expected}"
            );
        }
    }
}

#[test]
fn a_demand_that_can_not_be_read_costs_no_retirement_and_is_said_once() {
    let (_, newest) = SHAPES[SHAPES.len() - 1];
    let whole: Memory = serde_json::from_str(newest).unwrap();
    for (from, to, why) in [
        (
            r#""demand":{"version":1"#,
            r#""demand":{"version":2"#,
            "is of version 2, which this release can't read",
        ),
        (
            r#""cells":""#,
            r#""cells":"?"#,
            "demand that was learned can't be read",
        ),
    ] {
        let mut run = Run::new((0, 20, 9), POLICY);
        let text = newest.replace(from, to);
        assert_ne!(text, newest);
        run.memory = serde_json::from_str(&text).unwrap();
        assert_eq!(run.memory.retirements(), whole.retirements());
        assert_eq!(run.memory.operator(), whole.operator());
        assert_eq!(run.memory.learned().boots(), whole.learned().boots());
        // Saved and read before the first tick, it is not forgotten.
        let text = serde_json::to_string(&run.memory).unwrap();
        run.memory = serde_json::from_str(&text).unwrap();
        let decision = run.decide(60, &fleet());
        assert!(finds(&decision, why), "{:?}", decision.explanation.findings);
        let zone = |run: &Run| {
            let demand = run.memory.learned().demand();
            demand.map(|demand| demand.zone().to_string())
        };
        assert_eq!(
            zone(&run).as_deref(),
            Some("Europe/Berlin"),
            "it is learned anew"
        );
        let decision = run.decide(90, &fleet());
        assert!(
            !finds(&decision, "learned"),
            "{:?}",
            decision.explanation.findings
        );
    }
}
