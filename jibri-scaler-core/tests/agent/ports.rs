//! The ports of one agent, over the world in memory.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use jibri_scaler_core::{
    Group, Instance, InstanceId, JibriStatus, Lifecycle, Timestamp,
    agent::port::{
        CheckResult, DrainPoint, HookResult, IdleSignal, InstanceMetadata, JibriService, Latch,
        LatchStore, Notices, OwnInstance, OwnState, SavedState, ServiceState, SignalPoint,
        SignalSum, StateStore, TargetState, Transition,
    },
    native::{SHRINK_ENABLED, SHRINK_TAG},
    port::{
        Decrement, DrainClient, GroupListing, HealthProbe, Listing, PortError, PortErrorKind,
        Presence, ProbeOutcome, Target, Told,
    },
};

use crate::world::{Shelf, State};

pub(crate) struct Port {
    shelf: Shelf,
    id: InstanceId,
}

impl Port {
    pub(crate) const fn new(shelf: Shelf, id: InstanceId) -> Self {
        Self { shelf, id }
    }

    /// A call that may fail; where it fails it has not acted.
    async fn call<T>(
        &self,
        name: &'static str,
        detail: &str,
        act: impl FnOnce(&mut State, &InstanceId) -> Result<T, PortErrorKind> + Send,
    ) -> Result<T, PortError> {
        if let Some(kind) = self.shelf.call(&self.id, name, detail).await {
            return Err(PortError::new(kind, name));
        }
        let mut state = self.shelf.0.lock().unwrap();
        act(&mut state, &self.id).map_err(|kind| PortError::new(kind, name))
    }
}

#[async_trait]
impl HealthProbe for Port {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        let is_second = target.id != self.id;
        let answer = |state: &mut State, id: &InstanceId| {
            let now = state.now;
            let member = state.member(id);
            let is_up = member.process == ServiceState::Running;
            let says = match &member.second {
                Some(second) if is_second => second.says(),
                _ => is_up.then(|| member.says(now)),
            };
            Ok(says.map(|(busy, health)| JibriStatus::new(busy.into(), health.into())))
        };
        let name = if is_second { "probe_2" } else { "probe" };
        match self.call(name, "", answer).await {
            Ok(Some(status)) => ProbeOutcome::Answered(status),
            Ok(None) => ProbeOutcome::Refused,
            Err(_) => ProbeOutcome::TimedOut,
        }
    }
}

#[async_trait]
impl DrainClient for Port {
    async fn is_reachable(&self, _: &Target) -> bool {
        true
    }

    async fn tell(&self, target: &Target) -> Told {
        let is_second = target.id != self.id;
        let tell = |state: &mut State, id: &InstanceId| {
            let member = state.member(id);
            Ok(match &mut member.second {
                Some(second) if is_second => second.graceful_shutdown(),
                _ => member.graceful_shutdown(),
            })
        };
        let name = if is_second { "tell_2" } else { "tell" };
        match self.call(name, "", tell).await {
            Ok(true) => Told::Yes,
            Ok(false) => Told::Refused,
            Err(_) => Told::Unknown,
        }
    }

    async fn look(&self, _: &Target) -> Presence {
        Presence::Unclear
    }
}

#[async_trait]
impl JibriService for Port {
    async fn states(&self) -> Vec<ServiceState> {
        let states = |state: &mut State, id: &InstanceId| {
            let member = state.member(id);
            let second = member.second.as_ref().map(|second| second.process);
            Ok(std::iter::once(member.process).chain(second).collect())
        };
        let states = self.call("state", "", states).await;
        states.unwrap_or_default()
    }

    async fn start(&self) -> Result<(), PortError> {
        let start = |state: &mut State, id: &InstanceId| {
            let member = state.member(id);
            assert!(member.latch.is_none(), "the latch keeps it down");
            member.process = ServiceState::Running;
            Ok(())
        };
        self.call("start", "", start).await
    }

    async fn stop_now(&self) -> Result<(), PortError> {
        let stop = |state: &mut State, id: &InstanceId| {
            let member = state.member(id);
            member.told = true;
            member.end_session();
            Ok(())
        };
        self.call("stop", "", stop).await
    }

