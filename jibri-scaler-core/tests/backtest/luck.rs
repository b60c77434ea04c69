//! Chance is the same for all.

use std::collections::BTreeMap;

use jibri_scaler_core::{
    Timestamp,
    backtest::{Environment, Fleet, Reading, Scaler, simulate},
};

use super::support::{environments, morning, scaler, secs};

/// Notes how long each launch took.
struct Boots<S> {
    inner: S,
    took: BTreeMap<u32, (Timestamp, Option<u64>)>,
}

impl<S: Scaler> Scaler for Boots<S> {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        for seen in fleet.instances() {
            let entry = self.took.entry(seen.number);
            let (launched, took) = entry.or_insert((seen.launched_at, None));
            if seen.reading != Reading::Never {
                took.get_or_insert(fleet.now().since(*launched).as_secs());
            }
        }
        self.inner.tick(fleet);
    }
}

fn boots(scaler: impl Scaler) -> Vec<u64> {
    let environment = Environment::new(0, 60)
        .and_then(|e| e.with_interval(secs(1)))
        .unwrap();
    let mut boots = Boots {
        inner: scaler,
        took: BTreeMap::new(),
    };
    simulate(&morning(1), &environment, &mut boots);
    let took = boots.took.into_values().map(|(_, took)| took);
    took.map_while(|took| took).take(40).collect()
}

#[test]
fn two_policies_see_the_same_boots() {
    let few = boots(scaler(1, 0.0));
    let many = boots(scaler(8, 30.0));
    let both = few.len().min(many.len());
    assert!(both > 20, "{both}");
    // A launch between two ticks is read in the tick after it, hence the second.
    let differ = |(a, b): (&u64, &u64)| a.abs_diff(*b) > 1;
    assert_eq!(
        few.iter().zip(&many).filter(|pair| differ(*pair)).count(),
        0
    );
    let distinct: std::collections::BTreeSet<_> = few.iter().collect();
    assert!(distinct.len() > 10, "they are drawn: {few:?}");
}

#[test]
fn the_same_seed_gives_the_same_outcome_and_another_one_does_not() {
    for environment in environments() {
        let run = |environment: &Environment| {
            let environment = environment.clone().with_series(true);
            simulate(&morning(1), &environment, &mut scaler(2, 10.0))
        };
        assert_eq!(run(&environment), run(&environment));
    }
    let environment = Environment::new(1, 60).unwrap();
    let run = |seed| {
        simulate(
            &morning(1),
            &environment.clone().with_seed(seed),
            &mut scaler(2, 10.0),
        )
    };
    assert_ne!(run(1), run(2));
}
