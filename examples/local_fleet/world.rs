//! The world of the example: an Auto Scaling group in memory, a fake Jibri on real sockets for each of its instances, and a
//! Jicofo that hands out recordings.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use jibri_scaler_core::{
    InstanceId, OutOfRange, Timestamp,
    sim::{SimEventKind, SimGroup, SimGroupConfig},
};
use jibri_scaler_http::{
    addresses::LiveAddresses,
    fake::{FakeJibri, FakeServer, Profile, SessionEvent, StartOutcome},
};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

use super::{
    day::{self, Meeting},
    summary::Summary,
    timeline::{Mark, Sample, Timeline},
};

/// How long a machine boots before its Jibri is started, and Jibri until Jicofo can select it.
const BOOT: Duration = Duration::from_secs(45);
const JIBRI_START: Duration = Duration::from_secs(12);

pub(crate) struct World {
    pub(crate) group: Arc<SimGroup>,
    pub(crate) addresses: LiveAddresses,
    pub(crate) summary: Summary,
    pub(crate) timeline: Timeline,
    now: Timestamp,
    jibris: BTreeMap<InstanceId, FakeServer>,
    meetings: std::vec::IntoIter<Meeting>,
    next_meeting: Option<Meeting>,
    /// Which Jibri Jicofo selects.
    chance: ChaCha8Rng,
}

/// What a Jibri truly does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Starting,
    /// Jicofo can select it.
    Available,
    Recording,
    Ended,
}

impl World {
    pub(crate) fn new(seed: u64, meetings: Vec<Meeting>) -> Result<Self, OutOfRange> {
        let config = SimGroupConfig::new(1, 60, 1)?
            .with_name("local-fleet")
            .with_zones(["zone-a", "zone-b"])?
            .with_launch_delay(Duration::from_secs(20)..=Duration::from_mins(1))?
            .with_seed(seed);
        let mut meetings = meetings.into_iter();
        Ok(Self {
            group: Arc::new(SimGroup::new(config, day::BEGIN)),
            addresses: LiveAddresses::default(),
            summary: Summary::default(),
            timeline: Timeline::default(),
            now: day::BEGIN,
            jibris: BTreeMap::new(),
            next_meeting: meetings.next(),
            meetings,
            chance: ChaCha8Rng::seed_from_u64(!seed),
        })
    }

    /// Lets everything happen that happens until this time, in order.
    pub(crate) fn advance(&mut self, until: Timestamp) -> io::Result<()> {
        while let Some(next) = self.next_event().filter(|next| *next <= until) {
            self.go_to(next)?;
        }
        self.go_to(until)
    }

    /// Whether a recording is running or will still be asked for.
    pub(crate) fn is_at_work(&self) -> bool {
        self.next_meeting.is_some() || self.jibris.values().any(FakeServer::is_session_active)
    }

    /// How many instances truly do what now, whatever the controller believes.
    pub(crate) fn sample(&self) -> io::Result<Sample> {
        let mut sample = Sample::default();
        for instance in &self.group.current().instances {
            let doing = self.jibris.get(&instance.id).map(doing).transpose()?;
            let count = match doing {
                Some(Doing::Recording) => &mut sample.busy,
                _ if instance.lifecycle.is_leaving() => &mut sample.leaving,
                Some(Doing::Ended) => &mut sample.leaving,
                Some(Doing::Available) => &mut sample.idle,
                Some(Doing::Starting) | None => &mut sample.booting,
            };
            *count += 1;
        }
        Ok(sample)
    }

    fn next_event(&self) -> Option<Timestamp> {
        let jibris = self.jibris.values().filter_map(FakeServer::next_event);
        let meeting = self.next_meeting.map(|meeting| meeting.at);
        jibris.chain(meeting).chain(self.group.next_event()).min()
    }