    async fn release_check(&self) -> CheckResult {
        let check = |state: &mut State, id: &InstanceId| Ok(state.member(id).files_left);
        match self.call("check", "", check).await {
            Ok(false) => CheckResult::Passed,
            Ok(true) => CheckResult::Failed("recordings are left".into()),
            Err(_) => CheckResult::Inconclusive("it hangs".into()),
        }
    }

    async fn self_check(&self) -> CheckResult {
        let check = |state: &mut State, id: &InstanceId| Ok(state.member(id).self_check);
        match self.call("self_check", "", check).await {
            Ok(true) => CheckResult::Passed,
            Ok(false) => CheckResult::Failed("no Chrome".into()),
            Err(_) => CheckResult::Inconclusive("it hangs".into()),
        }
    }
}

#[async_trait]
impl LatchStore for Port {
    async fn load(&self) -> Result<Option<Latch>, PortError> {
        let load = |state: &mut State, id: &InstanceId| Ok(state.member(id).latch.clone());
        self.call("load", "", load).await
    }

    async fn set(&self, latch: &Latch) -> Result<(), PortError> {
        let set = |state: &mut State, id: &InstanceId| {
            state.member(id).latch = Some(latch.clone());
            Ok(())
        };
        self.call("latch", "", set).await
    }

    async fn clear(&self) -> Result<(), PortError> {
        let clear = |state: &mut State, id: &InstanceId| {
            state.member(id).latch = None;
            Ok(())
        };
        self.call("clear", "", clear).await
    }
}

#[async_trait]
impl StateStore for Port {
    async fn load(&self) -> Result<Option<SavedState>, PortError> {
        let load = |state: &mut State, id: &InstanceId| Ok(state.member(id).saved);
        self.call("restore", "", load).await
    }

    async fn save(&self, saved: &SavedState) -> Result<(), PortError> {
        let save = |state: &mut State, id: &InstanceId| {
            state.member(id).saved = Some(*saved);
            Ok(())
        };
        self.call("save", "", save).await
    }
}

#[async_trait]
impl InstanceMetadata for Port {
    async fn target_state(&self) -> Result<Option<TargetState>, PortError> {
        let target = |state: &mut State, id: &InstanceId| state.member(id).target.clone();
        self.call("target", "", target).await
    }

    async fn notices(&self) -> Result<Notices, PortError> {
        let notices = |state: &mut State, id: &InstanceId| Ok(state.member(id).notices);
        self.call("notices", "", notices).await
    }
}

#[async_trait]
impl OwnInstance for Port {
    async fn look(&self) -> Result<Option<OwnState>, PortError> {
        let look = |state: &mut State, id: &InstanceId| {
            let member = state.member(id);
            let is_gone = member.lifecycle == Lifecycle::Terminated;
            Ok((!is_gone).then(|| OwnState::new(member.lifecycle.clone(), member.protected)))
        };
        self.call("look", "", look).await
    }

    async fn set_protection(&self, protected: bool) -> Result<(), PortError> {
        let set = |state: &mut State, id: &InstanceId| {
            let member = state.member(id);
            if member.lifecycle != Lifecycle::InService {
                return Err(PortErrorKind::Permanent);
            }
            member.protected = protected;
            Ok(())
        };
        let detail = if protected { " on" } else { " off" };
        self.call("protect", detail, set).await
    }

    async fn heartbeat(&self, hook: Transition) -> Result<bool, PortError> {
        assert_eq!(hook, Transition::Terminating);
        let beat = |state: &mut State, id: &InstanceId| {
            let (now, timeout) = (state.now, state.hook_timeout);
            let member = state.member(id);
            let waits = member.lifecycle == Lifecycle::TerminatingWait;
            if waits {
                member.hook_until = now + timeout;
                member.heartbeats += 1;
            }
            Ok(waits)
        };
        self.call("heartbeat", "", beat).await
    }

