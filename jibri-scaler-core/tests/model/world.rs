//! The world of the model: one group, its machines, and who acts on them.

use std::sync::{Arc, atomic::AtomicU64};

use jibri_scaler_core::{InstanceId, Lifecycle, Timestamp};

use crate::{
    agent::Agent,
    controller::Controller,
    jibri::{Jibri, Status, Supervisor},
};

/// One unit of time, in seconds. Ticks are this far apart.
pub const UNIT: u64 = 10;
/// What lay further back than so many units when a tick began is all the same to every rule, with the limits that the model sets.
const HORIZON: u64 = 3;
/// Two requests to a Jibri to end are so far apart, which is the longest time that any rule asks for.
const TELL_INTERVAL: u64 = 4;
/// How much later than it began a tick may still compare times.
const LATE: u64 = 1;
/// So many units is longer than a tick takes.
pub const LONG: u8 = 2;
/// A channel of any depth that delays, reorders, duplicates and loses: whatever a Jibri has ever said may be heard at any time, or
/// never. All that a channel of some depth with these faults does, this one does too, and it has fewer states. What was heard is read
/// when a tick begins, and by nothing else, so that it is drawn then (`View::heard`).
pub const ANY: u8 = u8::MAX;
/// What came in longer ago than so many units is not read: `report_ttl`.
pub const TTL: u8 = 2;
/// It is always now: when time passes, all stamps move back.
pub const NOW: Timestamp = Timestamp::from_secs(1_000_000);

/// A stamp after one unit has passed.
pub fn aged(at: Timestamp) -> Timestamp {
    settled(units_before(at, 1))
}

/// The same stamp, or the one that stands for all that lie too far back.
pub fn settled(at: Timestamp) -> Timestamp {
    at.max(units_before(NOW, TELL_INTERVAL + LATE))
}

/// What lies before this is all the same to a tick that begins then.
pub fn horizon(begun: Timestamp) -> Timestamp {
    units_before(begun, HORIZON)
}

/// So many units earlier.
pub fn units_before(at: Timestamp, units: u64) -> Timestamp {
    at.before(std::time::Duration::from_secs(UNIT * units))
}

/// Where a machine is in the lifecycle of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Not launched yet.
    Absent,
    Pending,
    InService,
    /// Held by the terminating hook, for so many units of time, as far as that matters.
    Waiting(u8),
    /// Kept for a human after the hook was abandoned or has timed out.
    Retained,
    /// Terminated, and no longer listed.
    Ended,
}

impl Place {
    pub fn is_listed(self) -> bool {
        !matches!(self, Self::Absent | Self::Ended)
    }

    /// The same without what only time shows.
    pub fn known(self) -> Self {
        match self {
            Self::Waiting(_) => Self::Waiting(0),
            other => other,
        }
    }

    pub fn counts(self) -> bool {
        matches!(self, Self::Pending | Self::InService)
    }

    pub fn lifecycle(self) -> Lifecycle {
        match self {
            Self::Pending => Lifecycle::Pending,
            Self::InService => Lifecycle::InService,
            Self::Waiting(_) => Lifecycle::TerminatingWait,
            Self::Retained => Lifecycle::TerminatingRetained,
            Self::Absent | Self::Ended => Lifecycle::Terminated,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    pub place: Place,
    pub protected: bool,
    /// Whether a controller has had the time to protect it: it has finished a tick that saw it unprotected.
    pub had_time: bool,
    pub jibri: Jibri,
    /// The restart latch on its disk, with whether the group is to replace it.
    pub latch: Option<bool>,
    pub agent: Option<Agent>,
    /// Reports of its agent on their way to the controllers, in no order; or all that it can have reported.
    pub channel: Vec<Status>,
    /// What a listing may still show that is older than its end, where one may be.
    pub left: Option<Left>,
}

/// How an instance was listed that was in service not long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    pub protected: bool,
    /// Whether that is so for the last unit.
    pub is_last: bool,
}

impl Machine {
    /// Whether nobody is shown it any more.
    pub fn is_over(&self) -> bool {
        self.place == Place::Ended && self.left.is_none()
    }
}

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// A machine was given back while a session or its upload was in progress.
    Lost,
    /// A machine was given back with a recording on it that was not uploaded, past its own agent.
    Unsaved,
    /// More was asked for than the maximum size.
    AboveMax,
    /// The desired capacity was lowered to shrink.
    Lowered,
    /// More retirements with decrement were begun than the minimum size allows.
    BelowMin,
    /// More was launched than is wanted.
    Overgrown,
    /// One that is busy, or not known to be free, was retired.
    NotFree,
    /// One was retired that can't be told.
    NoWay,
    /// The group was made smaller while it was too small.
    Gap,
    /// A controller did what controllers in company do not.
    UnknownAct,
    /// A controller was shown or answered what it is not in any world.
    UnknownInput,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub machines: Vec<Machine>,
    pub desired: u8,
    pub controllers: Vec<Controller>,
    pub has_hook: bool,
    /// How many more times somebody may take a machine by force, or lower the desired capacity.
    pub outside: u8,
    /// How many more times a process may crash or be given a new configuration.
    pub restarts: u8,
    pub broken: Option<Broken>,
}

