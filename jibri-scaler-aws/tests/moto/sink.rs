//! The metrics.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::{
    Client,
    primitives::DateTime,
    types::{Datapoint, Dimension, StandardUnit, Statistic},
};
use jibri_scaler_aws::{CloudWatchSink, GroupName};
use jibri_scaler_core::{
    Tally, Timestamp,
    port::{FleetMetrics, MetricsSink},
};

use crate::fixture;

const INTERVAL: Duration = Duration::from_secs(10);

/// The start of a minute a while ago, so that all points of a test are in one period of a minute.
fn minute() -> Timestamp {
    let now = Timestamp::from(SystemTime::now()).as_micros();
    Timestamp::from_micros(now - now.rem_euclid(60_000_000) - 600_000_000)
}

fn tally() -> Tally {
    let mut tally = Tally::default();
    tally.spare = 3;
    tally.busy = 4;
    tally.booting = 2;
    tally.unknown = 1;
    tally.total = 10;
    tally
}

/// moto is slow on a loaded machine, and its time is not what is tested.
pub(crate) fn sink(sdk: &SdkConfig, group: &GroupName) -> CloudWatchSink {
    let sink = CloudWatchSink::new(sdk, group.clone(), INTERVAL).unwrap();
    sink.with_timeout(Duration::from_mins(1))
}

async fn points(
    sdk: &SdkConfig,
    namespace: &str,
    group: &GroupName,
    metric: &str,
    from: Timestamp,
) -> Vec<Datapoint> {
    let seconds = from.as_micros() / 1_000_000;
    let answer = Client::new(sdk)
        .get_metric_statistics()
        .namespace(namespace)
        .metric_name(metric)
        .dimensions(
            Dimension::builder()
                .name("AutoScalingGroupName")
                .value(group.as_str())
                .build(),
        )
        .start_time(DateTime::from_secs(seconds))
        .end_time(DateTime::from_secs(seconds + 60))
        .period(60)
        .statistics(Statistic::Sum)
        .statistics(Statistic::Average)
        .statistics(Statistic::SampleCount)
        .send()
        .await
        .unwrap();
    answer.datapoints.unwrap_or_default()
}

#[tokio::test]
async fn the_sum_of_idle_is_their_number_and_the_average_their_share() {
    let (sdk, name, at) = (fixture::sdk(), fixture::unique_name(), minute());
    let sink = sink(&sdk, &name);
    sink.publish(&FleetMetrics::new(at, &tally(), 10, 3))
        .await
        .unwrap();
    let [idle] = &points(&sdk, "Jibri", &name, "Idle", at).await[..] else {
        panic!("not one point");
    };
    assert_eq!(idle.sum, Some(3.0));
    assert_eq!(idle.average, Some(3.0 / 8.0));
    assert_eq!(idle.sample_count, Some(8.0));
    assert_eq!(idle.unit, Some(StandardUnit::Count));
}

#[tokio::test]
async fn the_other_numbers_are_one_point_each() {
    let (sdk, name, at) = (fixture::sdk(), fixture::unique_name(), minute());
    let sink = sink(&sdk, &name).with_namespace("Video/Jibri".parse().unwrap());
    sink.publish(&FleetMetrics::new(at, &tally(), 11, 5))
        .await
        .unwrap();
    for (metric, value, unit) in [
        ("Busy", 4.0, StandardUnit::Count),
        ("Booting", 2.0, StandardUnit::Count),
        ("Unhealthy", 0.0, StandardUnit::Count),
        ("Expired", 0.0, StandardUnit::Count),
        ("Unknown", 1.0, StandardUnit::Count),
        ("Retiring", 0.0, StandardUnit::Count),
        ("Total", 10.0, StandardUnit::Count),
        ("Desired", 11.0, StandardUnit::Count),
        ("WantedSpare", 5.0, StandardUnit::Count),
        ("IdleShare", 0.375, StandardUnit::None),
    ] {
        let found = points(&sdk, "Video/Jibri", &name, metric, at).await;
        let [point] = &found[..] else {
            panic!("{metric}: {found:?}");
        };
        assert_eq!(point.sum, Some(value), "{metric}");
        assert_eq!(point.sample_count, Some(1.0), "{metric}");
        assert_eq!(point.unit, Some(unit), "{metric}");
    }
}

#[tokio::test]
async fn where_nothing_reports_there_is_no_point_of_idle() {
    let (sdk, name, at) = (fixture::sdk(), fixture::unique_name(), minute());
    let sink = sink(&sdk, &name);
    let mut booting = Tally::default();
    (booting.booting, booting.total) = (2, 2);
    sink.publish(&FleetMetrics::new(at, &booting, 2, 1))
        .await
        .unwrap();
    assert!(points(&sdk, "Jibri", &name, "Idle", at).await.is_empty());
    assert!(
        points(&sdk, "Jibri", &name, "IdleShare", at)
            .await
            .is_empty()
    );
    assert_eq!(
        points(&sdk, "Jibri", &name, "Booting", at).await[0].sum,
        Some(2.0)
    );
}

#[tokio::test]
async fn the_points_of_several_ticks_keep_their_average() {
    let (sdk, name, at) = (fixture::sdk(), fixture::unique_name(), minute());
    let sink = sink(&sdk, &name);
    for tick in 0..6 {
        let metrics = FleetMetrics::new(at + INTERVAL * tick, &tally(), 10, 3);
        sink.publish(&metrics).await.unwrap();
    }
    let idle = points(&sdk, "Jibri", &name, "Idle", at).await;
    assert_eq!(idle.len(), 1);
    assert_eq!(idle[0].average, Some(0.375));
    assert_eq!(idle[0].sample_count, Some(48.0));
}
