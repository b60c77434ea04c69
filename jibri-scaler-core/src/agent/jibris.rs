//! What is known of each Jibri of this machine by itself, where what all say together would hide it.

use std::time::Duration;

use crate::{
    agent::{Reading, port::ServiceState},
    port::{ProbeOutcome, Told},
};

/// One that was not told is tried again so soon while any answers that can be told, or none was told yet.
const SOON: Duration = Duration::from_secs(10);
/// And so soon while those that were not told are silent: they have ended, or are about to come up.
const LATER: Duration = Duration::from_secs(60);

/// The Jibris of this machine, one by one.
#[derive(Clone, Debug, Default)]
pub(super) struct Jibris {
    /// In the order in which their health is read.
    each: Vec<Jibri>,
    /// In the order of the supervisor, which may be another one: where the process is, and since when.
    processes: Vec<(ServiceState, Duration)>,
    /// When they were last told to end.
    told_at: Option<Duration>,
    /// Since when one has answered without a gap, after it was told, that has not taken `gracefulShutdown`.
    untold_since: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Jibri {
    /// Whether it has answered since the agent was started.
    answered: bool,
    newest: Reading,
    told: TakenBy,
}

/// Whether a Jibri has taken `gracefulShutdown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TakenBy {
    /// No process that is known of.
    None,
    /// The one that runs, or ran last.
    This,
    /// One that was down since.
    Former,
}

impl Jibri {
    const NEW: Self = Self {
        answered: false,
        newest: Reading::Unknown,
        told: TakenBy::None,
    };

    fn answers(self) -> bool {
        self.newest != Reading::Unknown
    }

    /// Whether it answers and would go on doing so: it was not told, or is free although it was.
    fn is_to_be_told(self) -> bool {
        self.answers() && (self.told != TakenBy::This || self.newest.is_free())
    }
}

impl Jibris {
    /// Takes in the newest answer of each.
    pub(super) fn read(&mut self, outcomes: &[ProbeOutcome], elapsed: Duration) {
        self.each.resize(outcomes.len(), Jibri::NEW);
        for (jibri, outcome) in self.each.iter_mut().zip(outcomes) {
            jibri.newest = Reading::of(std::slice::from_ref(outcome));
            jibri.answered |= jibri.answers();
            if *outcome == ProbeOutcome::Refused && jibri.told == TakenBy::This {
                jibri.told = TakenBy::Former;
            }
        }
        let untold = |jibri: &Jibri| jibri.answers() && jibri.told != TakenBy::This;
        let was_tried = self.told_at.is_some();
        self.untold_since = if was_tried && self.each.iter().any(untold) {
            self.untold_since.or(Some(elapsed))
        } else {
            None
        };
    }

    /// Whether any answers.
    pub(super) fn one_answers(&self) -> bool {
        self.each.iter().any(|jibri| jibri.answers())
    }

    /// Whether any answers that is to be told, for the first time or again.
    pub(super) fn one_is_to_be_told(&self) -> bool {
        self.each.iter().any(|jibri| jibri.is_to_be_told())
    }

    /// For how long one has answered that has not taken `gracefulShutdown`.
    pub(super) fn untold_for(&self, elapsed: Duration) -> Option<Duration> {
        Some(elapsed.saturating_sub(self.untold_since?))
    }

    /// Whether each has answered since the agent was started.
    pub(super) fn all_have_answered(&self) -> bool {
        !self.each.is_empty() && self.each.iter().all(|jibri| jibri.answered)
    }

    /// Takes in what came of telling each. Returns what that is for all together: yes only where each has taken it.
    pub(super) fn told(&mut self, told: &[Told]) -> Told {
        self.each.resize(told.len(), Jibri::NEW);
        for (jibri, told) in self.each.iter_mut().zip(told) {
            match told {
                Told::Yes => jibri.told = TakenBy::This,
                Told::Refused if jibri.told == TakenBy::This => jibri.told = TakenBy::Former,
                // One that was told before may be busy with its end.
                Told::Refused | Told::Unknown => {}
            }
        }
        if told.contains(&Told::Unknown) {
            Told::Unknown
        } else if told.is_empty() || told.contains(&Told::Refused) {
            Told::Refused
        } else {
            Told::Yes
        }
    }

    /// Whether they are to be told now. Telling again is always safe; where those that have not taken it are silent it can wait, so
    /// that a recording of hours is not told every few seconds.
    pub(super) fn telling_is_due(&self, elapsed: Duration) -> bool {
        let none_was_told = self.each.iter().all(|jibri| jibri.told == TakenBy::None);
        let pause = if none_was_told || self.one_is_to_be_told() {
            SOON
        } else {
            LATER
        };
        self.told_at
            .is_none_or(|at| elapsed.saturating_sub(at) >= pause)
    }

    /// Takes in that they are being told.
    pub(super) const fn tells(&mut self, elapsed: Duration) {
        self.told_at = Some(elapsed);
    }

    /// Takes in where each process is. Returns where all together are.
    pub(super) fn seen(&mut self, states: &[ServiceState], elapsed: Duration) -> ServiceState {
        self.processes.truncate(states.len());
        for (number, state) in states.iter().enumerate() {
            match self.processes.get_mut(number) {
                Some((before, _)) if before == state => {}
                Some(process) => *process = (*state, elapsed),
                None => self.processes.push((*state, elapsed)),
            }
        }
        ServiceState::of_all(states)
    }

