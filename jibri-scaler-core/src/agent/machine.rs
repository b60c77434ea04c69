//! The agent as a state machine: what it takes in, and in which order it decides.

mod counting;
mod ending;
mod holding;
mod saving;
mod serving;
mod shrinking;
mod worry;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    InstanceId, Lifecycle, Timestamp,
    agent::{
        Act, ActKind, AgentConfig, Drain, DrainPhase, Input, Keep, Output, Reading,
        concern::{Concern, Concerns},
        drain::BegunIn,
        health::Health,
        jibris::Jibris,
        listed::Listed,
        pace::{Clock, Pace, Seed},
        port::{HookResult, Latch, Notices, OwnState, ServiceState, TargetState, Transition},
        protection::Protection,
        publish::Publisher,
        surplus::Cadence,
        whereabouts::Whereabouts,
    },
    port::{Decrement, PortErrorKind, ProbeOutcome},
};

/// The group is not listed more often than so.
const LISTED_AGAIN: Duration = Duration::from_secs(1);

/// What lasts longer than it should is tried again after so long at first.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// And after no more than that.
const LAST_RETRY: Duration = Duration::from_secs(300);

/// The agent of one instance, as a pure state machine.
///
/// [`step`](Self::step) takes in what has happened and says what is to be done. Each [`Act`] is answered by the [`Input`] of its
/// kind, whenever it is done; no more than one of a kind is outstanding. A [`Tick`](Input::Tick) is due about once a second.
///
/// What an agent does, in the order of what it does not let wait:
///
/// | what | when | why |
/// |---|---|---|
/// | nothing but to look, to keep a hook waiting, and to stop on a Spot notice | before it is known whether there is a latch | an agent before it may have told the Jibri to end |
/// | begin a [`Drain`] | the group ends the instance; the Jibri is broken, or one of several is, and none is busy; the host ends; it goes to the warm pool | nothing ends that may be recording |
/// | tell the Jibris to end | draining, and one of them has not taken it: at once when it answers, else every minute, and every 10 s while none has | one that comes up late, or was started again, is to be told too |
/// | prolong the wait of the terminating hook | held there, every quarter of its timeout as the group was listed, every minute before it was | a recording may last for hours |
/// | complete the terminating hook with ABANDON | something is left, for five minutes, in a group just listed as one that retains | without retention ABANDON destroys the machine; once retained, whoever ends it by its id does |
/// | stop the Jibri at once | a Spot notice, busy or not known, unless it is to drain | two minutes are less than a recording |
/// | complete the launching hook | the first answer that is idle and healthy and passes the self check, or whose self check says nothing three times in a row, or BUSY | what never comes up is replaced by the group itself; what records must not be |
/// | start the Jibri | not started, bound for service, no latch | in the warm pool it is not started |
/// | protect, at once | in service, and not all of the next row | nobody may choose it |
/// | take the protection away | idle and healthy for `idle_timeout` without a gap, in a group just listed with the terminating hook and the tag that lets agents shrink it | it may be chosen, and the hook holds it then |
/// | publish that it is held | with each heartbeat, and when it is kept because a release check has failed or the Jibri has crashed | so that a human hears of it |
/// | list the group | when it comes into service; then six agents of a group in five minutes, as expected, to count it; unprotected, every ten to fourteen minutes, to protect it within fifteen where hook or tag are gone; unprotected while there is a surplus, once each time it looks; held by the hook, every quarter of an hour for its timeout; each at a moment of its own, except where there is a surplus | all Auto Scaling calls of the account share one bucket |
/// | save since when it is busy | when a recording begins or ends | an agent that is restarted knows how long it lasts |
/// | publish 1 or 0 | in service, not draining, its Jibri has answered, once per period | a booting or leaving instance is not a 0 |
/// | end itself with decrement | unprotected or in a group without the hook, surplus for `surplus_hold`, by rank, in a group whose tag allows it | the desired count falls together with its victim |
///
/// ```
/// use jibri_scaler_core::{Timestamp, agent::{Act, Agent, AgentConfig, Input, Output}};
///
/// let start = Timestamp::from_secs(1_763_800_000);
/// let mut agent = Agent::new(AgentConfig::default(), "i-0abc".parse()?, start);
/// let first = agent.step(start, Input::Tick);
/// assert!(first.contains(&Output::Do(Act::ReadHealth)));
/// assert!(!agent.step(start, Input::Tick).contains(&Output::Do(Act::ReadHealth)), "one is under way");
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug)]
pub struct Agent {
    config: AgentConfig,
    id: InstanceId,
    seed: Seed,
    clock: Clock,
    /// What was begun and has not been answered.
    outstanding: BTreeSet<ActKind>,
    paces: BTreeMap<ActKind, Pace>,
    begun: Begun,
    whereabouts: Whereabouts,
    health: Health,
    /// The Jibris one by one.
    jibris: Jibris,
    /// Where all processes together are.
    service: Option<ServiceState>,
    notices: Notices,
    latch: Latched,
    drain: Option<Drain>,
    came_back: bool,
    protection: Protection,
    publisher: Publisher,
    cadence: Cadence,
    counting: counting::Counting,
    looking: Option<shrinking::Looking>,
    /// What the group was when it was last listed.
    listed: Option<Listed>,
    /// Since when the machine is kept at the hook.
    kept_at_hook_since: Option<Duration>,
    /// Whether it is to be published that the machine is kept for a human.
    says_kept: bool,
    saving: saving::Saving,
    launch: serving::Launch,
    finished: bool,
    concerns: Concerns,
    found: Vec<Output>,
}

