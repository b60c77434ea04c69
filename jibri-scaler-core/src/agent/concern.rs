//! What an agent has to say about its instance.

use std::collections::BTreeSet;

use crate::{Finding, InstanceId, Severity};

/// Something that is said once while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Concern {
    LatchUnreadable,
    LatchNotSet,
    Draining,
    Crashed,
    CheckFailed,
    NotRetained,
    CameBack,
    Untold,
    Spot,
    SpotLoss,
    Event,
    Unhealthy,
    Expired,
    Overbusy,
    Silent,
    NeverAnswered,
    ProcessEnded,
    Unchecked,
    NoMetadata,
    NotInGroup,
    NotPublishing,
    ClockBack,
    EndRefused,
    DoubledPoints,
}

impl Concern {
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    /// How bad it is, what was seen, and what to do about it.
    const fn text(self) -> (Severity, &'static str, &'static str) {
        use Severity::{Critical, Info, Warning};
        match self {
            Self::LatchUnreadable => (
                Critical,
                "the restart latch cannot be read, so that it is not known whether the Jibri was told to end; nothing is done but \
                 to keep a hook waiting and to stop on a Spot notice",
                "look at the problem that is reported with it, and at the file of the latch",
            ),
            Self::LatchNotSet => (
                Critical,
                "the restart latch cannot be set, so that the Jibri cannot be told to end; the instance waits",
                "look at the problem that is reported with it: the disk may be full",
            ),
            Self::Draining => (Info, "it is drained", "nothing"),
            Self::Crashed => (
                Critical,
                "its Jibri has ended otherwise than it was told to, so that a recording may lie there unfinished; the instance is kept \
                 and records nothing any more",
                "look at the folder of its recordings and save what is there, then terminate the instance by hand: nobody else does. The \
                 hook holds it for five minutes, and the group retains it: terminate it once more. Where the group does not retain, \
                 complete the hook's action with CONTINUE",
            ),
            Self::CheckFailed => (
                Critical,
                "the release check has failed, so that something may not be uploaded; the instance is kept until the check passes",
                "upload what is left on it, or end it by hand",
            ),
            Self::NotRetained => (
                Critical,
                "what is left on it would be destroyed if its hook were abandoned, since the group is not known to retain; it waits \
                 at the hook, which AWS lets it do for 48 hours or 100 timeouts of the hook at most",
                "set the instance lifecycle policy of the group to retain (TerminateHookAbandon), or save what is left",
            ),
            Self::CameBack => (
                Warning,
                "its Jibri was started again while it drains; it is told again",
                "make its supervisor respect the restart latch",
            ),
            Self::Untold => (
                Warning,
                "a Jibri on it answers and has not taken the request to end for a minute, so that it may be chosen for a recording; it \
                 is told again and again",
                "nothing while it uploads; else see whether its internal API is where the agent expects it",
            ),
            Self::Spot => (
                Warning,
                "Spot takes the instance back in two minutes",
                "nothing",
            ),
            Self::SpotLoss => (
                Critical,
                "Spot takes the instance back in the middle of a recording: what comes after now is lost",
                "record on on-demand instances",
            ),
            Self::Event => (
                Info,
                "its host is about to be stopped, rebooted or retired; it is replaced before",
                "nothing",
            ),
            Self::Unhealthy => (
                Warning,
                "its Jibri cannot record, and is replaced when it is free",
                "see the log of the Jibri if it happens often",
            ),
            Self::Expired => (
                Info,
                "its Jibri has done its single recording, and is replaced",
                "nothing",
            ),
            Self::Overbusy => (
                Warning,
                "its Jibri is busy for longer than max_busy; it is not ended for that",
                "see whether it still records; stop it by hand if it hangs",
            ),
            Self::Silent => (
                Warning,
                "its Jibri has answered before and does not any more",
                "see the log of the Jibri",
            ),
            Self::NeverAnswered => (
                Critical,
                "its Jibri has not answered within the boot deadline",
                "see the log of the Jibri, and whether the address of its health is right",
            ),
            Self::ProcessEnded => (
                Warning,
                "the process of its Jibri has ended, and the agent did not tell it to",
                "see the log of the Jibri",
            ),
            Self::Unchecked => (
                Warning,
                "its self check has said nothing several times in a row, so that it came into service without one",
                "run the self check by hand, and see what it waits for",
            ),
            Self::NoMetadata => (
                Warning,
                "its metadata cannot be read or say nothing of its lifecycle; the group is asked instead",
                "allow IMDSv2 on the instance, in a container with a hop limit of 2",
            ),
            Self::NotInGroup => (
                Warning,
                "the group has no such instance; nothing is published for it",
                "run the agent on instances of the group only",
            ),
            Self::NotPublishing => (
                Warning,
                "the idle signal could not be published several times in a row; these points are lost, and not sent later",
                "look at the problem that is reported with it",
            ),
            Self::ClockBack => (
                Warning,
                "its clock has stepped back into periods that have their points; nothing is published until they are over",
                "let the clock be kept by chrony against the Amazon Time Sync Service",
            ),
            Self::EndRefused => (
                Warning,
                "the group refuses to end it",
                "look at the problem that is reported with it",
            ),
            Self::DoubledPoints => (
                Warning,
                "more points than instances are published, so that it is not known how many are idle; it does not look whether it is surplus",
                "stop whatever else publishes the idle signal of this group",
            ),
        }
    }
}

/// What has been said and still lasts.
#[derive(Clone, Debug, Default)]
pub(super) struct Concerns(BTreeSet<Concern>);

impl Concerns {
    /// What is to be said now, if it lasts and has not been said; `more` is what is known beyond the concern itself.
    pub(super) fn note(
        &mut self,
        concern: Concern,
        lasts: bool,
        id: &InstanceId,
        more: &str,
    ) -> Option<Finding> {
        if !lasts {
            self.0.remove(&concern);
            return None;
        }
        self.0.insert(concern).then(|| {
            let (severity, what, fix) = concern.text();
            let separator = if more.is_empty() { "" } else { ": " };
            Finding::new(severity, format!("{id}: {what}{separator}{more}"), fix)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concern_is_said_once_while_it_lasts() {
        let id = "i-0abc".parse().unwrap();
        let mut concerns = Concerns::default();
        assert_eq!(concerns.note(Concern::Overbusy, false, &id, ""), None);
        let said = concerns.note(Concern::Overbusy, true, &id, "13h").unwrap();
        assert!(
            said.what.starts_with("i-0abc: ") && said.what.ends_with(": 13h"),
            "{said}"
        );
        assert_eq!(concerns.note(Concern::Overbusy, true, &id, ""), None);
        assert_eq!(concerns.note(Concern::Overbusy, false, &id, ""), None);
        assert!(concerns.note(Concern::Overbusy, true, &id, "").is_some());
    }
}
