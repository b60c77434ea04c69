//! Groups that share a budget of calls.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jibri_scaler_aws::{AutoScalingGroup, CallBudget, CloudWatchSink, Ownership};
use jibri_scaler_core::{
    Tally, Timestamp,
    port::{
        FleetMetrics, GroupControl, GroupListing, GroupOwnership, MetricsSink as _, PortErrorKind,
    },
};

use crate::{
    answers::{Answer, Request, Server},
    cbor::ACCEPTED,
    group::{assert_failed, done},
};

/// Lists any group; does whatever it is told.
fn answer(request: &Request) -> Answer {
    let action = request.parameter("Action").unwrap_or_default();
    if action != "DescribeAutoScalingGroups" {
        return done(action);
    }
    let name = name(request);
    Answer::http(
        200,
        format!(
            "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>\
             <AutoScalingGroupName>{name}</AutoScalingGroupName><MinSize>1</MinSize><MaxSize>60</MaxSize>\
             <DesiredCapacity>4</DesiredCapacity><Instances></Instances></member></AutoScalingGroups>\
             </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
        ),
    )
}

fn name(request: &Request) -> String {
    let listed = request.members("AutoScalingGroupNames").into_iter().next();
    let named = || request.parameter("AutoScalingGroupName").map(str::to_owned);
    listed.or_else(named).unwrap_or_default()
}

fn group(server: &Server, name: &str, budget: &CallBudget) -> AutoScalingGroup {
    let group = AutoScalingGroup::new(&server.sdk(), name.parse().unwrap()).unwrap();
    group.with_budget(budget)
}

/// Lists, again and again.
async fn loops(group: AutoScalingGroup) {
    loop {
        let _ = group.list().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_share_it_by_turns_and_one_that_loops_has_its_turn_and_no_more() {
    let server = Server::new(|_, request| answer(request));
    let budget = CallBudget::new(40.0, 4).unwrap();
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        tasks.spawn(loops(group(&server, "loops", &budget)));
    }
    for name in ["b", "c", "d"] {
        tasks.spawn(loops(group(&server, name, &budget)));
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    tasks.shutdown().await;
    let passed = begun.elapsed().as_secs_f64();
    let mut calls: BTreeMap<String, u32> = BTreeMap::new();
    for request in server.requests().iter() {
        *calls.entry(name(request)).or_default() += 1;
    }
    let all: u32 = calls.values().sum();
    let allowed = 4.0 + 40.0 * passed;
    assert!(f64::from(all) <= allowed, "{all} in {passed} s");
    // A quarter each, less what a loaded machine takes to call again.
    assert!(calls["loops"] <= all / 2, "{calls:?}");
    for name in ["b", "c", "d"] {
        assert!(calls[name] >= all / 8, "{calls:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_slow_and_one_that_is_throttled_hold_nobody_up() {
    let server = Server::new(|_, request| match name(request).as_str() {
        "slow" => Answer::Hang,
        "throttled" => Answer::refusal(400, "Throttling", "Rate exceeded"),
        _ => answer(request),
    });
    let budget = CallBudget::new(20.0, 8).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for name in ["slow", "throttled"] {
        for _ in 0..5 {
            tasks.spawn(loops(group(&server, name, &budget)));
        }
    }
    let good = group(&server, "good", &budget);
    let mut longest = Duration::ZERO;
    for _ in 0..15 {
        let begun = Instant::now();
        good.list().await.unwrap();
        good.set_capacity(4).await.unwrap();
        longest = longest.max(begun.elapsed());
    }
    tasks.shutdown().await;
    // By turns it waits for two others, 50 ms each; the rest is the machine's.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_go_through_while_reads_have_taken_all() {
    let server = Server::new(|_, request| answer(request));
    // A read each second, so that none of these ends in time.
    let budget = CallBudget::new(0.1, 8).unwrap();
    let reader = group(&server, "reads", &budget).with_timeout(Duration::from_secs(1));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        tasks.spawn(loops(reader.clone()));
    }
    while server.requests().len() < 6 {
        tokio::task::yield_now().await;
    }
    let acting = group(&server, "acts", &budget);
    acting.set_capacity(3).await.unwrap();
    Ownership::new(acting, "ours".parse().unwrap())
        .mark(Timestamp::from_secs(1_763_800_000))
        .await
        .unwrap();
    tasks.shutdown().await;
    let requests = server.requests();
    let actions = requests
        .iter()
        .filter_map(|request| request.parameter("Action"));
    let acts: Vec<_> = actions
        .filter(|action| !action.starts_with("Describe"))
        .collect();
    assert_eq!(acts, ["SetDesiredCapacity", "CreateOrUpdateTags"]);
}

#[tokio::test]
async fn a_read_that_gets_no_turn_in_time_fails_without_a_call_and_says_what_to_do() {
    let server = Server::new(|_, request| answer(request));
    let budget = CallBudget::new(0.1, 4).unwrap();
    let group = group(&server, "jibri", &budget).with_timeout(Duration::from_millis(400));
    for _ in 0..3 {
        group.list().await.unwrap();
    }
    let begun = Instant::now();
    let texts = [
        "could not list Auto Scaling group `jibri` (throttled)",
        "the CallBudget had no call left for",
        "let the groups tick less often",
    ];
    assert_failed(group.list().await, PortErrorKind::Throttled, &texts);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(server.requests().len(), 3);
    // The same of what is published.
    let sink = CloudWatchSink::new(
        &server.sdk(),
        "jibri".parse().unwrap(),
        Duration::from_secs(10),
    );
    let sink = sink.unwrap().with_budget(&budget);
    let sink = sink.with_timeout(Duration::from_millis(400));
    let metrics = FleetMetrics::new(Timestamp::from_secs(1_763_800_000), &Tally::default(), 3, 1);
    let result = sink.publish(&metrics).await;
    assert_failed(
        result,
        PortErrorKind::Throttled,
        &["publish", "the CallBudget"],
    );
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn the_retries_of_the_sdk_are_paid_for() {
    let failing = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let fails = Arc::clone(&failing);
    let server = Server::new(move |_, request| {
        if fails.load(std::sync::atomic::Ordering::Relaxed) {
            Answer::refusal(500, "InternalFailure", "later")
        } else {
            answer(request)
        }
    });
    let budget = CallBudget::new(0.1, 4).unwrap();
    let group = group(&server, "jibri", &budget);
    assert!(group.list().await.is_err());
    assert_eq!(server.requests().len(), 3, "one of three, and two retries");
    failing.store(false, std::sync::atomic::Ordering::Relaxed);
    let group = group.with_timeout(Duration::from_millis(400));
    let result = group.list().await;
    assert_failed(result, PortErrorKind::Throttled, &["the CallBudget"]);
}

#[tokio::test]
async fn without_a_budget_nothing_waits_and_with_one_a_publication_is_sent() {
    let server = Server::always(ACCEPTED);
    let sink = CloudWatchSink::new(
        &server.sdk(),
        "jibri".parse().unwrap(),
        Duration::from_secs(10),
    );
    let sink = sink.unwrap().with_budget(&CallBudget::new(0.1, 4).unwrap());
    let metrics = FleetMetrics::new(Timestamp::from_secs(1_763_800_000), &Tally::default(), 3, 1);
    sink.publish(&metrics).await.unwrap();
    assert_eq!(server.requests().len(), 1);
}
