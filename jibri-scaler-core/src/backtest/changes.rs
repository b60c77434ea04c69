//! The changes of the number of recordings, in order.

use super::Trace;
use crate::Timestamp;

/// At one time, in the order in which one makes room for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    End,
    /// One without a length.
    StartAndEnd,
    Start,
}

impl Trace {
    pub(super) fn changes(&self) -> Vec<(Timestamp, Change)> {
        let mut changes = Vec::with_capacity(2 * self.sessions().len());
        for session in self.sessions() {
            if session.length().is_zero() {
                changes.push((session.start(), Change::StartAndEnd));
            } else {
                changes.push((session.start(), Change::Start));
                changes.push((session.end(), Change::End));
            }
        }
        changes.sort_unstable();
        changes
    }
}
