use async_trait::async_trait;

use super::{Checked, Violation, ensure};
use crate::port::Leadership;

/// Makes replicas that compete for a lead.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::{
///     conformance::LeadershipFixture,
///     port::{Leadership, PortError},
/// };
///
/// /// Of the leads that this adapter gives.
/// struct Leads;
///
/// # async fn open(name: u32, of: u32) -> Box<dyn Leadership> { unimplemented!("for the example only") }
/// # async fn wait_as_long_as_a_lead_lasts() {}
/// #[async_trait]
/// impl LeadershipFixture for Leads {
///     async fn replica(&self, lead: u32, name: u32) -> Box<dyn Leadership> {
///         open(name, lead).await
///     }
///
///     async fn run_out(&self) {
///         wait_as_long_as_a_lead_lasts().await;
///     }
/// }
/// ```
#[async_trait]
pub trait LeadershipFixture: Send + Sync {
    /// A new replica of this name that competes for this lead, which nobody has had as long as no replica of it was asked for. A
    /// second one of the same name is that replica started again.
    async fn replica(&self, lead: u32, name: u32) -> Box<dyn Leadership>;

    /// Lets so much time pass that a lead which was not prolonged meanwhile has run out.
    async fn run_out(&self);
}

/// Checks who leads. The names of its rules begin with `lead`.
///
/// # Errors
/// The first rule that is broken.
pub async fn leadership(fixture: &dyn LeadershipFixture) -> Result<(), Violation> {
    let broken = |rule| move |seen| Violation::new(rule, seen);
    one_leads(fixture, 1)
        .await
        .map_err(broken("lead_is_had_by_one"))?;
    it_belongs_to_one_group(fixture, 2, 3)
        .await
        .map_err(broken("lead_belongs_to_one_group"))?;
    a_resigned_one_is_free(fixture, 4)
        .await
        .map_err(broken("lead_is_free_when_given_up"))?;
    only_the_own_is_given_up(fixture, 5)
        .await
        .map_err(broken("lead_of_another_is_not_given_up"))?;
    it_runs_out(fixture, 6)
        .await
        .map_err(broken("lead_runs_out"))?;
    it_is_prolonged(fixture, 7)
        .await
        .map_err(broken("lead_is_prolonged"))?;
    a_restarted_one_waits(fixture, 8)
        .await
        .map_err(broken("lead_is_not_that_of_the_process_before"))?;
    one_learns_that_another_has_led(fixture, 9)
        .await
        .map_err(broken("lead_of_another_meanwhile_is_known"))
}

async fn one_leads(fixture: &dyn LeadershipFixture, lead: u32) -> Checked {
    let (a, b) = (
        fixture.replica(lead, 1).await,
        fixture.replica(lead, 2).await,
    );
    ensure!(!a.leads(), "one led before it had asked for it");
    takes(&*a).await?;
    for _ in 0..3 {
        waits(&*b).await?;
        takes(&*a).await?;
    }
    Ok(())
}

async fn it_belongs_to_one_group(fixture: &dyn LeadershipFixture, one: u32, other: u32) -> Checked {
    let (a, b) = (
        fixture.replica(one, 1).await,
        fixture.replica(other, 2).await,
    );
    takes(&*a).await?;
    takes(&*b).await?;
    ensure!(a.leads(), "one that leads another group took the lead");
    Ok(())
}

async fn a_resigned_one_is_free(fixture: &dyn LeadershipFixture, lead: u32) -> Checked {
    let (a, b) = (
        fixture.replica(lead, 1).await,
        fixture.replica(lead, 2).await,
    );
    takes(&*a).await?;
    waits(&*b).await?;
    a.resign().await.map_err(|error| error.report())?;
    ensure!(!a.leads(), "one led on after it had resigned");
    takes(&*b).await?;
    waits(&*a).await
}

async fn only_the_own_is_given_up(fixture: &dyn LeadershipFixture, lead: u32) -> Checked {
    let (a, b) = (
        fixture.replica(lead, 1).await,
        fixture.replica(lead, 2).await,
    );
    takes(&*a).await?;
    waits(&*b).await?;
    b.resign().await.map_err(|error| error.report())?;
    waits(&*b).await?;
    takes(&*a).await
}

async fn it_runs_out(fixture: &dyn LeadershipFixture, lead: u32) -> Checked {
    let (a, b) = (
        fixture.replica(lead, 1).await,
        fixture.replica(lead, 2).await,
    );
    takes(&*a).await?;
    // Where the time counts from when it was seen, this is when.
    waits(&*b).await?;
    fixture.run_out().await;
    ensure!(!a.leads(), "one led on although it had not prolonged");
    takes(&*b).await?;
    waits(&*a).await
}

async fn it_is_prolonged(fixture: &dyn LeadershipFixture, lead: u32) -> Checked {
    let (a, b) = (
        fixture.replica(lead, 1).await,
        fixture.replica(lead, 2).await,
    );
    takes(&*a).await?;
    waits(&*b).await?;
    fixture.run_out().await;
    // It comes first, and has it again.
    takes(&*a).await?;
    waits(&*b).await?;
    ensure!(a.leads(), "the lead was not there any more");
    Ok(())
}

async fn a_restarted_one_waits(fixture: &dyn LeadershipFixture, lead: u32) -> Checked {
    let a = fixture.replica(lead, 1).await;
    takes(&*a).await?;
    let again = fixture.replica(lead, 1).await;
    // The process before it may only be frozen.
    waits(&*again).await?;
    ensure!(a.leads(), "the lead was not there any more");
    Ok(())
}

async fn one_learns_that_another_has_led(fixture: &dyn LeadershipFixture, lead: u32) -> Checked {
    let (a, b) = (
        fixture.replica(lead, 1).await,
        fixture.replica(lead, 2).await,
    );
    takes(&*a).await?;
    waits(&*b).await?;
    fixture.run_out().await;
    takes(&*b).await?;
    b.resign().await.map_err(|error| error.report())?;
    // Else it would go on from what it remembers of before.
    waits(&*a).await?;
    takes(&*a).await
}

async fn takes(replica: &dyn Leadership) -> Checked {
    let taken = replica.campaign().await.map_err(|error| error.report())?;
    ensure!(
        taken && replica.leads(),
        "one that should lead does not: the campaign said {taken}, and then {}",
        replica.leads()
    );
    Ok(())
}

async fn waits(replica: &dyn Leadership) -> Checked {
    let taken = replica.campaign().await.map_err(|error| error.report())?;
    ensure!(
        !taken && !replica.leads(),
        "one that should wait leads: the campaign said {taken}, and then {}",
        replica.leads()
    );
    Ok(())
}
