use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_executor::block_on;
use jibri_scaler_core::{
    Memory,
    learned::{Learned, WeeklyDemand},
    metrics::{AWS_REQUESTS, EXPECTED_REFUSALS, Kind, LEADS, METRICS, describe},
    port::{MemoryStore as _, MockLeadership, PortErrorKind},
    sim::SimOperation,
};
use metrics_util::{
    MetricKind,
    debugging::{DebugValue, DebuggingRecorder},
};

use crate::{
    script::play,
    world::{INTERVAL, World, at, secs},
};

/// Labels of one series, and its value.
type Series = Vec<(BTreeMap<String, String>, DebugValue)>;

struct Seen {
    ticks: u32,
    series: BTreeMap<String, Series>,
    kinds: BTreeMap<String, MetricKind>,
}

fn seen() -> Seen {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let ticks = metrics::with_local_recorder(&recorder, play);
    let (mut series, mut kinds) = (BTreeMap::<_, Series>::new(), BTreeMap::new());
    for (composite, _, _, value) in snapshotter.snapshot().into_vec() {
        let (kind, key) = composite.into_parts();
        let labels = key.labels();
        let labels = labels.map(|label| (label.key().to_owned(), label.value().to_owned()));
        let name = key.name().to_owned();
        kinds.insert(name.clone(), kind);
        series
            .entry(name)
            .or_default()
            .push((labels.collect(), value));
    }
    Seen {
        ticks,
        series,
        kinds,
    }
}

impl Seen {
    /// The value of the one series that has these labels beside that of the group.
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted = |found: &BTreeMap<String, String>| {
            labels.iter().all(|(key, value)| found[*key] == *value)
        };
        let mut found = self.series[name]
            .iter()
            .filter(|(labels, _)| wanted(labels));
        let value = match &found.next().unwrap().1 {
            DebugValue::Counter(count) => f64::from(u32::try_from(*count).unwrap()),
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(values) => values.iter().map(|value| value.into_inner()).sum(),
        };
        assert!(found.next().is_none(), "{name} {labels:?}");
        value
    }
}

/// Every documented metric but that of the AWS crate is given, with its kind and its labels, and no other.
#[test]
fn what_is_given_is_what_is_documented() {
    let seen = seen();
    let documented: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(documented.len(), METRICS.len(), "no name is there twice");
    let given: BTreeSet<_> = seen.series.keys().map(String::as_str).collect();
    let here: BTreeSet<_> = documented
        .iter()
        .copied()
        .filter(|name| *name != AWS_REQUESTS)
        .collect();
    assert_eq!(given, here);
    for metric in METRICS.iter().filter(|metric| metric.name != AWS_REQUESTS) {
        let kind = match metric.kind {
            Kind::Counter => MetricKind::Counter,
            Kind::Gauge => MetricKind::Gauge,
            _ => MetricKind::Histogram,
        };
        assert_eq!(seen.kinds[metric.name], kind, "{}", metric.name);
        for (labels, _) in &seen.series[metric.name] {
            let names: BTreeSet<_> = labels.keys().map(String::as_str).collect();
            let expected: BTreeSet<_> = metric.labels.iter().copied().collect();
            assert_eq!(names, expected, "{}", metric.name);
            assert_eq!(labels["group"], "recorders");
        }
    }
}

#[test]
fn the_numbers_are_those_of_the_run() {
    use jibri_scaler_core::metrics::*;
    let seen = seen();
    let ticks = f64::from(seen.ticks);
    let value = |name, labels: &[(&str, &str)]| seen.value(name, labels);
    let is = |name, labels: &[(&str, &str)], expected: f64| {
        let found = value(name, labels);
        assert!(
            (found - expected).abs() < 1e-9,
            "{name} {labels:?}: {found}, not {expected}"
        );
    };
    is(TICKS, &[("outcome", "failed")], 1.0);
    is(TICKS, &[("outcome", "problems")], 1.0);
    is(TICKS, &[("outcome", "ok")], ticks - 2.0);
    is(REFUSED, &[], ticks - 1.0);
    is(LEADS, &[], 1.0);
    is(PROBE_FAILURES, &[("outcome", "unreachable")], ticks - 1.0);
    // The stopwatch went on by a quarter of a second in each.
    is(TICK_SECONDS, &[], ticks / 4.0);
    is(
        PORT_ERRORS,
        &[("operation", "set_capacity"), ("kind", "throttled")],
        1.0,
    );
    is(
        PORT_ERRORS,
        &[("operation", "observe"), ("kind", "transient")],
        1.0,
    );
    is(
        EFFECTS,
        &[("kind", "set_capacity"), ("applied", "failed")],
        1.0,
    );
    is(
        EFFECTS,
        &[("kind", "set_capacity"), ("applied", "done")],
        2.0,
    );
    is(RETIREMENT_STEPS, &[("phase", "told")], 1.0);
    is(RETIREMENT_STEPS, &[("phase", "released")], 1.0);
    // It was paused, and is not any more.
    is(PAUSED, &[("direction", "growing")], 0.0);
    is(WANTED_SPARE, &[], 1.0);
    is(WANTED_SPARE_WINNER, &[("policy", "min_idle")], 1.0);
    is(WANTED_SPARE_WINNER, &[("policy", "slo")], 0.0);
    is(MAX_SIZE, &[], 9.0);
    // Nine were launched while it looked; none is up within 30 s.
    let ready = value(TIME_TO_READY, &[]);
    assert!((9.0 * 30.0..9.0 * 300.0).contains(&ready), "{ready}");
    assert!(value(BOOT_SECONDS, &[]) <= ready);
    assert!(value(EXPECTED_REFUSALS, &[]) >= 0.0);
}

