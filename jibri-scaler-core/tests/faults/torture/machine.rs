//! What an agent has on its machine, and how it reaches its group.

use std::{future::pending, sync::Arc, time::Duration};

use async_trait::async_trait;
use jibri_scaler_core::{
    InstanceId, Timestamp,
    agent::port::{
        CheckResult, DrainPoint, HookResult, IdleSignal, InstanceMetadata, JibriService, Latch,
        LatchStore, Notices, OwnInstance, OwnState, ServiceState, SignalPoint, SignalSum,
        TargetState, Transition,
    },
    port::{
        Decrement, DrainClient, GroupListing, HealthProbe, Listing, PortError, PortErrorKind,
        Presence, ProbeOutcome, Target, Told,
    },
    sim::{SimGroup, SimMember},
};

use super::{
    fleet::{Fleet, Inner},
    jibri::Jibri,
    kind::Kind,
    secs,
    world::at_once,
};

/// What an agent calls.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Of {
    /// Its supervisor, which answers at once and never fails.
    Supervisor,
    /// Its own Jibri, over HTTP.
    Jibri,
    Latch,
    Check,
    Metadata,
    Heartbeat,
    Aws,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Done,
    /// Nothing is done.
    Fails(PortErrorKind),
    /// It is done, and nobody hears of it.
    Unanswered,
    /// It is done, and answered then.
    AnsweredAt(Timestamp),
    /// The agent is killed meanwhile, before it is done or after.
    Killed {
        done: bool,
    },
}

impl Inner {
    /// The agent of this instance is killed after so many calls more.
    pub(crate) fn kill_agent(&mut self, id: &InstanceId, after: u32) {
        if let Some(place) = self.places.get_mut(id) {
            place.agent_dies_after = Some(after);
        }
    }

    fn fate(&mut self, id: &InstanceId, of: Of) -> Fate {
        let now = self.now;
        let done = self.chance.below(2) == 0;
        let wait = secs(5 + self.chance.below(116));
        let Some(place) = self.places.get_mut(id) else {
            return Fate::Killed { done: false };
        };
        if let Some(left) = &mut place.agent_dies_after {
            let Some(fewer) = left.checked_sub(1) else {
                place.agent_is_dead = true;
                return Fate::Killed { done };
            };
            *left = fewer;
        }
        let transient = Fate::Fails(PortErrorKind::Transient);
        match of {
            Of::Jibri if self.occurs(Kind::LocalFails, 4) => {
                return if done { Fate::Unanswered } else { transient };
            }
            Of::Latch if self.occurs(Kind::LatchFails, 2) => {
                return if done { Fate::Unanswered } else { transient };
            }
            Of::Check if self.occurs(Kind::ChecksHang, 2) => return transient,
            Of::Metadata if self.occurs(Kind::NoMetadata, 6) => {
                return Fate::AnsweredAt(now + wait);
            }
            // It is absent, as on a host without it.
            Of::Metadata if self.wrong.contains(&Kind::NoMetadata) => return transient,
            Of::Heartbeat if self.occurs(Kind::NoHeartbeat, 1) => return transient,
            Of::Heartbeat | Of::Aws if self.occurs(Kind::AgentsUnanswered, 3) => {
                return Fate::Unanswered;
            }
            Of::Heartbeat | Of::Aws if self.occurs(Kind::AgentsFail, 2) => {
                return Fate::Fails(if done {
                    PortErrorKind::Throttled
                } else {
                    PortErrorKind::Transient
                });
            }
            Of::Check | Of::Heartbeat | Of::Aws if self.occurs(Kind::AgentsWait, 2) => {
                return Fate::AnsweredAt(now + wait);
            }
            _ => {}
        }
        Fate::Done
    }
}

/// One machine, for its agent.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    id: InstanceId,
    fleet: Arc<Fleet>,
    group: Arc<SimGroup>,
    member: SimMember,
}

impl Machine {
    pub(crate) fn new(id: &InstanceId, fleet: &Arc<Fleet>, group: &Arc<SimGroup>) -> Self {
        Self {
            id: id.clone(),
            fleet: Arc::clone(fleet),
            group: Arc::clone(group),
            member: group.member(id),
        }
    }

    async fn call<T: Send>(
        &self,
        of: Of,
        act: impl FnOnce() -> Result<T, PortError> + Send,
    ) -> Result<T, PortError> {
        let fate = self.fleet.lock().fate(&self.id, of);
        let failed = |kind| Err(PortError::new(kind, format!("{of:?}")));
        match fate {
            Fate::Done => act(),
            Fate::Fails(kind) => failed(kind),
            Fate::Unanswered => {
                let _ = act();
                failed(PortErrorKind::Transient)
            }
            Fate::AnsweredAt(at) => {
                let done = act();
                self.fleet.until(at).await;
                done
            }
            Fate::Killed { done } => {
                if done {
                    let _ = act();
                }
                pending().await
            }
        }
    }

