//! What a controller sees and decides, and what must hold of that.

use std::sync::Arc;

use jibri_scaler_core::{
    BusyStatus, DrainPath, FleetSnapshot, Group, HealthStatus, Instance, JibriStatus, Reachability,
    Report, Timestamp,
    controller::course::{Call, Held, begin},
    decide,
    observe::{AgentReport, model::Kept},
    policy::MinIdle,
    port::{Knock, PortErrorKind, Presence, ProbeOutcome},
    safeguard::{Safeguard, holds},
};

use super::{Running, View, limits};
use crate::{
    jibri::{Busy, Status},
    world::{Broken, Config, Machine, NOW, Place, World, id_of, index_of},
};

pub fn status(status: Status) -> JibriStatus {
    let busy = match status.busy {
        Busy::Idle => BusyStatus::Idle,
        Busy::Busy => BusyStatus::Busy,
        Busy::Expired => BusyStatus::Expired,
    };
    let health = if status.healthy {
        HealthStatus::Healthy
    } else {
        HealthStatus::Unhealthy
    };
    JibriStatus::new(busy, health)
}

fn compact(report: &Report) -> Option<(Status, Timestamp)> {
    let read = report.status.as_ref()?;
    let busy = match read.busy {
        BusyStatus::Busy => Busy::Busy,
        BusyStatus::Expired => Busy::Expired,
        _ => Busy::Idle,
    };
    let healthy = read.health == HealthStatus::Healthy;
    Some((Status { busy, healthy }, report.received_at))
}

impl Machine {
    /// What a controller that asks over HTTP gets.
    fn probe(&self) -> ProbeOutcome {
        match self.jibri.health() {
            Some(shown) if self.jibri.binding.health => ProbeOutcome::Answered(status(shown)),
            _ => ProbeOutcome::Refused,
        }
    }

    /// Whether its health is there for a controller to read.
    pub fn binds_health(&self) -> bool {
        self.jibri.health().is_some() && self.jibri.binding.health
    }

    pub fn can_be_told(&self) -> bool {
        self.jibri.is_up() && self.jibri.binding.internal
    }

    pub fn look(&self) -> Presence {
        let knock = |open: bool| {
            if open { Knock::Opened } else { Knock::Refused }
        };
        Presence::of(knock(self.binds_health()), knock(self.can_be_told()))
    }
}

impl World {
    fn see(&mut self, config: &Config, c: usize, view: View) -> FleetSnapshot {
        let has_hook = self.has_hook && config.retention;
        let (machines, controller) = (&self.machines, &mut self.controllers[c]);
        let mut rows = Vec::new();
        for (index, machine) in machines.iter().enumerate() {
            if !machine.place.is_listed() {
                controller.forget(index);
                continue;
            }
            let mut row = Instance::new(id_of(index), machine.place.lifecycle());
            row.protected = machine.protected;
            let known = &mut controller.known[index];
            let report = known
                .report
                .map(|(it, at)| Report::new(at, Some(status(it))));
            let mut kept = Kept::new(report, known.direct);
            let heard = controller.inbox[index];
            let is_silent = view.silent == u8::try_from(index).ok();
            if let Some((it, at)) = heard {
                let report = AgentReport::new(at, status(it), "1");
                kept.heard(&mut row, report, has_hook, limits().report_ttl(), NOW);
            } else if config.direct && machine.place.counts() {
                let outcome = if is_silent {
                    ProbeOutcome::TimedOut
                } else {
                    machine.probe()
                };
                let answered = outcome.status().is_some();
                let direct = known.direct || (answered && machine.can_be_told());
                kept.probed(&mut row, Some((outcome, direct)), NOW);
            } else {
                kept.probed(&mut row, None, NOW);
            }
            known.report = kept.report().and_then(compact);
            known.direct = kept.is_direct();
            rows.push(row);
        }
        let desired = controller.old_desired.filter(|_| view.old);
        let desired = desired.map(|(desired, _)| desired);
        let desired = u32::from(desired.unwrap_or(self.desired));
        let mut group = Group::new(config.min.into(), config.max.into(), desired);
        group.safe_retirement = config.direct || has_hook;
        FleetSnapshot::new(group, rows)
    }

    /// It observes and decides. What it does about it comes after, call by call.
    pub fn tick(&mut self, config: &Config, c: usize, view: View) {
        let snapshot = self.see(config, c, view);
        let before = Arc::clone(&self.controllers[c].memory);
        let policy = MinIdle::new(config.wanted).expect("in range");
        let limits = limits();
        let decision = decide(&policy, &limits, &snapshot, NOW, (*before).clone());
        let begun = begin(&decision, &snapshot, &limits, &before, config.direct);
        let is_done = begun.breaches.is_empty();
        let (tally, group) = (&decision.tally, snapshot.group());
        let mut missing = decision
            .wanted_spare
            .saturating_sub(tally.spare + tally.booting);
        if view.old || self.controllers.len() > 1 {
            // What it has not seen it cannot be held to.
            missing = 0;
        }

        if self.controllers.len() == 1 && !view.old {
            let applied = is_done || !holds(Safeguard::Check);
            if let Some(to) = decision.plan.capacity().filter(|_| applied) {
                let free = tally.spare + tally.booting;
                let needed = tally.total - free + config.wanted;
                if to > needed.max(group.min_size) {
                    self.broke(Broken::Overgrown);
                }
            }
            let in_service = |index: usize| self.machines[index].place == Place::InService;
            let leaving = begun
                .memory
                .retirements()
                .iter()
                .filter(|(id, retirement)| {
                    !retirement.replace()
                        && retirement.phase().is_under_way()
                        && in_service(index_of(id))
                });
            let left = group
                .desired
                .checked_sub(u32::try_from(leaving.count()).unwrap_or(9));
            let begins = decision.plan.retires().any(|(_, replace)| !replace);
            if begins && applied && left.is_none_or(|left| left < group.min_size) {
                self.broke(Broken::BelowMin);
            }
        }
        for (id, _) in decision.plan.retires() {
            // What the tick itself has seen: a fresh report that says that it is free.
            let rows = snapshot.rows(id);
            let report = rows[0].report.as_ref();
            let is_fresh =
                report.is_some_and(|report| NOW.since(report.received_at) <= limits.report_ttl());
            let is_free = rows[0].status().is_some_and(|status| !status.is_busy());
            let is_begun = begun.memory.retirements().contains_key(id);
            let has_refused = rows[0].reachability == Reachability::Refused;
            if is_begun && rows[0].drain == DrainPath::None {
                self.broke(Broken::NoWay);
            }
            if is_begun && !(is_fresh && is_free && !has_refused) {
                self.broke(Broken::NotFree);
            }
        }
        let unprotected = self.machines.iter().enumerate();
        let unprotected = unprotected
            .filter(|(_, machine)| machine.place == Place::InService && !machine.protected)
            .map(|(index, _)| index)
            .collect();
        let mut running = Running {
            course: begun.course,
            saved: (*before).clone(),
            late: 0,
            unprotected,
            missing,
        };
        let controller = &mut self.controllers[c];
        controller.ticked = true;
        controller.memory = Arc::new(begun.memory);
        if view.unsaved {
            let mut memory = (*controller.memory).clone();
            let mut held = Held {
                memory: &mut memory,
                recent: &mut controller.recent,
                limits: &limits,
            };
            if running.course.next(&mut held) == Call::Save {
                running
                    .course
                    .done(&mut held, Err(PortErrorKind::Transient));
            }
            controller.memory = Arc::new(memory);
        }
        self.go_on(c, running);
    }
}
