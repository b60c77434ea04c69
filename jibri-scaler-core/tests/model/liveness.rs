//! Liveness as a property of each state: what happens from there on, without faults and in a fair order, reaches the goal within
//! so many units of time. A checker's "eventually" would not see a cycle.
//!
//! The goal: what is surplus and idle is gone, what is wanted is there, and no recording that goes on for ever keeps the others
//! from either.

use crate::{
    agent::AgentStep,
    controller::{Fate, View, is_given_up},
    explore::Action,
    jibri::{Finalize, Process, Work},
    world::{Config, LONG, Machine, Place, World},
};

/// Within so many units the goal is reached without faults. A Jibri that comes back twice is told three times, four units apart.
pub const PATIENCE: u8 = 20;

/// More steps than anybody takes in one unit without faults.
const ROUNDS: usize = 40;

/// Whether the fault-free continuation from here reaches the goal in time, whichever of two controllers ticks first.
pub fn reaches_goal(config: &Config, world: &World) -> bool {
    if config.patience == 0 || world.broken.is_some() {
        return true;
    }
    let controllers = world.controllers.len();
    let order: Vec<_> = (0..controllers).collect();
    let reversed: Vec<_> = (0..controllers).rev().collect();
    reaches_goal_in(config, world, &order)
        && (order == reversed || reaches_goal_in(config, world, &reversed))
}

/// The same where the controllers tick in this order.
fn reaches_goal_in(config: &Config, world: &World, order: &[usize]) -> bool {
    let calm = Config {
        faults: crate::world::Faults::default(),
        ..config.clone()
    };
    let mut world = world.clone();
    world.outside = 0;
    world.restarts = 0;
    for machine in &mut world.machines {
        machine.jibri.sessions = 0;
    }
    for _ in 0..config.patience {
        world.settle(&calm);
        for c in order.iter().copied() {
            world.finish(&calm, c);
            if world.controllers[c].may_tick() {
                let view = View::default();
                world.tick(&calm, c, view);
                world.finish(&calm, c);
            }
        }
        world.settle(&calm);
        if world.is_at_goal(&calm) {
            return true;
        }
        world.act(&calm, Action::Pass);
    }
    false
}

impl World {
    /// The tick that is under way goes on to its end, and all its calls work.
    fn finish(&mut self, config: &Config, c: usize) {
        for _ in 0..ROUNDS {
            if !self.controllers[c].is_running() {
                return;
            }
            self.step(config, c, 0, Fate::Well);
        }
    }

    /// Everybody but the controllers does what there is to do.
    fn settle(&mut self, config: &Config) {
        for _ in 0..ROUNDS {
            let before = self.clone();
            if let Some(index) = self.to_launch() {
                self.machines[index].place = Place::Pending;
            }
            for index in 0..self.machines.len() {
                self.settle_machine(config, index);
            }
            if *self == before {
                return;
            }
        }
    }

