//! A group in memory, with the semantics of EC2 Auto Scaling, and the metrics and alarms of CloudWatch, on virtual time.
//!
//! [`SimGroup`] is a public implementation of [`GroupListing`] and [`GroupControl`], and of the agent's ports for each of its
//! instances ([`SimGroup::member`]): to try a policy without a cloud, to drive a simulation, to test what embeds the controller or
//! the agent. [`SimMetrics`] is the idle signal that agents publish and read; a [`SimAlarm`] on it and a [`SimStepPolicy`] grow
//! the group. Nothing in it reads a clock or waits: time goes on only when `advance` is called, and all chance comes from the
//! seed.
//!
//! What the group does as Auto Scaling does:
//! - a launched instance is pending for a while, then in service, and protected from then on if the group is set so;
//! - the desired capacity is refused outside the bounds; raising it launches, in the zone with fewest instances; lowering it ends
//!   instances that are not protected, in the zone with most of them, the oldest first;
//! - where all are protected, a lowered capacity ends nothing, and *the first that loses its protection goes at once*;
//! - an instance ended by its id goes even if it is protected; with decrement the desired capacity falls by one, which is refused
//!   at the minimum size; without, a replacement is launched;
//! - what is on its way out stays listed for a while;
//! - a *lifecycle hook* holds what it launches (`Pending:Wait`) or ends (`Terminating:Wait`), for its heartbeat timeout, again for as
//!   long after each heartbeat, and at most a hundred timeouts or 48 hours; then its default result is taken;
//! - an abandoned launch is ended and replaced; an abandoned termination ends like a completed one, unless the *instance lifecycle
//!   policy* retains it: then it stays as `Terminating:Retained`, outside the desired capacity, until it is ended by its id;
//! - deleting a hook abandons what launches and *lets end what it held*;
//! - the metadata of an instance shows the target of its transition, nothing before the first;
//! - a launch that fails is tried again later; the desired capacity stays; where a zone has no capacity, another one is taken.
//!
//! Where Auto Scaling's documents are silent it does what is harder for a scaler: a pending instance is never chosen when the
//! capacity is lowered, so that one in service goes in its place; an instance whose launch was abandoned goes without the
//! terminating hook; a hook that is changed leaves alone what waits. A machine's end behind the group's back is noticed after a
//! delay, and replaced; there is nothing to retain of it. There is one hook per transition at most, no warm pool and no
//! rebalancing of zones.
//!
//! Sources: [scale-in protection](https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-protection.html),
//! [termination policies](https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html),
//! [`TerminateInstanceInAutoScalingGroup`](https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html),
//! [lifecycle hooks](https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html),
//! [`DeleteLifecycleHook`](https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteLifecycleHook.html),
//! [instance lifecycle policy](https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-lifecycle-policy.html),
//! [target lifecycle state](https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html).

mod alarm;
mod config;
pub(crate) mod draws;
mod event;
mod hook;
mod member;
mod metrics;
mod scaling;
mod state;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    InstanceId, OutOfRange, Timestamp,
    agent::port::{HookResult, Notices, Transition},
    port::{Decrement, GroupControl, GroupListing, Listing, PortError, PortErrorKind},
};
use state::{State, member::Member};

pub use alarm::{AlarmState, SimAlarm, TreatMissingData};
pub use config::SimGroupConfig;
pub use event::{HookEnd, SimEvent, SimEventKind, TerminationCause};
pub use hook::SimHook;
pub use member::SimMember;
pub use metrics::{SimMetrics, SimStatistics};
pub use scaling::{Aggregation, SimStepPolicy};

/// An Auto Scaling group in memory. See the [module](self) for what it does.
///
/// It is shared by reference or `Arc`: all methods take `&self`. Its calls never wait.
///
/// ```
/// use jibri_scaler_core::{Lifecycle, Timestamp, sim::{SimGroup, SimGroupConfig}};
///
/// let start: Timestamp = "2026-11-22T08:00:00Z".parse()?;
/// let group = SimGroup::new(SimGroupConfig::new(1, 4, 2)?.with_seed(7), start);
/// assert!(group.current().instances.iter().all(|i| i.lifecycle == Lifecycle::Pending));
///
/// // A driver jumps from event to event.
/// while let Some(next) = group.next_event() {
///     for event in group.advance(next) {
///         println!("{event:?}");
///     }
/// }
/// assert!(group.current().instances.iter().all(|i| i.lifecycle == Lifecycle::InService));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SimGroup {
    shared: Mutex<Shared>,
}

