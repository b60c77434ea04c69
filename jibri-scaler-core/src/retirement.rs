//! The protocol by which one Jibri leaves without losing its recording, seen from the side that retires it.
//!
//! A Jibri is *retired*, never killed: it is told to end when it is free, its end is awaited, and only then is its machine given
//! back. This module holds the rules and does nothing by itself: in each tick a driver tells what was
//! [reported](Retirement::reported), or [heard](Retirement::heard) of one that does not answer, asks for the [`next`](Retirement::next)
//! act, does it through the ports, and tells what came of it. That it is [about to tell](Retirement::asking) it writes down before. Where it
//! can't look it says [so](Retirement::unwatched), and where its clock has stepped back, that time was
//! [interrupted](Retirement::interrupted).
//!
//! | phase | input | next phase | why |
//! |---|---|---|---|
//! | requested | told | told | the Jibri took `gracefulShutdown`, which shares a lock with the start of a recording |
//! | requested | refused | requested | nobody was told: it is told again in the next tick |
//! | requested | not known | requested | it may have been told: telling again is safe, and waits as below |
//! | requested | it came back, or may have been told, less than `gone_after` and `report_ttl` together ago, or what was done before then is not remembered | requested | it is not told yet: while another controller takes it for gone, this one ends it once at most, so that one that is restarted then is seen |
//! | requested | not told for the boot deadline, and for as long as between two requests, without BUSY in it | given up | it cannot be retired from here; while BUSY a request may wait behind its finalize script |
//! | told | BUSY reported since | finishing | it ends when the recording and its upload are done; there is no deadline |
//! | told, finishing | both ports refuse | same, refusing | one refusal can be a restart |
//! | told, finishing | both still refuse, `gone_after` later, without a gap | gone | longer than any supervisor takes to restart it |
//! | told, finishing | a port answers after both refused | requested | it was restarted: it is to be told again |
//! | told | free `gone_after` after it was told | requested | told, it would have ended: it was restarted unseen |
//! | finishing | free again | requested | told, it would have ended instead: the request was lost |
//! | gone | it answers | requested | not given back while anybody answers there |
//! | told, finishing, gone | the third return | given up | something restarts it; its machine is left to a human |
//! | told, finishing, gone | not watched, no look refused for longer than `report_ttl`, a look that says nothing, or a report that came in since the last look | same, refusing anew | it may have come back meanwhile, with its ports closed |
//! | gone | given back | released | whether it goes is seen in later listings |
//! | released | still listed in service later | gone, refusing anew | the act was lost, and somebody may have started it meanwhile: give it back again once it has refused for as long again |
//! | any | the clock stepped back, or no tick for `report_ttl` | same, refusing anew | what must have lasted can't be known to have; times that lie ahead count from now |
//! | any | not listed any more | forgotten | nothing is left to retire; one that was given up on ends so, and no other way |
//!
//! Where an agent of ours runs on the instance and the group has the hook, the agent does all of that, and this side only asks the
//! group to end the instance:
//!
//! | phase | input | next phase | why |
//! |---|---|---|---|
//! | requested | the group took the request | terminating | the hook holds the instance until its agent has drained it |
//! | requested | not handed over for the boot deadline, without BUSY in it | given up | its agent is silent, or the hook has gone |
//! | terminating | BUSY reported since | same, seen busy | its agent waits for the recording; that takes no place from others |
//! | terminating | still listed in service later | requested | the act was lost: ask again, if the agent is still there |

#[cfg(feature = "__model")]
mod model;
mod pace;
mod phase;
mod saved;
mod sight;

pub use phase::Phase;
#[doc(hidden)]
pub use sight::Sight;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Limits, Timestamp,
    port::{Presence, Told},
    safeguard::{Safeguard, holds},
};
use saved::Saved;

/// After so many returns of a Jibri that had been told to end, it is given up on.
pub const MAX_RETURNS: u32 = 3;

/// What is to be done next for a retirement.
///
/// ```
/// use jibri_scaler_core::{Limits, Timestamp, retirement::{Act, Retirement}};
///
/// let (now, limits) = (Timestamp::from_secs(0), Limits::default());
/// let retirement = Retirement::new(now, false);
/// assert_eq!(retirement.next(now, &limits), Act::Tell);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Act {
    /// Call [`Retirement::asking`], save that, tell the Jibri to end when it is free, then call [`Retirement::told`].
    Tell,
    /// Look at both ports, then call [`Retirement::looked`].
    Look,
    /// Look once more, call [`Retirement::looked`], and where it [is still gone](Retirement::is_still_gone) give the machine back, then call
    /// [`Retirement::released`].
    Release,
    /// Ask the group to end the instance, whose own agent drains it, then call [`Retirement::released`].
    HandOver,
    /// Nothing: wait until it is no longer listed, or may be told.
    Wait,
}

