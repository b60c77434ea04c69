use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_executor::block_on;
use jibri_scaler_core::{
    InstanceId, Timestamp,
    conformance::{Differences, GroupFixture, GroupPorts, GroupRule, Violation, group},
    port::{Decrement, GroupControl, GroupListing, Listing, PortError, PortErrorKind},
    sim::{SimGroup, SimGroupConfig},
};

/// Simulated groups, as they are or broken in one way.
#[derive(Default)]
struct Simulated {
    broken: Option<Mutation>,
    lag: Duration,
    groups: Mutex<Vec<Arc<SimGroup>>>,
}

#[async_trait]
impl GroupFixture for Simulated {
    async fn create(&self, min_size: u32, max_size: u32, desired: u32) -> GroupPorts {
        let config = SimGroupConfig::new(min_size, max_size, desired)
            .unwrap()
            .with_start_in_service(true)
            .with_listing_lag(self.lag);
        let group = Arc::new(SimGroup::new(config, Timestamp::from_secs(0)));
        self.groups.lock().unwrap().push(Arc::clone(&group));
        match self.broken {
            None => GroupPorts::of(group),
            Some(mutation) => GroupPorts::of(Arc::new(Mutant { group, mutation })),
        }
    }

    async fn missing(&self) -> GroupPorts {
        let ports = self.create(0, 1, 0).await;
        self.groups.lock().unwrap().last().unwrap().delete();
        ports
    }

    async fn settle(&self) {
        for group in &*self.groups.lock().unwrap() {
            while let Some(next) = group.next_event() {
                group.advance(next);
            }
            group.advance(group.now() + self.lag);
        }
    }
}

fn check(broken: Option<Mutation>, differences: &Differences) -> Result<(), Violation> {
    let fixture = Simulated {
        broken,
        ..Simulated::default()
    };
    block_on(group(&fixture, differences))
}

#[test]
fn the_simulated_group_conforms() {
    assert_eq!(check(None, &Differences::none()), Ok(()));
}

#[test]
fn the_simulated_group_conforms_when_its_listing_lags() {
    let fixture = Simulated {
        lag: Duration::from_secs(15),
        ..Simulated::default()
    };
    assert_eq!(block_on(group(&fixture, &Differences::none())), Ok(()));
}

#[test]
fn every_rule_is_broken_by_a_mutant_and_every_mutant_is_found_out() {
    let mut broken = BTreeSet::new();
    for (mutation, rule) in MUTATIONS {
        let violation = check(Some(*mutation), &Differences::none());
        let violation = violation.expect_err(&format!("{mutation:?} is found out"));
        assert_eq!(violation.rule(), rule.as_str(), "{mutation:?}: {violation}");
        broken.insert(*rule);
    }
    assert_eq!(broken, GroupRule::ALL.iter().copied().collect());
}

#[test]
fn a_difference_is_accepted_where_it_is_real_and_stale_where_it_is_not() {
    let differences = Differences::none().with(GroupRule::RefusesAboveMax, "it stores any number");
    assert_eq!(check(Some(Mutation::IgnoresMax), &differences), Ok(()));
    let violation = check(None, &differences).unwrap_err();
    assert_eq!(violation.rule(), "RefusesAboveMax");
    assert!(violation.seen().contains("stale"), "{violation}");
}

#[derive(Clone, Copy, Debug)]
enum Mutation {
    AcceptsCapacityOfMissingGroup,
    AddsToCapacity,
    AlwaysDecrements,
    ClampsToMin,
    CompletesOnlyWhatWaits,
    CreatesByListing,
    DecrementsAgain,
    DecrementsForUnknown,
    DropsOneFromListing,
    EndsAlthoughRefused,
    FailsForDeparted,
    FailsForUnknown,
    FailsOnNoIds,
    FailsToEndAgain,
    FailsToEndUnknown,
    ForgetsCapacity,
    ForgetsDecrement,
    ForgetsProtection,
    IgnoresMax,
    IgnoresMinOnTerminate,
    ListsFirstPage,
    ListsMissingGroupEmpty,
    ListsOneTwice,
    LowersThroughProtection,
    ProtectsAll,
    ProtectsFirstChunk,
    RefusesTransiently,
    SparesProtected,
    TerminatesAnother,
    TerminatesNothing,
}

