//! Random hours of meetings: whatever goes wrong, nothing is lost, and the group comes back to its size.

use std::{collections::VecDeque, sync::Arc};

use futures_executor::block_on;
use jibri_scaler_core::{
    Controller, Memory,
    port::{KeptMemory, MemoryStore as _, PortErrorKind},
    sim::{SimGroupConfig, SimOperation, TerminationCause},
};

use crate::{
    cancel::{Hesitant, tick_dropped_after},
    world::{INTERVAL, World, at, secs},
};

const MIN_IDLE: u32 = 2;
const MAX_SIZE: u32 = 16;
/// Two hours of meetings.
const TICKS: u64 = 720;
const SEEDS: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    ListingThrottled,
    AnswersLost,
    LaunchesFail,
    Restarts,
    RestartsWithOldMemory,
    RestartsWithoutMemory,
    TicksDropped,
    ListingLags,
    JibrisHang,
}

/// Splitmix64.
struct Chance(u64);

impl Chance {
    fn draw(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

struct Day {
    world: World,
    controller: Controller,
    chance: Chance,
    trouble: Trouble,
    /// What was saved in the last ticks, the newest last.
    saved: VecDeque<Memory>,
}

impl Day {
    fn new(trouble: Trouble, seed: u64) -> Self {
        let mut config = SimGroupConfig::new(1, MAX_SIZE, 3)
            .unwrap()
            .with_seed(seed)
            .with_start_in_service(true);
        if trouble == Trouble::LaunchesFail {
            config = config
                .with_launch_failures(0.3, secs(40))
                .unwrap()
                .with_launch_outage(at(1800), at(2700));
        }
        if trouble == Trouble::ListingLags {
            config = config.with_listing_lag(secs(15));
        }
        let world = World::new(config);
        let controller = Self::controller(&world, trouble);
        Self {
            world,
            controller,
            chance: Chance(seed),
            trouble,
            saved: VecDeque::new(),
        }
    }

    fn controller(world: &World, trouble: Trouble) -> Controller {
        match trouble {
            Trouble::TicksDropped => Hesitant::controller(world, MIN_IDLE),
            _ => world.controller(MIN_IDLE),
        }
    }

    /// Meetings begin between the ticks, also right before one.
    fn meetings(&mut self, tick: u64) {
        // Busier in the middle.
        let busy = 12 - (tick * 18 / TICKS).min(9);
        for _ in 0..2 {
            if self.chance.draw(busy) == 0 {
                let first = usize::try_from(self.chance.draw(16)).unwrap();
                self.world
                    .jibris
                    .record(first, secs(60 + self.chance.draw(1200)));
            }
        }
    }

    fn make_trouble(&mut self, tick: u64) {
        let group = Arc::clone(&self.world.group);
        match self.trouble {
            Trouble::ListingThrottled if (200..560).contains(&tick) => {
                group.fail_next(SimOperation::List, PortErrorKind::Throttled);
            }
            Trouble::AnswersLost if self.chance.draw(3) == 0 => {
                let operations = [
                    SimOperation::Protect,
                    SimOperation::SetCapacity,
                    SimOperation::Terminate,
                ];
                let operation = operations[usize::try_from(self.chance.draw(3)).unwrap()];
                group.lose_next_answer(operation);
            }
            Trouble::Restarts if tick.is_multiple_of(5) => self.restart(0),
            Trouble::RestartsWithOldMemory if tick.is_multiple_of(37) => {
                let age = self.chance.draw(12);
                self.restart(age);
            }
            Trouble::RestartsWithoutMemory if tick % 90 == 89 => {
                self.saved.clear();
                self.restart(0);
            }
            Trouble::JibrisHang => {
                for id in self.world.in_service() {
                    let hangs = self.chance.draw(10) == 0;
                    self.world.jibris.change(&id, |jibri| jibri.hangs = hangs);
                }
            }
            _ => {}
        }
    }

    /// A new process, which finds the memory of so many ticks ago.
    fn restart(&mut self, age: u64) {
        let index = self
            .saved
            .len()
            .checked_sub(1 + usize::try_from(age).unwrap());
        self.world.store = Arc::new(KeptMemory::default());
        if let Some(memory) = index.and_then(|index| self.saved.get(index)) {
            block_on(self.world.store.save(memory)).unwrap();
        }
        self.controller = Self::controller(&self.world, self.trouble);
    }

    fn tick(&mut self, troubled: bool) {
        let polls = if troubled && self.trouble == Trouble::TicksDropped {
            1 + usize::try_from(self.chance.draw(60)).unwrap()
        } else {
            1000
        };
        if self.trouble == Trouble::TicksDropped {
            tick_dropped_after(&self.world, &mut self.controller, polls);
        } else if let Ok(report) = block_on(self.controller.tick(self.world.now)) {
            assert_eq!(report.breaches, [], "{:?}: {report}", self.trouble);
        }
        self.world.advance(INTERVAL);
        self.saved.extend(self.world.saved());
        if self.saved.len() > 20 {
            self.saved.pop_front();
        }
    }

    fn live(mut self) {
        for tick in 0..TICKS {
            let early = self.chance.draw(2) == 0;
            if early {
                self.meetings(tick);
            }
            self.make_trouble(tick);
            self.tick(true);
            if !early {
                self.meetings(tick);
            }
            self.check();
        }
        let trouble = self.trouble;
        for id in self.world.in_service() {
            self.world.jibris.change(&id, |jibri| jibri.hangs = false);
        }
        let served = self.world.jibris.tally(|tally| tally.served);
        assert!(
            served > 60,
            "{trouble:?}: {served} recordings are no busy day"
        );
        // Nobody meets any more: the last recordings end, and then the surplus has to go.
        for _ in 0..360 {
            self.tick(false);
            self.check();
        }
        let largest = self.world.events.len();
        assert!(largest > 20, "{trouble:?}: the group never changed");
        if matches!(
            trouble,
            Trouble::RestartsWithoutMemory | Trouble::RestartsWithOldMemory
        ) {
            // Machines whose Jibris were told are left; that is what forgetting costs.
            return;
        }
        let report = block_on(self.controller.tick(self.world.now)).unwrap();
        let tally = &report.decision.tally;
        // A Jibri whose tick was dropped right after it was told ends, and nobody knows why: its machine is left, and found.
        let left = if trouble == Trouble::TicksDropped {
            tally.unknown
        } else {
            0
        };
        let size = MIN_IDLE + left;
        assert_eq!(
            (tally.spare, tally.total, self.world.desired()),
            (MIN_IDLE, size, size),
            "{trouble:?}: {report}"
        );
        let mut retirements = self.controller.memory().unwrap().retirements().values();
        assert!(retirements.all(|retirement| !retirement.phase().is_under_way()));
    }

    fn check(&self) {
        let trouble = self.trouble;
        assert_eq!(self.world.lost(), [], "{trouble:?}");
        assert!(
            (1..=MAX_SIZE).contains(&self.world.desired()),
            "{trouble:?}"
        );
        let chosen = |(_, why): &_| *why != TerminationCause::Requested;
        assert!(
            !self.world.gone().iter().any(chosen),
            "{trouble:?}: the group never chooses"
        );
    }
}

macro_rules! days {
    ($($name:ident: $trouble:ident;)+) => {$(
        #[test]
        fn $name() {
            for seed in 0..SEEDS {
                Day::new(Trouble::$trouble, seed).live();
            }
        }
    )+};
}

days! {
    nothing_is_lost_on_a_good_day: None;
    nothing_is_lost_while_the_listing_is_throttled_for_an_hour: ListingThrottled;
    nothing_is_lost_where_answers_are: AnswersLost;
    nothing_is_lost_where_launches_fail: LaunchesFail;
    nothing_is_lost_over_restarts: Restarts;
    nothing_is_lost_over_restarts_with_an_old_memory: RestartsWithOldMemory;
    nothing_is_lost_over_restarts_without_a_memory: RestartsWithoutMemory;
    nothing_is_lost_where_ticks_are_dropped: TicksDropped;
    nothing_is_lost_where_the_listing_lags: ListingLags;
    nothing_is_lost_where_jibris_hang: JibrisHang;
}
