//! How an agent's instance leaves.

use std::time::Duration;

use super::{Agent, LAST_RETRY, Latched, serving::Launch};
use crate::{
    agent::{
        Act, ActKind, Drain, DrainAct, DrainPhase, Keep, OnSpot, Output, Place, Reading,
        concern::Concern,
        health::Health,
        port::{CheckResult, HookResult, Latch, ServiceState, TargetState, Transition},
    },
    port::{Decrement, PortErrorKind},
};

const SECOND: Duration = Duration::from_secs(1);

/// That the group retains is believed for so long after it was listed.
const RETENTION_HOLDS: Duration = Duration::from_secs(300);

impl Agent {
    /// Begins to drain where there is a reason to.
    pub(super) fn leave(&mut self) {
        if (self.drain.is_none() || self.ends_in_pool())
            && let Some(latch) = self.reason_to_leave()
        {
            self.begin_drain(latch);
        }
    }

    /// Whether the group ends what it had put into a warm pool whose machines run: the hook holds it a second time. Also where it is on its way
    /// back, once the latch is not being taken away any more: to set it meanwhile could be undone.
    fn ends_in_pool(&self) -> bool {
        let was_released = self.drain.as_ref().map(Drain::phase) == Some(DrainPhase::Released);
        let to_pool = matches!(&self.latch, Latched::Yes(latch) if latch.to_pool);
        was_released
            && to_pool
            && self.whereabouts.is_ending(self.clock.elapsed)
            && !self.outstanding.contains(&ActKind::ClearLatch)
    }

    pub(super) fn begin_drain(&mut self, latch: Latch) {
        let because = latch.because.clone();
        self.drain = Some(Drain::new(latch.replace));
        self.latch = Latched::Yes(latch);
        self.looking = None;
        // It may be said of the drain before.
        self.note(Concern::Draining, false);
        self.note_with(Concern::Draining, true, &because);
    }

    fn reason_to_leave(&self) -> Option<Latch> {
        let (wall, elapsed) = (self.clock.wall, self.clock.elapsed);
        let latch = |because| Some(Latch::new(wall, because, true));
        if self.whereabouts.is_ending(elapsed) {
            return latch("the group ends this instance");
        }
        let has_run = matches!(
            self.service,
            Some(ServiceState::Running | ServiceState::Ended { .. })
        );
        if self.target_is(&TargetState::Warmed) && has_run {
            return latch("it goes to the warm pool").map(|latch| latch.with_to_pool(true));
        }
        if self.notices.spot_ends_at.is_some() {
            return latch("Spot takes the instance back");
        }
        if !self.in_service() {
            return None;
        }
        let (deadline, lead) = (self.config.boot_deadline(), self.config.event_lead());
        let lasts = |since: Duration| elapsed.saturating_sub(since) >= deadline;
        if self.notices.event_at.is_some_and(|at| at <= wall + lead) {
            return latch("its host is about to be stopped, rebooted or retired");
        }
        let ended = self.jibris.one_ended_for(elapsed);
        let has_ended = ended.is_some_and(|ended| ended >= deadline);
        // Of several Jibris one is down while none is busy, if all together read unknown.
        match self.reading() {
            Reading::Unhealthy => latch("its Jibri cannot record"),
            Reading::Expired => latch("its Jibri has done its single recording"),
            Reading::Unknown if has_ended => latch("the process of its Jibri has ended"),
            Reading::Unknown
                if !self.jibris.all_have_answered() && self.launch.done.is_some_and(lasts) =>
            {
                latch("its Jibri has not answered within the boot deadline")
            }
            Reading::Busy if self.config.tell_overbusy() => {
                let busy = self.health.busy_for(elapsed);
                let overbusy = busy.is_some_and(|busy| busy > self.config.max_busy());
                overbusy.then(|| latch("its Jibri is busy for longer than max_busy"))?
            }
            _ => None,
        }
    }

    /// Does what must not wait until it is known whether there is a latch: a hook goes on waiting, and a Spot notice gives two
    /// minutes.
    pub(super) fn hold_on(&mut self) {
        let place = self.whereabouts.place(false, self.clock.elapsed);
        self.prolong(place, false);
        self.stop_for_spot(DrainPhase::Latching);
    }

