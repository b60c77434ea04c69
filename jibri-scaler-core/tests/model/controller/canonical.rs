//! What no later step of a controller reads is forgotten.

use std::{sync::Arc, time::Duration};

use jibri_scaler_core::{
    Memory, Timestamp,
    safeguard::{Safeguard, holds},
};

use super::{Controller, NOTHING, bounds, limits};
use crate::{
    jibri::{Busy, Status},
    world::{Config, NOW, UNIT, horizon, id_of, settled},
};

impl Controller {
    /// What no later step reads is forgotten.
    pub fn canonical(&mut self, config: &Config, is_over: bool) {
        if is_over {
            *self = Self::new(config);
        }
        // Where a tick has begun, the next one is a unit away.
        let soon = u64::from(self.ticked) * UNIT;
        let is_stale = |at: Timestamp| {
            NOW.since(at) + Duration::from_secs(soon) > limits().report_ttl()
                && holds(Safeguard::StaleIsUnknown)
        };
        for (known, heard) in self.known.iter_mut().zip(&mut self.inbox) {
            if let Some((status, at)) = heard {
                *status = as_read(if is_stale(*at) { Status::IDLE } else { *status });
            }
            if let Some(kept) = &mut known.report {
                // What is heard takes its place.
                let (status, at) = heard.unwrap_or(*kept);
                *kept = if is_stale(at) {
                    (Status::IDLE, settled(Timestamp::MIN))
                } else {
                    (as_read(status), at)
                };
            }
        }
        if config.machines == 1 {
            self.recent.not_given_back = None;
        }
        if holds(Safeguard::OnlyRaised) {
            let is_read = |(to, _): &(u32, Timestamp)| *to > 1;
            self.recent.capacity_set = self.recent.capacity_set.filter(is_read);
        }
        if !config.faults.old_listing {
            self.old_desired = None;
        }
        self.saved = if config.faults.controllers {
            settled_by(&self.saved, NOW)
        } else {
            Arc::clone(&NOTHING)
        };
        if self.may_undo() {
            let memory = (*self.memory).clone();
            let begun = self.begun();
            self.memory = Arc::new(memory.within(limits(), begun, horizon(begun)));
        } else {
            self.memory = settled_by(&self.memory, self.begun());
            for index in 0..self.known.len() {
                self.forget_of_the_retired(index);
            }
        }
    }

    /// What only the world asks for, beside which it is alone here, is forgotten.
    pub fn alone(&mut self) {
        if let Some(running) = &mut self.running {
            let running = Arc::make_mut(running);
            running.unprotected.clear();
            (running.missing, running.size) = (0, bounds::Size(0));
        }
    }

    /// Of one whose retirement is under way only what is new is read, and of that whether it is busy; unless that may be given up, and the
    /// rest is read again.
    fn forget_of_the_retired(&mut self, index: usize) {
        let Some(retirement) = self.memory.retirements().get(&id_of(index)) else {
            return;
        };
        // Whether it could be told is asked before.
        self.known[index].direct = true;
        if !retirement.phase().is_under_way() {
            return;
        }
        // A tick that is under way may find that it is to be told anew since that began.
        let whole_since = match (self.reads_work_only(index), &self.running) {
            (false, _) => retirement.asked_since(),
            (true, Some(_)) => self.begun(),
            (true, None) => NOW,
        };
        let is_read = |at: Timestamp| at > whole_since;
        if let Some((status, at)) = &mut self.known[index].report
            && !is_read(*at)
        {
            *status = as_read_of_the_retired(*status);
            if self.inbox[index].is_none() {
                (*status, *at) = (Status::IDLE, settled(Timestamp::MIN));
            }
        }
        if let Some((status, at)) = &mut self.inbox[index]
            && !is_read(*at)
        {
            *status = as_read_of_the_retired(*status);
        }
    }
}

/// What is read of what one says: whether one that is busy is healthy only findings say.
pub fn as_read(status: Status) -> Status {
    Status {
        healthy: status.healthy || status.busy == Busy::Busy,
        ..status
    }
}

/// What is read of what one says whose retirement is under way.
pub fn as_read_of_the_retired(status: Status) -> Status {
    match status.busy {
        Busy::Busy => Status {
            busy: Busy::Busy,
            healthy: true,
        },
        _ => Status::IDLE,
    }
}

/// The same memory without what no rule reads of what is being retired, for ticks that begin then or later.
pub fn settled_by(memory: &Arc<Memory>, begun: Timestamp) -> Arc<Memory> {
    let memory = (**memory).clone();
    Arc::new(memory.settled(limits(), begun, horizon(begun)))
}
