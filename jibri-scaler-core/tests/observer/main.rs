//! The join of listing and probing.

mod fleet;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use fleet::{Fleet, at, id, idle, observe, one, row, status};
use futures_executor::block_on;
use jibri_scaler_core::{
    BusyStatus, DrainPath, Finding, Lifecycle, Reachability, Report, Severity,
    observe::{AgentReport, AgentReports, FleetObserver as _},
    port::{PortErrorKind, ProbeOutcome},
};

#[test]
fn one_that_never_answers_costs_the_others_nothing() {
    let fleet = Fleet::of(&["a", "b", "c"]);
    for name in ["b", "c"] {
        fleet.answers(name, idle());
        fleet.internal(name, true);
    }
    let observer = fleet.observer().with_drain(fleet);
    let seen = observe(&observer, 10);
    for name in ["b", "c"] {
        let row = one(&seen, name);
        assert_eq!(
            (row.reachability, row.drain),
            (Reachability::Answered, DrainPath::Direct)
        );
        assert_eq!(
            row.report,
            Some(Report::new(at(10), Some(status(BusyStatus::Idle))))
        );
    }
    assert_eq!(one(&seen, "a").reachability, Reachability::Never);
    assert_eq!(
        seen.failures,
        BTreeMap::from([(id("a"), ProbeOutcome::TimedOut)])
    );
}

#[test]
fn what_the_listing_lacks_is_passed_on() {
    let fleet = Fleet::of(&["a"]);
    fleet.answers("a", idle());
    let observer = fleet.observer();
    let lacks = Finding::new(Severity::Warning, "no launch times", "look");
    for findings in [vec![lacks], vec![]] {
        fleet.script().findings.clone_from(&findings);
        assert_eq!(observe(&observer, 10).findings, findings);
    }
}

#[test]
fn an_internal_port_that_hangs_costs_no_reading() {
    // As many as are asked at once hang, and the one behind them still has its turn at both ports.
    let fleet = Fleet::of(&["a", "b", "c", "d"]);
    for name in ["a", "b", "c", "d"] {
        fleet.answers(name, idle());
    }
    fleet.internal("d", true);
    let observer = fleet.observer().with_drain(fleet).with_concurrency(3);
    for secs in [10, 20] {
        let seen = observe(&observer, secs);
        for name in ["a", "b", "c", "d"] {
            let report = one(&seen, name)
                .report
                .as_ref()
                .map(|report| report.received_at);
            assert_eq!(report, Some(at(secs)), "{name}");
        }
        assert!(seen.failures.is_empty());
        let way = one(&seen, "d").drain;
        assert_eq!(way == DrainPath::Direct, secs == 20, "{way:?} at {secs}");
    }
}

#[test]
fn internal_ports_that_hang_are_asked_in_turns() {
    let fleet = Fleet::of(&["a", "b", "c"]);
    for name in ["a", "b", "c"] {
        fleet.answers(name, idle());
    }
    let observer = fleet
        .observer()
        .with_drain(fleet.clone())
        .with_concurrency(1);
    let rounds = (1..=7).map(|round| {
        let _ = observe(&observer, round * 10);
        fleet.asked().concat()
    });
    // The first three times one is asked first; those asked before take turns beside it.
    assert_eq!(
        rounds.collect::<Vec<_>>(),
        ["a", "ab", "bc", "c", "a", "b", "c"]
    );
}

#[test]
fn never_more_are_asked_at_once_than_allowed() {
    let names: Vec<String> = (0..50).map(|n| format!("i-{n:02}")).collect();
    let fleet = Fleet::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        fleet.answers(name, idle());
    }
    for (concurrency, most) in [(7, 7), (1, 1), (0, 1), (1000, 50)] {
        fleet.script().most_running = 0;
        let observer = fleet.observer().with_concurrency(concurrency);
        let seen = observe(&observer, 10);
        assert!(seen.failures.is_empty());
        assert_eq!(fleet.script().most_running, most);
        let probed: BTreeSet<String> = fleet.probed().into_iter().collect();
        assert_eq!(probed.len(), 50);
    }
}

