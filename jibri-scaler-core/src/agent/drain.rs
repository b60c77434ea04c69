//! The agent's part in the retirement of its Jibri.

use std::time::Duration;

use crate::{
    agent::port::{CheckResult, Latch, ServiceState},
    controller::course::LET_GO_AFTER,
    port::{Decrement, Told},
    safeguard::{Safeguard, holds},
};

/// The exit code of a Jibri that was told to end, and of no other end.
const TOLD_TO_END: i32 = 255;

/// So many release checks without a result count as one that failed.
const MAX_INCONCLUSIVE: u8 = 3;

/// What is kept waits at the hook for so long before it is abandoned. To end an instance by its id changes nothing while it waits
/// there, and destroys it once it is retained; until then no controller takes it for one in service any more, from a listing that lags
/// or from what this agent reported last.
const ABANDONED_AFTER: Duration = Duration::from_secs(300);

// A controller that has given the machine back, and does not hear this agent, lets it go later than one that was up then abandons it.
const _: () = assert!(ABANDONED_AFTER.as_secs() < LET_GO_AFTER.as_secs());

/// How far a [`Drain`] has come.
///
/// ```
/// use jibri_scaler_core::agent::{DrainPhase, Keep};
///
/// assert_ne!(DrainPhase::Kept(Keep::Crashed), DrainPhase::Kept(Keep::CheckFailed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DrainPhase {
    /// The restart latch is to be set.
    Latching,
    /// The latch is set; the Jibri is to be told to end when it is free.
    Telling,
    /// The Jibri was told. It may be recording for hours.
    Finishing,
    /// The process has ended as it was told to; the release check is to say whether anything is left.
    Checking,
    /// The check has passed; one more look at the process is to confirm that nobody started it meanwhile.
    Confirming,
    /// The machine is to be given back.
    Releasing,
    /// The machine is not given back: something on it is, or may be, worth keeping.
    Kept(Keep),
    /// The machine has been given back.
    Released,
}

impl DrainPhase {
    /// Whether the latch is set.
    #[must_use]
    pub const fn is_latched(self) -> bool {
        !matches!(self, Self::Latching)
    }

    /// Whether the process had ended when this phase began.
    const fn is_past_the_end(self) -> bool {
        matches!(
            self,
            Self::Checking | Self::Confirming | Self::Releasing | Self::Kept(_)
        )
    }
}

/// Why a machine is kept.
///
/// ```
/// use jibri_scaler_core::agent::Keep;
///
/// assert_ne!(Keep::Crashed, Keep::CheckFailed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Keep {
    /// The process ended otherwise than it was told to: a recording may lie there unfinished.
    Crashed,
    /// The release check has failed: something has not been uploaded.
    CheckFailed,
}

/// Where the instance is, as far as giving it back is concerned.
///
/// ```
/// use jibri_scaler_core::{Lifecycle, agent::Place};
///
/// assert_eq!(Place::from(&Lifecycle::TerminatingWait), Place::Held);
/// assert_eq!(Place::from(&Lifecycle::Terminating), Place::Leaving);
/// assert_eq!(Place::from(&Lifecycle::Standby), Place::Elsewhere);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// It is not known.
    Unknown,
    /// In service, or on its way there: nobody ends it unless the agent does.
    InService,
    /// On its way out, and not yet held by the hook.
    Leaving,
    /// Held by the terminating hook.
    Held,
    /// Kept for a human after the hook was abandoned or has timed out.
    Retained,
    /// About to end, or no longer in the group.
    Ending,
    /// In standby, detached, or in a state unknown here: not the agent's to end.
    Elsewhere,
}

