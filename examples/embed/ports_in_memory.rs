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
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream, stream::BoxStream};
use jibri_scaler_core::{
    Controller, Timestamp, observe::AgentReports, port::KeptMemory, sim::SimGroup,
};
use jibri_scaler_http::{DrainConfig, HttpDrain, HttpProbe, ProbeConfig, receiver::Receiver};
use tokio::time::{Instant, sleep_until};

use crate::{arguments::Arguments, group::Clock, say};

/// The time between ticks, in the time of the group.
const TICK: Duration = Duration::from_secs(30);
/// So many days of meetings are there; after them nobody records any more.
const DAYS: u64 = 30;
/// A Jibri whose Chrome starts answers only as the time of the group goes on: so long a tick waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a controller needs of the world around it.
pub(crate) struct Ports {
    /// The time between ticks by the wall clock.
    pub(crate) interval: Duration,
    /// The same in the time of the group.
    pub(crate) tick: Duration,
    pub(crate) listing: Arc<SimGroup>,
    pub(crate) control: Arc<SimGroup>,
    pub(crate) probe: HttpProbe,
    pub(crate) drain: Arc<HttpDrain>,
    pub(crate) memory: KeptMemory,
    pub(crate) company: Company,
    pub(crate) clock: Clock,
    pub(crate) ticks: BoxStream<'static, Timestamp>,
}

/// What the groups share.
pub(crate) struct World {
    speed: f64,
    /// The time of the groups, which is one.
    now: Arc<AtomicI64>,
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
        Ok(Self {
            speed: arguments.speed,
            now: Arc::new(AtomicI64::new(day::BEGIN.as_micros())),
        })
    }

    /// The same receiver. (The time of these groups is not that of who pushes, so that reports count as received when they are read.)
    pub(crate) fn received(&self, receiver: Receiver) -> Receiver {
        let now = Arc::clone(&self.now);
        receiver.with_clock(move || Timestamp::from_micros(now.load(Ordering::Relaxed)))
    }

    /// What the controller of this group needs.
    pub(crate) fn ports(&self, name: &str, _: &Arc<AgentReports>) -> Result<Ports, Box<dyn Error>> {
        let seed = name.bytes().fold(1, |seed: u64, byte| {
            seed.wrapping_mul(31).wrapping_add(byte.into())
        });
        let mut meetings = Vec::new();
        for number in 0..DAYS {
            let later = Duration::from_hours(24 * number);
            meetings.extend(
                day::meetings(seed.wrapping_add(number), 2.0)?
                    .into_iter()
                    .map(|mut meeting| {
                        meeting.at = meeting.at + later;
                        meeting
                    }),
            );
        }
        let world = world::World::new(seed, meetings)?;
        let probe = ProbeConfig::default().with_timeout(PATIENCE)?;
        let drain = DrainConfig::default().with_patience(PATIENCE)?;
        let (group, addresses) = (Arc::clone(&world.group), world.addresses.clone());
        let now = Arc::clone(&self.now);
        let read = Arc::clone(&now);
        let interval = TICK.div_f64(self.speed);
        Ok(Ports {
            interval: interval.max(PATIENCE),
            tick: TICK,
            listing: Arc::clone(&group),
            control: group,
            probe: HttpProbe::new(addresses.clone(), &probe)?,
            drain: Arc::new(HttpDrain::new(addresses, &drain)?),
            memory: KeptMemory::default(),
            company: Company,
            clock: Box::new(move || Timestamp::from_micros(read.load(Ordering::Relaxed))),
            ticks: ticks(world, interval, now),
        })
    }
}

/// The ticks, before each of which the world goes on to its time.
fn ticks(
    world: world::World,
    interval: Duration,
    now: Arc<AtomicI64>,
) -> BoxStream<'static, Timestamp> {
    let start = (world, day::BEGIN, Instant::now());
    let next = move |(mut world, at, due): (world::World, Timestamp, Instant)| {
        let now = Arc::clone(&now);
        async move {
            sleep_until(due).await;
            if let Err(error) = world.advance(at) {
                say(format_args!("the world of the fakes has ended: {error}"));
                return None;
            }
            now.store(at.as_micros(), Ordering::Relaxed);
            // A tick that was slow does not make the next ones come in a burst.
            let due = (due + interval).max(Instant::now());
            Some((at, (world, at + TICK, due)))
        }
    };
    stream::unfold(start, next).boxed()
}
