//! What a controller has seen, written down by somebody who looks over its shoulder.

use jibri_scaler_core::{
    Memory,
    controller::course::{Call, Seen},
    port::{Presence, Told},
};

use crate::{
    controller::{Controller, Outcome, Probe, Shown},
    world::{Config, Place, TTL},
};

/// In units of time: `gone_after` of the model, and how long after it was given back the hook of an instance is completed.
const GONE_AFTER: u8 = 2;
const LET_GO_AFTER: u8 = 3;
const LONG_AGO: u8 = 3;

/// What it has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Evidence {
    lasting: Lasting,
    /// Whether this tick shows that somebody is there, or does not show whether: so much is taken in once the Jibris are looked at.
    interrupts: bool,
    /// How old the newest report of the agent is.
    heard: Option<u8>,
    /// Whether the last look of this tick was refused by both ports.
    refused_now: bool,
    /// Whether the listing of this tick showed it in service, and whether its agent was heard, and the hook there.
    listed: (bool, bool),
}

/// What it is to remember.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lasting {
    /// Whether the Jibri took a request of this controller.
    told: bool,
    /// For how long both ports have refused in each look, without a gap.
    refusing: Option<u8>,
    /// How long ago the tick began that has found that last.
    refused: u8,
    /// How long ago the newest tick began.
    ticked: u8,
    /// How long ago the tick began that has given it back last.
    given_back: Option<u8>,
}

/// Whether a retirement is under way in this memory.
pub fn is_leaving(memory: &Memory) -> bool {
    let mut all = memory.retirements().values();
    all.any(|retirement| retirement.phase().is_under_way())
}

impl Lasting {
    pub fn pass(&mut self) {
        self.refusing = self.refusing.map(|age| GONE_AFTER.min(older(age)));
        self.ticked = older(self.ticked);
        self.refused = older(self.refused);
        let longest = LET_GO_AFTER + 1;
        self.given_back = self.given_back.map(|age| longest.min(age + 1));
    }

    /// How long ago the newest tick began.
    pub fn ticked(&self) -> u8 {
        self.ticked
    }

    /// `may_look` is whether a tick is under way in which the instance may be looked at.
    pub fn canonical(&mut self, leaves: bool, may_look: bool) {
        if !leaves {
            (self.told, self.refusing, self.given_back) = (false, None, None);
        }
        if self.refusing.is_none() {
            self.refused = LONG_AGO;
        }
        if !may_look && self.refusing.is_none() {
            self.ticked = LONG_AGO;
        }
    }
}

fn older(age: u8) -> u8 {
    LONG_AGO.min(age + 1)
}

impl Evidence {
    pub fn pass(&mut self) {
        self.lasting.pass();
        self.heard = self.heard.map(older).filter(|age| *age < LONG_AGO);
    }

    pub fn hears(&mut self) {
        self.heard = Some(0);
    }

    pub fn lasting(&self) -> &Lasting {
        &self.lasting
    }

    /// One that comes back has seen what it remembers.
    pub fn of(lasting: Lasting) -> Self {
        Self {
            lasting,
            ..Self::default()
        }
    }

    /// What no later step asks for is forgotten: only what leaves is ended, by a tick that is under way.
    pub fn canonical(&mut self, controller: &Controller) {
        let leaves = is_leaving(controller.memory());
        self.interrupts &= leaves;
        let may_end = leaves && controller.is_running();
        if !may_end {
            self.listed = (false, false);
            self.refused_now = false;
        }
        self.lasting.canonical(leaves, may_end);
    }

    fn answered(&mut self) {
        self.lasting.refusing = None;
        self.refused_now = false;
    }

    pub fn ticks(&mut self, config: &Config, shown: Shown, has_hook: bool) {
        let in_service = shown.place == Place::InService;
        let has_answered = match self.heard {
            Some(age) => age <= TTL / 2,
            None => config.direct && matches!(shown.probe, Probe::Answered(..)),
        };
        if self.lasting.refused > TTL {
            self.lasting.refusing = None;
        }
        self.interrupts = !in_service || has_answered;
        self.lasting.ticked = 0;
        self.refused_now = false;
        self.listed = (in_service, self.heard.is_some() && has_hook);
        if !shown.place.is_listed() {
            self.heard = None;
        }
    }

    /// Takes in what the tick shows, unless what comes first is still under way.
    pub fn goes_on(&mut self, call: Option<&Call>) {
        let is_before = matches!(call, Some(Call::Protect(_) | Call::SetCapacity(_)));
        if self.interrupts && !is_before {
            self.answered();
            self.interrupts = false;
        }
    }

    /// Takes in what came of a call, and says what was done without evidence.
    pub fn calls(&mut self, call: &Call, outcome: Outcome) -> Option<&'static str> {
        match (call, outcome) {
            (_, Outcome::Seen(_, Seen::Told(Told::Yes))) => {
                let lasting = &mut self.lasting;
                (lasting.told, lasting.refusing, lasting.given_back) = (true, None, None);
            }
            (_, Outcome::Seen(_, Seen::Looked(seen) | Seen::LookedLast(seen))) => match seen {
                Presence::BothRefuse => {
                    let lasting = &mut self.lasting;
                    lasting.refusing = lasting.refusing.or(Some(lasting.ticked));
                    lasting.refused = lasting.ticked;
                    self.refused_now = true;
                }
                _ => self.answered(),
            },
            (Call::Terminate(..), outcome) => {
                let (in_service, is_handed_over) = self.listed;
                let lasting = &mut self.lasting;
                let is_long = lasting.refusing.is_some_and(|age| age >= GONE_AFTER);
                let is_gone = lasting.told && is_long && self.refused_now;
                if outcome == Outcome::Done(Ok(())) {
                    lasting.given_back = is_gone.then_some(lasting.ticked);
                }
                if !(in_service && (is_gone || is_handed_over)) {
                    return Some("ended");
                }
            }
            (Call::Complete(_), _) => {
                let lasting = &self.lasting;
                let waited = |given_back: u8| given_back - lasting.ticked >= LET_GO_AFTER;
                let (_, is_with_its_agent) = self.listed;
                if is_with_its_agent || !lasting.given_back.is_some_and(waited) {
                    return Some("completed");
                }
            }
            _ => {}
        }
        None
    }
}
