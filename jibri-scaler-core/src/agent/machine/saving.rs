//! What an agent keeps over its own restart, beside the latch.

use std::time::Duration;

use super::Agent;
use crate::{
    Timestamp,
    agent::{Act, port::SavedState},
    port::PortErrorKind,
};

/// What is saved, and what is to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Saving {
    /// Whether it was loaded, or could not be.
    is_loaded: bool,
    /// What is saved.
    saved: SavedState,
    /// What is being saved.
    begun: SavedState,
    /// Since when the Jibri is busy.
    busy_since: Option<Timestamp>,
    /// Since when it was busy as far as the agent before knew; until it has said what it is now.
    inherited: Option<Timestamp>,
}

impl Agent {
    /// Loads what the agent before has saved, once, and saves what has changed.
    pub(super) fn save_state(&mut self) {
        if !self.saving.is_loaded {
            self.begin(Act::LoadState, Duration::from_secs(1));
            return;
        }
        match self.health.busy_since() {
            Some(since) if self.saving.busy_since.is_none() => {
                let ago = self.clock.elapsed.saturating_sub(since);
                let seen = self.clock.wall.before(ago);
                let before = self.saving.inherited.take().filter(|at| *at < seen);
                let from = before.unwrap_or(seen);
                self.health.was_busy_before(seen.since(from));
                self.saving.busy_since = Some(from);
            }
            None if self.health.is_free() => {
                self.saving.busy_since = None;
                self.saving.inherited = None;
            }
            // While it is silent nothing new is known.
            _ => {}
        }
        let state = SavedState::new(self.saving.busy_since.or(self.saving.inherited));
        if state != self.saving.saved && self.begin(Act::SaveState(state), Duration::from_secs(1)) {
            self.saving.begun = state;
        }
    }

    pub(super) fn state_loaded(&mut self, result: Result<Option<SavedState>, PortErrorKind>) {
        self.saving.is_loaded = true;
        self.saving.saved = result.ok().flatten().unwrap_or_default();
        self.saving.inherited = self.saving.saved.busy_since;
    }

    pub(super) const fn state_saved(&mut self, result: Result<(), PortErrorKind>) {
        if result.is_ok() {
            self.saving.saved = self.saving.begun;
        }
    }
}
