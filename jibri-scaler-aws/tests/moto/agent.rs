//! What the agent asks of AWS.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use jibri_scaler_aws::{
    AutoScalingGroup, GroupName,
    agent::{AgentInstance, CloudWatchIdle},
    inspect::Inspector,
};
use jibri_scaler_core::{
    InstanceId, Lifecycle, Timestamp,
    agent::port::{IdleSignal, OwnInstance, OwnState, SignalPoint, SignalSum},
    port::{Decrement, GroupListing},
};

use crate::fixture;

const PERIOD: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_mins(1);

async fn ids(group: &AutoScalingGroup) -> BTreeSet<InstanceId> {
    let listing = group.list().await.unwrap();
    listing.instances.into_iter().map(|i| i.id).collect()
}

/// A group of that size, and one of its instances.
async fn one_of(sdk: &SdkConfig, size: i32) -> (AutoScalingGroup, AgentInstance) {
    let group = fixture::group(sdk, 0, 9, size).await;
    let id = ids(&group).await.pop_first().unwrap();
    let own = own(sdk, &group, id);
    (group, own)
}

/// moto is slow on a loaded machine, and its time is not what is tested.
fn own(sdk: &SdkConfig, group: &AutoScalingGroup, id: InstanceId) -> AgentInstance {
    let own = AgentInstance::new(sdk, group.name().clone(), id).unwrap();
    own.with_timeout(MINUTE)
}

fn signal(sdk: &SdkConfig, group: &GroupName, period: Duration) -> CloudWatchIdle {
    let signal = CloudWatchIdle::new(sdk, group.clone(), period).unwrap();
    signal.with_timeout(MINUTE)
}

/// The start of a minute a while ago.
fn minute() -> Timestamp {
    let now = Timestamp::from(SystemTime::now()).as_micros();
    Timestamp::from_micros(now - now.rem_euclid(60_000_000)).before(MINUTE * 10)
}

#[tokio::test]
async fn protection_is_seen_where_it_was_set_and_nowhere_else() {
    let sdk = fixture::sdk();
    let (group, own) = one_of(&sdk, 3).await;
    for protected in [true, true, false, false, true] {
        own.set_protection(protected).await.unwrap();
        assert_eq!(
            own.look().await.unwrap(),
            Some(OwnState::new(Lifecycle::InService, protected))
        );
        for instance in group.list().await.unwrap().instances {
            assert_eq!(instance.protected, protected && instance.id == *own.id());
        }
    }
}

#[tokio::test]
async fn an_instance_that_is_in_no_group_has_no_state() {
    let sdk = fixture::sdk();
    let group = fixture::group(&sdk, 0, 9, 1).await;
    let own = own(&sdk, &group, "i-0123456789abcdef0".parse().unwrap());
    assert_eq!(own.look().await.unwrap(), None);
}

#[tokio::test]
async fn an_instance_that_ends_itself_takes_the_desired_capacity_with_it() {
    let sdk = fixture::sdk();
    let (group, own) = one_of(&sdk, 3).await;
    own.set_protection(true).await.unwrap();
    let before = ids(&group).await;
    own.terminate(Decrement::Yes).await.unwrap();
    assert_eq!(own.look().await.unwrap(), None);
    assert_eq!(group.list().await.unwrap().group.desired, 2);
    let after = ids(&group).await;
    assert_eq!(before.difference(&after).collect::<Vec<_>>(), [own.id()]);
}

#[tokio::test]
async fn an_instance_that_ends_itself_without_decrement_is_replaced() {
    let sdk = fixture::sdk();
    let (group, own) = one_of(&sdk, 2).await;
    own.terminate(Decrement::No).await.unwrap();
    assert_eq!(own.look().await.unwrap(), None);
    assert_eq!(group.list().await.unwrap().group.desired, 2);
    assert_eq!(ids(&group).await.len(), 2);
}

