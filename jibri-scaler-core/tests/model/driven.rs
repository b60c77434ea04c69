//! The whole agent that runs in production, [`jibri_scaler_core::agent::Agent`], in the world of the model.
//!
//! It counts seconds over hours, so that its states cannot be exhausted; `agent` has what matters of it to recordings, around the
//! same `Drain`. Here the whole of it lives in the same world, at random and by a seed: each of its acts is done at any time, fails
//! before or after it has acted, and is answered at any time; the agent is killed and started again at any time.

use jibri_scaler_core::{
    Group, Instance, InstanceId, Timestamp,
    agent::{
        Act, Agent, AgentConfig, Drain, DrainPhase, Input, Output,
        port::{
            CheckResult, HookResult, Latch, Notices, OwnState, ServiceState, SignalSum,
            TargetState, Transition,
        },
    },
    native::{SHRINK_ENABLED, SHRINK_TAG},
    policy::MinIdle,
    port::{Decrement, Listing, PortErrorKind, ProbeOutcome, Told},
};

use crate::{
    aws::Answer,
    controller::status,
    explore::Action,
    jibri::{Finalize, Post, Process},
    world::{Config, Place, World, id_of},
};

/// While nothing goes wrong, the agent is given the time so often, in seconds.
const STEP: usize = 3;
/// For so many seconds somebody may take an instance for one in service that is so no longer: a controller that lists it, and ends it by
/// its id when its tick comes to that.
const OLD_VIEW: u64 = 60;
/// A machine that is kept for so many seconds is kept.
const KEPT: usize = 600;

/// Draws from a seed.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// One Jibri, and the agent beside it.
#[derive(Debug)]
pub struct Driven {
    pub world: World,
    config: Config,
    settings: AgentConfig,
    agent: Option<Agent>,
    now: Timestamp,
    /// What has been begun and not been done, and after how many crashes.
    begun: Vec<(u32, Act)>,
    /// What has been done and not been answered.
    done: Vec<Input>,
    notices: Notices,
    faulty: bool,
    /// When it was in service last.
    in_service_at: Timestamp,
    pub finished: bool,
    pub crashes: u32,
    /// The phases that the drain has been in.
    pub phases: Vec<DrainPhase>,
}

fn id() -> InstanceId {
    id_of(0)
}

/// An agent whose times are as short as they may be.
fn settings(dice: &mut Dice) -> AgentConfig {
    let secs = std::time::Duration::from_secs;
    let idle_timeout = secs([0, 60][dice.below(2)]);
    AgentConfig::default()
        .with_min_idle(MinIdle::new(0).expect("in range"))
        .with_tell_overbusy(dice.one_in(2))
        .with_idle_timeout(idle_timeout)
        .and_then(|it| it.with_max_busy(secs(60)))
        .and_then(|it| it.with_boot_deadline(secs(60)))
        .and_then(|it| it.with_release_check_every(secs(60)))
        .and_then(|it| it.with_reconcile_every(secs(60)))
        .expect("inside their ranges")
}

impl Driven {
    pub fn new(config: &Config, dice: &mut Dice) -> Self {
        let mut world = config.start();
        // The simpler one is not there.
        world.machines[0].agent = None;
        // Where no hook would hold it only that keeps it before its agent is there.
        let is_protected = dice.one_in(2);
        world.machines[0].protected = is_protected || config.born_protected;
        let mut notices = Notices::default();
        let now = Timestamp::from_secs(1_763_800_000);
        if dice.one_in(4) {
            notices.event_at = Some(now);
        }
        Self {
            world,
            config: config.clone(),
            settings: settings(dice),
            agent: None,
            now,
            begun: Vec::new(),
            done: Vec::new(),
            notices,
            faulty: true,
            in_service_at: now,
            finished: false,
            crashes: 0,
            phases: Vec::new(),
        }
    }

    pub fn drain(&self) -> Option<&Drain> {
        self.agent.as_ref().and_then(Agent::drain)
    }

    pub fn phase(&self) -> Option<DrainPhase> {
        self.drain().map(Drain::phase)
    }

    pub fn is_over(&self) -> bool {
        self.world.machines[0].place == Place::Ended || self.world.broken.is_some()
    }

