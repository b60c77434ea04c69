//! What came of what was played.

use std::mem;

use serde::{Deserialize, Serialize};

/// What came of all draws.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Score {
    pub(crate) requests: u64,
    pub(crate) launches: u64,
    pub(crate) weeks: f64,
    pub(crate) each: Vec<Played>,
}

/// What came of one draw.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Numbers", into = "Numbers")]
pub(crate) struct Played {
    pub(crate) refused: u64,
    pub(crate) requests: u64,
    /// Hours of instances beside recording, in a week.
    pub(crate) hours: f64,
    /// What of it came while nothing could have foretold it.
    pub(crate) unforeseen: Share,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Share {
    pub(crate) refused: u64,
    pub(crate) requests: u64,
}

/// A draw as it is written down: refused, requests, hours, and the first two of what nothing foretold.
type Numbers = (u64, u64, f64, u64, u64);

impl From<Played> for Numbers {
    fn from(it: Played) -> Self {
        let unforeseen = it.unforeseen;
        // What chance makes of the hours is a thousand times as much.
        let hours = (it.hours * 1000.0).round() / 1000.0;
        (
            it.refused,
            it.requests,
            hours,
            unforeseen.refused,
            unforeseen.requests,
        )
    }
}

impl From<Numbers> for Played {
    fn from((refused, requests, hours, unforeseen, of): Numbers) -> Self {
        let unforeseen = Share {
            refused: unforeseen,
            requests: of,
        };
        Self {
            refused,
            requests,
            hours,
            unforeseen,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
impl Score {
    pub(crate) fn refused(&self) -> u64 {
        self.each.iter().map(|played| played.refused).sum()
    }

    pub(crate) fn percent(&self) -> f64 {
        self.refused() as f64 * 100.0 / self.requests.max(1) as f64
    }

    /// The same without what nothing could have foretold.
    pub(crate) fn foreseen(&self) -> Self {
        let mut score = self.clone();
        for played in &mut score.each {
            let without = mem::take(&mut played.unforeseen);
            played.refused -= without.refused;
            played.requests -= without.requests;
        }
        score.requests = score.each.iter().map(|played| played.requests).sum();
        score
    }

    /// The share refused, of which half a recording is the least that can be told from none.
    pub(crate) fn at_least_half(&self) -> f64 {
        (self.refused() as f64).max(0.5) * 100.0 / self.requests.max(1) as f64
    }

    /// Hours of instances beside recording, in a week.
    pub(crate) fn hours(&self) -> f64 {
        self.each.iter().map(|played| played.hours).sum::<f64>() / self.each.len().max(1) as f64
    }

    pub(crate) fn launches_per_day(&self) -> f64 {
        self.launches as f64 / (7.0 * self.weeks)
    }
}
