//! A replay of the ticks of a simulation decides as the simulation did.

use jibri_scaler_core::{
    Memory, Tick,
    backtest::simulate,
    decide,
    policy::{MaxOf, MinIdle, Percent, PercentIdle, Policy},
};

use super::support::{environments, limits, morning, scaler};

#[test]
fn a_replay_of_the_same_ticks_gives_the_same_decisions_to_the_bit() {
    let policy = MaxOf::new([
        Box::new(MinIdle::new(2).unwrap()) as Box<dyn Policy>,
        Box::new(PercentIdle::new(Percent::new(25.0).unwrap())),
    ]);
    let mut retired = 0;
    for (seed, environment) in (1..).zip(environments()) {
        let mut lines = Vec::new();
        let mut observed = scaler(2, 25.0).observed(|tick, decision| {
            lines.push((
                serde_json::to_string(tick).unwrap(),
                serde_json::to_string(decision).unwrap(),
            ));
        });
        simulate(&morning(seed), &environment, &mut observed);
        drop(observed);
        let mut memory = Memory::default();
        for (tick, decided) in lines {
            let tick: Tick = serde_json::from_str(&tick).unwrap();
            let decision = decide(&policy, &limits(), &tick.snapshot, tick.at, memory);
            assert_eq!(
                serde_json::to_string(&decision).unwrap(),
                decided,
                "{environment:?}"
            );
            retired += decision.plan.retires().count();
            memory = decision.memory;
            memory.assume_told(tick.at);
        }
    }
    assert!(retired > 30, "{retired}");
}