    /// One thing happens, to anybody.
    pub fn happen(&mut self, dice: &mut Dice) {
        match dice.below(16) {
            0..4 => self.others(dice),
            4..8 if !self.begun.is_empty() => {
                let begun = self.begun.swap_remove(dice.below(self.begun.len()));
                self.perform(&begun, dice);
            }
            8..13 if !self.done.is_empty() => {
                let input = self.done.swap_remove(dice.below(self.done.len()));
                self.step(input);
            }
            13 if dice.one_in(60) => {
                if dice.one_in(4) {
                    self.reboot();
                }
                self.crash();
            }
            _ => self.tick([1, 1, 1, 2, 5, 30, 300][dice.below(7)]),
        }
    }

    /// Whatever has begun is done and answered, and so much time passes, in which nothing goes wrong any more; less where the machine
    /// is kept for a human meanwhile.
    pub fn settle(&mut self, dice: &mut Dice, seconds: usize) {
        let mut kept_for = 0;
        self.faulty = false;
        self.world.restarts = 0;
        self.world.outside = 0;
        self.world.machines[0].jibri.sessions = 0;
        for _ in 0..seconds / STEP {
            for _ in 0..3 {
                for begun in std::mem::take(&mut self.begun) {
                    self.perform(&begun, dice);
                }
                for input in std::mem::take(&mut self.done) {
                    self.step(input);
                }
            }
            let is_kept = matches!(self.phase(), Some(DrainPhase::Kept(_)));
            kept_for = if is_kept { kept_for + STEP } else { 0 };
            if self.is_over() || kept_for > KEPT {
                return;
            }
            self.tick(STEP as u64);
            self.others(dice);
        }
    }

    fn tick(&mut self, seconds: u64) {
        self.now = self.now + std::time::Duration::from_secs(seconds);
        if self.agent.is_none() && !self.finished {
            self.agent = Some(Agent::new(self.settings.clone(), id(), self.now));
        }
        self.step(Input::Tick);
    }

    /// Requests that are under way may be done all the same, and nobody hears of it.
    fn crash(&mut self) {
        if self.agent.take().is_some() {
            self.crashes += 1;
            self.done.clear();
            self.begun.retain(|(_, act)| {
                matches!(
                    act,
                    Act::Tell
                        | Act::SetProtection(_)
                        | Act::Heartbeat(_)
                        | Act::Complete(..)
                        | Act::End(_)
                )
            });
        }
    }

    /// The machine goes down and comes up: its Jibri is started only where there is no latch.
    fn reboot(&mut self) {
        let machine = &mut self.world.machines[0];
        if self.world.restarts > 0 && machine.jibri.process != Process::NotStarted {
            self.world.restarts -= 1;
            if machine.jibri.is_up() {
                machine.jibri.crash(self.config.supervisor, true);
            }
            machine.jibri.process = Process::NotStarted;
        }
    }

    fn step(&mut self, input: Input) {
        let Some(agent) = &mut self.agent else { return };
        for output in agent.step(self.now, input) {
            match output {
                Output::Do(act) => self.begun.push((self.crashes, act)),
                Output::Finished => self.finished = true,
                _ => {}
            }
        }
        if let Some(phase) = self.phase()
            && self.phases.last() != Some(&phase)
        {
            self.phases.push(phase);
        }
    }

    /// A controller that takes it for one in service ends it by its id.
    fn ended_with_an_old_view(&mut self, dice: &mut Dice) {
        let place = self.world.machines[0].place;
        if place == Place::InService {
            self.in_service_at = self.now;
        } else if self.faulty
            && dice.one_in(50)
            && self.now.since(self.in_service_at).as_secs() <= OLD_VIEW
        {
            self.world.terminate(&self.config, 0, Decrement::No);
        }
    }

