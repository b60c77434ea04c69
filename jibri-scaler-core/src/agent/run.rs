//! The loop that drives an agent over the ports.

use std::{fmt, future::poll_fn, pin::pin, task::Poll};

use async_trait::async_trait;
use futures_core::{Stream, future::BoxFuture};
use futures_util::{FutureExt as _, StreamExt as _, future::join_all, stream::FuturesUnordered};

use crate::{
    Finding, InstanceId, Timestamp,
    agent::{
        Act, ActKind, Agent, AgentConfig, Input, Output,
        port::{
            IdleSignal, InstanceMetadata, JibriService, LatchStore, OwnInstance, SavedState,
            StateStore,
        },
    },
    port::{DrainClient, GroupListing, HealthProbe, PortError, PortErrorKind, Target},
};

/// So many hints are taken between two ticks, so that a flood of them does not hold up the clock.
const HINTS: u32 = 10;

/// The ports of the agent that reach no further than its machine.
///
/// ```
/// use jibri_scaler_core::{
///     agent::{LocalPorts, port::{JibriService, LatchStore}},
///     port::{DrainClient, HealthProbe},
/// };
///
/// fn of_this_machine(
///     http: impl HealthProbe + 'static, drain: impl DrainClient + 'static,
///     systemd: impl JibriService + 'static, file: impl LatchStore + 'static,
/// ) -> LocalPorts {
///     LocalPorts::new(http, drain, systemd, file)
/// }
/// ```
pub struct LocalPorts {
    health: Box<dyn HealthProbe>,
    drain: Box<dyn DrainClient>,
    service: Box<dyn JibriService>,
    latch: Box<dyn LatchStore>,
    state: Box<dyn StateStore>,
}

impl LocalPorts {
    /// These ports.
    pub fn new(
        health: impl HealthProbe + 'static,
        drain: impl DrainClient + 'static,
        service: impl JibriService + 'static,
        latch: impl LatchStore + 'static,
    ) -> Self {
        Self {
            health: Box::new(health),
            drain: Box::new(drain),
            service: Box::new(service),
            latch: Box::new(latch),
            state: Box::new(Forgetful),
        }
    }

    /// The same with what is known over a restart of the agent beside the latch. Without it, how long a Jibri is busy is reckoned from
    /// the start of the agent.
    #[must_use]
    pub fn with_state(mut self, state: impl StateStore + 'static) -> Self {
        self.state = Box::new(state);
        self
    }
}

impl fmt::Debug for LocalPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalPorts").finish_non_exhaustive()
    }
}

/// Keeps nothing.
struct Forgetful;

#[async_trait]
impl StateStore for Forgetful {
    async fn load(&self) -> Result<Option<SavedState>, PortError> {
        Ok(None)
    }

    async fn save(&self, _: &SavedState) -> Result<(), PortError> {
        Ok(())
    }
}

/// The ports of the agent that reach its group.
///
/// ```
/// use jibri_scaler_core::{
///     agent::{GroupPorts, port::{IdleSignal, InstanceMetadata, OwnInstance}},
///     port::GroupListing,
/// };
///
/// fn of_the_group(
///     imds: impl InstanceMetadata + 'static, own: impl OwnInstance + 'static,
///     cloudwatch: impl IdleSignal + 'static, group: impl GroupListing + 'static,
/// ) -> GroupPorts {
///     GroupPorts::new(imds, own, cloudwatch, group)
/// }
/// ```
pub struct GroupPorts {
    metadata: Box<dyn InstanceMetadata>,
    instance: Box<dyn OwnInstance>,
    signal: Box<dyn IdleSignal>,
    listing: Box<dyn GroupListing>,
}

impl GroupPorts {
    /// These ports.
    pub fn new(
        metadata: impl InstanceMetadata + 'static,
        instance: impl OwnInstance + 'static,
        signal: impl IdleSignal + 'static,
        listing: impl GroupListing + 'static,
    ) -> Self {
        Self {
            metadata: Box::new(metadata),
            instance: Box::new(instance),
            signal: Box::new(signal),
            listing: Box::new(listing),
        }
    }
}

impl fmt::Debug for GroupPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupPorts").finish_non_exhaustive()
    }
}