    fn settle_machine(&mut self, config: &Config, index: usize) {
        let m = u8::try_from(index).expect("few machines");
        let machine = &self.machines[index];
        if !machine.place.is_listed() {
            return;
        }
        let jibri = &machine.jibri;
        let mut actions = Vec::new();
        if machine.place == Place::Pending {
            actions.push(Action::EnterService(m));
        }
        if self.is_surplus(config, index) {
            actions.push(Action::ScaleIn(m));
        }
        // The hook waits for longer than a controller does that has given the machine back.
        let is_let_go = self.controllers.iter().any(|it| it.has_given_back(index));
        let is_over = machine.place == Place::Waiting(LONG) && machine.agent.is_none();
        if is_over && !is_let_go {
            actions.push(Action::HookTimesOut(m));
        }
        let is_new = jibri.process == Process::NotStarted;
        if jibri.can_start() && !(is_new && machine.latch.is_some()) {
            actions.push(Action::Start(m, jibri.binding));
        }
        if jibri.can_open_health() {
            actions.push(Action::OpenHealth(m));
        }
        match jibri.work {
            Work::Accepted => actions.push(Action::PublishBusy(m)),
            Work::Recording if !config.endless => actions.push(Action::Stop(m, false)),
            Work::Finalizing => actions.push(Action::Finalized(m, Finalize::Uploaded)),
            _ => {}
        }
        if jibri.uploading {
            actions.push(Action::Uploaded(m));
        }
        for action in actions.into_iter().take(1) {
            self.act(config, action);
        }
        let mut steps = Vec::new();
        self.machines[index].agent_steps(config, self.has_hook, &mut steps);
        for step in steps {
            if step != AgentStep::Report {
                self.agent_step(config, index, step);
            }
        }
        let agent = self.machines[index].agent.as_ref();
        if let Some(reading) = agent.and_then(crate::agent::Agent::reading) {
            self.machines[index].channel.clear();
            for controller in &mut self.controllers {
                controller.receive(index, reading, 0);
            }
        }
    }

    fn is_at_goal(&self, config: &Config) -> bool {
        let is_spare = |machine: &&Machine| {
            machine.place == Place::InService
                && machine.jibri.work == Work::Free
                && machine
                    .jibri
                    .health()
                    .is_some_and(crate::jibri::Status::is_idle)
                && (config.agents || machine.jibri.binding.health)
        };
        let wanted = usize::try_from(config.wanted).expect("few");
        let spare = self.machines.iter().filter(is_spare).count();
        let is_full = self.count(Place::counts) >= config.max
            || !self.machines.iter().any(|it| it.place == Place::Absent);
        // One that cannot be told is scaled out and never in, and one that was given up on is a human's.
        let surplus = self.machines.iter().enumerate().filter(|(index, machine)| {
            let is_hopeless =
                (0..self.controllers.len()).any(|c| is_given_up(&self.controllers[c], *index));
            let agent = machine.agent.as_ref();
            let may_go = machine.jibri.binding.internal || agent.is_some();
            is_spare(machine) && may_go && !is_hopeless
        });
        let surplus = surplus.count();
        let left_over = self.machines.iter().enumerate().any(|(index, machine)| {
            let agent = machine.agent.as_ref();
            let is_kept = agent.is_some_and(crate::agent::Agent::is_kept);
            let is_hopeless =
                (0..self.controllers.len()).any(|c| is_given_up(&self.controllers[c], index));
            // Its Jibri has ended, and its machine is neither given back nor kept for a human.
            let has_ended = matches!(machine.jibri.process, Process::Ended { .. });
            let is_ours =
                machine.place == Place::InService || matches!(machine.place, Place::Waiting(_));
            // What is to go is free, and has not gone.
            let is_leaving = agent.map_or_else(
                || {
                    let gone = self.controllers.iter().any(|it| it.takes_for_gone(index));
                    let binding = machine.jibri.binding;
                    // Where the health is out of sight, one started between two looks cannot be told from one that records.
                    let is_seen = binding.health || gone;
                    binding.internal && is_seen && !self.is_unknown_to_us(index)
                },
                crate::agent::Agent::is_draining,
            );
            let has_stayed = machine.jibri.is_up() && !machine.jibri.is_working() && is_leaving;
            let is_over = has_ended && !self.is_unknown_to_us(index);
            is_ours && (is_over || has_stayed) && !is_kept && !is_hopeless
        });
        let may_shrink = self.desired > config.min;
        (spare >= wanted || is_full) && (surplus <= wanted || !may_shrink) && !left_over
    }

    /// A Jibri that ended without having been told, and whose supervisor leaves it down, as with a crash under systemd's start limit.
    fn is_unknown_to_us(&self, index: usize) -> bool {
        let machine = &self.machines[index];
        machine.agent.is_none()
            && self
                .controllers
                .iter()
                .all(|controller| !controller.is_retiring(index))
    }
}
