//! The Jibris of a group, and the network between them and the controllers.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    mem,
    sync::{Mutex, MutexGuard},
    task::{Poll, Waker},
    time::Duration,
};

use jibri_scaler_core::{InstanceId, JibriStatus, Timestamp};

use super::{
    chance::Chance,
    jibri::{Finalize, Jibri, Length},
    kind::{Counts, Kind},
    mail::Mail,
    secs,
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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Place {
    pub(super) jibri: Jibri,
    pub(super) unreachable: bool,
    pub(super) refuses: Option<Port>,
    /// Whether both do, as after its ports went back to loopback. Only where nobody outside has ever told it.
    pub(super) out_of_sight: bool,
    pub(super) was_told: bool,
    /// Until when both do, for a moment that is shorter than a restart.
    pub(super) blip_until: Option<Timestamp>,
    /// What was answered last.
    pub(super) answered: Option<JibriStatus>,
    /// Requests to end that are under way for so many moments more.
    pub(super) requests: Vec<u64>,
    /// No probe from outside gets through until then.
    pub(super) unheard_until: Option<Timestamp>,
    /// After so many more calls its agent is killed.
    pub(super) agent_dies_after: Option<u32>,
    pub(super) agent_is_dead: bool,
    /// What its agent has reported last, and when.
    pub(super) reported: Option<(JibriStatus, Timestamp)>,
    /// Since when the group ends its instance, while the hook holds it.
    pub(super) leaving_since: Option<Timestamp>,
}

impl Place {
    /// Whether that port refuses, seen from outside.
    pub(super) fn refuses(&self, port: Port, now: Timestamp) -> bool {
        let blip = self.blip_until.is_some_and(|until| now < until);
        !self.jibri.is_up(now) || self.refuses == Some(port) || self.out_of_sight || blip
    }

    /// What refuses although the Jibri runs, if this port does.
    pub(super) fn why_refused(&self, port: Port, now: Timestamp) -> Option<Kind> {
        let kind = match self.refuses {
            _ if self.out_of_sight => Kind::OutOfSight,
            Some(_) => Kind::OnePortRefuses,
            None => Kind::Blips,
        };
        (self.refuses(port, now) && self.jibri.is_up(now)).then_some(kind)
    }
}

/// Whether there are agents, and who looks after what was not uploaded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Setting {
    /// Whether there is an agent beside each Jibri, and the group has the hook.
    pub(crate) agents: bool,
    /// Whether the controllers reach the Jibris themselves.
    pub(crate) direct: bool,
}

impl Setting {
    /// That of this seed: one in two with agents, and of these one in three where the controllers reach the Jibris too.
    pub(crate) const fn of(seed: u64) -> Self {
        Self {
            agents: seed % 2 == 1,
            direct: seed % 6 == 5,
        }
    }

    /// Whether nobody but agents gives machines back, so that what was not uploaded is safe.
    pub(crate) const fn keeps_files(self) -> bool {
        self.agents && !self.direct
    }
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
    pub(super) setting: Setting,
    /// What agents have reported, for each controller.
    pub(crate) mail: [Mail; 2],
    sleepers: Vec<Waker>,
}

/// All Jibris of a group.
#[derive(Debug)]
pub(crate) struct Fleet(Mutex<Inner>);

impl Fleet {
    pub(crate) fn new(seed: u64, setting: Setting, now: Timestamp) -> Self {
        Self(Mutex::new(Inner {
            now,
            places: BTreeMap::new(),
            wrong: Vec::new(),
            chance: Chance(seed),
            counts: Counts::default(),
            tally: Tally::default(),
            setting,
            mail: Default::default(),
            sleepers: Vec::new(),
        }))
    }