    /// The Jibri, its dispatcher, the group and whoever else there is.
    fn others(&mut self, dice: &mut Dice) {
        self.ended_with_an_old_view(dice);
        let mut actions = Vec::new();
        self.world.actions(&self.config, &mut actions);
        let is_dead = self.agent.is_none() && !self.finished;
        let faulty = self.faulty;
        let (rarely, sometimes) = (dice.one_in(100), dice.one_in(10));
        // A hook waits for longer than somebody may have an old view.
        let is_late = self.now.since(self.in_service_at).as_secs() > OLD_VIEW;
        actions.retain(|action| match action {
            // What is taken by force says nothing, and what is rare must not use up what may happen at once.
            Action::Force(_) => false,
            Action::Crash(_)
            | Action::Reconfigure(_)
            | Action::EndedByOthers(_)
            | Action::LowerDesired => rarely,
            // Nobody's recording lasts for so long, but one whose agent is dead.
            Action::HookTimesOut(_) => {
                is_late && (is_dead || (faulty && self.config.faults.timeout))
            }
            Action::Stop(_, error) => faulty || !error,
            Action::Finalized(_, how) => *how == Finalize::Uploaded || (faulty && sometimes),
            _ => true,
        });
        let jibri = &self.world.machines[0].jibri;
        let has_ended = matches!(jibri.process, Process::Ended { restart: None, .. });
        let is_checking = self.phase() == Some(DrainPhase::Checking);
        // A request that is still under way would tell that one too, and its end would look like that of the one before.
        let is_told = self.begun.iter().any(|(_, act)| *act == Act::Tell);
        if has_ended
            && is_checking
            && !is_told
            && self.world.restarts > 0
            && self.config.faults.by_hand
        {
            actions.push(Action::ByHand(0));
        }
        if !actions.is_empty() {
            let action = actions[dice.below(actions.len())];
            self.world.act(&self.config, action);
        }
    }

    /// Does it, or not, and keeps what came of it.
    fn perform(&mut self, (asked_after, act): &(u32, Act), dice: &mut Dice) {
        let fails = self.faulty && dice.one_in(8);
        let acts = !fails || dice.one_in(2);
        let result = acts.then(|| self.act(act));
        let error = PortErrorKind::Transient;
        let input = match (act, result) {
            (_, Some(input)) if !fails => input,
            (Act::ReadHealth, _) => Input::Health(vec![ProbeOutcome::TimedOut]),
            (Act::ReadTarget, _) => Input::Target(Err(error)),
            (Act::ReadNotices, _) => Input::Notices(Err(error)),
            (Act::ReadService, _) => Input::Service(vec![ServiceState::Unknown]),
            (Act::Look, _) => Input::Own(Err(error)),
            (Act::LoadLatch, _) => Input::LatchLoaded(Err(error)),
            (Act::SetLatch(_), _) => Input::LatchSet(Err(error)),
            (Act::ClearLatch, _) => Input::LatchCleared(Err(error)),
            (Act::LoadState, _) => Input::StateLoaded(Err(error)),
            (Act::SaveState(_), _) => Input::StateSaved(Err(error)),
            // Reset, and so taken for told.
            (Act::Tell, None) if self.world.machines[0].jibri.is_up() && dice.one_in(2) => {
                Input::Told(vec![Told::Yes])
            }
            (Act::Tell, _) => Input::Told(vec![Told::Unknown]),
            (Act::Publish(_), _) => Input::Published(Err(error)),
            (Act::PublishDrain(_), _) => Input::DrainPublished(Err(error)),
            (Act::SetProtection(_), _) => Input::ProtectionSet(Err(error)),
            (Act::Heartbeat(_), _) => Input::Heartbeat(Err(error)),
            (Act::Complete(..), _) => Input::Completed(Err(error)),
            (Act::End(_), _) => Input::Ended(Err(error)),
            (Act::StartService, _) => Input::Started(Err(error)),
            (Act::StopNow, _) => Input::Stopped(Err(error)),
            (Act::CheckRelease, _) => {
                Input::ReleaseChecked(CheckResult::Inconclusive("it hangs".into()))
            }
            (Act::CheckSelf, _) => Input::SelfChecked(CheckResult::Inconclusive("it hangs".into())),
            (Act::ReadSums { .. }, _) => Input::Sums(Err(error)),
            _ => Input::Listed(Err(error)),
        };
        // Who was killed meanwhile hears of nothing.
        if self.agent.is_some() && *asked_after == self.crashes {
            self.done.push(input);
        }
    }