/// The operations of the ports that a simulated group implements, to say which of them is to fail.
///
/// ```
/// use jibri_scaler_core::{
///     Timestamp, port::PortErrorKind,
///     sim::{SimGroup, SimGroupConfig, SimOperation},
/// };
///
/// let group = SimGroup::new(SimGroupConfig::new(1, 4, 2)?, Timestamp::from_secs(0));
/// group.fail_next(SimOperation::List, PortErrorKind::Throttled);
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SimOperation {
    /// [`GroupControl::complete_termination`], and [`OwnInstance::complete`](crate::agent::port::OwnInstance::complete).
    Complete,
    /// [`OwnInstance::heartbeat`](crate::agent::port::OwnInstance::heartbeat).
    Heartbeat,
    /// [`GroupListing::list`].
    List,
    /// [`OwnInstance::look`](crate::agent::port::OwnInstance::look).
    Look,
    /// All of [`InstanceMetadata`](crate::agent::port::InstanceMetadata).
    Metadata,
    /// [`GroupControl::protect`], and [`OwnInstance::set_protection`](crate::agent::port::OwnInstance::set_protection).
    Protect,
    /// [`GroupControl::set_capacity`].
    SetCapacity,
    /// [`GroupControl::terminate`], and [`OwnInstance::terminate`](crate::agent::port::OwnInstance::terminate).
    Terminate,
}

impl SimGroup {
    /// A group that exists from this time on.
    #[must_use]
    pub fn new(config: SimGroupConfig, start: Timestamp) -> Self {
        Self {
            shared: Mutex::new(Shared {
                state: State::new(config, start),
                faults: VecDeque::new(),
            }),
        }
    }

    /// The time of the group.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.lock().state.now()
    }

    /// When something next happens by itself: a launch or a termination ends, a launch is tried again, the end of a machine is
    /// noticed. `None` where nothing will.
    #[must_use]
    pub fn next_event(&self) -> Option<Timestamp> {
        self.lock().state.next_event()
    }

    /// Lets time go on until `now`, and returns what has happened since the last call, in order, the consequences of acts
    /// included. Time never goes back: an earlier `now` changes nothing.
    pub fn advance(&self, now: Timestamp) -> Vec<SimEvent> {
        self.lock().state.advance(now)
    }

    /// The group as it truly is now: without the lag of a listing, and never an error.
    #[must_use]
    pub fn current(&self) -> Listing {
        self.lock().state.current()
    }

    /// Sets or takes away the protection of these instances. As in Auto Scaling only one in service or in standby can have it;
    /// others are passed over. One that loses it while the group is larger than desired goes at once.
    pub fn set_protection(&self, ids: &[InstanceId], protected: bool) {
        self.lock().state.set_protection(ids, protected);
    }

    /// An operator changes the bounds. The desired capacity is brought inside them.
    ///
    /// # Errors
    /// Where `min_size` is above `max_size`; nothing is changed then.
    pub fn set_bounds(&self, min_size: u32, max_size: u32) -> Result<(), OutOfRange> {
        self.lock().state.set_bounds(min_size, max_size)
    }

    /// One of its instances, as the agent on it sees itself: its own instance and its metadata.
    #[must_use]
    pub fn member(self: &Arc<Self>, id: &InstanceId) -> SimMember {
        SimMember::new(Arc::clone(self), id.clone())
    }

    /// Whether the machine of this instance runs: from its launch until the group ends it, or it is
    /// [lost](Self::lose_machine). While a hook holds it or it is retained, it runs.
    #[must_use]
    pub fn is_running(&self, id: &InstanceId) -> bool {
        let shared = self.lock();
        shared.state.member(id).is_some_and(Member::is_running)
    }

    /// An operator sets the lifecycle hook of its transition, in place of the one before. What waits already goes on waiting as it
    /// began.
    pub fn put_hook(&self, hook: SimHook) {
        self.lock().state.put_hook(hook);
    }

    /// An operator deletes the lifecycle hook of this transition. What waits for it is ended: launches are abandoned, *terminations
    /// go on*.
    pub fn delete_hook(&self, transition: Transition) {
        self.lock().state.delete_hook(transition);
    }

    /// An operator sets whether abandoned terminations are retained from now on.
    pub fn set_retention(&self, retains: bool) {
        self.lock().state.set_retention(retains);
    }

    /// An operator tags the group, as with [`SHRINK_TAG`](crate::native::SHRINK_TAG).
    pub fn set_tag(&self, key: &str, value: &str) {
        self.lock().state.set_tag(key, value);
    }

    /// The host announces the end of this instance in its metadata. Nothing follows by itself: a machine that is taken back is
    /// [lost](Self::lose_machine). Returns whether there is such an instance.
    pub fn announce(&self, id: &InstanceId, notices: Notices) -> bool {
        self.lock().state.announce(id, notices)
    }

    /// A step policy is invoked by its alarm, which has that threshold and saw these values. Returns the desired capacity where it
    /// was raised.
    ///
    /// The step is added to the instances that are warm. Those that are launched or warm up are part of the desired capacity
    /// already, so that a step that is repeated adds nothing, and a larger one only the difference. At most the maximum size is
    /// reached.
    pub fn scale_out(&self, policy: &SimStepPolicy, values: &[f64], threshold: f64) -> Option<u32> {
        let by = policy.adjustment(values, threshold);
        self.lock().state.scale_out(by, policy.warm_up())
    }

    /// The machine of an instance ends behind the group's back, as when an operator ends it in EC2. The group goes on listing it
    /// until it notices, then replaces it. Returns whether there was
    /// such an instance whose machine was not on its way out.
    pub fn lose_machine(&self, id: &InstanceId) -> bool {
        self.lock().state.lose_machine(id)
    }

    /// An operator puts an instance into standby, which takes it out of the group's capacity; without decrement it is replaced.
    ///
    /// # Errors
    /// [`Permanent`](PortErrorKind::Permanent) where it is not in service, or a decrement would go below the minimum size.
    pub fn enter_standby(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
        self.lock().act(
            || format!("put instance `{id}` into standby"),
            |state| state.enter_standby(id, decrement),
        )
    }

    /// An operator returns an instance from standby, which raises the desired capacity by one. It is in service at once.
    ///
    /// # Errors
    /// [`Permanent`](PortErrorKind::Permanent) where it is not in standby, or the desired capacity would exceed the maximum size.
    pub fn exit_standby(&self, id: &InstanceId) -> Result<(), PortError> {
        self.lock().act(
            || format!("return instance `{id}` from standby"),
            |state| state.exit_standby(id),
        )
    }

    /// An operator deletes the group with all its instances. From then on every port call that names the group is a
    /// [`Permanent`](PortErrorKind::Permanent) error.
    pub fn delete(&self) {
        self.lock().state.delete();
    }

    /// Lets the next call of this operation fail with nothing done. Repeated, the calls after it fail too, in this order.
    pub fn fail_next(&self, operation: SimOperation, kind: PortErrorKind) {
        self.lock()
            .faults
            .push_back((operation, Fault::Fails(kind)));
    }

    /// Lets the next call of this operation be done and its answer be lost: a [`Transient`](PortErrorKind::Transient) error,
    /// although it happened. Queued with [`fail_next`](Self::fail_next).
    pub fn lose_next_answer(&self, operation: SimOperation) {
        self.lock().faults.push_back((operation, Fault::AnswerLost));
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // What a panicking thread left is whole: the state changes in calls that do not panic.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl GroupListing for SimGroup {
    async fn list(&self) -> Result<Listing, PortError> {
        self.lock().call(
            SimOperation::List,
            |name| format!("list group `{name}`"),
            |state| Ok(state.listed()),
        )
    }
}