    /// Waits until then.
    pub(crate) async fn until(&self, at: Timestamp) {
        poll_fn(|context| {
            let mut inner = self.lock();
            if inner.now >= at {
                return Poll::Ready(());
            }
            inner.sleepers.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl Inner {
    /// What is wrong with the network from now on. Some of the instances can't be reached then, or at one port only.
    pub(crate) fn set_wrong(&mut self, wrong: Vec<Kind>) {
        for kind in [
            Kind::HalfUnreachable,
            Kind::OnePortRefuses,
            Kind::OutOfSight,
        ] {
            let (before, after) = (self.wrong.contains(&kind), wrong.contains(&kind));
            if before == after {
                continue;
            }
            for place in self.places.values_mut() {
                match kind {
                    Kind::HalfUnreachable => {
                        place.unreachable = after && self.chance.below(2) == 0;
                    }
                    Kind::OutOfSight => {
                        let is_drawn = self.chance.below(3) == 0;
                        place.out_of_sight = after && !place.was_told && is_drawn;
                    }
                    _ => {
                        place.refuses = match self.chance.below(4) {
                            0 if after => Some(Port::Health),
                            1 if after => Some(Port::Internal),
                            _ => None,
                        };
                    }
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
            out_of_sight: false,
            was_told: false,
            blip_until: None,
            answered: None,
            requests: Vec::new(),
            unheard_until: None,
            agent_dies_after: None,
            agent_is_dead: false,
            reported: None,
            leaving_since: None,
        };
        self.places.insert(id.clone(), place);
    }

    /// A machine ends. `by_force` says that neither we nor the group ended it.
    pub(crate) fn end_machine(&mut self, id: &InstanceId, by_force: bool) {
        let Some(Place { jibri, .. }) = self.places.remove(id) else {
            return;
        };
        if by_force {
            self.tally.taken += u64::from(jibri.is_recording());
        } else if jibri.has_something() {
            self.tally.lost.push(id.clone());
        }
    }

    pub(crate) fn crash(&mut self, id: &InstanceId) {
        let now = self.now;
        if let Some(place) = self.places.get_mut(id) {
            let cut = place.jibri.crash(now, self.setting.keeps_files());
            self.tally.taken += u64::from(cut);
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
        let finalize = self.finalize();
        let count = u64::try_from(self.places.len()).unwrap().max(1);
        let first = usize::try_from(self.chance.below(count)).unwrap();
        for turn in [true, false] {
            for (number, place) in self.places.values_mut().enumerate() {
                let jibri = &mut place.jibri;
                if (number >= first) == turn
                    && (by_http || jibri.is_offered(now))
                    && jibri.record(length, now)
                {
                    jibri.finalize = finalize;
                    return;
                }
            }
        }
        self.tally.refused += 1;
    }

    /// What becomes of the files of the next recording.
    fn finalize(&mut self) -> Finalize {
        if !self.setting.keeps_files() || !self.occurs(Kind::UploadsFail, 2) {
            return Finalize::Uploads;
        }
        match self.chance.below(2) {
            0 => Finalize::Fails,
            _ => Finalize::Detaches(secs(10 + self.chance.below(240))),
        }
    }

    /// The group begins to end this instance.
    pub(crate) fn leaves(&mut self, id: &InstanceId) {
        let now = self.now;
        if let Some(place) = self.places.get_mut(id) {
            place.leaving_since.get_or_insert(now);
        }
    }

    /// Those that the group ends only since so short a time that an old listing and an old report may not show it.
    pub(crate) fn leaving_unseen(&self) -> Vec<InstanceId> {
        let unseen = |since: Timestamp| self.now.since(since) <= secs(75);
        let leaving = self.places.iter();
        let leaving = leaving.filter(|(_, place)| place.leaving_since.is_some_and(unseen));
        leaving.map(|(id, _)| id.clone()).collect()
    }

    /// Whatever was between this instance and the controllers, or its agent, is gone.
    pub(crate) fn reach(&mut self, id: &InstanceId) {
        if let Some(place) = self.places.get_mut(id) {
            place.unheard_until = None;
            place.blip_until = None;
            place.agent_dies_after = None;
        }
    }

    /// Somebody starts it although it has ended. That its ports refuse for a moment just then would be too much: nothing could show
    /// that it runs. Returns whether it had.
    pub(crate) fn start_by_hand(&mut self, id: &InstanceId) -> bool {
        let now = self.now;
        let Some(place) = self.places.get_mut(id) else {
            return false;
        };
        let had_ended = place.jibri.start_by_hand(now);
        if had_ended {
            place.blip_until = Some(now);
        }
        had_ended
    }

    /// Both ports of this one refuse for a moment: for two ticks at most, and not again soon.
    pub(crate) fn blip(&mut self, id: &InstanceId) -> bool {
        let (now, long) = (self.now, secs(16 + self.chance.below(4)));
        let Some(place) = self.places.get_mut(id) else {
            return false;
        };
        let soon = |until: Timestamp| now < until + secs(60);
        let begins = !place.blip_until.is_some_and(soon);
        if begins {
            place.blip_until = Some(now + long);
        }
        begins
    }

    /// Lets one that has ended be back, unseen, and record, out of sight of the probes. Returns whether it had ended.
    pub(crate) fn back_at_the_last(&mut self, id: &InstanceId, length: Length) -> bool {
        let now = self.now;
        let unheard = self.chance.below(2) == 0;
        let Some(place) = self.places.get_mut(id) else {
            return false;
        };
        let is_back = place.jibri.back_and_recording(length, now);
        if is_back {
            place.blip_until = Some(now);
            place.jibri.finalize = Finalize::Uploads;
            place.unheard_until = unheard.then(|| now + secs(60));
            self.tally.asked += 1;
        }
        is_back
    }

    /// Lets time go on, by at most a few seconds.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = now;
        for sleeper in self.sleepers.drain(..) {
            sleeper.wake();
        }
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
