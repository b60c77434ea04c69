//! A group that does what it is told: launches boot for a while, retired ones leave when they are free.

use std::collections::BTreeMap;

use jibri_scaler_core::{Decision, Effect, Group, InstanceId};
use proptest::prelude::*;

use crate::common::{INTERVAL, Jibri, Run};

/// Growing by one at a time, with each booting for up to 7 ticks, and shrinking by one at a time, is the slowest there is.
pub(crate) const TICKS_TO_REST: usize = 40 * (7 + 1);

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) group: Group,
    run: Run,
    /// When each instance is up.
    up_at: BTreeMap<InstanceId, i64>,
    busy: usize,
    boot: i64,
    now: i64,
    launched: u32,
}

pub(crate) fn models() -> impl Strategy<Value = Model> {
    let policy = (0..6_u32, 0..60_u32, 1..8_u32, 1..8_u32);
    (policy, 0..4_u32, 4..40_u32, 0..30_u32, 0..15_usize, 0..200_i64).prop_map(
        |((idle, percent, launch, retire), min, max, size, busy, boot)| {
            let policy = format!("min_idle = {idle}\npercent_idle = {percent}\nmax_launch = {launch}\nmax_retire = {retire}");
            let size = size.clamp(min, max);
            let run = Run::new((min, max, size), &policy);
            let mut model = Model { group: run.group, run, up_at: BTreeMap::new(), busy, boot, now: 0, launched: 0 };
            for _ in 0..size {
                model.launch(0);
            }
            model
        },
    )
}

impl Model {
    fn launch(&mut self, boot: i64) {
        let id = format!("i-{:03}", self.launched).parse().unwrap();
        self.launched += 1;
        self.up_at.insert(id, self.now + boot);
    }

    /// One tick, after which the group does what was decided. The load is a fixed number of recordings, which the oldest
    /// instances have.
    pub(crate) fn tick(&mut self) -> Decision {
        let up = self
            .up_at
            .iter()
            .enumerate()
            .map(|(number, (id, up_at))| match () {
                () if *up_at > self.now => Jibri::silent(id.as_str()),
                () if number < self.busy => Jibri::busy(id.as_str()),
                () => Jibri::idle(id.as_str()),
            });
        let fleet: Vec<_> = up.collect();
        self.run.group.desired = self.group.desired;
        let decision = self.run.tick(self.now, &fleet);
        for effect in &decision.plan.effects {
            match effect {
                Effect::SetCapacity { to } => self.group.desired = *to,
                Effect::Retire { id, replace } => {
                    self.up_at.remove(id);
                    self.group.desired -= u32::from(!replace);
                }
                Effect::Protect { .. } => {}
            }
        }
        while u32::try_from(self.up_at.len()).unwrap() < self.group.desired {
            self.launch(self.boot);
        }
        self.now += i64::try_from(INTERVAL).unwrap();
        decision
    }
}
