//! A bad network between the adapters and AWS.

use std::{collections::VecDeque, time::Duration};

use aws_config::SdkConfig;
use jibri_scaler_aws::AutoScalingGroup;
use jibri_scaler_core::{
    InstanceId, Tally, Timestamp,
    port::{
        Decrement, FleetMetrics, GroupControl as _, GroupListing as _, MetricsSink as _, PortError,
        PortErrorKind,
    },
    retirement::{Phase, Retirement},
};

use crate::{
    controller::World,
    fixture,
    proxy::{BAD_GATEWAY, Draws, Fault, Proxy},
    server, sink,
};

/// For what hangs, so that it ends soon.
const SHORT: Duration = Duration::from_millis(1500);

/// As Auto Scaling asks to be called less often.
const THROTTLED: Fault = Fault::Instead(
    400,
    "text/xml",
    b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>\
     <RequestId>r</RequestId></ErrorResponse>",
);
/// As CloudWatch does: the body is an empty map in CBOR.
const THROTTLED_METRICS: Fault = Fault::Instead(
    400,
    "application/cbor\r\nsmithy-protocol: rpc-v2-cbor\r\nx-amzn-query-error: Throttling;Sender",
    b"\xa0",
);
const UNAVAILABLE: Fault = Fault::Instead(503, "text/plain", b"Service Unavailable");
const DELAY: Fault = Fault::Delay(Duration::from_millis(30));

/// What may pass, and whether AWS has acted or not can't be known.
const PASSING: [Fault; 6] = [
    Fault::ResetBefore,
    Fault::AnswerLost,
    Fault::NoHttp,
    BAD_GATEWAY,
    UNAVAILABLE,
    Fault::Hang,
];
/// In the middle of an answer that has a body.
const IN_BODY: [Fault; 3] = [Fault::ResetAfterHead, Fault::ResetInBody, Fault::Cut];

/// A proxy before moto, and the configuration that goes through it.
pub(crate) fn behind() -> (Proxy, SdkConfig) {
    let proxy = Proxy::start(([127, 0, 0, 1], server::port()).into());
    let url = format!("http://{}", proxy.address());
    let sdk = fixture::sdk().into_builder().endpoint_url(url).build();
    (proxy, sdk)
}

/// How many requests of that operation came since the last call, and how many of them reached moto.
fn sent(proxy: &Proxy, operation: &str) -> (usize, usize) {
    let mut exchanges = proxy.take_exchanges();
    exchanges.retain(|exchange| exchange.request.operation() == operation);
    let reached = exchanges
        .iter()
        .filter(|exchange| exchange.fault.as_ref().is_none_or(Fault::passes_on));
    (exchanges.len(), reached.count())
}

/// An act on a group, once through a bad network.
struct Act {
    proxy: Proxy,
    direct: AutoScalingGroup,
    acting: AutoScalingGroup,
    operation: &'static str,
}

impl Act {
    async fn new(operation: &'static str) -> Self {
        let (proxy, sdk) = behind();
        let direct = fixture::group(&fixture::sdk(), 0, 60, 30).await;
        let acting = AutoScalingGroup::new(&sdk, direct.name().clone()).unwrap();
        Self {
            proxy,
            direct,
            acting,
            operation,
        }
    }

    async fn first(&self) -> InstanceId {
        let listing = self.direct.list().await.unwrap();
        let ids = listing.instances.into_iter().map(|instance| instance.id);
        ids.min().unwrap()
    }

    async fn go(&self, fault: &Fault) -> Result<(), PortError> {
        let id = self.first().await;
        let group = if *fault == Fault::Hang {
            self.acting.clone().with_timeout(SHORT)
        } else {
            fixture::patient(self.acting.clone())
        };
        self.proxy.always(fault);
        match self.operation {
            "SetDesiredCapacity" => group.set_capacity(30).await,
            "SetInstanceProtection" => group.protect(&[id]).await,
            _ => group.terminate(&id, Decrement::Yes).await,
        }
    }

    async fn check(&self, fault: &Fault, expected: Option<PortErrorKind>) {
        let result = self.go(fault).await;
        let kind = result.as_ref().err().map(PortError::kind);
        assert_eq!(kind, expected, "{} {fault:?}: {result:?}", self.operation);
        let reached = usize::from(fault.passes_on());
        assert_eq!(
            sent(&self.proxy, self.operation),
            (1, reached),
            "{} {fault:?}",
            self.operation
        );
    }
}

