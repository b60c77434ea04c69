//! The safety rules, each with a switch that only the model of this repository can turn.
//!
//! A rule is consulted where it is enforced. The model checker removes one at a time and must then find what the rule prevents;
//! otherwise the rule would be either not needed or not tested. Outside the private feature `__model` all rules always hold, and
//! asking costs nothing.

macro_rules! safeguards {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// A rule that keeps recordings or bounds safe.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Safeguard {
            $($(#[$doc])* $name,)+
        }

        impl Safeguard {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

safeguards! {
    /// Retiring side: the machine is given back only after its Jibri is gone.
    WaitForGone,
    /// Retiring side: gone takes refusals for `gone_after`, in at least two looks.
    GoneConfirmed,
    /// Retiring side: one more look right before the machine is given back.
    LastLook,
    /// Retiring side: nothing is given back while anybody answers there.
    NotWhileItAnswers,
    /// Retiring side: a refusal counts only after the Jibri took the request in this retirement.
    ToldBeforeGone,
    /// Retiring side: no Jibri is told again while another controller may be taking it for gone.
    TellSeldom,
    /// Retiring side: one that comes back is told again.
    TellAgain,
    /// Retiring side: one that is free again although it was told is told again.
    FreeIsUntold,
    /// Retiring side: what was not observed without a gap begins anew.
    NoGaps,
    /// Retiring side: a report counts only where it was received after the Jibri was told.
    ReportsSinceTold,
    /// Retiring side: both ports must refuse.
    BothPorts,
    /// Retiring side: an instance is handed over only while its agent is heard and the group has the hook.
    HandOverToTheHeard,
    /// Giving back: with a decrement only above the minimum size.
    DecrementAboveMin,
    /// Giving back: without a decrement where spare is missing.
    ReplaceWhatIsMissing,
    /// Giving back: the wait of the hook is ended only for what was given back.
    CompleteAfterGone,
    /// Applying: no capacity below one that was set just before.
    NoLoweringOfOurOwn,
    /// Deciding: the capacity is only ever raised.
    OnlyRaised,
    /// Deciding: what is in service is protected.
    Protect,
    /// Deciding: an old report says nothing.
    StaleIsUnknown,
    /// Deciding: who was never heard is not retired.
    OverdueStays,
    /// Deciding: who is busy, or not known to be free, is not retired.
    OnlyTheFree,
    /// Deciding: only who can be told is retired.
    OnlyTheTellable,
    /// Deciding: the global stop, while so much of the group can't be seen: nobody is retired, and little is launched.
    NotBlind,
    /// Deciding: no more go than the minimum size allows.
    Headroom,
    /// Deciding: what is coming counts, so that nothing is launched twice.
    CountTheComing,
    /// Deciding: never above the maximum size.
    MaxSize,
    /// Controller: a decision that breaks a rule is not applied.
    Check,
    /// Agent: the restart latch is set before the Jibri is told.
    LatchFirst,
    /// Agent: the hook is completed only after the process has ended.
    AgentWaitsForGone,
    /// Agent: only the exit of a Jibri that was told to end counts as gone.
    Only255,
    /// Agent: the release check.
    ReleaseCheck,
    /// Agent: one more look at the process after the check.
    ConfirmGone,
    /// Agent: what runs again is told again, whatever was checked before.
    BackIsToldAgain,
    /// Agent: what was under way while the phase changed proves nothing.
    BegunInPhase,
    /// Agent: what is kept is abandoned to the group's retention, not let go.
    KeptIsAbandoned,
    /// Agent: what is kept waits at the hook, where to end it by its id changes nothing, before it is abandoned.
    AbandonedLate,
    /// Agent: what is kept is abandoned only where the group retains it.
    AbandonedWhereRetained,
    /// Agent: the protection is kept while it drains.
    ProtectedWhileDraining,
    /// Agent: the protection is kept where no hook would hold the instance.
    ProtectedWithoutHook,
}

#[cfg(feature = "__model")]
mod switch {
    use std::cell::Cell;

    use super::Safeguard;

    thread_local! {
        static REMOVED: Cell<u64> = const { Cell::new(0) };
    }

    /// Puts back what was removed before, also when a test panics.
    struct Restore(u64);

    impl Drop for Restore {
        fn drop(&mut self) {
            REMOVED.set(self.0);
        }
    }

    impl Safeguard {
        /// Runs `then` on this thread with these rules removed.
        pub fn without<T>(these: &[Self], then: impl FnOnce() -> T) -> T {
            let before = REMOVED.get();
            let _restore = Restore(before);
            REMOVED.set(these.iter().fold(before, |all, one| all | 1 << *one as u64));
            then()
        }
    }

    /// Whether the rule holds.
    #[must_use]
    pub fn holds(rule: Safeguard) -> bool {
        REMOVED.get() & 1 << rule as u64 == 0
    }
}

#[cfg(feature = "__model")]
pub use switch::holds;

/// Whether the rule holds: always.
#[cfg(not(feature = "__model"))]
#[must_use]
pub const fn holds(_: Safeguard) -> bool {
    true
}
