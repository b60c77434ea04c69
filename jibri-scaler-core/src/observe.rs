//! Observing the group: a listing joined with a probe of each Jibri, or with what the agents report.

mod agents;
mod known;
#[cfg(feature = "__model")]
#[doc(hidden)]
pub mod model;

pub use agents::{AgentReport, AgentReports, NotListed};

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{
    StreamExt as _,
    future::{Either, select},
    stream::FuturesUnordered,
};

use known::{Heard, Known, fill, hear, overhear};

use crate::{
    Finding, FleetSnapshot, InstanceId, Timestamp,
    port::{DrainClient, GroupListing, HealthProbe, Listing, PortError, ProbeOutcome, Target},
};

/// What was observed in one tick.
///
/// ```
/// use jibri_scaler_core::{FleetSnapshot, Group, observe::Observation};
///
/// let observation = Observation::new(FleetSnapshot::new(Group::new(0, 1, 0), vec![]));
/// assert!(observation.failures.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observation {
    /// The group and its instances.
    pub snapshot: FleetSnapshot,
    /// The instances whose health could not be read, and what happened instead.
    pub failures: BTreeMap<InstanceId, ProbeOutcome>,
    /// What the listing lacks although it is complete.
    pub findings: Vec<Finding>,
}

impl Observation {
    /// An observation without failures and findings.
    #[must_use]
    pub const fn new(snapshot: FleetSnapshot) -> Self {
        Self {
            snapshot,
            failures: BTreeMap::new(),
            findings: Vec::new(),
        }
    }
}