impl From<&crate::Lifecycle> for Place {
    fn from(lifecycle: &crate::Lifecycle) -> Self {
        use crate::Lifecycle as L;
        match lifecycle {
            L::InService | L::Pending | L::PendingWait | L::PendingProceed => Self::InService,
            L::Terminating | L::WarmedPending | L::WarmedTerminating => Self::Leaving,
            // On its way back to the warm pool an instance is held by the same hook.
            L::TerminatingWait | L::WarmedPendingWait | L::WarmedTerminatingWait => Self::Held,
            L::Detaching | L::Detached => Self::Elsewhere,
            L::TerminatingRetained | L::WarmedPendingRetained | L::WarmedTerminatingRetained => {
                Self::Retained
            }
            L::TerminatingProceed
            | L::Terminated
            | L::WarmedPendingProceed
            | L::WarmedTerminatingProceed
            | L::WarmedTerminated => Self::Ending,
            other if other.is_leaving() => Self::Leaving,
            other if other.is_counting() => Self::InService,
            _ => Self::Elsewhere,
        }
    }
}

/// What is to be done next for a [`Drain`].
///
/// ```
/// use jibri_scaler_core::agent::{Drain, DrainAct, Place};
///
/// assert_eq!(Drain::new(true).next(Place::Held), DrainAct::SetLatch);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DrainAct {
    /// Set the restart latch, then call [`Drain::latched`].
    SetLatch,
    /// Tell the Jibri to end when it is free, then call [`Drain::told`].
    Tell,
    /// Run the release check, then call [`Drain::checked`].
    CheckRelease,
    /// Ask the group where the instance is.
    LookAtGroup,
    /// Complete the terminating hook with CONTINUE; after one that was taken call [`Drain::released`].
    Complete,
    /// End the instance. The drain goes on until the hook is completed or the instance is gone.
    End(Decrement),
    /// Nothing but to watch the process, and to hand in what is seen.
    Watch,
    /// Nothing.
    Rest,
}

/// The agent's part in the retirement of its Jibri: the rules, without a clock and without doing anything.
///
/// A driver asks whether the machine [may be abandoned](Self::may_be_abandoned), and else for the [`next`](Self::next) act, does it, and
/// hands in what came of it. From the latch on it also looks at the
/// process and at the health again and again, and hands in each look together with the phase in which the look was *begun*: a look
/// that was under way before the latch was set proves nothing, nor does a look or a release check that was under way while the
/// phase changed, also where it has changed back since; such a one is handed in as begun in [`Latching`](DrainPhase::Latching).
///
/// | phase | input | next phase | why |
/// |---|---|---|---|
/// | latching, any later one | the agent starts anew, and finds the latch | telling | whether it was told is not known, and telling again is always safe |
/// | latching | the latch is set | telling | only now no supervisor brings back a process that ends |
/// | latching | the latch could not be set | latching | telling before could end the process, and have it started anew |
/// | telling | told, of several Jibris each | finishing | it took `gracefulShutdown`, which shares a lock with the start of a recording |
/// | telling | refused by any, or not known | telling | one may not be told, and may have ended or be about to come up; telling again is always safe |
/// | telling, finishing | process ended with 255 | checking | 255 is the exit of a Jibri that was told to end, its recording finalized |
/// | telling, finishing | process ended otherwise | kept: crashed | a recording may lie there unfinished: a human is to see it |
/// | telling, finishing | process not started, and never seen running or told in this drain, which is not resumed, or is on the way to the warm pool | checking | nothing has run since the machine came up |
/// | telling, finishing | process not started otherwise | kept: crashed | the machine was rebooted under it |
/// | finishing | any is free, or answers after it was down, in a reading begun since it was told | telling | told, it would have ended: a supervisor has restarted it |
/// | checking | check passed | confirming | what was recorded is uploaded, if nobody has come back meanwhile |
/// | checking | check failed | kept: check failed | Jibri ignores whether its upload worked; this is where it shows |
/// | checking | the third check without a result | kept: check failed | no data is not clean |
/// | confirming | process still ended with 255, or not started, in a look begun since | releasing | gone is seen twice, before and after the check |
/// | checking, confirming, releasing, kept | process runs, or the health answers | telling | it was started again: nothing is given back while anybody is there |
/// | checking, confirming, releasing, kept | process ended otherwise | kept: crashed | it was started again, and crashed |
/// | checking, confirming, releasing, kept | process not started otherwise | kept: crashed | the machine was rebooted under it |
/// | releasing | in service | releasing | the instance is ended by its id, which leads to the hook |
/// | releasing | held | released, once a CONTINUE was taken | the hook has nothing left to wait for |
/// | releasing | retained | releasing | the hook has timed out while the recording went on; now the instance is ended |
/// | releasing | the decrement was refused | releasing | the group is at its minimum: ended without decrement |
/// | releasing | about to end, or not in the group | released | nothing is left to give back |
/// | kept | held for five minutes | kept | completed with ABANDON where the group is known to retain, so that a human finds the instance; not before, since to end a retained one by its id destroys it, and somebody with an old view may |
/// | kept: check failed | a later check passes | confirming | somebody has saved what was left |
/// | kept: crashed | a check passes | kept: crashed | only a human can say what an unfinished recording is worth |
/// | released, in the warm pool | the group ends the instance | a new drain: latching | the hook holds it a second time |
///
/// There is no transition by time: a recording may take as long as it likes.
///
/// ```
/// use jibri_scaler_core::{
///     agent::{Drain, DrainAct, DrainPhase, Place, port::{CheckResult, ServiceState}},
///     port::Told,
/// };
///
/// let gone = ServiceState::Ended { code: Some(255) };
/// let mut drain = Drain::new(true);
/// drain.latched();
/// drain.told(Told::Yes);
/// drain.process(DrainPhase::Finishing, gone);
/// assert_eq!(drain.next(Place::Held), DrainAct::CheckRelease);
/// drain.checked(DrainPhase::Checking, &CheckResult::Passed);
/// drain.process(DrainPhase::Confirming, gone);
/// assert_eq!(drain.next(Place::Held), DrainAct::Complete);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Drain {
    phase: DrainPhase,
    replace: bool,
    /// Whether a process has been there, so that none must have an end that was seen.
    ran: bool,
    inconclusive: u8,
}

