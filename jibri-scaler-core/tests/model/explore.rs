//! The model as the checker sees it: the global state, everybody's next steps, and what must hold in each state.

use jibri_scaler_core::safeguard::Safeguard;
use stateright::{Model, Property};

use crate::{
    agent::AgentStep,
    bounds,
    company::Deed,
    controller::{Controller, Fate, View},
    jibri::{Binding, Finalize, Process, Work},
    liveness,
    world::{ANY, Broken, Config, LONG, Left, Place, Rebinding, World},
};

/// The next step of anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// One unit of time passes.
    Pass,
    /// The group launches an instance.
    Launch(u8),
    EnterService(u8),
    /// The group chooses an instance, since more are in service than desired.
    ScaleIn(u8),
    /// The hook has waited for too long.
    HookTimesOut(u8),
    /// Somebody ends an instance through the group, so that the hook runs.
    EndedByOthers(u8),
    /// An instance is taken by force: operator, Spot, host failure, health check, refresh, deletion.
    Force(u8),
    /// Another controller does something.
    ByOthers(Deed),
    /// Somebody lowers the desired capacity.
    LowerDesired,
    /// Somebody deletes the hook.
    RemoveHook,
    Start(u8, Binding),
    OpenHealth(u8),
    /// The dispatcher gives it a session.
    Accept(u8),
    PublishBusy(u8),
    Stop(u8, bool),
    Finalized(u8, Finalize),
    Uploaded(u8),
    /// `notifyConfigChanged`.
    Reconfigure(u8),
    Crash(u8),
    /// Somebody starts the process by hand: while the release check runs, or between two ticks.
    ByHand(u8),
    Agent(u8, AgentStep),
    /// A report arrives at a controller, and may arrive once more.
    Deliver(u8, u8, u8, bool),
    Lose(u8, u8),
    Tick(u8, View),
    Step(u8, u8, Fate),
    ControllerCrash(u8, bool),
}

/// One configuration, explored by the checker.
#[derive(Clone, Debug)]
pub struct Exploration(pub Config);

impl Model for Exploration {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        Safeguard::without(&self.0.rules, || vec![self.0.start()])
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.broken.is_none() {
            Safeguard::without(&self.0.rules, || world.actions(&self.0, actions));
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        Safeguard::without(&self.0.rules, || {
            next.act(&self.0, action);
            next.canonical_after(&self.0, Some(world));
        });
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! never {
            ($name:literal, $broken:pat) => {
                Property::<Self>::always($name, |_, world: &World| {
                    !matches!(world.broken, Some($broken))
                })
            };
        }
        vec![
            never!("no recording is lost", Broken::Lost),
            never!("no recording is left behind", Broken::Unsaved),
            never!("desired is never above the maximum", Broken::AboveMax),
            never!("desired is never lowered to shrink", Broken::Lowered),
            never!("never below the minimum", Broken::BelowMin),
            never!("no more is launched than is wanted", Broken::Overgrown),
            never!("only the free are retired", Broken::NotFree),
            never!("only what can be told is retired", Broken::NoWay),
            never!("no decrement while spare is missing", Broken::Gap),
            never!("controllers do what they do in company", Broken::UnknownAct),
            never!(
                "controllers are shown what they are in any world",
                Broken::UnknownInput
            ),
            Property::always(
                "running is at most maximum plus draining",
                |model: &Self, world: &World| bounds::runs_no_more_than_it_may(&model.0, world),
            ),
            Property::always(
                "desired stays between minimum and maximum",
                |model: &Self, world: &World| (model.0.min..=model.0.max).contains(&world.desired),
            ),
            Property::always(
                "without faults the goal is reached",
                |model: &Self, world| {
                    Safeguard::without(&model.0.rules, || liveness::reaches_goal(&model.0, world))
                },
            ),
        ]
    }
}