#[tokio::test]
async fn the_points_of_all_instances_add_up_in_each_period() {
    let (sdk, name, start) = (fixture::sdk(), fixture::unique_name(), minute());
    // Each with its own client, as on its own machine; the last is busy from the third period on.
    for instance in 0..4 {
        let signal = signal(&sdk, &name, PERIOD);
        for period in 0..6 {
            let at = start + PERIOD * period + Duration::from_secs(2 + instance);
            let idle = instance < 3 || period < 2;
            signal.publish(&[SignalPoint::new(at, idle)]).await.unwrap();
        }
    }
    let sums = signal(&sdk, &name, PERIOD)
        .sums(start, start + MINUTE, PERIOD)
        .await
        .unwrap();
    let expected: Vec<_> = (0..6)
        .map(|period| {
            let idle = if period < 2 { 4.0 } else { 3.0 };
            SignalSum::new(start + PERIOD * period, idle, 4.0)
        })
        .collect();
    assert_eq!(sums, expected);
}

#[tokio::test]
async fn points_sent_together_fall_into_their_own_periods() {
    let (sdk, name, start) = (fixture::sdk(), fixture::unique_name(), minute());
    let signal = signal(&sdk, &name, PERIOD).with_namespace("Video/Jibri".parse().unwrap());
    // Not in order, and with a gap.
    let points = [50, 0, 10, 40].map(|second| {
        let at = start + Duration::from_millis(second * 1000 + 4_321);
        SignalPoint::new(at, second < 30)
    });
    signal.publish(&points).await.unwrap();
    let sums = signal.sums(start, start + MINUTE, PERIOD).await.unwrap();
    let expected = [(0, 1.0), (10, 1.0), (40, 0.0), (50, 0.0)]
        .map(|(second, idle)| SignalSum::new(start + Duration::from_secs(second), idle, 1.0));
    assert_eq!(sums, expected);
}

#[tokio::test]
async fn a_longer_period_has_more_samples_of_the_same_share() {
    let (sdk, name, start) = (fixture::sdk(), fixture::unique_name(), minute());
    let signal = signal(&sdk, &name, PERIOD);
    let points: Vec<_> = (0..12)
        .map(|period| SignalPoint::new(start + PERIOD * period, period % 3 == 0))
        .collect();
    signal.publish(&points).await.unwrap();
    let sums = signal.sums(start, start + MINUTE * 2, MINUTE).await;
    assert_eq!(
        sums.unwrap(),
        [
            SignalSum::new(start, 2.0, 6.0),
            SignalSum::new(start + MINUTE, 2.0, 6.0),
        ]
    );
}

#[tokio::test]
async fn what_other_groups_publish_is_not_counted() {
    let (sdk, start) = (fixture::sdk(), minute());
    let groups = [fixture::unique_name(), fixture::unique_name()];
    for (group, idle) in groups.iter().zip([true, false]) {
        let point = SignalPoint::new(start, idle);
        let signal = signal(&sdk, group, MINUTE);
        signal.publish(&[point]).await.unwrap();
    }
    for (group, idle) in groups.iter().zip([1.0, 0.0]) {
        let sums = signal(&sdk, group, MINUTE)
            .sums(start, start + MINUTE, MINUTE)
            .await;
        assert_eq!(sums.unwrap(), [SignalSum::new(start, idle, 1.0)]);
    }
    let none = signal(&sdk, &fixture::unique_name(), MINUTE)
        .sums(start, start + MINUTE, MINUTE)
        .await;
    assert_eq!(none.unwrap(), []);
}

#[tokio::test]
async fn what_agents_publish_is_what_an_inspection_finds() {
    let (sdk, start) = (fixture::sdk(), minute());
    let group = fixture::group(&sdk, 0, 9, 1).await;
    let mut point = SignalPoint::new(start + PERIOD, true);
    point.in_service = Some(1);
    let signal = signal(&sdk, group.name(), MINUTE);
    signal.publish(&[point]).await.unwrap();
    let inspector = Inspector::new(&sdk, group.name().clone()).unwrap();
    let setup = inspector
        .with_timeout(MINUTE)
        .inspect(start + MINUTE * 5)
        .await
        .unwrap();
    let found = setup.signal.unwrap();
    assert_eq!(found.minutes, [SignalSum::new(start, 1.0, 1.0)]);
    assert_eq!(found.by_agents, [(start, 1.0)]);
}
