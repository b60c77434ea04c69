//! When the protection from scale-in is set and taken away.

use std::time::Duration;

use crate::safeguard::{Safeguard, holds};

/// A look at the group sooner than this after a change may still show what was before.
const SETTLES: Duration = Duration::from_secs(60);

/// Whether the instance may be chosen by the group, and so need no protection: idle for long without any doubt, not draining, its
/// process there and able to record.
#[doc(hidden)]
#[must_use]
pub fn may_be_chosen(is_idle_for_long: bool, is_draining: bool, is_fit: bool) -> bool {
    is_idle_for_long && is_fit && !(is_draining && holds(Safeguard::ProtectedWhileDraining))
}

/// Whether an instance that the group chooses is held until its agent has drained it, where the group has the hook.
#[doc(hidden)]
#[must_use]
pub fn would_be_held(has_hook: bool) -> bool {
    has_hook || !holds(Safeguard::ProtectedWithoutHook)
}

/// What is known of the instance's protection.
#[derive(Clone, Debug, Default)]
pub(super) struct Protection {
    /// `None` before the first look, and after an attempt that may or may not have worked.
    known: Option<bool>,
    /// What was wanted when the last attempt was begun.
    tried: Option<bool>,
    /// When the last attempt was begun.
    tried_at: Option<Duration>,
    /// Whether it is, or is to be, dropped.
    pub(super) drops: bool,
    /// Whether the group was asked at least once, with or without an answer.
    asked: bool,
}

impl Protection {
    /// Whether it is certain that it is not protected, and so may be chosen.
    pub(super) fn is_off(&self) -> bool {
        self.known == Some(false)
    }

    /// What is to be set, if anything, and whether that is a change of mind, which is tried at once.
    pub(super) fn wanted(&self, want: bool) -> Option<(bool, bool)> {
        let is_wrong = match self.known {
            Some(known) => known != want,
            None => self.asked,
        };
        is_wrong.then_some((want, self.tried != Some(want)))
    }

    /// Takes in that an attempt was begun.
    pub(super) const fn begun(&mut self, want: bool, elapsed: Duration) {
        self.tried = Some(want);
        self.tried_at = Some(elapsed);
    }

    /// Takes in whether it worked. One that failed may have worked all the same.
    pub(super) fn set(&mut self, worked: bool) {
        self.known = self.tried.filter(|_| worked);
        if worked {
            self.tried = None;
        }
    }

    /// Takes in what a look at the group has shown that was begun then.
    pub(super) fn looked(&mut self, protected: Option<bool>, begun: Duration) {
        self.asked = true;
        let is_newer = self.tried_at.is_none_or(|tried| begun >= tried + SETTLES);
        if is_newer && protected.is_some() {
            self.known = protected;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn nothing_is_set_before_it_is_known_what_there_is() {
        let mut protection = Protection::default();
        assert_eq!(protection.wanted(true), None);
        protection.looked(Some(true), secs(0));
        assert_eq!(protection.wanted(true), None, "born protected");
        assert_eq!(protection.wanted(false), Some((false, true)));
        let mut blind = Protection::default();
        blind.looked(None, secs(0));
        assert_eq!(
            blind.wanted(true),
            Some((true, true)),
            "the group can't be asked: better twice than not"
        );
        assert!(!blind.is_off());
    }

    #[test]
    fn an_attempt_that_failed_leaves_it_open_and_is_no_change_of_mind() {
        let mut protection = Protection::default();
        protection.looked(Some(false), secs(0));
        assert!(protection.is_off());
        protection.begun(true, secs(10));
        protection.set(false);
        assert!(!protection.is_off());
        assert_eq!(protection.wanted(true), Some((true, false)));
        assert_eq!(protection.wanted(false), Some((false, true)));
        protection.begun(true, secs(20));
        protection.set(true);
        assert_eq!(protection.wanted(true), None);
        assert_eq!(protection.wanted(false), Some((false, true)));
    }

    #[test]
    fn a_look_that_is_older_than_the_change_is_not_believed() {
        let mut protection = Protection::default();
        protection.begun(true, secs(100));
        protection.set(true);
        protection.looked(Some(false), secs(100));
        assert_eq!(protection.wanted(true), None);
        protection.looked(Some(false), secs(160));
        assert_eq!(
            protection.wanted(true),
            Some((true, true)),
            "somebody has taken it away"
        );
    }
}