/// What this tick's health report says of a Jibri under retirement.
///
/// ```
/// use jibri_scaler_core::{Limits, Timestamp, port::Told, retirement::{Phase, Retirement, Work}};
///
/// let at = Timestamp::from_secs;
/// let mut retirement = Retirement::new(at(0), false);
/// retirement.told(Told::Yes, at(0));
/// retirement.reported(Work::Busy, at(30), &Limits::default());
/// assert_eq!(retirement.phase(), Phase::Finishing);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Work {
    /// BUSY, in a report received after it was told.
    Busy,
    /// Not BUSY, in a report received in this tick.
    Free,
    /// Nothing is known.
    Unknown,
}

/// One retirement under way.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{
///     Limits,
///     Timestamp,
///     port::{Presence, Told},
///     retirement::{Act, Phase, Retirement},
/// };
///
/// let start = Timestamp::from_secs(0);
/// let limits = Limits::default(); // gone after 120 s, without 45 s in which no look was refused
/// let mut retirement = Retirement::new(start, false);
/// retirement.told(Told::Yes, start);
/// for secs in [30, 60, 90, 120] {
///     retirement.looked(Presence::BothRefuse, start + Duration::from_secs(secs), &limits);
///     assert_eq!(retirement.phase(), Phase::Told, "not for long enough");
/// }
/// retirement.looked(Presence::BothRefuse, start + Duration::from_secs(150), &limits);
/// assert_eq!(retirement.next(start + Duration::from_secs(150), &limits), Act::Release);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Saved")]
pub struct Retirement {
    phase: Phase,
    since: Timestamp,
    /// Since when it is to be told: when it was decided, or when the Jibri came back.
    untold_since: Timestamp,
    replace: bool,
    told_at: Option<Timestamp>,
    seen_busy: bool,
    /// Since when both ports have refused in each look, without a gap.
    refusing_since: Option<Timestamp>,
    /// When a look has found both ports refusing last.
    refused_at: Option<Timestamp>,
    released_at: Option<Timestamp>,
    returns: u32,
    /// Whether the agent on the instance drains it.
    by_agent: bool,
    /// One that is to be told: since when this side knows that it has not asked it to end, and that it has not come back.
    unasked_since: Option<Timestamp>,
}

impl Retirement {
    /// A retirement that was decided at that time; `replace` says whether the group is to keep its size.
    #[must_use]
    pub const fn new(since: Timestamp, replace: bool) -> Self {
        Self {
            phase: Phase::Requested,
            since,
            untold_since: since,
            replace,
            told_at: None,
            seen_busy: false,
            refusing_since: None,
            refused_at: None,
            released_at: None,
            returns: 0,
            by_agent: false,
            unasked_since: None,
        }
    }

    /// The same, drained by the agent on the instance while the group's hook holds it.
    ///
    /// ```
    /// use jibri_scaler_core::{Limits, Timestamp, retirement::{Act, Phase, Retirement}};
    ///
    /// let start = Timestamp::from_secs(0);
    /// let mut retirement = Retirement::new(start, false).by_agent();
    /// assert_eq!(retirement.next(start, &Limits::default()), Act::HandOver);
    /// retirement.released(false, start);
    /// assert_eq!(retirement.phase(), Phase::Terminating);
    /// ```
    #[must_use]
    pub const fn by_agent(mut self) -> Self {
        self.by_agent = true;
        self
    }

    /// Whether the agent on the instance drains it.
    #[must_use]
    pub const fn is_by_agent(&self) -> bool {
        self.by_agent
    }

    /// How far it has come.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// When it was decided.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Whether the group is to replace the instance.
    #[must_use]
    pub const fn replace(&self) -> bool {
        self.replace
    }

    /// When the Jibri took the request, if it has and did not come back since.
    #[must_use]
    pub const fn told_at(&self) -> Option<Timestamp> {
        self.told_at
    }

    /// Whether the Jibri was seen BUSY since it was told.
    #[must_use]
    pub const fn seen_busy(&self) -> bool {
        self.seen_busy
    }

