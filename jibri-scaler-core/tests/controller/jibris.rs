//! Jibris on virtual time, as far as their health and their end go, that do what a test tells them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use jibri_scaler_core::{
    BusyStatus, HealthStatus, InstanceId, JibriStatus, Timestamp,
    port::{DrainClient, HealthProbe, Presence, ProbeOutcome, Target, Told},
};

/// Between accepting a recording and publishing BUSY: Chrome starts.
pub(crate) const CHROME: Duration = Duration::from_secs(5);
/// Between coming into service and the first answer.
pub(crate) const BOOT: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that a test lets it do"
)]
pub(crate) struct Jibri {
    /// When its process runs from; absent after it has exited.
    up_from: Option<Timestamp>,
    /// When it accepted its recording, and when that ends.
    session: Option<(Timestamp, Timestamp)>,
    told: bool,
    /// A supervisor that brings it back so long after each exit.
    pub(crate) restarts_after: Option<Duration>,
    /// The internal port refuses: it can't be told, and looks like one that is there.
    pub(crate) internal_closed: bool,
    /// Nothing is answered in time.
    pub(crate) hangs: bool,
    /// The answer to being told is lost, although it was told.
    pub(crate) loses_answers: bool,
    pub(crate) health: Option<JibriStatus>,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) served: u32,
    pub(crate) refused: u32,
    pub(crate) lost: Vec<InstanceId>,
    /// Every request to end that reached a process.
    pub(crate) told: Vec<InstanceId>,
}

#[derive(Debug)]
struct Inner {
    now: Timestamp,
    jibris: BTreeMap<InstanceId, Jibri>,
    tally: Tally,
}

/// All Jibris of a group.
#[derive(Debug)]
pub(crate) struct Jibris(Mutex<Inner>);

impl Jibris {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Inner {
            now,
            jibris: BTreeMap::new(),
            tally: Tally::default(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(crate) fn tally<T>(&self, read: impl FnOnce(&Tally) -> T) -> T {
        read(&self.lock().tally)
    }

    pub(crate) fn change(&self, id: &InstanceId, change: impl FnOnce(&mut Jibri)) {
        change(self.lock().jibris.get_mut(id).unwrap());
    }

    /// Whether its process runs.
    pub(crate) fn is_up(&self, id: &InstanceId) -> bool {
        let inner = self.lock();
        let jibri = inner.jibris.get(id);
        jibri.is_some_and(|jibri| jibri.up_from.is_some())
    }

    /// Whether it has a recording.
    #[allow(dead_code, reason = "not each of the test crates that share it asks")]
    pub(crate) fn is_recording(&self, id: &InstanceId) -> bool {
        let inner = self.lock();
        let jibri = inner.jibris.get(id);
        jibri.is_some_and(|jibri| jibri.session.is_some())
    }

    /// An instance came into service: its Jibri starts.
    pub(crate) fn boot(&self, id: &InstanceId, at: Timestamp) {
        let up_from = Some(at);
        let jibri = Jibri {
            up_from,
            ..Jibri::default()
        };
        self.lock().jibris.insert(id.clone(), jibri);
    }

    /// Its machine ends now. What it was recording is lost.
    pub(crate) fn end_machine(&self, id: &InstanceId) {
        let mut inner = self.lock();
        let now = inner.now;
        let jibri = inner.jibris.remove(id);
        let recording = jibri.and_then(|jibri| jibri.session);
        if recording.is_some_and(|(_, ends)| ends > now) {
            inner.tally.lost.push(id.clone());
        }
    }

    /// Offers a recording to this one. It takes it whenever its process runs and is free, whatever it last published.
    pub(crate) fn record_on(&self, id: &InstanceId, length: Duration) -> bool {
        let mut inner = self.lock();
        let now = inner.now;
        let took = inner.jibris.get_mut(id).is_some_and(|jibri| {
            let free = jibri.is_up(now) && jibri.session.is_none() && !jibri.told;
            if free {
                jibri.session = Some((now, now + length));
            }
            free
        });
        inner.tally.served += u32::from(took);
        took
    }

    /// Offers a recording to them all, as Jicofo does, from the one that `first` picks on: it is refused where nobody takes it.
    pub(crate) fn record(&self, first: usize, length: Duration) {
        let ids: Vec<_> = self.lock().jibris.keys().cloned().collect();
        let turned = ids.iter().cycle().skip(first % ids.len().max(1));
        if !turned.take(ids.len()).any(|id| self.record_on(id, length)) {
            self.lock().tally.refused += 1;
        }
    }

    /// Lets time go on.
    pub(crate) fn advance(&self, now: Timestamp) {
        let mut inner = self.lock();
        inner.now = now;
        for jibri in inner.jibris.values_mut() {
            if jibri.session.is_some_and(|(_, ends)| ends <= now) {
                jibri.session = None;
                if jibri.told {
                    jibri.exit(now);
                }
            }
        }
    }
}

impl Jibri {
    fn is_up(&self, now: Timestamp) -> bool {
        self.up_from.is_some_and(|from| from <= now)
    }

    pub(crate) fn exit(&mut self, now: Timestamp) {
        self.told = false;
        self.session = None;
        self.up_from = self.restarts_after.map(|after| now + after);
    }

    /// Somebody starts its process by hand.
    pub(crate) fn start(&mut self, now: Timestamp) {
        self.up_from = Some(now);
    }
}

#[async_trait]
impl HealthProbe for Jibris {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        let inner = self.lock();
        let now = inner.now;
        let Some(jibri) = inner.jibris.get(&target.id) else {
            return ProbeOutcome::TimedOut;
        };
        if jibri.hangs {
            return ProbeOutcome::TimedOut;
        }
        if !jibri.is_up(now) {
            return ProbeOutcome::Refused;
        }
        let published = |(from, _): (Timestamp, Timestamp)| now >= from + CHROME;
        let busy = if jibri.session.is_some_and(published) {
            BusyStatus::Busy
        } else {
            BusyStatus::Idle
        };
        let status = JibriStatus::new(busy, HealthStatus::Healthy);
        ProbeOutcome::Answered(jibri.health.clone().unwrap_or(status))
    }
}

#[async_trait]
impl DrainClient for Jibris {
    async fn is_reachable(&self, target: &Target) -> bool {
        let inner = self.lock();
        let reachable =
            |jibri: &Jibri| jibri.is_up(inner.now) && !jibri.internal_closed && !jibri.hangs;
        inner.jibris.get(&target.id).is_some_and(reachable)
    }

    async fn tell(&self, target: &Target) -> Told {
        let mut inner = self.lock();
        let now = inner.now;
        let Some(jibri) = inner.jibris.get_mut(&target.id) else {
            return Told::Unknown;
        };
        if jibri.hangs {
            return Told::Unknown;
        }
        if !jibri.is_up(now) || jibri.internal_closed {
            return Told::Refused;
        }
        jibri.told = true;
        let answer = if jibri.loses_answers {
            Told::Unknown
        } else {
            Told::Yes
        };
        if jibri.session.is_none() {
            jibri.exit(now);
        }
        inner.tally.told.push(target.id.clone());
        answer
    }

    async fn look(&self, target: &Target) -> Presence {
        let inner = self.lock();
        match inner.jibris.get(&target.id) {
            Some(jibri) if jibri.hangs => Presence::Unclear,
            Some(jibri) if jibri.is_up(inner.now) => Presence::Answers,
            Some(_) => Presence::BothRefuse,
            None => Presence::Unclear,
        }
    }
}