impl Drain {
    /// A drain that begins; `replace` says whether the group is to keep its size where the agent ends the instance.
    #[must_use]
    pub fn new(replace: bool) -> Self {
        Self {
            phase: if holds(Safeguard::LatchFirst) {
                DrainPhase::Latching
            } else {
                DrainPhase::Telling
            },
            replace,
            ran: false,
            inconclusive: 0,
        }
    }

    /// The drain that an agent goes on with when it finds this latch. Whether the Jibri was told before is not known: it is told
    /// again, which is always safe.
    #[must_use]
    pub const fn resumed(latch: &Latch) -> Self {
        Self {
            phase: DrainPhase::Telling,
            replace: latch.replace,
            ran: !latch.to_pool,
            inconclusive: 0,
        }
    }

    /// How far it has come.
    #[must_use]
    pub const fn phase(&self) -> DrainPhase {
        self.phase
    }

    /// Whether the group is to keep its size where the agent ends the instance.
    #[must_use]
    pub const fn replace(&self) -> bool {
        self.replace
    }

    /// What is to be done next, with the instance being there.
    #[must_use]
    pub fn next(&self, place: Place) -> DrainAct {
        use DrainPhase as P;
        match (self.phase, place) {
            (P::Telling | P::Finishing, Place::Held) if !holds(Safeguard::AgentWaitsForGone) => {
                DrainAct::Complete
            }
            (P::Kept(_), Place::Held) if !holds(Safeguard::KeptIsAbandoned) => DrainAct::Complete,
            (P::Latching, _) => DrainAct::SetLatch,
            (P::Telling, _) => DrainAct::Tell,
            (P::Releasing | P::Kept(_), Place::Unknown | Place::Leaving) => DrainAct::LookAtGroup,
            (P::Releasing, Place::Held) => DrainAct::Complete,
            (P::Releasing, Place::InService) if !self.replace => DrainAct::End(Decrement::Yes),
            (P::Releasing, Place::InService | Place::Retained) => DrainAct::End(Decrement::No),
            (P::Checking | P::Kept(Keep::CheckFailed), _) => DrainAct::CheckRelease,
            (P::Finishing | P::Confirming | P::Kept(Keep::Crashed), _)
            | (P::Releasing, Place::Elsewhere | Place::Ending) => DrainAct::Watch,
            (P::Released, _) => DrainAct::Rest,
        }
    }

