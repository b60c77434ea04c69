//! What any number of controllers may do to a machine and to its group, at any time: written down once.
//!
//! A Jibri or an agent in company (`Config::company`) meets all of it in every state. And wherever a controller takes part, each of its
//! steps is compared with it: what it does to the world must be one of these, or nothing. So what was explored in company holds beside
//! any number of such controllers.

use crate::world::{Config, LONG, Machine, Place, World};

/// What a controller may do. The number is that of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    /// It tells the Jibri to end.
    Tell(u8),
    /// It protects the instance.
    Protect(u8),
    /// It has the group end the instance, and says whether the desired capacity goes down with it.
    End(u8, bool),
    /// It sets the desired capacity.
    SetCapacity(u8),
    /// It ends the wait of the hook.
    Complete(u8),
}

impl Machine {
    /// Whether a controller may end it now. It is handed over to its agent, or it is gone; that a controller takes for gone only what
    /// is, is what it promises the others, and what is checked of each.
    fn may_be_ended(&self, config: &Config, has_hook: bool) -> bool {
        let is_handed_over = has_hook && self.agent.is_some();
        let is_kept = self.jibri.unsaved && config.agents;
        let is_gone = !self.jibri.is_working() && !is_kept;
        self.place == Place::InService && (is_handed_over || is_gone)
    }

    /// Whether a controller may end the wait of its hook now: that it does so only for one that it has given back, and so only where
    /// nobody records, is what it promises the others; and that its agent has had the time to keep what was not uploaded.
    fn may_be_completed(&self) -> bool {
        let is_kept = self.jibri.unsaved && self.place != Place::Waiting(LONG);
        matches!(self.place, Place::Waiting(_)) && !self.jibri.is_working() && !is_kept
    }
}

impl World {
    /// All that controllers may do now.
    pub fn deeds(&self, config: &Config) -> Vec<Deed> {
        let to = config.min..=config.max;
        let mut deeds: Vec<_> = to
            .filter(|to| *to != self.desired)
            .map(Deed::SetCapacity)
            .collect();
        for (index, machine) in self.machines.iter().enumerate() {
            let m = u8::try_from(index).expect("few machines");
            if machine.place.is_listed() && machine.can_be_told() {
                deeds.push(Deed::Tell(m));
            }
            if machine.place == Place::InService && !machine.protected {
                deeds.push(Deed::Protect(m));
            }
            if machine.may_be_completed() {
                deeds.push(Deed::Complete(m));
            }
            if machine.may_be_ended(config, self.has_hook) {
                deeds.push(Deed::End(m, false));
                if self.desired > config.min {
                    deeds.push(Deed::End(m, true));
                }
            }
        }
        deeds
    }

    /// A controller does that.
    pub fn deed(&mut self, config: &Config, deed: Deed) {
        match deed {
            Deed::Tell(m) => {
                let machine = &mut self.machines[usize::from(m)];
                let latch = machine.latch.is_some();
                machine.jibri.post_end(config.supervisor, latch);
            }
            Deed::Protect(m) => self.machines[usize::from(m)].protected = true,
            Deed::End(m, decrements) => {
                self.desired -= u8::from(decrements);
                self.leave(config, m.into());
            }
            Deed::SetCapacity(to) => self.desired = to,
            Deed::Complete(m) => self.let_go(config, m.into()),
        }
    }

    /// Whether it is the same but for what is the controllers' own. Whether one had the time to protect a machine is not asked where the
    /// group is taken to choose at any time, nor of one that is protected.
    fn is_same(&self, config: &Config, other: &Self) -> bool {
        let same = |(one, other): (&Machine, &Machine)| {
            let had_time = config.agents || one.protected || one.had_time == other.had_time;
            let one = Machine {
                had_time: other.had_time,
                ..one.clone()
            };
            had_time && one == *other
        };
        self.desired == other.desired
            && self.has_hook == other.has_hook
            && self.machines.iter().zip(&other.machines).all(same)
    }
}

