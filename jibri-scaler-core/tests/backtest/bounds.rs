//! No policy beats the bounds.

use std::time::Duration;

use jibri_scaler_core::{
    DrainPath,
    backtest::{
        BootTime, Environment, Session, Trace,
        bound::{at_price, without_refusals},
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