const MUTATIONS: &[(Mutation, GroupRule)] = &[
    (
        Mutation::AcceptsCapacityOfMissingGroup,
        GroupRule::CapacityOfMissingGroupFails,
    ),
    (Mutation::AddsToCapacity, GroupRule::CapacityIsAbsolute),
    (Mutation::AlwaysDecrements, GroupRule::TerminateReplaces),
    (Mutation::ClampsToMin, GroupRule::RefusesBelowMin),
    (Mutation::CreatesByListing, GroupRule::ListingIsHarmless),
    (Mutation::DecrementsAgain, GroupRule::TerminateAgainIsDone),
    (
        Mutation::DecrementsForUnknown,
        GroupRule::TerminateUnknownIsDone,
    ),
    (Mutation::DropsOneFromListing, GroupRule::ListsAll),
    (
        Mutation::EndsAlthoughRefused,
        GroupRule::TerminateRefusesBelowMin,
    ),
    (
        Mutation::FailsForDeparted,
        GroupRule::ProtectPassesOverDeparted,
    ),
    (
        Mutation::FailsForUnknown,
        GroupRule::ProtectPassesOverUnknown,
    ),
    (
        Mutation::CompletesOnlyWhatWaits,
        GroupRule::CompletesWhereNothingWaits,
    ),
    (Mutation::FailsOnNoIds, GroupRule::ProtectsNone),
    (Mutation::FailsToEndAgain, GroupRule::TerminateAgainIsDone),
    (
        Mutation::FailsToEndUnknown,
        GroupRule::TerminateUnknownIsDone,
    ),
    (Mutation::ForgetsCapacity, GroupRule::CapacityGrows),
    (Mutation::ForgetsDecrement, GroupRule::TerminateTakesNamed),
    (Mutation::ForgetsProtection, GroupRule::ProtectsNamed),
    (Mutation::IgnoresMax, GroupRule::RefusesAboveMax),
    (
        Mutation::IgnoresMinOnTerminate,
        GroupRule::TerminateRefusesBelowMin,
    ),
    (Mutation::ListsFirstPage, GroupRule::ListsMany),
    (
        Mutation::ListsMissingGroupEmpty,
        GroupRule::ListingMissingGroupFails,
    ),
    (Mutation::ListsOneTwice, GroupRule::ListsAll),
    (
        Mutation::LowersThroughProtection,
        GroupRule::LoweringSparesProtected,
    ),
    (Mutation::ProtectsAll, GroupRule::ProtectsNamed),
    (Mutation::ProtectsFirstChunk, GroupRule::ProtectsMany),
    (Mutation::RefusesTransiently, GroupRule::RefusesAboveMax),
    (Mutation::SparesProtected, GroupRule::TerminateTakesNamed),
    (Mutation::TerminatesAnother, GroupRule::TerminateTakesNamed),
    (Mutation::TerminatesNothing, GroupRule::TerminateTakesNamed),
];

/// A simulated group that is broken in one way.
struct Mutant {
    group: Arc<SimGroup>,
    mutation: Mutation,
}

impl Mutant {
    fn ids(&self) -> Vec<InstanceId> {
        let rows = self.group.current().instances;
        rows.into_iter().map(|row| row.id).collect()
    }

    fn was_launched_here(&self, id: &InstanceId) -> bool {
        let here = self.ids();
        here.iter()
            .any(|other| other.as_str()[..8] == id.as_str()[..8])
    }

    async fn decrement(&self) -> Result<(), PortError> {
        let desired = self.group.current().group.desired;
        self.group.set_capacity(desired - 1).await
    }
}

fn failure(kind: PortErrorKind) -> Result<(), PortError> {
    Err(PortError::new(kind, "do what a mutant does not"))
}

#[async_trait]
impl GroupListing for Mutant {
    async fn list(&self) -> Result<Listing, PortError> {
        let listed = self.group.list().await;
        if matches!(self.mutation, Mutation::ListsMissingGroupEmpty) {
            return Ok(listed.unwrap_or_else(|_| self.group.current()));
        }
        let mut listing = listed?;
        match self.mutation {
            Mutation::CreatesByListing => {
                let more = listing.group.desired + 1;
                self.group
                    .set_capacity(more.min(listing.group.max_size))
                    .await?;
            }
            Mutation::DropsOneFromListing => drop(listing.instances.pop()),
            Mutation::ListsFirstPage => listing.instances.truncate(100),
            Mutation::ListsOneTwice => listing.instances.push(listing.instances[0].clone()),
            _ => {}
        }
        Ok(listing)
    }
}

