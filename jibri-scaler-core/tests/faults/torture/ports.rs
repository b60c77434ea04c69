//! The group and the memory store, as a controller reaches them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use jibri_scaler_core::{
    InstanceId, Memory,
    port::{Decrement, GroupControl, GroupListing, Listing, MemoryStore, PortError, PortErrorKind},
    sim::SimGroup,
};

use super::{
    chance::Chance,
    kind::{Counts, Kind},
};

/// What is wrong with the calls of one controller.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) wrong: Vec<Kind>,
    chance: Chance,
    pub(crate) counts: Counts,
    /// How many calls of this tick have changed something.
    changed: u32,
    /// How often the desired capacity was set to less than it was.
    pub(crate) lowered: u32,
}

impl Calls {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            wrong: Vec::new(),
            chance: Chance(seed),
            counts: Counts::default(),
            changed: 0,
            lowered: 0,
        }
    }

    pub(crate) fn begin_tick(&mut self) {
        self.changed = 0;
    }

    /// Whether this fault is to happen now.
    fn happens(&mut self, kind: Kind, one_in: u64) -> bool {
        self.wrong.contains(&kind) && self.chance.below(one_in) == 0
    }

    fn occurs(&mut self, kind: Kind, one_in: u64) -> bool {
        let happens = self.happens(kind, one_in);
        if happens {
            self.counts.one(kind);
        }
        happens
    }
}

/// The group over an API that throttles, fails, and loses answers.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) group: Arc<SimGroup>,
    pub(crate) calls: Arc<Mutex<Calls>>,
}

impl Api {
    /// Of so many calls one goes through.
    fn throttled(&self, doing: &str, one_in: u64) -> Result<(), PortError> {
        let mut calls = self.calls.lock().unwrap();
        let kinds = [Kind::Throttled, Kind::ThrottledThroughout];
        let is_on = kinds.iter().any(|kind| calls.wrong.contains(kind));
        let throttled = is_on && calls.chance.below(one_in) > 0;
        if throttled {
            calls.counts.one(Kind::Throttled);
            return Err(PortError::new(PortErrorKind::Throttled, doing));
        }
        Ok(())
    }

    /// Whether a call that changes something may begin.
    fn begin(&self, doing: &str) -> Result<(), PortError> {
        self.throttled(doing, 6)?;
        let mut calls = self.calls.lock().unwrap();
        if calls.happens(Kind::PlanBroken, 3) {
            if calls.changed > 0 {
                calls.counts.one(Kind::PlanBroken);
            }
            return Err(PortError::new(PortErrorKind::Transient, doing));
        }
        calls.changed += 1;
        Ok(())
    }

    fn end(&self, doing: &str, done: Result<(), PortError>) -> Result<(), PortError> {
        if done.is_ok() && self.calls.lock().unwrap().occurs(Kind::AnswersLost, 3) {
            return Err(PortError::new(PortErrorKind::Transient, doing));
        }
        done
    }
}

#[async_trait]
impl GroupListing for Api {
    async fn list(&self) -> Result<Listing, PortError> {
        self.throttled("list", 2)?;
        let listing = self.group.list().await?;
        let mut calls = self.calls.lock().unwrap();
        if calls.wrong.contains(&Kind::ListingLags) && listing != self.group.current() {
            calls.counts.one(Kind::ListingLags);
        }
        Ok(listing)
    }
}

#[async_trait]
impl GroupControl for Api {
    async fn protect(&self, ids: &[InstanceId]) -> Result<(), PortError> {
        self.begin("protect")?;
        let done = self.group.protect(ids).await;
        self.end("protect", done)
    }

    async fn set_capacity(&self, desired: u32) -> Result<(), PortError> {
        self.begin("set the desired capacity")?;
        let lowers = desired < self.group.current().group.desired;
        self.calls.lock().unwrap().lowered += u32::from(lowers);
        let done = self.group.set_capacity(desired).await;
        self.end("set the desired capacity", done)
    }

    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
        self.begin("terminate")?;
        let done = self.group.terminate(id, decrement).await;
        self.end("terminate", done)
    }

    async fn complete_termination(&self, id: &InstanceId) -> Result<(), PortError> {
        self.begin("complete")?;
        let done = self.group.complete_termination(id).await;
        self.end("complete", done)
    }
}

/// What a controller has saved, the newest last.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) saved: Arc<Mutex<VecDeque<Memory>>>,
    pub(crate) calls: Arc<Mutex<Calls>>,
}

impl Store {
    const KEPT: usize = 40;

    pub(crate) fn new(calls: &Arc<Mutex<Calls>>) -> Self {
        Self {
            saved: Arc::default(),
            calls: Arc::clone(calls),
        }
    }

    /// Somebody puts the memory back that was saved so many saves ago. Returns whether there was one.
    pub(crate) fn go_back(&self, by: u64) -> bool {
        let mut saved = self.saved.lock().unwrap();
        let left = saved.len().checked_sub(usize::try_from(by).unwrap());
        if let Some(left) = left.filter(|left| *left > 0) {
            saved.truncate(left);
            return true;
        }
        false
    }

    /// Somebody removes it.
    pub(crate) fn clear(&self) {
        self.saved.lock().unwrap().clear();
    }

    fn fail(&self, doing: &str) -> Result<(), PortError> {
        if self.calls.lock().unwrap().occurs(Kind::StoreFails, 3) {
            return Err(PortError::new(PortErrorKind::Transient, doing));
        }
        Ok(())
    }
}

#[async_trait]
impl MemoryStore for Store {
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        self.fail("load the memory")?;
        Ok(self.saved.lock().unwrap().back().cloned())
    }

    async fn save(&self, memory: &Memory) -> Result<(), PortError> {
        // One that fails may have been kept.
        let failed = self.fail("save the memory");
        if failed.is_ok() || self.calls.lock().unwrap().chance.below(2) == 0 {
            let mut saved = self.saved.lock().unwrap();
            saved.push_back(memory.clone());
            if saved.len() > Self::KEPT {
                saved.pop_front();
            }
        }
        failed
    }
}