    /// Whether the machine has been given back.
    #[must_use]
    pub const fn was_released(&self) -> bool {
        matches!(self.phase, Phase::Released)
    }

    /// When the machine was last given back, or handed over to its agent.
    #[must_use]
    pub const fn released_at(&self) -> Option<Timestamp> {
        self.released_at
    }

    /// How often the Jibri came back after it was told.
    #[must_use]
    pub const fn returns(&self) -> u32 {
        self.returns
    }

    /// What is to be done next.
    #[must_use]
    pub fn next(&self, now: Timestamp, limits: &Limits) -> Act {
        match self.act() {
            Act::Tell if !self.may_be_told(now, limits) => Act::Wait,
            act => act,
        }
    }

    fn act(&self) -> Act {
        match self.phase {
            Phase::Requested if self.by_agent => Act::HandOver,
            Phase::Requested => Act::Tell,
            Phase::Told | Phase::Finishing if holds(Safeguard::WaitForGone) => Act::Look,
            Phase::Told | Phase::Finishing | Phase::Gone => Act::Release,
            Phase::Released | Phase::Terminating | Phase::GivenUp => Act::Wait,
        }
    }

    /// Takes in what came of telling.
    pub fn told(&mut self, told: Told, now: Timestamp) {
        let took_it = told == Told::Yes || !holds(Safeguard::ToldBeforeGone);
        if self.phase != Phase::Requested || self.by_agent {
            return;
        }
        self.unasked_since = (told == Told::Unknown).then_some(now);
        if took_it {
            self.phase = Phase::Told;
            self.told_at = Some(now);
            self.seen_busy = false;
            self.refusing_since = None;
        }
    }

    /// Takes in what this tick's report says of the Jibri's work.
    pub fn reported(&mut self, work: Work, now: Timestamp, limits: &Limits) {
        let told_long_ago = self
            .told_at
            .is_some_and(|told| now.since(told) >= limits.gone_after());
        match (self.phase, work) {
            (Phase::Told, Work::Busy)
                if self.refusing_since.is_some() && holds(Safeguard::TellAgain) =>
            {
                self.returned(now, limits);
            }
            (Phase::Told, Work::Busy) => {
                self.phase = Phase::Finishing;
                self.seen_busy = true;
                self.refusing_since = None;
            }
            (Phase::Terminating, Work::Busy) => self.seen_busy = true,
            (Phase::Gone, Work::Busy | Work::Free) if holds(Safeguard::NotWhileItAnswers) => {
                self.returned(now, limits);
            }
            (Phase::Finishing, Work::Free) if holds(Safeguard::FreeIsUntold) => {
                self.returned(now, limits);
            }
            (Phase::Told, Work::Free) if told_long_ago && holds(Safeguard::FreeIsUntold) => {
                self.returned(now, limits);
            }
            _ => {}
        }
    }

    /// Takes in what a look at both ports has shown, in a tick that began at `now`. It is gone when both have refused for `gone_after`, in
    /// at least two looks, no two of which are further apart than `report_ttl`: where they are, the Jibri may have come back and ended
    /// again between them, and the time begins anew.
    pub fn looked(&mut self, presence: Presence, now: Timestamp, limits: &Limits) {
        if !matches!(self.phase, Phase::Told | Phase::Finishing | Phase::Gone) {
            return;
        }
        let may_return = if self.phase == Phase::Gone {
            holds(Safeguard::NotWhileItAnswers)
        } else {
            self.refusing_since.is_some()
        };
        if self.is_after_gap(now, limits) {
            self.unwatched();
        }
        if presence == Presence::BothRefuse {
            self.refused_at = Some(now);
        }
        match (presence, self.refusing_since) {
            (Presence::Answers, _) if may_return => {
                if holds(Safeguard::TellAgain) {
                    self.returned(now, limits);
                } else {
                    self.refusing_since = None;
                }
            }
            (Presence::BothRefuse, None) if holds(Safeguard::GoneConfirmed) => {
                self.refusing_since = Some(now);
            }
            (Presence::BothRefuse, since)
                if since.is_none_or(|since| now.since(since) >= limits.gone_after()) =>
            {
                self.phase = Phase::Gone;
            }
            (Presence::Unclear, _) => self.refusing_since = None,
            _ => {}
        }
    }

