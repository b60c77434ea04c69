//! What many seeds showed.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{
    kind::{Counts, Kind},
    life::{BACK_AFTER, DOWN_AFTER, Lived, live},
    world::INTERVAL,
};

/// The sums and the worst cases of many seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) seeds: u64,
    pub(crate) ticks: u64,
    pub(crate) asked: u64,
    pub(crate) served: u64,
    pub(crate) refused: u64,
    pub(crate) taken: u64,
    /// Only a seed that failed has any.
    pub(crate) lost: u64,
    pub(crate) left: u64,
    pub(crate) saved: u64,
    pub(crate) counts: Counts,
    /// The most ticks that it took, and in which seed.
    pub(crate) back_after: (u64, u64),
    pub(crate) down_after: (u64, u64),
    /// The seeds in which something was wrong, and what.
    pub(crate) failed: Vec<(u64, String)>,
}

impl Figures {
    /// Lives one more seed. A panic is something that is wrong.
    pub(crate) fn add(&mut self, seed: u64) {
        let lived = catch_unwind(AssertUnwindSafe(|| live(seed)));
        self.seeds += 1;
        match lived {
            Ok(Ok(lived)) => self.take_in(seed, &lived),
            Ok(Err(failed)) => {
                self.lost += failed.lost;
                self.failed.push((seed, failed.what));
            }
            Err(_) => self
                .failed
                .push((seed, format!("seed {seed} panicked, as said above"))),
        }
    }

    fn take_in(&mut self, seed: u64, lived: &Lived) {
        self.ticks += lived.ticks;
        self.asked += lived.tally.asked;
        self.served += lived.tally.served;
        self.refused += lived.tally.refused;
        self.taken += lived.tally.taken;
        self.left += lived.left;
        self.saved += lived.saved;
        self.counts += &lived.counts;
        self.back_after = self.back_after.max((lived.back_after, seed));
        self.down_after = self.down_after.max((lived.down_after, seed));
    }

    /// The kinds that have not occurred.
    pub(crate) fn missing(&self) -> Vec<Kind> {
        let missing = |kind: &Kind| self.counts.of(*kind) == 0;
        Kind::ALL.into_iter().filter(missing).collect()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.ticks * INTERVAL.as_secs() / 3600;
        writeln!(f, "seeds                {:>10}", self.seeds)?;
        writeln!(
            f,
            "ticks                {:>10}  ({hours} hours of virtual time)",
            self.ticks
        )?;
        writeln!(f, "recordings asked for {:>10}", self.asked)?;
        writeln!(f, "  served             {:>10}", self.served)?;
        writeln!(
            f,
            "  refused            {:>10}  (no Jibri was free)",
            self.refused
        )?;
        writeln!(
            f,
            "  taken by force     {:>10}  (spot, zone, crash)",
            self.taken
        )?;
        writeln!(f, "  lost               {:>10}", self.lost)?;
        writeln!(f, "seeds that failed    {:>10}", self.failed.len())?;
        writeln!(
            f,
            "machines ended       {:>10}  by hand, as a finding asks for",
            self.left
        )?;
        writeln!(
            f,
            "machines saved       {:>10}  by hand: what was not uploaded",
            self.saved
        )?;
        let (back, back_seed) = self.back_after;
        writeln!(
            f,
            "worst recovery       {back:>10}  ticks (seed {back_seed}; at most {BACK_AFTER} are allowed)"
        )?;
        let (down, down_seed) = self.down_after;
        writeln!(
            f,
            "worst shrinking      {down:>10}  ticks (seed {down_seed}; at most {DOWN_AFTER} are allowed)"
        )?;
        write!(f, "faults\n{}", self.counts)
    }
}
