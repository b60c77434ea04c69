//! What the model of the protocol needs of the course of a tick, so that there are finitely many situations.

use super::{Course, Size, Stage};
use crate::{Memory, Timestamp};

impl Course {
    /// Whether it may turn out that a retirement that is remembered has not begun, for the model.
    #[must_use]
    pub fn may_undo(&self) -> bool {
        self.stage <= Stage::SetCapacity && !self.begins.is_empty()
    }

    /// The same with all times moved, for the model.
    #[must_use]
    pub fn moved(mut self, moved: impl Fn(Timestamp) -> Timestamp) -> Self {
        self.at = moved(self.at);
        for (_, sight) in &mut self.sights {
            *sight = sight.moved(&moved);
        }
        self
    }

    /// The same without what no later stage reads, for the model.
    #[must_use]
    pub fn settled(mut self) -> Self {
        for (_, sight) in &mut self.sights {
            *sight = sight.settled();
        }
        // It only grows, and says whether something is missing.
        self.size.there = self.size.there.min(self.size.wanted);
        if self.stage > Stage::Protect {
            self.protect.clear();
        }
        if self.stage > Stage::SetCapacity {
            (self.capacity, self.asked) = (None, false);
            self.begins.clear();
            self.undo = Memory::default().launches();
            self.size.listed = 0;
        }
        if self.stage > Stage::SaveWhatWasDone {
            (self.memory_lost, self.has_drain, self.is_refused) = (false, false, false);
            self.sights.clear();
            self.due.clear();
        }
        if self.stage > Stage::Jibris {
            self.stopped = false;
        }
        if self.stage > Stage::GiveBack {
            self.size = Size::default();
        }
        self
    }
}
