//! The agent on a machine: the drain that runs in production, and around it what it sees and does, one step at a time.

use std::time::Duration;

use jibri_scaler_core::{
    agent::{
        BegunIn, Drain, DrainAct, DrainPhase, Place as Spot, may_be_chosen,
        port::{CheckResult, Latch, ServiceState},
        would_be_held,
    },
    port::{Decrement, Told},
};

use crate::{
    aws::Answer,
    controller::{Controller, Fate, Heard, as_read},
    jibri::{Exit, Post, Process, Status},
    world::{ANY, Config, LONG, Machine, NOW, Place, TTL, World},
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Agent {
    is_down: bool,
    pub drain: Option<Drain>,
    begun: BegunIn,
    /// A look at the process under way: what it is going to show.
    look: Option<ServiceState>,
    /// A release check under way: whether it is going to pass.
    check: Option<bool>,
    /// Where it believes that its instance is.
    place: Option<Place>,
    reading: Option<Status>,
}

/// A step of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentStep {
    /// It asks where its instance is, and begins to drain where the group ends it.
    AskGroup,
    /// It reads the health.
    Read,
    /// It sets the protection that it wants, or takes it away.
    Protect,
    /// It leaves by itself: its Jibri is broken, or surplus.
    Leave,
    /// It does what is next for its drain.
    Act(Fate),
    /// It begins a look at the process.
    Look,
    /// What the look has shown arrives.
    Looked,
    /// What the release check has shown arrives.
    Checked,
    /// It sends a report.
    Report,
    Crash,
    Start,
}

impl Agent {
    pub fn is_up(&self) -> bool {
        !self.is_down
    }

    pub fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    pub fn reading(&self) -> Option<Status> {
        self.reading
    }

    pub fn is_checking(&self) -> bool {
        let phase = self.drain.as_ref().map(Drain::phase);
        phase == Some(DrainPhase::Checking)
    }

    pub fn is_kept(&self) -> bool {
        let phase = self.drain.as_ref().map(Drain::phase);
        matches!(phase, Some(DrainPhase::Kept(_)))
    }

    fn follow(&mut self) {
        self.begun.follow(self.drain.as_ref().map(Drain::phase));
    }

    /// A look or a check that proves nothing any more is forgotten.
    pub fn canonical(&mut self) {
        let phase = self.drain.as_ref().map(Drain::phase);
        let mut begun = BegunIn::default();
        begun.follow(phase);
        self.look = self.look.filter(|_| Some(self.begun.looked_in()) == phase);
        self.check = self
            .check
            .filter(|_| Some(self.begun.checked_in()) == phase);
        if self.look.is_some() {
            begun.look();
        }
        if self.check.is_some() {
            begun.check();
        }
        self.begun = begun;
    }

    /// That the hook holds its instance. Where the hook goes on to hold it until its agent has drained it, an agent that drains it does
    /// nothing else as long as it does not know that.
    pub fn knows_that_it_waits(&mut self) {
        if self.drain.is_some() {
            self.place = Some(Place::Waiting(0));
        }
    }

    fn spot(&self) -> Spot {
        match self.place {
            Some(Place::Pending | Place::InService) => Spot::InService,
            Some(Place::Waiting(_)) => Spot::Held,
            Some(Place::Retained) => Spot::Retained,
            Some(Place::Ended | Place::Absent) => Spot::Ending,
            None => Spot::Unknown,
        }
    }
}

impl Machine {
    pub fn service(&self) -> ServiceState {
        match self.jibri.process {
            Process::NotStarted => ServiceState::NotStarted,
            Process::Up => ServiceState::Running,
            // A container that is going to be restarted shows its end for a while.
            Process::Ended { exit, .. } => ServiceState::Ended {
                code: Some(match exit {
                    Exit::Told => 255,
                    Exit::Config => 0,
                    Exit::Crash => 1,
                }),
            },
        }
    }

    /// Reports arrive in any order.
    fn send(&mut self, report: Status) {
        self.channel.push(report);
        self.channel.sort_by_key(|it| (it.busy as u8, it.healthy));
    }

    /// What may have come in of its reports since that controller's last tick, where anything may at any time.
    pub fn unread(&self, by: &Controller) -> Vec<Heard> {
        let longest = by.units_since_tick().min(TTL);
        let said = 0..u8::try_from(self.channel.len()).expect("few");
        said.flat_map(|which| (0..=longest).map(move |units| (which, units)))
            .collect()
    }

