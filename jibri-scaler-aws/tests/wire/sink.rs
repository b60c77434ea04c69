//! The metrics.

use std::{collections::BTreeSet, time::Duration};

use jibri_scaler_aws::CloudWatchSink;
use jibri_scaler_core::{
    Tally, Timestamp,
    port::{FleetMetrics, MetricsSink, PortErrorKind},
};

use crate::{
    answers::{Answer, Server},
    cbor::{self, ACCEPTED, CBOR},
};

fn sink(server: &Server) -> CloudWatchSink {
    let (sdk, name) = (server.sdk(), "jibri".parse().unwrap());
    let sink = CloudWatchSink::new(&sdk, name, Duration::from_secs(10)).unwrap();
    // Tests of what is answered must not meet a timeout on a slow machine.
    sink.with_timeout(Duration::from_mins(1))
}

fn metrics() -> FleetMetrics {
    let mut tally = Tally::default();
    (tally.spare, tally.busy, tally.total) = (1, 2, 3);
    FleetMetrics::new(Timestamp::from_secs(1_763_800_000), &tally, 3, 1)
}

#[tokio::test]
async fn a_tick_is_one_request() {
    let server = Server::always(ACCEPTED);
    sink(&server).publish(&metrics()).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0].path,
        "/service/GraniteServiceVersion20100801/operation/PutMetricData"
    );
    assert!(requests[0].has_header("smithy-protocol: rpc-v2-cbor"));
}

#[tokio::test]
async fn a_publication_is_sent_once_whatever_happens() {
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
            cbor::refusal(
                500,
                &[CBOR, "x-amzn-query-error: InternalServiceFault;Receiver"],
            ),
            PortErrorKind::Transient,
            "InternalServiceFault",
        ),
        (
            cbor::refusal(403, &[CBOR, "x-amzn-query-error: AccessDenied;Sender"]),
            PortErrorKind::Permanent,
            "allow cloudwatch:PutMetricData in the IAM policy",
        ),
        (
            cbor::refusal(
                400,
                &[CBOR, "x-amzn-query-error: InvalidParameterValue;Sender"],
            ),
            PortErrorKind::Permanent,
            "check the namespace",
        ),
    ] {
        let server = Server::always(answer.clone());
        let hangs = matches!(answer, Answer::Hang);
        let mut sink = sink(&server);
        if hangs {
            sink = sink.with_timeout(Duration::from_millis(500));
        }
        let error = sink.publish(&metrics()).await.unwrap_err();
        let report = error.report();
        assert_eq!(error.kind(), kind, "{report}");
        for text in [
            text,
            "publish the metrics of Auto Scaling group `jibri` in namespace `Jibri`",
            "lost",
        ] {
            assert!(report.contains(text), "{text:?} is not in: {report}");
        }
        let sent = server.requests().len();
        // On a slow machine the time may be over before the request is read.
        assert!(sent == 1 || hangs && sent == 0, "{sent} times: {answer:?}");
    }
}

/// The texts that stand for this key in a CBOR body. All of ours are short, so that one byte says how long they are.
fn texts(body: &[u8], key: &str) -> BTreeSet<String> {
    let short = |text: &str| u8::try_from(0x60 + text.len()).unwrap();
    let key = [&[short(key)], key.as_bytes()].concat();
    let places = body.windows(key.len()).enumerate();
    let after = places
        .filter(|(_, part)| *part == key)
        .map(|(at, _)| at + key.len());
    let text = |at: usize| {
        let length = usize::from(body[at] - 0x60);
        assert!(length < 24, "a long text");
        String::from_utf8(body[at + 1..=at + length].to_vec()).unwrap()
    };
    after.map(text).collect()
}

#[tokio::test]
async fn the_dashboard_shows_what_is_published_and_nothing_else() {
    let server = Server::always(ACCEPTED);
    sink(&server).publish(&metrics()).await.unwrap();
    let published = texts(&server.requests()[0].body, "MetricName");
    assert!(published.len() > 9, "{published:?}");

    let body = include_str!("../../../docs/dashboards/cloudwatch.json");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let mut shown = BTreeSet::new();
    for widget in body["widgets"].as_array().unwrap() {
        assert_eq!(widget["properties"]["region"], "REGION");
        for metric in widget["properties"]["metrics"].as_array().unwrap() {
            let row = metric.as_array().unwrap();
            if row.len() == 1 {
                assert!(row[0]["expression"].is_string(), "{row:?}");
                continue;
            }
            let [namespace, name, dimension, group, _] = &row[..] else {
                panic!("{row:?}")
            };
            assert_eq!(
                (namespace, dimension),
                (&"Jibri".into(), &"AutoScalingGroupName".into())
            );
            assert_eq!(group, "GROUP");
            shown.insert(name.as_str().unwrap().to_owned());
        }
    }
    assert_eq!(shown, published);
}
