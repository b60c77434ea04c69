use crate::Timestamp;

/// Something that will happen. Of those at one time, the ones that make room come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) kind: Kind,
    pub(super) number: u32,
    pub(super) epoch: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A recording is done, its upload included.
    SessionEnd,
    /// A launch is done: Jicofo can select the Jibri.
    Ready,
    /// BUSY is published.
    Busy,
    /// A drained machine ends.
    Released,
    /// The group tries a launch again.
    Retry,
}
