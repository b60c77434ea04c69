//! Each safety rule is removed, and the faults must find what it prevents.

use jibri_scaler_core::safeguard::Safeguard;

use crate::torture::Figures;

/// The first seed of so many that fails without these rules, and what is wrong there.
fn found(rules: &[Safeguard], seeds: u64) -> Option<(u64, String)> {
    Safeguard::without(rules, || {
        (0..seeds).find_map(|seed| {
            let mut figures = Figures::default();
            figures.add(seed);
            let (seed, what) = figures.failed.pop()?;
            let what = what.lines().next().unwrap_or_default();
            Some((seed, what.to_owned()))
        })
    })
}

/// For the table in `docs/safety.md`: each rule alone, in up to `FAULTS_SEEDS` seeds.
#[test]
#[ignore = "takes minutes"]
fn all_rules() {
    let seeds = crate::number("FAULTS_SEEDS").unwrap_or(1000);
    for rule in Safeguard::ALL {
        match found(&[*rule], seeds) {
            Some((_, what)) => println!("{rule:?}: {what}"),
            None => println!("{rule:?}: not found in {seeds} seeds"),
        }
    }
}