/// The restart latch, as far as it is known.
#[derive(Clone, Debug)]
enum Latched {
    Unknown,
    No,
    Yes(Latch),
}

/// What was the case when the outstanding acts were begun.
#[derive(Clone, Copy, Debug, Default)]
struct Begun {
    /// The health: when, and how far the drain was.
    health: (Duration, Option<DrainPhase>),
    /// The process and the release check: how far the drain was.
    in_phase: BegunIn,
    look: Duration,
    list: Duration,
    completing: Option<(Transition, HookResult)>,
    ending: Option<Decrement>,
    /// Whether a hint came while a reading was under way.
    hinted: bool,
}

impl Agent {
    /// The agent of this instance, started at that time. It knows nothing yet, also not whether an agent before it has begun to
    /// drain: it asks.
    #[must_use]
    pub fn new(config: AgentConfig, id: InstanceId, now: Timestamp) -> Self {
        let seed = Seed::new(&id);
        Self {
            publisher: Publisher::new(&config, seed, now),
            cadence: Cadence::new(config.surplus_every(), seed.share(1), now),
            health: Health::new(config.freshness()),
            counting: counting::Counting::new(now),
            clock: Clock::new(now),
            config,
            id,
            seed,
            outstanding: BTreeSet::new(),
            paces: BTreeMap::new(),
            begun: Begun::default(),
            whereabouts: Whereabouts::default(),
            jibris: Jibris::default(),
            service: None,
            notices: Notices::default(),
            latch: Latched::Unknown,
            drain: None,
            came_back: false,
            protection: Protection::default(),
            looking: None,
            listed: None,
            kept_at_hook_since: None,
            says_kept: false,
            saving: saving::Saving::default(),
            launch: serving::Launch::default(),
            finished: false,
            concerns: Concerns::default(),
            found: Vec::new(),
        }
    }

    /// The instance.
    #[must_use]
    pub const fn id(&self) -> &InstanceId {
        &self.id
    }

    /// The drain that is under way.
    #[must_use]
    pub const fn drain(&self) -> Option<&Drain> {
        self.drain.as_ref()
    }