/// Which actors there are, and what they may do: one configuration to explore.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says of another thing whether it is there"
)]
pub struct Config {
    pub name: &'static str,
    pub machines: u8,
    /// How many of them are there from the start.
    pub launched: u8,
    pub sessions: u8,
    /// Whether those are for all machines together, and not for each.
    pub shared: bool,
    pub controllers: u8,
    /// How many reports may be under way, or [`ANY`].
    pub channel: u8,
    pub min: u8,
    pub max: u8,
    pub wanted: u32,
    pub agents: bool,
    /// Whether controllers reach the Jibris by HTTP.
    pub direct: bool,
    pub hook: bool,
    pub retention: bool,
    pub supervisor: Supervisor,
    pub single_use: bool,
    /// Whether machines come into service protected.
    pub born_protected: bool,
    pub outside: u8,
    pub restarts: u8,
    /// Whether a process that is started anew may have other ports open than before.
    pub rebinding: Rebinding,
    pub faults: Faults,
    /// How many steps of an exploration have cost a recording by force. They are no broken promise, and counted apart.
    pub forced: Arc<AtomicU64>,
    /// Whether there are other controllers, any number of them, that do whatever a controller may do at any time.
    pub company: bool,
    pub rules: Arc<[jibri_scaler_core::safeguard::Safeguard]>,
    /// For how many steps the fault-free continuation may go on before it must have reached its goal; 0 where it is not looked at.
    pub patience: u8,
    /// Whether in that continuation the recordings that go on never end.
    pub endless: bool,
}

/// What a restart may do to the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebinding {
    Never,
    /// Each may be open or not after a start; once it was told, not both at once are out of sight.
    UntilTold,
    /// Also after it was told: then a controller without an agent can be deceived.
    Always,
}

/// Which faults there are.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub struct Faults {
    /// Questions and calls fail, before or after they have acted.
    pub calls: bool,
    /// Controllers crash, and come back with what they had saved, or without.
    pub controllers: bool,
    /// Agents crash, and come back, or not.
    pub agents: bool,
    /// System errors in sessions.
    pub system_errors: bool,
    /// Finalize fails, or detaches its upload.
    pub finalize: bool,
    /// Reports are lost and duplicated.
    pub channel: bool,
    /// Somebody starts a Jibri by hand: while the release check runs, or between two ticks.
    pub by_hand: bool,
    /// Processes end by themselves only once the latch is set.
    pub late: bool,
    /// A tick may take so long that time passes in it.
    pub slow: bool,
    /// A listing may be older than the last change of the desired capacity.
    pub old_listing: bool,
    /// And older than the end of an instance, so that it shows that in service. Not beside slow ticks: a hook waits for longer than both take,
    /// which the units of the model do not tell apart.
    pub lagging: bool,
    /// Somebody ends an instance through the group, so that the hook holds it.
    pub ended: bool,
    /// A process that was started again ends again at once: a supervisor that fights for longer than `gone_after`.
    pub loops: bool,
    /// Somebody deletes the hook.
    pub hook_removed: bool,
    /// Also while somebody [relies on it](World::relies_on_hook).
    pub relied_on: bool,
    /// The hook times out although the agent goes on: the 48 hours are over.
    pub timeout: bool,
}

impl Config {
    /// Whether each Jibri starts once, uploads what it records and ends once, beside an agent that lives as long, at a hook that waits
    /// for it. Then what a look or a check shows stays true, so that it makes no difference how long its outcome takes.
    pub fn goes_one_way(&self) -> bool {
        let faults = self.faults;
        let fails = faults.finalize || faults.agents || faults.calls || faults.timeout;
        let returns = self.restarts > 0 || self.supervisor == Supervisor::Stubborn;
        self.agents && !fails && !returns && !faults.hook_removed && self.rules.is_empty()
    }

    pub fn start(&self) -> World {
        let machine = |index: u8| Machine {
            place: if index < self.launched {
                Place::InService
            } else {
                Place::Absent
            },
            protected: self.born_protected,
            had_time: false,
            jibri: Jibri::new(self.sessions),
            latch: None,
            agent: self.agents.then(Agent::default),
            channel: Vec::new(),
            left: None,
        };
        World {
            machines: (0..self.machines).map(machine).collect(),
            desired: self.launched.max(self.min),
            controllers: (0..self.controllers)
                .map(|_| Controller::new(self))
                .collect(),
            has_hook: self.hook,
            outside: self.outside,
            restarts: self.restarts,
            broken: None,
        }
    }
}

impl World {
    pub fn count(&self, place: impl Fn(Place) -> bool) -> u8 {
        let count = self.machines.iter().filter(|machine| place(machine.place));
        u8::try_from(count.count()).expect("few machines")
    }

    /// Whether the hook was seen by somebody who goes by that still: a tick that is under way, or an agent that has given up the
    /// protection and has not seen since that it is needed.
    pub fn relies_on_hook(&self) -> bool {
        let is_left_open = |machine: &Machine| {
            machine.place == Place::InService && machine.agent.is_some() && !machine.protected
        };
        let mut controllers = self.controllers.iter();
        controllers.any(Controller::is_running) || self.machines.iter().any(is_left_open)
    }

    /// What is promised is broken; the first break is kept.
    pub fn broke(&mut self, what: Broken) {
        self.broken.get_or_insert(what);
    }
}

pub fn id_of(index: usize) -> InstanceId {
    format!("i-{index}").parse().expect("not empty")
}

pub fn index_of(id: &InstanceId) -> usize {
    id.as_str()[2..].parse().expect("an id of the model")
}