    /// No supervisor starts what the latch is set for.
    pub fn set_latch(&mut self, replace: bool) {
        self.latch = Some(replace);
        if let Process::Ended { restart, .. } = &mut self.jibri.process {
            *restart = None;
        }
    }

    /// How long the hook has held it, where that is long enough for an agent to abandon what it keeps: then no tick that has seen it in
    /// service is under way any more.
    fn held_for(&self) -> Duration {
        match self.place {
            Place::Waiting(..LONG) => Duration::ZERO,
            _ => Duration::MAX,
        }
    }

    /// Which steps its agent can take now.
    pub fn agent_steps(&self, config: &Config, has_hook: bool, steps: &mut Vec<AgentStep>) {
        let Some(agent) = &self.agent else { return };
        if agent.is_down {
            steps.push(AgentStep::Start);
            return;
        }
        if agent.place != Some(self.place.known()) {
            steps.push(AgentStep::AskGroup);
        }
        let health = self.jibri.health();
        let is_answer_of_use = agent.is_draining() && health.is_some();
        if agent.reading != health || is_answer_of_use {
            steps.push(AgentStep::Read);
        }
        let in_service = self.place == Place::InService && agent.place == Some(Place::InService);
        if in_service && self.protected != agent.wants_protection(has_hook) {
            steps.push(AgentStep::Protect);
        }
        // After the boot deadline, which is longer than any supervisor takes.
        let is_down = matches!(self.jibri.process, Process::Ended { restart: None, .. });
        let is_over = is_down && agent.reading.is_none();
        let leaves = is_over || agent.reason_to_leave(config, self.protected && has_hook);
        if in_service && agent.drain.is_none() && leaves {
            steps.push(AgentStep::Leave);
        }
        if let Some(drain) = &agent.drain {
            let is_abandoned =
                drain.may_be_abandoned(agent.spot(), self.held_for(), config.retention);
            match drain.next(agent.spot()) {
                DrainAct::LookAtGroup | DrainAct::Watch | DrainAct::Rest if !is_abandoned => {}
                DrainAct::CheckRelease if agent.check.is_some() && !is_abandoned => {}
                DrainAct::CheckRelease if !is_abandoned => {
                    steps.push(AgentStep::Act(Fate::Well));
                }
                act if config.faults.calls => {
                    steps.push(AgentStep::Act(Fate::Well));
                    steps.push(AgentStep::Act(Fate::ActedUnknown));
                    if act == DrainAct::Tell && self.jibri.is_up() {
                        steps.push(AgentStep::Act(Fate::Misread));
                    }
                }
                _ => steps.push(AgentStep::Act(Fate::Well)),
            }
            if agent.check.is_some() {
                steps.push(AgentStep::Checked);
            }
            if agent.look.is_some() {
                steps.push(AgentStep::Looked);
            } else {
                steps.push(AgentStep::Look);
            }
        }
        let has_room = self.channel.len() < usize::from(config.channel);
        if agent.reading.is_some() && has_room && config.channel < ANY {
            steps.push(AgentStep::Report);
        }
        if config.faults.agents {
            steps.push(AgentStep::Crash);
        }
    }
}

impl Agent {
    /// In a group that has the hook, which it has listed just now (it may be a minute ago: see the assumptions).
    fn wants_protection(&self, has_hook: bool) -> bool {
        // The idle timeout may have passed at any time; the end of the process is seen elsewhere.
        let is_idle = self.reading.is_some_and(Status::is_idle);
        !(may_be_chosen(is_idle, self.drain.is_some(), true) && would_be_held(has_hook))
    }

    /// One that the group's hook would hold is to be unprotected first.
    fn reason_to_leave(&self, config: &Config, is_still_protected: bool) -> bool {
        let Some(reading) = self.reading else {
            return false;
        };
        let is_broken = !reading.healthy || reading.busy == crate::jibri::Busy::Expired;
        let is_surplus = config.wanted == 0 && reading.is_idle() && !is_still_protected;
        (is_broken && reading.busy != crate::jibri::Busy::Busy) || is_surplus
    }
}