/// What an agent has to tell, to be logged and counted.
///
/// `Display` prints a line for people.
///
/// ```
/// use jibri_scaler_core::{Finding, Severity, agent::AgentEvent};
///
/// let event = AgentEvent::Found(Finding::new(Severity::Info, "the clock stepped back", "nothing, if it was once"));
/// assert!(event.to_string().starts_with("info: the clock stepped back"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum AgentEvent {
    /// An act that changes something was begun.
    Begun(Act),
    /// An act failed; what the agent does about it is its own business.
    Failed(ActKind, PortError),
    /// Something that somebody should know.
    Found(Finding),
}

impl fmt::Display for AgentEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun(act) => write!(f, "begins to {}", act.kind()),
            Self::Failed(kind, error) => write!(f, "failed to {kind}: {}", error.report()),
            Self::Found(finding) => finding.fmt(f),
        }
    }
}

/// Why an agent's loop has ended.
///
/// ```
/// use jibri_scaler_core::agent::Ending;
///
/// assert_ne!(Ending::Stopped, Ending::InstanceEnded);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// The ticks have ended: it was told to stop.
    Stopped,
    /// The instance has been given back, and is about to end.
    InstanceEnded,
}

/// Drives an [`Agent`] over the ports.
///
/// It holds no clock, no timer and no task. Every act runs beside the others, so that a slow one delays nothing else, and at most
/// one of each kind is under way.
///
/// ```no_run
/// use futures_util::{Stream, stream};
/// use jibri_scaler_core::{
///     InstanceId, Timestamp,
///     agent::{AgentConfig, AgentLoop, Ending, GroupPorts, LocalPorts},
/// };
///
/// # async fn example(local: LocalPorts, group: GroupPorts, every_second: impl Stream<Item = Timestamp> + Send) {
/// let id: InstanceId = "i-0abc".parse().expect("not empty");
/// let ending = AgentLoop::new(AgentConfig::default(), id, local, group)
///     .run(every_second, stream::pending(), |event| println!("{event}"))
///     .await;
/// assert_eq!(ending, Ending::InstanceEnded);
/// # }
/// ```
#[derive(Debug)]
pub struct AgentLoop {
    config: AgentConfig,
    id: InstanceId,
    targets: Vec<Target>,
    local: LocalPorts,
    group: GroupPorts,
}

impl AgentLoop {
    /// The loop of the agent on this instance, for one Jibri, whose [`Target`] is the instance itself.
    #[must_use]
    pub fn new(config: AgentConfig, id: InstanceId, local: LocalPorts, group: GroupPorts) -> Self {
        Self {
            targets: vec![Target::new(id.clone())],
            config,
            id,
            local,
            group,
        }
    }

    /// The same for these Jibris of this machine: busy while any is, and gone when all are.
    #[must_use]
    pub fn with_targets(mut self, targets: Vec<Target>) -> Self {
        self.targets = targets;
        self
    }

    /// Runs until the instance has been given back, or the ticks end.
    ///
    /// `ticks` is the clock: about one a second. Each item of `hints` makes the agent read the health at once; it may be
    /// [`pending`](futures_util::stream::pending), and it may end. What there is to tell is handed to `tell`.
    ///
    /// Cancellation: when it is dropped, or the ticks end, what is under way is dropped and may or may not have acted. An agent that
    /// is started again goes on from the latch.
    pub async fn run(
        &self,
        ticks: impl Stream<Item = Timestamp> + Send,
        hints: impl Stream<Item = ()> + Send,
        mut tell: impl FnMut(AgentEvent) + Send,
    ) -> Ending {
        let (mut ticks, mut hints) = (pin!(ticks.fuse()), pin!(hints.fuse()));
        let Some(mut now) = ticks.next().await else {
            return Ending::Stopped;
        };
        let mut agent = Agent::new(self.config.clone(), self.id.clone(), now);
        let mut under_way = FuturesUnordered::new();
        let mut input = Input::Tick;
        let mut hints_left = HINTS;
        loop {
            for output in agent.step(now, input) {
                match output {
                    Output::Do(act) => {
                        if act.kind().changes_something() {
                            tell(AgentEvent::Begun(act.clone()));
                        }
                        under_way.push(self.begin(act));
                    }
                    Output::Found(finding) => tell(AgentEvent::Found(finding)),
                    Output::Finished => return Ending::InstanceEnded,
                }
            }
            let next = poll_fn(|context| {
                if let Poll::Ready(Some(done)) = under_way.poll_next_unpin(context) {
                    return Poll::Ready(Next::Done(done));
                }
                if hints_left > 0 && hints.as_mut().poll_next(context) == Poll::Ready(Some(())) {
                    return Poll::Ready(Next::Hint);
                }
                ticks
                    .as_mut()
                    .poll_next(context)
                    .map(|tick| tick.map_or(Next::Stop, Next::Tick))
            })
            .await;
            input = match next {
                Next::Tick(time) => {
                    now = time;
                    hints_left = HINTS;
                    Input::Tick
                }
                Next::Hint => {
                    hints_left -= 1;
                    Input::Hint
                }
                Next::Done((done, None)) => done,
                Next::Done((done, Some(error))) => {
                    if let Some(kind) = done.answers() {
                        tell(AgentEvent::Failed(kind, error));
                    }
                    done
                }
                Next::Stop => return Ending::Stopped,
            };
        }
    }

