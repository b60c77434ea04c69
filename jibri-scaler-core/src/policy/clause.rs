use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use super::{Percent, Window};
use crate::time::readable;

/// Why a policy wants so many: one variant for each policy of this crate that gives its own reason, and what others give.
#[derive(Clone)]
pub(crate) enum Clause {
    Text(Cow<'static, str>),
    Displayed(Arc<dyn fmt::Display + Send + Sync>),
    MinIdle(u32),
    PercentIdle {
        share: Percent,
        in_use: u32,
        /// The cap, where it is below what the share wants.
        cap: Option<u32>,
    },
    SquareRoot {
        base: u32,
        factor: f64,
        in_use: u32,
    },
    Slo {
        percent: f64,
        starts: f64,
        lead: Duration,
    },
    Schedule(Window),
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Displayed(reason) => reason.fmt(f),
            Self::MinIdle(count) => write!(f, "at least {count} are always wanted"),
            Self::PercentIdle { share, in_use, cap } => {
                write!(f, "{share} of all are to be idle while {in_use} are in use")?;
                match cap {
                    Some(most) => write!(f, ", but no more than {most}"),
                    None => Ok(()),
                }
            }
            Self::SquareRoot {
                base,
                factor,
                in_use,
            } => write!(
                f,
                "{base} and {factor} times the square root of {in_use} in use"
            ),
            Self::Slo {
                percent,
                starts,
                lead,
            } => write!(
                f,
                "so many refuse at most {percent}% of the {starts:.2} starts expected in one lead time of {}",
                readable(*lead)
            ),
            Self::Schedule(window) => write!(f, "{window} wants {}", window.spare()),
        }
    }
}
