use std::{borrow::Cow, fmt, time::Duration};

use crate::{Timestamp, policy::Clause, time::readable};

/// Why a stage made of its number what it did: one variant for each thing that a stage can say.
#[derive(Clone)]
pub(crate) enum Sentence {
    WantedSpare {
        policy: Cow<'static, str>,
        wanted: u32,
        clause: Clause,
        spare: u32,
        coming: u32,
    },
    Bounds {
        min_size: u32,
        max_size: u32,
    },
    LaunchBudget(LaunchBudget),
    BlindSurplus,
    Surplus {
        ready: u32,
        wanted: u32,
        seen: Seen,
    },
    Eligible {
        long_idle: u32,
        ready: u32,
        timeout: Duration,
        kept: u32,
    },
    Headroom {
        desired: u32,
        min_size: u32,
        headroom: u32,
        leaving: u32,
        slots: u32,
        max_retire: u32,
        paused: Option<Timestamp>,
    },
    SafeRetirement {
        safe: u32,
        long_idle: u32,
    },
    NoSafeRetirement,
    Plan {
        idle: u32,
        broken: u32,
        replaced: u32,
        by_hand: u32,
    },
}

/// How many may be launched, and why no more.
#[derive(Clone, Copy)]
pub(crate) struct LaunchBudget {
    /// While blind: how many launches are left of how many.
    pub(crate) blind: Option<(u32, u32)>,
    pub(crate) coming: u32,
    pub(crate) max_launch: u32,
    pub(crate) paused: Option<Timestamp>,
    /// How many have failed in a row, and how many may be launched nevertheless.
    pub(crate) failed: Option<(u32, u32)>,
}

/// What has been seen of a surplus.
#[derive(Clone, Copy)]
pub(crate) enum Seen {
    /// All of the hold, with the smallest surplus in it.
    Whole { hold: Duration, lowest: u32 },
    /// Only so much of it.
    Part { hold: Duration, span: Duration },
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WantedSpare {
                policy,
                wanted,
                clause,
                spare,
                coming,
            } => write!(
                f,
                "{policy} wants {wanted} spare ({clause}); {spare} are spare and {coming} are coming"
            ),
            Self::Bounds { min_size, max_size } => {
                write!(f, "the group may have {min_size} to {max_size} instances")
            }
            Self::LaunchBudget(budget) => budget.fmt(f),
            Self::BlindSurplus => f.write_str("blind: nothing is retired until sight returns"),
            Self::Surplus {
                ready,
                wanted,
                seen,
            } => write!(f, "{ready} are ready and {wanted} wanted{seen}"),
            Self::Eligible {
                long_idle,
                ready,
                timeout,
                kept,
            } => {
                let timeout = readable(*timeout);
                write!(
                    f,
                    "{long_idle} of {ready} ready ones have been idle for {timeout}"
                )?;
                match kept {
                    0 => Ok(()),
                    kept => write!(f, ", beside {kept} that are kept by hand"),
                }
            }
            Self::Headroom {
                desired,
                min_size,
                headroom,
                leaving,
                slots,
                max_retire,
                paused,
            } => {
                write!(
                    f,
                    "desired {desired} is above the minimum size {min_size} by {headroom} after {leaving} that are leaving, \
                     and {slots} of {max_retire} retirements may begin"
                )?;
                match paused {
                    Some(until) => write!(f, "; but shrinking is paused until {until}"),
                    None => Ok(()),
                }
            }
            Self::SafeRetirement { safe, long_idle } => write!(
                f,
                "{safe} of {long_idle} that have been idle for long enough can be told to end"
            ),
            Self::NoSafeRetirement => {
                f.write_str("no instance of this group can be retired safely: it only grows")
            }
            Self::Plan {
                idle,
                broken,
                replaced,
                by_hand,
            } => {
                write!(
                    f,
                    "{idle} idle and {broken} broken ones go, {replaced} of them are replaced"
                )?;
                match by_hand {
                    0 => Ok(()),
                    by_hand => write!(f, "; {by_hand} more go by hand"),
                }
            }
        }
    }
}

impl fmt::Display for LaunchBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (coming, max_launch) = (self.coming, self.max_launch);
        match self.blind {
            Some((left, wanted)) => write!(
                f,
                "blind, so {left} of {wanted} launches are left until sight returns, and {coming} of {max_launch} are outstanding"
            ),
            None => write!(
                f,
                "{coming} launches of at most {max_launch} are outstanding"
            ),
        }?;
        if let Some(until) = self.paused {
            write!(f, "; but growing is paused until {until}")?;
        }
        match self.failed {
            Some((failures, left)) => {
                write!(
                    f,
                    "; {failures} failed in a row, so {left} may be launched now"
                )
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Whole { hold, lowest } => {
                write!(
                    f,
                    "; the smallest surplus of the last {} is {lowest}",
                    readable(hold)
                )
            }
            Self::Part { hold, span } => {
                let (hold, span) = (readable(hold), readable(span));
                write!(
                    f,
                    ", observed for {span} of the {hold} that a surplus must last"
                )
            }
        }
    }
}
