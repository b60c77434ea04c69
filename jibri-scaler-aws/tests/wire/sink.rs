//! The metrics.

use std::time::Duration;

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
