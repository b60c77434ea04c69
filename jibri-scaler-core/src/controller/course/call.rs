//! The calls that a tick makes, and what comes of them.

use crate::{
    InstanceId,
    port::{Decrement, Presence, Target, Told},
};

/// A call that a tick makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// Save the memory.
    Save,
    /// Protect these instances.
    Protect(Vec<InstanceId>),
    /// Set the desired capacity.
    SetCapacity(u32),
    /// Speak to these Jibris, all at once; each outcome is handed in by [`Course::seen`](super::Course::seen).
    Jibris(Vec<Errand>),
    /// End an instance whose Jibri is gone, or whose agent drains it.
    Terminate(InstanceId, Decrement),
    /// End the wait of the group's hook for an instance that was given back.
    Complete(InstanceId),
    /// Nothing: the tick is done.
    Done,
}

/// What is to be asked of one Jibri.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Errand {
    /// The Jibri.
    pub target: Target,
    /// What is asked.
    pub question: Question,
}

/// What a Jibri is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Question {
    /// It is told to end when it is free.
    Tell,
    /// Is it there?
    Look,
    /// Is it there? A last look before the machine is given back.
    LookLast,
}

/// What came of asking a Jibri.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Seen {
    /// What came of telling.
    Told(Told),
    /// What a look has shown.
    Looked(Presence),
    /// What a last look has shown.
    LookedLast(Presence),
}
