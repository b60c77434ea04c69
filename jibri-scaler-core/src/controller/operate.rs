//! What is changed between two ticks: the policy, and what an operator asks for.

use std::time::Duration;

use super::{Controller, leading::Leading};
use crate::{
    Limits, Memory, OutOfRange, Timestamp,
    operator::{CommandError, OperatorCommand},
    policy::Policy,
    port::PortError,
    time::readable,
};

impl Controller {
    /// Takes in what an operator says, and saves it. The next tick heeds it, and says so in its findings.
    ///
    /// While [`run`](Self::run) has the controller nothing can be said to it: who takes in commands calls [`tick`](Self::tick) in a
    /// loop of its own, and this between two ticks.
    ///
    /// A dry run saves nothing, and forgets what was said when it ends.
    ///
    /// ```no_run
    /// use jibri_scaler_core::{Controller, Timestamp, operator::OperatorCommand};
    ///
    /// # async fn example(controller: &mut Controller, body: &[u8], now: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
    /// let command: OperatorCommand = serde_json::from_slice(body)?;
    /// controller.command(&command, now).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cancellation: a future that is dropped may have taken in the command without having saved it; the next tick saves it.
    ///
    /// # Errors
    /// Where this replica does not [lead](Self::leads), has no tick behind it since it does, or has lost the lead while it saved; where the memory
    /// could not be loaded; where the command can't be taken; and where it could not be saved: it holds then until a restart or until
    /// another memory is loaded, which that of another replica may be, and the next tick tries to save it again.
    pub async fn command(
        &mut self,
        command: &OperatorCommand,
        now: Timestamp,
    ) -> Result<(), OperateError> {
        let result = self.take_in(command, now).await;
        #[cfg(feature = "tracing")]
        crate::trace::command(&self.group, command, &result);
        result
    }

    async fn take_in(
        &mut self,
        command: &OperatorCommand,
        now: Timestamp,
    ) -> Result<(), OperateError> {
        // What it saved would take the place of what the leader remembers, and be forgotten by it; and so would it where this one
        // leads by now, and has not yet taken over what the leader before it has remembered.
        if !self.dry_run && !self.has_taken_over() {
            return Err(OperateError::NotLeading);
        }
        let saved = self.leading.as_ref().is_none_or(Leading::has_saved);
        if !self.dry_run && !saved {
            let caught_up = self.catch_up(now).await;
            caught_up.map_err(OperateError::LoadMemory)?;
            if !self.has_taken_over() {
                return Err(OperateError::NotLeading);
            }
        }
        let loaded = self.load(now).await;
        let mut memory = loaded.map_err(OperateError::LoadMemory)?.clone();
        memory.command(command, now)?;
        let memory = self.memory.insert(memory);
        if self.dry_run {
            return Ok(());
        }
        let saved = self.store.save(memory).await;
        if let Some(leading) = &mut self.leading {
            leading.saves(memory, saved.is_ok());
        }
        // Another replica may have loaded before.
        if !self.has_taken_over() {
            return Err(OperateError::LeadLost);
        }
        saved.map_err(|error| OperateError::SaveMemory(error.in_call("save")))
    }

    /// Decides by another policy and other limits from the next tick on. What is remembered stays: idle times, retirements under way,
    /// what has been learned, and what an operator asked for.
    ///
    /// An observer that goes by the `report_ttl`, as one [with agents](crate::observe::JoinedObserver::with_agents) does, is
    /// [told](crate::observe::FleetObserver::report_ttl_changed) where that is another now.
    ///
    /// # Errors
    /// Where [`report_ttl`](Limits::report_ttl) is less than twice the interval that [`with_interval`](Self::with_interval) was
    /// told. The policy and the limits are then as they were.
    pub fn replace_policy(
        &mut self,
        policy: impl Policy + 'static,
        limits: Limits,
    ) -> Result<(), OutOfRange> {
        if let Some(interval) = self.interval {
            fits(&limits, interval)?;
        }
        if limits.report_ttl() != self.limits.report_ttl() {
            self.observer.report_ttl_changed(limits.report_ttl());
        }
        self.policy = Box::new(policy);
        self.limits = limits;
        #[cfg(feature = "tracing")]
        crate::trace::policy(&self.group);
        Ok(())
    }

    /// The memory, which is loaded once.
    pub(super) async fn load(&mut self, now: Timestamp) -> Result<&Memory, PortError> {
        // It is loaded before it is put in its place, so that a future that is dropped leaves no half of one.
        let memory = if let Some(memory) = self.memory.take() {
            memory
        } else {
            let loaded = self.store.load().await;
            let loaded = loaded.map_err(|error| error.in_call("load"))?;
            let resumed = |memory: Memory| memory.resumed(now, &self.limits);
            loaded.map_or_else(|| Memory::anew(now), resumed)
        };
        Ok(self.memory.insert(memory))
    }
}

/// Whether a report lasts for two ticks.
pub(super) fn fits(limits: &Limits, interval: Duration) -> Result<(), OutOfRange> {
    if limits.report_ttl() >= interval.saturating_mul(2) {
        return Ok(());
    }
    let value = format!(
        "\"{}\" with an interval of {}",
        readable(limits.report_ttl()),
        readable(interval)
    );
    let allowed = "twice the interval–\"1h\"";
    Err(OutOfRange::new("report_ttl", value, allowed))
}

/// What an operator said could not be taken in, or not be saved.
///
/// ```
/// use jibri_scaler_core::{controller::OperateError, operator::CommandError};
///
/// let error = OperateError::from(CommandError::NotKept { id: "i-0abc".parse()? });
/// assert_eq!(error.to_string(), "i-0abc is not kept, so there is nothing to take back");
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperateError {
    /// The memory could not be loaded, so nothing was taken in.
    #[error("the memory could not be loaded, so nothing was taken in: try again")]
    LoadMemory(#[source] PortError),
    /// Another replica leads the group, or none does yet, or this one has not yet loaded what the leader before it has remembered.
    #[error(
        "this replica does not lead the group, or only since its last tick, so nothing was taken in: say it to the one that leads, \
         or again after the next tick"
    )]
    NotLeading,
    /// The lead ran out while it was saved.
    #[error(
        "the lead ran out while it was saved, so it may hold or not: look at the findings of the replica that leads, and say it to that \
         one if they do not show it"
    )]
    LeadLost,
    /// The command can't be taken.
    #[error(transparent)]
    Refused(#[from] CommandError),
    /// It was taken in, and could not be saved.
    #[error(
        "it holds here, but could not be saved: a restart forgets it, and so does another replica that takes the lead; say it again after \
         the next tick, unless its findings show it"
    )]
    SaveMemory(#[source] PortError),
}
