//! The life of one seed: trouble, then rest.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jibri_scaler_core::{
    Finding, InstanceId, Lifecycle, Timestamp,
    controller::{Applied, Progress, TickError, TickReport},
    retirement::{Phase, Retirement},
    sim::{SimGroupConfig, TerminationCause},
};

use crate::{
    chance::Chance,
    figures::Figures,
    jibris::BOOT,
    process::{Saves, Table, Wrong},
    replica::{MIN_IDLE, Replica},
    time::Time,
    world::{World, secs},
};

const MAX: u32 = 9;
/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(1800);
/// By then one leads: what was frozen in a write waits for a lead to run out, by a clock that may be slow, and ticks that fail rest.
const SETTLED_AFTER: Duration = Duration::from_secs(180);
/// The longest recording.
const LONGEST: u64 = 400;

/// Lives a seed from begin to end.
///
/// # Errors
/// Says what was wrong, and when.
pub(crate) fn live(seed: u64) -> Result<Figures, String> {
    let mut life = Life::new(seed);
    life.run().map_err(|what| {
        let after = life.world.now.since(life.began).as_secs();
        format!("seed {seed}, after {after} s: {what}")
    })?;
    Ok(life.figures)
}

struct Life {
    chance: Chance,
    world: World,
    time: Arc<Time>,
    /// What the replicas share beside the group and the memory.
    table: (Arc<Table>, Arc<Saves>),
    replicas: [Replica; 2],
    began: Timestamp,
    min: u32,
    figures: Figures,
    /// What a human has ended.
    ended_by_hand: BTreeSet<InstanceId>,
    /// Those that a replica that led has had the time to protect.
    had_time: BTreeSet<InstanceId>,
    /// When something may happen next that nobody waits for.
    next: Timestamp,
    /// Who led last.
    leader: Option<usize>,
    /// Until when the table can't be reached, and calls fail, for each replica.
    wrong_until: [[Timestamp; 2]; 2],
}

macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let min = u32::try_from(chance.below(3)).unwrap();
        let config = SimGroupConfig::new(min, MAX, MIN_IDLE + 2)
            .and_then(|config| config.with_launch_delay(secs(15)..=secs(45)))
            .unwrap()
            .with_seed(seed)
            .with_start_in_service(true)
            .with_new_instances_protected(chance.below(2) == 0);
        let mut world = World::new(config);
        world.advance(BOOT);
        let time = Arc::new(Time::new(world.now));
        // Half of the stores refuse what comes late.
        let saves = Saves::new(seed % 2 == 1);
        let table = (Arc::<Table>::default(), Arc::new(saves));
        let replicas =
            ["a", "b"].map(|name| Replica::new(name, &world, &time, &table, &mut chance));
        let began = world.now;
        Self {
            chance,
            world,
            time,
            table,
            replicas,
            began,
            min,
            figures: Figures::default(),
            ended_by_hand: BTreeSet::new(),
            had_time: BTreeSet::new(),
            next: began,
            leader: None,
            wrong_until: [[began; 2]; 2],
        }
    }

    fn run(&mut self) -> Result<(), String> {
        let end = self.began + TROUBLE;
        while self.world.now < end {
            self.moment(true, true)?;
        }
        self.end_trouble();
        let settled = self.world.now + SETTLED_AFTER;
        while self.world.now < settled {
            self.moment(false, true)?;
        }
        // One leads, and goes on to.
        let leader = self.replicas.iter().position(Replica::leads);
        ensure!(leader.is_some(), "nobody leads");
        let until = settled + secs(120);
        while self.world.now < until {
            self.moment(false, true)?;
            let leads = self.replicas.iter().position(Replica::leads);
            ensure!(leads == leader, "{leader:?} led, and now {leads:?}");
        }
        // The last recordings end, and the group comes down: two rounds of idle time, requests, refusals and ticks for what may go at once.
        let until = self.world.now + secs(LONGEST + 60 + 900);
        let wanted = MIN_IDLE.max(self.min);
        while self.sizes() != (wanted, wanted) {
            ensure!(
                self.world.now < until,
                "it is too large: {}",
                self.describe()
            );
            if self.moment(false, false)? {
                self.clean_up()?;
            }
        }
        let gone = self.world.gone().into_iter();
        let given_back = gone.filter(|(_, why)| *why == TerminationCause::Requested);
        self.figures.given_back = u64::try_from(given_back.count()).unwrap();
        self.figures.ended_by_hand = self.ended_by_hand.len() as u64;
        self.figures.recordings = self.world.jibris.tally(|tally| tally.served).into();
        for number in 0..2 {
            self.figures.count(&self.replicas[number].process);
        }
        Ok(())
    }

    /// The desired capacity, and how many count.
    fn sizes(&self) -> (u32, u32) {
        let listing = self.world.group.current();
        let rows = listing.instances.iter();
        let counting = rows.filter(|row| row.lifecycle.is_counting()).count();
        (listing.group.desired, u32::try_from(counting).unwrap())
    }

    /// Time passes until somebody who waits goes on, or things may go wrong and somebody may ask for a recording, which is about once
    /// a second. Returns whether it was that.
    fn moment(&mut self, trouble: bool, meetings: bool) -> Result<bool, String> {
        let waited_for = self.time.next().filter(|at| *at > self.world.now);
        let next = waited_for.map_or(self.next, |at| at.min(self.next));
        self.world.advance(next.since(self.world.now));
        self.time.pass_to(self.world.now);
        let is_due = self.next <= self.world.now;
        if is_due {
            let passes = Duration::from_millis(100 + self.chance.below(1400));
            self.next = self.world.now + passes;
        }
        if is_due && meetings && self.chance.below(90) == 0 {
            let first = usize::try_from(self.chance.below(u64::from(MAX))).unwrap();
            let length = secs(30 + self.chance.below(LONGEST - 30));
            self.world.jibris.record(first, length);
        }
        for number in 0..2 {
            if is_due && trouble {
                self.trouble(number);
            }
            let replica = &mut self.replicas[number];
            if replica.thaw(self.world.now) && replica.is_in_a_tick() {
                self.figures.lost_the_lead_frozen += 1;
            }
            let before = replica.start(&self.world, &self.time, &self.table, &mut self.chance);
            if let Some(before) = before {
                self.figures.count(&before);
            }
            let late = replica.process.late();
            let ticked = replica.go_on(self.world.now);
            self.figures.arrived_late += replica.process.late().saturating_sub(late);
            if let Some(misdeed) = replica.process.misdeed() {
                return Err(misdeed);
            }
            if let Some(result) = ticked {
                self.look_at(&result)?;
            }
        }
        self.world.settle();
        self.check(is_due)?;
        Ok(is_due)
    }

    /// What may go wrong with one replica in a moment.
    fn trouble(&mut self, number: usize) {
        let (now, chance) = (self.world.now, &mut self.chance);
        let replica = &mut self.replicas[number];
        let is_in_a_tick = replica.is_in_a_tick();
        let one_in = if is_in_a_tick && replica.leads() {
            40
        } else {
            600
        };
        if replica.is_there() && !replica.is_frozen() && chance.below(one_in) == 0 {
            let shortly = chance.below(3) == 0;
            let lasts = if shortly {
                1 + chance.below(10)
            } else {
                15 + chance.below(100)
            };
            replica.freeze(now + secs(lasts));
            self.figures.frozen_in_a_tick += u64::from(is_in_a_tick);
        }
        if replica.is_there() && chance.below(if is_in_a_tick { 300 } else { 900 }) == 0 {
            replica.kill(now + secs(1 + chance.below(90)));
            self.figures.killed += 1;
            self.figures.killed_in_a_tick += u64::from(is_in_a_tick);
        }
        if !replica.is_frozen() && chance.below(900) == 0 {
            let ended = replica.end(now + secs(1 + chance.below(60)));
            self.figures.resigned += u64::from(ended);
        }
        let [cut_off, calls_fail] = &mut self.wrong_until[number];
        if *cut_off <= now && chance.below(900) == 0 {
            *cut_off = now + secs(10 + chance.below(170));
            self.figures.cut_off += 1;
        }
        if *calls_fail <= now && chance.below(600) == 0 {
            *calls_fail = now + secs(30 + chance.below(120));
        }
        replica.process.set_wrong(Wrong {
            cut_off: now < *cut_off,
            calls_fail: now < *calls_fail,
            is_slow: true,
        });
        if chance.below(300) == 0 {
            let after = (chance.below(3) > 0).then(|| secs(8 + chance.below(20)));
            for id in self.world.in_service() {
                if self.world.jibris.is_up(&id) && chance.below(3) == 0 {
                    self.world
                        .jibris
                        .change(&id, |jibri| jibri.restarts_after = after);
                    self.figures.restarted += u64::from(after.is_some());
                }
            }
        }
    }

    /// From now on nothing goes wrong.
    fn end_trouble(&mut self) {
        for replica in &mut self.replicas {
            replica.process.set_wrong(Wrong::default());
            if replica.is_frozen() {
                replica.freeze(self.world.now);
            }
        }
        for id in self.world.in_service() {
            if self.world.jibris.is_up(&id) {
                self.world
                    .jibris
                    .change(&id, |jibri| jibri.restarts_after = None);
            }
        }
    }

    /// What the findings ask a human for: a machine whose Jibri has ended, and nobody retires it, is ended by hand; a Jibri that was given
    /// up on is told to end by hand.
    fn clean_up(&mut self) -> Result<(), String> {
        let saved = self.world.saved().unwrap_or_default();
        for id in self.world.in_service() {
            let phase = saved.retirements().get(&id).map(Retirement::phase);
            if phase.is_some_and(Phase::is_under_way) {
                continue;
            }
            if self.world.jibris.is_up(&id) {
                if phase == Some(Phase::GivenUp) && !self.world.jibris.is_recording(&id) {
                    let now = self.world.now;
                    self.world.jibris.change(&id, |jibri| jibri.exit(now));
                }
            } else {
                ensure!(
                    phase.is_some() || !self.table.1.refuse(),
                    "{id} was told to end, and nobody knows any more"
                );
                self.world.group.lose_machine(&id);
                self.ended_by_hand.insert(id);
            }
        }
        self.world.settle();
        Ok(())
    }

    fn look_at(&mut self, result: &Result<TickReport, TickError>) -> Result<(), String> {
        self.figures.ticks += 1;
        let Ok(report) = result else {
            self.figures.ticks_that_failed += 1;
            return Ok(());
        };
        ensure!(report.breaches.is_empty(), "breaches: {report}");
        let told = |progress: &&Progress| progress.to == Phase::Told;
        let told = report.progress.iter().filter(told).count();
        self.figures.retirements += u64::try_from(told).unwrap();
        let observes = report
            .findings
            .iter()
            .any(|finding| finding.what.contains("another replica leads"));
        let acted = report
            .effects
            .iter()
            .any(|(_, became)| *became != Applied::Skipped);
        let has_run_out = |finding: &Finding| finding.what.contains("the lead ran out");
        if !observes && !report.findings.iter().any(has_run_out) {
            let rows = report.tick.snapshot.instances().iter();
            let in_service = rows.filter(|row| row.lifecycle == Lifecycle::InService);
            self.had_time.extend(in_service.map(|row| row.id.clone()));
        }
        ensure!(
            !observes || !acted && report.progress.is_empty(),
            "it acts and does not lead: {report}"
        );
        Ok(())
    }

    /// What holds at any time. The group is looked at about once a second.
    fn check(&mut self, is_due: bool) -> Result<(), String> {
        if is_due {
            let lost = self.world.lost();
            // In the seconds before its first tick only the group's own default protects an instance.
            let is_chosen = |id: &InstanceId| {
                let scaled_in = (id.clone(), TerminationCause::ScaleIn);
                self.world.gone().contains(&scaled_in)
            };
            let had_time = |id: &&InstanceId| self.had_time.contains(*id) || !is_chosen(id);
            let lost: Vec<_> = lost.iter().filter(had_time).collect();
            ensure!(lost.is_empty(), "lost: {lost:?}");
            let (desired, counting) = self.sizes();
            ensure!(
                (self.min..=MAX).contains(&desired) && counting <= MAX,
                "{desired} are desired, and {counting} there"
            );
        }
        let mut leaders = (0..2).filter(|number| self.replicas[*number].leads());
        let leader = leaders.next();
        ensure!(leaders.next().is_none(), "two lead");
        drop(leaders);
        if leader.is_some() && leader != self.leader {
            self.figures.took_the_lead += 1;
            self.leader = leader;
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let saved = self.world.saved().unwrap_or_default();
        let rows = self.world.group.current().instances.into_iter().map(|row| {
            let up = self.world.jibris.is_up(&row.id);
            let phase = saved.retirements().get(&row.id).map(Retirement::phase);
            format!("\n  {} {} up: {up}, {phase:?}", row.id, row.lifecycle)
        });
        let rows: String = rows.collect();
        format!("{:?}{rows}", self.sizes())
    }
}
