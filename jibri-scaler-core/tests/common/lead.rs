//! Leads in memory, on virtual time.
#![allow(dead_code, reason = "each of the tests that share it uses a part")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use jibri_scaler_core::{
    lease::{Lease, Record, Write},
    port::{Leadership, PortError, PortErrorKind},
};

/// What is stored, by lead, and the time.
#[derive(Default)]
pub(crate) struct Leads {
    stored: Mutex<BTreeMap<u32, Record>>,
    now: Mutex<Duration>,
    unreachable: Mutex<bool>,
}

impl Leads {
    pub(crate) fn pass(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }

    /// From now on nobody can be asked, or everybody again.
    pub(crate) fn cut_off(&self, unreachable: bool) {
        *self.unreachable.lock().unwrap() = unreachable;
    }

    /// Whoever led, it is forgotten.
    pub(crate) fn forget(&self) {
        self.stored.lock().unwrap().clear();
    }

    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn write(&self, lead: u32, write: &Write) -> bool {
        let mut stored = self.stored.lock().unwrap();
        let fits = stored.get(&lead) == write.unless_changed.as_ref();
        if fits {
            stored.insert(lead, write.record.clone());
        }
        fits
    }
}

/// A replica that competes for one of them.
pub(crate) struct Replica {
    leads: Arc<Leads>,
    lead: u32,
    lease: Mutex<Lease>,
}

impl Replica {
    pub(crate) fn new(leads: &Arc<Leads>, lead: u32, name: &str, ttl: Duration) -> Self {
        Self {
            leads: Arc::clone(leads),
            lead,
            lease: Mutex::new(Lease::new(name, ttl).unwrap()),
        }
    }

    fn stored(&self) -> Result<Option<Record>, PortError> {
        if *self.leads.unreachable.lock().unwrap() {
            let what = "read who leads";
            return Err(PortError::new(PortErrorKind::Transient, what));
        }
        Ok(self.leads.stored.lock().unwrap().get(&self.lead).cloned())
    }
}

#[async_trait]
impl Leadership for Replica {
    async fn campaign(&self) -> Result<bool, PortError> {
        let now = self.leads.now();
        let stored = self.stored()?;
        let mut lease = self.lease.lock().unwrap();
        if let Some(write) = lease.read(stored, now, now) {
            if self.leads.write(self.lead, &write) {
                lease.written(&write, now);
            } else {
                lease.refused();
            }
        }
        Ok(lease.leads(now))
    }

    fn leads(&self) -> bool {
        self.lease.lock().unwrap().leads(self.leads.now())
    }

    async fn resign(&self) -> Result<(), PortError> {
        let stored = self.stored();
        let mut lease = self.lease.lock().unwrap();
        let write = lease.resign(stored.as_ref().ok().cloned().flatten());
        if let Some(write) = write {
            self.leads.write(self.lead, &write);
        }
        stored.map(|_| ())
    }
}
