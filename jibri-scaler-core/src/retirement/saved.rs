//! A retirement as it was written.

use serde::Deserialize;

use super::{Phase, Retirement};
use crate::Timestamp;

/// Perhaps by a release that knew less of it.
#[derive(Deserialize)]
pub(super) struct Saved {
    phase: Phase,
    since: Timestamp,
    untold_since: Option<Timestamp>,
    replace: bool,
    told_at: Option<Timestamp>,
    seen_busy: bool,
    refusing_since: Option<Timestamp>,
    refused_at: Option<Timestamp>,
    released_at: Option<Timestamp>,
    returns: u32,
    #[serde(default)]
    by_agent: bool,
    unasked_since: Option<Timestamp>,
}

impl From<Saved> for Retirement {
    fn from(saved: Saved) -> Self {
        Self {
            phase: saved.phase,
            since: saved.since,
            untold_since: saved.untold_since.unwrap_or(saved.since),
            replace: saved.replace,
            told_at: saved.told_at,
            seen_busy: saved.seen_busy,
            refusing_since: saved.refusing_since,
            refused_at: saved.refused_at,
            released_at: saved.released_at,
            returns: saved.returns,
            by_agent: saved.by_agent,
            unasked_since: saved.unasked_since,
        }
    }
}
