//! Where the instance is, and where it is to go.

use std::time::Duration;

use crate::{
    Lifecycle,
    agent::{
        Place,
        port::{OwnState, TargetState},
    },
};

/// The metadata are believed for so long after they were read.
const TARGET_HOLDS: Duration = Duration::from_secs(30);

/// So many looks at the group must contradict the metadata before they are believed: the group may answer with something old.
const CONTRADICTIONS: u32 = 3;

/// What metadata and group have said of the instance. The metadata are asked often, since that costs nothing; the group rarely.
#[derive(Clone, Debug, Default)]
pub(super) struct Whereabouts {
    target: Option<(TargetState, Duration)>,
    /// What the group said last.
    own: Seen,
    /// Whether what the group said last is still believed where giving back is concerned.
    settled: bool,
    /// Whether no action waited at the hook, though one should.
    no_action: bool,
    contradictions: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Seen {
    /// It was not asked yet.
    #[default]
    Never,
    /// It has no such instance.
    Nowhere,
    At(Lifecycle),
}

impl Whereabouts {
    /// Takes in the target; `None` where there is none.
    pub(super) fn read(&mut self, target: Option<TargetState>, elapsed: Duration) {
        let known = target.filter(|target| !matches!(target, TargetState::Unknown(_)));
        let before = self.target.take().map(|(target, _)| target);
        if before != known && known.is_some() {
            // The transition is newer than what the group said.
            self.settled = false;
            self.no_action = false;
            self.contradictions = 0;
        }
        self.target = known.map(|target| (target, elapsed));
    }

    /// Takes in what the group says.
    pub(super) fn looked(&mut self, own: Option<&OwnState>, elapsed: Duration) {
        self.own = own.map_or(Seen::Nowhere, |own| Seen::At(own.lifecycle.clone()));
        let contradicts = self.target(elapsed) == Some(&TargetState::Terminated)
            && self.lifecycle().is_some_and(Lifecycle::is_counting);
        self.contradictions = if contradicts {
            self.contradictions.saturating_add(1)
        } else {
            0
        };
        self.settled = !contradicts || self.contradictions >= CONTRADICTIONS;
        // That it is nowhere explains why nothing waited, and does not say that anything will.
        self.no_action = contradicts || (self.no_action && self.own == Seen::Nowhere);
    }

    /// Takes in that something was done, so that what the group said before no longer holds.
    pub(super) const fn moved(&mut self) {
        self.settled = false;
    }

    /// Takes in that no action waited at the hook.
    pub(super) const fn nothing_waited(&mut self) {
        self.settled = false;
        self.no_action = true;
    }

    /// The target, where it is known and was read just now.
    pub(super) fn target(&self, elapsed: Duration) -> Option<&TargetState> {
        let (target, read) = self.target.as_ref()?;
        (elapsed.saturating_sub(*read) <= TARGET_HOLDS).then_some(target)
    }

    /// The lifecycle state in which the group saw it last.
    pub(super) fn lifecycle(&self) -> Option<&Lifecycle> {
        match &self.own {
            Seen::At(lifecycle) => Some(lifecycle),
            Seen::Never | Seen::Nowhere => None,
        }
    }

    /// Whether the group has said that it has no such instance.
    pub(super) fn in_no_group(&self) -> bool {
        self.own == Seen::Nowhere
    }

    /// Whether it is to come into service, or is there.
    pub(super) fn is_bound_for_service(&self, elapsed: Duration) -> bool {
        match self.target(elapsed) {
            Some(target) => *target == TargetState::InService && !self.group_ends_it(),
            None => self.lifecycle().is_some_and(Lifecycle::is_counting),
        }
    }

    /// Whether the group ends it.
    pub(super) fn is_ending(&self, elapsed: Duration) -> bool {
        self.target(elapsed) == Some(&TargetState::Terminated) || self.group_ends_it()
    }

    /// Where it is, as far as giving it back is concerned; `to_pool` for one on its way to the warm pool.
    pub(super) fn place(&self, to_pool: bool, elapsed: Duration) -> Place {
        let target = self.target(elapsed);
        let held = target == Some(&TargetState::Terminated)
            || (to_pool && target == Some(&TargetState::Warmed));
        if self.settled {
            match &self.own {
                Seen::At(lifecycle) => return Place::from(lifecycle),
                Seen::Nowhere if !held || self.no_action => return Place::Ending,
                Seen::Nowhere | Seen::Never => {}
            }
        }
        if held && !self.no_action {
            Place::Held
        } else {
            Place::Unknown
        }
    }

