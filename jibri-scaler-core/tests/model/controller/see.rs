//! What a tick of a controller is shown, and what it reads from that.

use jibri_scaler_core::{
    BusyStatus, FleetSnapshot, Group, HealthStatus, Instance, JibriStatus, Report, Timestamp,
    observe::{AgentReport, model::Kept},
    port::{Knock, Presence, ProbeOutcome},
};

use super::{Controller, Known, View, limits};
use crate::{
    jibri::{Busy, Status},
    world::{Config, Left, Machine, NOW, Place, World, id_of},
};

/// What the probe of a Jibri gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// Its health, and whether its internal port answers too.
    Answered(Status, bool),
    Refused,
    /// No answer in time.
    Silent,
}

/// What a tick is shown of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shown {
    pub place: Place,
    pub protected: bool,
    /// What it gets where it asks.
    pub probe: Probe,
}

/// What a tick is shown: all that it takes from the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listing {
    pub desired: u8,
    /// Whether the group has the hook and retains.
    pub has_hook: bool,
    pub machines: Vec<Shown>,
}

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

    fn shown(&self, is_silent: bool, left: Option<Left>) -> Shown {
        let place = left.map_or_else(|| self.place.known(), |_| Place::InService);
        let probe = match self.jibri.health() {
            _ if !place.counts() => Probe::Refused,
            _ if is_silent => Probe::Silent,
            Some(health) if self.jibri.binding.health => {
                Probe::Answered(health, self.can_be_told())
            }
            _ => Probe::Refused,
        };
        Shown {
            place,
            protected: left.map_or(self.protected, |left| left.protected),
            probe,
        }
    }
}

impl World {
    /// What a tick of this controller is shown.
    pub fn listing(&self, config: &Config, c: usize, view: View) -> Listing {
        let old = self.controllers[c].old_desired.filter(|_| view.old);
        let machines = self.machines.iter().enumerate();
        let shown = |(index, machine): (usize, &Machine)| {
            let index = u8::try_from(index).ok();
            let left = machine.left.filter(|_| view.lagging == index);
            machine.shown(view.silent == index, left)
        };
        Listing {
            desired: old.map_or(self.desired, |(desired, _)| desired),
            has_hook: self.has_hook && config.retention,
            machines: machines.map(shown).collect(),
        }
    }
}

impl Shown {
    pub fn probed(self) -> (ProbeOutcome, bool) {
        match self.probe {
            Probe::Answered(health, direct) => (ProbeOutcome::Answered(status(health)), direct),
            Probe::Refused => (ProbeOutcome::Refused, false),
            Probe::Silent => (ProbeOutcome::TimedOut, false),
        }
    }
}

impl Controller {
    /// Joins what is shown with what it has heard, as the observer does.
    pub(super) fn see(&mut self, config: &Config, listing: &Listing) -> FleetSnapshot {
        let mut rows = Vec::new();
        for (index, shown) in listing.machines.iter().enumerate() {
            if !shown.place.is_listed() {
                self.forget(index);
                continue;
            }
            let mut row = Instance::new(id_of(index), shown.place.lifecycle());
            row.protected = shown.protected;
            let known = &mut self.known[index];
            let report = known
                .report
                .map(|(it, at)| Report::new(at, Some(status(it))));
            let mut kept = Kept::new(report, known.direct);
            if let Some((it, at)) = self.inbox[index] {
                let report = AgentReport::new(at, status(it), "1");
                let ttl = limits().report_ttl();
                kept.heard(&mut row, report, listing.has_hook, ttl, NOW);
            } else if config.direct && shown.place.counts() {
                let (outcome, direct) = shown.probed();
                kept.probed(&mut row, Some((outcome, known.direct || direct)), NOW);
            } else {
                kept.probed(&mut row, None, NOW);
            }
            self.known[index] = Known {
                report: kept.report().and_then(compact),
                direct: kept.is_direct(),
                ..self.known[index]
            };
            rows.push(row);
        }
        let mut group = Group::new(config.min.into(), config.max.into(), listing.desired.into());
        group.safe_retirement = config.direct || listing.has_hook;
        FleetSnapshot::new(group, rows)
    }
}