    /// A call to what is on the machine.
    async fn here<T: Send>(
        &self,
        of: Of,
        act: impl FnOnce(&mut Jibri, Timestamp) -> T + Send,
    ) -> Result<T, PortError> {
        self.call(of, || {
            let done = self.fleet.lock().with(&self.id, act);
            done.ok_or_else(|| PortError::new(PortErrorKind::Permanent, "reach a machine"))
        })
        .await
    }
}

#[async_trait]
impl HealthProbe for Machine {
    async fn probe(&self, _: &Target) -> ProbeOutcome {
        let read = self
            .here(Of::Jibri, |jibri, now| {
                jibri.is_up(now).then(|| jibri.status(now))
            })
            .await;
        match read {
            Ok(Some(status)) => {
                self.fleet.lock().report(&self.id, &status);
                ProbeOutcome::Answered(status)
            }
            Ok(None) => ProbeOutcome::Refused,
            Err(_) => ProbeOutcome::TimedOut,
        }
    }
}

#[async_trait]
impl DrainClient for Machine {
    async fn is_reachable(&self, _: &Target) -> bool {
        true
    }

    async fn tell(&self, _: &Target) -> Told {
        let told = self.here(Of::Jibri, Jibri::tell).await;
        told.unwrap_or(Told::Unknown)
    }

    async fn look(&self, _: &Target) -> Presence {
        Presence::Unclear
    }
}

#[async_trait]
impl JibriService for Machine {
    async fn states(&self) -> Vec<ServiceState> {
        let state = self.here(Of::Supervisor, |jibri, _| jibri.process()).await;
        vec![state.unwrap_or(ServiceState::Unknown)]
    }

    async fn start(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn stop_now(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn release_check(&self) -> CheckResult {
        let check = self.here(Of::Check, |jibri, _| jibri.check_release()).await;
        check.unwrap_or_else(|_| CheckResult::Inconclusive("it hangs".into()))
    }

    async fn self_check(&self) -> CheckResult {
        CheckResult::Passed
    }
}

#[async_trait]
impl LatchStore for Machine {
    async fn load(&self) -> Result<Option<Latch>, PortError> {
        self.here(Of::Latch, |jibri, _| jibri.latch.clone()).await
    }

    async fn set(&self, latch: &Latch) -> Result<(), PortError> {
        self.here(Of::Latch, |jibri, _| jibri.latch = Some(latch.clone()))
            .await
    }

    async fn clear(&self) -> Result<(), PortError> {
        self.here(Of::Latch, |jibri, _| jibri.latch = None).await
    }
}

#[async_trait]
impl InstanceMetadata for Machine {
    async fn target_state(&self) -> Result<Option<TargetState>, PortError> {
        let read = || at_once(self.member.target_state());
        self.call(Of::Metadata, read).await
    }

    async fn notices(&self) -> Result<Notices, PortError> {
        let read = || at_once(self.member.notices());
        self.call(Of::Metadata, read).await
    }
}

#[async_trait]
impl OwnInstance for Machine {
    async fn look(&self) -> Result<Option<OwnState>, PortError> {
        self.call(Of::Aws, || at_once(self.member.look())).await
    }

    async fn set_protection(&self, protected: bool) -> Result<(), PortError> {
        let set = || at_once(self.member.set_protection(protected));
        self.call(Of::Aws, set).await
    }

    async fn heartbeat(&self, hook: Transition) -> Result<bool, PortError> {
        let beat = || at_once(self.member.heartbeat(hook));
        self.call(Of::Heartbeat, beat).await
    }

    async fn complete(&self, hook: Transition, result: HookResult) -> Result<bool, PortError> {
        let complete = || at_once(self.member.complete(hook, result));
        self.call(Of::Aws, complete).await
    }

    async fn terminate(&self, decrement: Decrement) -> Result<(), PortError> {
        let terminate = || at_once(self.member.terminate(decrement));
        self.call(Of::Aws, terminate).await
    }
}

/// Nobody reads it: a controller decides.
#[async_trait]
impl IdleSignal for Machine {
    async fn publish(&self, _: &[SignalPoint]) -> Result<(), PortError> {
        Ok(())
    }

    async fn publish_drain(&self, _: DrainPoint) -> Result<(), PortError> {
        Ok(())
    }

    async fn sums(
        &self,
        _: Timestamp,
        _: Timestamp,
        _: Duration,
    ) -> Result<Vec<SignalSum>, PortError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl GroupListing for Machine {
    async fn list(&self) -> Result<Listing, PortError> {
        self.call(Of::Aws, || at_once(self.group.list())).await
    }
}