/// Observes the whole group once.
///
/// # Contract
/// - The newest report of each instance is kept from call to call, and is returned with its own time where this attempt failed.
/// - One instance that does not answer delays nobody beyond a fixed deadline, and costs nothing to the others.
/// - Harmless and cancel-safe.
///
/// ```
/// use async_trait::async_trait;
/// use jibri_scaler_core::{FleetSnapshot, Timestamp, observe::{FleetObserver, Observation}, port::PortError};
///
/// /// Always sees the same.
/// struct Still(FleetSnapshot);
///
/// #[async_trait]
/// impl FleetObserver for Still {
///     async fn observe(&self, _now: Timestamp) -> Result<Observation, PortError> {
///         Ok(Observation::new(self.0.clone()))
///     }
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait FleetObserver: Send + Sync {
    /// Observes the group; what is heard counts as received at `now`.
    ///
    /// # Errors
    /// Where the group could not be listed.
    async fn observe(&self, now: Timestamp) -> Result<Observation, PortError>;

    /// Takes in that [`report_ttl`](crate::Limits::report_ttl) is another from the next observation on. A controller says it where its
    /// policy [is replaced](crate::Controller::replace_policy) by one that has another.
    ///
    /// One that does not go by it need do nothing. One that is built around another observer passes it on.
    fn report_ttl_changed(&self, report_ttl: Duration) {
        let _ = report_ttl;
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: FleetObserver + ?Sized> FleetObserver for Arc<T> {
    async fn observe(&self, now: Timestamp) -> Result<Observation, PortError> {
        (**self).observe(now).await
    }

    fn report_ttl_changed(&self, report_ttl: Duration) {
        (**self).report_ttl_changed(report_ttl);
    }
}

/// Lists the group and probes each Jibri, many at once.
///
/// With a drain client it also finds out, per instance, whether the Jibri can be told to end: after its internal API has answered
/// a harmless request over HTTP, and not before. It asks those that answer the probe, in each tick until it is so. Without a
/// drain client, nothing can be retired.
///
/// ```no_run
/// use jibri_scaler_core::{observe::JoinedObserver, port::{GroupListing, HealthProbe}};
///
/// # fn example(listing: impl GroupListing + 'static, probe: impl HealthProbe + 'static) {
/// // The deadline needs a timer; here a future that is ready when five seconds are over, such as tokio's.
/// # async fn sleep_five_seconds() {}
/// let observer = JoinedObserver::new(listing, probe, || Box::pin(sleep_five_seconds()));
/// # let _ = observer;
/// # }
/// ```
pub struct JoinedObserver {
    listing: Box<dyn GroupListing>,
    probe: Box<dyn HealthProbe>,
    drain: Option<Box<dyn DrainClient>>,
    agents: Option<Agents>,
    deadline: Box<dyn Deadline>,
    concurrency: usize,
    known: Mutex<BTreeMap<InstanceId, Known>>,
}

/// Makes a future that is ready when the probes of one tick must be done.
trait Deadline: Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync {}
impl<F: Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync> Deadline for F {}

/// Where the agents' reports come in, and how old one may be.
struct Agents {
    reports: Arc<AgentReports>,
    report_ttl: Mutex<Duration>,
}

impl Agents {
    fn report_ttl(&self) -> Duration {
        *self
            .report_ttl
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest report of the agent on this instance, while it is fresh.
    fn heard(&self, id: &InstanceId, now: Timestamp) -> Option<AgentReport> {
        let report = self.reports.newest(id)?;
        (now.since(report.received_at) <= self.report_ttl()).then_some(report)
    }
}

/// An instance to ask.
struct Asked {
    target: Target,
    direct: bool,
    whether: Whether,
}

/// Whether it is asked in this tick if it can be told to end.
#[derive(Clone, Copy, PartialEq)]
enum Whether {
    Not,
    First,
    Again,
}

/// What one question gave.
enum Answer {
    Health(Target, ProbeOutcome),
    Reachable(InstanceId, bool, Whether),
}

impl JoinedObserver {
    /// How many Jibris are asked at once, where nothing else is said.
    pub const CONCURRENCY: usize = 64;

    /// Joins a listing with a probe. `deadline` makes, in each tick, the future at whose end the probes that have not answered
    /// count as timed out.
    pub fn new(
        listing: impl GroupListing + 'static,
        probe: impl HealthProbe + 'static,
        deadline: impl Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            listing: Box::new(listing),
            probe: Box::new(probe),
            drain: None,
            agents: None,
            deadline: Box::new(deadline),
            concurrency: Self::CONCURRENCY,
            known: Mutex::default(),
        }
    }

    /// The same with a drain client, so that instances can be retired directly.
    #[must_use]
    pub fn with_drain(mut self, drain: impl DrainClient + 'static) -> Self {
        self.drain = Some(Box::new(drain));
        self
    }

    /// The same hearing the agents on the instances. `report_ttl` is that of the [`Limits`](crate::Limits), until a controller
    /// [says another](FleetObserver::report_ttl_changed).
    ///
    /// The agent of an instance speaks for it where it was heard within `report_ttl`. The instance counts as having answered where
    /// that was within half of it, so agents report at least three times as often. Where the group's hook holds what is to end,
    /// such an instance is not probed, and is retired through its agent; elsewhere it is asked like all others whether it can be
    /// told to end.
    ///
    /// What Jibris said of themselves in webhooks is heard too, as the newest status of those that have answered before.
    #[must_use]
    pub fn with_agents(mut self, reports: Arc<AgentReports>, report_ttl: Duration) -> Self {
        self.agents = Some(Agents {
            reports,
            report_ttl: Mutex::new(report_ttl),
        });
        self
    }

    /// The same asking at most so many Jibris at once for their health, at least one. The questions at internal ports have as many
    /// places of their own, and as many again where they were asked before without success.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    async fn ask_health(&self, target: Target) -> Answer {
        let outcome = self.probe.probe(&target).await;
        Answer::Health(target, outcome)
    }

    async fn ask_reachable(
        &self,
        drain: &dyn DrainClient,
        target: Target,
        whether: Whether,
    ) -> Answer {
        let reachable = drain.is_reachable(&target).await;
        Answer::Reachable(target.id, reachable, whether)
    }

    /// Asks them all for their health, and those that answer whether they can be told to end, where that is not known. The
    /// questions do not wait for each other: a port that hangs costs no reading of another.
    async fn ask(&self, targets: Vec<Asked>) -> BTreeMap<InstanceId, Heard> {
        let mut known: BTreeMap<_, _> = targets
            .iter()
            .map(|asked| (asked.target.id.clone(), (asked.direct, asked.whether)))
            .collect();
        let mut heard: BTreeMap<InstanceId, Heard> = BTreeMap::new();
        let mut targets = targets.into_iter();
        let mut first: VecDeque<Target> = VecDeque::new();
        let mut running: FuturesUnordered<Pin<Box<dyn Future<Output = Answer> + Send + '_>>> =
            FuturesUnordered::new();
        let (mut probing, mut asking) = (0, 0);
        let mut deadline = (self.deadline)();
        loop {
            while probing < self.concurrency
                && let Some(asked) = targets.next()
            {
                probing += 1;
                running.push(Box::pin(self.ask_health(asked.target)));
            }
            while asking < self.concurrency
                && let Some(drain) = self.drain.as_deref()
                && let Some(target) = first.pop_front()
            {
                asking += 1;
                if let Some(heard) = heard.get_mut(&target.id) {
                    heard.asked = true;
                }
                running.push(Box::pin(self.ask_reachable(drain, target, Whether::First)));
            }
            let Either::Left((Some(answer), _)) = select(running.next(), &mut deadline).await
            else {
                return heard;
            };
            match answer {
                Answer::Health(target, outcome) => {
                    probing -= 1;
                    let id = target.id.clone();
                    let (direct, whether) = known.remove(&id).unwrap_or((false, Whether::Not));
                    let mut asked = false;
                    match (whether, self.drain.as_deref()) {
                        _ if outcome.status().is_none() => {}
                        (Whether::First, Some(_)) => first.push_back(target),
                        (Whether::Again, Some(drain)) => {
                            asked = true;
                            running.push(Box::pin(self.ask_reachable(drain, target, whether)));
                        }
                        _ => {}
                    }
                    heard.insert(
                        id,
                        Heard {
                            outcome,
                            direct,
                            asked,
                        },
                    );
                }
                Answer::Reachable(id, direct, whether) => {
                    asking -= usize::from(whether == Whether::First);
                    if let Some(heard) = heard.get_mut(&id) {
                        heard.direct = direct;
                    }
                }
            }
        }
    }

    /// Those to ask. Who did not answer last time comes last, so that it can't use up the time of the others.
    fn targets(&self, listing: &Listing, now: Timestamp) -> Vec<Asked> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Without the hook its agent cannot drain it, so that it is asked whether it can be told from here.
        let by_agent = |id: &InstanceId| {
            let agents = self.agents.as_ref();
            let heard = agents.is_some_and(|agents| agents.heard(id, now).is_some());
            heard && listing.drains_on_termination
        };
        let counting = listing
            .instances
            .iter()
            .filter(|instance| instance.lifecycle.is_counting() && !by_agent(&instance.id));
        let mut targets: Vec<_> = counting
            .map(|instance| {
                let known = known.get(&instance.id);
                let direct = known.is_some_and(|known| known.direct);
                let whether = if direct { Whether::Not } else { Whether::First };
                let asked = Asked {
                    target: Target::from(instance),
                    direct,
                    whether,
                };
                (known.cloned().unwrap_or_default(), asked)
            })
            .collect();
        let order =
            |(known, asked): &(Known, Asked)| (!known.answered_last, asked.target.id.clone());
        targets.sort_by_cached_key(order);
        targets.dedup_by(|a, b| a.1.target.id == b.1.target.id);

        // Those that were asked without success get no place of those never asked, and take turns.
        let mut again: Vec<_> = targets
            .iter_mut()
            .filter(|(known, _)| known.asked > 0 && !known.direct)
            .collect();
        again.sort_by_key(|(known, _)| (!known.answered_last, known.asked));
        for (turn, (_, asked)) in again.into_iter().enumerate() {
            asked.whether = if turn < self.concurrency {
                Whether::Again
            } else {
                Whether::Not
            };
        }
        targets.into_iter().map(|(_, asked)| asked).collect()
    }

    fn join(
        &self,
        listing: Listing,
        mut heard: BTreeMap<InstanceId, Heard>,
        now: Timestamp,
    ) -> Observation {
        let mut before =
            std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        let mut known = BTreeMap::new();
        let mut failures = BTreeMap::new();
        let mut instances = listing.instances;
        for instance in &mut instances {
            let counting = instance.lifecycle.is_counting();
            let entry = known.entry(instance.id.clone()).or_insert_with(|| {
                (
                    before.remove(&instance.id).unwrap_or_default(),
                    heard.remove(&instance.id),
                )
            });
            fill(instance, &mut entry.0, entry.1.as_ref(), now);
            if let Some(agents) = &self.agents
                && let Some(said) = agents.reports.said(&instance.id)
            {
                overhear(instance, &mut entry.0, said, now);
            }
            if let Some(agents) = &self.agents
                && let Some(report) = agents.heard(&instance.id, now)
            {
                let by_agent = listing.drains_on_termination;
                hear(
                    instance,
                    &mut entry.0,
                    report,
                    by_agent,
                    agents.report_ttl(),
                    now,
                );
                continue;
            }
            let failure = match &entry.1 {
                Some(Heard {
                    outcome: ProbeOutcome::Answered(_),
                    ..
                }) => None,
                Some(Heard { outcome, .. }) => Some(outcome.clone()),
                None => counting.then_some(ProbeOutcome::TimedOut),
            };
            failures.extend(failure.map(|outcome| (instance.id.clone(), outcome)));
        }
        let known = known
            .into_iter()
            .map(|(id, (known, _))| (id, known))
            .collect();
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        let mut group = listing.group;
        let agents_drain = self.agents.is_some() && listing.drains_on_termination;
        group.safe_retirement = self.drain.is_some() || agents_drain;
        Observation {
            snapshot: FleetSnapshot::new(group, instances),
            failures,
            findings: listing.findings,
        }
    }
}

#[async_trait]
impl FleetObserver for JoinedObserver {
    async fn observe(&self, now: Timestamp) -> Result<Observation, PortError> {
        let listing = self.listing.list().await?;
        if let Some(agents) = &self.agents {
            agents
                .reports
                .list(listing.instances.iter().map(|row| &row.id));
            agents.reports.received_by(now);
        }
        let heard = self.ask(self.targets(&listing, now)).await;
        Ok(self.join(listing, heard, now))
    }

    fn report_ttl_changed(&self, report_ttl: Duration) {
        if let Some(agents) = &self.agents {
            let kept = agents.report_ttl.lock();
            *kept.unwrap_or_else(PoisonError::into_inner) = report_ttl;
        }
    }
}

impl fmt::Debug for JoinedObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinedObserver")
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
