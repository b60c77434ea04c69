//! What is done to a group to find out whether it keeps each rule.

use std::collections::BTreeSet;

use super::{
    super::{Checked, ensure},
    GroupFixture, GroupPorts,
};
use crate::{
    Instance, InstanceId, Lifecycle,
    port::{Decrement, GroupControl, GroupListing, Listing, PortError, PortErrorKind},
};

/// One group under test.
struct Trial<'a> {
    fixture: &'a dyn GroupFixture,
    ports: GroupPorts,
}

impl<'a> Trial<'a> {
    async fn new(fixture: &'a dyn GroupFixture, min: u32, max: u32, desired: u32) -> Self {
        let ports = fixture.create(min, max, desired).await;
        fixture.settle().await;
        Self { fixture, ports }
    }

    async fn list(&self) -> Result<Seen, String> {
        Seen::new(self.ports.listing.list().await)
    }

    async fn settled(&self) -> Result<Seen, String> {
        self.fixture.settle().await;
        self.list().await
    }

    async fn protect(&self, ids: &[InstanceId]) -> Checked {
        let protected = self.ports.control.protect(ids).await;
        protected.map_err(|error| error.report())
    }

    async fn set_capacity(&self, desired: u32) -> Checked {
        let set = self.ports.control.set_capacity(desired).await;
        set.map_err(|error| error.report())
    }

    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Checked {
        let ended = self.ports.control.terminate(id, decrement).await;
        ended.map_err(|error| error.report())
    }

    /// Lists until now and after settling, and compares.
    async fn is_unchanged_since(&self, before: &Seen) -> Checked {
        let after = self.settled().await?;
        ensure!(after == *before, "it was {before:?} and became {after:?}");
        Ok(())
    }
}

/// What a listing shows that counts here.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    bounds: (u32, u32),
    desired: u32,
    /// The instances that are launched or in service.
    there: Vec<InstanceId>,
    protected: BTreeSet<InstanceId>,
}

impl Seen {
    fn new(listed: Result<Listing, PortError>) -> Result<Self, String> {
        let Listing {
            group, instances, ..
        } = listed.map_err(|error| error.report())?;
        let there = |row: &&Instance| row.lifecycle.is_counting();
        let ids = |rows: Vec<&Instance>| rows.into_iter().map(|row| row.id.clone()).collect();
        let counting: Vec<_> = instances.iter().filter(there).collect();
        let mut there: Vec<InstanceId> = ids(counting.clone());
        there.sort();
        let protected: Vec<InstanceId> =
            ids(counting.into_iter().filter(|row| row.protected).collect());
        Ok(Self {
            bounds: (group.min_size, group.max_size),
            desired: group.desired,
            there,
            protected: protected.into_iter().collect(),
        })
    }

    fn has(&self, id: &InstanceId) -> bool {
        self.there.contains(id)
    }
}

#[expect(clippy::expect_used, reason = "the texts are not empty")]
fn unknown() -> InstanceId {
    "i-0123456789abcdef0".parse().expect("not empty")
}

fn refused(act: Result<(), PortError>) -> Checked {
    match act {
        Err(error) if error.kind() == PortErrorKind::Permanent => Ok(()),
        Err(error) => Err(format!("it fails, but not permanently: {}", error.report())),
        Ok(()) => Err("it is accepted".into()),
    }
}

pub(super) async fn lists_all(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 1, 6, 3).await;
    let listing = trial.ports.listing.list().await;
    let Listing {
        group, instances, ..
    } = listing.map_err(|error| error.report())?;
    let numbers = (group.min_size, group.max_size, group.desired);
    ensure!(
        numbers == (1, 6, 3),
        "minimum, maximum and desired are {numbers:?}, not (1, 6, 3)"
    );
    ensure!(
        !group.safe_retirement,
        "a listing cannot know that retirement is safe"
    );
    let ids: BTreeSet<_> = instances.iter().map(|row| &row.id).collect();
    ensure!(
        ids.len() == 3 && instances.len() == 3,
        "of 3 instances {} rows are listed, of {} ids",
        instances.len(),
        ids.len()
    );
    for row in &instances {
        ensure!(
            row.lifecycle == Lifecycle::InService && !row.protected,
            "in service and unprotected is listed as {row:?}"
        );
        let blank = Instance::new(row.id.clone(), row.lifecycle.clone());
        ensure!(
            row.report.is_none()
                && row.reachability == blank.reachability
                && row.drain == blank.drain,
            "a listing cannot know report, reachability and drain path: {row:?}"
        );
    }
    Ok(())
}

/// More than the 50 that `DescribeAutoScalingInstances` and `SetInstanceProtection` take, and than the 100 of a page.
const MANY: u32 = 105;

pub(super) async fn lists_many(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 0, 2 * MANY, MANY).await;
    let mut seen = trial.list().await?.there;
    seen.dedup();
    ensure!(
        seen.len() == MANY as usize,
        "of {MANY} instances {} are listed",
        seen.len()
    );
    Ok(())
}

pub(super) async fn listing_is_harmless(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 1, 6, 3).await;
    let before = trial.list().await?;
    trial.is_unchanged_since(&before).await
}

pub(super) async fn listing_missing_group_fails(fixture: &dyn GroupFixture) -> Checked {
    let ports = fixture.missing().await;
    refused(ports.listing.list().await.map(drop))
}

pub(super) async fn protects_named(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 1, 6, 3).await;
    let named = &trial.list().await?.there[..2];
    for time in ["once", "again"] {
        trial.protect(named).await?;
        let seen = trial.settled().await?.protected;
        ensure!(
            seen == named.iter().cloned().collect(),
            "{named:?} were to be protected, {time}: protected are {seen:?}"
        );
    }
    Ok(())
}