    /// Whether the machine may be left to the group now, for a human to find it, by completing the hook with ABANDON: it is kept, has
    /// been held since for `kept_for`, five minutes at least, and the group is known to
    /// [retain](crate::port::Listing::retains_abandoned) it; elsewhere ABANDON destroys what is to be kept. One that may not yet goes on as
    /// [`next`](Self::next) says, and waits at the hook.
    ///
    /// ```
    /// use std::time::Duration;
    /// use jibri_scaler_core::{agent::{Drain, DrainPhase, Place, port::ServiceState}, port::Told};
    ///
    /// let mut drain = Drain::new(true);
    /// drain.latched();
    /// drain.told(Told::Yes);
    /// drain.process(DrainPhase::Finishing, ServiceState::Ended { code: Some(1) });
    /// let five_minutes = Duration::from_secs(300);
    /// assert!(drain.may_be_abandoned(Place::Held, five_minutes, true));
    /// assert!(!drain.may_be_abandoned(Place::Held, five_minutes, false));
    /// assert!(!drain.may_be_abandoned(Place::Held, Duration::from_secs(299), true));
    /// ```
    #[must_use]
    pub fn may_be_abandoned(&self, place: Place, kept_for: Duration, retains: bool) -> bool {
        let is_due = kept_for >= ABANDONED_AFTER || !holds(Safeguard::AbandonedLate);
        let is_found = retains || !holds(Safeguard::AbandonedWhereRetained);
        self.is_kept_at(place) && is_due && is_found
    }

    /// Whether it is kept, and the hook holds it.
    pub(super) fn is_kept_at(&self, place: Place) -> bool {
        matches!(self.phase, DrainPhase::Kept(_)) && place == Place::Held
    }

    /// Takes in that the latch is set.
    pub const fn latched(&mut self) {
        if matches!(self.phase, DrainPhase::Latching) {
            self.phase = DrainPhase::Telling;
        }
    }

    /// Takes in what came of telling: yes only where each Jibri of the machine has taken it.
    pub fn told(&mut self, told: Told) {
        if self.phase == DrainPhase::Telling && told == Told::Yes {
            self.phase = DrainPhase::Finishing;
            self.ran = true;
        }
    }

    /// Takes in that the health of one or more Jibris answered in a reading that was begun in that phase, and whether each that did
    /// was told and is BUSY with what it finishes.
    pub fn answered(&mut self, begun_in: DrainPhase, is_finishing: bool) {
        let was_restarted = self.phase == DrainPhase::Finishing
            && begun_in == DrainPhase::Finishing
            && !is_finishing;
        let is_back = self.phase.is_past_the_end()
            && begun_in.is_past_the_end()
            && holds(Safeguard::BackIsToldAgain);
        if was_restarted || is_back {
            self.phase = DrainPhase::Telling;
            self.ran = true;
        }
    }

