//! The count of the requests, with the feature `metrics`.

use std::{collections::BTreeMap, time::Duration};

use jibri_scaler_aws::{AutoScalingGroup, CloudWatchSink};
use jibri_scaler_core::{
    Tally, Timestamp,
    metrics::{AWS_REQUESTS, METRICS},
    port::{FleetMetrics, GroupControl as _, GroupListing as _, MetricsSink as _},
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

use crate::{
    answers::{Answer, Server},
    cbor::ACCEPTED,
};

/// How many there were, by service, call and outcome.
fn counted(snapshotter: &Snapshotter) -> BTreeMap<String, u64> {
    let metric = METRICS.iter().find(|metric| metric.name == AWS_REQUESTS);
    let expected = metric.unwrap().labels;
    let entries = snapshotter.snapshot().into_vec().into_iter();
    let counts = entries.map(|(key, _, _, value)| {
        assert_eq!(key.key().name(), AWS_REQUESTS);
        let labels: Vec<_> = key.key().labels().collect();
        assert!(
            labels
                .iter()
                .map(|label| label.key())
                .eq(expected.iter().copied())
        );
        let labels: Vec<_> = labels
            .iter()
            .map(|label| label.value().to_owned())
            .collect();
        let DebugValue::Counter(count) = value else {
            panic!("{value:?}")
        };
        (labels.join(" "), count)
    });
    counts.collect()
}

#[tokio::test]
async fn each_attempt_is_counted_with_its_call_and_what_came_of_it() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    // The runtime of this test has this one thread.
    let _guard = metrics::set_default_local_recorder(&recorder);
    let minute = Duration::from_mins(1);

    let server = Server::always(ACCEPTED);
    let sink = CloudWatchSink::new(&server.sdk(), "jibri".parse().unwrap(), minute).unwrap();
    let numbers = FleetMetrics::new(Timestamp::from_secs(1_763_800_000), &Tally::default(), 1, 1);
    sink.with_timeout(minute).publish(&numbers).await.unwrap();

    let server = Server::always(Answer::http(503, "<html>"));
    let group = AutoScalingGroup::new(&server.sdk(), "jibri".parse().unwrap()).unwrap();
    let group = group.with_timeout(minute);
    group.list().await.unwrap_err();
    group.set_capacity(3).await.unwrap_err();

    let server = Server::always(Answer::Close);
    let group = AutoScalingGroup::new(&server.sdk(), "jibri".parse().unwrap()).unwrap();
    let group = group.with_timeout(minute);
    group.set_capacity(3).await.unwrap_err();

    let expected = [
        // A read is tried three times, an act once.
        ("Auto Scaling DescribeAutoScalingGroups error", 3),
        ("Auto Scaling SetDesiredCapacity error", 1),
        ("Auto Scaling SetDesiredCapacity no_answer", 1),
        ("CloudWatch PutMetricData ok", 1),
    ];
    let expected: BTreeMap<_, _> = expected.map(|(key, count)| (key.to_owned(), count)).into();
    assert_eq!(counted(&snapshotter), expected);
}

/// Each client is made of a configuration that counts.
#[test]
fn there_is_no_client_that_does_not_count() {
    let mut folders = vec![std::path::PathBuf::from("src")];
    let mut clients = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("Client::new("), "{}", path.display());
            let made = text.matches("Client::from_conf(").count();
            assert_eq!(
                text.matches(".counted()").count(),
                made,
                "{}",
                path.display()
            );
            clients += made;
        }
    }
    assert!(clients >= 8, "{clients}");
}
