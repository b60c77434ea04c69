//! What a controller decides, and what must hold of that.

use std::sync::Arc;

use jibri_scaler_core::{
    Breach, Decision, DrainPath, FleetSnapshot, Memory, Reachability, Timestamp,
    controller::course::{Call, Held, begin},
    decide,
    policy::MinIdle,
    port::PortErrorKind,
    safeguard::{Safeguard, holds},
};

use super::{Controller, LET_GO_AFTER, Listing, Running, View, Went, bounds, limits, settled};
use crate::{
    alone, company,
    jibri::Status,
    world::{Broken, Config, NOW, Place, World, horizon, id_of},
};

/// What a tick has decided.
#[derive(Debug)]
pub struct Decided {
    decision: Decision,
    snapshot: FleetSnapshot,
    breaches: Vec<Breach>,
    begun: Memory,
    pub went: Went,
}

impl Controller {
    /// It observes and decides. What it does about it comes after, call by call. `is_held_to` says whether it must see all that is
    /// missing.
    pub fn tick(
        &mut self,
        config: &Config,
        listing: &Listing,
        view: View,
        is_held_to: bool,
    ) -> Decided {
        let snapshot = self.see(config, listing);
        let before = self.remembers(view);
        let policy = MinIdle::new(config.wanted).expect("in range");
        let decision = decide(&policy, limits(), &snapshot, NOW, before.clone());
        let begun = begin(&decision, &snapshot, limits(), &before, config.direct);
        // Beside another controller more is coming than what has been launched.
        let coming = if config.controllers == 1 {
            decision.tally.booting
        } else {
            decision.coming
        };
        let free = decision.tally.spare + coming;
        let unprotected = listing.machines.iter().enumerate();
        let unprotected =
            unprotected.filter(|(_, it)| it.place == Place::InService && !it.protected);
        let mut running = Running {
            course: begun.course,
            late: 0,
            unprotected: unprotected.map(|(index, _)| index).collect(),
            missing: if is_held_to {
                decision.wanted_spare.saturating_sub(free)
            } else {
                0
            },
            size: bounds::Size(snapshot.group().desired),
        };
        self.ticked = true;
        let mut memory = begun.memory.clone().moved(settled);
        if view.unsaved {
            let mut held = Held {
                memory: &mut memory,
                recent: &mut self.recent,
                limits: limits(),
                let_go_after: LET_GO_AFTER,
            };
            if running.course.next(&mut held) == Call::Save {
                running
                    .course
                    .done(&mut held, Err(PortErrorKind::Transient));
            }
        }
        self.memory = Arc::new(memory);
        let went = self.go_on(running);
        Decided {
            decision,
            snapshot,
            breaches: begun.breaches,
            begun: begun.memory,
            went,
        }
    }
}

impl Controller {
    /// What it remembers, with who of those that have been idle for long is so for longest.
    fn remembers(&self, view: View) -> Memory {
        let memory = (*self.memory).clone();
        match view.longest {
            Some(index) => memory.with_idle_since(&id_of(index.into()), Timestamp::MIN),
            None => memory,
        }
    }

    /// Whether this one has been idle for so long that since when is forgotten: another one may have been for longer, or less long.
    pub fn is_long_idle(&self, index: usize) -> bool {
        let since = self.memory.idle_since(&id_of(index));
        since.is_some_and(|since| since <= horizon(NOW))
    }
}

impl Decided {
    /// What it goes beyond, where it is applied.
    pub fn beyond(&self, config: &Config) -> Option<Broken> {
        if !self.breaches.is_empty() && holds(Safeguard::Check) {
            return None;
        }
        bounds::decided(config, &self.decision, &self.snapshot, &self.begun)
    }

    /// What it retires that it must not, by what the tick itself has seen: only what a fresh report says to be free, and what can be
    /// told.
    pub fn wrong(&self) -> Option<Broken> {
        let ttl = limits().report_ttl();
        let retires = self.decision.plan.retires().map(|(id, _)| id);
        let mut begun = retires.filter(|id| self.begun.retirements().contains_key(*id));
        begun.find_map(|id| {
            let row = &self.snapshot.rows(id)[0];
            let report = row.report.as_ref();
            let is_fresh = report.is_some_and(|report| NOW.since(report.received_at) <= ttl);
            let is_free = row.status().is_some_and(|status| !status.is_busy());
            let has_refused = row.reachability == Reachability::Refused;
            if row.drain == DrainPath::None {
                Some(Broken::NoWay)
            } else {
                (!is_fresh || !is_free || has_refused).then_some(Broken::NotFree)
            }
        })
    }
}

impl World {
    /// A tick of this controller, up to its first call.
    pub fn tick(&mut self, config: &Config, c: usize, view: View) {
        for (index, heard) in view.heard.into_iter().enumerate() {
            if let Some((which, units)) = heard {
                let status = self.machines[index].channel[usize::from(which)];
                self.hears(c, index, status, units);
            }
        }
        let listing = self.listing(config, c, view);
        if !alone::may_be_shown(&listing) {
            self.broke(Broken::UnknownInput);
        }
        // What it has not seen it cannot be held to.
        let is_held_to = !view.old;
        let decided = self.controllers[c].tick(config, &listing, view, is_held_to);
        if let Some(broken) = decided.beyond(config) {
            self.broke(broken);
        }
        if let Some(wrong) = decided.wrong() {
            self.broke(wrong);
        }
        let before = self.clone();
        self.had_time(&decided.went.had_time);
        if config.rules.is_empty() && !company::may_do(config, &before, self) {
            self.broke(Broken::UnknownAct);
        }
    }

    /// A report of this machine has come in at this controller.
    pub fn hears(&mut self, c: usize, index: usize, status: Status, units: u8) {
        if !alone::may_be_heard(status) {
            self.broke(Broken::UnknownInput);
        }
        self.controllers[c].receive(index, status, units);
    }

    pub(super) fn had_time(&mut self, machines: &[usize]) {
        for index in machines {
            let machine = &mut self.machines[*index];
            machine.had_time |= machine.place.is_listed();
        }
    }
}