#[test]
fn those_that_did_not_answer_last_time_come_last() {
    let fleet = Fleet::of(&["a", "b", "c"]);
    for name in ["b", "c"] {
        fleet.answers(name, idle());
    }
    // With one question at a time, the first that hangs uses up the whole time.
    let observer = fleet.observer().with_concurrency(1);
    let seen = observe(&observer, 10);
    assert_eq!(fleet.probed(), ["a"]);
    assert_eq!(seen.failures.len(), 3);
    fleet.answers("a", idle());
    let _ = observe(&observer, 20);
    fleet.probed();
    fleet.hangs("a");
    let _ = observe(&observer, 30);
    assert_eq!(fleet.probed(), ["a"], "it answered last time");
    fleet.script().running = 0;
    fleet.answers("c", idle());
    fleet.answers("a", ProbeOutcome::Refused);
    let _ = observe(&observer, 40);
    fleet.probed();
    let seen = observe(&observer, 50);
    assert_eq!(fleet.probed(), ["b", "c", "a"]);
    assert_eq!(seen.failures.len(), 1);
}

#[test]
fn the_newest_report_is_kept_with_its_own_time_when_an_attempt_fails() {
    let fleet = Fleet::of(&["a"]);
    let observer = fleet.observer();
    fleet.answers("a", ProbeOutcome::Answered(status(BusyStatus::Busy)));
    let _ = observe(&observer, 10);
    let failures = [
        (ProbeOutcome::Refused, Reachability::Refused),
        (ProbeOutcome::TimedOut, Reachability::TimedOut),
        (ProbeOutcome::Reset, Reachability::TimedOut),
        (ProbeOutcome::NoAddress("?".into()), Reachability::TimedOut),
        (
            ProbeOutcome::Unreachable("tls".into()),
            Reachability::TimedOut,
        ),
        (ProbeOutcome::HungAfterHeaders, Reachability::TimedOut),
        (ProbeOutcome::Truncated, Reachability::TimedOut),
    ];
    for (outcome, reachability) in failures {
        fleet.answers("a", outcome.clone());
        let seen = observe(&observer, 20);
        let row = one(&seen, "a");
        assert_eq!(row.reachability, reachability, "{outcome:?}");
        let kept = Report::new(at(10), Some(status(BusyStatus::Busy)));
        assert_eq!(row.report, Some(kept), "{outcome:?}");
        assert_eq!(seen.failures[&id("a")], outcome);
    }
    fleet.script().unlisted = true;
    let error = block_on(observer.observe(at(30))).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Throttled);
    fleet.script().unlisted = false;
    let seen = observe(&observer, 40);
    assert!(one(&seen, "a").report.is_some(), "an error forgets nothing");
    fleet.script().rows.clear();
    let _ = observe(&observer, 50);
    fleet.script().rows.push(row("a", Lifecycle::InService));
    let seen = observe(&observer, 60);
    assert_eq!(one(&seen, "a").report, None, "one that left is forgotten");
}

/// Else its agent would not be heard, and nobody would miss it, until the clock is where it was.
#[test]
fn of_a_clock_that_steps_back_a_report_counts_from_then_on() {
    let fleet = Fleet::of(&["a"]);
    let reports = Arc::new(AgentReports::default());
    let ttl = Duration::from_secs(45);
    let observer = fleet.observer().with_agents(Arc::clone(&reports), ttl);
    reports.list([&id("a")]);
    let report = |secs, busy| {
        let report = AgentReport::new(at(secs), status(busy), "0.1.0");
        reports.receive(&id("a"), report).unwrap();
        one(&observe(&observer, secs), "a").report.clone()
    };
    let said = |secs, busy| Some(Report::new(at(secs), Some(status(busy))));
    let before = report(7200, BusyStatus::Idle);
    assert_eq!(before, said(7200, BusyStatus::Idle));
    let after = report(100, BusyStatus::Busy);
    assert_eq!(after, said(100, BusyStatus::Busy));
    let _ = observe(&observer, 50);
    let later = observe(&observer, 60);
    assert_eq!(one(&later, "a").report, said(50, BusyStatus::Busy));
}

#[test]
fn an_agent_is_heard_for_as_long_as_the_newest_report_ttl() {
    let fleet = Fleet::of(&["a"]);
    let reports = Arc::new(AgentReports::default());
    let secs = Duration::from_secs;
    let observer = fleet.observer().with_agents(Arc::clone(&reports), secs(45));
    let observer = Arc::new(observer);
    reports.list([&id("a")]);
    let report = AgentReport::new(at(0), status(BusyStatus::Idle), "0.1.0");
    reports.receive(&id("a"), report).unwrap();
    let is_heard = |secs| observe(&observer, secs).failures.is_empty();
    assert!(is_heard(45) && !is_heard(46));
    observer.report_ttl_changed(secs(120));
    assert!(is_heard(120) && !is_heard(121));
    observer.report_ttl_changed(secs(30));
    assert!(!is_heard(31));
}

