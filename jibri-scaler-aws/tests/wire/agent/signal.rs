//! The idle signal.

use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use jibri_scaler_aws::agent::CloudWatchIdle;
use jibri_scaler_core::{
    Timestamp,
    agent::port::{DrainPoint, IdleSignal, SignalPoint, SignalSum},
    port::{PortError, PortErrorKind},
};

use crate::{
    answers::{Answer, Request, Server},
    cbor::{self, ACCEPTED, CBOR, Value},
    group::assert_failed,
};

const PERIOD: Duration = Duration::from_secs(10);
/// The start of a minute.
const START: i64 = 1_763_800_020;

fn signal(server: &Server, period: Duration) -> CloudWatchIdle {
    let signal = CloudWatchIdle::new(&server.sdk(), "jibri".parse().unwrap(), period).unwrap();
    // Tests of what is answered must not meet a timeout on a slow machine.
    signal.with_timeout(Duration::from_mins(1))
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros((START * 1000 + millis) * 1000)
}

fn operation(request: &Request) -> &str {
    let (_, operation) = request.path.rsplit_once('/').unwrap();
    operation
}

async fn sums(signal: &CloudWatchIdle) -> Result<Vec<SignalSum>, PortError> {
    signal.sums(at(0), at(60_000), PERIOD).await
}

/// One of the two results on a page: times after [`START`] and values.
fn result(id: &str, status: &str, points: &[(i64, f64)]) -> Value {
    Value::map([
        ("Id", id.into()),
        ("Label", "Idle".into()),
        ("StatusCode", status.into()),
        (
            "Timestamps",
            points
                .iter()
                .map(|(at, _)| DateTime::from_secs(START + at))
                .collect(),
        ),
        ("Values", points.iter().map(|(_, value)| *value).collect()),
    ])
}

fn page(results: Vec<Value>, token: Option<&str>) -> Answer {
    let results = Value::List(results);
    cbor::answer(&match token {
        Some(token) => Value::map([("MetricDataResults", results), ("NextToken", token.into())]),
        None => Value::map([("MetricDataResults", results)]),
    })
}

/// A metric as it is to be published.
fn datum(name: &str, unit: &str, millis: i64, resolution: f64, value: f64) -> Value {
    let time = DateTime::from_millis(START * 1000 + millis);
    Value::map([
        ("MetricName", name.into()),
        ("Dimensions", Value::List(vec![dimension()])),
        ("Timestamp", time.into()),
        ("Value", value.into()),
        ("Unit", unit.into()),
        ("StorageResolution", resolution.into()),
    ])
}

fn dimension() -> Value {
    Value::map([
        ("Name", "AutoScalingGroupName".into()),
        ("Value", "jibri".into()),
    ])
}

/// The one request, which must be a publication.
fn published(server: &Server) -> Value {
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(operation(&requests[0]), "PutMetricData");
    assert!(requests[0].has_header(CBOR));
    Value::decode(&requests[0].body)
}

#[tokio::test]
async fn a_point_is_one_request_with_its_own_time() {
    for (idle, value, period, resolution) in [
        (true, 1.0, Duration::from_secs(10), 1.0),
        (false, 0.0, Duration::from_mins(1), 60.0),
    ] {
        let server = Server::always(ACCEPTED);
        let point = SignalPoint::new(at(3_456), idle);
        signal(&server, period).publish(&[point]).await.unwrap();
        let data = vec![datum("Idle", "Count", 3_456, resolution, value)];
        assert_eq!(
            published(&server),
            Value::map([
                ("Namespace", "Jibri".into()),
                ("MetricData", Value::List(data)),
            ])
        );
    }
}

