//! What keeps a late save from taking the place of what is newer.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{Stamp, VERSION, WRITER};
use crate::table::{KEY, number};

/// What a store knows of what is stored.
#[derive(Debug)]
pub(super) struct Fence {
    /// Who it is: another one in each process, since the one before it may only be frozen.
    writer: String,
    /// What was loaded or saved last, or met by a save that was refused.
    known: Option<Stamp>,
    /// The newest version that it has tried to write.
    tried: u64,
}

/// A save that is under way.
#[derive(Debug)]
pub(super) struct Save {
    stamp: Stamp,
    /// What it may go over; absent where nothing is there.
    over: Option<Stamp>,
}

impl Fence {
    pub(super) fn new() -> Self {
        // Seeded by the operating system.
        let random = RandomState::new().build_hasher().finish();
        Self {
            writer: format!("{random:016x}"),
            known: None,
            tried: 0,
        }
    }

    /// This is stored, or nothing is.
    pub(super) fn seen(&mut self, stored: Option<Stamp>) {
        self.known = stored;
    }

    /// Begins a save, which may or may not come to an end.
    pub(super) fn begin(&mut self) -> Save {
        let known = self.known.as_ref().map_or(0, |stamp| stamp.version);
        self.tried = known.max(self.tried).saturating_add(1);
        Save {
            stamp: Stamp {
                version: self.tried,
                writer: self.writer.clone(),
            },
            over: self.known.clone(),
        }
    }

    pub(super) fn written(&mut self, save: &Save) {
        self.known = Some(save.stamp.clone());
    }
}

impl Save {
    pub(super) const fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Whether it may be written: over what was known when it began, or over an older save of the same store, whose outcome may not be
    /// known here. A save that is overtaken by a later one of the same store is older than what it meets, and changes nothing.
    pub(super) fn condition(&self) -> &'static str {
        match self.over {
            None => "attribute_not_exists(#key) OR (#writer = :own AND #version < :this)",
            Some(_) => {
                "(#writer = :writer AND #version = :version) OR (#writer = :own AND #version < :this)"
            }
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let key = self.over.is_none().then_some(("#key", KEY));
        [("#writer", WRITER), ("#version", VERSION)]
            .into_iter()
            .chain(key)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = (&'static str, AttributeValue)> {
        let over = self.over.iter().flat_map(|over| {
            [
                (":writer", AttributeValue::S(over.writer.clone())),
                (":version", number(over.version)),
            ]
        });
        [
            (":own", AttributeValue::S(self.stamp.writer.clone())),
            (":this", number(self.stamp.version)),
        ]
        .into_iter()
        .chain(over)
    }
}