    /// Begins an act: what comes of it, and the error for people.
    fn begin(&self, act: Act) -> BoxFuture<'_, (Input, Option<PortError>)> {
        let (local, group) = (&self.local, &self.group);
        match act {
            Act::ReadHealth => async {
                let probes = self.targets.iter().map(|target| local.health.probe(target));
                (Input::Health(join_all(probes).await), None)
            }
            .boxed(),
            Act::Tell => async {
                let told = join_all(self.targets.iter().map(|target| local.drain.tell(target)));
                (Input::Told(told.await), None)
            }
            .boxed(),
            Act::ReadService => {
                async { (Input::Service(local.service.states().await), None) }.boxed()
            }
            Act::CheckRelease => async {
                (
                    Input::ReleaseChecked(local.service.release_check().await),
                    None,
                )
            }
            .boxed(),
            Act::CheckSelf => {
                async { (Input::SelfChecked(local.service.self_check().await), None) }.boxed()
            }
            Act::StartService => {
                async { outcome(local.service.start().await, Input::Started) }.boxed()
            }
            Act::StopNow => {
                async { outcome(local.service.stop_now().await, Input::Stopped) }.boxed()
            }
            Act::LoadLatch => {
                async { outcome(local.latch.load().await, Input::LatchLoaded) }.boxed()
            }
            Act::SetLatch(latch) => {
                async move { outcome(local.latch.set(&latch).await, Input::LatchSet) }.boxed()
            }
            Act::ClearLatch => {
                async { outcome(local.latch.clear().await, Input::LatchCleared) }.boxed()
            }
            Act::LoadState => {
                async { outcome(local.state.load().await, Input::StateLoaded) }.boxed()
            }
            Act::SaveState(state) => {
                async move { outcome(local.state.save(&state).await, Input::StateSaved) }.boxed()
            }
            Act::ReadTarget => {
                async { outcome(group.metadata.target_state().await, Input::Target) }.boxed()
            }
            Act::ReadNotices => {
                async { outcome(group.metadata.notices().await, Input::Notices) }.boxed()
            }
            Act::Look => async { outcome(group.instance.look().await, Input::Own) }.boxed(),
            Act::SetProtection(on) => async move {
                outcome(
                    group.instance.set_protection(on).await,
                    Input::ProtectionSet,
                )
            }
            .boxed(),
            Act::Heartbeat(hook) => {
                async move { outcome(group.instance.heartbeat(hook).await, Input::Heartbeat) }
                    .boxed()
            }
            Act::Complete(hook, result) => async move {
                outcome(
                    group.instance.complete(hook, result).await,
                    Input::Completed,
                )
            }
            .boxed(),
            Act::End(decrement) => {
                async move { outcome(group.instance.terminate(decrement).await, Input::Ended) }
                    .boxed()
            }
            Act::Publish(points) => {
                async move { outcome(group.signal.publish(&points).await, Input::Published) }
                    .boxed()
            }
            Act::PublishDrain(point) => async move {
                outcome(
                    group.signal.publish_drain(point).await,
                    Input::DrainPublished,
                )
            }
            .boxed(),
            Act::ReadSums { from, to, period } => {
                async move { outcome(group.signal.sums(from, to, period).await, Input::Sums) }
                    .boxed()
            }
            Act::List => async { outcome(group.listing.list().await, Input::Listed) }.boxed(),
        }
    }
}

fn outcome<T>(
    result: Result<T, PortError>,
    input: impl FnOnce(Result<T, PortErrorKind>) -> Input,
) -> (Input, Option<PortError>) {
    match result {
        Ok(value) => (input(Ok(value)), None),
        Err(error) => (input(Err(error.kind())), Some(error)),
    }
}

enum Next {
    Tick(Timestamp),
    Hint,
    Done((Input, Option<PortError>)),
    Stop,
}