    async fn complete(&self, hook: Transition, result: HookResult) -> Result<bool, PortError> {
        let complete = |state: &mut State, id: &InstanceId| {
            let retention = state.retention;
            let member = state.member(id);
            let next = match (hook, result, &member.lifecycle) {
                (Transition::Launching, HookResult::Continue, Lifecycle::PendingWait) => {
                    Lifecycle::PendingProceed
                }
                (_, _, Lifecycle::WarmedPendingWait) => Lifecycle::WarmedStopped,
                (Transition::Terminating, HookResult::Abandon, Lifecycle::TerminatingWait)
                    if retention =>
                {
                    Lifecycle::TerminatingRetained
                }
                (
                    Transition::Terminating,
                    _,
                    Lifecycle::TerminatingWait | Lifecycle::WarmedTerminatingWait,
                ) => Lifecycle::TerminatingProceed,
                _ => return Ok(false),
            };
            member.lifecycle = next;
            member.completed.push(result);
            Ok(true)
        };
        self.call("complete", &format!(" {hook:?} {result:?}"), complete)
            .await
    }

    async fn terminate(&self, decrement: Decrement) -> Result<(), PortError> {
        let terminate = |state: &mut State, id: &InstanceId| {
            if state.member(id).lifecycle == Lifecycle::TerminatingRetained {
                state.destroy(id);
                return Ok(());
            }
            if decrement == Decrement::Yes {
                if state.desired <= state.min {
                    return Err(PortErrorKind::Permanent);
                }
                if !state.member(id).lifecycle.is_leaving() {
                    state.desired -= 1;
                }
            }
            state.member(id).terminate();
            Ok(())
        };
        self.call("end", &format!(" {decrement:?}"), terminate)
            .await
    }
}

#[async_trait]
impl IdleSignal for Port {
    async fn publish(&self, points: &[SignalPoint]) -> Result<(), PortError> {
        let publish = |state: &mut State, id: &InstanceId| {
            let points = points.iter().map(|point| (id.clone(), *point));
            state.points.extend(points);
            Ok(())
        };
        self.call("publish", "", publish).await
    }

    async fn publish_drain(&self, point: DrainPoint) -> Result<(), PortError> {
        let publish = |state: &mut State, id: &InstanceId| {
            state.drain_points.push((id.clone(), point));
            Ok(())
        };
        self.call("drain_point", "", publish).await
    }

    async fn sums(
        &self,
        from: Timestamp,
        to: Timestamp,
        period: Duration,
    ) -> Result<Vec<SignalSum>, PortError> {
        let sums = |state: &mut State, _: &InstanceId| Ok(sums(&state.points, from, to, period));
        self.call("sums", "", sums).await
    }
}

/// The sums of what was published.
pub(crate) fn sums(
    points: &[(InstanceId, SignalPoint)],
    from: Timestamp,
    to: Timestamp,
    period: Duration,
) -> Vec<SignalSum> {
    let length = i64::try_from(period.as_micros()).unwrap();
    let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (_, point) in points
        .iter()
        .filter(|(_, point)| (from..to).contains(&point.at))
    {
        let sum = sums
            .entry(point.at.as_micros().div_euclid(length))
            .or_default();
        sum.0 += f64::from(u8::from(point.idle));
        sum.1 += 1.0;
    }
    let sum =
        |(slot, (idle, count))| SignalSum::new(Timestamp::from_micros(slot * length), idle, count);
    sums.into_iter().map(sum).collect()
}

#[async_trait]
impl GroupListing for Port {
    async fn list(&self) -> Result<Listing, PortError> {
        let list = |state: &mut State, id: &InstanceId| {
            let current = state
                .members
                .iter()
                .map(|(id, member)| (id.clone(), member.lifecycle.clone(), member.protected));
            let rows = state.members[id].stale_list.clone();
            let rows = rows.unwrap_or_else(|| current.collect());
            let rows = rows
                .into_iter()
                .filter(|row| row.1 != Lifecycle::Terminated);
            let rows = rows.map(|(id, lifecycle, protected)| {
                let mut row = Instance::new(id, lifecycle);
                row.protected = protected;
                row
            });
            let group = Group::new(state.min, 99, state.desired);
            let mut listing = Listing::new(group, rows.collect());
            listing.drains_on_termination = state.hook;
            let timeout = u64::try_from(state.hook_timeout).unwrap();
            listing.hook_timeout = state.hook.then_some(Duration::from_secs(timeout));
            listing.retains_abandoned = state.retention;
            let tag = if state.shrinks { SHRINK_ENABLED } else { "no" };
            listing.tags.insert(SHRINK_TAG.into(), tag.into());
            Ok(listing)
        };
        self.call("list", "", list).await
    }
}
