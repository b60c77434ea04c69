//! Explorations, and what they have found.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use jibri_scaler_core::safeguard::Safeguard;
use stateright::{Checker, HasDiscoveries, Model, UniformChooser};

use crate::{explore::Exploration, world::Config};

/// What an exploration has found.
#[derive(Clone, Debug)]
pub struct Figures {
    pub name: &'static str,
    /// Different states.
    pub unique: usize,
    pub depth: usize,
    pub took: Duration,
    /// In how many steps somebody has taken a machine by force that had a recording on it.
    pub forced: u64,
    /// The promises that were broken, each with the way there that was found.
    pub violations: Vec<(&'static str, String)>,
    pub is_complete: bool,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_complete = if self.is_complete {
            ""
        } else {
            ", not complete"
        };
        write!(
            f,
            "model: {:>9} states, depth {:>3}, {:>7.1} s  {}{is_complete}",
            self.unique,
            self.depth,
            self.took.as_secs_f64(),
            self.name,
        )?;
        match self.forced {
            0 => Ok(()),
            forced => write!(f, " ({forced} steps take a recording by force)"),
        }
    }
}

/// Says what was found without these rules, in a line that `torture` reads too.
pub fn say_without(rules: &[Safeguard], found: &[&str], how: &dyn std::fmt::Display) {
    let rules: Vec<_> = rules.iter().map(|rule| format!("{rule:?}")).collect();
    let (is_found, what) = if found.is_empty() {
        ("missed", "nothing".into())
    } else {
        ("killed", found.join(", "))
    };
    println!("mutant: {is_found} {}: {what} {how}", rules.join("+"));
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long an exploration takes hangs on the real clock; no rule reads it"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Walks through a configuration that is too large to be explored, at random, by this seed.
pub fn wander(config: &Config, seed: u64, steps: usize) -> Figures {
    let began = now();
    let checker = Exploration(config.clone())
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(steps)
        .spawn_simulation(seed, UniformChooser)
        .join();
    figures(config, &checker, began, false)
}

/// Explores a configuration: all of it, or until a promise is broken, or up to so many states.
pub fn explore(config: &Config, threads: usize, at_most: Option<usize>) -> Figures {
    let began = now();
    let mut builder = Exploration(config.clone())
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures);
    if let Some(at_most) = at_most {
        builder = builder.target_state_count(at_most);
    }
    let checker = builder.spawn_bfs().join();
    let is_complete = at_most.is_none_or(|at_most| checker.state_count() < at_most);
    figures(config, &checker, began, is_complete)
}

fn figures(
    config: &Config,
    checker: &impl Checker<Exploration>,
    began: Instant,
    is_complete: bool,
) -> Figures {
    let violations = checker.discoveries().into_iter().map(|(name, path)| {
        let steps = path.into_actions();
        let steps: Vec<_> = steps.iter().map(|action| format!("  {action:?}")).collect();
        (name, steps.join("\n"))
    });
    Figures {
        name: config.name,
        unique: checker.unique_state_count(),
        depth: checker.max_depth(),
        took: began.elapsed(),
        forced: config.forced.swap(0, Ordering::Relaxed),
        violations: violations.collect(),
        is_complete,
    }
}