/// Whether what a controller has done in one call is what it may do. One call protects several machines.
pub fn may_do(config: &Config, before: &World, after: &World) -> bool {
    leads(config, before, after, before.machines.len())
}

fn leads(config: &Config, before: &World, after: &World, deeds: usize) -> bool {
    before.is_same(config, after)
        || deeds > 0
            && before.deeds(config).into_iter().any(|deed| {
                let mut next = before.clone();
                next.deed(config, deed);
                leads(config, &next, after, deeds - 1)
            })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        configs,
        explore::{Action, Exploration},
        world::{Broken, Faults},
    };
    use jibri_scaler_core::port::Decrement;
    use stateright::Model as _;

    /// A world in which the Jibri records.
    fn recording(config: &Config) -> World {
        let mut world = config.start();
        let jibri = &mut world.machines[0].jibri;
        jibri.start(crate::jibri::Binding::OPEN);
        jibri.open_health();
        jibri.accept();
        jibri.publish_busy();
        world
    }

    #[test]
    fn what_no_controller_may_do_is_seen() {
        let may = |config: &Config, change: &dyn Fn(&mut World)| {
            let before = recording(config);
            let mut after = before.clone();
            change(&mut after);
            may_do(config, &before, &after)
        };
        let (direct, agent) = (configs::direct(), configs::reporting());
        let ends = |config: &Config| {
            let config = config.clone();
            move |world: &mut World| {
                world.terminate(&config, 0, Decrement::No);
            }
        };
        assert!(!may(&direct, &ends(&direct)), "nobody drains it");
        assert!(may(&agent, &ends(&agent)), "its agent drains it");
        let unhooked = Config {
            hook: false,
            ..agent.clone()
        };
        assert!(!may(&unhooked, &ends(&unhooked)));
        for place in [Place::Retained, Place::Waiting(0)] {
            let mut before = recording(&agent);
            before.machines[0].place = place;
            let mut after = before.clone();
            after.give_back(&agent, 0, true);
            assert!(!may_do(&agent, &before, &after), "{place:?}");
        }
        assert!(!may(&agent, &|world| world.has_hook = false));
        assert!(!may(&agent, &|world| world.machines[0].latch = Some(true)));
        assert!(may(&agent, &|world| world.machines[0].protected = true));
        assert!(may(&agent, &|world| world.desired = 0));
        assert!(
            !may(&agent, &|world| world.desired = 2),
            "above the maximum"
        );
    }

    /// Without that the comparison would prove nothing: in random walks controllers do what concerns a Jibri.
    #[test]
    fn controllers_do_what_they_may_to_a_jibri() {
        let (product, mut seen) = (configs::product(), Vec::new());
        let mut walks = 0;
        // What goes wrong mostly keeps them from it.
        let config = Config {
            faults: Faults {
                channel: true,
                ..Faults::default()
            },
            outside: 0,
            restarts: 0,
            ..product
        };
        let model = Exploration(config.clone());
        let mut dice = crate::driven::Dice::new(1);
        while seen.len() < 3 {
            walks += 1;
            assert!(walks < 1000, "{seen:?}");
            let mut world = model.init_states().remove(0);
            for _ in 0..400 {
                let mut actions = Vec::new();
                model.actions(&world, &mut actions);
                if actions.is_empty() {
                    break;
                }
                let action = actions[dice.below(actions.len())];
                let Some(next) = model.next_state(&world, action) else {
                    continue;
                };
                assert_eq!(next.broken, None::<Broken>);
                if matches!(action, Action::Step(..)) && !world.is_same(&config, &next) {
                    for deed in world.deeds(&config) {
                        let mut done = world.clone();
                        done.deed(&config, deed);
                        done.canonical(&config);
                        if done.is_same(&config, &next) && !seen.contains(&deed) {
                            println!("{deed:?} in walk {walks}");
                            seen.push(deed);
                        }
                    }
                }
                world = next;
            }
        }
        for deed in [Deed::Tell(0), Deed::Protect(0), Deed::End(0, true)] {
            assert!(seen.contains(&deed), "{deed:?} of {seen:?}");
        }
    }
}
