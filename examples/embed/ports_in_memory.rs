//! Groups in memory, whose Jibris are fakes on real sockets, at a time that is faster than that of the wall clock.

#[allow(dead_code, reason = "`local_fleet` uses all of it")]
#[path = "../local_fleet/day.rs"]
mod day;
#[allow(dead_code, reason = "`local_fleet` uses all of it")]
#[path = "../local_fleet/summary.rs"]
mod summary;
#[allow(dead_code, reason = "`local_fleet` uses all of it")]
#[path = "../support/timeline.rs"]
mod timeline;
#[allow(dead_code, reason = "`local_fleet` uses all of it")]
#[path = "../local_fleet/world.rs"]
mod world;

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, future::ready, stream};
use jibri_scaler_core::{
    Controller, Timestamp, observe::AgentReports, port::KeptMemory, sim::SimGroup, wake::promptly,
};
use jibri_scaler_http::{DrainConfig, HttpDrain, HttpProbe, ProbeConfig, receiver::Receiver};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::{arguments::Arguments, group::Clock, keeper::Ticks, said::say};

/// The time between ticks, in the time of the group.
const TICK: Duration = Duration::from_secs(30);
/// The least of it is this part, where a report makes one come at once.
const DISTANCE: u32 = 5;
/// So many days of meetings are there; after them nobody records any more.
const DAYS: u64 = 30;
/// A Jibri whose Chrome starts answers only as the time of the group goes on: so long a tick waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a controller needs of the world around it.
pub(crate) struct Ports {
    /// The time between ticks, in the time of the group.
    pub(crate) tick: Duration,
    pub(crate) listing: Arc<SimGroup>,
    pub(crate) control: Arc<SimGroup>,
    pub(crate) probe: HttpProbe,
    pub(crate) drain: Arc<HttpDrain>,
    pub(crate) memory: Arc<KeptMemory>,
    pub(crate) company: Company,
    pub(crate) clock: Clock,
    pub(crate) ticks: Ticks,
}

/// The groups.
pub(crate) struct World {
    speed: f64,
    groups: BTreeMap<String, Arc<Fakes>>,
}

/// Nobody else keeps these groups.
pub(crate) struct Company;

impl Company {
    #[expect(clippy::unused_self, reason = "that of AWS has something to give")]
    pub(crate) fn join(self, controller: Controller) -> Controller {
        controller
    }
}

impl World {
    #[expect(clippy::unused_async, reason = "that of AWS waits")]
    pub(crate) async fn new(arguments: &Arguments) -> Result<Self, Box<dyn Error>> {
        let speed = arguments.speed;
        let groups = arguments.groups()?.into_iter();
        let groups = groups.map(|named| {
            let fakes = Fakes::new(&named.name, speed)?;
            Ok((named.name, Arc::new(fakes)))
        });
        let groups = groups.collect::<Result<_, Box<dyn Error>>>()?;
        Ok(Self { speed, groups })
    }

    /// The time between ticks by the wall clock, or the longest that one takes.
    pub(crate) fn interval(&self) -> Duration {
        self.step().max(PATIENCE)
    }

    /// The same receiver. (The time of these groups is not that of who pushes, so that reports count as received when they are read.)
    pub(crate) fn received(&self, name: &str, receiver: Receiver) -> Receiver {
        match self.groups.get(name).cloned() {
            Some(fakes) => receiver.with_clock(move || fakes.now()),
            None => receiver,
        }
    }

    /// What the controller of this group needs.
    pub(crate) fn ports(
        &self,
        name: &str,
        reports: &Arc<AgentReports>,
    ) -> Result<Ports, Box<dyn Error>> {
        let fakes = self.groups.get(name).ok_or("it has no fakes")?;
        let (group, addresses) = {
            let world = lock(&fakes.world);
            (Arc::clone(&world.group), world.addresses.clone())
        };
        let probe = ProbeConfig::default().with_timeout(PATIENCE)?;
        let drain = DrainConfig::default().with_patience(PATIENCE)?;
        let (clock, woken, goes_on) = (Arc::clone(fakes), Arc::clone(fakes), Arc::clone(fakes));
        let distance = self.step() / DISTANCE;
        let ticks = promptly(
            regular(Arc::clone(fakes), self.step()),
            reports.wakes(),
            move || woken.now(),
            move || sleep(distance),
        );
        Ok(Ports {
            tick: TICK,
            listing: Arc::clone(&group),
            control: group,
            probe: HttpProbe::new(addresses.clone(), &probe)?,
            drain: Arc::new(HttpDrain::new(addresses, &drain)?),
            memory: Arc::clone(&fakes.memory),
            company: Company,
            clock: Box::new(move || clock.now()),
            // Before each tick the world goes on to its time.
            ticks: ticks
                .scan((), move |(), at| ready(goes_on.go_to(at)))
                .boxed(),
        })
    }

    /// The time between ticks by the wall clock.
    fn step(&self) -> Duration {
        TICK.div_f64(self.speed)
    }
}

/// A group and its fakes, which are there whoever keeps it.
struct Fakes {
    world: Mutex<world::World>,
    memory: Arc<KeptMemory>,
    speed: f64,
    /// When the last tick came, by the time of the group and by this machine.
    last: Mutex<(Timestamp, Instant)>,
}

impl Fakes {
    fn new(name: &str, times: f64) -> Result<Self, Box<dyn Error>> {
        let seed = name.bytes().fold(1, |seed: u64, byte| {
            seed.wrapping_mul(31).wrapping_add(byte.into())
        });
        let mut meetings = Vec::new();
        for number in 0..DAYS {
            let later = Duration::from_hours(24 * number);
            let day = day::meetings(seed.wrapping_add(number), 2.0)?.into_iter();
            meetings.extend(day.map(|mut meeting| {
                meeting.at = meeting.at + later;
                meeting
            }));
        }
        Ok(Self {
            world: Mutex::new(world::World::new(seed, meetings)?),
            memory: Arc::default(),
            speed: times,
            last: Mutex::new((day::BEGIN, Instant::now())),
        })
    }

    /// The time of the group. It stands still where a tick is late, so that a slow machine makes a slow day, and no gaps in it.
    fn now(&self) -> Timestamp {
        let (at, since) = *lock(&self.last);
        at + since.elapsed().mul_f64(self.speed).min(TICK)
    }

    /// Goes on to this tick; nothing where it can't.
    fn go_to(&self, at: Timestamp) -> Option<Timestamp> {
        if let Err(error) = lock(&self.world).advance(at) {
            say(format_args!("the world of the fakes has ended: {error}"));
            return None;
        }
        *lock(&self.last) = (at, Instant::now());
        Some(at)
    }
}

/// The ticks that are due. One that was slow does not make the next ones come in a burst.
fn regular(fakes: Arc<Fakes>, step: Duration) -> impl Stream<Item = Timestamp> + Send {
    let mut steps = interval(step);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold((fakes, steps), |(fakes, mut steps)| async move {
        steps.tick().await;
        Some((fakes.now(), (fakes, steps)))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // These are fakes: what a defect has left of them has to do.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
