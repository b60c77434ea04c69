//! The control loop: observe, decide, check, remember, apply.

mod apply;
#[doc(hidden)]
pub mod course;
mod leading;
mod operate;
mod ownership;
mod report;
mod waiting;

use course::Recent;
use leading::Leading;
use ownership::Ownership;

pub use operate::OperateError;
pub use report::{Applied, Progress, TickError, TickReport};

use std::{fmt, sync::Arc, time::Duration};

use futures_core::Stream;
use futures_util::{StreamExt as _, pin_mut};

use crate::{
    Decision, Finding, FleetSnapshot, Limits, Memory, OutOfRange, Severity, Tick, Timestamp,
    decide,
    observe::FleetObserver,
    policy::Policy,
    port::{
        DrainClient, FleetMetrics, GroupControl, GroupOwnership, KeptMemory, Leadership,
        MemoryStore, MetricsSink,
    },
};

/// Keeps one group at the right size.
///
/// It holds no clock, no timer and no task: the embedder calls [`tick`](Self::tick), or gives [`run`](Self::run) a stream of
/// ticks. Two controllers at once on one group, with the same limits and a [`gone_after`](Limits::gone_after) that is as long as that
/// says, lose no recording, but they work against each other: run one, or several [of which one leads](Self::with_leadership).
///
/// ```no_run
/// use jibri_scaler_core::{
///     Controller, Limits, Timestamp, observe::FleetObserver, policy::MinIdle,
///     port::{DrainClient, GroupControl, MemoryStore},
/// };
///
/// # async fn example(
/// #     observer: impl FleetObserver + 'static, control: impl GroupControl + 'static,
/// #     drain: impl DrainClient + 'static, file: impl MemoryStore + 'static,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let mut controller = Controller::new(MinIdle::new(2)?, Limits::default(), observer, control)
///     .with_drain(drain)
///     .with_memory(file);
/// let report = controller.tick(Timestamp::from(std::time::SystemTime::now())).await?;
/// println!("{report}");
/// # Ok(())
/// # }
/// ```
pub struct Controller {
    policy: Box<dyn Policy>,
    limits: Limits,
    observer: Box<dyn FleetObserver>,
    control: Box<dyn GroupControl>,
    drain: Option<Box<dyn DrainClient>>,
    store: Box<dyn MemoryStore>,
    metrics: Option<Box<dyn MetricsSink>>,
    ownership: Option<Ownership>,
    leading: Option<Leading>,
    dry_run: bool,
    /// How far apart the ticks are going to be, where that was said.
    interval: Option<Duration>,
    group: Arc<str>,
    #[cfg(feature = "metrics")]
    stopwatch: Option<Box<dyn Stopwatch>>,
    #[cfg(feature = "metrics")]
    meter: crate::metrics::Meter,
    /// Absent until it was loaded in the first tick.
    memory: Option<Memory>,
    recent: Recent,
    /// [`decide`], except where a test needs a decision that breaks a rule.
    decide: Decide,
}

/// How much time has passed since some moment.
#[cfg(feature = "metrics")]
trait Stopwatch: Fn() -> Duration + Send + Sync {}
#[cfg(feature = "metrics")]
impl<F: Fn() -> Duration + Send + Sync> Stopwatch for F {}

type Decide = fn(&dyn Policy, &Limits, &FleetSnapshot, Timestamp, Memory) -> Decision;

impl Controller {
    /// A controller that decides by this policy inside these limits. Without more it can only grow the group, keeps its memory
    /// in the process, and publishes nothing.
    pub fn new(
        policy: impl Policy + 'static,
        limits: Limits,
        observer: impl FleetObserver + 'static,
        control: impl GroupControl + 'static,
    ) -> Self {
        Self {
            policy: Box::new(policy),
            limits,
            observer: Box::new(observer),
            control: Box::new(control),
            drain: None,
            store: Box::new(KeptMemory::default()),
            metrics: None,
            ownership: None,
            leading: None,
            dry_run: false,
            interval: None,
            group: "default".into(),
            #[cfg(feature = "metrics")]
            stopwatch: None,
            #[cfg(feature = "metrics")]
            meter: crate::metrics::Meter::default(),
            memory: None,
            recent: Recent::default(),
            decide,
        }
    }

    /// The same retiring Jibris through this client.
    #[must_use]
    pub fn with_drain(mut self, drain: impl DrainClient + 'static) -> Self {
        self.drain = Some(Box::new(drain));
        self
    }

