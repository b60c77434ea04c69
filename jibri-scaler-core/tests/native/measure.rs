//! What a group was like over a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use jibri_scaler_core::InstanceId;

use crate::world::{MAX_SIZE, MIN_IDLE, Machine};

/// What a growth alarm of two periods of a minute needs to see a shortfall, whenever it begins, and what is late.
const REACTION: Duration = Duration::from_secs(4 * 60);

#[derive(Clone, Debug, Default)]
pub(crate) struct Measure {
    /// Instances whose machine ended while it recorded or uploaded.
    pub(crate) lost: Vec<InstanceId>,
    pub(crate) served: u32,
    pub(crate) refused: u32,
    pub(crate) launches: u32,
    pub(crate) ends: u32,
    /// How often the group turned from growing to shrinking or back.
    pub(crate) turns: u32,
    grew: Option<bool>,
    /// Instances that were launched and cannot take a recording yet.
    pub(crate) coming: BTreeSet<InstanceId>,
    total: Duration,
    /// How long fewer were free than wanted, and none.
    short: Duration,
    none: Duration,
    /// How long fewer were free or coming than wanted, and for longer than growth needs to react.
    unanswered: Duration,
    since: Duration,
    /// Instance seconds: free ones, wanted ones.
    free_seconds: f64,
    wanted_seconds: f64,
    pub(crate) most_recording: usize,
    pub(crate) largest: usize,
}

/// So many free ones are wanted while so many record, in a group that cannot become larger than it may.
pub(crate) fn wanted(recording: usize) -> usize {
    let share = recording.div_ceil(4);
    let least = usize::try_from(MIN_IDLE).unwrap();
    let room = usize::try_from(MAX_SIZE).unwrap() - recording;
    share.max(least).min(room)
}

impl Measure {
    /// So much time has passed with these machines.
    pub(crate) fn pass(&mut self, span: Duration, machines: &BTreeMap<InstanceId, Machine>) {
        let (mut free, mut recording) = (0, 0);
        for (id, machine) in machines {
            let jibri = machine.jibri.lock();
            free += usize::from(jibri.is_free());
            recording += usize::from(jibri.is_recording());
            if jibri.is_up() {
                self.coming.remove(id);
            }
        }
        let wanted = wanted(recording);
        self.total += span;
        self.short += if free < wanted { span } else { Duration::ZERO };
        self.none += if free == 0 { span } else { Duration::ZERO };
        if free + self.coming.len() < wanted {
            let before = self.since;
            self.since += span;
            self.unanswered += self.since.saturating_sub(before.max(REACTION));
        } else {
            self.since = Duration::ZERO;
        }
        self.free_seconds += seconds(span, free);
        self.wanted_seconds += seconds(span, wanted);
        self.most_recording = self.most_recording.max(recording);
        self.largest = self.largest.max(machines.len());
    }

    pub(crate) fn asked(&mut self, served: bool) {
        self.served += u32::from(served);
        self.refused += u32::from(!served);
    }

    pub(crate) fn launched(&mut self, id: &InstanceId) {
        self.coming.insert(id.clone());
        self.launches += 1;
        self.turns += u32::from(self.grew == Some(false));
        self.grew = Some(true);
    }

    pub(crate) fn ended(&mut self, id: &InstanceId) {
        self.coming.remove(id);
        self.ends += 1;
        self.turns += u32::from(self.grew == Some(true));
        self.grew = Some(false);
    }

    fn share(&self, of: Duration) -> f64 {
        of.as_secs_f64() / self.total.as_secs_f64()
    }

    /// The share of the time in which fewer were free than wanted.
    pub(crate) fn short(&self) -> f64 {
        self.share(self.short)
    }

    /// The share of the time in which none was free.
    pub(crate) fn none(&self) -> f64 {
        self.share(self.none)
    }

    /// The share of the time in which fewer were free or coming than wanted, for longer than growth needs to react.
    pub(crate) fn unanswered(&self) -> f64 {
        self.share(self.unanswered)
    }

    /// How many were free for each that was wanted, over the whole time.
    pub(crate) fn excess(&self) -> f64 {
        self.free_seconds / self.wanted_seconds
    }

    /// The share of recordings that were refused.
    pub(crate) fn refusals(&self) -> f64 {
        f64::from(self.refused) / f64::from(self.served + self.refused)
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} served, {} refused ({:.1} %), {} lost; at most {} recording on {} machines; {} launches, {} ends, {} turns; \
             below the wanted spare {:.1} %, unanswered {:.1} %, none free {:.1} % of the time; {:.2} free for each wanted",
            self.served,
            self.refused,
            100.0 * self.refusals(),
            self.lost.len(),
            self.most_recording,
            self.largest,
            self.launches,
            self.ends,
            self.turns,
            100.0 * self.short(),
            100.0 * self.unanswered(),
            100.0 * self.none(),
            self.excess(),
        )
    }
}

fn seconds(span: Duration, count: usize) -> f64 {
    span.as_secs_f64() * f64::from(u32::try_from(count).unwrap())
}