#[tokio::test]
async fn an_act_is_sent_once_and_its_failure_is_of_its_kind() {
    for operation in [
        "SetDesiredCapacity",
        "SetInstanceProtection",
        "TerminateInstanceInAutoScalingGroup",
    ] {
        let act = Act::new(operation).await;
        act.check(&DELAY, None).await;
        act.check(&THROTTLED, Some(PortErrorKind::Throttled)).await;
        for fault in PASSING.iter().chain(&IN_BODY) {
            act.check(fault, Some(PortErrorKind::Transient)).await;
        }
    }
}

#[tokio::test]
async fn a_termination_without_an_answer_has_ended_one_instance() {
    let act = Act::new("TerminateInstanceInAutoScalingGroup").await;
    let before = act.direct.list().await.unwrap();
    for (count, fault) in (1..).zip([Fault::AnswerLost, Fault::ResetInBody, Fault::Cut]) {
        assert!(act.go(&fault).await.is_err());
        let after = act.direct.list().await.unwrap();
        assert_eq!(after.group.desired, before.group.desired - count);
        assert_eq!(
            after.instances.len(),
            before.instances.len() - count as usize
        );
    }
}

#[tokio::test]
async fn a_publication_is_sent_once() {
    const PUBLISH: &str = "PutMetricData";
    let mut tally = Tally::default();
    tally.spare = 3;
    tally.total = 3;
    let now = Timestamp::from(std::time::SystemTime::now());
    let metrics = FleetMetrics::new(now, &tally, 3, 1);
    let (proxy, sdk) = behind();
    let publish = async |fault: &Fault| {
        let sink = sink::sink(&sdk, &fixture::unique_name());
        let sink = if *fault == Fault::Hang {
            sink.with_timeout(SHORT)
        } else {
            sink
        };
        proxy.always(fault);
        let result = sink.publish(&metrics).await;
        let reached = usize::from(fault.passes_on());
        assert_eq!(sent(&proxy, PUBLISH), (1, reached), "{fault:?}");
        result.map_err(|error| error.kind())
    };
    assert_eq!(publish(&DELAY).await, Ok(()));
    let throttled = publish(&THROTTLED_METRICS).await;
    assert_eq!(throttled, Err(PortErrorKind::Throttled));
    for fault in &PASSING {
        assert_eq!(
            publish(fault).await,
            Err(PortErrorKind::Transient),
            "{fault:?}"
        );
    }
    // The answer to it is so short that half of it may be all.
    for fault in &IN_BODY {
        let result = publish(fault).await;
        assert!(
            matches!(result, Ok(()) | Err(PortErrorKind::Transient)),
            "{fault:?}: {result:?}"
        );
    }
}