impl World {
    pub fn actions(&self, config: &Config, actions: &mut Vec<Action>) {
        let faults = config.faults;
        let may_pass = self.controllers.iter().all(|it| it.may_wait(faults.slow))
            && self.machines.iter().all(|machine| {
                !matches!(
                    machine.jibri.process,
                    Process::Ended {
                        restart: Some(1..),
                        ..
                    }
                )
            });
        if may_pass && !self.starts_unseen() {
            actions.push(Action::Pass);
        }
        if let Some(index) = self.to_launch() {
            actions.push(Action::Launch(small(index)));
        }
        if config.company {
            // Beside a controller the desired capacity is a count: any of them is shown in `alone`.
            let is_of_use = |deed: &Deed| config.agents || !matches!(deed, Deed::SetCapacity(_));
            let deeds = self.deeds(config).into_iter().filter(is_of_use);
            actions.extend(deeds.map(Action::ByOthers));
        }
        if self.outside > 0 && self.desired > config.min {
            actions.push(Action::LowerDesired);
        }
        let is_removed = faults.hook_removed && (faults.relied_on || !self.relies_on_hook());
        if self.outside > 0 && self.has_hook && is_removed {
            actions.push(Action::RemoveHook);
        }
        for (index, machine) in self.machines.iter().enumerate() {
            let m = small(index);
            if !machine.place.is_listed() {
                continue;
            }
            if machine.place == Place::Pending {
                actions.push(Action::EnterService(m));
            }
            if self.is_surplus(config, index) {
                actions.push(Action::ScaleIn(m));
            }
            if self.outside > 0 {
                actions.push(Action::Force(m));
            }
            // Without a hook it is by force, which is below.
            let may_be_ended = machine.place == Place::InService && self.has_hook;
            if may_be_ended && faults.ended && self.outside > 0 {
                actions.push(Action::EndedByOthers(m));
            }
            // A hook waits for longer than a tick takes.
            if matches!(machine.place, Place::Waiting(LONG)) {
                let is_silent = machine.agent.as_ref().is_none_or(|agent| !agent.is_up());
                if faults.timeout || is_silent {
                    actions.push(Action::HookTimesOut(m));
                }
            }
            self.jibri_actions(config, index, actions);
            let mut steps = Vec::new();
            machine.agent_steps(config, self.has_hook, &mut steps);
            actions.extend(steps.into_iter().map(|step| Action::Agent(m, step)));
            let under_way = match config.channel {
                ANY => 0,
                _ => machine.channel.len(),
            };
            for report in 0..under_way {
                let report = small(report);
                for c in 0..small(self.controllers.len()) {
                    if faults.channel {
                        actions.push(Action::Deliver(m, report, c, true));
                    }
                    actions.push(Action::Deliver(m, report, c, false));
                }
                if faults.channel {
                    actions.push(Action::Lose(m, report));
                }
            }
        }
        for (c, controller) in self.controllers.iter().enumerate() {
            let c = small(c);
            if controller.may_tick() {
                self.views(config, c, actions);
            }
            if controller.is_running() {
                for which in 0..controller.open() {
                    let which = small(which);
                    actions.push(Action::Step(c, which, Fate::Well));
                    if faults.calls {
                        actions.push(Action::Step(c, which, Fate::ActedUnknown));
                        actions.push(Action::Step(c, which, Fate::Nothing));
                        if controller.tells(which.into()) {
                            actions.push(Action::Step(c, which, Fate::Misread));
                        }
                    }
                }
            }
            if faults.controllers {
                actions.push(Action::ControllerCrash(c, true));
                actions.push(Action::ControllerCrash(c, false));
            }
        }
    }

    /// How a tick of this controller may see the group.
    fn views(&self, config: &Config, c: u8, actions: &mut Vec<Action>) {
        let controller = &self.controllers[usize::from(c)];
        let plain = View::default();
        let mut views = vec![plain];
        if config.faults.calls {
            let silent = (0..config.machines).map(Some);
            views.extend(silent.map(|silent| View { silent, ..plain }));
            views.push(View {
                unsaved: true,
                ..plain
            });
        }
        if config.faults.old_listing && controller.has_old_listing() {
            views.push(View { old: true, ..plain });
        }
        if config.faults.lagging {
            let left =
                (0..config.machines).filter(|m| self.machines[usize::from(*m)].left.is_some());
            let without = views.clone();
            for lagging in left.map(Some) {
                views.extend(without.iter().map(|view| View { lagging, ..*view }));
            }
        }
        let idle = (0..config.machines).filter(|m| controller.is_long_idle((*m).into()));
        if config.machines > 1 {
            let without = views.clone();
            for longest in idle.map(Some) {
                views.extend(without.iter().map(|view| View { longest, ..*view }));
            }
        }
        if config.channel == ANY {
            for (index, machine) in self.machines.iter().enumerate() {
                let without = views.clone();
                for heard in machine.unread(controller) {
                    views.extend(without.iter().map(|view| {
                        let mut view = *view;
                        view.heard[index] = Some(heard);
                        view
                    }));
                }
            }
        }
        actions.extend(views.into_iter().map(|view| Action::Tick(c, view)));
    }

