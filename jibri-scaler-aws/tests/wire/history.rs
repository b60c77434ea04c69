//! The number of busy Jibris in the past.

use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use jibri_scaler_aws::inspect::{BusyHistory, Inspector};
use jibri_scaler_core::{Timestamp, port::PortError};

use crate::{
    answers::{Answer, Server},
    cbor::{self, Value},
};

const HOUR: i64 = 3600;

/// A full hour.
fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn seconds(at: Timestamp) -> i64 {
    at.as_micros() / 1_000_000
}

async fn history(server: &Server, days: u64) -> Result<BusyHistory, PortError> {
    let inspector = Inspector::new(&server.sdk(), "jibri".parse().unwrap()).unwrap();
    // Tests of what is answered must not meet a timeout on a slow machine.
    let inspector = inspector.with_timeout(Duration::from_mins(1));
    let from = now().before(Duration::from_hours(24 * days));
    inspector.busy_history(from, now()).await
}

/// A result: times before [`now`] in seconds, and values.
fn result(id: &str, status: &str, points: &[(i64, f64)]) -> Value {
    let times = points
        .iter()
        .map(|(before, _)| DateTime::from_secs(seconds(now()) - before));
    Value::map([
        ("Id", id.into()),
        ("StatusCode", status.into()),
        ("Timestamps", times.collect()),
        ("Values", points.iter().map(|(_, value)| *value).collect()),
    ])
}

fn page(results: Vec<Value>, token: Option<&str>) -> Answer {
    let results = ("MetricDataResults", Value::List(results));
    cbor::answer(&match token {
        Some(token) => Value::map([results, ("NextToken", token.into())]),
        None => Value::map([results]),
    })
}

#[tokio::test]
async fn every_part_is_read_page_by_page_in_the_periods_that_are_kept() {
    let server = Server::new(|number, _| match number {
        0 => page(
            vec![result("busy", "PartialData", &[(20 * 24 * HOUR, 2.0)])],
            Some("more"),
        ),
        1 => page(
            vec![result("busy", "Complete", &[(20 * 24 * HOUR - 300, 3.0)])],
            None,
        ),
        _ => page(
            vec![result("busy", "Complete", &[(60, 0.5), (120, 1.0)])],
            None,
        ),
    });
    let history = history(&server, 30).await.unwrap();
    let found: Vec<_> = history
        .periods
        .iter()
        .map(|period| {
            (
                seconds(now()) - seconds(period.at),
                period.length.as_secs(),
                period.busy,
            )
        })
        .collect();
    let long = 20 * 24 * HOUR;
    assert_eq!(
        found,
        [
            (long, 300, 2.0),
            (long - 300, 300, 3.0),
            (120, 60, 1.0),
            (60, 60, 0.5)
        ]
    );
    assert_eq!(history.estimated, 0);

    let requests = server.requests();
    let asked: Vec<_> = requests
        .iter()
        .map(|request| Value::decode(&request.body))
        .collect();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[0].get("NextToken"), None);
    assert_eq!(asked[1]["NextToken"], "more".into());
    // The old part ends where the new one begins.
    assert_eq!(asked[0]["EndTime"], asked[2]["StartTime"]);
    assert_eq!(
        asked[0]["StartTime"],
        DateTime::from_secs(seconds(now()) - 30 * 24 * HOUR).into()
    );
    assert_eq!(
        asked[2]["EndTime"],
        DateTime::from_secs(seconds(now())).into()
    );
    for (number, period) in [(0, 300.0), (1, 300.0), (2, 60.0)] {
        let queries = [
            ("busy", "Busy", "Average"),
            ("inservice", "InService", "Maximum"),
            ("idle", "Idle", "Average"),
        ];
        let queries = queries.map(|(id, name, statistic)| query(id, name, statistic, period));
        assert_eq!(
            asked[number]["MetricDataQueries"],
            Value::List(queries.into()),
            "{number}"
        );
    }
}

fn query(id: &str, name: &str, statistic: &str, period: f64) -> Value {
    let dimension = Value::map([
        ("Name", "AutoScalingGroupName".into()),
        ("Value", "jibri".into()),
    ]);
    let metric = Value::map([
        ("Namespace", "Jibri".into()),
        ("MetricName", name.into()),
        ("Dimensions", Value::List(vec![dimension])),
    ]);
    let statistic = Value::map([
        ("Metric", metric),
        ("Period", period.into()),
        ("Stat", statistic.into()),
    ]);
    Value::map([("Id", id.into()), ("MetricStat", statistic)])
}

#[tokio::test]
async fn without_a_controller_it_is_estimated_from_what_agents_publish() {
    let server = Server::always(page(
        vec![
            result("busy", "Complete", &[]),
            result(
                "inservice",
                "Complete",
                &[(60, 10.0), (120, 8.0), (180, 8.0)],
            ),
            result("idle", "Complete", &[(60, 0.7), (120, 1.0)]),
        ],
        None,
    ));
    let history = history(&server, 1).await.unwrap();
    let busy: Vec<_> = history
        .periods
        .iter()
        .map(|period| (period.busy * 1e6).round() / 1e6)
        .collect();
    assert_eq!(busy, [0.0, 3.0]);
    assert_eq!(history.estimated, 2);
}

#[tokio::test]
async fn what_agents_published_before_there_was_a_controller_counts_too() {
    let server = Server::always(page(
        vec![
            result("busy", "Complete", &[(60, 4.0)]),
            result("inservice", "Complete", &[(60, 10.0), (120, 8.0)]),
            result("idle", "Complete", &[(60, 0.7), (120, 0.5)]),
        ],
        None,
    ));
    let history = history(&server, 1).await.unwrap();
    let busy: Vec<_> = history.periods.iter().map(|period| period.busy).collect();
    assert_eq!(busy, [4.0, 4.0]);
    assert_eq!(history.estimated, 1);
}

#[tokio::test]
async fn a_group_that_published_nothing_has_no_history() {
    let server = Server::always(page(vec![], None));
    assert_eq!(history(&server, 1).await.unwrap(), BusyHistory::default());
}

#[tokio::test]
async fn what_may_not_be_read_is_an_error_and_no_silence() {
    let forbidden = page(vec![result("busy", "Forbidden", &[])], None);
    let denied = cbor::refusal(
        403,
        &[cbor::CBOR, "x-amzn-query-error: AccessDenied;Sender"],
    );
    for answer in [forbidden, denied] {
        let server = Server::always(answer);
        let error = history(&server, 1).await.unwrap_err().report();
        assert!(
            error.contains("read the metrics of Auto Scaling group `jibri`"),
            "{error}"
        );
    }
}
