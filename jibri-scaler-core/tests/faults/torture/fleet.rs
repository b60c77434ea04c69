//! The Jibris of a group, and the network between them and the controllers.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use jibri_scaler_core::{InstanceId, JibriStatus, Timestamp};

use super::{
    chance::Chance,
    jibri::{Jibri, Length},
    kind::{Counts, Kind},
};

/// How far apart the moments are at which a Jibri does something.
pub(crate) const MOMENT: Duration = Duration::from_secs(5);

/// What became of recordings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) asked: u64,
    pub(crate) served: u64,
    pub(crate) refused: u64,
    /// Cut by what ends a machine or a process by force.
    pub(crate) taken: u64,
    /// Cut by what we did, or what the group did on its own.
    pub(crate) lost: Vec<InstanceId>,
}

/// The port that refuses although the Jibri runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Port {
    Health,
    Internal,
}

/// One Jibri, and what lies between it and the controllers.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) jibri: Jibri,
    pub(super) unreachable: bool,
    pub(super) refuses: Option<Port>,
    /// What was answered last.
    pub(super) answered: Option<JibriStatus>,
    /// Requests to end that are under way for so many moments more.
    pub(super) requests: Vec<u64>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) now: Timestamp,
    pub(super) places: BTreeMap<InstanceId, Place>,
    /// What is wrong with the network now.
    pub(super) wrong: Vec<Kind>,
    pub(super) chance: Chance,
    pub(crate) counts: Counts,
    pub(crate) tally: Tally,
}

/// All Jibris of a group.
#[derive(Debug)]
pub(crate) struct Fleet(Mutex<Inner>);

impl Fleet {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        Self(Mutex::new(Inner {
            now,
            places: BTreeMap::new(),
            wrong: Vec::new(),
            chance: Chance(seed),
            counts: Counts::default(),
            tally: Tally::default(),
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl Inner {
    /// What is wrong with the network from now on. Some of the instances can't be reached then, or at one port only.
    pub(crate) fn set_wrong(&mut self, wrong: Vec<Kind>) {
        for kind in [Kind::HalfUnreachable, Kind::OnePortRefuses] {
            let (before, after) = (self.wrong.contains(&kind), wrong.contains(&kind));
            if before == after {
                continue;
            }
            for place in self.places.values_mut() {
                if kind == Kind::HalfUnreachable {
                    place.unreachable = after && self.chance.below(2) == 0;
                } else {
                    place.refuses = match self.chance.below(4) {
                        0 if after => Some(Port::Health),
                        1 if after => Some(Port::Internal),
                        _ => None,
                    };
                }
            }
        }
        self.wrong = wrong;
    }

    /// A machine has started: its Jibri starts too, unless it never does.
    pub(crate) fn start(&mut self, id: &InstanceId, up_from: Option<Timestamp>) {
        let place = Place {
            jibri: Jibri::new(up_from),
            unreachable: false,
            refuses: None,
            answered: None,
            requests: Vec::new(),
        };
        self.places.insert(id.clone(), place);
    }

    /// A machine ends. `by_force` says that neither we nor the group ended it.
    pub(crate) fn end_machine(&mut self, id: &InstanceId, by_force: bool) {
        let place = self.places.remove(id);
        if place.is_some_and(|place| place.jibri.is_recording()) {
            if by_force {
                self.tally.taken += 1;
            } else {
                self.tally.lost.push(id.clone());
            }
        }
    }

    pub(crate) fn crash(&mut self, id: &InstanceId) {
        let now = self.now;
        if let Some(place) = self.places.get_mut(id) {
            self.tally.taken += u64::from(place.jibri.crash(now));
        }
    }

    /// Does something to the Jibri of this instance, if it is there.
    pub(crate) fn with<T>(
        &mut self,
        id: &InstanceId,
        act: impl FnOnce(&mut Jibri, Timestamp) -> T,
    ) -> Option<T> {
        let now = self.now;
        self.places
            .get_mut(id)
            .map(|place| act(&mut place.jibri, now))
    }

    pub(crate) fn ids(&self) -> Vec<InstanceId> {
        self.places.keys().cloned().collect()
    }

    /// Somebody asks for a recording. Jicofo picks one that says that it is free, and never queues; who starts Jibris over HTTP
    /// may pick any.
    pub(crate) fn record(&mut self, length: Length) {
        let now = self.now;
        self.tally.asked += 1;
        let by_http = self.chance.below(8) == 0;
        let count = u64::try_from(self.places.len()).unwrap().max(1);
        let first = usize::try_from(self.chance.below(count)).unwrap();
        for turn in [true, false] {
            for (number, place) in self.places.values_mut().enumerate() {
                let jibri = &mut place.jibri;
                if (number >= first) == turn
                    && (by_http || jibri.is_offered(now))
                    && jibri.record(length, now)
                {
                    return;
                }
            }
        }
        self.tally.refused += 1;
    }

    /// Lets time go on, by at most a few seconds.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = now;
        for place in self.places.values_mut() {
            let served = place.jibri.advance(now);
            self.tally.served += u64::from(served);
            let expires = u64::from(served && place.jibri.single_use);
            self.counts.add(Kind::SingleUse, expires);
            for left in &mut place.requests {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    place.jibri.tell(now);
                }
            }
            place.requests.retain(|left| *left > 0);
            let came_back = mem::take(&mut place.jibri.resurrections);
            self.counts.add(Kind::Resurrects, came_back);
        }
    }

    /// How many recordings are under way.
    pub(crate) fn recording(&self) -> u64 {
        let recording = self
            .places
            .values()
            .filter(|place| place.jibri.is_recording());
        u64::try_from(recording.count()).unwrap()
    }
}