#[async_trait]
impl GroupControl for SimGroup {
    async fn protect(&self, ids: &[InstanceId]) -> Result<(), PortError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.lock().call(
            SimOperation::Protect,
            |name| format!("protect {} instances of group `{name}`", ids.len()),
            |state| {
                state.set_protection(ids, true);
                Ok(())
            },
        )
    }

    async fn set_capacity(&self, desired: u32) -> Result<(), PortError> {
        self.lock().call(
            SimOperation::SetCapacity,
            |name| format!("set the desired capacity of group `{name}` to {desired}"),
            |state| state.set_capacity(desired),
        )
    }

    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
        self.lock().call(
            SimOperation::Terminate,
            |name| format!("terminate instance `{id}` of group `{name}`"),
            |state| state.terminate(id, decrement),
        )
    }

    async fn complete_termination(&self, id: &InstanceId) -> Result<(), PortError> {
        self.lock().call(
            SimOperation::Complete,
            |name| format!("let instance `{id}` of group `{name}` go"),
            |state| {
                state.complete(id, Transition::Terminating, HookResult::Continue);
                Ok(())
            },
        )
    }
}

#[derive(Debug)]
struct Shared {
    state: State,
    faults: VecDeque<(SimOperation, Fault)>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Fails(PortErrorKind),
    AnswerLost,
}

impl Shared {
    /// One call of a port, which may be set to fail.
    fn call<T>(
        &mut self,
        operation: SimOperation,
        doing: impl Fn(&str) -> String,
        act: impl FnOnce(&mut State) -> Result<T, String>,
    ) -> Result<T, PortError> {
        let doing = doing(self.state.name());
        let queued = self.faults.iter().position(|(of, _)| *of == operation);
        let fault = queued.and_then(|index| self.faults.remove(index));
        if let Some((_, Fault::Fails(kind))) = fault {
            return Err(PortError::new(kind, doing).with_source("it was set to fail"));
        }
        // A termination names the instance only, and an instance that is not there is no error.
        if !self.state.exists() && operation != SimOperation::Terminate {
            let why = format!("AutoScalingGroup name not found - {}", self.state.name());
            return Err(PortError::new(PortErrorKind::Permanent, doing).with_source(why));
        }
        let outcome = self.act(|| doing.clone(), act)?;
        match fault {
            Some(_) => Err(PortError::new(PortErrorKind::Transient, doing)
                .with_source("its answer was set to be lost")),
            None => Ok(outcome),
        }
    }

    fn act<T>(
        &mut self,
        doing: impl FnOnce() -> String,
        act: impl FnOnce(&mut State) -> Result<T, String>,
    ) -> Result<T, PortError> {
        act(&mut self.state)
            .map_err(|why| PortError::new(PortErrorKind::Permanent, doing()).with_source(why))
    }
}

#[cfg(test)]
mod tests;
