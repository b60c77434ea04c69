//! No policy beats the bounds.

use std::time::Duration;

use jibri_scaler_core::{
    DrainPath,
    backtest::{
        BootTime, Environment, Session, Trace,
        bound::{Priced, at_price, frontier_from, without_refusals, without_refusals_from},
        peers::{Baseline, Peer},
        simulate,
    },
};
use proptest::prelude::*;

use super::support::{at, scaler, secs};

/// Few recordings that overlap, with gaps of around a boot time between them.
fn logs() -> impl Strategy<Value = Trace> {
    let recording = (0..4000_i64, 0..900_i64);
    proptest::collection::vec(recording, 1..25).prop_map(|recordings| {
        let session = |(start, length)| Session::new(at(start), at(start + length)).unwrap();
        Trace::new(recordings.into_iter().map(session))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn who_knows_all_recordings_never_pays_more_than_a_policy(
        trace in logs(),
        (boot, interval) in (0..400_u64, 10..90_u64),
        (min_idle, percent, initial) in (0..9_u32, 0.0..60.0, 0..12_u32),
        agent in any::<bool>(),
    ) {
        let boot = secs(boot);
        let environment = Environment::new(0, 60)
            .and_then(|e| e.with_interval(secs(interval)))
            .and_then(|e| Ok(e.with_boot(BootTime::fixed(boot)?)))
            .unwrap()
            .with_initial(initial)
            .with_lead_in(secs(600))
            .with_drain(if agent { DrainPath::Agent } else { DrainPath::Direct });
        let outcome = simulate(&trace, &environment, &mut scaler(min_idle, percent));
        let refused = u32::try_from(outcome.refused.len()).unwrap();
        if refused == 0 {
            prop_assert!(without_refusals(&trace, boot).overhead <= outcome.overhead());
        }
        for price in [0, 60, 300, 3000] {
            let price: Duration = secs(price);
            let bound = at_price(&trace, boot, price);
            let bound = bound.overhead + price * u32::try_from(bound.refused).unwrap();
            prop_assert!(bound <= outcome.overhead() + price * refused);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn nor_from_some_moment_on(
        trace in logs(),
        (boot, warm_up) in (0..400_u64, 0..4000_u64),
        (min_idle, percent, initial) in (0..9_u32, 0.0..60.0, 0..12_u32),
        agent in any::<bool>(),
    ) {
        let boot = secs(boot);
        let environment = Environment::new(0, 60)
            .and_then(|e| Ok(e.with_boot(BootTime::fixed(boot)?)))
            .unwrap()
            .with_initial(initial)
            .with_lead_in(secs(600))
            .with_warm_up(secs(warm_up))
            .with_drain(if agent { DrainPath::Agent } else { DrainPath::Direct });
        let outcome = simulate(&trace, &environment, &mut scaler(min_idle, percent));
        let Some((from, _)) = outcome.counted else { return Ok(()) };
        let refused = u32::try_from(outcome.refused.len()).unwrap();
        if refused == 0 {
            prop_assert!(without_refusals_from(&trace, from, boot).overhead <= outcome.overhead());
        }
        let corners = frontier_from(&trace, from, boot, 20);
        prop_assert_eq!(corners.last().map_or(0, |corner| corner.refused), outcome.requests);
        for price in [0, 60, 300, 3000].map(secs) {
            let cost = |corner: &Priced| corner.overhead + price * u32::try_from(corner.refused).unwrap();
            let bound = corners.iter().map(cost).min().unwrap();
            prop_assert!(bound <= outcome.overhead() + price * refused);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn nor_does_any_peer(
        trace in logs(),
        boot in 0..400_u64,
        initial in 0..12_u32,
        curve in any::<prop::sample::Index>(),
        setting in any::<prop::sample::Index>(),
    ) {
        let boot = secs(boot);
        let environment = Environment::new(0, 60)
            .and_then(|e| Ok(e.with_boot(BootTime::fixed(boot)?)))
            .unwrap()
            .with_initial(initial)
            .with_lead_in(secs(600));
        for peer in Peer::ALL {
            let curves = peer.curves();
            let settings: &Vec<Baseline> = curve.get(&curves);
            let baseline = setting.get(settings);
            let outcome = simulate(&trace, &environment, &mut *baseline.scaler());
            prop_assert_eq!(outcome.lost, 0);
            if outcome.refused.is_empty() {
                let bound = without_refusals(&trace, boot).overhead;
                prop_assert!(bound <= outcome.overhead(), "{} with {}", peer, baseline);
            }
        }
    }
}

#[test]
fn instances_that_are_there_when_counting_begins_cost_no_launch() {
    // Eight that have booted before take the eight recordings ten seconds after counting began.
    let trace = Trace::new((0..8).map(|_| Session::new(at(0), at(600)).unwrap()));
    let boot = secs(180);
    let environment = Environment::new(0, 60)
        .and_then(|e| Ok(e.with_boot(BootTime::fixed(boot)?)))
        .unwrap()
        .with_initial(8)
        .with_lead_in(secs(300))
        .with_warm_up(secs(290));
    let outcome = simulate(&trace, &environment, &mut scaler(0, 0.0));
    let (from, _) = outcome.counted.unwrap();
    assert_eq!((from, outcome.refused.len()), (at(-10), 0));
    let bound = without_refusals_from(&trace, from, boot);
    assert_eq!((bound.overhead, bound.launches), (secs(80), 0));
    assert!(bound.overhead <= outcome.overhead());
    assert!(outcome.overhead() < without_refusals(&trace, boot).overhead);
}

#[test]
fn a_policy_can_refuse_nothing() {
    // So that the property above is not about nothing.
    let trace = Trace::new((0..20).map(|n| Session::new(at(n * 200), at(n * 210 + 300)).unwrap()));
    let environment = Environment::new(0, 60).unwrap().with_initial(9);
    let outcome = simulate(&trace, &environment, &mut scaler(8, 0.0));
    assert_eq!(outcome.refused, []);
    let all_serve = |peer: &Peer| {
        let most = peer
            .curves()
            .into_iter()
            .filter_map(|mut curve| curve.pop());
        most.map(|baseline| simulate(&trace, &environment, &mut *baseline.scaler()))
            .any(|outcome| outcome.refused.is_empty())
    };
    assert!(Peer::ALL.iter().all(all_serve));
}