pub(super) async fn protects_many(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 0, 2 * MANY, MANY).await;
    trial.protect(&trial.list().await?.there).await?;
    let seen = trial.settled().await?.protected.len();
    ensure!(
        seen == MANY as usize,
        "of {MANY} instances {seen} are protected"
    );
    Ok(())
}

pub(super) async fn protects_none(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 1, 6, 2).await;
    let before = trial.list().await?;
    trial.protect(&[]).await?;
    trial.is_unchanged_since(&before).await
}

pub(super) async fn protect_passes_over_unknown(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 1, 6, 2).await;
    let mut named = trial.list().await?.there;
    named.insert(1, unknown());
    trial.protect(&named).await?;
    let seen = trial.settled().await?;
    ensure!(
        seen.protected.len() == 2,
        "beside an unknown id, of 2 protected are {:?}",
        seen.protected
    );
    Ok(())
}

pub(super) async fn capacity_grows(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 1, 6, 2).await;
    let before = trial.list().await?;
    trial.set_capacity(6).await?;
    let after = trial.settled().await?;
    ensure!(
        after.desired == 6,
        "set to 6, {} are desired",
        after.desired
    );
    ensure!(
        after.there.len() == 6,
        "set to 6, {} are there",
        after.there.len()
    );
    ensure!(
        before.there.iter().all(|id| after.has(id)),
        "those there before were {:?}, now there are {:?}",
        before.there,
        after.there
    );
    Ok(())
}

pub(super) async fn capacity_is_absolute(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 1, 6, 2).await;
    trial.set_capacity(4).await?;
    let before = trial.settled().await?;
    trial.set_capacity(4).await?;
    trial.is_unchanged_since(&before).await
}

pub(super) async fn refuses_above_max(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 1, 3, 2).await;
    let before = trial.list().await?;
    refused(trial.ports.control.set_capacity(4).await)?;
    trial.is_unchanged_since(&before).await
}

pub(super) async fn refuses_below_min(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 2, 6, 3).await;
    let before = trial.list().await?;
    refused(trial.ports.control.set_capacity(1).await)?;
    trial.is_unchanged_since(&before).await
}

pub(super) async fn lowering_spares_protected(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 1, 6, 4).await;
    let protected = &trial.list().await?.there[1..];
    trial.protect(protected).await?;
    trial.fixture.settle().await;
    trial.set_capacity(2).await?;
    let after = trial.settled().await?;
    ensure!(
        after.desired == 2,
        "lowered to 2, {} are desired",
        after.desired
    );
    ensure!(
        after.there == protected,
        "{protected:?} are protected, and lowering left {:?}",
        after.there
    );
    Ok(())
}

pub(super) async fn capacity_of_missing_group_fails(fixture: &dyn GroupFixture) -> Checked {
    let ports = fixture.missing().await;
    refused(ports.control.set_capacity(1).await)
}

pub(super) async fn terminate_takes_named(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 1, 6, 4).await;
    let mut expected = trial.list().await?.there;
    trial.protect(&expected).await?;
    let named = expected.remove(1);
    trial.terminate(&named, Decrement::Yes).await?;
    let after = trial.settled().await?;
    ensure!(
        after.desired == 3,
        "of 4 desired, {} are after a decrement",
        after.desired
    );
    ensure!(
        after.there == expected,
        "{named} was to go and {expected:?} to stay, there are {:?}",
        after.there
    );
    Ok(())
}

pub(super) async fn terminate_replaces(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 2, 6, 2).await;
    let before = trial.list().await?.there;
    trial.terminate(&before[0], Decrement::No).await?;
    let after = trial.settled().await?;
    ensure!(
        after.desired == 2,
        "of 2 desired, {} are after a replacement",
        after.desired
    );
    ensure!(
        after.there.len() == 2 && !after.has(&before[0]) && after.has(&before[1]),
        "{} was to be replaced and {} to stay, there are {:?}",
        before[0],
        before[1],
        after.there
    );
    Ok(())
}

pub(super) async fn terminate_refuses_below_min(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 2, 6, 2).await;
    let before = trial.list().await?;
    let control = &trial.ports.control;
    refused(control.terminate(&before.there[0], Decrement::Yes).await)?;
    trial.is_unchanged_since(&before).await
}

pub(super) async fn terminate_unknown_is_done(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 0, 6, 2).await;
    let before = trial.list().await?;
    trial.terminate(&unknown(), Decrement::Yes).await?;
    trial.terminate(&unknown(), Decrement::No).await?;
    trial.is_unchanged_since(&before).await
}

pub(super) async fn terminate_again_is_done(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 0, 6, 3).await;
    let named = &trial.list().await?.there[0];
    trial.terminate(named, Decrement::Yes).await?;
    let before = trial.settled().await?;
    trial.terminate(named, Decrement::Yes).await?;
    trial.is_unchanged_since(&before).await
}

pub(super) async fn protect_passes_over_departed(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 0, 6, 3).await;
    let named = trial.list().await?.there;
    trial.terminate(&named[1], Decrement::Yes).await?;
    trial.fixture.settle().await;
    trial.protect(&named).await?;
    let seen = trial.settled().await?;
    ensure!(
        seen.protected.len() == 2,
        "beside a departed id, of 2 protected are {:?}",
        seen.protected
    );
    Ok(())
}

pub(super) async fn completes_where_nothing_waits(fixture: &dyn GroupFixture) -> Checked {
    let trial = Trial::new(fixture, 0, 6, 2).await;
    let before = trial.list().await?;
    for id in [&before.there[0], &unknown()] {
        let completed = trial.ports.control.complete_termination(id).await;
        completed.map_err(|error| error.report())?;
    }
    trial.is_unchanged_since(&before).await
}
