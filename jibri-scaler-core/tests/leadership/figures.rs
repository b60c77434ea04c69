//! What has happened.

use std::ops;

use crate::process::Process;

macro_rules! figures {
    ($($name:ident,)+) => {
        /// How often each of these has happened.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub(crate) struct Figures {
            $(pub(crate) $name: u64,)+
        }

        impl Figures {
            /// Whether each of them has happened at all.
            pub(crate) fn has_everything(&self) -> bool {
                [$(self.$name),+].iter().all(|count| *count > 0)
            }
        }

        impl ops::AddAssign for Figures {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)+
            }
        }
    };
}

impl Figures {
    /// Takes in what has failed in a process that has ended.
    pub(crate) fn count(&mut self, process: &Process) {
        self.calls_failed += process.failed();
        self.saves_refused += process.refused();
    }
}

figures! {
    ticks,
    ticks_that_failed,
    recordings,
    retirements,
    given_back,
    took_the_lead,
    frozen_in_a_tick,
    // One that led when it was frozen, and did not when it went on in the same tick.
    lost_the_lead_frozen,
    // Of those, the ticks of which a call had begun, and arrived when it went on.
    arrived_late,
    killed_in_a_tick,
    killed,
    resigned,
    cut_off,
    calls_failed,
    // Saves that another replica had overtaken, where the store refuses these.
    saves_refused,
    // Jibris that a supervisor started again although they were told to end.
    restarted,
    // Machines that a human ended: whose Jibris came back so often that they were given up on, and now and then one of which nobody knew
    // any more that it was told to end, since a leader of before saved late, and the next one was killed at once.
    ended_by_hand,
}