    fn go_to(&mut self, now: Timestamp) -> io::Result<()> {
        self.account(now)?;
        self.now = self.now.max(now);
        self.advance_group()?;
        self.advance_jibris()?;
        while let Some(meeting) = self.next_meeting.take_if(|meeting| meeting.at <= now) {
            self.ask_for_recording(meeting)?;
            self.next_meeting = self.meetings.next();
        }
        Ok(())
    }

    /// Adds up who did what since the last event.
    fn account(&mut self, now: Timestamp) -> io::Result<()> {
        let (passed, sample) = (now.since(self.now), self.sample()?);
        self.summary.busy += passed * sample.busy;
        self.summary.idle += passed * sample.idle;
        self.summary.booting += passed * sample.booting;
        self.summary.leaving += passed * sample.leaving;
        Ok(())
    }

    fn advance_group(&mut self) -> io::Result<()> {
        for event in self.group.advance(self.now) {
            match event.kind {
                SimEventKind::Launched { id, .. } => {
                    self.summary.launches += 1;
                    let profile = Profile::default()
                        .with_internal_api_after(BOOT + JIBRI_START)
                        .with_external_api_after(BOOT + JIBRI_START + Duration::from_secs(2))
                        .with_finalize(Duration::from_secs(20));
                    let jibri = FakeServer::start(FakeJibri::new(profile, self.now))?;
                    self.addresses.insert(id.clone(), jibri.bases().clone());
                    self.jibris.insert(id, jibri);
                }
                SimEventKind::Terminating { id, .. } => {
                    // The operating system goes down, and takes with it what runs.
                    if let Some(jibri) = self.jibris.get(&id) {
                        jibri.kill(self.now)?;
                    }
                    self.take_reports(&id)?;
                    self.summary.retired += 1;
                }
                SimEventKind::Terminated { id } => {
                    self.take_reports(&id)?;
                    self.addresses.remove(&id);
                    self.jibris.remove(&id);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn advance_jibris(&mut self) -> io::Result<()> {
        let ids: Vec<_> = self.jibris.keys().cloned().collect();
        for id in ids {
            if let Some(jibri) = self.jibris.get(&id) {
                jibri.advance(self.now)?;
            }
            self.take_reports(&id)?;
        }
        Ok(())
    }

    fn take_reports(&mut self, id: &InstanceId) -> io::Result<()> {
        let Some(jibri) = self.jibris.get(id) else {
            return Ok(());
        };
        for report in jibri.act(FakeJibri::take_reports)? {
            match report.event {
                SessionEvent::Finished => self.summary.finished += 1,
                SessionEvent::Lost => self.summary.lost += 1,
                _ => {}
            }
        }
        Ok(())
    }

    /// What Jicofo does: it selects one that shows idle and healthy, and refuses at once where there is none. It never queues.
    fn ask_for_recording(&mut self, meeting: Meeting) -> io::Result<()> {
        self.summary.asked += 1;
        let name = format!("meeting-{}", self.summary.asked);
        // One that has accepted a recording offers itself until its Chrome runs; it refuses, and the next one is asked.
        let mut available: Vec<_> = self
            .jibris
            .values()
            .filter(|jibri| jibri.is_selectable())
            .collect();
        // Any of them is as good as another.
        let first = self.chance.next_u32() as usize % available.len().max(1);
        available.rotate_left(first);
        for jibri in available {
            if jibri.start_session(self.now, &name, Some(meeting.lasts))? == StartOutcome::Accepted
            {
                self.summary.served += 1;
                return Ok(());
            }
        }
        self.summary.refused += 1;
        self.timeline.mark(self.now, Mark::Refused);
        Ok(())
    }
}

fn doing(jibri: &FakeServer) -> io::Result<Doing> {
    jibri.act(|jibri| {
        if jibri.is_session_active() {
            Doing::Recording
        } else if jibri.exit().is_some() {
            Doing::Ended
        } else if jibri.is_selectable() {
            Doing::Available
        } else {
            Doing::Starting
        }
    })
}