#[test]
fn an_answer_that_cannot_be_read_is_an_answer_that_says_nothing() {
    for outcome in [
        ProbeOutcome::Garbage,
        ProbeOutcome::HttpStatus(503),
        ProbeOutcome::BodyTooLarge,
        ProbeOutcome::WrongContentType("text/html".into()),
    ] {
        let fleet = Fleet::of(&["a"]);
        let observer = fleet.observer().with_drain(fleet.clone());
        fleet.internal("a", true);
        fleet.answers("a", idle());
        let _ = observe(&observer, 10);
        fleet.answers("a", outcome.clone());
        let seen = observe(&observer, 20);
        let row = one(&seen, "a");
        assert_eq!(row.reachability, Reachability::Answered);
        assert_eq!(
            row.report,
            Some(Report::new(at(20), None)),
            "no old reading stands for it"
        );
        assert_eq!(seen.failures[&id("a")], outcome);
    }
}

#[test]
fn the_direct_way_is_found_out_once_and_then_not_asked_for_again() {
    let fleet = Fleet::of(&["a"]);
    let observer = fleet.observer().with_drain(fleet.clone());
    fleet.internal("a", true);
    fleet.answers("a", ProbeOutcome::Refused);
    assert_eq!(one(&observe(&observer, 10), "a").drain, DrainPath::None);
    assert!(fleet.asked().is_empty(), "only one that answers is asked");

    fleet.answers("a", idle());
    fleet.internal("a", false);
    for secs in [20, 30] {
        assert_eq!(one(&observe(&observer, secs), "a").drain, DrainPath::None);
        assert_eq!(fleet.asked(), ["a"], "asked until it is reachable");
    }
    fleet.internal("a", true);
    assert_eq!(one(&observe(&observer, 40), "a").drain, DrainPath::Direct);
    fleet.asked();
    fleet.internal("a", false);
    fleet.hangs("a");
    for secs in [50, 60] {
        assert_eq!(one(&observe(&observer, secs), "a").drain, DrainPath::Direct);
    }
    fleet.answers("a", idle());
    assert_eq!(one(&observe(&observer, 70), "a").drain, DrainPath::Direct);
    assert!(fleet.asked().is_empty());
}

#[test]
fn retirement_is_safe_only_with_a_drain_client() {
    let fleet = Fleet::of(&["a"]);
    fleet.answers("a", idle());
    fleet.internal("a", true);
    let seen = observe(&fleet.observer(), 10);
    assert!(!seen.snapshot.group().safe_retirement);
    assert_eq!(one(&seen, "a").drain, DrainPath::None);
    assert!(fleet.asked().is_empty());
    let seen = observe(&fleet.observer().with_drain(fleet), 10);
    assert!(seen.snapshot.group().safe_retirement);
    assert_eq!(one(&seen, "a").drain, DrainPath::Direct);
}

#[test]
fn only_those_that_count_are_probed() {
    let fleet = Fleet::default();
    let states = [
        ("a", Lifecycle::Pending),
        ("b", Lifecycle::InService),
        ("c", Lifecycle::Standby),
        ("d", Lifecycle::Terminating),
        ("e", "Warmed:Stopped".into()),
        ("f", "Something:New".into()),
    ];
    for (name, lifecycle) in states {
        fleet.script().rows.push(row(name, lifecycle));
        fleet.answers(name, idle());
    }
    let seen = observe(&fleet.observer(), 10);
    assert_eq!(fleet.probed(), ["a", "b"]);
    assert!(seen.failures.is_empty(), "who is not asked does not fail");
    for name in ["c", "d", "e", "f"] {
        assert_eq!(one(&seen, name).reachability, Reachability::Never);
    }
}

#[test]
fn one_listed_twice_is_probed_once_and_both_rows_stand() {
    let fleet = Fleet::of(&["a", "a"]);
    fleet.answers("a", idle());
    let seen = observe(&fleet.observer(), 10);
    assert_eq!(fleet.probed(), ["a"]);
    assert_eq!(
        seen.snapshot.instances().len(),
        1,
        "the same row twice is one row"
    );

    fleet.script().rows.push(row("a", Lifecycle::Standby));
    let seen = observe(&fleet.observer(), 20);
    assert_eq!(fleet.probed(), ["a"]);
    let rows = seen.snapshot.rows(&id("a"));
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.report.is_some()));
}
