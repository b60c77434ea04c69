//! The life of one seed: trouble, recovery, rest.

use std::collections::VecDeque;

use jibri_scaler_core::{
    InstanceId, Lifecycle,
    controller::{TickError, TickReport},
    retirement::Phase,
};

use super::{
    fleet::Tally,
    jibri::{Jibri, Length},
    kind::{Counts, Kind},
    secs,
    trouble::TROUBLE,
    world::{INTERVAL, Side, World},
};

/// After so many ticks without faults the group has its wanted spare again.
///
/// A launch from before has the boot deadline to fail, the longest pause of the back-off is three of them; then one launch and
/// then the rest come, each in 95 s at most: 16 + 48 + 2 · 7 ticks, and some to be seen in.
pub(crate) const BACK_AFTER: u64 = 90;
/// So many ticks after the last recording it has come down to it. Each Jibri is idle for a minute, refuses for 45 s, and four may
/// go at once.
pub(crate) const DOWN_AFTER: u64 = 60;

/// While things go wrong, somebody meets in one of so many ticks, and in one of twice as many again. At eight minutes each that is
/// four at a time.
const MEETINGS: u64 = 12;

/// What one seed showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lived {
    pub(crate) ticks: u64,
    pub(crate) tally: Tally,
    pub(crate) counts: Counts,
    /// Ticks from the end of the faults until the wanted spare was there.
    pub(crate) back_after: u64,
    /// Ticks from the end of the last recording until the group was no larger than wanted.
    pub(crate) down_after: u64,
    /// Machines that were ended by hand, since nobody else may.
    pub(crate) left: u64,
    /// Machines on which a human has saved what was not uploaded.
    pub(crate) saved: u64,
}

/// What was wrong, and how many recordings it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) what: String,
    pub(crate) lost: u64,
}

/// Lives a seed from begin to end.
///
/// # Errors
/// Says what was wrong, and when.
pub(crate) fn live(seed: u64) -> Result<Lived, Failed> {
    Life::new(seed, None).run().map_err(|what| {
        // Once more, with notes.
        let mut life = Life::new(seed, Some(VecDeque::new()));
        let _ = life.run();
        let (tick, sizes, faults) = (life.world.tick, life.world.sizes, &life.world.trouble.0);
        let notes = life
            .notes
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("\n");
        let lost = life.world.fleet.lock().tally.lost.len();
        Failed {
            what: format!(
                "seed {seed}, tick {tick}: {what}\n{sizes:?}\n{faults:?}\nthe last ticks:\n{notes}"
            ),
            lost: u64::try_from(lost).unwrap(),
        }
    })
}

pub(super) struct Life {
    pub(super) world: World,
    pub(super) first: Side,
    pub(super) second: Option<Side>,
    /// What went wrong beside the network and the calls.
    pub(super) counts: Counts,
    lived: Lived,
    /// What the last ticks did, if anybody wants to know.
    notes: Option<VecDeque<String>>,
}

macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

impl Life {
    fn new(seed: u64, notes: Option<VecDeque<String>>) -> Self {
        let world = World::new(seed);
        let first = world.side(0);
        Self {
            world,
            first,
            second: None,
            counts: Counts::default(),
            lived: Lived::default(),
            notes,
        }
    }