#[tokio::test]
async fn a_listing_is_asked_for_again_and_is_whole_or_none() {
    const LIST: &str = "DescribeAutoScalingGroups";
    let (proxy, sdk) = behind();
    let direct = fixture::group(&fixture::sdk(), 0, 20, 12).await;
    let group = AutoScalingGroup::new(&sdk, direct.name().clone()).unwrap();
    let group = fixture::patient(group);
    let ids = |listing: jibri_scaler_core::port::Listing| {
        let ids = listing.instances.into_iter().map(|instance| instance.id);
        let mut ids: Vec<_> = ids.collect();
        ids.sort();
        ids
    };
    let whole = ids(direct.list().await.unwrap());
    assert_eq!(whole.len(), 12);
    let short = PASSING.iter().filter(|fault| **fault != Fault::Hang);
    for fault in short.chain(&IN_BODY).chain([&THROTTLED]) {
        // The SDK takes what is no HTTP for a mistake that stays.
        let tries = if *fault == Fault::NoHttp { 1 } else { 3 };
        proxy.always(fault);
        let error = group.list().await.unwrap_err();
        let expected = if *fault == THROTTLED {
            PortErrorKind::Throttled
        } else {
            PortErrorKind::Transient
        };
        assert_eq!(error.kind(), expected, "{fault:?}: {}", error.report());
        assert_eq!(sent(&proxy, LIST).0, tries, "{fault:?}");

        if tries > 1 {
            let mut once = VecDeque::from([fault.clone()]);
            proxy.set(move |_| once.pop_front());
            let listing = group.list().await.unwrap_or_else(|error| {
                panic!("after {fault:?}: {}", error.report());
            });
            assert_eq!(ids(listing), whole, "after {fault:?}");
            assert_eq!(sent(&proxy, LIST).0, 2, "{fault:?}");
        }
    }
    proxy.always(&DELAY);
    assert_eq!(ids(group.list().await.unwrap()), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_without_an_answer_is_seen_and_not_done_twice() {
    const SET: &str = "SetDesiredCapacity";
    const END: &str = "TerminateInstanceInAutoScalingGroup";
    let (proxy, sdk) = behind();
    let mut world = World::through(&sdk).await;
    proxy.set(|request| (request.operation() == SET).then_some(Fault::AnswerLost));
    world.pass_time().await;
    let report = world.controller.tick(world.now).await.unwrap();
    assert_eq!(report.decision.plan.capacity(), Some(2));
    assert_eq!(report.problems.len(), 1, "{report}");
    assert_eq!(sent(&proxy, SET), (1, 1));
    for _ in 0..3 {
        assert_eq!(world.tick().await.decision.plan.capacity(), None);
    }
    assert_eq!(sent(&proxy, SET), (0, 0), "it is as it was asked for");
    assert_eq!(world.listing().await.group.desired, 2);

    // One more than wanted, by an operator, until it goes.
    world.group.set_capacity(3).await.unwrap();
    proxy.set(|request| (request.operation() == END).then_some(Fault::AnswerLost));
    let mut lost = 0;
    for _ in 0..20 {
        world.pass_time().await;
        let report = world.controller.tick(world.now).await.unwrap();
        lost += report.problems.len();
    }
    assert_eq!((lost, sent(&proxy, END)), (1, (1, 1)));
    let listing = world.listing().await;
    assert_eq!((listing.group.desired, listing.instances.len()), (2, 2));
    assert_eq!(phases(&world), [], "its retirement is over");
}

/// The retirements that are under way or given up.
fn phases(world: &World) -> Vec<Phase> {
    let retirements = world.controller.memory().unwrap().retirements();
    retirements.values().map(Retirement::phase).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_comes_through_a_bad_network_and_nothing_is_lost() {
    const SEED: u64 = 7;
    let (proxy, sdk) = behind();
    let mut world = World::through(&sdk).await;
    let mut draws = Draws::new(SEED);
    proxy.set(move |request| {
        let metrics = request.operation() == "PutMetricData";
        match draws.below(12) {
            0..=5 => None,
            6 if metrics => Some(THROTTLED_METRICS),
            6 => Some(THROTTLED),
            7 => Some(draws.one_of(&IN_BODY).clone()),
            // What hangs would take as long as the patience with moto.
            8..=10 => Some(draws.one_of(&PASSING[..5]).clone()),
            _ => Some(DELAY),
        }
    });
    let (mut failed, mut problems) = (0, 0);
    for tick in 0..35 {
        if tick == 15 {
            proxy.set(|_| None);
        }
        world.pass_time().await;
        if tick == 5 {
            let lasts = Some(Duration::from_mins(3));
            let jibri = world.jibris.values().next().unwrap();
            jibri.start_session(world.now, "standup", lasts).unwrap();
        }
        let recording: Vec<_> = world
            .jibris
            .iter()
            .filter(|(_, jibri)| jibri.is_session_active())
            .map(|(id, _)| id.clone())
            .collect();
        match world.controller.tick(world.now).await {
            Ok(report) => {
                assert!(report.breaches.is_empty(), "{report}");
                problems += report.problems.len();
            }
            Err(_) => failed += 1,
        }
        let listing = world.listing().await;
        for id in recording {
            let listed = listing.instances.iter().any(|instance| instance.id == id);
            assert!(listed, "{id} was given back while it recorded");
        }
        assert!(sent(&proxy, "PutMetricData").0 <= 1);
    }
    assert!(problems > 0, "{failed} ticks saw no group");
    let listing = world.listing().await;
    assert_eq!((listing.group.desired, listing.instances.len()), (2, 2));
    assert_eq!(phases(&world), []);
}