    /// Does what is due for the drain that is under way.
    pub(super) fn go_on_draining(&mut self) {
        let elapsed = self.clock.elapsed;
        let lead = self.config.event_lead();
        let event = self.notices.event_at;
        let is_soon = event.is_some_and(|at| at <= self.clock.wall + lead);
        self.note(Concern::Event, is_soon);
        let (Some(drain), Latched::Yes(latch)) = (self.drain.clone(), self.latch.clone()) else {
            return;
        };
        let to_pool = latch.to_pool;
        let place = self.whereabouts.place(to_pool, elapsed);
        let phase = drain.phase();
        self.kept_at_hook_since = match (phase, place) {
            (DrainPhase::Kept(_), Place::Held) => self.kept_at_hook_since.or(Some(elapsed)),
            // For a while it is not known where it is.
            (DrainPhase::Kept(_), Place::Unknown | Place::Leaving) => self.kept_at_hook_since,
            _ => None,
        };
        let is_back = to_pool && self.target_is(&TargetState::InService);
        if is_back && matches!(phase, DrainPhase::Releasing | DrainPhase::Released) {
            self.begin(Act::ClearLatch, SECOND);
            return;
        }
        if phase == DrainPhase::Released {
            return;
        }
        self.prolong(place, to_pool);
        if self.says_kept {
            self.publish_drain();
        }
        self.stop_for_spot(phase);
        if self.abandon_if_due(&drain, place) {
            return;
        }
        match drain.next(place) {
            DrainAct::SetLatch => {
                self.begin(Act::SetLatch(latch), SECOND);
            }
            DrainAct::Tell => {
                if self.jibris.telling_is_due(elapsed) && self.begin(Act::Tell, SECOND) {
                    self.jibris.tells(elapsed);
                }
            }
            DrainAct::CheckRelease => self.check_release(),
            DrainAct::LookAtGroup => self.look(20 * SECOND),
            DrainAct::Complete => {
                self.complete(Transition::Terminating, HookResult::Continue, 5 * SECOND);
            }
            DrainAct::End(decrement) => self.end(decrement),
            DrainAct::Watch | DrainAct::Rest => {}
        }
        if phase == DrainPhase::Releasing && place == Place::Ending {
            self.given_back();
        }
    }

    /// Whether the group retains what is abandoned, as it was listed just now.
    fn retains(&self) -> Option<bool> {
        let elapsed = self.clock.elapsed;
        let fresh = self
            .listed
            .filter(|listed| listed.age(elapsed) <= RETENTION_HOLDS);
        fresh.map(|listed| listed.retains)
    }

    /// Whether ABANDON would destroy the machine, or that cannot be known.
    fn is_not_retained(&self) -> bool {
        let said_no = self.listed.is_some_and(|listed| !listed.retains);
        said_no || (self.retains().is_none() && self.failures(ActKind::List) > 0)
    }

    /// Lets the group keep a machine that is kept at the hook, for a human, and returns whether it is time for that. Where the group does
    /// not retain, or that is not known, the machine waits at the hook, which the heartbeats prolong, until the group does, somebody has
    /// saved what is left, or the hook has waited as long as AWS lets it.
    fn abandon_if_due(&mut self, drain: &Drain, place: Place) -> bool {
        let is_kept = drain.is_kept_at(place);
        self.note(Concern::NotRetained, is_kept && self.is_not_retained());
        let retains = self.retains();
        if is_kept && retains.is_none() {
            self.list(10 * SECOND);
        }
        let elapsed = self.clock.elapsed;
        let kept_for = self
            .kept_at_hook_since
            .map_or(Duration::ZERO, |since| elapsed.saturating_sub(since));
        let is_due = drain.may_be_abandoned(place, kept_for, retains == Some(true));
        if is_due {
            self.complete(Transition::Terminating, HookResult::Abandon, 5 * SECOND);
        }
        is_due
    }

    fn check_release(&mut self) {
        if self.begin(Act::CheckRelease, 10 * SECOND) {
            self.begun.in_phase.check();
        }
    }