#[tokio::test]
async fn what_is_beside_the_signal_goes_in_the_same_request() {
    let server = Server::always(ACCEPTED);
    let mut point = SignalPoint::new(at(3_456), false);
    point.in_service = Some(12);
    point.retained = Some(0);
    point.busy_for = Some(Duration::from_millis(90_500));
    signal(&server, PERIOD).publish(&[point]).await.unwrap();
    assert_eq!(
        published(&server)["MetricData"].list(),
        [
            datum("Idle", "Count", 3_456, 1.0, 0.0),
            datum("InService", "Count", 3_456, 1.0, 12.0),
            datum("Retained", "Count", 3_456, 1.0, 0.0),
            datum("BusySeconds", "Seconds", 3_456, 1.0, 90.5),
        ]
    );
}

#[tokio::test]
async fn several_points_are_one_request_with_a_datum_each() {
    let server = Server::always(ACCEPTED);
    let points: Vec<_> = (0..30)
        .map(|n| SignalPoint::new(at(n * 10_000), n % 3 == 0))
        .collect();
    let signal = signal(&server, PERIOD).with_namespace("Video/Jibri".parse().unwrap());
    signal.publish(&points).await.unwrap();
    let body = published(&server);
    assert_eq!(body["Namespace"], "Video/Jibri".into());
    let expected: Vec<_> = (0..30)
        .map(|n| {
            let value = if n % 3 == 0 { 1.0 } else { 0.0 };
            datum("Idle", "Count", n * 10_000, 1.0, value)
        })
        .collect();
    assert_eq!(body["MetricData"].list(), expected);
}

#[tokio::test]
async fn a_held_termination_publishes_nothing_of_the_signal() {
    for failed in [false, true] {
        let server = Server::always(ACCEPTED);
        let mut point = DrainPoint::new(at(3_456), Duration::from_mins(15));
        point.release_check_failed = failed;
        signal(&server, PERIOD).publish_drain(point).await.unwrap();
        let mut expected = vec![datum("HookSeconds", "Seconds", 3_456, 1.0, 900.0)];
        if failed {
            expected.push(datum("ReleaseCheckFailed", "Count", 3_456, 1.0, 1.0));
        }
        assert_eq!(published(&server)["MetricData"].list(), expected);
    }
}