    fn group_ends_it(&self) -> bool {
        use Lifecycle as L;
        self.lifecycle().is_some_and(|lifecycle| match lifecycle {
            L::Detaching | L::Detached => false,
            // From the warm pool too an instance leaves through the hook.
            L::WarmedTerminating | L::WarmedTerminatingWait | L::WarmedTerminatingRetained => true,
            other => other.is_leaving(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn own(lifecycle: Lifecycle) -> OwnState {
        OwnState::new(lifecycle, true)
    }

    #[test]
    fn metadata_count_before_the_group_and_the_group_where_there_are_none() {
        use Lifecycle as L;
        use TargetState as T;
        let unknown = || Some(T::Unknown("Elsewhere".into()));
        let cases = [
            (Some(T::InService), None, true, false),
            (Some(T::InService), Some(L::InService), true, false),
            (Some(T::Standby), Some(L::InService), false, false),
            (Some(T::Detached), Some(L::InService), false, false),
            (Some(T::Warmed), Some(L::InService), false, false),
            (Some(T::Terminated), Some(L::InService), false, true),
            (Some(T::InService), Some(L::TerminatingWait), false, true),
            (None, Some(L::TerminatingWait), false, true),
            (None, Some(L::TerminatingRetained), false, true),
            (None, Some(L::InService), true, false),
            (None, Some(L::PendingWait), true, false),
            (None, Some(L::Standby), false, false),
            (None, Some(L::WarmedTerminatingWait), false, true),
            (None, Some(L::WarmedRunning), false, false),
            (None, Some(L::Detaching), false, false),
            (None, None, false, false),
            (unknown(), Some(L::InService), true, false),
            (unknown(), None, false, false),
        ];
        for (target, lifecycle, service, ending) in cases {
            let mut at = Whereabouts::default();
            if let Some(lifecycle) = lifecycle.clone() {
                at.looked(Some(&own(lifecycle)), NOW);
            }
            at.read(target.clone(), NOW);
            let case = format!("{target:?} {lifecycle:?}");
            assert_eq!(at.is_bound_for_service(NOW), service, "{case}");
            assert_eq!(at.is_ending(NOW), ending, "{case}");
            // Metadata that can no longer be read count as none.
            let later = NOW + TARGET_HOLDS + Duration::from_secs(1);
            let mut none = Whereabouts::default();
            if let Some(lifecycle) = lifecycle {
                none.looked(Some(&own(lifecycle)), NOW);
            }
            assert_eq!(at.is_ending(later), none.is_ending(later), "{case}");
        }
    }

    #[test]
    fn a_place_is_what_the_group_said_unless_something_newer_is_known() {
        let mut at = Whereabouts::default();
        assert_eq!(at.place(false, NOW), Place::Unknown);
        at.looked(Some(&own(Lifecycle::InService)), NOW);
        assert_eq!(at.place(false, NOW), Place::InService);
        at.read(Some(TargetState::Terminated), NOW);
        assert_eq!(
            at.place(false, NOW),
            Place::Held,
            "it is newer than the look"
        );
        at.nothing_waited();
        assert_eq!(at.place(false, NOW), Place::Unknown);
        at.looked(Some(&own(Lifecycle::Terminating)), NOW);
        assert_eq!(at.place(false, NOW), Place::Leaving);
        at.looked(Some(&own(Lifecycle::TerminatingWait)), NOW);
        assert_eq!(at.place(false, NOW), Place::Held);
        at.moved();
        at.looked(None, NOW);
        assert_eq!(
            at.place(false, NOW),
            Place::Held,
            "its metadata say that it is there"
        );
        at.nothing_waited();
        at.looked(None, NOW);
        assert_eq!(at.place(false, NOW), Place::Ending);
        let mut nowhere = Whereabouts::default();
        nowhere.looked(None, NOW);
        assert_eq!(nowhere.place(false, NOW), Place::Ending);
        let mut pool = Whereabouts::default();
        pool.read(Some(TargetState::Warmed), NOW);
        assert_eq!(
            (pool.place(true, NOW), pool.place(false, NOW)),
            (Place::Held, Place::Unknown)
        );
    }

    #[test]
    fn metadata_that_are_wrong_are_outvoted_by_several_looks() {
        let mut at = Whereabouts::default();
        at.read(Some(TargetState::Terminated), NOW);
        for _ in 1..CONTRADICTIONS {
            at.looked(Some(&own(Lifecycle::InService)), NOW);
            assert_eq!(at.place(false, NOW), Place::Unknown);
        }
        at.looked(Some(&own(Lifecycle::InService)), NOW);
        assert_eq!(at.place(false, NOW), Place::InService);
    }
}
