//! One tick on mocks: what is called, in which order, when something fails.

use std::sync::{Arc, Mutex};

use futures_executor::block_on;
use jibri_scaler_core::{
    BusyStatus, Controller, DrainPath, FleetSnapshot, Group, HealthStatus, Instance, JibriStatus,
    Lifecycle, Memory, Reachability, Report, Timestamp,
    controller::{Applied, TickReport},
    observe::{MockFleetObserver, Observation},
    policy::MinIdle,
    port::{
        Decrement, MockDrainClient, MockGroupControl, MockMemoryStore, MockMetricsSink, PortError,
        PortErrorKind, Presence, Told,
    },
};

use crate::world::{at, limits, remembered};

/// What was called, in order.
pub(crate) type Journal = Arc<Mutex<Vec<String>>>;

/// What fails, by the name of the call, and how.
pub(crate) type Failing = Arc<Mutex<Vec<(&'static str, PortErrorKind)>>>;

#[derive(Clone, Default)]
pub(crate) struct Mocks {
    pub(crate) journal: Journal,
    pub(crate) failing: Failing,
    /// What the store was given, whether or not it said that it kept it.
    pub(crate) saved: Arc<Mutex<Vec<Memory>>>,
}

impl Mocks {
    pub(crate) fn fail(&self, call: &'static str, kind: PortErrorKind) {
        self.failing.lock().unwrap().push((call, kind));
    }

    pub(crate) fn repair(&self) {
        self.failing.lock().unwrap().clear();
    }

    fn called(&self, name: &str, entry: String) -> Result<(), PortError> {
        self.journal.lock().unwrap().push(entry);
        let failing = self.failing.lock().unwrap();
        match failing.iter().find(|(failing, _)| *failing == name) {
            Some((_, kind)) => Err(PortError::new(*kind, name)),
            None => Ok(()),
        }
    }

    /// What was called since the last time this was asked.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.journal.lock().unwrap())
    }

    fn observer(&self, group: Group, rows: Vec<Instance>) -> MockFleetObserver {
        let mut observer = MockFleetObserver::new();
        let mocks = self.clone();
        observer.expect_observe().returning(move |now| {
            mocks.called("observe", "observe".into())?;
            let fresh = |row: &Instance| {
                let mut row = row.clone();
                // Of one that refuses nothing new is heard.
                if row.reachability == Reachability::Answered {
                    row.report = row.report.map(|report| Report::new(now, report.status));
                }
                row
            };
            let rows = rows.iter().map(fresh).collect();
            Ok(Observation::new(FleetSnapshot::new(group, rows)))
        });
        observer
    }

    fn control(&self) -> MockGroupControl {
        let mut control = MockGroupControl::new();
        let mocks = self.clone();
        control
            .expect_protect()
            .returning(move |ids| mocks.called("protect", format!("protect {}", ids.len())));
        let mocks = self.clone();
        control
            .expect_set_capacity()
            .returning(move |to| mocks.called("set_capacity", format!("set_capacity {to}")));
        let mocks = self.clone();
        control.expect_terminate().returning(move |id, decrement| {
            let how = match decrement {
                Decrement::Yes => "with",
                _ => "without",
            };
            mocks.called("terminate", format!("terminate {id} {how} decrement"))
        });
        let mocks = self.clone();
        control
            .expect_complete_termination()
            .returning(move |id| mocks.called("complete", format!("complete {id}")));
        control
    }

    fn drain(&self) -> MockDrainClient {
        let mut drain = MockDrainClient::new();
        let mocks = self.clone();
        drain.expect_tell().returning(move |target| {
            let told = mocks.called("tell", format!("tell {}", target.id));
            told.map_or(Told::Unknown, |()| Told::Yes)
        });
        let mocks = self.clone();
        drain.expect_look().returning(move |target| {
            let looked = mocks.called("look", format!("look {}", target.id));
            looked.map_or(Presence::Unclear, |()| Presence::BothRefuse)
        });
        drain
    }

    fn store(&self) -> MockMemoryStore {
        let mut store = MockMemoryStore::new();
        let mocks = self.clone();
        store.expect_load().returning(move || {
            mocks.called("load", "load".into())?;
            let saved = mocks.saved.lock().unwrap().last().cloned();
            Ok(Some(saved.unwrap_or_else(|| remembered(at(0)))))
        });
        let mocks = self.clone();
        store.expect_save().returning(move |memory| {
            mocks.saved.lock().unwrap().push(memory.clone());
            let entry = format!("save {}", memory.retirements().len());
            mocks.called("save", entry)
        });
        store
    }

    fn metrics(&self) -> MockMetricsSink {
        let mut metrics = MockMetricsSink::new();
        let mocks = self.clone();
        metrics.expect_publish().returning(move |numbers| {
            let entry = format!("publish {} of {}", numbers.total, numbers.desired);
            mocks.called("publish", entry)
        });
        metrics
    }

    /// A controller of this group, which wants so many idle ones.
    pub(crate) fn controller(
        &self,
        min_idle: u32,
        group: Group,
        rows: Vec<Instance>,
    ) -> Controller {
        let observer = self.observer(group, rows);
        let policy = MinIdle::new(min_idle).unwrap();
        Controller::new(policy, limits(), observer, self.control())
            .with_drain(self.drain())
            .with_memory(self.store())
            .with_metrics(self.metrics())
    }

    /// A controller whose first plan protects `i-1`, sets the capacity to 3, and replaces `i-1`.
    pub(crate) fn busy_tick(&self) -> Controller {
        let unhealthy = JibriStatus::new(BusyStatus::Idle, HealthStatus::Unhealthy);
        let mut group = Group::new(0, 10, 1);
        group.safe_retirement = true;
        self.controller(2, group, vec![row("i-1", unhealthy)])
    }
}

/// An unprotected instance in service that answers so in every tick, and can be told to end.
pub(crate) fn row(id: &str, status: JibriStatus) -> Instance {
    let mut row = Instance::new(id.parse().unwrap(), Lifecycle::InService);
    row.report = Some(Report::new(Timestamp::MIN, Some(status)));
    row.reachability = Reachability::Answered;
    row.drain = DrainPath::Direct;
    row
}

pub(crate) fn tick(controller: &mut Controller, secs: i64) -> TickReport {
    let report = block_on(controller.tick(at(secs))).unwrap();
    assert_eq!(report.breaches, [], "{report}");
    report
}

/// What became of protect, set the capacity, retire.
pub(crate) fn became(report: &TickReport) -> Vec<Applied> {
    report.effects.iter().map(|(_, became)| *became).collect()
}