    /// On a Spot notice there is no time for the end of a recording. The latch comes first, but is not waited for when it fails.
    fn stop_for_spot(&mut self, phase: DrainPhase) {
        let is_spot = self.notices.spot_ends_at.is_some();
        let reading = self.reading();
        self.note(Concern::Spot, is_spot);
        self.note(Concern::SpotLoss, is_spot && reading == Reading::Busy);
        // One that has just ended as it was told does not answer either.
        let is_silent = self.health.silent_for(self.clock.elapsed) > self.config.freshness();
        let may_record = match reading {
            Reading::Busy => true,
            Reading::Unknown => is_silent,
            _ => false,
        };
        let is_there = matches!(
            phase,
            DrainPhase::Latching | DrainPhase::Telling | DrainPhase::Finishing
        );
        if is_spot
            && self.config.on_spot() == OnSpot::Stop
            && is_there
            && (phase.is_latched() || self.latch_failed())
            && may_record
        {
            self.begin(Act::StopNow, 60 * SECOND);
        }
    }

    pub(super) fn complete(&mut self, hook: Transition, result: HookResult, pause: Duration) {
        if self.begin(Act::Complete(hook, result), pause) {
            self.begun.completing = Some((hook, result));
        }
    }

    pub(super) fn end(&mut self, decrement: Decrement) {
        if self.begin(Act::End(decrement), 60 * SECOND) {
            self.begun.ending = Some(decrement);
        }
    }

    pub(super) fn completed(&mut self, result: Result<bool, PortErrorKind>) {
        self.settle_within(ActKind::Complete, &result, 60 * SECOND);
        let Ok(waited) = result else { return };
        match self.begun.completing.take() {
            Some((Transition::Launching, _)) => self.launch_completed(waited),
            Some((Transition::Terminating, HookResult::Continue)) if waited => self.given_back(),
            // After an ABANDON it is retained, or ended, or held by another hook: the group knows.
            Some((Transition::Terminating, _)) => self.whereabouts.nothing_waited(),
            None => {}
        }
    }

    pub(super) fn ended(&mut self, result: Result<(), PortErrorKind>) {
        self.settle_within(ActKind::End, &result, LAST_RETRY);
        let decrement = self.begun.ending.take();
        let is_refused = result == Err(PortErrorKind::Permanent);
        match &mut self.drain {
            Some(drain) if is_refused && decrement == Some(Decrement::Yes) => {
                drain.keep_size();
                self.paces.entry(ActKind::End).or_default().now();
            }
            Some(_) => {
                self.note(Concern::EndRefused, is_refused);
                // Even a call that failed may have acted. It is not repeated before the group was asked.
                self.whereabouts.moved();
            }
            None if result.is_ok() => {
                let latch = Latch::new(self.clock.wall, "it is surplus", false);
                self.begin_drain(latch);
                self.whereabouts.moved();
            }
            // That the group may not become smaller is normal; what is not known is shown by the target soon.
            None => {}
        }
    }

    pub(super) fn release_checked(&mut self, result: &CheckResult) {
        let Some(drain) = &mut self.drain else { return };
        let begun_in = self.begun.in_phase.checked_in();
        drain.checked(begun_in, result);
        let has_failed = drain.phase() == DrainPhase::Kept(Keep::CheckFailed);
        self.says_kept |= has_failed && begun_in == DrainPhase::Checking;
        if matches!(drain.phase(), DrainPhase::Kept(_)) {
            let pace = self.paces.entry(ActKind::CheckRelease).or_default();
            pace.wait(self.clock.elapsed, self.config.release_check_every());
        }
    }

    /// Takes in that the latch is gone, since the instance is back from the warm pool.
    pub(super) fn return_from_pool(&mut self) {
        self.latch = Latched::No;
        self.drain = None;
        self.says_kept = false;
        // What failed on its way out says nothing of its new life.
        self.paces.clear();
        self.launch = Launch::from_pool();
        self.health = Health::new(self.config.freshness());
        self.jibris.begin_anew(self.clock.elapsed);
        self.note(Concern::Draining, false);
    }

    fn given_back(&mut self) {
        if let Some(drain) = &mut self.drain {
            drain.released();
            let to_pool = matches!(&self.latch, Latched::Yes(latch) if latch.to_pool);
            if drain.phase() == DrainPhase::Released && !to_pool {
                self.finished = true;
                self.found.push(Output::Finished);
            }
        }
    }
}
