use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_executor::block_on;
use jibri_scaler_core::{
    conformance::{LeadershipFixture, leadership},
    port::{Leadership, PortError},
};

#[path = "../common/lead.rs"]
mod lead;
use lead::{Leads, Replica};

const TTL: Duration = Duration::from_secs(30);

/// Leads in memory, whole or broken in one way.
#[derive(Default)]
struct InMemory {
    leads: Arc<Leads>,
    broken: Option<Mutation>,
    started: Mutex<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutation {
    AsksUntilItLeads,
    BelievesAtOnce,
    BelievesForEver,
    GivesUpThatOfAnother,
    KnowsNoProcess,
    LeadsAll,
    NeverGivesUp,
    OneForAllGroups,
    TakesItOnce,
}

#[async_trait]
impl LeadershipFixture for InMemory {
    async fn replica(&self, lead: u32, name: u32) -> Box<dyn Leadership> {
        let mut started = self.started.lock().unwrap();
        *started += 1;
        let lead = match self.broken {
            Some(Mutation::OneForAllGroups) => 0,
            Some(Mutation::LeadsAll) => *started,
            _ => lead,
        };
        let name = match self.broken {
            Some(Mutation::KnowsNoProcess) => format!("{name}"),
            _ => format!("{name} in process {started}"),
        };
        Box::new(Broken {
            replica: Replica::new(&self.leads, lead, &name, TTL),
            leads: Arc::clone(&self.leads),
            by: self.broken,
            led: Mutex::new(false),
        })
    }

    async fn run_out(&self) {
        self.leads.pass(TTL);
    }
}

struct Broken {
    replica: Replica,
    leads: Arc<Leads>,
    by: Option<Mutation>,
    led: Mutex<bool>,
}

#[async_trait]
impl Leadership for Broken {
    async fn campaign(&self) -> Result<bool, PortError> {
        if self.by == Some(Mutation::TakesItOnce) && *self.led.lock().unwrap() {
            return Ok(self.leads());
        }
        let led = self.replica.campaign().await?;
        if !led && self.by == Some(Mutation::AsksUntilItLeads) {
            self.replica.campaign().await?;
        }
        *self.led.lock().unwrap() |= self.replica.leads();
        Ok(self.leads())
    }

    fn leads(&self) -> bool {
        match self.by {
            Some(Mutation::BelievesAtOnce) => true,
            Some(Mutation::BelievesForEver) => *self.led.lock().unwrap(),
            _ => self.replica.leads(),
        }
    }

    async fn resign(&self) -> Result<(), PortError> {
        *self.led.lock().unwrap() = false;
        match self.by {
            Some(Mutation::NeverGivesUp) => Ok(()),
            Some(Mutation::GivesUpThatOfAnother) => {
                self.leads.forget();
                self.replica.resign().await
            }
            _ => self.replica.resign().await,
        }
    }
}

#[test]
fn leads_in_memory_conform() {
    assert_eq!(block_on(leadership(&InMemory::default())), Ok(()));
}

#[test]
fn every_broken_lead_is_found_out() {
    let mutations = [
        (
            Mutation::AsksUntilItLeads,
            "lead_of_another_meanwhile_is_known",
        ),
        (Mutation::BelievesAtOnce, "lead_is_had_by_one"),
        (Mutation::BelievesForEver, "lead_runs_out"),
        (
            Mutation::GivesUpThatOfAnother,
            "lead_of_another_is_not_given_up",
        ),
        (
            Mutation::KnowsNoProcess,
            "lead_is_not_that_of_the_process_before",
        ),
        (Mutation::LeadsAll, "lead_is_had_by_one"),
        (Mutation::NeverGivesUp, "lead_is_free_when_given_up"),
        (Mutation::OneForAllGroups, "lead_belongs_to_one_group"),
        (Mutation::TakesItOnce, "lead_is_prolonged"),
    ];
    for (mutation, rule) in mutations {
        let fixture = InMemory {
            broken: Some(mutation),
            ..InMemory::default()
        };
        let violation = block_on(leadership(&fixture));
        let violation = violation.expect_err(&format!("{mutation:?} is found out"));
        assert_eq!(violation.rule(), rule, "{mutation:?}: {violation}");
    }
}