#[test]
fn one_that_does_not_lead_says_so_also_where_it_sees_nothing() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let leads = Arc::<AtomicBool>::default();
    let mut lead = MockLeadership::new();
    lead.expect_campaign().returning(|| Ok(false));
    let says = Arc::clone(&leads);
    lead.expect_leads()
        .returning(move || says.load(Ordering::Relaxed));
    lead.expect_resign().returning(|| Ok(()));
    let mut world = World::running(0, 9, 1);
    let mut controller = world.controller(1).with_leadership(lead);
    // Whether it leads, and whether it sees the group.
    for (is_leader, sees) in [(true, true), (false, true), (true, false), (false, false)] {
        leads.store(is_leader, Ordering::Relaxed);
        if !sees {
            let (call, kind) = (SimOperation::List, PortErrorKind::Transient);
            world.group.fail_next(call, kind);
        }
        metrics::with_local_recorder(&recorder, || {
            let ticked = block_on(controller.tick(world.now));
            assert_eq!(ticked.is_ok(), sees);
        });
        world.advance(INTERVAL);
        let all = snapshotter.snapshot().into_vec().into_iter();
        let mut said = all.filter(|(key, ..)| key.key().name() == LEADS);
        let (_, _, _, value) = said.next().unwrap();
        let expected = f64::from(u8::from(is_leader));
        assert_eq!(value, DebugValue::Gauge(expected.into()));
    }
}

/// Whose memory is that of the leader, a moment old.
#[test]
fn one_that_does_not_lead_expects_as_many_refusals() {
    let mut demand = WeeklyDemand::new("UTC".parse().unwrap());
    for minute in 0..10_080 {
        let from = at(60 * minute);
        demand.observe(from, from + secs(60), 1, 1.0);
    }
    let memory = Memory::default().with_learned(Learned::default().with_demand(demand));
    // There is no Jibri, and none is wanted.
    let mut world = World::running(0, 9, 0);
    block_on(world.store.save(&memory)).unwrap();
    let mut lead = MockLeadership::new();
    lead.expect_campaign().returning(|| Ok(false));
    lead.expect_leads().return_const(false);
    let mut leader = world.controller(0).with_group_name("leader");
    let follower = world.controller(0).with_group_name("follower");
    let mut follower = follower.with_leadership(lead);
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        for _ in 0..60 {
            for controller in [&mut leader, &mut follower] {
                let _ = block_on(controller.tick(world.now)).unwrap();
                world.advance(INTERVAL / 2);
            }
        }
    });
    let mut expected = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        if let (EXPECTED_REFUSALS, DebugValue::Gauge(value)) = (key.key().name(), value) {
            expected.push(value.into_inner());
        }
    }
    let [one, other] = expected[..] else {
        panic!("{expected:?}")
    };
    assert!(one > 5.0 && (one - other).abs() < 0.1, "{expected:?}");
}

#[test]
fn the_recorder_is_told_the_unit_and_the_meaning() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        describe();
        play();
    });
    for (composite, unit, meaning, _) in snapshotter.snapshot().into_vec() {
        let name = composite.key().name();
        let metric = METRICS.iter().find(|metric| metric.name == name).unwrap();
        assert!(unit.is_some(), "{name}");
        assert_eq!(meaning.as_deref(), Some(metric.meaning), "{name}");
    }
}