#[tokio::test]
async fn no_point_is_no_request_and_too_many_are_none_either() {
    let server = Server::always(ACCEPTED);
    let signal = signal(&server, PERIOD);
    signal.publish(&[]).await.unwrap();
    let mut points = vec![SignalPoint::new(at(0), true); 1000];
    points[999].retained = Some(1);
    assert_failed(
        signal.publish(&points).await,
        PortErrorKind::Permanent,
        &[
            "could not publish 1000 points of the idle signal",
            "these are 1001 metrics, and a request may carry 1000",
        ],
    );
    assert!(server.requests().is_empty());
    signal.publish(&points[..999]).await.unwrap();
    points[999].retained = None;
    signal.publish(&points).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_point_is_sent_once_whatever_happens() {
    for (answer, kind, text) in [
        (Answer::Hang, PortErrorKind::Transient, "timed out"),
        (Answer::Close, PortErrorKind::Transient, "dispatch failure"),
        (
            Answer::http(503, "<html>"),
            PortErrorKind::Transient,
            "HTTP 503",
        ),
        (
            cbor::refusal(400, &[CBOR, "x-amzn-query-error: Throttling;Sender"]),
            PortErrorKind::Throttled,
            "AWS answered Throttling",
        ),
        (
            cbor::refusal(403, &[CBOR, "x-amzn-query-error: AccessDenied;Sender"]),
            PortErrorKind::Permanent,
            "allow cloudwatch:PutMetricData in the IAM policy",
        ),
    ] {
        let server = Server::always(answer.clone());
        let hangs = matches!(answer, Answer::Hang);
        let mut signal = signal(&server, PERIOD);
        if hangs {
            signal = signal.with_timeout(Duration::from_millis(300));
        }
        let (at, held_for) = (at(0), Duration::from_secs(1));
        for (sent, what) in [
            (
                signal.publish(&[SignalPoint::new(at, true)]).await,
                "a point of the idle signal",
            ),
            (
                signal.publish_drain(DrainPoint::new(at, held_for)).await,
                "how long the termination of an instance is held",
            ),
        ] {
            let operation =
                format!("publish {what} of Auto Scaling group `jibri` in namespace `Jibri`");
            assert_failed(sent, kind, &[text, &operation, "lost"]);
        }
        let sent = server.requests().len();
        // On a slow machine the time may be over before the request is read.
        assert!(sent == 2 || hangs && sent < 2, "{sent} times: {answer:?}");
    }
}

#[tokio::test]
async fn both_statistics_of_whole_periods_are_asked_for_at_once() {
    let server = Server::always(page(
        vec![
            result("idle", "Complete", &[(0, 2.0), (20, 3.0)]),
            result("n", "Complete", &[(0, 4.0), (20, 5.0)]),
        ],
        None,
    ));
    let sums = signal(&server, PERIOD)
        .sums(at(-1), at(69_999), PERIOD)
        .await;
    assert_eq!(
        sums.unwrap(),
        [
            SignalSum::new(at(0), 2.0, 4.0),
            SignalSum::new(at(20_000), 3.0, 5.0)
        ]
    );
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(operation(&requests[0]), "GetMetricData");
    let body = Value::decode(&requests[0].body);
    assert_eq!(body["StartTime"], DateTime::from_secs(START).into());
    assert_eq!(body["EndTime"], DateTime::from_secs(START + 60).into());
    assert_eq!(body["ScanBy"], "TimestampAscending".into());
    assert_eq!(body.get("NextToken"), None);
    let metric = Value::map([
        ("Namespace", "Jibri".into()),
        ("MetricName", "Idle".into()),
        ("Dimensions", Value::List(vec![dimension()])),
    ]);
    let query = |id: &str, statistic: &str| {
        let statistic = Value::map([
            ("Metric", metric.clone()),
            ("Period", 10.0.into()),
            ("Stat", statistic.into()),
        ]);
        Value::map([("Id", id.into()), ("MetricStat", statistic)])
    };
    assert_eq!(
        body["MetricDataQueries"],
        Value::List(vec![query("idle", "Sum"), query("n", "SampleCount")])
    );
}

#[tokio::test]
async fn pages_are_read_to_the_end_and_put_in_order() {
    let server = Server::script(vec![
        page(
            vec![
                result("n", "PartialData", &[(10, 5.0)]),
                result("idle", "Complete", &[(50, 2.0), (10, 1.0), (0, 3.0)]),
            ],
            Some("two"),
        ),
        page(vec![], Some("three")),
        page(vec![result("n", "Complete", &[(0, 4.0), (50, 6.0)])], None),
    ]);
    let sums = sums(&signal(&server, PERIOD)).await.unwrap();
    assert_eq!(
        sums,
        [
            SignalSum::new(at(0), 3.0, 4.0),
            SignalSum::new(at(10_000), 1.0, 5.0),
            SignalSum::new(at(50_000), 2.0, 6.0),
        ]
    );
    let tokens: Vec<_> = server
        .requests()
        .iter()
        .map(|request| Value::decode(&request.body).get("NextToken").cloned())
        .collect();
    assert_eq!(tokens, [None, Some("two".into()), Some("three".into())]);
}

#[tokio::test]
async fn where_nothing_was_published_there_are_no_sums() {
    let server = Server::always(page(
        vec![
            result("idle", "Complete", &[]),
            result("n", "Complete", &[]),
        ],
        None,
    ));
    assert_eq!(sums(&signal(&server, PERIOD)).await.unwrap(), []);
}

#[tokio::test]
async fn an_empty_window_and_a_period_that_cloudwatch_does_not_have_are_not_asked_for() {
    let server = Server::always(page(vec![], None));
    let signal = signal(&server, PERIOD);
    assert_eq!(signal.sums(at(0), at(9_999), PERIOD).await.unwrap(), []);
    assert_failed(
        signal.sums(at(0), at(60_000), Duration::from_secs(7)).await,
        PortErrorKind::Permanent,
        &[
            "could not read the sums of the idle signal of Auto Scaling group `jibri` in namespace `Jibri`",
            "7s is no period of CloudWatch",
        ],
    );
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_is_not_whole_is_an_error() {
    let whole = |id: &str| result(id, "Complete", &[(0, 1.0), (10, 1.0)]);
    let with = |id: &str, status: &str| result(id, status, &[(0, 1.0), (10, 1.0)]);
    let mut uneven = whole("idle");
    if let Value::Map(members) = &mut uneven {
        members.insert("Values".into(), [1.0].into_iter().collect());
    }
    for (results, kind, text) in [
        (
            vec![whole("idle"), with("n", "PartialData")],
            PortErrorKind::Transient,
            "`n` is not whole, its status is PartialData",
        ),
        (
            vec![with("idle", "InternalError"), whole("n")],
            PortErrorKind::Transient,
            "the status of `idle` is InternalError",
        ),
        (
            vec![with("idle", "Forbidden"), whole("n")],
            PortErrorKind::Permanent,
            "forbids to read `idle`",
        ),
        (
            vec![with("idle", "Odd"), whole("n")],
            PortErrorKind::Transient,
            "the status of `idle` is Odd",
        ),
        (
            vec![whole("idle")],
            PortErrorKind::Transient,
            "`n` is not whole, its status is none",
        ),
        (
            vec![whole("idle"), result("n", "Complete", &[(0, 1.0)])],
            PortErrorKind::Transient,
            "not of the same periods",
        ),
        (
            vec![uneven, whole("n")],
            PortErrorKind::Transient,
            "`idle` has 2 times and 1 values",
        ),
    ] {
        let server = Server::always(page(results, None));
        assert_failed(sums(&signal(&server, PERIOD)).await, kind, &[text]);
    }
}

#[tokio::test]
async fn a_failure_inside_cloudwatch_is_an_error_on_any_page() {
    let server = Server::script(vec![
        page(
            vec![
                result("idle", "InternalError", &[]),
                result("n", "PartialData", &[]),
            ],
            Some("two"),
        ),
        page(
            vec![
                result("idle", "Complete", &[]),
                result("n", "Complete", &[]),
            ],
            None,
        ),
    ]);
    assert_failed(
        sums(&signal(&server, PERIOD)).await,
        PortErrorKind::Transient,
        &["InternalError"],
    );
}

#[tokio::test]
async fn a_token_that_does_not_change_ends_the_reading() {
    let server = Server::always(page(vec![], Some("again")));
    assert_failed(
        sums(&signal(&server, PERIOD)).await,
        PortErrorKind::Transient,
        &["the token of the next page"],
    );
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn reading_is_tried_again_and_throttling_is_told() {
    let throttled = || cbor::refusal(400, &[CBOR, "x-amzn-query-error: Throttling;Sender"]);
    let server = Server::script(vec![
        Answer::Close,
        throttled(),
        page(
            vec![
                result("idle", "Complete", &[(0, 1.0)]),
                result("n", "Complete", &[(0, 2.0)]),
            ],
            None,
        ),
    ]);
    let read = sums(&signal(&server, PERIOD)).await.unwrap();
    assert_eq!(read, [SignalSum::new(at(0), 1.0, 2.0)]);
    assert_eq!(server.requests().len(), 3);

    let server = Server::always(throttled());
    assert_failed(
        sums(&signal(&server, PERIOD)).await,
        PortErrorKind::Throttled,
        &["AWS answered Throttling"],
    );
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn reading_that_does_not_end_is_given_up() {
    let server = Server::always(Answer::Hang);
    let signal = signal(&server, PERIOD).with_timeout(Duration::from_millis(300));
    assert_failed(
        sums(&signal).await,
        PortErrorKind::Transient,
        &["timed out"],
    );
}