    /// The same keeping its memory there. The memory is loaded in the first tick.
    #[must_use]
    pub fn with_memory(mut self, store: impl MemoryStore + 'static) -> Self {
        self.store = Box::new(store);
        self
    }

    /// The same publishing the numbers of each tick.
    #[must_use]
    pub fn with_metrics(mut self, sink: impl MetricsSink + 'static) -> Self {
        self.metrics = Some(Box::new(sink));
        self
    }

    /// The same only observing while somebody else changes the size of the group, unless it is to `take_over`. It looks once a
    /// minute, and leaves its own mark where it acts.
    #[must_use]
    pub fn with_ownership(
        mut self,
        ownership: impl GroupOwnership + 'static,
        take_over: bool,
    ) -> Self {
        self.ownership = Some(Ownership::new(ownership, take_over));
        self
    }

    /// The same acting only while it leads, where several replicas keep one group. The others observe, so that they know the fleet
    /// when they take over. Give all of them the same [memory store](Self::with_memory): who takes the lead goes on from what was
    /// saved there last, and with nothing new there from what it has seen itself.
    ///
    /// One that does not lead loads the memory in each tick, so that it shows the pauses, the instances that are kept and the retirements
    /// of the one that leads. It saves nothing, and takes in no [command](Self::command). Where it can't load, that is a problem in the
    /// report, and it goes on from what it knows.
    ///
    /// Who takes the lead looks for [`gone_after`](crate::Limits::gone_after) anew at each Jibri that has ended, since the clock of the one
    /// before may differ: a lead that changes hands more often than that gives nothing back. So does it wait
    /// [`tell_interval`](crate::Limits::tell_interval) anew before it tells one that may have been told, or has come back, and before it
    /// tells anybody directly where the one before had not led for as long since it began without a memory.
    ///
    /// A lead that lasts less than three ticks changes hands whenever a tick is late. A leader that can't load the memory or see the group in
    /// three ticks in a row gives the lead up and lets the others go first. A dry run takes no lead.
    #[must_use]
    pub fn with_leadership(mut self, leadership: impl Leadership + 'static) -> Self {
        self.leading = Some(Leading::new(leadership));
        self
    }

    /// The same only saying what it would do: it observes and decides, and applies, saves and publishes nothing.
    #[must_use]
    pub fn with_dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// The same under this name in its events and numbers, so that several groups of one process are told apart. `default` unless told
    /// otherwise.
    #[must_use]
    pub fn with_group_name(mut self, name: &str) -> Self {
        self.group = name.into();
        self
    }

    /// The same measuring how long its ticks take, for the metric [`TICK_SECONDS`](crate::metrics::TICK_SECONDS). The stopwatch says
    /// how much time has passed since some moment, by a clock that never steps back.
    ///
    /// ```no_run
    /// # fn example(controller: jibri_scaler_core::Controller) -> jibri_scaler_core::Controller {
    /// let start = std::time::Instant::now();
    /// controller.with_stopwatch(move || start.elapsed())
    /// # }
    /// ```
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    #[must_use]
    pub fn with_stopwatch(
        mut self,
        stopwatch: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.stopwatch = Some(Box::new(stopwatch));
        self
    }

    /// Says how far apart the ticks are going to be, so that it can be checked against the limits.
    ///
    /// # Errors
    /// Where [`report_ttl`](Limits::report_ttl) is less than twice the interval: one slow tick would look like a gap, and
    /// nothing would ever be retired.
    pub fn with_interval(mut self, interval: Duration) -> Result<Self, OutOfRange> {
        operate::fits(&self.limits, interval)?;
        self.interval = Some(interval);
        Ok(self)
    }