    fn jibri_actions(&self, config: &Config, index: usize, actions: &mut Vec<Action>) {
        let (m, machine) = (small(index), &self.machines[index]);
        let (jibri, faults) = (&machine.jibri, config.faults);
        let may_start = machine.latch.is_none() || jibri.process != Process::NotStarted;
        if jibri.can_start() && may_start {
            let first = jibri.process == Process::NotStarted;
            for binding in self.bindings(config, index, first) {
                actions.push(Action::Start(m, binding));
            }
        }
        if jibri.can_open_health() {
            actions.push(Action::OpenHealth(m));
        }
        if jibri.can_accept() {
            actions.push(Action::Accept(m));
        }
        match jibri.work {
            Work::Accepted => actions.push(Action::PublishBusy(m)),
            Work::Recording => {
                actions.push(Action::Stop(m, false));
                if faults.system_errors {
                    actions.push(Action::Stop(m, true));
                }
            }
            Work::Finalizing => {
                actions.push(Action::Finalized(m, Finalize::Uploaded));
                if faults.finalize {
                    actions.push(Action::Finalized(m, Finalize::Failed));
                    actions.push(Action::Finalized(m, Finalize::Detached));
                }
            }
            Work::Free => {}
        }
        if jibri.uploading {
            actions.push(Action::Uploaded(m));
        }
        let is_time = !faults.late || machine.latch.is_some();
        let is_time = is_time && (jibri.has_settled() || faults.loops);
        if self.restarts > 0 && jibri.is_up() && is_time {
            if jibri.can_take_config() {
                actions.push(Action::Reconfigure(m));
            }
            actions.push(Action::Crash(m));
        }
        let is_checking = machine
            .agent
            .as_ref()
            .is_some_and(crate::agent::Agent::is_checking);
        let has_ended = matches!(jibri.process, Process::Ended { restart: None, .. });
        // A controller looks right before it gives back; in between nobody starts it.
        let is_between = machine.agent.is_none()
            && !self.controllers.is_empty()
            && !self.controllers.iter().any(Controller::is_running);
        if faults.by_hand && self.restarts > 0 && (is_checking || is_between) && has_ended {
            actions.push(Action::ByHand(m));
        }
    }

    /// Whether a Jibri that was told starts where only its health is in sight, which refuses until it is up. That takes less than a unit.
    fn starts_unseen(&self) -> bool {
        self.machines.iter().enumerate().any(|(index, machine)| {
            let jibri = &machine.jibri;
            let only_health = jibri.binding.health && !jibri.binding.internal;
            jibri.can_open_health() && only_health && self.is_asked(index)
        })
    }

    /// Whether some controller believes that it has told this one to end, or may find out that it has.
    fn is_asked(&self, index: usize) -> bool {
        let mut controllers = self.controllers.iter();
        controllers.any(|it| it.has_told(index) || it.has_asked(index))
    }

    /// Which ports may be open after a start: each is bound by a setting of its own. While it is told, one of them stays in sight, except
    /// where the configuration of the model says otherwise.
    fn bindings(&self, config: &Config, index: usize, is_first: bool) -> Vec<Binding> {
        let all = [(true, true), (false, true), (true, false), (false, false)];
        let all = all.map(|(health, internal)| Binding { health, internal });
        let is_told = self.is_asked(index);
        match config.rebinding {
            _ if !config.direct => vec![Binding::OPEN],
            Rebinding::Never => vec![self.machines[index].jibri.binding],
            Rebinding::UntilTold if is_told && !is_first => all[..3].to_vec(),
            _ => all.to_vec(),
        }
    }