    /// Takes in where the process is, in a look that was begun in that phase.
    pub fn process(&mut self, begun_in: DrainPhase, state: ServiceState) {
        if !self.phase.is_latched() || !begun_in.is_latched() {
            return;
        }
        let phase = self.phase;
        match state {
            ServiceState::Running => {
                self.ran = true;
                if phase.is_past_the_end()
                    && begun_in.is_past_the_end()
                    && holds(Safeguard::BackIsToldAgain)
                {
                    self.phase = DrainPhase::Telling;
                }
            }
            ServiceState::Ended {
                code: Some(TOLD_TO_END),
            } => self.gone(begun_in),
            ServiceState::NotStarted if !self.ran => self.gone(begun_in),
            ServiceState::Ended { .. } if !holds(Safeguard::Only255) => self.gone(begun_in),
            ServiceState::Ended { .. } | ServiceState::NotStarted => {
                if phase != DrainPhase::Released {
                    self.phase = DrainPhase::Kept(Keep::Crashed);
                }
            }
            ServiceState::Unknown => {}
        }
    }

    /// Takes in what the release check gave that was begun in that phase. What was checked before the process was started again says
    /// nothing.
    pub fn checked(&mut self, begun_in: DrainPhase, result: &CheckResult) {
        let is_due = matches!(
            self.phase,
            DrainPhase::Checking | DrainPhase::Kept(Keep::CheckFailed)
        );
        if !is_due || begun_in != self.phase {
            return;
        }
        let failed = match result {
            CheckResult::Passed => false,
            CheckResult::Failed(_) => true,
            CheckResult::Inconclusive(_) => {
                self.inconclusive = self.inconclusive.saturating_add(1);
                if self.inconclusive < MAX_INCONCLUSIVE {
                    return;
                }
                true
            }
        };
        self.inconclusive = 0;
        self.phase = if failed {
            DrainPhase::Kept(Keep::CheckFailed)
        } else if holds(Safeguard::ConfirmGone) {
            DrainPhase::Confirming
        } else {
            DrainPhase::Releasing
        };
    }

    /// Takes in that the hook was completed, or that the instance is about to end or no longer in the group.
    pub fn released(&mut self) {
        if self.phase == DrainPhase::Releasing {
            self.phase = DrainPhase::Released;
        }
    }

    /// Takes in that the group may not become smaller: the instance is to be replaced.
    pub const fn keep_size(&mut self) {
        self.replace = true;
    }

    /// A look that was under way while the phase changed may have seen a process before it was started again.
    fn gone(&mut self, begun_in: DrainPhase) {
        if begun_in != self.phase {
            return;
        }
        match self.phase {
            DrainPhase::Telling | DrainPhase::Finishing => {
                self.inconclusive = 0;
                self.phase = if holds(Safeguard::ReleaseCheck) {
                    DrainPhase::Checking
                } else {
                    DrainPhase::Confirming
                };
            }
            DrainPhase::Confirming => self.phase = DrainPhase::Releasing,
            _ => {}
        }
    }
}

/// In which phase the look at the process and the release check were begun that are under way, for whoever drives a [`Drain`].
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BegunIn {
    look: Option<DrainPhase>,
    check: Option<DrainPhase>,
    /// How far the drain was in the last step.
    phase: Option<DrainPhase>,
}

impl BegunIn {
    /// Takes in how far the drain is now. What is under way was begun before it changed, and proves nothing.
    pub fn follow(&mut self, phase: Option<DrainPhase>) {
        if self.phase != phase {
            self.phase = phase;
            if holds(Safeguard::BegunInPhase) {
                self.look = None;
                self.check = None;
            }
        }
        if !holds(Safeguard::BegunInPhase) {
            self.look = phase;
            self.check = phase;
        }
    }

    /// Takes in that a look at the process is begun now.
    pub const fn look(&mut self) {
        self.look = self.phase;
    }

    /// Takes in that a release check is begun now.
    pub const fn check(&mut self) {
        self.check = self.phase;
    }

    /// In which phase the look counts as begun.
    #[must_use]
    pub fn looked_in(&self) -> DrainPhase {
        self.look.unwrap_or(DrainPhase::Latching)
    }

    /// In which phase the release check counts as begun.
    #[must_use]
    pub fn checked_in(&self) -> DrainPhase {
        self.check.unwrap_or(DrainPhase::Latching)
    }
}

#[cfg(test)]
mod tests;