    fn run(&mut self) -> Result<Lived, String> {
        while self.world.tick < TROUBLE {
            self.trouble();
            self.step(MEETINGS)?;
        }
        self.end_trouble();
        self.lived.back_after = self.until(
            BACK_AFTER,
            "the wanted spare is not back",
            MEETINGS,
            |life, report| {
                let tally = &report.decision.tally;
                // A full group has what it can have, once each of its Jibris is heard.
                let full = tally.spare + tally.busy == life.world.sizes.max;
                tally.spare >= report.decision.wanted_spare || full
            },
        )?;
        // The last recordings end, however long they take.
        for _ in 0..TROUBLE {
            if self.world.fleet.lock().recording() == 0 {
                break;
            }
            let _ = self.step(0)?;
        }
        self.lived.down_after = self.until(DOWN_AFTER, "it is too large", 0, |life, report| {
            let memory = life.first.controller.memory();
            let under_way = memory.is_some_and(|memory| {
                memory
                    .retirements()
                    .values()
                    .any(|r| r.phase().is_under_way())
            });
            let wanted = report.decision.wanted_spare.max(life.world.sizes.min);
            let group = life.world.group.current();
            let tally = &report.decision.tally;
            let sizes = (group.group.desired, tally.spare, tally.total);
            !under_way && sizes == (wanted, wanted, wanted)
        })?;
        let fleet = self.world.fleet.lock();
        let mut lived = self.lived.clone();
        lived.ticks = self.world.tick;
        lived.tally = fleet.tally.clone();
        lived.left = self.world.left;
        lived.saved = self.world.saved;
        lived.counts = self.counts.clone();
        lived.counts += &fleet.counts;
        lived.counts += &self.first.calls.lock().unwrap().counts;
        let tally = &lived.tally;
        let ended = tally.served + tally.refused + tally.taken;
        ensure!(
            tally.asked == ended,
            "recordings are unaccounted for: {tally:?}"
        );
        Ok(lived)
    }

    /// Ticks until this holds, for so many ticks at most. Returns how many it took.
    fn until(
        &mut self,
        at_most: u64,
        what: &str,
        meetings: u64,
        holds: impl Fn(&Self, &TickReport) -> bool,
    ) -> Result<u64, String> {
        for ticks in 0..=at_most {
            if let Some(report) = self.step(meetings)?
                && holds(self, &report)
            {
                return Ok(ticks);
            }
            self.clean_up();
        }
        Err(format!("{what} after {at_most} ticks"))
    }

    /// One tick of each controller, and the interval after it. Somebody meets with a probability of one in so many.
    fn step(&mut self, meetings: u64) -> Result<Option<TickReport>, String> {
        let before = self.world.chance.below(2) == 0;
        if before {
            self.meet(meetings);
        }
        let report = self.world.tick_of(&mut self.first);
        self.note(1, &report);
        self.check(report.as_ref().ok())?;
        if !before {
            self.meet(meetings);
        }
        self.world.advance(INTERVAL / 3);
        if let Some(mut second) = self.second.take() {
            let report = self.world.tick_of(&mut second);
            self.counts.one(Kind::TwoControllers);
            self.note(2, &report);
            self.check(report.as_ref().ok())?;
            self.second = Some(second);
        }
        self.meet(meetings * 2);
        self.world.advance(INTERVAL / 3 * 2);
        self.check(None)?;
        self.world.tick += 1;
        Ok(report.ok())
    }

    fn meet(&mut self, one_in: u64) {
        if one_in == 0 || self.world.chance.below(one_in) > 0 {
            return;
        }
        let length = self.length();
        self.world.fleet.lock().record(length);
    }

    pub(super) fn length(&mut self) -> Length {
        let chance = &mut self.world.chance;
        Length {
            chrome: secs(1 + chance.below(15)),
            recording: secs(30 + chance.below(900)),
            upload: secs(chance.below(90)),
        }
    }

    /// From now on nothing goes wrong, and what is broken on the machines is mended.
    fn end_trouble(&mut self) {
        let throughout = self.world.trouble.window(Kind::ThrottledThroughout);
        let throttled = self.first.calls.lock().unwrap().counts.of(Kind::Throttled);
        let is_throttled = throughout.is_some() && throttled > 0;
        self.counts
            .add(Kind::ThrottledThroughout, u64::from(is_throttled));
        self.second = None;
        self.first.calls.lock().unwrap().wrong.clear();
        let mut fleet = self.world.fleet.lock();
        fleet.set_wrong(Vec::new());
        for id in fleet.ids() {
            fleet.with(&id, |jibri, _| {
                jibri.resurrects = None;
                jibri.single_use = false;
            });
            fleet.reach(&id);
        }
        drop(fleet);
        self.world.agents.mend(self.world.now);
    }