    /// For how long at least one process has ended; `None` where none has.
    pub(super) fn one_ended_for(&self, elapsed: Duration) -> Option<Duration> {
        let has_ended =
            |(state, _): &&(ServiceState, Duration)| matches!(state, ServiceState::Ended { .. });
        let ended = self.processes.iter().filter(has_ended);
        ended.map(|(_, since)| elapsed.saturating_sub(*since)).max()
    }

    /// Takes in that the machine begins anew: nothing was told, nothing was heard, and no process has ended for long.
    pub(super) fn begin_anew(&mut self, elapsed: Duration) {
        let mut processes = std::mem::take(&mut self.processes);
        for (_, since) in &mut processes {
            *since = elapsed;
        }
        *self = Self {
            processes,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JibriStatus;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn says(busy: &str) -> ProbeOutcome {
        ProbeOutcome::Answered(JibriStatus::new(busy.into(), "HEALTHY".into()))
    }

    #[test]
    fn all_are_told_only_where_each_has_taken_it() {
        use Told::{Refused, Unknown, Yes};
        let cases: [(&[Told], Told); 6] = [
            (&[Yes, Yes], Yes),
            (&[Yes, Refused], Refused),
            (&[Refused, Refused], Refused),
            (&[Yes, Unknown], Unknown),
            (&[Refused, Unknown], Unknown),
            (&[], Refused),
        ];
        for (each, all) in cases {
            assert_eq!(Jibris::default().told(each), all, "{each:?}");
        }
    }

    #[test]
    fn one_is_to_be_told_that_answers_untold_or_free_or_after_it_was_down() {
        let of = |told, outcomes: &[ProbeOutcome]| {
            let mut jibris = Jibris::default();
            jibris.told(&[told, Told::Yes]);
            for outcome in outcomes {
                jibris.read(&[outcome.clone(), says("BUSY")], secs(1));
            }
            jibris.one_is_to_be_told()
        };
        let refused = || ProbeOutcome::Refused;
        assert!(!of(Told::Yes, &[says("BUSY")]));
        assert!(!of(Told::Yes, &[refused()]));
        assert!(of(Told::Yes, &[says("IDLE")]));
        assert!(of(Told::Yes, &[refused(), says("BUSY")]));
        let slow = [ProbeOutcome::TimedOut, says("BUSY")];
        assert!(!of(Told::Yes, &slow), "it never was down");
        assert!(!of(Told::Refused, &[refused()]));
        for busy in ["IDLE", "BUSY"] {
            assert!(of(Told::Refused, &[says(busy)]));
            assert!(of(Told::Unknown, &[says(busy)]));
        }
    }

    #[test]
    fn those_that_are_silent_are_told_again_more_rarely() {
        let mut jibris = Jibris::default();
        assert!(jibris.telling_is_due(secs(0)));
        jibris.tells(secs(0));
        jibris.told(&[Told::Refused, Told::Refused]);
        assert!(!jibris.telling_is_due(secs(9)) && jibris.telling_is_due(secs(10)));
        jibris.told(&[Told::Yes, Told::Refused]);
        jibris.read(&[says("BUSY"), ProbeOutcome::Refused], secs(5));
        assert!(!jibris.telling_is_due(secs(59)) && jibris.telling_is_due(secs(60)));
        jibris.read(&[says("BUSY"), says("BUSY")], secs(20));
        assert!(jibris.telling_is_due(secs(20)));
        assert_eq!(jibris.untold_for(secs(25)), Some(secs(5)));
        jibris.told(&[Told::Yes, Told::Yes]);
        jibris.read(&[says("BUSY"), says("BUSY")], secs(21));
        assert_eq!(jibris.untold_for(secs(25)), None);
    }

    #[test]
    fn one_that_has_ended_is_seen_beside_one_that_runs() {
        let ended = ServiceState::Ended { code: Some(255) };
        let mut jibris = Jibris::default();
        let states = [ServiceState::Running, ended];
        assert_eq!(jibris.seen(&states, secs(5)), ServiceState::Running);
        jibris.seen(&states, secs(9));
        assert_eq!(jibris.one_ended_for(secs(10)), Some(secs(5)));
        jibris.seen(&[ServiceState::Running; 2], secs(11));
        assert_eq!(jibris.one_ended_for(secs(12)), None);
    }

    #[test]
    fn all_have_answered_when_each_has() {
        let mut jibris = Jibris::default();
        assert!(!jibris.all_have_answered());
        jibris.read(&[says("BUSY"), ProbeOutcome::Refused], secs(1));
        assert!(!jibris.all_have_answered() && jibris.one_answers());
        jibris.read(&[ProbeOutcome::TimedOut, says("IDLE")], secs(2));
        assert!(jibris.all_have_answered());
        let ended = ServiceState::Ended { code: Some(255) };
        jibris.seen(&[ended], secs(3));
        jibris.begin_anew(secs(9000));
        assert!(!jibris.all_have_answered());
        // What has ended on its way into the pool has not ended for long.
        assert_eq!(jibris.one_ended_for(secs(9001)), Some(secs(1)));
    }
}