    /// Takes in that the machine has been given back, or handed over to its agent, and whether the group keeps its size.
    pub fn released(&mut self, replace: bool, now: Timestamp) {
        self.phase = match self.phase {
            Phase::Gone => Phase::Released,
            Phase::Told | Phase::Finishing if !holds(Safeguard::WaitForGone) => Phase::Released,
            Phase::Requested if self.by_agent => {
                self.told_at = Some(now);
                self.seen_busy = false;
                Phase::Terminating
            }
            _ => return,
        };
        self.replace = replace;
        self.released_at = Some(now);
        // Should the act be lost, somebody may have started it meanwhile.
        self.unwatched();
    }

    /// Takes in that the group still lists the instance in service. After `patience` the act counts as lost.
    pub fn still_in_service(&mut self, now: Timestamp, patience: Duration) {
        let lost = self.released_at.is_some_and(|at| now.since(at) > patience);
        match self.phase {
            Phase::Released if lost => self.phase = Phase::Gone,
            Phase::Terminating if lost => {
                self.phase = Phase::Requested;
                self.told_at = None;
                self.seen_busy = false;
                self.untold_since = now;
            }
            _ => {}
        }
    }

    /// Takes in that a Jibri that is to be told reads BUSY: a request may wait for its answer behind the finalize script, for as long
    /// as that runs, so that the time without being told begins anew.
    pub fn busy_untold(&mut self, now: Timestamp) {
        if self.phase == Phase::Requested {
            self.untold_since = self.untold_since.max(now);
        }
    }

    /// Gives up on a Jibri that could not be told, or handed over, for the boot deadline.
    pub fn give_up_untold(&mut self, now: Timestamp, limits: &Limits) {
        let is_over = now.since(self.untold_since) >= self.patience(limits);
        if self.phase == Phase::Requested && is_over {
            self.phase = Phase::GivenUp;
        }
    }

    /// Whether its machine may be given back after this last look: it is gone, both ports refuse now, and have for `gone_after`
    /// without a gap.
    #[must_use]
    pub fn is_still_gone(&self, presence: Presence, now: Timestamp, limits: &Limits) -> bool {
        let refusing = self
            .refusing_since
            .is_some_and(|since| now.since(since) >= limits.gone_after());
        if !holds(Safeguard::WaitForGone) {
            return true;
        }
        let refuses = presence == Presence::BothRefuse || !holds(Safeguard::NotWhileItAnswers);
        let refusing = refusing && !(self.is_after_gap(now, limits) && holds(Safeguard::NoGaps));
        self.phase == Phase::Gone && refuses && (refusing || !holds(Safeguard::GoneConfirmed))
    }

    /// Whether the last look that was refused is so long ago that it may have come back and ended again since.
    fn is_after_gap(&self, now: Timestamp, limits: &Limits) -> bool {
        let is_gap = |refused: Timestamp| now.since(refused) > limits.report_ttl();
        self.refused_at.is_none_or(is_gap)
    }

    /// Takes in that one that does not answer now was heard then, in whatever way: where that was after the last look, the time of the
    /// refusals begins anew.
    pub fn heard(&mut self, at: Timestamp) {
        if self.refused_at.is_some_and(|refused| refused < at) {
            self.unwatched();
        }
    }

    /// Takes in that nobody could look at it in this tick, as while it is in standby: the time of the refusals begins anew.
    pub fn unwatched(&mut self) {
        if holds(Safeguard::NoGaps) {
            self.refusing_since = None;
        }
    }

    /// Takes in that time was not observed without a gap: what must have lasted begins anew.
    pub fn interrupted(&mut self, now: Timestamp, limits: &Limits) {
        self.unwatched();
        self.since = self.since.min(now);
        self.unasked_since = self.unasked_since.map(|at| at.min(now));
        self.untold_since = self.untold_since.min(self.may_be_told_from(now, limits));
        self.told_at = self.told_at.map(|at| at.min(now));
        self.released_at = self.released_at.map(|at| at.min(now));
    }

    fn returned(&mut self, now: Timestamp, limits: &Limits) {
        self.told_at = None;
        // Its recording is over, or it has not been told in this one: it takes a place of those under way again.
        self.seen_busy = false;
        self.unasked_since = Some(now);
        self.untold_since = self.may_be_told_from(now, limits);
        self.returns = self.returns.saturating_add(1);
        self.refusing_since = None;
        self.phase = if self.returns >= MAX_RETURNS {
            Phase::GivenUp
        } else {
            Phase::Requested
        };
    }
}

#[cfg(test)]
mod tests;