    /// What the findings ask a human for: machines whose Jibri has ended, and nobody knows why, or never started, are ended by
    /// hand; Jibris that were given up on are told to end first. What was not uploaded is saved.
    fn clean_up(&mut self) {
        let phase = |id: &InstanceId| {
            let retirement = self.first.controller.memory()?.retirements().get(id)?;
            Some(retirement.phase())
        };
        let ids = self.world.fleet.lock().ids();
        for id in ids {
            let phase = phase(&id);
            let given_up = phase == Some(Phase::GivenUp);
            let mut fleet = self.world.fleet.lock();
            if given_up {
                fleet.with(&id, Jibri::tell);
            }
            let saved = fleet.with(&id, |jibri, _| {
                let needs = jibri.needs_saving();
                if needs {
                    jibri.save();
                }
                needs
            });
            let seen = fleet.with(&id, |jibri, _| {
                (jibri.is_down(), jibri.has_crashed_for_good())
            });
            drop(fleet);
            self.world.saved += u64::from(saved == Some(true));
            let (down, crashed) = seen.unwrap_or_default();
            let alone = !self.world.agents.looks_after(&id);
            let nobody = phase.is_none() || given_up || self.world.is_retained(&id);
            if down && (crashed || (alone && nobody)) {
                self.world.end_by_hand(&id);
            }
        }
        for id in self.world.retained_without_machine() {
            self.world.end_by_hand(&id);
        }
    }

    /// What holds at any time.
    fn check(&self, report: Option<&TickReport>) -> Result<(), String> {
        if let Some(report) = report {
            ensure!(
                report.breaches.is_empty(),
                "breaches: {:?}",
                report.breaches
            );
        }
        let (world, sizes) = (&self.world, self.world.sizes);
        let lost = &world.fleet.lock().tally.lost;
        ensure!(lost.is_empty(), "a recording was lost on {lost:?}");
        let now = world.group.current();
        let desired = now.group.desired;
        ensure!(
            (sizes.min..=sizes.max).contains(&desired),
            "the desired capacity is {desired}"
        );
        // What another controller has set, or this one before it was restarted or its clock jumped, it can't know of.
        let lowered = self.first.calls.lock().unwrap().lowered;
        ensure!(
            lowered == 0 || world.trouble.forgets(),
            "the desired capacity was lowered"
        );
        let count = |which: fn(&Lifecycle) -> bool| {
            now.instances
                .iter()
                .filter(|row| which(&row.lifecycle))
                .count()
        };
        let (counting, leaving) = (count(Lifecycle::is_counting), count(Lifecycle::is_leaving));
        let running = now
            .instances
            .iter()
            .filter(|row| world.group.is_running(&row.id))
            .count();
        let max = usize::try_from(sizes.max).unwrap();
        ensure!(
            counting <= max && running <= max + leaving,
            "{counting} count and {running} run, and at most {max} may"
        );
        Ok(())
    }

    fn note(&mut self, number: u32, report: &Result<TickReport, TickError>) {
        const KEPT: usize = 12;
        let Some(notes) = &mut self.notes else { return };
        let text = match report {
            Ok(report) => report.to_string(),
            Err(error) => error.to_string(),
        };
        let group = self.world.group.current();
        let mut fleet = self.world.fleet.lock();
        let rows = group.instances.iter().map(|row| {
            let jibri = fleet.with(&row.id, |jibri, now| jibri.describe(now));
            let jibri = jibri.as_deref().unwrap_or("no machine");
            let agent = self.world.agents.describe(&row.id);
            format!("\n    {} {} {jibri}; {agent}", row.id, row.lifecycle)
        });
        let rows: String = rows.collect();
        let found = std::mem::take(&mut *self.world.agents.notes.lock().unwrap());
        let rows = format!("{rows}\n    {}", found.join("\n    "));
        notes.push_back(format!("controller {number}: {text}{rows}"));
        if notes.len() > KEPT {
            notes.pop_front();
        }
    }
}