impl World {
    pub fn agent_step(&mut self, config: &Config, index: usize, step: AgentStep) {
        let machine = &mut self.machines[index];
        let service = machine.service();
        let health = machine.jibri.health();
        let place = machine.place.known();
        let latch = machine.latch;
        let Some(agent) = &mut machine.agent else {
            return;
        };
        match step {
            AgentStep::Crash => {
                *agent = Agent {
                    is_down: true,
                    ..Agent::default()
                };
            }
            AgentStep::Start => {
                agent.is_down = false;
                agent.drain = latch.map(|replace| Drain::resumed(&latch_of(replace)));
            }
            AgentStep::AskGroup => {
                agent.place = Some(place);
                let is_leaving = matches!(place, Place::Waiting(_) | Place::Retained);
                if is_leaving && agent.drain.is_none() {
                    agent.drain = Some(Drain::new(true));
                }
            }
            AgentStep::Read => {
                agent.reading = health;
                if let (Some(read), Some(drain)) = (health, &mut agent.drain) {
                    let busy = read.busy == crate::jibri::Busy::Busy;
                    drain.answered(drain.phase(), busy);
                }
                if config.channel == ANY
                    && let Some(read) = health.map(as_read)
                    && !machine.channel.contains(&read)
                {
                    machine.send(read);
                }
            }
            AgentStep::Protect => {
                machine.protected = agent.wants_protection(self.has_hook);
            }
            AgentStep::Leave => {
                let reading = agent.reading.filter(|reading| reading.is_idle());
                if reading.is_some() && self.has_hook {
                    // It is surplus: the hook holds it, and it drains then.
                    let done = self.terminate(config, index, Decrement::Yes) == Answer::Done;
                    if done && let Some(agent) = &mut self.machines[index].agent {
                        agent.drain = Some(Drain::new(false));
                        agent.place = None;
                    }
                } else {
                    agent.drain = Some(Drain::new(reading.is_none()));
                }
            }
            AgentStep::Act(fate) => self.agent_act(config, index, fate),
            AgentStep::Look => {
                agent.begun.look();
                agent.look = Some(service);
                if config.goes_one_way() {
                    self.agent_step(config, index, AgentStep::Looked);
                    return;
                }
            }
            AgentStep::Looked => {
                if let (Some(seen), Some(drain)) = (agent.look.take(), &mut agent.drain) {
                    drain.process(agent.begun.looked_in(), seen);
                }
            }
            AgentStep::Checked => {
                if let (Some(passed), Some(drain)) = (agent.check.take(), &mut agent.drain) {
                    let result = if passed {
                        CheckResult::Passed
                    } else {
                        CheckResult::Failed(String::new())
                    };
                    drain.checked(agent.begun.checked_in(), &result);
                }
            }
            AgentStep::Report => {
                if let Some(reading) = agent.reading {
                    machine.send(reading);
                }
            }
        }
        if let Some(agent) = &mut self.machines[index].agent {
            agent.follow();
        }
    }

    fn agent_act(&mut self, config: &Config, index: usize, fate: Fate) {
        let machine = &mut self.machines[index];
        let is_clean = !machine.jibri.unsaved && !machine.jibri.uploading;
        let (has_latch, held_for) = (machine.latch.is_some(), machine.held_for());
        let Some(agent) = &mut machine.agent else {
            return;
        };
        let spot = agent.spot();
        let Some(drain) = &mut agent.drain else {
            return;
        };
        let is_known = fate == Fate::Well;
        if drain.may_be_abandoned(spot, held_for, config.retention) {
            agent.place = None;
            self.complete(config, index, true);
            return;
        }
        match drain.next(spot) {
            DrainAct::SetLatch => {
                let replace = drain.replace();
                if is_known {
                    drain.latched();
                }
                machine.set_latch(replace);
            }
            DrainAct::Tell if fate == Fate::Misread => drain.told(Told::Yes),
            DrainAct::Tell => {
                let told = match machine.jibri.post_end(config.supervisor, has_latch) {
                    Post::Took if is_known => Told::Yes,
                    Post::Took | Post::Blocked => Told::Unknown,
                    Post::Refused => Told::Refused,
                };
                drain.told(told);
            }
            DrainAct::CheckRelease => {
                agent.begun.check();
                agent.check = Some(is_clean);
                if config.goes_one_way() {
                    self.agent_step(config, index, AgentStep::Checked);
                }
            }
            DrainAct::Complete => {
                if is_known {
                    drain.released();
                }
                agent.place = None;
                self.complete(config, index, false);
            }
            DrainAct::End(decrement) => {
                agent.place = None;
                if self.terminate(config, index, decrement) == Answer::Refused
                    && let Some(agent) = &mut self.machines[index].agent
                    && let Some(drain) = &mut agent.drain
                {
                    drain.keep_size();
                }
            }
            _ => {}
        }
    }
}

fn latch_of(replace: bool) -> Latch {
    Latch::new(NOW, "", replace)
}
