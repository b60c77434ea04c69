//! What somebody should know of an agent's instance.

use std::time::Duration;

use super::{Agent, Latched};
use crate::agent::{
    ActKind, Drain, DrainPhase, Keep, Reading, concern::Concern, port::ServiceState,
};

/// What lasts so long is said.
const LONG: Duration = Duration::from_secs(60);

impl Agent {
    /// What somebody should know.
    pub(super) fn worry(&mut self) {
        let elapsed = self.clock.elapsed;
        let reading = self.reading();
        let phase = self.drain.as_ref().map(Drain::phase);
        let deadline = self.config.boot_deadline();
        let silent = self.health.silent_for(elapsed);
        let busy = self.health.busy_for(elapsed);
        let is_serving = self.in_service() && self.drain.is_none();

        let is_unknown = matches!(self.latch, Latched::Unknown);
        let failed = self.failures(ActKind::LoadLatch) > 0;
        self.note(Concern::LatchUnreadable, is_unknown && failed);
        let overbusy = busy.is_some_and(|busy| busy > self.config.max_busy());
        self.note(Concern::Overbusy, overbusy);
        let answered = self.jibris.all_have_answered();
        let is_silent = self.health.answered && reading == Reading::Unknown && silent > LONG;
        self.note(Concern::Silent, is_silent && phase.is_none());
        let is_late = is_serving && !answered && reading == Reading::Unknown && silent > deadline;
        self.note(Concern::NeverAnswered, is_late);
        self.note(
            Concern::Unhealthy,
            is_serving && reading == Reading::Unhealthy,
        );
        self.note(Concern::Expired, is_serving && reading == Reading::Expired);
        let ended = self.jibris.one_ended_for(elapsed).is_some();
        self.note(Concern::ProcessEnded, is_serving && ended);

        let latching = phase == Some(DrainPhase::Latching);
        self.note(Concern::LatchNotSet, latching && self.latch_failed());
        let keep = |keep| phase == Some(DrainPhase::Kept(keep));
        let (crashed, failed) = (keep(Keep::Crashed), keep(Keep::CheckFailed));
        let more = match self.service {
            Some(ServiceState::Ended { code: Some(code) }) => format!("exit code {code}"),
            Some(ServiceState::Ended { code: None }) => "ended by a signal".to_owned(),
            _ => String::new(),
        };
        self.note_with(Concern::Crashed, crashed, &more);
        self.note(Concern::CheckFailed, failed);
        let untold = self
            .jibris
            .untold_for(elapsed)
            .is_some_and(|untold| untold > LONG);
        let is_telling = phase == Some(DrainPhase::Telling);
        self.note(Concern::Untold, untold && is_telling);
        let came_back = std::mem::take(&mut self.came_back);
        self.note(Concern::CameBack, came_back);

        let no_metadata = self.whereabouts.target(elapsed).is_none();
        let is_long = elapsed > LONG;
        self.note(Concern::NoMetadata, no_metadata && is_long);
        self.note(Concern::NotInGroup, self.whereabouts.in_no_group());
        let not_publishing = self.failures(ActKind::Publish) >= 3;
        self.note(Concern::NotPublishing, not_publishing);
        let silent_until = self.publisher.silent_until(self.clock.wall);
        let more = silent_until.map_or_else(String::new, |until| format!("until {until}"));
        self.note_with(Concern::ClockBack, silent_until.is_some(), &more);
    }
}