    pub fn act(&mut self, config: &Config, action: Action) {
        let latch = |world: &Self, m: u8| world.machines[usize::from(m)].latch.is_some();
        match action {
            Action::Pass => self.pass(),
            Action::Launch(m) => self.machines[usize::from(m)].place = Place::Pending,
            Action::EnterService(m) => self.machines[usize::from(m)].place = Place::InService,
            Action::ScaleIn(m) => self.leave(config, m.into()),
            Action::HookTimesOut(m) => {
                self.complete(config, m.into(), true);
            }
            Action::EndedByOthers(m) => {
                self.outside -= 1;
                self.leave(config, m.into());
            }
            Action::ByOthers(deed) => self.deed(config, deed),
            Action::Force(m) => {
                self.outside -= 1;
                self.give_back(config, m.into(), true);
            }
            Action::RemoveHook => {
                self.outside -= 1;
                self.has_hook = false;
                for index in 0..self.machines.len() {
                    // AWS completes what waits for it first, with CONTINUE: it is taken by force.
                    if matches!(self.machines[index].place, Place::Waiting(_)) {
                        self.give_back(config, index, true);
                    }
                }
            }
            Action::LowerDesired => {
                self.outside -= 1;
                self.desired -= 1;
            }
            Action::Start(m, binding) => self.machines[usize::from(m)].jibri.start(binding),
            Action::OpenHealth(m) => self.machines[usize::from(m)].jibri.open_health(),
            Action::Accept(m) => {
                self.machines[usize::from(m)].jibri.accept();
                if config.shared {
                    let left = self.machines[usize::from(m)].jibri.sessions;
                    for machine in &mut self.machines {
                        machine.jibri.sessions = left.min(machine.jibri.sessions);
                    }
                }
            }
            Action::PublishBusy(m) => self.machines[usize::from(m)].jibri.publish_busy(),
            Action::Stop(m, error) => self.machines[usize::from(m)].jibri.stop(error),
            Action::Finalized(m, how) => {
                let latch = latch(self, m);
                let jibri = &mut self.machines[usize::from(m)].jibri;
                jibri.finalized(how, config.single_use, config.supervisor, latch);
            }
            Action::Uploaded(m) => self.machines[usize::from(m)].jibri.uploading = false,
            Action::Reconfigure(m) => {
                self.restarts -= 1;
                let latch = latch(self, m);
                let jibri = &mut self.machines[usize::from(m)].jibri;
                jibri.post_config(config.supervisor, latch);
            }
            Action::Crash(m) => {
                self.restarts -= 1;
                let latch = latch(self, m);
                let jibri = &mut self.machines[usize::from(m)].jibri;
                jibri.crash(config.supervisor, latch);
            }
            Action::ByHand(m) => {
                self.restarts -= 1;
                let jibri = &mut self.machines[usize::from(m)].jibri;
                jibri.start(jibri.binding);
            }
            Action::Agent(m, step) => self.agent_step(config, m.into(), step),
            Action::Deliver(m, report, c, again) => {
                let channel = &mut self.machines[usize::from(m)].channel;
                let status = channel[usize::from(report)];
                if !again {
                    channel.remove(report.into());
                }
                self.hears(c.into(), m.into(), status, 0);
            }
            Action::Lose(m, report) => {
                self.machines[usize::from(m)].channel.remove(report.into());
            }
            Action::Tick(c, view) => self.tick(config, c.into(), view),
            Action::Step(c, which, fate) => {
                self.step(config, c.into(), which.into(), fate);
            }
            Action::ControllerCrash(c, memory) => self.controllers[usize::from(c)].crash(memory),
        }
    }

    fn pass(&mut self) {
        for controller in &mut self.controllers {
            controller.pass();
        }
        for machine in &mut self.machines {
            if let Place::Waiting(units) = &mut machine.place {
                *units = LONG.min(*units + 1);
            }
            machine.left = machine.left.filter(|left| !left.is_last).map(|left| Left {
                is_last: true,
                ..left
            });
            machine.jibri.pass();
            if self.restarts == 0 {
                machine.jibri.settle();
            }
        }
    }
}

fn small(index: usize) -> u8 {
    u8::try_from(index).expect("few of them")
}