    /// Observes, decides, checks, saves the memory, applies the plan in order, moves each retirement under way at most one phase
    /// on, and publishes the numbers. It never waits for a Jibri: how long it takes is bounded by the timeouts of the ports.
    ///
    /// One effect that fails stops the rest of the plan; the next tick starts from a fresh observation. If the memory can't be
    /// saved, only growth is applied. A plan that breaks a rule of [`check`](fn@crate::check) is not applied at all. All of that is in the report.
    ///
    /// It asks many Jibris at once, so a slow one holds up nobody but the end of the tick, and for no longer than the drain client
    /// lets a call take.
    ///
    /// Cancellation: a future that is dropped may have applied part of the plan. The memory was saved before the first effect, so
    /// no recording is in danger, and the next tick goes on from what it observes. Nothing that was remembered is forgotten.
    ///
    /// # Errors
    /// Where the group could not be listed, or the memory not be loaded by the one that leads or is alone; nothing has been done then,
    /// but for asking for the lead.
    pub async fn tick(&mut self, now: Timestamp) -> Result<TickReport, TickError> {
        #[cfg(feature = "metrics")]
        let began = self.stopwatch.as_ref().map(|stopwatch| stopwatch());
        #[cfg(feature = "tracing")]
        let span = crate::trace::span(&self.group, now);
        let ticking = self.observe_and_act(now);
        #[cfg(feature = "tracing")]
        let ticking = tracing::Instrument::instrument(ticking, span.clone());
        let result = ticking.await;
        self.has_ticked(result.is_ok()).await;
        #[cfg(feature = "tracing")]
        span.in_scope(|| crate::trace::tick(&self.group, &result));
        #[cfg(feature = "metrics")]
        {
            let took = self.stopwatch.as_ref().zip(began);
            let took = took.map(|(stopwatch, began)| stopwatch().saturating_sub(began));
            let leads = self.leads() && !self.dry_run;
            let (memory, ttl) = (self.memory.as_ref(), self.limits.report_ttl());
            self.meter
                .tick(&self.group, &result, leads, memory, ttl, took);
        }
        result
    }

    async fn observe_and_act(&mut self, now: Timestamp) -> Result<TickReport, TickError> {
        let campaign = self.campaign(now).await?;
        // It stays where it is while anything is awaited: a future that is dropped forgets nothing.
        let loaded = self.load(now).await;
        let before = loaded.map_err(TickError::LoadMemory)?.clone();
        let observed = self.observer.observe(now).await;
        let observation = observed.map_err(|error| TickError::Observe(error.in_call("observe")))?;
        let tick = Tick::new(now, observation.snapshot);
        let snapshot = &tick.snapshot;
        let policy = &*self.policy;
        let decision = (self.decide)(policy, &self.limits, snapshot, now, before.clone());
        let has_drain = self.drain.is_some();
        let begun = course::begin(&decision, snapshot, &self.limits, &before, has_drain);

        let mut report = TickReport::new(tick, before, decision, self.dry_run);
        report.breaches = begun.breaches;
        report.failures = observation.failures;
        report.findings = observation.findings;
        let leads = campaign.note(&mut report);
        let acts = leads && self.may_act(&mut report, now).await && !self.dry_run;
        if acts {
            self.memory = Some(begun.memory);
            self.carry_out(begun.course, &mut report).await;
            self.publish(&mut report).await;
        } else {
            let memory = report.decision.memory.clone();
            self.memory = Some(memory.without_acts_since(&report.memory_before));
        }
        Ok(report)
    }

    /// Ticks whenever the stream says so, until it ends. A tick that runs when the stream ends is finished first, so a service
    /// stops it by ending the stream: `ticks.take_until(stop)`.
    ///
    /// What each tick gave is handed to `report`. After an error the next tick tries again.
    ///
    /// Cancellation: where the future is dropped, that of the tick that runs is; see [`tick`](Self::tick).
    pub async fn run(
        &mut self,
        ticks: impl Stream<Item = Timestamp> + Send,
        mut report: impl FnMut(Result<TickReport, TickError>) + Send,
    ) {
        pin_mut!(ticks);
        while let Some(now) = ticks.next().await {
            report(self.tick(now).await);
        }
    }

    /// The policy by which it decides.
    #[must_use]
    pub fn policy(&self) -> &dyn Policy {
        &*self.policy
    }

    /// The limits inside which it decides.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What is remembered; absent before the first tick. Of a replica that does not [lead](Self::leads), what the one that does had saved
    /// before the last tick, with what was seen in that.
    #[must_use]
    pub const fn memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    async fn publish(&self, report: &mut TickReport) {
        let Some(sink) = &self.metrics else { return };
        let numbers = FleetMetrics::new(
            report.tick.at,
            &report.decision.tally,
            report.tick.snapshot.group().desired,
            report.decision.wanted_spare,
        );
        if let Err(error) = sink.publish(&numbers).await {
            report.findings.push(Finding::new(
                Severity::Warning,
                "the numbers of this tick may be lost: they leave a gap in the graph, and are not sent twice",
                "nothing if it was once; else look at the problem that is reported with it",
            ));
            report.problems.push(error.in_call("publish"));
        }
    }
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller")
            .field("group", &self.group)
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .field("dry_run", &self.dry_run)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