    /// What it does in the world, and the answer.
    fn act(&mut self, act: &Act) -> Input {
        let world = &mut self.world;
        let (config, machine) = (&self.config, &mut world.machines[0]);
        let waits = matches!(machine.place, Place::Waiting(_));
        match act {
            Act::ReadHealth => Input::Health(vec![match machine.jibri.health() {
                Some(shown) => ProbeOutcome::Answered(status(shown)),
                None => ProbeOutcome::Refused,
            }]),
            Act::ReadTarget => Input::Target(Ok(Some(if machine.place.counts() {
                TargetState::InService
            } else {
                TargetState::Terminated
            }))),
            Act::ReadNotices => Input::Notices(Ok(self.notices)),
            Act::ReadService => Input::Service(vec![machine.service()]),
            Act::Look => Input::Own(Ok(machine
                .place
                .is_listed()
                .then(|| OwnState::new(machine.place.lifecycle(), machine.protected)))),
            Act::LoadLatch => Input::LatchLoaded(Ok(machine
                .latch
                .map(|replace| Latch::new(self.now, "", replace)))),
            Act::SetLatch(latch) => {
                machine.set_latch(latch.replace);
                Input::LatchSet(Ok(()))
            }
            Act::Tell => {
                let has_latch = machine.latch.is_some();
                let post = machine.jibri.post_end(config.supervisor, has_latch);
                Input::Told(vec![match post {
                    Post::Took => Told::Yes,
                    Post::Blocked => Told::Unknown,
                    Post::Refused => Told::Refused,
                }])
            }
            Act::SetProtection(on) => {
                let is_there = machine.place == Place::InService;
                machine.protected = if is_there { *on } else { machine.protected };
                Input::ProtectionSet(is_there.then_some(()).ok_or(PortErrorKind::Permanent))
            }
            Act::Heartbeat(_) => {
                if waits {
                    machine.place = Place::Waiting(0);
                }
                Input::Heartbeat(Ok(waits))
            }
            Act::Complete(Transition::Terminating, result) => {
                let abandon = *result == HookResult::Abandon;
                Input::Completed(Ok(world.complete(config, 0, abandon)))
            }
            Act::Complete(..) => Input::Completed(Ok(false)),
            Act::End(decrement) => Input::Ended(match world.terminate(config, 0, *decrement) {
                Answer::Done => Ok(()),
                Answer::Refused => Err(PortErrorKind::Permanent),
            }),
            Act::StartService => {
                // Its unit has the condition that there is no latch.
                let may = machine.latch.is_none() && machine.jibri.can_start();
                if may {
                    machine.jibri.start(machine.jibri.binding);
                }
                Input::Started(may.then_some(()).ok_or(PortErrorKind::Permanent))
            }
            Act::CheckRelease => {
                let is_clean = !machine.jibri.unsaved && !machine.jibri.uploading;
                Input::ReleaseChecked(if is_clean {
                    CheckResult::Passed
                } else {
                    CheckResult::Failed("something is left".into())
                })
            }
            Act::ReadSums { from, to, period } => {
                let mut sums = Vec::new();
                let mut at = *from;
                while at < *to {
                    sums.push(SignalSum::new(at, 1.0, 1.0));
                    at = at + *period;
                }
                Input::Sums(Ok(sums))
            }
            Act::List => {
                let mut row = Instance::new(id(), machine.place.lifecycle());
                row.protected = machine.protected;
                let group = Group::new(config.min.into(), config.max.into(), world.desired.into());
                let mut listing = Listing::new(group, vec![row]);
                listing.drains_on_termination = world.has_hook;
                listing.retains_abandoned = config.retention;
                listing
                    .tags
                    .insert(SHRINK_TAG.into(), SHRINK_ENABLED.into());
                Input::Listed(Ok(listing))
            }
            Act::Publish(_) => Input::Published(Ok(())),
            Act::PublishDrain(_) => Input::DrainPublished(Ok(())),
            Act::ClearLatch => Input::LatchCleared(Ok(())),
            Act::LoadState => Input::StateLoaded(Ok(None)),
            Act::SaveState(_) => Input::StateSaved(Ok(())),
            // Without Spot nothing is stopped, and without a self check none is run.
            _ => Input::Hint,
        }
    }
}

#[cfg(test)]
mod tests;