#[async_trait]
impl GroupControl for Mutant {
    async fn protect(&self, ids: &[InstanceId]) -> Result<(), PortError> {
        let here = self.ids();
        let mut missing = ids.iter().filter(|id| !here.contains(id));
        match self.mutation {
            Mutation::FailsForDeparted if missing.any(|id| self.was_launched_here(id)) => {
                failure(PortErrorKind::Permanent)
            }
            Mutation::FailsForUnknown if missing.any(|id| !self.was_launched_here(id)) => {
                failure(PortErrorKind::Permanent)
            }
            Mutation::FailsOnNoIds if ids.is_empty() => failure(PortErrorKind::Permanent),
            Mutation::ForgetsProtection => Ok(()),
            Mutation::ProtectsAll => self.group.protect(&here).await,
            Mutation::ProtectsFirstChunk => self.group.protect(&ids[..ids.len().min(50)]).await,
            _ => self.group.protect(ids).await,
        }
    }

    async fn set_capacity(&self, desired: u32) -> Result<(), PortError> {
        let now = self.group.current().group;
        match self.mutation {
            Mutation::AcceptsCapacityOfMissingGroup if now.max_size == 0 => return Ok(()),
            Mutation::AddsToCapacity if desired == now.desired => {
                return self.group.set_capacity(desired + 1).await;
            }
            Mutation::ClampsToMin => {
                return self.group.set_capacity(desired.max(now.min_size)).await;
            }
            Mutation::ForgetsCapacity => return Ok(()),
            Mutation::IgnoresMax => {
                let max = now.max_size.max(desired);
                self.group.set_bounds(now.min_size, max).unwrap();
            }
            Mutation::LowersThroughProtection => self.group.set_protection(&self.ids(), false),
            _ => {}
        }
        let set = self.group.set_capacity(desired).await;
        match self.mutation {
            Mutation::RefusesTransiently if set.is_err() => failure(PortErrorKind::Transient),
            _ => set,
        }
    }

    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
        let listing = self.group.current();
        let row = listing.instances.iter().find(|row| row.id == *id);
        match self.mutation {
            Mutation::AlwaysDecrements => self.group.terminate(id, Decrement::Yes).await,
            Mutation::DecrementsAgain if row.is_none() && self.was_launched_here(id) => {
                self.decrement().await
            }
            Mutation::DecrementsForUnknown if row.is_none() => self.decrement().await,
            Mutation::EndsAlthoughRefused => {
                let ended = self.group.terminate(id, decrement).await;
                if ended.is_err() {
                    self.group.terminate(id, Decrement::No).await?;
                }
                ended
            }
            Mutation::FailsToEndAgain if row.is_none() && self.was_launched_here(id) => {
                failure(PortErrorKind::Permanent)
            }
            Mutation::FailsToEndUnknown if row.is_none() => failure(PortErrorKind::Permanent),
            Mutation::ForgetsDecrement => self.group.terminate(id, Decrement::No).await,
            Mutation::IgnoresMinOnTerminate => {
                let max = listing.group.max_size;
                self.group.set_bounds(0, max).unwrap();
                self.group.terminate(id, decrement).await
            }
            Mutation::SparesProtected if row.is_some_and(|row| row.protected) => Ok(()),
            Mutation::TerminatesAnother if row.is_some() => {
                let another = self.ids().into_iter().find(|other| other != id);
                self.group.terminate(&another.unwrap(), decrement).await
            }
            Mutation::TerminatesNothing => Ok(()),
            _ => self.group.terminate(id, decrement).await,
        }
    }

    async fn complete_termination(&self, id: &InstanceId) -> Result<(), PortError> {
        match self.mutation {
            Mutation::CompletesOnlyWhatWaits => failure(PortErrorKind::Permanent),
            _ => self.group.complete_termination(id).await,
        }
    }
}
