//! Letting go wrong what is drawn.

use jibri_scaler_core::{
    Memory,
    port::{Decrement, GroupControl as _},
    retirement::Phase,
};

use super::{
    jibri::Jibri,
    kind::Kind,
    life::Life,
    secs,
    trouble::{OF_CALLS, OF_FLEET},
    world::{World, at_once},
};

impl Life {
    /// Lets go wrong what is due.
    pub(super) fn trouble(&mut self) {
        let tick = self.world.tick;
        let world = &mut self.world;
        let on = |kind| world.trouble.is_on(kind, tick);
        let begins = |kind| world.trouble.begins(kind, tick);
        let wrong = world.trouble.on(&OF_FLEET, tick);
        world.fleet.lock().set_wrong(wrong);
        for side in [Some(&mut self.first), self.second.as_mut()]
            .into_iter()
            .flatten()
        {
            side.calls.lock().unwrap().wrong = world.trouble.on(&OF_CALLS, tick);
        }
        let jumps = [(Kind::ClockForward, 1), (Kind::ClockBack, -1)];
        for (kind, sign) in jumps.into_iter().filter(|(kind, _)| begins(*kind)) {
            let far = [20, 40, 300, 7200][usize::try_from(world.chance.below(4)).unwrap()];
            self.first.skew += sign * far;
            self.counts.one(kind);
            for id in world.fleet.lock().ids() {
                if world.chance.below(2) == 0 {
                    world.agents.jump(&id, sign * far);
                }
            }
        }
        if on(Kind::Restarts) && tick.is_multiple_of(3) {
            world.restart(&mut self.first);
            self.counts.one(Kind::Restarts);
        }
        if begins(Kind::OldMemory) && self.first.store.go_back(1 + world.chance.below(30)) {
            world.restart(&mut self.first);
            self.counts.one(Kind::OldMemory);
        }
        if begins(Kind::NoMemory) {
            self.first.store.clear();
            world.restart(&mut self.first);
            self.counts.one(Kind::NoMemory);
        }
        match (&self.second, on(Kind::TwoControllers)) {
            (None, true) => self.second = Some(world.side(1)),
            (Some(_), false) => self.second = None,
            _ => {}
        }
        let gone = self.lose_machines(tick);
        self.counts.add(Kind::ZoneLost, gone.0);
        self.counts.add(Kind::SpotWave, gone.1);
        self.trouble_jibris(tick);
        if self.world.trouble.is_on(Kind::BackAtTheLast, tick) {
            self.back_at_the_last();
        }
        if self.world.setting.agents {
            self.trouble_agents(tick);
        }
    }

    /// Some Jibris whose end was confirmed are back, and record, just when their machines are to be given back.
    fn back_at_the_last(&mut self) {
        let gone = [Some(&self.first), self.second.as_ref()];
        let gone = gone.into_iter().flatten().flat_map(|side| {
            let memory = side.controller.memory();
            let retirements = memory.into_iter().flat_map(Memory::retirements);
            let gone = retirements.filter(|(_, r)| r.phase() == Phase::Gone);
            gone.map(|(id, _)| id.clone()).collect::<Vec<_>>()
        });
        for id in gone.collect::<Vec<_>>() {
            if self.world.chance.below(2) == 0 {
                let length = self.length();
                let is_back = self.world.fleet.lock().back_at_the_last(&id, length);
                self.counts.add(Kind::BackAtTheLast, u64::from(is_back));
            }
        }
    }

    /// What happens to agents, and what humans do about it.
    fn trouble_agents(&mut self, tick: u64) {
        let world = &mut self.world;
        if world.trouble.is_on(Kind::EndedAgain, tick) {
            let leaving = world.fleet.lock().leaving_unseen();
            for id in leaving {
                let ended = at_once(world.group.terminate(&id, Decrement::No));
                self.counts.add(Kind::EndedAgain, u64::from(ended.is_ok()));
            }
            world.settle();
        }
        let mut fleet = world.fleet.lock();
        for id in fleet.ids() {
            if world.trouble.is_on(Kind::AgentsKilled, tick) && world.chance.below(20) == 0 {
                let after = u32::try_from(world.chance.below(12)).unwrap();
                fleet.kill_agent(&id, after);
            }
            if world.chance.below(40) == 0 {
                let saves = |jibri: &mut Jibri, _| {
                    let needs = jibri.needs_saving();
                    if needs {
                        jibri.save();
                    }
                    needs
                };
                world.saved += u64::from(fleet.with(&id, saves) == Some(true));
            }
        }
    }

    /// Takes machines away: all of a zone, and some at random. Returns how many of each.
    fn lose_machines(&mut self, tick: u64) -> (u64, u64) {
        let world = &mut self.world;
        let zone = world.trouble.begins(Kind::ZoneLost, tick);
        let wave = world.trouble.window(Kind::SpotWave);
        let wave = wave.is_some_and(|wave| (wave.from..wave.from + 3).contains(&tick));
        let (mut of_zone, mut of_wave) = (0, 0);
        if zone || wave {
            for row in world.group.current().instances {
                let here = row
                    .zone
                    .is_some_and(|zone| zone.as_str() == World::bad_zone());
                if zone && here {
                    of_zone += u64::from(world.take(&row.id));
                } else if wave && world.chance.below(3) == 0 {
                    of_wave += u64::from(world.take(&row.id));
                }
            }
        }
        (of_zone, of_wave)
    }

    /// What happens to Jibris.
    fn trouble_jibris(&mut self, tick: u64) {
        let world = &mut self.world;
        let mut fleet = world.fleet.lock();
        for id in fleet.ids() {
            let (on, begins) = (
                |kind| world.trouble.is_on(kind, tick),
                |kind| world.trouble.begins(kind, tick),
            );
            if on(Kind::Crashes) && world.chance.below(60) == 0 {
                fleet.crash(&id);
                self.counts.one(Kind::Crashes);
            }
            if begins(Kind::Resurrects) && world.chance.below(2) == 0 {
                let after = secs(3 + world.chance.below(18));
                fleet.with(&id, |jibri, _| jibri.resurrects = Some(after));
            }
            if on(Kind::StartedByHand) && world.chance.below(6) == 0 {
                let started = fleet.start_by_hand(&id);
                self.counts.add(Kind::StartedByHand, u64::from(started));
            }
            if on(Kind::Blips) && world.chance.below(12) == 0 {
                self.counts.add(Kind::Blips, u64::from(fleet.blip(&id)));
            }
            if on(Kind::ConfigChanged) && world.chance.below(8) == 0 {
                let overwritten = fleet.with(&id, Jibri::change_config);
                self.counts
                    .add(Kind::ConfigChanged, u64::from(overwritten == Some(true)));
            }
            if on(Kind::Unhealthy) && world.chance.below(100) == 0 {
                fleet.with(&id, |jibri, _| jibri.unhealthy = true);
                self.counts.one(Kind::Unhealthy);
            }
            if begins(Kind::SingleUse) && world.chance.below(2) == 0 {
                fleet.with(&id, |jibri, _| jibri.single_use = true);
            }
        }
    }
}