    /// What the Jibris say, as far as it is not too old.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.health.now(self.clock.elapsed)
    }

    /// Whether the instance is in service and not leaving, as far as the agent knows.
    #[must_use]
    pub fn in_service(&self) -> bool {
        self.launch.done.is_some() && self.whereabouts.is_bound_for_service(self.clock.elapsed)
    }

    /// Takes in what has happened, and says what is to be done now.
    #[must_use = "what is not done is not answered, and is not asked for again"]
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        self.clock.advance(now);
        let is_tick = input == Input::Tick;
        let is_hint = input == Input::Hint;
        if let Some(kind) = input.answers() {
            self.outstanding.remove(&kind);
        }
        self.take(input);
        let phase = self.drain.as_ref().map(Drain::phase);
        self.begun.in_phase.follow(phase);
        if !self.finished {
            self.look_around(is_tick, is_hint);
            self.save_state();
            match self.latch {
                Latched::Unknown => {
                    self.load_latch();
                    self.hold_on();
                }
                Latched::No | Latched::Yes(_) => {
                    self.leave();
                    self.go_on_draining();
                    self.serve();
                }
            }
            self.worry();
        }
        std::mem::take(&mut self.found)
    }

    fn take(&mut self, input: Input) {
        let elapsed = self.clock.elapsed;
        match input {
            Input::Tick | Input::Hint => {}
            Input::Health(outcomes) => self.take_health(&outcomes),
            Input::Target(result) => {
                self.settle(ActKind::ReadTarget, &result);
                if let Ok(target) = result {
                    self.whereabouts.read(target, elapsed);
                }
            }
            Input::Notices(result) => {
                if let Ok(notices) = result {
                    self.notices = notices;
                }
            }
            Input::Service(states) => self.take_service(&states),
            Input::Own(result) => self.take_own(result),
            Input::LatchLoaded(result) => {
                self.settle_local(ActKind::LoadLatch, &result);
                match result {
                    Ok(Some(latch)) => {
                        self.drain = Some(Drain::resumed(&latch));
                        self.note_with(Concern::Draining, true, &latch.because);
                        self.latch = Latched::Yes(latch);
                    }
                    Ok(None) => self.latch = Latched::No,
                    Err(_) => {}
                }
            }
            Input::LatchSet(result) => {
                self.settle_local(ActKind::SetLatch, &result);
                if let (Ok(()), Some(drain)) = (result, &mut self.drain) {
                    drain.latched();
                }
            }
            Input::LatchCleared(result) => {
                self.settle_local(ActKind::ClearLatch, &result);
                if result.is_ok() {
                    self.return_from_pool();
                }
            }
            Input::Told(told) => {
                let told = self.jibris.told(&told);
                if let Some(drain) = &mut self.drain {
                    drain.told(told);
                }
            }
            Input::Published(result) => {
                self.settle(ActKind::Publish, &result);
                // The next point is another one, and has its own time.
                self.paces.entry(ActKind::Publish).or_default().now();
            }
            Input::DrainPublished(result) => self.settle_local(ActKind::PublishDrain, &result),
            Input::ProtectionSet(result) => {
                self.settle(ActKind::SetProtection, &result);
                self.protection.set(result.is_ok());
            }
            Input::Heartbeat(result) => {
                let cap = self.heartbeat_every() / 4;
                self.settle_within(ActKind::Heartbeat, &result, cap);
                if result == Ok(false) {
                    self.whereabouts.nothing_waited();
                }
            }
            Input::Completed(result) => self.completed(result),
            Input::Ended(result) => self.ended(result),
            Input::Started(result) => {
                self.settle(ActKind::StartService, &result);
                self.launch.returned &= result.is_err();
            }
            Input::Stopped(result) => self.settle_local(ActKind::StopNow, &result),
            Input::ReleaseChecked(result) => self.release_checked(&result),
            Input::SelfChecked(result) => self.self_checked(&result),
            Input::StateLoaded(result) => self.state_loaded(result),
            Input::StateSaved(result) => {
                self.settle(ActKind::SaveState, &result);
                self.state_saved(result);
            }
            Input::Sums(result) => self.summed(result.ok().as_deref()),
            Input::Listed(result) => {
                self.settle(ActKind::List, &result);
                if let Ok(listing) = &result {
                    self.listed = Some(Listed::new(listing, self.begun.list));
                    self.counting.listed();
                    self.hasten_heartbeat();
                }
                self.look_at_rank(result.ok().as_ref());
            }
        }
    }

    fn take_health(&mut self, outcomes: &[ProbeOutcome]) {
        let (begun, phase) = self.begun.health;
        self.health.read(Reading::of(outcomes), begun);
        self.jibris.read(outcomes, self.clock.elapsed);
        if let Some(drain) = &mut self.drain
            && self.jibris.one_answers()
        {
            let before = drain.phase();
            let is_finishing = !self.jibris.one_is_to_be_told();
            drain.answered(phase.unwrap_or(DrainPhase::Latching), is_finishing);
            self.came_back |= before != drain.phase();
        }
    }

    fn take_own(&mut self, result: Result<Option<OwnState>, PortErrorKind>) {
        let elapsed = self.clock.elapsed;
        self.settle(ActKind::Look, &result);
        let protected = result.as_ref().ok().and_then(|own| own.as_ref());
        let protected = protected.map(|own| own.protected);
        self.protection.looked(protected, self.begun.look);
        if let Ok(own) = result {
            self.whereabouts.looked(own.as_ref(), elapsed);
            self.launch.not_waiting = false;
            if self.whereabouts.lifecycle() == Some(&Lifecycle::InService) {
                self.launch.done.get_or_insert(elapsed);
            }
        }
    }

    fn take_service(&mut self, states: &[ServiceState]) {
        let state = self.jibris.seen(states, self.clock.elapsed);
        self.service = Some(state);
        if let Some(drain) = &mut self.drain {
            let before = drain.phase();
            drain.process(self.begun.in_phase.looked_in(), state);
            // Nobody else says so: there is no release check that would fail.
            let crashed = DrainPhase::Kept(Keep::Crashed);
            self.says_kept |= before != crashed && drain.phase() == crashed;
            self.came_back |= before != drain.phase() && drain.phase() == DrainPhase::Telling;
        }
    }

    /// What is read again and again.
    fn look_around(&mut self, is_tick: bool, is_hint: bool) {
        let elapsed = self.clock.elapsed;
        let phase = self.drain.as_ref().map(Drain::phase);
        let is_reading = self.outstanding.contains(&ActKind::ReadHealth);
        self.begun.hinted |= is_hint && is_reading;
        if !is_reading && (is_tick || is_hint || self.begun.hinted) {
            self.begun.hinted = false;
            self.begun.health = (elapsed, phase);
            self.begin(Act::ReadHealth, Duration::ZERO);
        }
        self.begin(Act::ReadTarget, Duration::from_secs(5));
        self.begin(Act::ReadNotices, Duration::from_secs(5));
        // The process matters while it is to end, and where nothing is heard of it.
        let pause = if phase.is_some() || self.reading() == Reading::Unknown {
            1
        } else {
            10
        };
        if self.begin(Act::ReadService, Duration::from_secs(pause)) {
            self.begun.in_phase.look();
        }
        let heartbeat = self.hook_timeout() / 4;
        let pause = if self.whereabouts.target(elapsed).is_some() {
            self.config.reconcile_every().min(heartbeat)
        } else {
            Duration::from_secs(60).min(heartbeat)
        };
        self.look(pause);
    }

    /// Asks the group, and again after about so long.
    fn look(&mut self, pause: Duration) {
        let elapsed = self.clock.elapsed;
        let jitter = 0.75 + 0.5 * self.seed.share(self.begun.look.as_secs());
        let since = elapsed.saturating_sub(self.begun.look);
        let is_first = !self.paces.contains_key(&ActKind::Look);
        if (is_first || since >= pause.mul_f64(jitter))
            && self.begin(Act::Look, Duration::from_secs(10))
        {
            self.begun.look = elapsed;
        }
    }

    /// Lists the group, and not again before so long.
    fn list(&mut self, pause: Duration) {
        if self.begin(Act::List, pause) {
            self.begun.list = self.clock.elapsed;
        }
    }

    fn load_latch(&mut self) {
        self.begin(Act::LoadLatch, Duration::from_secs(1));
    }

    /// Begins an act, unless one of its kind is outstanding or its time has not come; not again before so long.
    fn begin(&mut self, act: Act, pause: Duration) -> bool {
        let (kind, elapsed) = (act.kind(), self.clock.elapsed);
        let pace = self.paces.entry(kind).or_default();
        if self.outstanding.contains(&kind) || !pace.is_due(elapsed) {
            return false;
        }
        pace.wait(elapsed, pause);
        self.outstanding.insert(kind);
        self.found.push(Output::Do(act));
        true
    }

    /// Takes in whether a call to AWS worked: a failure is followed by a pause that grows.
    fn settle<T>(&mut self, kind: ActKind, result: &Result<T, PortErrorKind>) {
        self.settle_within(kind, result, LAST_RETRY);
    }

    /// The same for what happens on this machine, and has no reason to be spared.
    fn settle_local<T>(&mut self, kind: ActKind, result: &Result<T, PortErrorKind>) {
        self.settle_within(kind, result, FIRST_RETRY);
    }

    fn settle_within<T>(
        &mut self,
        kind: ActKind,
        result: &Result<T, PortErrorKind>,
        cap: Duration,
    ) {
        let pace = self.paces.entry(kind).or_default();
        if result.is_ok() {
            pace.succeeded();
        } else {
            pace.failed(self.clock.elapsed, FIRST_RETRY, cap, self.seed);
        }
    }

    /// Whether the latch could not be set, or not even be read.
    fn latch_failed(&self) -> bool {
        self.failures(ActKind::SetLatch) > 0 || self.failures(ActKind::LoadLatch) > 0
    }

    fn failures(&self, kind: ActKind) -> u32 {
        self.paces.get(&kind).map_or(0, Pace::failures)
    }

    fn target_is(&self, target: &TargetState) -> bool {
        self.whereabouts.target(self.clock.elapsed) == Some(target)
    }

    fn note(&mut self, concern: Concern, lasts: bool) {
        self.note_with(concern, lasts, "");
    }

    fn note_with(&mut self, concern: Concern, lasts: bool, more: &str) {
        let finding = self.concerns.note(concern, lasts, &self.id, more);
        self.found.extend(finding.map(Output::Found));
    }
}
