//! The controller, with a bad network between it and every Jibri.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jibri_scaler_core::{
    Controller, Limits,
    observe::JoinedObserver,
    policy::MinIdle,
    retirement::{Phase, Retirement},
};
use jibri_scaler_http::{
    DrainConfig, HttpDrain, HttpProbe, ProbeConfig, addresses::LiveAddresses, fake::SessionEvent,
};

use crate::{
    common::at,
    group::{Checked, Member, Members},
    proxy::{BAD_GATEWAY, Draws, Fault},
};

const SEEDS: std::ops::Range<u64> = 0..8;
const INTERVAL: u64 = 20;
const GONE_AFTER: Duration = Duration::from_secs(2 * INTERVAL);
/// How many ticks the network is bad, and how many it may then take until all is as it is to be.
const BAD: u64 = 40;
const GOOD: u64 = 100;
/// How long a call may take. Only what hangs takes as long, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often something hangs, since that makes the test slow.
const HANGS: u32 = 2;

const FAULTS: [Fault; 12] = [
    Fault::Delay(Duration::from_millis(5)),
    Fault::Delay(Duration::from_millis(50)),
    Fault::ResetBefore,
    Fault::ResetAfterHead,
    Fault::ResetInBody,
    Fault::Cut,
    Fault::AnswerLost,
    Fault::NoHttp,
    BAD_GATEWAY,
    Fault::Instead(503, "application/json", br#"{"busy":false}"#),
    Fault::Instead(200, "application/json", b"<html>"),
    Fault::Hang,
];

/// What came of one seed.
#[derive(Debug, Default)]
struct Sum {
    faults: Vec<Fault>,
    released: usize,
    recorded: usize,
    /// Given up on, and ended.
    left: usize,
}

/// Two of five requests go wrong.
fn make_bad(member: &Member, draws: &mut Draws, hangs: &Arc<AtomicU32>) {
    for (proxy, seed) in [
        (&member.health, draws.below(1 << 32)),
        (&member.internal, draws.below(1 << 32)),
    ] {
        let mut draws = Draws::new(seed);
        let mut untaken = 0;
        let hangs = Arc::clone(hangs);
        proxy.set(move |request| {
            if draws.below(5) > 1 {
                return None;
            }
            let fault = draws.one_of(&FAULTS);
            // A request to end waits for its answer, and so would each tick.
            let tells = request.head.starts_with("POST");
            if *fault == Fault::Hang && (tells || hangs.fetch_add(1, Ordering::Relaxed) >= HANGS) {
                return None;
            }
            // A request to end that is answered in the place of the Jibri, or reset, counts as taken. After the third the Jibri is
            // left to a human, as it must be; here it is to go.
            let answered = matches!(fault, Fault::ResetBefore | Fault::Instead(200, ..));
            if tells && answered {
                untaken += 1;
                if untaken > 1 {
                    return None;
                }
            }
            Some(fault.clone())
        });
    }
}

/// The retirements that are under way or given up.
fn phases(controller: &Controller) -> Vec<Phase> {
    let retirements = controller.memory().unwrap().retirements();
    retirements.values().map(Retirement::phase).collect()
}

/// Jicofo asks those that say they are free: now and then any, and often one that is to go and has not heard so yet.
fn begin_recordings(
    group: &Members,
    controller: &Controller,
    now: jibri_scaler_core::Timestamp,
    draws: &mut Draws,
) {
    let going: Vec<_> = controller.memory().map_or_else(Vec::new, |memory| {
        let ids = memory.retirements().keys();
        ids.filter_map(|id| group.member(id)).collect()
    });
    let asked = group
        .members()
        .into_iter()
        .map(|member| (member, 12))
        .chain(going.into_iter().map(|member| (member, 2)));
    for (member, one_of) in asked {
        if draws.below(one_of) == 0 && member.fake.is_selectable() {
            let lasts = Duration::from_secs(30 + draws.below(200));
            member
                .fake
                .start_session(now, "standup", Some(lasts))
                .unwrap();
        }
    }
}

async fn run(seed: u64) -> Sum {
    let mut draws = Draws::new(seed);
    let addresses = LiveAddresses::default();
    let group = Arc::new(Members::new(addresses.clone(), 6, at(0)));
    let config = ProbeConfig::default().with_timeout(PATIENCE).unwrap();
    let probe = HttpProbe::new(addresses.clone(), &config).unwrap();
    let config = DrainConfig::default().with_patience(PATIENCE).unwrap();
    let drain = Arc::new(HttpDrain::new(addresses, &config).unwrap());
    let probe = Checked {
        probe,
        group: Arc::clone(&group),
    };
    let observer = JoinedObserver::new(Arc::clone(&group), probe, || {
        Box::pin(tokio::time::sleep(PATIENCE * 4))
    });
    let limits = Limits::default()
        .with_idle_timeout(Duration::from_secs(60))
        .and_then(|limits| limits.with_report_ttl(GONE_AFTER))
        .and_then(|limits| limits.with_gone_after(GONE_AFTER))
        .unwrap();
    let policy = MinIdle::new(2).unwrap();
    let mut controller = Controller::new(
        policy,
        limits,
        observer.with_drain(Arc::clone(&drain)),
        Arc::clone(&group),
    )
    .with_drain(drain);

    let hangs = Arc::new(AtomicU32::new(0));
    let mut sum = Sum::default();
    for tick in 0..BAD + GOOD {
        let now = at(i64::try_from(tick * INTERVAL).unwrap());
        let new = group.advance(now).await;
        for member in new.iter().filter(|_| tick < BAD) {
            make_bad(member, &mut draws, &hangs);
        }
        for member in group.members() {
            if tick == BAD {
                member.health.set(|_| None);
                member.internal.set(|_| None);
            }
        }
        if tick < BAD {
            begin_recordings(&group, &controller, now, &mut draws);
        }
        let report = controller.tick(now).await.unwrap();
        assert!(
            report.breaches.is_empty(),
            "seed {seed}, tick {tick}: {report}"
        );
        assert_eq!(
            group.lost(),
            [],
            "seed {seed}, tick {tick}: a recording is lost"
        );
        for member in group.members() {
            for proxy in [&member.health, &member.internal] {
                let exchanges = proxy.take_exchanges();
                sum.faults
                    .extend(exchanges.into_iter().filter_map(|exchange| exchange.fault));
            }
        }
        let left = group.members();
        let recording = left.iter().any(|member| member.fake.is_session_active());
        if tick > BAD && left.len() == 2 && !recording && phases(&controller).is_empty() {
            break;
        }
    }

    // Where nobody knows whether it was told, one that has ended meanwhile can't be told, and is left to a human.
    let left = phases(&controller);
    assert!(
        left.iter().all(|phase| *phase == Phase::GivenUp),
        "seed {seed}: each retirement ends: {left:?}"
    );
    let members = group.members();
    let is_down = |member: &Arc<Member>| member.fake.act(|jibri| jibri.exit().is_some()).unwrap();
    let down = members.iter().filter(|member| is_down(member)).count();
    assert_eq!(down, left.len(), "seed {seed}: only those that have ended");
    assert_eq!(
        members.len() - down,
        2,
        "seed {seed}: only the wanted ones are left"
    );
    sum.left = down;
    let accepted = group.count(SessionEvent::Accepted);
    let finished = group.count(SessionEvent::Finished);
    assert_eq!(
        accepted, finished,
        "seed {seed}: each recording is finished"
    );
    sum.released = group.released();
    sum.recorded = finished;
    sum
}

#[tokio::test]
async fn no_recording_is_lost_and_each_retirement_ends_when_the_network_is_good_again() {
    let sums = futures_util::future::join_all(SEEDS.map(run)).await;
    for sum in &sums {
        let gone = sum.released + sum.left;
        assert!(
            gone >= 4 && sum.released >= 2 && sum.recorded > 0,
            "{sum:?}"
        );
    }
    // Of some fifty a few.
    let (released, left) = (
        total(&sums, |sum| sum.released),
        total(&sums, |sum| sum.left),
    );
    assert!(
        left * 10 <= released,
        "{left} are left, {released} given back"
    );
    let met: Vec<_> = sums.iter().flat_map(|sum| &sum.faults).collect();
    for fault in &FAULTS {
        let times = met.iter().filter(|met| **met == fault).count();
        assert!(times >= 3, "{fault:?} was met {times} times");
    }
    println!(
        "{} faults, {} given back, {} left, {} recorded",
        met.len(),
        released,
        left,
        total(&sums, |sum| sum.recorded)
    );
}

fn total(sums: &[Sum], of: impl Fn(&Sum) -> usize) -> usize {
    sums.iter().map(of).sum()
}
