use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::{
    Timestamp,
    backtest::{BootTime, Environment, Fleet, Session, Trace, simulate, workload::Workload},
};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Notes each change of the desired capacity.
struct Sizes<S> {
    inner: S,
    seen: Vec<(i64, u32)>,
}

impl<S: Scaler> Scaler for Sizes<S> {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        self.inner.tick(fleet);
        let desired = fleet.group().desired;
        if self.seen.last().is_none_or(|(_, last)| *last != desired) {
            let secs = fleet.now().as_micros() / 1_000_000;
            self.seen.push((secs, desired));
        }
    }
}

/// When the desired capacity was set to what, up to a time, in a group that begins at time 0 with so many instances, ticks each 30 s,
/// and boots 100 s.
pub(super) fn sizes<const N: usize>(
    scaler: impl Scaler,
    sessions: [(u32, u32); N],
    initial: u32,
    until: i64,
) -> Vec<(i64, u32)> {
    let first = sessions.iter().map(|(start, _)| *start).min().unwrap();
    let session =
        |(start, end): (u32, u32)| Session::new(at(start.into()), at(end.into())).unwrap();
    let trace = Trace::new(sessions.map(session));
    let environment = Environment::new(0, 99)
        .unwrap()
        .with_boot(BootTime::fixed(Duration::from_secs(100)).unwrap())
        .with_lead_in(Duration::from_secs(first.into()))
        .with_initial(initial);
    let mut sizes = Sizes {
        inner: scaler,
        seen: Vec::new(),
    };
    let outcome = simulate(&trace, &environment, &mut sizes);
    assert_eq!(outcome.lost, 0);
    sizes.seen.retain(|(at, _)| *at <= until);
    sizes.seen
}

fn environments() -> [Environment; 3] {
    let plain = Environment::new(1, 200).unwrap();
    let hard = plain
        .clone()
        .with_report_delay(Duration::from_secs(20))
        .and_then(|e| e.with_report_loss(0.05))
        .and_then(|e| e.with_launch_failures(0.1, Duration::from_secs(60)))
        .unwrap();
    [plain.clone(), hard, plain.with_single_use(true)]
}

#[test]
fn none_ends_one_that_records_and_the_hours_are_the_bill() {
    let day = Workload::clustered(25.0).unwrap().sample(at(0), 1, 7).trace;
    for environment in environments() {
        for peer in Peer::ALL {
            for curve in peer.curves().into_iter().step_by(4) {
                let baseline = &curve[curve.len() / 2];
                let outcome = simulate(&day, &environment, &mut *baseline.scaler());
                assert_eq!(outcome.lost, 0, "{peer}: {baseline}");
                assert_eq!(outcome.overhead() + outcome.busy, outcome.billed);
                assert!(outcome.served > 0, "{peer}: {baseline}");
            }
        }
    }
}

#[test]
fn more_spare_refuses_less_and_costs_more() {
    let day = Workload::office(20.0)
        .unwrap()
        .sample(at(4 * 86_400), 1, 3)
        .trace;
    let [environment, ..] = environments();
    for peer in Peer::ALL {
        for curve in peer.curves().into_iter().step_by(3) {
            let run = |baseline: &Baseline| simulate(&day, &environment, &mut *baseline.scaler());
            let (first, last) = (&curve[0], &curve[curve.len() - 1]);
            let (few, many) = (run(first), run(last));
            assert!(many.refused.len() <= few.refused.len(), "{peer}: {last}");
            assert!(many.overhead() > few.overhead(), "{peer}: {last}");
        }
    }
}

#[test]
fn each_comes_down_again_after_a_busy_day() {
    let mut sessions: Vec<_> = (0..30)
        .map(|n| Session::new(at(4000 + n * 60), at(9000)).unwrap())
        .collect();
    sessions.push(Session::new(at(80_000), at(80_001)).unwrap());
    let environment = Environment::new(1, 200).unwrap().with_series(true);
    for peer in Peer::ALL {
        let baseline = peer.documented();
        let outcome = simulate(
            &Trace::new(sessions.clone()),
            &environment,
            &mut *baseline.scaler(),
        );
        let last = outcome.series.last().unwrap();
        assert!(last.idle <= 10, "{peer}: {last:?}");
    }
}

#[test]
fn names_and_settings_tell_them_apart() {
    for peer in Peer::ALL {
        assert_eq!(peer.name().parse(), Ok(peer));
        assert_eq!(peer.documented().peer(), peer);
        let all: Vec<_> = peer.curves().into_iter().flatten().collect();
        let distinct: BTreeSet<_> = all.iter().map(|baseline| format!("{baseline:?}")).collect();
        assert_eq!(distinct.len(), all.len(), "{peer}");
        let shown: BTreeSet<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), all.len(), "{peer}");
    }
}
