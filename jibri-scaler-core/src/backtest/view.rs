//! What a tick sees of the Jibris.

use super::{fleet::Fleet, machine::Reading};
use crate::{
    BusyStatus, FleetSnapshot, HealthStatus, Instance, JibriStatus, Lifecycle, Reachability,
    Report, sim::draws::Purpose,
};

impl Fleet<'_> {
    /// The answers of this tick arrive.
    pub(super) fn observe(&mut self) {
        while let Some((seen_at, number, reading)) = self.in_flight.front().copied() {
            if seen_at > self.now {
                break;
            }
            self.in_flight.pop_front();
            if let Some(at) = self.find(number) {
                self.machines[at].reading = reading;
            }
        }
        let described = self.now.before(self.environment.report_delay);
        let probability = self.environment.report_loss;
        for machine in &mut self.machines {
            let speaks = !matches!(machine.reading, Reading::Never | Reading::Refused);
            let look = u64::from(machine.number) << 32 | self.ticks & 0xffff_ffff;
            let lost =
                probability > 0.0 && self.draws.chance(Purpose::ReportLoss, look, probability);
            machine.answered = speaks && !lost;
            if machine.answered {
                machine.report = Some((described, machine.reading));
            }
        }
        self.told_refused = (self.told_refused.1, self.all_refused);
        self.ticks += 1;
    }

    /// The group as an observer would give it to [`decide`](fn@crate::decide).
    #[must_use]
    pub fn snapshot(&self) -> FleetSnapshot {
        let drain = self.environment.drain;
        let rows = self.machines.iter().map(|machine| {
            let lifecycle = match machine.reading {
                _ if machine.leaving => Lifecycle::TerminatingWait,
                Reading::Never => Lifecycle::Pending,
                _ => Lifecycle::InService,
            };
            let mut row = Instance::new(machine.id.clone(), lifecycle);
            row.protected = true;
            row.launched_at = Some(machine.launched_at);
            row.drain = drain;
            row.reachability = match machine.reading {
                Reading::Refused => Reachability::Refused,
                _ if machine.answered => Reachability::Answered,
                _ if machine.report.is_some() => Reachability::TimedOut,
                _ => Reachability::Never,
            };
            row.report = machine.report.map(|(at, reading)| {
                let busy = match reading {
                    Reading::Busy => BusyStatus::Busy,
                    Reading::Expired => BusyStatus::Expired,
                    _ => BusyStatus::Idle,
                };
                Report::new(at, Some(JibriStatus::new(busy, HealthStatus::Healthy)))
            });
            row
        });
        let snapshot = FleetSnapshot::of_sorted(self.group(), rows.collect());
        if !self.environment.counted_refusals {
            return snapshot;
        }
        let (before, now) = self.told_refused;
        snapshot.with_refused(u32::try_from(now - before).unwrap_or(u32::MAX))
    }
}
